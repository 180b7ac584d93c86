"""Alerts: the list, the one about to be sent, and how far one got."""

from collections.abc import Iterable, Sequence
from datetime import datetime
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
from seefen.client.cli.scripts import remark
from seefen.client.cli.views import messages
from seefen.client.cli.views.objects import covered, draft, name_of
from seefen.client.labels import ENGLISH
from seefen.client.values import ObjectView, OwnAlert, Reach
from seefen.protocol.messages import SeizureAlert
from seefen.protocol.messages.cover import EXERCISE

PATIENCE: Final = 60  # seconds until a node that has nothing yet counts as not reached


def listed(views: Sequence[ObjectView], lang: str = ENGLISH) -> Painted:
    """Return alerts as a list, from their covers."""
    if not views:
        return stack(
            line("No alert has come yet."),
            dim("'seefen tail' waits for one; 'seefen alert send' sends one."),
        )
    now = times.now()
    rows = Ledger("REF", "WHEN", "FROM", "URGENCY", "YOURS", "COVER")
    for view in views:
        rows.row(
            bold(view.ref),
            times.moment(view.recorded_at, now),
            view.sender,
            _urgency(view),
            _state(view),
            f"{covered(view, lang) or name_of(view)} · {codes.short_handling(view.handling)}",
        )
    return stack(
        rows,
        draft(lang),
        dim("'seefen alert show REF' opens one: that leaves an entry."),
    )


def _state(view: ObjectView) -> Piece:
    if view.recalled_by:
        return alarm("RECALLED")
    if view.superseded_by:
        return f"replaced by {view.superseded_by}"
    said = codes.answer(view.answer) or view.state
    if view.expired:
        return warn(f"EXPIRED, {said}")
    return f"{said}, corrected by {view.corrected_by}" if view.corrected_by else said


def _urgency(view: ObjectView) -> Piece:
    code = view.urgency
    if view.flash == "asked":
        return warn(f"{code}, FLASH asked")
    return alarm(code) if code == "FLASH" else warn(code) if code == "URGENT" else code


def before_sending(
    alert: SeizureAlert, guesses: Iterable[str] = (), beside: Iterable[tuple[str, str]] = ()
) -> Painted:
    """Return what is about to be sent, what was guessed, what goes ``beside`` it, and remarks."""
    numbers = [item.serial_as_read for item in alert.items if item.serial_as_read]
    remarks = [line("  ", note) for note in map(remark, numbers) if note]
    return stack(
        line(""),
        alarm("EXERCISE: nothing of this is real.") if alert.exercise else None,
        bold(alert.cover().subject or "alert"),
        messages.body(alert, beside=(*(() if alert.moving else (("moving", "no"),)), *beside)),
        *map(guessed, guesses),
        *remarks,
        line("  conditions: ", alert.conditions) if alert.conditions else None,
        line(
            f"{codes.short_handling(alert.handling)} · {alert.tlp.removeprefix('TLP:')} · "
            f"{alert.source_eval}{alert.info_eval} · {_wanted(alert)} · {alert.status}"
        ),
    )


def _wanted(alert: SeizureAlert) -> str:
    asked = alert.leaving().flash_asked
    return "URGENT, FLASH asked (a second officer confirms)" if asked else alert.urgency


def flash_asked(ref: str) -> Painted:
    """Return that an alert does not ring yet, and who makes it ring."""
    return warn(
        f"FLASH asked: it left as URGENT and rings nowhere yet. Another officer of your node: "
        f"seefen alert flash {ref}"
    )


def not_yet(reason: str) -> Painted:
    """Return why an alert cannot be sent as it is."""
    return warn("Not yet: ", reason)


def how_to_answer(*, kept: bool, leaves: bool = True) -> Painted:
    """Return what Enter does, how an answer is emptied, and how one ``leaves`` with a draft."""
    if not leaves:
        return dim("Enter keeps what stands there; - empties it.")
    if kept:
        return dim("Enter keeps what stands there; - empties it; q keeps the draft and leaves.")
    return dim("Enter skips a question; q keeps a draft and leaves.")


def not_understood(what: str) -> Painted:
    """Return why a question is asked again."""
    return warn("  ", what)


def goes_as_text(words: str) -> Painted:
    """Return what of an answer has no code."""
    return warn("  Goes as text, for no code stands for it: ", words)


def guessed(what: str) -> Painted:
    """Return what the program made of words that leave room."""
    return warn("  ", what)


def reached(ref: str, rows: Sequence[Reach]) -> Painted:
    """Return node by node how far something got, those not reached first."""
    if not rows:
        return line(f"{ref} went to no other node yet.")
    exercise = any(reach.exercise for reach in rows)
    return stack(line(bold(ref), alarm(f"  {EXERCISE}") if exercise else ""), reach_lines(rows))


def unanswered(open_: Sequence[OwnAlert]) -> Painted:
    """Return a line for each alert of the own node that some node has not answered."""
    return stack(*(warn(_unanswered(one)) for one in open_))


def _unanswered(one: OwnAlert) -> str:
    now = times.now().timestamp()
    silent = sum(reach.answer is None for reach in one.reach)
    away = sum(
        reach.delivered_at is None and (bool(reach.left_out) or now - reach.recorded_at >= PATIENCE)
        for reach in one.reach
    )
    missed = f", {away} NOT REACHED" if away else ""
    real = f"{EXERCISE}. " if one.exercise else ""
    text = f"{real}Your alert {one.ref}: {silent} of {len(one.reach)} not answered{missed}"
    return f"{text} (seefen alert reach {one.ref})"


def reach_lines(rows: Sequence[Reach]) -> Painted:
    """Return a line for each node, those not reached first."""
    grid = Grid("", "", "")
    for reach in sorted(rows, key=lambda row: row.delivered_at is not None):
        grid.row(f"  {reach.node}", _how_far(reach), _call(reach))
    return grid.painted()


def _how_far(reach: Reach) -> Piece:
    now = times.now()
    if reach.left_out:
        return alarm(f"NOT REACHED: {codes.left_out(reach.left_out)}")
    if reach.read_at is not None:
        done = f"read {times.moment(reach.read_at, now)}"
    elif reach.delivered_at is not None:
        done = f"delivered {times.moment(reach.delivered_at, now)}"
    else:
        return _not_yet_there(reach.recorded_at if reach.since is None else reach.since, now)
    return done + _answered(reach)


def _not_yet_there(since: int, now: datetime) -> Piece:
    if now.timestamp() - since < PATIENCE:
        return "recorded, not delivered yet"
    return warn(f"NOT REACHED since {times.moment(since, now)}")


def _answered(reach: Reach) -> str:
    if not reach.answer:
        return ""
    by = f" by {reach.answered_by}" if reach.answered_by else ""
    return f", {codes.answer(reach.answer)}{by}"


def _call(reach: Reach) -> Piece:
    late = times.now().timestamp() - reach.recorded_at >= PATIENCE
    if reach.delivered_at is not None or not (late or reach.left_out):
        return ""
    return (
        f"call {reach.phone}"
        if reach.phone
        else dim("call its officer on duty (number on your paper)")
    )
