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
MOST: Final = 32  # in doubt together with cases that nobody opened: a broker can invent those


class Doubt(Struct, frozen=True, array_like=True):
    """A case in doubt.

    Attributes:
        tries: How often it was asked for again.
        next_at: From when on it is next.
        late: Something came out of its place: it is judged anew though nothing is news.
    """

    case: bytes
    tries: int = 0
    next_at: int = 0
    late: bool = False


def doubted(vault: Vault) -> dict[bytes, Doubt]:
    """Return all cases in doubt."""
    found = vault.run("SELECT value FROM setting WHERE name GLOB 'doubt/*' ORDER BY name")
    kept = [decode(value, Doubt) for (value,) in found]
    return {one.case: one for one in kept}


def doubt(vault: Vault, case: bytes) -> None:
    """Note that something of a case was hidden or refused.

    One that is known here always has its place: those that were invented cannot take it.
    """
    if _get(vault, case) is None and (_is_known(vault, case) or len(doubted(vault)) < MOST):
        _keep(vault, Doubt(case))


def came_late(vault: Vault, case: bytes) -> None:
    """Note that something of a case came behind what followed it in the log: it is due at once."""
    one = _get(vault, case) or Doubt(case)
    _keep(vault, Doubt(case, one.tries, late=True))


def tried(vault: Vault, case: bytes, now: int) -> None:
    """Note that a case was asked for again, and is as much in doubt as before."""
    one = _get(vault, case) or Doubt(case)
    wait = min(FIRST_SECONDS * 4**one.tries, LONGEST_SECONDS)
    _keep(vault, Doubt(case, one.tries + 1, now + wait, one.late))


def put_off(vault: Vault, one: Doubt, now: int) -> None:
    """Note that a case could not be asked for: that is no try, and it is next in a minute."""
    _keep(vault, Doubt(one.case, one.tries, now + FIRST_SECONDS, one.late))


@contextmanager
def judging(vault: Vault, case: bytes) -> Generator[None]:
    """End the doubt about a case unless the block puts it in doubt again."""
    before = _get(vault, case) or Doubt(case)
    vault.run("DELETE FROM setting WHERE name = ?", _name(case))
    yield
    if _get(vault, case) is not None:
        _keep(vault, Doubt(case, before.tries, before.next_at))  # as often tried as before


def _is_known(vault: Vault, case: bytes) -> bool:
    sql = "SELECT 1 FROM entry WHERE case_id = ? AND envelope IS NOT NULL LIMIT 1"
    return vault.one(sql, case) is not None


def _get(vault: Vault, case: bytes) -> Doubt | None:
    value = vault.get(_name(case))
    return None if value is None else decode(value, Doubt)


def _keep(vault: Vault, one: Doubt) -> None:
    vault.put(_name(one.case), encode(one))


def _name(case: bytes) -> str:
    return f"doubt/{case.hex()}"
