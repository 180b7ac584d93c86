"""What was erased under retention: an entry says so, and it must have been old enough.

Without such an entry a reading without its text is a problem; with one it is shown as erased.
"""

from typing import Final

from msgspec import Struct

from seefen.client.vault import Vault
from seefen.protocol.encoding import decode, encode
from seefen.protocol.ledger.record import Core
from seefen.protocol.retention import kept_until
from seefen.protocol.statements import READING_KINDS, Erased

KEPT: Final = "audit/erased"
YEARS: Final = "audit/years"  # for which the broker says that it keeps texts


class Erasure(Struct, frozen=True, array_like=True):
    """Readings before ``upto``, older than ``before``, were erased at ``at`` (unix seconds)."""

    upto: int
    before: int
    at: int


def learn(vault: Vault, erased: Erased, core: Core) -> None:
    """Keep an erasure that was proved and checked."""
    found = {*erasures(vault), Erasure(erased.upto, erased.before, core.at // 1000)}
    vault.put(KEPT, encode([[one.upto, one.before, one.at] for one in sorted(found, key=_upto)]))


def erasures(vault: Vault) -> tuple[Erasure, ...]:
    """Return the erasures that this device has proved, the first one first."""
    value = vault.get(KEPT)
    return () if value is None else decode(value, tuple[Erasure, ...])


def erased_upto(vault: Vault) -> int:
    """Return before which index readings may have lost their text."""
    return max((one.upto for one in erasures(vault)), default=0)


def erasure_of(vault: Vault, index: int) -> Erasure | None:
    """Return the first erasure that a place of the log fell under, if one did."""
    return next((one for one in erasures(vault) if index < one.upto), None)


def retained(vault: Vault, kind: str, at: int) -> int:
    """Return until when the text of an entry is kept by the broker's rule; 0: no end is known."""
    years = vault.get_number(YEARS)
    return kept_until(at, years) if years and kind in READING_KINDS else 0


def _upto(one: Erasure) -> tuple[int, int]:
    return one.upto, one.at
