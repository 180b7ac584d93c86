"""File bodies: sealed parts of 1 MiB in a folder, each checked when it arrives.

A body is named by the RFC 6962 root over its parts. The leaf hashes come first and must
give that root; then every part must hash to its leaf, so parts may come in any order, in
parallel and again, and a cut costs one part. A part is marked present after its file and
folder are synced, so an object that names a complete body names bytes that are there.
"""

import asyncio
import errno
import shutil
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from seefen.protocol.errors import MalformedError, OutOfTurnError, UntrustedError
from seefen.protocol.ledger.tree import leaf_hash
from seefen.protocol.objects import PART_SIZE, part_count, parts_root
from seefen.server.errors import AbsentError, FullError
from seefen.server.files import make_folder, sync_folder, write_durably
from seefen.server.metrics import BLOB_BYTES

LEAF_LENGTH: Final = 32
MEBIBYTE: Final = 1 << 20


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
        return [i for i in range(self.parts) if not self.present[i // 8] >> i % 8 & 1]

    def part_length(self, number: int) -> int:
        """Return how many bytes a part has: all have 1 MiB but the last."""
        return min(PART_SIZE, self.size - number * PART_SIZE)


class BlobTable(Protocol):
    """Where it is kept which parts are there."""

    def start(self, blob: Blob, *, quota: int) -> Awaitable[Blob | None]:
        """Store a body unless it is there; None if the node's bodies exceed ``quota``."""
        ...

    def find(self, root: bytes) -> Awaitable[Blob | None]:
        """Return a body by its root."""
        ...

    def mark(self, root: bytes, number: int) -> Awaitable[None]:
        """Mark a part as present, and the body as complete with its last one."""
        ...


class Blobs:
    """Takes and gives parts."""

    def __init__(
        self, table: BlobTable, folder: Path, *, free_percent: int, quota_mebibytes: int
    ) -> None:
        """Keep parts below ``folder`` while ``free_percent`` of its disk stay free."""
        self._table = table
        self._folder = folder
        self._incoming = folder / "incoming"
        self._free_percent = free_percent
        self._quota = quota_mebibytes * MEBIBYTE

    def clear_incoming(self) -> None:
        """Remove what a kill has left half written: for the one process that takes parts."""
        shutil.rmtree(self._incoming, ignore_errors=True)

    async def start(self, root: bytes, size: int, leaves: bytes, *, node: str) -> Blob:
        """Begin a body, or go on with it: returns what is there and what is missing.

        Raises:
            MalformedError: The leaves are not as many as the size needs.
            UntrustedError: The leaves do not give the root.
            OutOfTurnError: The body is known with another size.
            FullError: The disk, or what the node may store, is full.
        """
        if size < 1 or len(leaves) != LEAF_LENGTH * part_count(size):
            raise MalformedError("a leaf hash for each part, and no more", rule="leaves")
        hashes = (leaves[i : i + LEAF_LENGTH] for i in range(0, len(leaves), LEAF_LENGTH))
        if parts_root(hashes) != root:
            raise UntrustedError("the leaf hashes do not give this root", rule="leaves")
        self._require_room()
        present = bytes(-(-part_count(size) // 8))
        stands = await self._table.start(
            Blob(root, size, leaves, present, complete=False, node=node), quota=self._quota
        )
        if stands is None:
            raise FullError("the files of your node fill its share", rule="quota")
        if stands.size != size:
            # The root fixes all parts but says nothing of the length that was declared.
            raise OutOfTurnError("this body was begun with another size", rule="other-bytes")
        return stands

    async def find(self, root: bytes) -> Blob:
        """Return a body.

        Raises:
            AbsentError: It was never begun.
        """
        blob = await self._table.find(root)
        if blob is None:
            raise AbsentError("no such file body", rule="unknown-blob")
        return blob

    async def put(self, root: bytes, number: int, data: bytes) -> None:
        """Keep a part. The same part again is welcome and changes nothing.

        Raises:
            AbsentError: The body was never begun, or has no such part.
            UntrustedError: These are other bytes than the leaf hash says.
            FullError: The disk is nearly full.
        """
        blob = await self.find(root)
        path = self._path(blob, number)
        expected = blob.leaves[number * LEAF_LENGTH : (number + 1) * LEAF_LENGTH]
        if len(data) != blob.part_length(number):
            raise UntrustedError("this part has another length", rule="part")
        self._require_room()
        try:
            await asyncio.to_thread(_keep, path, data, expected, self._incoming)
        except OSError as err:
            if err.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise FullError("the broker's disk is full", rule="disk") from None
        if number in blob.missing:
            await self._table.mark(root, number)
        BLOB_BYTES.labels("in").inc(len(data))

    async def get(self, root: bytes, number: int) -> bytes:
        """Return a part.

        Raises:
            AbsentError: It is not here, or not yet.
        """
        blob = await self.find(root)
        path = self._path(blob, number)
        try:
            data = await asyncio.to_thread(path.read_bytes)
        except FileNotFoundError:
            raise AbsentError("this part has not arrived yet", rule="unknown-part") from None
        BLOB_BYTES.labels("out").inc(len(data))
        return data

    def _path(self, blob: Blob, number: int) -> Path:
        if not 0 <= number < blob.parts:
            raise AbsentError("this body has no such part", rule="unknown-part")
        # The name is made of a hash and a number: nothing a sender chose is in it.
        name = blob.root.hex()
        return self._folder / name[:2] / name / str(number)

    def _require_room(self) -> None:
        disk = shutil.disk_usage(self._folder)
        if disk.free * 100 < disk.total * self._free_percent:
            raise FullError("the broker's disk is nearly full", rule="disk")


def _keep(path: Path, data: bytes, expected: bytes, incoming: Path) -> None:
    if leaf_hash(data) != expected:
        raise UntrustedError("these are other bytes than the ones announced", rule="part")
    if path.exists() and path.stat().st_size == len(data):
        # A broker killed after the rename has not synced the name, and it is marked next.
        for folder in path.parents[:3]:
            sync_folder(folder)
        return
    make_folder(incoming)
    make_folder(path.parent)
    write_durably(path, data, by_way_of=incoming)
