"""What was erased under retention: an entry says so, and it must have been old enough.

Without such an entry a reading without its text is a problem; with one it is shown as erased.
"""

from typing import Final

from msgspec import Struct

from seefen.client.vault import Vault
from seefen.protocol.encoding import decode, encode
from seefen.protocol.ledger.record import Core
from seefen.protocol.retention import READING_KINDS, kept_until
from seefen.protocol.statements import Erased

KEPT: Final = "audit/erased"
YEARS: Final = "audit/years"  # for which the broker says that it keeps texts
TOLD: Final = "audit/told"  # years that it ever said, each with the index before which it did


class Erasure(Struct, frozen=True, array_like=True):
    """Readings before ``upto``, older than ``before``, were erased at ``at`` (unix seconds).

    The entry at ``index`` says so.
    """

    upto: int
    before: int
    at: int
    index: int


def learn(vault: Vault, erased: Erased, core: Core, index: int) -> None:
    """Keep an erasure that was proved and checked."""
    found = {*erasures(vault), Erasure(erased.upto, erased.before, core.at // 1000, index)}
    kept = [[one.upto, one.before, one.at, one.index] for one in sorted(found, key=_upto)]
    vault.put(KEPT, encode(kept))


def erasures(vault: Vault) -> tuple[Erasure, ...]:
    """Return the erasures that this device has proved, the first one first."""
    value = vault.get(KEPT)
    return () if value is None else decode(value, tuple[Erasure, ...])


def unheeded(vault: Vault, store: str) -> tuple[int, ...]:
    """Return before which places a store is to be fetched anew: each erasure that is new to it."""
    heeded = vault.get_number(f"{store}/erased")
    return tuple(one.upto for one in erasures(vault) if one.index >= heeded)


def heed(vault: Vault, store: str) -> None:
    """Remember that a store has dropped what all erasures of now erased."""
    last = max((one.index for one in erasures(vault)), default=-1)
    if last >= vault.get_number(f"{store}/erased"):
        vault.put_number(f"{store}/erased", last + 1)


def erased_upto(vault: Vault) -> int:
    """Return before which index readings may have lost their text."""
    return max((one.upto for one in erasures(vault)), default=0)


def erasure_of(vault: Vault, index: int) -> Erasure | None:
    """Return the first erasure that a place of the log fell under, if one did."""
    return next((one for one in erasures(vault) if index < one.upto), None)


def tell(vault: Vault, years: int, upto: int) -> None:
    """Keep what the broker says now: what stands before ``upto`` is kept for ``years``."""
    vault.put_number(YEARS, years)
    if years and upto > (told := _told(vault)).get(years, 0):
        vault.put(TOLD, encode(sorted([*map(list, {**told, years: upto}.items())])))


def told_end(vault: Vault, index: int, at: int) -> int:
    """Return until when this device was told that an entry is kept; 0: nothing was said.

    The longest of all that was ever said counts: a rule that got shorter takes nothing back.

    Args:
        index: Its place.
        at: When it was made, or before (unix seconds).
    """
    years = max((years for years, upto in _told(vault).items() if index < upto), default=0)
    return kept_until(at, years) if years else 0


def retained(vault: Vault, kind: str, at: int) -> int:
    """Return until when the text of an entry is kept by the broker's rule; 0: no end is known."""
    years = vault.get_number(YEARS)
    return kept_until(at, years) if years and kind in READING_KINDS else 0


def _told(vault: Vault) -> dict[int, int]:
    value = vault.get(TOLD)
    return {} if value is None else dict(decode(value, tuple[tuple[int, int], ...]))


def _upto(one: Erasure) -> tuple[int, int]:
    return one.upto, one.at
