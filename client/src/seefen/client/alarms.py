"""Alarms: what an officer is told until the vault is gone, none of them in place of another.

An auditor acknowledges one when it is explained: it stays, with its date and his reason, and no
longer stands against the verdict. If it happens again it is open again.
"""

import hashlib
import time
from typing import Final
from unicodedata import normalize

from msgspec import Struct
from msgspec.structs import replace

from seefen.client.vault import Vault
from seefen.protocol.encoding import decode, encode

HALF: Final = 50  # of the first and of the last that are kept: a member who floods hides neither
LONGEST: Final = 1000  # characters of a sentence: a broker may have chosen some of its words
# Else whoever floods waits until the first ones are acknowledged, and hides what comes between.
LOST: Final = "more alarms were raised than are kept here: some are gone that nobody acknowledged"
_NAME: Final = "alarms"
_LIMIT: Final = 1 << 22  # bytes, all of them at their longest


class Kept(Struct, frozen=True, array_like=True):
    """An alarm as it is kept.

    Attributes:
        at: When it was raised last, Unix seconds by this machine's clock.
        acknowledged: When an auditor did so, 0 while nobody has; ``why`` are his words.
        entry: Where in the log that stands; None: it is not known, or leaves later.
    """

    sentence: str
    at: int
    acknowledged: int = 0
    why: str = ""
    entry: int | None = None

    @property
    def subject(self) -> str:
        """The hash of what it says, in hex: the same alarm has the same one, in each vault."""
        return hashlib.sha256(self.sentence.encode()).hexdigest()

    @property
    def name(self) -> str:
        """By which it is acknowledged."""
        return self.subject[:8]


def keep(vault: Vault, sentence: str) -> None:
    """Keep an alarm; the same one is kept once, as the newest, and is open again."""
    sentence = normalize("NFC", sentence[:LONGEST])
    found = _raised(list(kept(vault)), sentence)
    if any(not one.acknowledged for one in found[HALF:-HALF]):
        found = _raised(found, LOST)
    if len(found) > 2 * HALF:
        found = found[:HALF] + found[-HALF:]
    vault.put(_NAME, encode(found))


def kept(vault: Vault) -> tuple[Kept, ...]:
    """Return all alarms, the newest last."""
    value = vault.get(_NAME)
    return () if value is None else decode(value, tuple[Kept, ...], limit=_LIMIT)


def unanswered(vault: Vault) -> tuple[str, ...]:
    """Return those that nobody has acknowledged, as sentences, the newest last."""
    return tuple(one.sentence for one in kept(vault) if not one.acknowledged)


def acknowledge(vault: Vault, alarm: Kept, at: int, why: str, entry: int | None) -> Kept:
    """Mark an alarm as explained, at ``at`` (Unix seconds), and return it; others stay.

    One that was raised again since is another one, and stays open.
    """
    known = replace(alarm, acknowledged=at, why=why, entry=entry)
    vault.put(_NAME, encode([known if one == alarm else one for one in kept(vault)]))
    return known


def _raised(found: list[Kept], sentence: str) -> list[Kept]:
    others = [one for one in found if one.sentence != sentence]
    return [*others, Kept(sentence, int(time.time()))]
