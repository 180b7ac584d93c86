"""``seefen action-day``: a joint action day in a channel: hourly tallies, and a report."""

import re
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from seefen.client.cli import forms, sending, times
from seefen.client.cli.arguments import CaseName, Ref, UsageError, existing_file, new_file
from seefen.client.cli.saving import save
from seefen.client.cli.screen import Screen
from seefen.client.cli.session import opened
from seefen.client.cli.views import actions
from seefen.protocol.messages import TABLES, ActionDay

group = typer.Typer(help="Joint action days: hourly tallies of each node, and the report.")
_COUNT: Final = re.compile(r"([a-z_]+)=(\d{1,8})\Z")
_CLOCK: Final = re.compile(r"([01]?\d|2[0-3])(:00)?\Z")


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="action-day")


def _count(text: str) -> tuple[str, int]:
    found = _COUNT.match(text)
    if found is None or found[1] not in TABLES["tally"]:
        raise UsageError(
            f"{text!r} counts nothing", f"CODE=NUMBER, codes: {', '.join(TABLES['tally'])}"
        )
    return found[1], int(found[2])


def _hour(text: str) -> int:
    """Return the beginning of an hour: 14, 14:00 of today, or a time with its offset."""
    found = _CLOCK.match(text)
    try:
        at = (
            times.now().replace(hour=int(found[1]), minute=0, second=0, microsecond=0)
            if found
            else datetime.fromisoformat(text)
        )
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or at.minute or at.second:
        raise UsageError("an hour begins with its first minute", "14, or 2026-05-09T14:00+02:00")
    return int(at.timestamp())


@group.command("open")
def open_(
    context: typer.Context,
    channel: CaseName,
    form: Annotated[
        Path, typer.Option("--form", parser=existing_file, metavar="FILE.json", help="ActionDay.")
    ],
) -> None:
    """Open one in a channel, as a lead: seefen action-day open jad-2026 --form day.json."""
    day = forms.message(form)
    if not isinstance(day, ActionDay):
        raise UsageError(f"this form is a {day.TYPE}", '"type": "ActionDay"')
    with opened(context) as session:
        sent = session.do(lambda client: client.duty.action_days.open(channel, day))
        sending.finish(session, sent)


@group.command()
def tally(
    context: typer.Context,
    ref: Ref,
    counts: Annotated[
        list[str], typer.Argument(metavar="CODE=NUMBER...", help="firearm=3 round=340")
    ],
    hour: Annotated[
        str, typer.Option(metavar="HOUR", help="14, or a time with its offset [this hour].")
    ] = "",
) -> None:
    """Tell all that your node counted in an hour; said again it replaces the one before."""
    said = [_count(text) for text in counts]
    if len(dict(said)) != len(said):
        raise UsageError("a code stands twice", "add the numbers up: the hour is told as a whole")
    now = times.now().replace(minute=0, second=0, microsecond=0)
    begins = _hour(hour) if hour else int(now.timestamp())
    with opened(context) as session:
        sent = session.do(
            lambda client: client.duty.action_days.tally(str(ref), dict(said), begins)
        )
        sending.finish(session, sent)


@group.command("list")
def list_(context: typer.Context) -> None:
    """List the action days that were opened on this device."""
    with opened(context, glance=True) as session:
        session.screen.show(
            session.do(lambda client: client.duty.action_days.list()), actions.listed
        )


@group.command()
def show(
    context: typer.Context,
    ref: Ref,
    csv: Annotated[bool, typer.Option("--csv", help="As a table for spreadsheets.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", parser=new_file, metavar="FILE", help="With --csv."),
    ] = None,
) -> None:
    """Show hours and sums, node by node: seefen action-day show jad-2026#1."""
    if output is not None and not csv:
        raise UsageError("what is written to a file is a table", "--csv -o FILE")
    with opened(context, glance=True) as session:
        view, screen = (
            session.do(lambda client: client.duty.action_days.show(str(ref))),
            session.screen,
        )
        if output is None and (screen.machine or not csv):
            screen.show(view, lambda value: actions.shown(value, screen.lang))
            return
    if output is None:
        sys.stdout.write(actions.table(view))
    else:
        save(output, ("\ufeff" + actions.table(view)).encode())
        screen.answer({"file": str(output), "hours": len(view.hours)})
    Screen(machine=True).say(actions.exported(view, output))


@group.command()
def close(
    context: typer.Context,
    ref: Ref,
    text: Annotated[str, typer.Option("--text", "-t", help="What else is to be said.")] = "",
) -> None:
    """Close one with its report, as a lead of the node that coordinates it."""
    said = sending.note(text)
    with opened(context) as session:
        sent = session.do(lambda client: client.duty.action_days.close(str(ref), said))
        sending.finish(session, sent)
        view = session.do(lambda client: client.duty.action_days.show(str(ref)))
        session.screen.say(actions.shown(view, session.screen.lang))
