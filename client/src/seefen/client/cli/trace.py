"""``seefen trace``: ask where a gun comes from, and answer."""

from pathlib import Path
from typing import Annotated

import typer

from seefen.client.cli import forms, sending, times, trace_about, trace_dialogue
from seefen.client.cli.arguments import (
    CaseName,
    Original,
    Ref,
    Reference,
    UsageError,
    distinct,
    existing_file,
    node_name,
    reference,
)
from seefen.client.cli.conditions import Accept, Conditions, under
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
    about: Annotated[
        Reference | None,
        typer.Option(parser=reference, metavar="REF", help="A message the weapon stands in."),
    ] = None,
    item: Annotated[int | None, typer.Option(min=1, help="Which of its weapons.")] = None,
    to: Annotated[
        list[str] | None,
        typer.Option("--to", parser=node_name, metavar="NODE", help="May be given often."),
    ] = None,
    file: Files = None,
    original: Original = False,
    accept: Accept = False,
) -> None:
    """Ask for a trace: seefen trace ask SF-2026-SKP-00418 --about seefen-border#1 --item 10."""
    files, asked = distinct(file, "file"), distinct(to, "node")
    if about is None and (item or asked):
        raise UsageError("--item and --to go with --about", "or name the nodes in the form")
    if about is not None and form is not None:
        raise UsageError("--form and --about say it twice", "leave one of them out")
    given = None if form is None else forms.trace_request(form)
    with opened(context) as session:
        if about is not None:
            request = _about(session, case, about, item or 0, asked, accept)
        else:
            request = _asked(session) if given is None else given
        with session.screen.progress() as report:
            sent = session.do(
                lambda client: client.requests.ask(case, request, files, report, original=original)
            )
        sending.finish(session, sent)


def _about(
    session: Session, case: str, about: Reference, item: int, to: tuple[str, ...], accept: bool
) -> TraceRequest:
    """Read a message, which leaves an entry where it was not read in this shift, and ask."""
    ref = str(about)
    read = under(
        session,
        Conditions(accept=accept),
        lambda client, terms: client.read(
            ref, terms.purpose, terms.basis, terms.reason, accept=terms.accept
        ),
    )
    given = trace_about.request(read.message, item, to, times.now())
    serial = given.item.serial_as_read
    session.do(lambda client: client.onward.require_about(ref, case, serial))
    request = session.do(lambda client: client.presets.fill(given))
    if session.screen.can_ask:
        return trace_dialogue.confirmed(session.screen, request)
    return request


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
        # Said before nine questions are answered, not after.
        session.do(lambda client: client.requests.show(str(ref)))
        if given is None:
            session.do(lambda client: client.requests.require_read(str(ref)))
        reply = _answered(session, str(ref)) if given is None else given
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


def _answered(session: Session, ref: str) -> TraceReply:
    def fill(message: TraceReply) -> TraceReply:
        return session.do(lambda client: client.presets.fill(message, client.cases.object_id(ref)))

    return trace_dialogue.answer(session.screen, times.now(), fill)
