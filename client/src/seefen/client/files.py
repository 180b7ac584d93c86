"""Files: sealed as a stream, moved in parts, opened only whole.

The sealed stream begins with the description of the file (name, size, hash), so that
nothing of it stands outside. Parts are a mebibyte of ciphertext, travel in any order, and
each is checked against the root that the author signed before it is kept.
"""

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec

from seefen.client.connection import Connection, UnreachableError
from seefen.client.keyfile import replace_file, sync_folder
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
AT_ONCE: Final = 4  # parts on the way at a time
TRIES: Final = 6


def seal_file(
    path: Path, sealed: Path, key: bytes, obj: Object, head: bytes, progress: Progress
) -> tuple[int, bytes]:
    """Seal a file and its description; return size and root of the ciphertext.

    A part is hashed in a thread while the next one is sealed; its leaf hashes are kept
    beside the sealed bytes, so that nothing is hashed twice.
    """
    size = path.stat().st_size
    plain_size = 4 + len(head) + size
    leaves: list[Future[bytes]] = []
    sealer = Sealer(key, body_context(obj))
    written, done = 0, 0
    with ThreadPoolExecutor(1) as hasher, sealed.open("wb") as target:
        buffer = bytearray(sealer.update(len(head).to_bytes(4, "big") + head))
        for chunk in _chunks(path):
            buffer += sealer.update(chunk)
            done += len(chunk)
            written += _write_parts(buffer, target.write, hasher, leaves)
            progress(path.name, done, size)
        if done != size:
            raise RefusedError(f"{path.name} changed while it was read: send it again", rule="file")
        for piece in padding_pieces(plain_size):
            buffer += sealer.update(piece)
            written += _write_parts(buffer, target.write, hasher, leaves)
        buffer += sealer.finish()
        written += _write_parts(buffer, target.write, hasher, leaves)
        if buffer or not leaves:
            part = bytes(buffer)
            target.write(part)
            leaves.append(hasher.submit(leaf_hash, part))
            written += len(part)
        target.flush()
        os.fsync(target.fileno())
        hashes = [leaf.result() for leaf in leaves]
    # Both on the disk, with their names: a draft that names them may be the next thing there.
    replace_file(_leaves_of(sealed), b"".join(hashes))
    return written, parts_root(hashes)


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
    answer = await connection.http("PUT", f"{url}?size={size}", body=leaves)
    total = part_count(size)
    missing = _wanted(answer, total)
    sent = total - len(missing)

    async def send(index: int) -> None:
        nonlocal sent
        data = await asyncio.to_thread(_read_part, sealed, index)
        await connection.http(
            "PUT", f"{url}/parts/{index}", body=data, media="application/octet-stream"
        )
        sent += 1
        progress(name, min(sent * PART_SIZE, size), size)

    await _all(missing, send)


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
    missing = await asyncio.to_thread(_missing_parts, sealed, hashes, obj.body_size)
    done = len(hashes) - len(missing)

    async def fetch(index: int) -> None:
        nonlocal done
        data = await connection.http("GET", f"{url}/parts/{index}")
        await asyncio.to_thread(_keep_part, sealed, index, data, hashes[index])
        done += 1
        progress("", min(done * PART_SIZE, obj.body_size), obj.body_size)

    await _all(missing, fetch)


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
    start = bytearray()
    head: bytes | None = None
    note: FileNote | None = None
    left = 0
    digest = hashlib.sha256()
    hashed: Future[None] | None = None
    with ThreadPoolExecutor(1) as hasher, target.open("wb") as out:
        for chunk in chain(_chunks(sealed), (None,)):
            start += opener.finish() if chunk is None else opener.update(chunk)
            if note is None:
                head = _take_head(start)
                if head is None:
                    continue
                note = _note(head)
                left = note.size
            # What follows the file is padding.
            plain = bytes(start[:left])
            start.clear()
            left -= len(plain)
            out.write(plain)
            if hashed is not None:
                hashed.result()  # one chunk ahead and no more: memory stays flat
            hashed = hasher.submit(digest.update, plain)
        if head is None or note is None:
            raise UntrustedError("the file has no description", rule="body")
        out.flush()
        os.fsync(out.fileno())
    return head, note, digest.digest()


def _note(head: bytes) -> FileNote:
    note = decode_message(head)
    if not isinstance(note, FileNote):
        raise UntrustedError("the file has no description", rule="body")
    return note


def _take_head(start: bytearray) -> bytes | None:
    if len(start) < 4:
        return None
    length = int.from_bytes(start[:4], "big")
    if length > HEAD_LIMIT:
        raise UntrustedError("the description of the file is too long", rule="body")
    if len(start) < 4 + length:
        return None
    head = bytes(start[4 : 4 + length])
    del start[: 4 + length]
    return head


def _write_parts(
    buffer: bytearray,
    write: Callable[[bytes], object],
    hasher: ThreadPoolExecutor,
    leaves: list[Future[bytes]],
) -> int:
    written = 0
    while len(buffer) > PART_SIZE:
        part = bytes(buffer[:PART_SIZE])
        del buffer[:PART_SIZE]
        write(part)
        leaves.append(hasher.submit(leaf_hash, part))
        written += len(part)
        if len(leaves) > AT_ONCE:
            leaves[-AT_ONCE].result()  # what waits to be hashed is in memory: not the whole file
    return written


async def _all(indices: list[int], move: Callable[[int], Awaitable[None]]) -> None:
    """Move all parts, a few at a time; a cut is tried again after a pause."""
    waiting = iter(indices)

    async def work() -> None:
        for index in waiting:
            for left in reversed(range(TRIES)):
                try:
                    await move(index)
                    break
                except UnreachableError:
                    if left == 0:
                        raise
                    await asyncio.sleep(0.2 * (TRIES - left))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(work())
    except BaseExceptionGroup as failed:
        # Whoever calls knows one error by its kind; the others are its echo.
        raise failed.exceptions[0] from None


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(PART_SIZE):
            yield chunk


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


def _keep_part(sealed: Path, index: int, data: bytes, expected: bytes) -> None:
    if leaf_hash(data) != expected:
        raise UntrustedError(f"part {index} is not the one that was signed", rule="body")
    with sealed.open("r+b") as file:
        file.seek(index * PART_SIZE)
        file.write(data)


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
