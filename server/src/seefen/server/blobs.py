"""File bodies: sealed parts of 1 MiB, each checked when it arrives, one file for a body.

A body is named by the RFC 6962 root over its parts. The leaf hashes come first and must
give that root; then every part must hash to its leaf, so parts may come in any order, in
parallel and again. A line that is cut costs the part that was on its way, a broker that is
killed every part of the requests it was reading, up to eight of each: parts are marked
present once a request is over. That is after they were synced, and the answer after that,
so an object that names a complete body names bytes that are there.
"""

import asyncio
import errno
import os
import shutil
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Coroutine, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from seefen.protocol.errors import MalformedError, OutOfTurnError, UntrustedError
from seefen.protocol.objects import PART_SIZE, part_count, parts_root
from seefen.server import bodies
from seefen.server.errors import AbsentError, FullError
from seefen.server.metrics import BLOB_BYTES
from seefen.server.rates import DAY, Window

LEAF_LENGTH: Final = 32
MEBIBYTE: Final = 1 << 20
# That one node begins in a day: however short, each takes a row and a file of the disk for ever.
BODIES: Final = 10_000
KNOWN: Final = 16  # bodies kept in memory: their leaf hashes have 256 KiB each at most


@dataclass(frozen=True, slots=True)
class Blob:
    """A body: its size, the hashes of its parts, and a bit for each part that is there."""

    root: bytes
    size: int
    leaves: bytes
    present: bytes
    complete: bool
    node: str = ""

    @property
    def parts(self) -> int:
        """How many parts it has."""
        return len(self.leaves) // LEAF_LENGTH

    @property
    def missing(self) -> list[int]:
        """The numbers of the parts that have not arrived."""
        return [i for i in range(self.parts) if not self.has(i)]

    def has(self, number: int) -> bool:
        """Return whether a part has arrived."""
        return bool(self.present[number // 8] >> number % 8 & 1)

    def part_length(self, number: int) -> int:
        """Return how many bytes a part has: all have 1 MiB but the last.

        Raises:
            AbsentError: There is no such part.
        """
        if not 0 <= number < self.parts:
            raise AbsentError("this body has no such part", rule="unknown-part")
        return min(PART_SIZE, self.size - number * PART_SIZE)

    def length(self, first: int, count: int) -> int:
        """Return how many bytes ``count`` parts have together.

        Raises:
            AbsentError: One of them is not here, or not yet.
        """
        numbers = range(first, first + count)
        length = sum(map(self.part_length, numbers))
        if not all(map(self.has, numbers)):
            raise AbsentError("one of these parts has not arrived yet", rule="unknown-part")
        return length

    def leaf(self, number: int) -> bytes:
        """Return the hash that a part must have."""
        return self.leaves[number * LEAF_LENGTH : (number + 1) * LEAF_LENGTH]


class BlobTable(Protocol):
    """Where it is kept which parts are there."""

    def start(self, blob: Blob, *, quota: int) -> Awaitable[Blob | None]:
        """Store a body unless it is there; None if the node's bodies exceed ``quota``."""
        ...

    def find(self, root: bytes) -> Awaitable[Blob | None]:
        """Return a body by its root."""
        ...

    def mark(self, root: bytes, numbers: Sequence[int]) -> Awaitable[None]:
        """Mark parts as present, and the body as complete with its last one."""
        ...

    def forget(self, root: bytes) -> Awaitable[None]:
        """Mark all parts of a body as missing."""
        ...


class Blobs:
    """Takes and gives parts."""

    def __init__(
        self, table: BlobTable, folder: Path, *, free_percent: int, quota_mebibytes: int
    ) -> None:
        """Keep parts below ``folder`` while ``free_percent`` of its disk stay free."""
        self._table = table
        self._folder = folder
        self._free_percent = free_percent
        self._quota = quota_mebibytes * MEBIBYTE
        self._begun = Window(BODIES, DAY)
        self._known: OrderedDict[bytes, Blob] = OrderedDict()
        self._filling: dict[bytes, _Filling] = {}

    async def start(self, root: bytes, size: int, leaves: bytes, *, node: str) -> Blob:
        """Begin a body, or go on with it: returns what is there and what is missing.

        Raises:
            MalformedError: The leaves are not as many as the size needs.
            UntrustedError: The leaves do not give the root.
            OutOfTurnError: The body is known with another size.
            FullError: The disk, or what the node may store or begin in a day, is full.
        """
        if size < 1 or len(leaves) != LEAF_LENGTH * part_count(size):
            raise MalformedError("a leaf hash for each part, and no more", rule="leaves")
        hashes = (leaves[i : i + LEAF_LENGTH] for i in range(0, len(leaves), LEAF_LENGTH))
        if parts_root(hashes) != root:
            raise UntrustedError("the leaf hashes do not give this root", rule="leaves")
        self._require_room()
        path = bodies.place(self._folder, root)
        # Before the row is read: another who makes the file now has cleared its marks first.
        lost = not await asyncio.to_thread(bodies.is_whole, path, size)
        if lost and self._begun.take(node, time.monotonic()):
            raise FullError(f"your node has begun {BODIES} files within a day", rule="quota")
        present = bytes(-(-part_count(size) // 8))
        stands = await self._table.start(
            Blob(root, size, leaves, present, complete=False, node=node), quota=self._quota
        )
        if stands is None:
            raise FullError("the files of your node fill its share", rule="quota")
        if stands.size != size:
            # The root fixes all parts but says nothing of the length that was declared.
            raise OutOfTurnError("this body was begun with another size", rule="other-size")
        if lost:
            await self._forget(stands, path)
        with _fullness():
            await asyncio.to_thread(bodies.make, path, size)
        return await self.find(root) if lost else stands

    async def _forget(self, blob: Blob, path: Path) -> None:
        """Mark the parts of a body that is not on the disk as missing, before its file is made.

        A file at full length is a promise that marked parts are in it. If a kill came between
        its making and this, what is marked would be read as the zeros of its holes.
        """
        if await asyncio.to_thread(bodies.is_whole, path, blob.size):
            return  # another has begun it anew meanwhile, and its parts may be coming
        filling = self._filling.get(blob.root)
        if filling is not None:
            await filling.spoil(bodies.gone())
        if filling is not None or any(blob.present):  # it may have marked since the row was read
            await self._table.forget(blob.root)

    async def find(self, root: bytes) -> Blob:
        """Return a body.

        Raises:
            AbsentError: It was never begun.
        """
        blob = await self._table.find(root)
        if blob is None:
            raise AbsentError("no such file body", rule="unknown-blob")
        self._known[root] = blob
        while len(self._known) > KNOWN:
            self._known.popitem(last=False)
        return blob

    async def put(
        self, root: bytes, number: int, parts: AsyncIterator[Sequence[bodies.Buffer]]
    ) -> None:
        """Keep a part and those that follow it; the same again is welcome and changes nothing.

        What has arrived whole before an error or a cut is kept.

        Raises:
            AbsentError: The body was never begun, is gone from the disk, or has no such part.
            UntrustedError: These are other bytes than the leaf hash says.
            FullError: The disk is nearly full.
        """
        # Size and leaf hashes never change: they are not read anew for each part.
        blob = self._known.get(root) or await self.find(root)
        with _fullness(), self._filled(root) as filling:
            written: list[int] = []
            writing: asyncio.Task[None] | None = None
            try:
                async for part in parts:
                    if sum(map(len, part)) != blob.part_length(number):
                        raise UntrustedError("this part has another length", rule="part")
                    self._require_room()
                    if writing is not None:
                        # One is hashed and written while the next one comes.
                        await asyncio.shield(writing)
                    leaf = blob.leaf(number)
                    writing = filling.write(number, part, leaf, written)
                    number += 1
                if writing is None:
                    raise UntrustedError("this part has another length", rule="part")
                await asyncio.shield(writing)
            finally:
                if writing is not None:
                    await asyncio.wait([writing])
                if written:
                    await filling.settle(written)

    async def get(self, blob: Blob, number: int) -> bytes:
        """Return a part of a body as it was just found.

        Who keeps what was found may be given holes: a body can be lost and begun anew.

        Raises:
            AbsentError: It is not here, or not yet.
        """
        length = blob.length(number, 1)
        path = bodies.place(self._folder, blob.root)
        try:
            data = await asyncio.to_thread(bodies.read_part, path, number, length)
        except FileNotFoundError:
            raise AbsentError("this part has not arrived yet", rule="unknown-part") from None
        BLOB_BYTES.labels("out").inc(len(data))
        return data

    @contextmanager
    def _filled(self, root: bytes) -> Generator["_Filling", None, None]:
        """Give the open file of a body; all who bring parts at the same time share it."""
        filling = self._filling.get(root)
        if filling is None or filling.fault is not None:
            try:
                descriptor = os.open(bodies.place(self._folder, root), os.O_WRONLY)
            except FileNotFoundError:
                raise bodies.gone() from None
            filling = self._filling[root] = _Filling(root, descriptor, self._table)
        filling.users += 1
        try:
            yield filling
        finally:
            filling.users -= 1
            if filling.users == 0:
                if self._filling.get(root) is filling:  # and not one that came after a fault
                    del self._filling[root]
                filling.close()

    def _require_room(self) -> None:
        disk = shutil.disk_usage(self._folder)
        if disk.free * 100 < disk.total * self._free_percent:
            raise FullError("the broker's disk is nearly full", rule="disk")


class _Filling:
    """The open file of a body to which parts are brought.

    One sync is for all parts that were written while the one before went on. The file stays
    open from the writing to the sync: one opened later may not hear that the disk failed.
    One that was open hears it once, and the next sync may say that all is well: after a
    ``fault`` nothing more is marked here, and who brings parts then opens the file again.
    """

    def __init__(self, root: bytes, descriptor: int, table: BlobTable) -> None:
        self._root = root
        self._descriptor = descriptor
        self._table = table
        self._waiting: list[int] = []
        self._next: asyncio.Task[None] | None = None
        self._last: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self.fault: Exception | None = None
        self.users = 0

    def write(
        self, number: int, part: Sequence[bodies.Buffer], expected: bytes, written: list[int]
    ) -> asyncio.Task[None]:
        """Write a part and note it; see :func:`seefen.server.bodies.write_part`.

        Who goes away must not cancel it: the thread would write on, to whatever file has the
        number of this descriptor by then.
        """
        return self._begin(self._write(number, part, expected, written))

    async def _write(
        self, number: int, part: Sequence[bodies.Buffer], expected: bytes, written: list[int]
    ) -> None:
        await asyncio.to_thread(bodies.write_part, self._descriptor, number, part, expected)
        written.append(number)
        BLOB_BYTES.labels("in").inc(sum(map(len, part)))

    async def settle(self, written: Sequence[int]) -> None:
        """Return once parts that were written are synced and marked."""
        if self._next is None:
            self._next = self._last = self._begin(self._sync_group(self._last))
        self._waiting += written
        # Whoever goes away takes nobody's answer with him.
        await asyncio.shield(self._next)

    async def spoil(self, fault: Exception) -> None:
        """Return once nothing more will be marked from this descriptor."""
        self.fault = self.fault or fault
        if self._last is not None:
            await asyncio.wait([self._last])  # it may be marking

    async def _sync_group(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])  # those who come meanwhile join this group
        self._next = None
        numbers, self._waiting = self._waiting, []
        try:
            await asyncio.to_thread(bodies.sync, self._descriptor)
        except Exception as err:
            self.fault = self.fault or err
        if self.fault is not None:
            raise self.fault
        await self._table.mark(self._root, numbers)

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._end)
        return task

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited has heard it, and there may be nobody
        if self._closing and not self._tasks:
            os.close(self._descriptor)

    def close(self) -> None:
        """Close the file, once nothing is written to it and the last group is done with it."""
        self._closing = True
        if not self._tasks:
            os.close(self._descriptor)


@contextmanager
def _fullness() -> Generator[None, None, None]:
    """Say that the disk is full; it is no fault of the broker's."""
    try:
        yield
    except OSError as err:
        if err.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise FullError("the broker's disk is full", rule="disk") from None
