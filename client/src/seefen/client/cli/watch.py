"""``seefen watch``: on duty for the channels, once a shift."""

from typing import Annotated

import typer

from seefen.client.cli import conditions, sending
from seefen.client.cli.arguments import case_name, distinct
from seefen.client.cli.conditions import USUAL_BASIS, Basis, Purpose, Reason
from seefen.client.cli.session import Session, opened
from seefen.client.cli.views import duty, handover
from seefen.client.cli.views.handover import TakenOver

group = typer.Typer(help="Go on watch for a shift: alerts open as they come.")
Channels = Annotated[
    list[str] | None,
    typer.Argument(parser=case_name, metavar="[CHANNEL...]", help="All of them, if none is named."),
]


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="watch")


@group.command()
def on(
    context: typer.Context,
    channels: Channels = None,
    purpose: Purpose = None,
    basis: Basis = None,
    reason: Reason = "",
) -> None:
    """Go on watch: seefen watch on --purpose border-control --basis pcc-see."""
    chosen = distinct(channels, "channel")
    with opened(context) as session:
        preset = session.do(lambda client: client.presets.opening("SeizureAlert"))
        watches = session.do(
            lambda client: client.watch.on(
                chosen,
                purpose=purpose or preset[0] or conditions.WATCH_PURPOSE,
                basis=basis or preset[1] or USUAL_BASIS,
                reason=reason,
            )
        )
        session.screen.show(watches, duty.on_watch)
        _show_handover(session)


@group.command("hand-over")
def hand_over(
    context: typer.Context,
    officer: Annotated[str, typer.Argument(metavar="[OFFICER]", help="Who comes next.")] = "",
    text: Annotated[str, typer.Option("--text", "-t", help="What else he must know.")] = "",
) -> None:
    """Leave what is open to the next officer: seefen watch hand-over o-22bb --text 'calls back'."""
    said = sending.note(text)
    with opened(context) as session:
        queued = len(session.do(lambda client: client.queued()))
        sent = session.do(lambda client: client.duty.handover.give(officer, said, queued=queued))
        sending.finish(session, sent)
        _show_handover(session)


@group.command("take-over")
def take_over(
    context: typer.Context,
    instead: Annotated[
        bool, typer.Option("--instead", help="Also when it is for another: both are told.")
    ] = False,
) -> None:
    """Take the watch that was handed over last, and say so: seefen watch take-over."""
    with opened(context) as session:
        sent, taken = session.do(lambda client: client.duty.handover.take(instead=instead))
        online, lang = session.do(lambda client: client.online), session.screen.lang
        session.screen.show(
            TakenOver(sent, taken), lambda done: handover.taken_over(done, lang, online=online)
        )
        sending.leave(session, sent)


def _show_handover(session: Session) -> None:
    officer = session.do(lambda client: client.officer)
    for view in session.do(lambda client: client.duty.handover.told()):
        session.screen.say(handover.shown(view, session.screen.lang, officer=officer))


@group.command()
def off(context: typer.Context) -> None:
    """Go off watch: nothing opens by itself any more."""
    with opened(context) as session:
        session.do(lambda client: client.watch.off())
        session.screen.show({"on_watch": False}, duty.off_watch)


@group.command("list")
def list_(context: typer.Context) -> None:
    """Show for which channels and until when this device is on watch."""
    with opened(context, glance=True) as session:
        session.screen.show(session.do(lambda client: client.watch.list()), duty.on_watch)
