"""Retention: until when the text of an entry is kept, and what an erasure must prove.

An entry of a year is kept to the end of the year that lies so many years later; never less
than one whole year. The record stays for ever, and with it every proof.
"""

from datetime import UTC, datetime
from typing import Final

from seefen.protocol.errors import UntrustedError
from seefen.protocol.ledger.record import Core
from seefen.protocol.statements import Erased

LEAST: Final = 1  # years


def cutoff(now: int, years: int) -> int:
    """Return the moment before which entries may be erased (unix seconds)."""
    year = datetime.fromtimestamp(now, UTC).year - max(years, LEAST)
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp())


def kept_until(at: int, years: int) -> int:
    """Return the last second for which an entry made at ``at`` is kept."""
    year = datetime.fromtimestamp(at, UTC).year + max(years, LEAST) + 1
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) - 1


def check_erased(erased: Erased, core: Core, index: int) -> None:
    """Check that an erasure was allowed when it was entered.

    Raises:
        UntrustedError: rule ``retention``: it took what had to be kept, or what came after it.
    """
    if erased.before > cutoff(core.at // 1000, erased.years) or erased.upto > index:
        raise UntrustedError("this erases what has to be kept", rule="retention")
    if (core.op, core.outcome, core.device, core.case) != ("erase", "ok", "", ""):
        raise UntrustedError("the entry says something else than the erasure", rule="retention")
