"""The roster, as the officers of a node read it."""

from seefen.client.cli import times
from seefen.client.cli.paint import Grid, Painted, bold, dim, line, stack
from seefen.client.house import Said
from seefen.client.labels import ENGLISH, label
from seefen.protocol.messages import Emergencies, Roster, RosterRow

_DAYS = ("", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def shown(said: Said[Roster] | None, lang: str = ENGLISH) -> Painted:
    """Return the roster, the first row that fits decides."""
    if said is None:
        return stack(
            line("No roster binds: keyholders assign by hand, 'seefen case assign CASE OFFICER'."),
            dim("An admin lays one down: seefen roster set FILE.json"),
        )
    when, roster = times.moment(said.at, times.now()), said.message
    rows = Grid("WHAT", "FROM", "SHIFT", "WHO", "DEPUTY")
    for row in roster.rows:
        rows.row(
            _what(row, lang), ", ".join(row.nodes) or "any node", _shift(row),
            ", ".join(row.officers), ", ".join(row.deputies),
        )  # fmt: skip
    return stack(
        line(bold("Roster"), f" by {said.officer}, {when} ({said.ref}); hours of {roster.zone}"),
        rows.painted(),
        *(line(f"  away: {one.officer} until {one.until}") for one in roster.away),
        _emergencies(roster.emergencies),
        line("  ", roster.text) if roster.text else None,
    )


def _what(row: RosterRow, lang: str) -> str:
    parts = (
        ", ".join(row.types) or "anything",
        ", ".join(row.urgencies),
        ", ".join(label(lang, "offence", code) for code in row.offences),
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
