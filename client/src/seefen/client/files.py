"""Files: sealed as a stream, moved in parts, opened only whole.

The sealed stream begins with the description of the file (name, size, hash), so that
nothing of it stands outside. Parts are a mebibyte of ciphertext, travel in any order, and
each is checked against the root that the author signed before it is kept.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO

import msgspec

from seefen.client import private
from seefen.client.connection import Connection, UnreachableError
from seefen.client.disk import KEPT, let_go, read_ahead, write_all
from seefen.client.keyfile import replace_file
from seefen.client.lines import Run
from seefen.client.moving import move_all
from seefen.client.opening import Arrival
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.ledger.tree import leaf_hash, split_hashes
from seefen.protocol.objects import PART_SIZE, body_context, part_count, parts_root
from seefen.protocol.padding import padding_pieces
from seefen.protocol.statements import Object
from seefen.protocol.suite import Sealer

Progress = Callable[[str, int, int], None]


def seal_file(
    source: Path | bytes, sealed: Path, key: bytes, obj: Object, head: bytes, progress: Progress
) -> tuple[int, bytes]:
    """Seal a file, or bytes, with its description; return size and root of the ciphertext.

    A part is hashed in a thread while the next one is sealed; its leaf hashes are kept
    beside the sealed bytes, so that nothing is hashed twice.
    """
    name = "" if isinstance(source, bytes) else source.name
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    sealer = Sealer(key, body_context(obj))
    done = 0
    with ThreadPoolExecutor(1) as hasher, private.new_file(sealed) as target:
        parts = _Parts(target, hasher)
        parts.add(sealer.update(len(head).to_bytes(4, "big") + head))
        for chunk in _chunks(source):
            parts.add(sealer.update(chunk))
            done += len(chunk)
            progress(name, done, size)
        if done != size:
            raise RefusedError(f"{name} changed while it was read: send it again", rule="file")
        for piece in padding_pieces(4 + len(head) + size):
            parts.add(sealer.update(piece))
        parts.add(sealer.finish())
        hashes = parts.finish()
        os.fsync(target.fileno())
        let_go(target, 0, parts.length)
    # Both on the disk, with their names: a draft that names them may be the next thing there.
    replace_file(_leaves_of(sealed), b"".join(hashes))
    return parts.length, parts_root(hashes)


class _Parts:
    """Cuts a sealed stream into parts, writes them, and has them hashed meanwhile."""

    def __init__(self, target: IO[bytes], hasher: ThreadPoolExecutor) -> None:
        self._target = target
        self._hasher = hasher
        self._leaves: list[Future[bytes]] = []
        # A part is filled while others are hashed; memory stays flat, and the same.
        self._buffers = [bytearray(PART_SIZE) for _ in range(3)]
        self._filled = 0
        self.length = 0

    def add(self, piece: bytes) -> None:
        """Take what comes next of the stream."""
        rest = memoryview(piece)
        while rest:
            if self._filled == PART_SIZE:
                self._end_part()
            buffer = self._buffers[len(self._leaves) % len(self._buffers)]
            count = min(len(rest), PART_SIZE - self._filled)
            buffer[self._filled : self._filled + count] = rest[:count]
            self._filled += count
            rest = rest[count:]

    def finish(self) -> list[bytes]:
        """End the last part; return the leaf hashes of all."""
        if self._filled or not self._leaves:
            self._end_part()
        return [leaf.result() for leaf in self._leaves]

    def _end_part(self) -> None:
        buffer = self._buffers[len(self._leaves) % len(self._buffers)]
        part = memoryview(buffer)[: self._filled]
        self._leaves.append(self._hasher.submit(leaf_hash, part))
        write_all(self._target, part)
        self.length += self._filled
        let_go(self._target, 0, self.length)
        self._filled = 0
        if len(self._leaves) >= len(self._buffers):
            self._leaves[-len(self._buffers) + 1].result()  # the next buffer is free then


def discard(sealed: Path) -> None:
    """Delete a sealed file and its leaf hashes."""
    sealed.unlink(missing_ok=True)
    _leaves_of(sealed).unlink(missing_ok=True)


async def upload(
    connection: Connection, sealed: Path, root: bytes, name: str, progress: Progress
) -> None:
    """Bring the parts of a sealed file to the broker; what it has already is not sent again.

    Raises:
        UnreachableError: Cut too often; the parts that arrived are kept.
    """
    if not sealed.exists():
        raise RefusedError(f"the sealed copy of {name} is gone: send it again", rule="file")
    size = sealed.stat().st_size
    url = f"/v1/blobs/{root.hex()}"
    leaves = _leaves_of(sealed).read_bytes()
    total = part_count(size)

    def load(index: int, buffer: memoryview) -> int:
        try:
            count = _load_part(sealed, index, buffer)
        except OSError as err:
            why = f"the sealed copy of {name} cannot be read: {err.strerror}"
            raise RefusedError(why, rule="file") from None
        if count != min(PART_SIZE, size - index * PART_SIZE):
            raise RefusedError(f"the sealed copy of {name} was cut: send it again", rule="file")
        return count

    async def missing() -> list[int]:
        return _wanted(await connection.http("PUT", f"{url}?size={size}", body=leaves), total)

    async def send(run: Run) -> None:
        await connection.send_parts(f"{url}/parts/{run.numbers[0]}", run, load)

    await move_all(missing, send, size, lambda done: progress(name, done, size))


async def download(
    connection: Connection, obj: Object, sealed: Path, progress: Progress, arrival: Arrival
) -> None:
    """Fetch a sealed file; parts that are there and right are not fetched again.

    ``arrival`` is told of each part once it is checked and on the disk.

    Raises:
        UntrustedError: A part is not the one that was signed.
        UnreachableError: Cut too often; what arrived is kept.
    """
    url = f"/v1/blobs/{obj.body_root.hex()}"
    hashes = split_hashes(await connection.http("GET", f"{url}/leaves"))
    if len(hashes) != part_count(obj.body_size) or parts_root(hashes) != obj.body_root:
        raise UntrustedError("the list of parts is not the one that was signed", rule="body")
    size = obj.body_size
    await asyncio.to_thread(_find_parts, sealed, hashes, size, arrival)

    def keep(index: int, data: memoryview) -> None:
        _keep_part(sealed, index, data, hashes[index])
        arrival.add(index)

    async def missing() -> list[int]:
        return arrival.missing()

    async def fetch(run: Run) -> None:
        await connection.fetch_parts(f"{url}/parts/{run.numbers[0]}", run, keep)

    await move_all(missing, fetch, size, lambda done: progress("", done, size))


def _chunks(source: Path | bytes) -> Iterator[memoryview]:
    """Yield a file piece by piece; each is gone when the next is asked for."""
    if isinstance(source, bytes):
        yield memoryview(source)
        return
    buffer = memoryview(bytearray(PART_SIZE))
    with source.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            yield buffer[:count]


def _read_part(sealed: Path, index: int) -> bytes:
    with sealed.open("rb") as file:
        file.seek(index * PART_SIZE)
        return file.read(PART_SIZE)


def _find_parts(sealed: Path, hashes: list[bytes], size: int, arrival: Arrival) -> None:
    """Tell of the parts that are there from an earlier try; make the file if it is not."""
    if not sealed.exists():
        with private.new_file(sealed) as file:
            file.truncate(size)
        return
    for index, known in enumerate(hashes):
        if leaf_hash(_read_part(sealed, index)) == known:
            arrival.add(index)


def _load_part(sealed: Path, index: int, buffer: memoryview) -> int:
    with sealed.open("rb", buffering=0) as file:
        start = index * PART_SIZE
        file.seek(start)
        read_ahead(file, start + PART_SIZE, PART_SIZE)
        count = file.readinto(buffer) or 0
        let_go(file, start, count)
        return count


def _keep_part(sealed: Path, index: int, data: memoryview, expected: bytes) -> None:
    if leaf_hash(data) != expected:
        raise UntrustedError(f"part {index} is not the one that was signed", rule="body")
    with sealed.open("r+b", buffering=0) as file:
        start = index * PART_SIZE
        file.seek(start)
        write_all(file, data)
        if start >= KEPT:
            let_go(file, start, len(data))
        # Before that nothing begins to be written: it is opened and deleted, and the disk is
        # for the plaintext. After a power cut it would be fetched again.


class _Missing(msgspec.Struct):
    """What the broker answers to the leaf hashes of a body."""

    missing: list[int]


def _wanted(answer: bytes, total: int) -> list[int]:
    try:
        missing = msgspec.json.decode(answer, type=_Missing).missing
    except (ValueError, RecursionError):
        missing = [-1]
    if not set(missing) <= set(range(total)):
        raise UnreachableError("the broker asks for parts that there are not", rule="answer")
    return missing


def _leaves_of(sealed: Path) -> Path:
    return sealed.with_suffix(".leaves")
