"""Disks that are really small: a tmpfs, and a file that takes what is free on it."""

import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, mebibytes: int) -> Generator[None, None, None]:
    """Mount a disk of its own on ``folder``; the test is skipped where that is forbidden."""
    options = f"size={mebibytes}m,mode=0711"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount program here")
    if done.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take all that is free on the disk under ``folder``; returns the file that does."""
    ballast = folder / "ballast"
    size, step = 0, 1 << 24
    with ballast.open("wb") as file:
        while step >= os.statvfs(folder).f_bsize:
            try:  # others are writing: what is free now is not free in a moment
                os.posix_fallocate(file.fileno(), size, step)
            except OSError:
                step //= 2
            else:
                size += step
    return ballast
