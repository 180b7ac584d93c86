"""Numbers and times in words, where they must mean the same on every screen and on paper.

The audit counts in UTC: its months begin at one moment for every node. So its times are written
in UTC and say so, with their date.
"""

from datetime import UTC, datetime
from typing import Final

FIRST: Final = datetime(1, 1, 2, tzinfo=UTC)
LAST: Final = datetime(9999, 12, 30, tzinfo=UTC)


def counted(count: int, one: str, many: str = "") -> str:
    """Return ``1 officer``, ``2 officers``; ``many`` where it is not ``one`` with an s."""
    return f"{count} {one if count == 1 else many or f'{one}s'}"


def utc(at: int) -> datetime:
    """Return Unix seconds as a time in UTC; of one beyond all calendars, their end."""
    try:
        return datetime.fromtimestamp(at, UTC)
    except (OverflowError, ValueError, OSError):
        return LAST if at > 0 else FIRST


def stamp(at: int, *, seconds: bool = False) -> str:
    """Return Unix seconds as ``2026-11-26 18:42Z``; ``seconds``: ``2026-11-26 18:42:07Z``."""
    return utc(at).strftime("%Y-%m-%d %H:%M:%SZ" if seconds else "%Y-%m-%d %H:%MZ")


def day(at: int) -> str:
    """Return the day of Unix seconds, by UTC: ``2026-11-26``."""
    return utc(at).strftime("%Y-%m-%d")
