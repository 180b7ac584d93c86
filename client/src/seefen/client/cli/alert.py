"""``seefen alert``: seizures, told to a whole channel within a minute."""

import dataclasses
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from seefen.client.cli import dialogue, forms, sending, times, unsent
from seefen.client.cli.arguments import (
    Matters,
    Original,
    Ref,
    UsageError,
    case_name,
    distinct,
    existing_file,
    handling,
    photograph,
)
from seefen.client.cli.conditions import Accept, Basis, Conditions, Purpose, Reason, under
from seefen.client.cli.dialogue import Answers
from seefen.client.cli.screen import Screen
from seefen.client.cli.session import Session, opened
from seefen.client.cli.unsent import Unsent
from seefen.client.cli.views import alerts, duty, objects
from seefen.client.cli.views import unsent as views
from seefen.client.drafts import Attach
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import SeizureAlert, saying

group = typer.Typer(help="Seizure alerts, in a channel of many nodes.")
DRAFT: Final = "alert"
PATIENCE: Final = 2  # seconds for those who are on line
ANSWERS: Final = {
    "taken": "taken",
    "passed-on": "passed_on",
    "not-ours": "not_ours",
    "rejected": "rejected",
}

Photos = Annotated[
    list[Attach] | None,
    typer.Option(
        "--photo",
        parser=photograph,
        metavar="FILE",
        help="May be given often; serial=FILE is a close-up of the number, and leaves first.",
    ),
]
Channel = Annotated[
    str | None,
    typer.Option(
        "--channel",
        parser=case_name,
        metavar="CHANNEL",
        help="Needed if you watch two.",
    ),
]
Form = Annotated[
    Path | None,
    typer.Option("--form", parser=existing_file, metavar="FILE.json", help="All fields as JSON."),
]
Handling = Annotated[
    str | None,
    typer.Option(
        "--handling", parser=handling, metavar="H0..H3", help="Handling code [as preset]."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="alert")


@group.command()
def send(
    context: typer.Context,
    channel: Channel = None,
    form: Form = None,
    photo: Photos = None,
    where: Annotated[str, typer.Option(metavar="TEXT", help="Tabanovce > Preševo, out")] = "",
    carrying: Annotated[str, typer.Option(metavar="TEXT", help="12 pistols, 340 rounds")] = "",
    vehicle: Annotated[str, typer.Option(metavar="TEXT", help="VW Passat B6 grey SK-0000-ZZ")] = "",
    moving: Annotated[bool, typer.Option("--moving", help="Car or accomplice is moving.")] = False,
    serials: Annotated[str, typer.Option(metavar="TEXT", help="EV-19070413, EV-1907?4??")] = "",
    hidden: Annotated[str, typer.Option(metavar="TEXT", help="spare wheel, rear panel")] = "",
    more: Annotated[str, typer.Option(metavar="TEXT", help="Anything else, no names.")] = "",
    handling: Handling = None,
    conditions: Annotated[str, typer.Option(metavar="TEXT", help="With H3: which.")] = "",
    original: Original = False,
    until: Matters = None,
    exercise: Annotated[bool, typer.Option("--exercise", help="Nothing of it is real.")] = False,
) -> None:
    """Send an alert: seefen alert send --photo wheel.jpg asks; --form or options do not."""
    photos = distinct(photo, "photo")
    words = (where, carrying, vehicle, "yes" if moving else "", serials)
    said = Answers(*words, "", hidden, more, handling or "", conditions)
    given = None if form is None else forms.seizure_alert(form)
    if given is not None and not said.is_empty:
        raise UsageError("--form and the options say it twice", "put all of it into the form")
    if given is None and not said.is_empty:
        given = dialogue.given(said, times.now())
        dialogue.tell_guesses(Screen.of(context), said, given)
    now = Unsent(said, unsent.photographs(photos), channel or "", until or 0, original, exercise)
    with opened(context) as session:
        if given is None:
            _asked(session, now)
        else:
            into = channel or _only_channel(session)
            _send(session, _marked(given, exercise=exercise), now, into)


def _send(
    session: Session, alert: SeizureAlert, unsent: Unsent, channel: str, form: str = ""
) -> None:
    with session.screen.progress() as report:
        sent = sending.urgently(
            session,
            lambda client: client.alerts.send(
                alert,
                channel,
                unsent.files,
                report,
                original=unsent.original,
                matters_s=unsent.until,
                form=form,
            ),
        )
    sending.finish(session, sent)
    if sent.ref:
        if alert.leaving().flash_asked:
            session.screen.say(alerts.flash_asked(sent.ref))
        sending.show_reach(session, sent.ref, patience_s=PATIENCE)


def _marked(alert: SeizureAlert, *, exercise: bool) -> SeizureAlert:
    if not exercise:
        return alert
    return saying(msgspec.structs.replace(alert, exercise=True), *alert.said, "exercise")


def _asked(session: Session, now: Unsent) -> None:
    """Ask for the alert and send it, or keep what was answered."""
    screen = session.screen
    if not screen.can_ask:
        raise UsageError(
            "what to send is missing, and nobody is there to ask",
            "give --form FILE.json, or --where and --carrying",
        )
    begun = _begun(session, now)
    if begun is None:
        screen.say(views.kept(empty=False))
        return
    into = begun.channel or _only_channel(session)
    kept = [begun]

    def keep(said: Answers) -> None:
        kept.append(dataclasses.replace(begun, said=said))
        if not kept[-1].is_empty:
            data = unsent.encoded(kept[-1])
            session.do(lambda client: client.keep_draft(DRAFT, data))

    def fill(alert: SeizureAlert) -> SeizureAlert:
        marked = _marked(alert, exercise=begun.exercise)
        return session.do(lambda client: client.presets.fill(marked))

    keep(begun.said)
    beside = views.beside(into, begun.files, begun.until, original=begun.original)
    alert = None
    try:
        alert = dialogue.compose(screen, begun.said, times.now(), keep, fill, beside)
    finally:  # also at Ctrl-C, and where the terminal goes away
        if alert is None:
            screen.say(views.kept(empty=kept[-1].is_empty))
    if alert is None:
        return
    _send(session, alert, begun, into, DRAFT)


def _begun(session: Session, now: Unsent) -> Unsent | None:
    """Return what to go on with, the draft where its officer wants it; None where he leaves."""
    before = unsent.decoded(session.do(lambda client: client.draft(DRAFT)))
    if before.is_empty:
        return now
    said, screen = before.said, session.screen
    screen.say(views.found(said.at, said.where, said.carrying, len(before.photos)))
    choice = dialogue.goes_on(screen)
    if choice:
        photos = unsent.still_there(screen, before.photos)
        return None if photos is None else now.over(dataclasses.replace(before, photos=photos))
    if choice is not None:
        session.do(lambda client: client.forget_draft(DRAFT))
        screen.say(views.dropped())
        return now
    return None


def _only_channel(session: Session) -> str:
    channels = session.do(lambda client: client.channels.list())
    if len(channels) == 1:
        return channels[0].number
    if not channels:
        raise RefusedError("your node is in no channel yet", rule="no-channel")
    watched = [view.channel for view in session.do(lambda client: client.watch.list())]
    if len(watched) == 1:
        return watched[0]
    names = ", ".join(view.number for view in channels)
    raise UsageError("it is not said which channel", f"--channel, one of: {names}")


@group.command("list")
def list_(context: typer.Context) -> None:
    """List alerts, the newest first."""
    with opened(context, glance=True) as session:
        lang, found = session.screen.lang, session.do(lambda client: client.alerts.list())
        session.screen.show(found, lambda views: alerts.listed(views, lang))
        waiting = duty.queue(len(session.do(lambda client: client.queued())))
        if waiting is not None:
            session.screen.say(waiting)


@group.command()
def show(
    context: typer.Context,
    ref: Ref,
    purpose: Purpose = None,
    basis: Basis = None,
    reason: Reason = "",
    accept: Accept = False,
) -> None:
    """Open an alert, which leaves an entry: seefen alert show seefen-border#1."""
    given = Conditions(purpose, basis, reason, accept)
    with opened(context) as session:
        read = under(
            session,
            given,
            lambda client, terms: client.alerts.show(
                str(ref),
                purpose=terms.purpose,
                basis=terms.basis,
                reason=terms.reason,
                accept=terms.accept,
            ),
            str(ref),
        )
        ours = read.view.sender == session.do(lambda client: client.node)
        lang = session.screen.lang
        session.screen.show(read, lambda value: objects.opened(value, ours=ours, lang=lang))
        if ours:
            sending.show_reach(session, str(ref))


def _answer(text: str) -> str:
    found = ANSWERS.get(text.strip().lower().replace("_", "-").replace(" ", "-"))
    if found is None:
        raise UsageError(f"'{text}' is not an answer", f"one of: {', '.join(ANSWERS)}")
    return found


@group.command()
def answer(
    context: typer.Context,
    ref: Ref,
    how: Annotated[
        str,
        typer.Argument(
            parser=_answer, metavar="ANSWER", help="taken, passed-on, not-ours, rejected."
        ),
    ],
    cause: Annotated[
        str, typer.Option(metavar="TEXT", help="Why rejected; to whom passed on.")
    ] = "",
) -> None:
    """Say what your node does about it: seefen alert answer seefen-border#1 taken."""
    if how in {"rejected", "passed_on"} and not cause.strip():
        missing = "why it is rejected" if how == "rejected" else "to whom it was passed on"
        raise UsageError(f"{missing} is missing", "--cause 'a few words'")
    with opened(context) as session:
        sent = session.do(lambda client: client.alerts.answer(str(ref), how, cause=cause))
        sending.finish(session, sent)


@group.command()
def confirm(context: typer.Context, ref: Ref, until: Matters = None) -> None:
    """Send a preliminary alert of yours again, as confirmed: seefen alert confirm REF."""
    with opened(context) as session:
        sent = session.do(lambda client: client.amend.confirm(str(ref), matters_s=until))
        sending.finish(session, sent)


@group.command()
def flash(context: typer.Context, ref: Ref) -> None:
    """Confirm a colleague's alert as FLASH, so that it rings: seefen alert flash REF."""
    with opened(context) as session:
        sending.finish(session, session.do(lambda client: client.ringing.confirm(str(ref))))
        sending.show_reach(session, str(ref))


@group.command()
def ring(context: typer.Context, ref: Ref) -> None:
    """Ring your own node's devices for another node's alert: seefen alert ring REF."""
    with opened(context) as session:
        sending.finish(session, session.do(lambda client: client.ringing.ring(str(ref))))


@group.command()
def replace(
    context: typer.Context,
    ref: Ref,
    form: Annotated[
        Path,
        typer.Option("--form", parser=existing_file, metavar="FILE.json", help="The whole alert."),
    ],
    photo: Photos = None,
    original: Original = False,
    until: Matters = None,
) -> None:
    """Replace an alert of yours by a newer one: seefen alert replace REF --form corrected.json."""
    photos, newer = distinct(photo, "photo"), forms.seizure_alert(form)
    with opened(context) as session:
        with session.screen.progress() as report:
            sent = session.do(
                lambda client: client.amend.replace(
                    str(ref), newer, photos, report, original=original, matters_s=until
                )
            )
        sending.finish(session, sent)


@group.command()
def reach(context: typer.Context, ref: Ref) -> None:
    """Show node by node how far an alert got: seefen alert reach seefen-border#1."""
    with opened(context, glance=True) as session:
        found = session.do(lambda client: client.alerts.reach(str(ref)))
        session.screen.show(found, lambda rows: alerts.reached(str(ref), rows))
