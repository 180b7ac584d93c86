"""Mirrors that agents have kept, as sources to make the broker whole again from.

A mirror is believed in nothing: leaves count when they give a root that the log signed, and
an opening when it is the one its record commits to.
"""

import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from seefen.protocol.errors import MalformedError, SeefenError
from seefen.protocol.ledger.mirror import (
    Kept,
    bundle_path,
    decode_entries,
    decode_kept,
    page_path,
    unpack,
)
from seefen.protocol.ledger.note import Checkpoint, open_checkpoint
from seefen.protocol.ledger.tiles import WIDTH
from seefen.server.config import SetupError

SECONDS: Final = 30
LIMIT: Final = 1 << 28  # bytes of one file


class Source(Protocol):
    """Where a mirror's files come from."""

    @property
    def name(self) -> str:
        """How the operator called it."""
        ...

    def fetch(self, path: str) -> bytes | None:
        """Return a file, None where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder on this machine."""

    path: Path

    @property
    def name(self) -> str:
        """How the operator called it."""
        return str(self.path)

    def fetch(self, path: str) -> bytes | None:
        """Return a file, None where there is none."""
        try:
            return (self.path / path).read_bytes()
        except FileNotFoundError:
            return None


@dataclass(frozen=True, slots=True)
class Served:
    """A folder that somebody serves by HTTP. What comes is checked, so by whom matters not."""

    name: str

    def fetch(self, path: str) -> bytes | None:
        """Return a file, None where there is none."""
        try:
            with urllib.request.urlopen(f"{self.name}/{path}", timeout=SECONDS) as answer:  # noqa: S310 - http(s) alone, see open_mirror
                data: bytes = answer.read(LIMIT)
                return data
        except urllib.error.HTTPError as err:
            if err.code in (404, 410):
                return None
            raise SetupError(f"{self.name}/{path} answers {err.code}") from None


class Mirror:
    """One mirror of both logs."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def name(self) -> str:
        """How the operator called it."""
        return self._source.name

    def head(self, log: str, origin: str, log_key: bytes) -> Checkpoint:
        """Return the head that this mirror reaches.

        Raises:
            SetupError: It holds none, or one that this log has not signed.
        """
        note = self._source.fetch(f"{log}/checkpoint")
        if note is None:
            raise SetupError(
                f"{self.name} is no mirror: it has no {log}/checkpoint",
                hint="the folder `mirror` of an agent, or a copy of it",
            )
        try:
            text = note.decode("utf-8")
            return open_checkpoint(text, f"{origin}/{log}", log_key).checkpoint
        except (UnicodeDecodeError, SeefenError) as err:
            raise SetupError(f"the mirror {self.name} is not one of this log: {err}") from None

    def leaves(self, log: str, start: int, size: int) -> Iterator[bytes]:
        """Yield the leaves of a log of ``size`` from ``start`` on.

        Raises:
            SetupError: They are not all there.
        """
        for n in range(start // WIDTH, -(-size // WIDTH)):
            entries = self._bundle(log, n, min(WIDTH, size - n * WIDTH))
            yield from entries[max(0, start - n * WIDTH) :]

    def opening(self, n: int) -> list[Kept]:
        """Return what it keeps of the entries from ``n * 256`` on; nothing if that is spoiled."""
        data = self._source.fetch(f"entries/{n:09}")
        try:
            return [] if data is None else decode_kept(data)
        except MalformedError:
            return []  # another mirror may have them; if none has, they are named as lost

    def _bundle(self, log: str, n: int, width: int) -> list[bytes]:
        data = self._source.fetch(f"{log}/{bundle_path(n, width)}")
        long = None if data is not None else self._source.fetch(f"{log}/{page_path(n, width)}")
        try:
            entries = decode_entries(data) if data is not None else unpack(long or b"")
        except MalformedError as err:
            raise SetupError(f"{self.name}: {log} {n * WIDTH}: {err}") from None
        if len(entries) != width:
            raise SetupError(f"{self.name} lacks entries of the {log} log from {n * WIDTH} on")
        return entries


def open_mirror(text: str) -> Mirror:
    """Return the mirror in a folder, or behind an address.

    Raises:
        SetupError: It is neither.
    """
    if text.startswith(("https://", "http://")):
        return Mirror(Served(text.rstrip("/")))
    path = Path(text)
    if not path.is_dir():
        raise SetupError(f"there is no folder {text}", hint="copy the folder `mirror` of an agent")
    return Mirror(Folder(path))
