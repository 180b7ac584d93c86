"""Files: sealed as a stream, moved in parts, opened only whole.

The sealed stream begins with the description of the file (name, size, hash), so that
nothing of it stands outside. Parts are a mebibyte of ciphertext, travel in any order, and
each is checked against the root that the author signed before it is kept.
"""

import asyncio
import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import IO, Final

import msgspec

from seefen.client.connection import Connection, UnreachableError
from seefen.client.disk import let_go, read_ahead
from seefen.client.keyfile import replace_file, sync_folder
from seefen.client.lines import Run
from seefen.client.moving import move_all
from seefen.client.names import safe_name
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.ledger.tree import leaf_hash, split_hashes
from seefen.protocol.messages import FileNote, decode_message
from seefen.protocol.objects import PART_SIZE, body_context, part_count, parts_root
from seefen.protocol.padding import padding_pieces
from seefen.protocol.statements import Object
from seefen.protocol.suite import Opener, Sealer

Progress = Callable[[str, int, int], None]
HEAD_LIMIT: Final = 64 * 1024


def seal_file(
    path: Path, sealed: Path, key: bytes, obj: Object, head: bytes, progress: Progress
) -> tuple[int, bytes]:
    """Seal a file and its description; return size and root of the ciphertext.

    A part is hashed in a thread while the next one is sealed; its leaf hashes are kept
    beside the sealed bytes, so that nothing is hashed twice.
    """
    size = path.stat().st_size
    sealer = Sealer(key, body_context(obj))
    done = 0
    with ThreadPoolExecutor(1) as hasher, sealed.open("wb", buffering=0) as target:
        parts = _Parts(target, hasher)
        parts.add(sealer.update(len(head).to_bytes(4, "big") + head))
        for chunk in _chunks(path):
            parts.add(sealer.update(chunk))
            done += len(chunk)
            progress(path.name, done, size)
        if done != size:
            raise RefusedError(f"{path.name} changed while it was read: send it again", rule="file")
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
        _write_all(self._target, part)
        self.length += self._filled
        let_go(self._target, 0, self.length)
        self._filled = 0
        if len(self._leaves) >= len(self._buffers):
            self._leaves[-len(self._buffers) + 1].result()  # the next buffer is free then


def discard(sealed: Path) -> None:
    """Delete a sealed file and its leaf hashes."""
    sealed.unlink(missing_ok=True)
    _leaves_of(sealed).unlink(missing_ok=True)


def beside(obj: Object, folder: Path) -> Path:
    """Return where a file is opened before it gets its name: a kill can leave it there."""
    return folder / f".{obj.object.hex()}.opening"


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


async def download(connection: Connection, obj: Object, sealed: Path, progress: Progress) -> None:
    """Fetch a sealed file; parts that are there and right are not fetched again.

    Raises:
        UntrustedError: A part is not the one that was signed.
        UnreachableError: Cut too often; what arrived is kept.
    """
    url = f"/v1/blobs/{obj.body_root.hex()}"
    hashes = split_hashes(await connection.http("GET", f"{url}/leaves"))
    if len(hashes) != part_count(obj.body_size) or parts_root(hashes) != obj.body_root:
        raise UntrustedError("the list of parts is not the one that was signed", rule="body")
    size = obj.body_size
    waiting = set(await asyncio.to_thread(_missing_parts, sealed, hashes, size))

    def keep(index: int, data: memoryview) -> None:
        _keep_part(sealed, index, data, hashes[index])
        waiting.discard(index)

    async def missing() -> list[int]:
        return sorted(waiting)

    async def fetch(run: Run) -> None:
        await connection.fetch_parts(f"{url}/parts/{run.numbers[0]}", run, keep)

    await move_all(missing, fetch, size, lambda done: progress("", done, size))


def open_file(obj: Object, key: bytes, sealed: Path, folder: Path) -> tuple[Path, bytes]:
    """Open a sealed file into a folder; return where it is, and its description's bytes.

    Nothing has its name before the whole stream was checked: plaintext comes out of the
    seal chunk by chunk, and a cut stream must not look like a file.

    Raises:
        UntrustedError: The stream or its hash is not what was signed.
    """
    opening = beside(obj, folder)
    try:
        head, note, digest = _unseal_to(obj, key, sealed, opening)
        if digest != note.sha256:
            raise UntrustedError("the file is not the one its author described", rule="body")
        path = _free_name(folder, safe_name(note.name))
        opening.replace(path)
        sync_folder(folder)
        return path, head
    finally:
        opening.unlink(missing_ok=True)


def _unseal_to(
    obj: Object, key: bytes, sealed: Path, target: Path
) -> tuple[bytes, FileNote, bytes]:
    """Write what was sealed; return the description, as bytes and read, and the file's hash."""
    opener = Opener(key, body_context(obj))
    start = b""
    head: bytes | None = None
    note: FileNote | None = None
    left = written = 0
    digest = hashlib.sha256()
    hashed: Future[None] | None = None
    with (
        ThreadPoolExecutor(1) as hasher,
        target.open("wb", buffering=0) as out,
        sealed.open("rb", buffering=0) as spent,
    ):
        for number, chunk in enumerate(chain(_chunks(sealed), (None,))):
            let_go(spent, 0, number * PART_SIZE)
            opened = opener.finish() if chunk is None else opener.update(chunk)
            if note is None:
                start += opened
                head = _take_head(start)
                if head is None:
                    continue
                note = _note(head)
                left, opened = note.size, start[4 + len(head) :]
            # What follows the file is padding.
            plain = memoryview(opened)[:left]
            left -= len(plain)
            if hashed is not None:
                hashed.result()  # one chunk ahead and no more: memory stays flat
            hashed = hasher.submit(digest.update, plain)
            _write_all(out, plain)
            written += len(plain)
            let_go(out, 0, written)
        if head is None or note is None:
            raise UntrustedError("the file has no description", rule="body")
        os.fsync(out.fileno())
    return head, note, digest.digest()


def _note(head: bytes) -> FileNote:
    note = decode_message(head)
    if not isinstance(note, FileNote):
        raise UntrustedError("the file has no description", rule="body")
    return note


def _take_head(start: bytes) -> bytes | None:
    if len(start) < 4:
        return None
    length = int.from_bytes(start[:4], "big")
    if length > HEAD_LIMIT:
        raise UntrustedError("the description of the file is too long", rule="body")
    if len(start) < 4 + length:
        return None
    return start[4 : 4 + length]


def _write_all(file: IO[bytes], data: memoryview) -> None:
    while data:
        data = data[file.write(data) :]


def _chunks(path: Path) -> Iterator[memoryview]:
    """Yield a file piece by piece; each is gone when the next is asked for."""
    buffer = memoryview(bytearray(PART_SIZE))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            yield buffer[:count]


def _read_part(sealed: Path, index: int) -> bytes:
    with sealed.open("rb") as file:
        file.seek(index * PART_SIZE)
        return file.read(PART_SIZE)


def _missing_parts(sealed: Path, hashes: list[bytes], size: int) -> list[int]:
    if not sealed.exists():
        with sealed.open("wb") as file:
            file.truncate(size)
        return list(range(len(hashes)))
    return [i for i, known in enumerate(hashes) if leaf_hash(_read_part(sealed, i)) != known]


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
        _write_all(file, data)
        let_go(file, 0, 0)


def _free_name(folder: Path, name: str) -> Path:
    path = folder / name
    stem, suffix = path.stem, path.suffix
    for number in range(2, 10_000):
        if not path.exists():
            return path
        path = folder / f"{stem} ({number}){suffix}"
    raise RefusedError(f"{folder} is full of files named {name}", rule="file")


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
