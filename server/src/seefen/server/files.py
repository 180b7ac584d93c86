"""Files that are there after a power cut: written beside, synced, renamed, folder synced.

A reader sees the old bytes or the new ones and never a half. A receipt for something in a
file may be given as soon as these functions have returned, not earlier.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from seefen.protocol.suite import new_id


def write_durably(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Put ``data`` in the place of whatever stands at ``path``; ``mode`` says who may read it."""
    with _written_beside(path, data, mode) as beside:
        beside.replace(path)


def create_durably(path: Path, data: bytes, *, mode: int = 0o600) -> bool:
    """Put ``data`` at ``path`` unless something stands there; tell whether it was put there."""
    with _written_beside(path, data, mode) as beside:
        try:
            path.hardlink_to(beside)
        except FileExistsError:
            return False
    return True


@contextmanager
def _written_beside(path: Path, data: bytes, mode: int) -> Generator[Path, None, None]:
    """Give a synced file that is to get its name; it is gone if it does not."""
    # Drawn, so that two writers never share a temporary file.
    beside = path.parent / f".{path.name}.{new_id().hex()}"
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)  # the umask may only have taken bits away
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield beside
    finally:
        beside.unlink(missing_ok=True)
    sync_folder(path.parent)


def make_folder(path: Path, *, mode: int = 0o700) -> None:
    """Make a folder and those above it, so that they survive a power cut too."""
    if path.is_dir():
        return
    make_folder(path.parent, mode=mode)
    path.mkdir(mode=mode, exist_ok=True)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make what was renamed into a folder, or made in it, outlive a power cut."""
    # Without this the name of a synced file may be gone although its bytes are there.
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
