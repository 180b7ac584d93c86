"""Joint action days: hours and sums, node by node."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from seefen.client.actiondays import ActionDayView, tallies
from seefen.client.cli import times
from seefen.client.cli.paint import Grid, Painted, alarm, bold, dim, line, stack, warn
from seefen.client.labels import ENGLISH, label
from seefen.client.sheets import as_table


def listed(views: Sequence[ActionDayView]) -> Painted:
    """Return the action days."""
    if not views:
        return stack(
            line("No action day was opened here yet."),
            dim("Those of others open under a watch; a lead opens one: seefen action-day open"),
        )
    now = times.now()
    rows = Grid("REF", "NAME", "FROM", "UNTIL", "COORDINATED BY", "", keep=(0,))
    for view in views:
        state = f"closed: {view.report}" if view.report else "open"
        rows.row(
            bold(view.ref), view.name, times.moment(view.starts, now), times.moment(view.ends, now),
            view.coordinator, f"EXERCISE, {state}" if view.exercise else state,
        )  # fmt: skip
    return rows.painted()


def shown(view: ActionDayView, lang: str = ENGLISH) -> Painted:
    """Return an action day: each hour of each node, sums, and who told nothing."""
    now, used = times.now(), _used(view)
    heads = [label(lang, "tally", code) for code in used]
    rows = Grid("HOUR", "NODE", *heads, right=range(2, 2 + len(heads)), keep=(0,))
    for one in view.hours:
        rows.row(times.moment(one.hour, now), one.node, *_cells(one.counts, used))
    for node, counts in view.sums.items():
        rows.row(bold("sum"), bold(node), *map(bold, _cells(counts, used)))
    return stack(
        alarm("EXERCISE: nothing of this is real.") if view.exercise else None,
        line(bold(view.ref), f"  {view.name}  coordinated by {view.coordinator}"),
        line(f"{times.moment(view.starts, now)} to {times.moment(view.ends, now)}"),
        rows.painted() if view.hours else line("Nothing was told yet."),
        warn("Told nothing: ", ", ".join(view.silent)) if view.silent else None,
        _missing(view),
        line(f"Closed: {view.report}") if view.report else None,
    )


def _used(view: ActionDayView) -> list[str]:
    return [code for code in view.counted if any(code in one.counts for one in view.hours)]


def _cells(counts: Mapping[str, int], used: Sequence[str]) -> list[str]:
    return [str(counts[code]) if code in counts else "" for code in used]


def _missing(view: ActionDayView) -> Painted | None:
    now = times.now()
    back = [f"{one.node} {times.moment(one.hour, now)} ({one.ref})" for one in view.emptied]
    said = (
        f"{tallies(view.closed)} not open here and not counted (seefen watch on)"
        if view.closed
        else "",
        f"{view.late} came after the report and {'is' if view.late == 1 else 'are'} not counted"
        if view.late
        else "",
        f"taken back, and nothing counts there until it is told anew: {', '.join(back)}"
        if back
        else "",
        f"{tallies(view.unread)} taken back and not read here: what was told before for "
        "the same hour may still be counted"
        if view.unread
        else "",
    )
    text = "; ".join(filter(None, said))
    return warn(text) if text else None


def table(view: ActionDayView) -> str:
    """Return it as CSV: a row for each hour and node, codes as heads, times in UTC."""
    rows = [
        [view.ref, times.utc(one.hour), one.node, *_cells(one.counts, view.counted),
         "yes" if view.exercise else "no", one.ref]
        for one in view.hours
    ]  # fmt: skip
    return as_table(["action_day", "hour", "node", *view.counted, "exercise", "said_in"], rows)


def exported(view: ActionDayView, output: Path | None) -> Painted:
    """Return what an export holds, and what it does not."""
    where = f" to {output}" if output else ""
    silent = ", ".join(view.silent)
    return stack(
        line(bold(f"Exported {len(view.hours)} hour(s){where}.")),
        warn("Told nothing: ", silent) if silent else None,
        _missing(view),
    )
