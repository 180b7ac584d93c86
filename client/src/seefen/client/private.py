"""Files and folders for this user alone: 0600 and 0700, whatever the machine's umask says.

All that the client writes was sealed until then, or is a key. A folder that the user has
keeps its mode: it is his. On Windows rights come from the folder, and nothing is done here.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

_FILE: Final = 0o600
_FOLDER: Final = 0o700
# Bytes as they are: without the last one Windows would change the ends of lines.
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def folder(path: Path) -> Path:
    """Make a folder unless it is there, and those above it that are missing; return it.

    Raises:
        OSError: It cannot be made, or a file is in its place.
    """
    # ``parents=True`` would leave those above it to the umask.
    for missing in reversed([one for one in (path, *path.parents) if not one.exists()]):
        missing.mkdir(mode=_FOLDER, exist_ok=True)
    path.mkdir(mode=_FOLDER, exist_ok=True)
    return path


def new_file(path: Path) -> IO[bytes]:
    """Open a file for writing, without a buffer; what was in its place is gone.

    A file or link that somebody laid ready there is not written to: the folder may be one
    that others can write in.
    """
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, _NEW, _FILE), "wb", buffering=0)


def database(path: Path) -> Path:
    """Make the file of a database before SQLite does, or close it to others; return it.

    What SQLite writes beside it gets the same mode. A file that is there is not opened: to
    close it again would let go of the locks that this process holds on it.
    """
    with suppress(OSError):  # SQLite says what is wrong with the place
        try:
            os.close(os.open(path, _NEW, _FILE))
        except FileExistsError:
            path.chmod(_FILE)
    return path
