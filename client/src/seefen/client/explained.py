"""Findings: gaps, entries that are not proved, reasons never given; and what explains them.

An auditor who has looked into one says once why it stands. It stays on each page with his words,
and stands no longer against the verdict. That holds for exactly what he saw: these numbers of this
device; this place of the log, the bytes that were shown there, and what is wrong with them; these
readings without a reason. One number more, one byte changed or one reading more is another finding,
which nobody has explained. And it holds on his device alone: no colleague and no broker speaks for
him.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from seefen.client.vault import Vault
from seefen.protocol.encoding import decode, encode
from seefen.protocol.suite import sha256

GAP: Final = "gap"
ENTRY: Final = "entry"
REASON: Final = "reason"
SHORT: Final = 8  # digits by which it is called
_KEPT: Final = "explained/"


class Explained(Struct, frozen=True, array_like=True):
    """What an auditor said of a finding, when (Unix seconds), and where in the log that stands."""

    at: int
    why: str
    entry: int | None


@dataclass(frozen=True, slots=True)
class Finding:
    """A gap, an entry that is not proved, or the reason of an emergency that is overdue.

    Attributes:
        what: ``gap``, ``entry`` or ``reason``.
        subject: A hash, in hex, of exactly what was found; it begins with the ``name``.
        acknowledged: When an auditor explained it (Unix seconds), 0 while nobody has; ``why`` are
            his words, and ``entry`` is where they stand. None: it is not known, or leaves later.
    """

    what: str
    sentence: str
    subject: str
    acknowledged: int = 0
    why: str = ""
    entry: int | None = None

    @property
    def name(self) -> str:
        """By which it is acknowledged: the same finding has the same one on each device."""
        return self.subject[:SHORT]


def subject_of(*parts: object) -> str:
    """Return the hash of what was found, in hex."""
    return sha256(encode(parts)).hex()


def explained(vault: Vault) -> Mapping[str, Explained]:
    """Return all that was ever explained, by its subject."""
    sql = "SELECT name, value FROM setting WHERE name GLOB ?"
    rows = vault.run(sql, f"{_KEPT}*")
    return {name.removeprefix(_KEPT): decode(value, Explained) for name, value in rows}


def explain(vault: Vault, subject: str, said: Explained) -> None:
    """Keep what an auditor said of a finding."""
    vault.put(f"{_KEPT}{subject}", encode(said))
