"""The files of bodies: made once at full length, filled part by part, synced many at a time.

A file has holes where parts are missing, so nothing in it counts before the table says so.
Writing to the disk begins with the first part and not with the sync, and a large body does
not stay in memory: it would push out what the database works with.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeAlias

from seefen.protocol.errors import UntrustedError
from seefen.protocol.ledger.tree import leaf_hash
from seefen.protocol.objects import PART_SIZE
from seefen.server.errors import AbsentError
from seefen.server.files import make_folder, sync_folder

Buffer: TypeAlias = bytes | bytearray | memoryview

KEPT: Final = 32 * PART_SIZE  # bytes up to which a body may stay in memory for the next reader


def place(folder: Path, root: bytes) -> Path:
    """Return where the file of a body lies.

    It is named by a hash: nothing that a sender chose is in it. The suffix is not there for
    beauty: older brokers kept a folder of parts under the bare hash.
    """
    name = root.hex()
    return folder / name[:2] / f"{name}.body"


def is_whole(path: Path, size: int) -> bool:
    """Return whether the file of a body is there at its full length."""
    try:
        return path.stat().st_size == size
    except FileNotFoundError:
        return False


def gone() -> AbsentError:
    """Return what is said of a body that was begun and has no file."""
    return AbsentError("this body is gone from the disk: begin it again", rule="unknown-blob")


def make(path: Path, size: int) -> None:
    """Make the file of a body, unless it is there.

    It outlives a power cut, also if a kill had come between its making and its syncing.
    """
    make_folder(path.parent)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    for folder in path.parents[:2]:
        sync_folder(folder)


def write_part(descriptor: int, number: int, part: Sequence[Buffer], expected: bytes) -> None:
    """Write a part that hashes to ``expected``; :func:`sync` brings it to the disk.

    Raises:
        UntrustedError: It does not; nothing was written.
    """
    if leaf_hash(*part) != expected:
        raise UntrustedError("these are other bytes than the ones announced", rule="part")
    start = at = number * PART_SIZE
    for piece in part:
        rest = memoryview(piece)
        while rest:
            count = os.pwrite(descriptor, rest, at)
            rest, at = rest[count:], at + count
    # What is not written yet cannot be dropped: the system begins to write it.
    os.posix_fadvise(descriptor, start, at - start, os.POSIX_FADV_DONTNEED)


def sync(descriptor: int) -> None:
    """Return once all that was written outlives a power cut.

    Raises:
        AbsentError: The file was deleted meanwhile.
    """
    os.fdatasync(descriptor)
    status = os.fstat(descriptor)
    if status.st_nlink == 0:
        raise gone()
    if status.st_size > KEPT:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def read_part(path: Path, number: int, length: int) -> bytes:
    """Return a part.

    Raises:
        FileNotFoundError: It is gone from the disk.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        start = number * PART_SIZE
        # Parts are asked for in a row: the next is read from the disk while this one travels.
        os.posix_fadvise(descriptor, start + length, PART_SIZE, os.POSIX_FADV_WILLNEED)
        data = os.pread(descriptor, length, start)
        if os.fstat(descriptor).st_size > KEPT:
            os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
    if len(data) != length:
        raise FileNotFoundError(path)
    return data
