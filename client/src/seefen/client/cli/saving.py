"""What a command writes into a new file: for this user alone, and over nothing."""

import os
from pathlib import Path
from typing import Final

from seefen.protocol.errors import RefusedError

# Bytes as they are: without the last one Windows would change the ends of lines.
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def save(path: Path, data: bytes) -> None:
    """Write a new file that others of this machine cannot read: it was sealed until now.

    Raises:
        RefusedError: rule ``file``.
    """
    try:
        with os.fdopen(os.open(path, _NEW, 0o600), "wb") as file:
            file.write(data)
    except OSError as err:
        raise RefusedError(f"{path} cannot be written: {err.strerror}", rule="file") from None
