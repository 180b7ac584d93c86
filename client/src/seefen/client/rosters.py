"""Rosters: reading the paper that says who works on what, and checking it before it binds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from seefen.client.engine import Engine
from seefen.protocol.directory import BOX_ROLES
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import Roster, RosterRow
from seefen.protocol.statements import Device

WORK: Final = BOX_ROLES["alert"]  # who works on cases at all: no auditor, no admin alone
MIDNIGHT: Final = "24:00"


@dataclass(frozen=True, slots=True)
class Matter:
    """What came, as far as a row of a roster may ask. ``offence`` is empty while it is sealed."""

    type: str
    node: str
    urgency: str
    offence: str


def zone_of(roster: Roster) -> ZoneInfo:
    """Return the time zone of a roster.

    Raises:
        RefusedError: rule ``zone``: this machine does not know it.
    """
    try:
        return ZoneInfo(roster.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise RefusedError(
            f"this machine knows no time zone {roster.zone}: write one like Europe/Skopje",
            rule="zone",
        ) from None


def check(engine: Engine, roster: Roster) -> None:
    """Check a paper against the directory, before an admin lays it down.

    Raises:
        RefusedError: rule ``roster`` or ``zone``: what is wrong, and in which row.
    """
    zone_of(roster)
    for n, row in enumerate(roster.rows):
        for officer in (*row.officers, *row.deputies):
            if not devices_of(engine, officer):
                raise RefusedError(
                    f"rows[{n}]: {officer} has no device in your node that could work on a case",
                    rule="roster",
                )
    known = {device.officer for device in engine.directory.devices(engine.node)}
    _require("away: no officer", [away.officer for away in roster.away], known)
    _require("emergencies: no officer", roster.emergencies.not_for, known)


def _require(what: str, given: Sequence[str], known: set[str]) -> None:
    for one in given:
        if one not in known:
            raise RefusedError(f"{what} {one}", rule="roster")


def devices_of(engine: Engine, officer: str) -> tuple[Device, ...]:
    """Return the devices of an officer of the own node that are in force and may hold a case."""
    at = engine.now()
    return tuple(
        device
        for device in engine.directory.devices(engine.node)
        if officer
        and device.officer == officer
        and WORK & set(device.roles)
        and engine.directory.is_active(device.device, at=at)
    )


def officers_for(roster: Roster, matter: Matter, at: datetime) -> tuple[str, ...]:
    """Return who is on shift for something, in the order in which they are asked.

    The first row that fits and whose shift it is decides; nobody who is away is named.

    Args:
        at: Now, aware of its zone.
    """
    here = at.astimezone(zone_of(roster))
    away = {one.officer for one in roster.away if datetime.fromisoformat(one.until) > here}
    for row in roster.rows:
        if fits(row, matter) and on_shift(row, here):
            return tuple(name for name in (*row.officers, *row.deputies) if name not in away)
    return ()


def fits(row: RosterRow, matter: Matter) -> bool:
    """Tell whether a row is about something; an offence that is sealed here fits no row."""
    asked = (
        (row.types, matter.type),
        (row.nodes, matter.node),
        (row.urgencies, matter.urgency),
        (row.offences, matter.offence),
    )
    return all(not wanted or said in wanted for wanted, said in asked)


def on_shift(row: RosterRow, here: datetime) -> bool:
    """Tell whether it is the shift of a row. ``here`` is local time of the roster's zone."""
    clock = here.strftime("%H:%M")
    return any(
        start <= clock < end and (not row.days or day.isoweekday() in row.days)
        for day, start, end in _stretches(row, here)
    )


def _stretches(row: RosterRow, here: datetime) -> Iterator[tuple[datetime, str, str]]:
    """Yield day on which it began, start and end of what of a shift lies in today."""
    if not row.start:
        yield here, "00:00", MIDNIGHT
    elif row.start < row.end:
        yield here, row.start, row.end
    else:  # it passes midnight, and belongs to the day on which it began
        yield here, row.start, MIDNIGHT
        yield here - timedelta(days=1), "00:00", row.end
