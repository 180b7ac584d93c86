"""Alarms: what an officer is told until the vault is gone, none of them in place of another.

An auditor acknowledges one when it is explained: it stays, with its date and his reason, and no
longer stands against the verdict. If it happens again it is open again.
"""

import hashlib
import time
from typing import Final

from msgspec import Struct

from seefen.client.vault import Vault
from seefen.protocol.encoding import decode, encode

HALF: Final = 50  # of the first and of the last that are kept: a member who floods hides neither
_NAME: Final = "alarms"


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
    def name(self) -> str:
        """By which it is acknowledged: the same alarm has the same one, in each vault."""
        return hashlib.sha256(self.sentence.encode()).hexdigest()[:8]


def keep(vault: Vault, sentence: str) -> None:
    """Keep an alarm; the same one is kept once, as the newest, and is open again."""
    found = [one for one in kept(vault) if one.sentence != sentence]
    found.append(Kept(sentence, int(time.time())))
    if len(found) > 2 * HALF:
        found = found[:HALF] + found[-HALF:]
    vault.put(_NAME, encode(found))


def kept(vault: Vault) -> tuple[Kept, ...]:
    """Return all alarms, the newest last."""
    value = vault.get(_NAME)
    return () if value is None else decode(value, tuple[Kept, ...])


def unanswered(vault: Vault) -> tuple[str, ...]:
    """Return those that nobody has acknowledged, as sentences, the newest last."""
    return tuple(one.sentence for one in kept(vault) if not one.acknowledged)


def acknowledge(vault: Vault, name: str, at: int, why: str, entry: int | None) -> None:
    """Mark an alarm as explained, at ``at`` (Unix seconds); others stay as they are."""
    vault.put(
        _NAME,
        encode(
            [
                Kept(one.sentence, one.at, at, why, entry) if one.name == name else one
                for one in kept(vault)
            ]
        ),
    )
