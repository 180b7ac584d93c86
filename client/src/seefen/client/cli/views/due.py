"""``seefen due``: what is open, from covers alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from seefen.client.cli import codes, times
from seefen.client.cli.paint import Grid, Painted, Piece, alarm, bold, dim, line, stack, warn
from seefen.client.cli.views import alerts, emergencies, handover
from seefen.client.emergencies import EmergencyView
from seefen.client.handover import Given
from seefen.client.labels import ENGLISH
from seefen.client.values import DueView, ObjectView, OwnAlert
from seefen.protocol.messages.cover import EXERCISE


@dataclass(frozen=True, slots=True)
class Due:
    """What ``seefen due`` shows, section by section; with ``--json`` each is there, also empty.

    Attributes:
        waiting: What waits for an answer of the own node.
        owed: What other nodes owe it.
        expired: Alerts whose time ended in the last week before the own node had answered.
        unanswered: Alerts of the own node of two days that some node has not answered.
        emergencies: Cases that this device asked for, or whose reason is due.
        handovers: Of the watch, of which this officer must know.
    """

    waiting: tuple[DueView, ...] = ()
    owed: tuple[DueView, ...] = ()
    expired: tuple[ObjectView, ...] = ()
    unanswered: tuple[OwnAlert, ...] = ()
    emergencies: tuple[EmergencyView, ...] = ()
    handovers: Given = ()


def page(due: Due, lang: str = ENGLISH, *, officer: str = "") -> Painted:
    """Return all of it; of hand-overs what does not stand there already."""
    return stack(
        _due_now(due.waiting, due.owed),
        _expired(due.expired) if due.expired else None,
        alerts.unanswered(due.unanswered) if due.unanswered else None,
        emergencies.listed(due.emergencies) if due.emergencies else None,
        *(handover.shown(view, lang, officer=officer, lists=False) for view in due.handovers),
    )


def _due_now(ours: Sequence[DueView], theirs: Sequence[DueView]) -> Painted:
    if not ours and not theirs:
        return stack(
            line("Nothing is due."),
            dim("'seefen alert list', 'seefen case list' show all; 'seefen tail' waits."),
        )
    return stack(
        _open("Waits for your node", "FROM", ours) if ours else line("Nothing waits for you."),
        _open("Others owe your node", "AT", theirs) if theirs else None,
        dim("'seefen request show REF' shows the clocks; opening a body leaves an entry."),
    )


def _expired(views: Sequence[ObjectView]) -> Painted:
    real = (view.cover is None or not view.cover.exercise for view in views)
    refs = ", ".join(
        view.ref if is_real else f"{view.ref} ({EXERCISE})"
        for view, is_real in zip(views, real, strict=True)
    )
    return warn(f"Expired, and asked of nobody any more: {refs}")


def _open(title: str, whose: str, rows: Sequence[DueView]) -> Painted:
    """Return each in two lines, the cover on its own: as a column it would be a narrow one."""
    heads = ("DUE", "REF", "WHAT", whose, "WHO HAS IT")
    cells = [
        (
            line(_due(row)),
            bold(row.ref),
            line(codes.message_type(row.what)),
            line(row.sender if row.waits_for_us else row.node),
            line(_has_it(row)),
        )
        for row in rows
    ]
    widths = [
        max(len(head), *(row[place].cell_len for row in cells)) for place, head in enumerate(heads)
    ]
    parts: list[Painted] = [bold(title), Grid(*heads, keep=(0, 1), widths=widths).painted()]
    for row, shown in zip(rows, cells, strict=True):
        parts.append(Grid("", "", "", "", "", keep=(0, 1), widths=widths).row(*shown).painted())
        cover = f"{row.subject} · {codes.short_handling(row.handling)}"
        parts.append(Grid("", "").row("", cover).painted())
    return stack(*parts)


def _due(row: DueView) -> Piece:
    if row.due_at is None:
        return "not there yet"
    text = times.due(row.due_at, times.now())
    if row.used >= 100:
        return alarm(text)
    return warn(f"{text} ({row.used} %)") if row.used >= 50 else text


def _has_it(row: DueView) -> str:
    by = f" by {row.officer}" if row.officer and row.ours != "free" else ""
    if row.assigned and not by:  # who took it has it; until then whom it was given to
        return f"{', '.join(row.assigned)}, not taken yet"
    return codes.answer(row.ours) + by
