"""Large files pass through the machine's memory and do not stay in it.

A gigabyte that is written or read once would push out what other programs work with, and
its sync at the end would have all of it to write. What is fetched is opened at once and then
deleted: so much of it may stay until then that most files are never written sealed. Systems
without such hints do without.
"""

import os
from typing import IO, Final

KEPT: Final = 256 << 20  # bytes at the beginning of a fetched file


def let_go(file: IO[bytes], start: int, length: int) -> None:
    """Keep a piece in memory no longer; what is not on the disk yet begins to be written.

    A ``length`` of 0 is all that follows.
    """
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), start, length, os.POSIX_FADV_DONTNEED)


def read_ahead(file: IO[bytes], start: int, length: int) -> None:
    """Begin to read what will be asked for next."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), start, length, os.POSIX_FADV_WILLNEED)


def write_all(file: IO[bytes], data: memoryview) -> None:
    """Write all of it to a file without a buffer, which may take less at a time."""
    while data:
        data = data[file.write(data) :]
