"""Times as an officer reads them: local, short, and with the date when it is not today.

Times come in as Unix seconds or as aware datetimes; what "today" is comes in as ``now``.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from seefen.client import wording

_MONTHS: Final = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_LATE: Final = 300  # seconds between writing and recording that are worth a word


def local(at: int | datetime) -> datetime:
    """Return a time in the zone of this machine; of one beyond all calendars, their end."""
    try:
        if isinstance(at, datetime):
            return at.astimezone()
        return datetime.fromtimestamp(at).astimezone()
    except (OverflowError, ValueError, OSError):
        return _end(at)


def _end(at: int | datetime) -> datetime:
    # Somebody else wrote it: it must not stop the list it stands in.
    late = (at.year - 1970 if isinstance(at, datetime) else at) > 0
    return wording.LAST if late else wording.FIRST


def moment(at: int | datetime, now: datetime, *, seconds: bool = False) -> str:
    """Return ``02:47``, ``14 Mar 02:47`` or ``14 Mar 2025 02:47``."""
    when = local(at)
    clock = when.strftime("%H:%M:%S" if seconds else "%H:%M")
    if when.date() == local(now).date():
        return clock
    return f"{date(when, now)} {clock}"


def date(at: int | datetime, now: datetime) -> str:
    """Return ``14 Mar``, with the year when it is not this one."""
    # Month names of our own: those of the locale would make two screens differ.
    when = local(at)
    year = "" if when.year == local(now).year else f" {when.year}"
    return f"{when.day} {_MONTHS[when.month - 1]}{year}"


def written(at: int, recorded_at: int, now: datetime) -> str:
    """Return when something was written, and when it was recorded if that was much later."""
    said = moment(at, now)
    late = abs(recorded_at - at) >= _LATE
    return f"{said}, recorded {moment(recorded_at, now)}" if late else said


def entered(at: int, now: datetime) -> str:
    """Return ``26 Nov 18:42`` by UTC, for a column that says so; with the year if not this one."""
    when = wording.utc(at)
    year = "" if when.year == now.astimezone(UTC).year else f" {when.year}"
    return f"{when.day} {_MONTHS[when.month - 1]}{year} {when.strftime('%H:%M')}"


def deadline(at: int) -> str:
    """Return ``2026-11-29 17:45Z, here 2026-11-29 18:45 (UTC+01:00)``; one where they agree."""
    here = local(at)
    if not here.utcoffset():
        return wording.stamp(at)
    return f"{wording.stamp(at)}, here {here.strftime('%Y-%m-%d %H:%M')} ({zone(here)})"


def zone(when: datetime) -> str:
    """Return the zone of a local time: ``UTC+01:00``."""
    shift = when.strftime("%z")
    return f"UTC{shift[:3]}:{shift[3:5]}"


def span(seconds: float) -> str:
    """Return a length of time in its two largest units: ``6 d 18 h``, ``41 s``."""
    left = int(abs(seconds))
    if left < _MINUTE:
        return f"{left} s"
    if left < _HOUR:
        return f"{left // _MINUTE} min"
    if left < _DAY:
        return _pair(left // _HOUR, "h", left % _HOUR // _MINUTE, "min")
    return _pair(left // _DAY, "d", left % _DAY // _HOUR, "h")


def _pair(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit}" + (f" {small} {small_unit}" if small else "")


def due(at: int | datetime, now: datetime) -> str:
    """Return when something is due: ``today 04:09``, ``in 6 d 18 h`` or ``overdue 2 h``."""
    when = local(at)
    left = when - local(now)
    if left < timedelta(0):
        return f"overdue {span(left.total_seconds())}"
    if when.date() == local(now).date():
        return f"today {when.strftime('%H:%M')}"
    return f"in {span(left.total_seconds())}"


def size(count: int) -> str:
    """Return a number of bytes: ``187 KB``, ``2.1 MB``."""
    if count < 1000:
        return f"{count} bytes"
    for unit, scale in (("KB", 10**3), ("MB", 10**6)):
        if count < scale * 1000:
            value = count / scale
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{count / 10**9:.1f} GB"


def utc(at: int) -> str:
    """Return a time for other programs: ``2026-05-09T05:00Z``."""
    return wording.utc(at).strftime("%Y-%m-%dT%H:%MZ")


def now() -> datetime:
    """Return the present, in the zone of this machine."""
    return datetime.now().astimezone()
