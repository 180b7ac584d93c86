"""Retention: until when the text of an entry is kept, and what an erasure must prove.

An entry of a year is kept to the end of the year that lies so many years later; never less
than one whole year. The record stays for ever, and with it every proof.
"""

from datetime import UTC, datetime
from typing import Final

from seefen.protocol.errors import UntrustedError
from seefen.protocol.ledger.record import Core
from seefen.protocol.statements import Erased

# What says who read, or tried to, and is in no feed: it has an end, and may be erased.
READING_KINDS: Final = frozenset(("access", "search", "release", "denied"))
LEAST: Final = 1  # years
CLOCK_SLACK: Final = 300  # seconds between two clocks


def cutoff(now: int, years: int) -> int:
    """Return the moment before which entries may be erased (unix seconds)."""
    year = datetime.fromtimestamp(now, UTC).year - max(years, LEAST)
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp())


def kept_until(at: int, years: int) -> int:
    """Return the last second for which an entry made at ``at`` is kept."""
    year = datetime.fromtimestamp(at, UTC).year + max(years, LEAST) + 1
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) - 1


def check_erased(erased: Erased, core: Core, index: int, latest: int) -> None:
    """Check that an erasure was allowed when it was entered.

    Args:
        erased: What the entry at ``index`` says.
        core: What the broker says of it.
        index: Its place.
        latest: When it stood in the log at the latest (unix seconds). The broker writes the time
            that the rule is judged by: an entry of the future could erase what was read today.

    Raises:
        UntrustedError: rule ``retention``: it took what had to be kept, or what came after it.
    """
    if erased.before > cutoff(core.at // 1000, erased.years) or erased.upto > index:
        raise UntrustedError("this erases what has to be kept", rule="retention")
    if core.at // 1000 > latest + CLOCK_SLACK:
        raise UntrustedError("this is dated later than it was entered", rule="retention")
    if (core.op, core.outcome, core.device, core.case) != ("erase", "ok", "", ""):
        raise UntrustedError("the entry says something else than the erasure", rule="retention")
