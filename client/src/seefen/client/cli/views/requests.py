"""A request with its clocks, one for each node that is asked, and the list of all."""

from collections.abc import Sequence
from typing import Final

from seefen.client.cli import codes, times
from seefen.client.cli.paint import (
    Grid,
    Ledger,
    Painted,
    Piece,
    alarm,
    bold,
    dim,
    line,
    stack,
    warn,
)
from seefen.client.values import LifeView, RequestView, WordView
from seefen.protocol.messages import Recall, SeizureAlert

# What comes next, by who looks at it and how it stands.
_HOLDER: dict[str, str] = {
    "asked": "take|answer|query|extend|pass-on|not-ours|reject|refuse",
    "taken": "answer|interim|query|extend|pass-on|refuse",
    "passed_on": "answer|interim|query|extend|refuse",
    "unclear": "answer|refuse",
    "answered": "answer",
    "refused": "answer",
}
_ASKER: Final = "clarify|withdraw|close"
_ALERT: Final = "taken|passed-on|not-ours|rejected"


def listed(views: Sequence[RequestView]) -> Painted:
    """Return all requests, from their covers."""
    if not views:
        return stack(
            line("No request yet."),
            dim("'seefen request ask CASE --form FILE.json' or 'seefen trace ask CASE' asks."),
        )
    now = times.now()
    grid = Ledger("REF", "WHEN", "FROM", "WHAT", "STATE", "COVER")
    for view in views:
        grid.row(
            bold(view.ref),
            times.moment(view.asked_at, now),
            view.asker,
            codes.message_type(view.type),
            _states(view),
            f"{view.subject} · {codes.short_handling(view.handling)}",
        )
    return stack(grid)


def shown(view: RequestView, *, node: str) -> Painted:
    """Return one request: a line and a clock for each node."""
    now = times.now()
    asked = f"  from {view.asker}, {times.moment(view.asked_at, now)}"
    rows = Grid("", "", "", "")
    for life in view.lives:
        if life.word is None:
            rows.row(f"  {life.node}", _state(life), _clock(view, life, node), _said(life))
            continue
        # How its asker ended it says nothing of what the node had said.
        rows.row(f"  {life.node}", _state(life.word), "", _at(life.word.said, life.word.at))
        rows.row("", _state(life), "", _said(life))
    return stack(
        line(bold(view.ref), "  ", codes.message_type(view.type), asked, f"  {view.urgency}"),
        line("  ", view.subject),
        rows.painted() if view.lives else warn("  No node is asked that could read it."),
        _next(view, node),
    )


def _states(view: RequestView) -> str:
    counts = dict[str, int]()
    for life in view.lives:
        counts[life.state] = counts.get(life.state, 0) + 1
    if len(view.lives) == 1:
        return codes.answer(view.lives[0].state)
    return ", ".join(f"{n} {codes.answer(state)}" for state, n in counts.items())


def _state(life: LifeView | WordView) -> Piece:
    by = f" by {life.officer}" if life.officer else ""
    return codes.answer(life.state) + by


def _clock(view: RequestView, life: LifeView, node: str) -> Piece:
    if not view.due_s:
        return ""
    if life.delivered_at is None:
        if not life.running:
            return ""
        if not view.ours and life.node != node:
            return dim("its clock is not known here")  # who was asked beside us tells the asker
        return warn("not delivered: no clock runs")
    if life.due_at is None:
        return "clock stands" if life.state == "unclear" else ""
    text = f"{times.due(life.due_at, times.now())} ({life.used} %)"
    return alarm(text) if life.used >= 100 else warn(text) if life.used >= 80 else text


def _said(life: LifeView) -> str:
    if life.moved_at is None:
        return ""
    return _at(life.said, life.moved_at)


def _at(said: str, at: int) -> str:
    return f"{said}, {times.moment(at, times.now())}"


def _next(view: RequestView, node: str) -> Painted | None:
    """Return what whoever looks can do now, as it is typed."""
    if view.type == SeizureAlert.TYPE:
        command = f"reach {view.ref}" if view.ours else f"answer {view.ref} {_ALERT}"
        return dim(f"seefen alert {command}")
    if view.type == Recall.TYPE:
        return None if view.ours else dim("seefen erase REF, of what is taken back")
    own = next((life for life in view.lives if life.node == node), None)
    moves = _ASKER if view.ours else "" if own is None else _HOLDER.get(own.state, "")
    return dim(f"seefen request {moves} {view.ref}") if moves else None
