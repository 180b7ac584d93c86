"""``seefen trace``: ask where a gun comes from, and answer."""

from pathlib import Path
from typing import Annotated

import typer

from seefen.client.cli import forms, sending, times, trace_dialogue
from seefen.client.cli.arguments import CaseName, Original, Ref, distinct, existing_file
from seefen.client.cli.session import Session, opened
from seefen.protocol.messages import TraceReply, TraceRequest

group = typer.Typer(help="Trace requests and their answers.")
Form = Annotated[
    Path | None,
    typer.Option("--form", parser=existing_file, metavar="FILE.json", help="All fields as JSON."),
]
Files = Annotated[
    list[Path] | None,
    typer.Option("--file", parser=existing_file, metavar="FILE", help="May be given often."),
]


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="trace")


@group.command()
def ask(
    context: typer.Context,
    case: CaseName,
    form: Form = None,
    file: Files = None,
    original: Original = False,
) -> None:
    """Ask for a trace: seefen trace ask SF-2026-SKP-00418 --form request.json --file photo.jpg."""
    files = distinct(file, "file")
    given = None if form is None else forms.trace_request(form)
    with opened(context) as session:
        request = _asked(session) if given is None else given
        with session.screen.progress() as report:
            sent = session.do(
                lambda client: client.requests.ask(case, request, files, report, original=original)
            )
        sending.finish(session, sent)


@group.command()
def answer(
    context: typer.Context,
    ref: Ref,
    form: Form = None,
    file: Files = None,
    original: Original = False,
) -> None:
    """Answer a trace request: seefen trace answer SF-2026-SKP-00418#3 --form reply.json."""
    files = distinct(file, "file")
    given = None if form is None else forms.trace_reply(form)
    with opened(context) as session:
        reply = _answered(session) if given is None else given
        with session.screen.progress() as report:
            sent = session.do(
                lambda client: client.requests.move(
                    str(ref), reply, files, report, original=original
                )
            )
        sending.finish(session, sent)


def _asked(session: Session) -> TraceRequest:
    def fill(message: TraceRequest) -> TraceRequest:
        return session.do(lambda client: client.presets.fill(message))

    return trace_dialogue.ask(session.screen, times.now(), fill)


def _answered(session: Session) -> TraceReply:
    def fill(message: TraceReply) -> TraceReply:
        return session.do(lambda client: client.presets.fill(message))

    return trace_dialogue.answer(session.screen, times.now(), fill)
