"""Doubts: cases of which something was hidden or refused, and when they are asked for again.

What was hidden once would else be gone for ever: what lies behind it is judged without it,
is refused or gets another number, and the feed never brings it again. A member who writes
what no rule lets pass stays in doubt, too, so it is asked more and more seldom.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from msgspec import Struct

from seefen.client.vault import Vault
from seefen.protocol.encoding import decode, encode

FIRST_SECONDS: Final = 60  # after the first try, which is at once; then four times as long
LONGEST_SECONDS: Final = 86_400
MOST: Final = 32  # cases in doubt: a broker that invents cases does not make this one longer
_NAME: Final = "doubts"


class Doubt(Struct, frozen=True, array_like=True):
    """A case in doubt: how often it was asked for again, and from when on it is next."""

    case: bytes
    tries: int = 0
    next_at: int = 0


def doubted(vault: Vault) -> dict[bytes, Doubt]:
    """Return all cases in doubt."""
    value = vault.get(_NAME)
    kept = () if value is None else decode(value, tuple[Doubt, ...])
    return {one.case: one for one in kept}


def doubt(vault: Vault, case: bytes) -> None:
    """Note that something of a case was hidden or refused."""
    kept = doubted(vault)
    if case not in kept and len(kept) < MOST:
        _keep(vault, kept | {case: Doubt(case)})


def tried(vault: Vault, case: bytes, now: int) -> None:
    """Note that a case was asked for again, and is as much in doubt as before."""
    kept = doubted(vault)
    tries = kept[case].tries if case in kept else 0
    wait = min(FIRST_SECONDS * 4**tries, LONGEST_SECONDS)
    _keep(vault, kept | {case: Doubt(case, tries + 1, now + wait)})


@contextmanager
def judging(vault: Vault, case: bytes) -> Generator[None]:
    """End the doubt about a case unless the block puts it in doubt again."""
    kept = doubted(vault)
    before = kept.pop(case, Doubt(case))
    _keep(vault, kept)
    yield
    if case in (kept := doubted(vault)):
        _keep(vault, kept | {case: before})  # as often tried as before


def _keep(vault: Vault, doubts: dict[bytes, Doubt]) -> None:
    vault.put(_NAME, encode(list(doubts.values())))
