"""The roster, as the officers of a node read it."""

from seefen.client.cli.paint import Grid, Painted, line
from seefen.protocol.messages import Emergencies, Roster, RosterRow, label

_DAYS = ("", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def rows_of(roster: Roster) -> tuple[Painted, ...]:
    """Return what a roster says; the first row that fits decides."""
    rows = Grid("WHAT", "FROM", "SHIFT", "WHO", "DEPUTY")
    for row in roster.rows:
        rows.row(
            _what(row), ", ".join(row.nodes) or "any node", _shift(row),
            ", ".join(row.officers), ", ".join(row.deputies),
        )  # fmt: skip
    said = [
        line(f"Hours of {roster.zone}"),
        rows.painted(),
        *(line(f"  away: {one.officer} until {one.until}") for one in roster.away),
        _emergencies(roster.emergencies),
    ]
    return (*said, line("  ", roster.text)) if roster.text else tuple(said)


def _what(row: RosterRow) -> str:
    parts = (
        ", ".join(row.types) or "anything",
        ", ".join(row.urgencies),
        ", ".join(label("offence", code) for code in row.offences),
    )
    return "; ".join(filter(None, parts))


def _shift(row: RosterRow) -> str:
    days = ", ".join(_DAYS[day] for day in row.days) or "every day"
    return f"{days} {row.start}-{row.end}" if row.start else days


def _emergencies(rule: Emergencies) -> Painted:
    if rule.forbidden:
        return line("  Emergencies: nobody opens a case without having been assigned.")
    but = ", ".join((*rule.not_for, *rule.not_cases))
    return line(f"  Emergencies: {rule.a_day} a day and officer", f"; not {but}" if but else "")
