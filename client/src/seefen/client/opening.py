"""Opening: a sealed file becomes the file it was, while its last parts are still on their way.

Plaintext comes out of the seal piece by piece. It goes to a file that nobody is told of,
and that one gets its name when every part, the end of the stream and the hash in the
description were checked; otherwise it is gone.
"""

import asyncio
import hashlib
import os
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any, Final

from seefen.client import private
from seefen.client.disk import KEPT, let_go, write_all
from seefen.client.keyfile import sync_folder
from seefen.client.names import saved_name
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.messages import FileNote, decode_message
from seefen.protocol.objects import PART_SIZE, body_context, part_count
from seefen.protocol.statements import Object
from seefen.protocol.suite import Opener

_NAMING: Final = threading.Lock()
HEAD_LIMIT: Final = 64 * 1024


class MissingError(Exception):
    """A part that is waited for does not come; why, knows who was to bring it."""


class Arrival:
    """Which parts of a file are there and right: who brings them says so, who opens waits."""

    def __init__(self, count: int) -> None:
        self._missing = set(range(count))
        self._has_ended = False
        self._news = threading.Condition()

    def add(self, number: int) -> None:
        """A part is on the disk, and is the one that was signed."""
        with self._news:
            self._missing.discard(number)
            self._news.notify_all()

    def end(self) -> None:
        """Nothing is to be opened any more: who waits for a part does so in vain."""
        with self._news:
            self._has_ended = True
            self._news.notify_all()

    def missing(self) -> list[int]:
        """Return the numbers of the parts that are not there."""
        with self._news:
            return sorted(self._missing)

    def wait(self, number: int) -> None:
        """Return once a part is there, or at once if there is no such part.

        Raises:
            MissingError: It has ended.
        """
        with self._news:
            self._news.wait_for(lambda: self._has_ended or number not in self._missing)
            if self._has_ended:
                raise MissingError


async def open_behind(
    obj: Object,
    key: bytes,
    sealed: Path,
    plain: Path,
    bring: Callable[[Arrival], Coroutine[None, None, None]],
) -> tuple[Path, bytes]:
    """Open a file as :func:`open_file` does while ``bring`` still brings its parts.

    What goes wrong first ends the other. Nothing goes on, and no plaintext is left, once this
    has returned or raised.
    """
    arrival = Arrival(part_count(obj.body_size))
    # A thread of its own: one that waits for a slow line would keep a shared one from others.
    with ThreadPoolExecutor(1, "opening") as thread:
        bringing = asyncio.create_task(bring(arrival))
        opening = asyncio.wrap_future(thread.submit(open_file, obj, key, sealed, plain, arrival))
        both: list[asyncio.Future[Any]] = [bringing, opening]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            arrival.end()
            bringing.cancel()
            await asyncio.gather(*both, return_exceptions=True)
    try:
        return opening.result()
    except MissingError:
        await bringing  # it raises why
        raise


def beside(obj: Object, folder: Path, device: bytes) -> Path:
    """Return where a file is opened before it gets its name: a kill can leave it there.

    Two devices may open one file into one folder: each writes to a place of its own.
    """
    return folder / f".{obj.object.hex()}-{device.hex()[:8]}.opening"


def open_file(
    obj: Object, key: bytes, sealed: Path, opening: Path, arrival: Arrival
) -> tuple[Path, bytes]:
    """Open a sealed file beside ``opening``; return where it is, and its description's bytes.

    Nothing has its name before the whole stream was checked: plaintext comes out of the
    seal chunk by chunk, and a cut stream must not look like a file.

    Raises:
        UntrustedError: The stream or its hash is not what was signed.
        MissingError: It has ended before the last part.
    """
    folder = opening.parent
    try:
        head, note, digest = _unseal_to(obj, key, _arriving(sealed, arrival), opening)
        if digest != note.sha256:
            raise UntrustedError("the file is not the one its author described", rule="body")
        with _NAMING:  # or two files of one name, fetched at once, would become one
            path = _free_name(folder, saved_name(note.name))
            opening.replace(path)
        sync_folder(folder)
        return path, head
    finally:
        opening.unlink(missing_ok=True)


def _arriving(sealed: Path, arrival: Arrival) -> Iterator[memoryview]:
    """Yield a sealed file part by part, to its end; each is gone when the next is asked for."""
    buffer = memoryview(bytearray(PART_SIZE))
    arrival.wait(0)  # the file is there then
    with sealed.open("rb", buffering=0) as file:
        number = 0
        while True:
            arrival.wait(number)
            count = file.readinto(buffer)
            if not count:
                return
            yield buffer[:count]
            number += 1
            if number * PART_SIZE > KEPT:
                let_go(file, KEPT, number * PART_SIZE - KEPT)


def _unseal_to(
    obj: Object, key: bytes, parts: Iterator[memoryview], target: Path
) -> tuple[bytes, FileNote, bytes]:
    """Write what was sealed; return the description, as bytes and read, and the file's hash."""
    opener = Opener(key, body_context(obj))
    start = b""
    head: bytes | None = None
    note: FileNote | None = None
    left = written = 0
    digest = hashlib.sha256()
    hashed: Future[None] | None = None
    with ThreadPoolExecutor(1) as hasher, private.new_file(target) as out:
        for part in chain(parts, (None,)):
            opened = opener.finish() if part is None else opener.update(part)
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
                hashed.result()  # one part ahead and no more: memory stays flat
            hashed = hasher.submit(digest.update, plain)
            write_all(out, plain)
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


def _free_name(folder: Path, name: str) -> Path:
    path = folder / name
    stem, suffix = path.stem, path.suffix
    for number in range(2, 10_000):
        if not path.exists():
            return path
        path = folder / f"{stem} ({number}){suffix}"
    raise RefusedError(f"{folder} is full of files named {name}", rule="file")
