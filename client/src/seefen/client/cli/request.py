"""``seefen request``: ask, and what both sides do until it is closed."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from seefen.client import Client
from seefen.client.cli import drafted, referring, sending
from seefen.client.cli.arguments import (
    CaseName,
    Original,
    Ref,
    UsageError,
    code_of,
    distinct,
    existing_file,
)
from seefen.client.cli.paint import dim
from seefen.client.cli.session import opened
from seefen.client.cli.views import requests
from seefen.client.values import Sent
from seefen.protocol.messages import TABLES, InfoReply, Recall, TraceReply
from seefen.protocol.requests import OBTAINABLE, OBTAINABLE_S

group = typer.Typer(help="Requests: one clock for each node that is asked.")
Form = Annotated[
    Path,
    typer.Option("--form", parser=existing_file, metavar="FILE.json", help="All fields as JSON."),
]
OptionalForm = Annotated[
    Path | None,
    typer.Option("--form", parser=existing_file, metavar="FILE.json", help="All fields as JSON."),
]
Files = Annotated[
    list[Path] | None,
    typer.Option("--file", parser=existing_file, metavar="FILE", help="May be given often."),
]
Text = Annotated[str, typer.Option("--text", "-t", help="In words; '-' reads it from stdin.")]


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="request")


def _send(context: typer.Context, do: Callable[[Client], Awaitable[Sent]]) -> None:
    async def run(client: Client) -> Sent:
        return await do(client)

    with opened(context) as session:
        sending.finish(session, session.do(run))


def _said(text: str, what: str) -> str:
    said = sending.note(text)
    if not said:
        raise UsageError("the words are missing", f"--text '{what}'")
    return said


@group.command("list")
def list_(context: typer.Context) -> None:
    """List all requests, the newest first."""
    with opened(context, glance=True) as session:
        session.screen.show(session.do(lambda client: client.requests.list()), requests.listed)


@group.command()
def show(context: typer.Context, ref: Ref) -> None:
    """Show how a request stands at each node: seefen request show SF-2026-SKP-00418#3."""
    with opened(context, glance=True) as session:
        view, node = session.do(lambda client: (client.requests.show(str(ref)), client.node))
        session.screen.show(view, lambda one: requests.shown(one, node=node))
        let = session.do(lambda client: client.onward.permitted(str(ref)))
        if view.type == Recall.TYPE and view.ours and let:
            where = f"Your node let it go on to {', '.join(let)}: whoever passed it on there"
            session.screen.say(dim(f"{where} owes the recall of his copy, and then this."))
        if session.do(lambda client: client.draft(drafted.name_of(str(ref)))) is not None:
            session.screen.say(
                dim(f"A program drafted an answer: seefen request answer {ref} --draft")
            )


@group.command()
def ask(
    context: typer.Context,
    case: CaseName,
    form: Form,
    file: Files = None,
    original: Original = False,
) -> None:
    """Ask nodes of a case: seefen request ask SF-2026-SKP-00418 --form request.json."""
    files, filled = distinct(file, "file"), referring.filled(form)
    with opened(context) as session:
        message = filled.placed(session)
        with session.screen.progress() as report:
            sent = session.do(
                lambda client: client.requests.ask(case, message, files, report, original=original)
            )
        sending.finish(session, sent)


@group.command()
def answer(
    context: typer.Context,
    ref: Ref,
    form: OptionalForm = None,
    draft: Annotated[
        bool, typer.Option("--draft", help="Look at what a program drafted, and send it.")
    ] = False,
    file: Files = None,
    original: Original = False,
) -> None:
    """Answer: seefen request answer SF-2026-SKP-00418#3 --form reply.json --file annex.pdf."""
    if draft is (form is not None):
        raise UsageError("what is the answer?", "give --form FILE.json, or --draft")
    files = distinct(file, "file")
    given = None if form is None else referring.filled(form)
    with opened(context) as session:
        message = drafted.reply(session, str(ref)) if given is None else given.placed(session)
        with session.screen.progress() as report:
            sent = session.do(
                lambda client: client.requests.move(
                    str(ref), message, files, report, original=original
                )
            )
        if draft:
            session.do(lambda client: client.forget_draft(drafted.name_of(str(ref))))
        sending.finish(session, sent)


@group.command()
def query(context: typer.Context, ref: Ref, text: Text = "") -> None:
    """Ask back; the clock stands: seefen request query REF --text 'Which frame?'."""
    words = _said(text, "Which frame?")
    _send(context, lambda client: client.requests.query(str(ref), words))


@group.command()
def clarify(context: typer.Context, ref: Ref, text: Text = "") -> None:
    """Answer what was asked back; the clock goes on."""
    words = _said(text, "The one of photograph 2")
    _send(context, lambda client: client.requests.clarify(str(ref), words))


@group.command()
def interim(context: typer.Context, ref: Ref, text: Text = "") -> None:
    """Tell how far it is, before the answer."""
    words = _said(text, "The archive is being searched")
    _send(context, lambda client: client.requests.interim(str(ref), words))


@group.command()
def extend(
    context: typer.Context,
    ref: Ref,
    days: Annotated[
        int | None, typer.Option(min=1, max=366, help="Days from its delivery.")
    ] = None,
    why: Annotated[
        str | None,
        typer.Option(parser=code_of("delay"), metavar="CODE", help=", ".join(TABLES["delay"])),
    ] = None,
    obtainable: Annotated[
        bool,
        typer.Option(
            "--obtainable", help="Urgent, but it must be searched for: 3 days from its delivery."
        ),
    ] = False,
    text: Text = "",
) -> None:
    """Say that it takes longer: seefen request extend REF --days 14 --why paper_register."""
    if (days is None) is not (why is None) or obtainable is (days is not None):
        raise UsageError("how long, and why?", "--days 14 --why paper_register, or --obtainable")
    code, length = (why or OBTAINABLE), (days or OBTAINABLE_S // 86_400)
    words = sending.note(text)
    _send(context, lambda client: client.requests.extend(str(ref), length, code, words))


@group.command("pass-on")
def pass_on(
    context: typer.Context,
    ref: Ref,
    to: Annotated[str, typer.Option(metavar="UNIT", help="The unit that has it now.")],
) -> None:
    """Pass it on to a unit: seefen request pass-on REF --to 'registry, desk 3'."""
    _send(context, lambda client: client.requests.pass_on(str(ref), to))


@group.command()
def refuse(
    context: typer.Context,
    ref: Ref,
    ground: Annotated[
        str,
        typer.Option(parser=code_of("refusal"), metavar="CODE", help=", ".join(TABLES["refusal"])),
    ],
    text: Text = "",
) -> None:
    """Refuse, with a ground: seefen request refuse REF --ground ongoing."""
    words = sending.note(text)

    async def do(client: Client) -> Sent:
        view = client.requests.show(str(ref))
        reply = {"TraceRequest": TraceReply, "InfoRequest": InfoReply}.get(view.type)
        if reply is None:
            # Other forms have no refusal of their own.
            return await client.requests.answer(str(ref), "rejected", words, ground=ground)
        message = reply(outcome="refused", refusal_ground=ground, text=words)
        return await client.requests.move(str(ref), message)

    _send(context, do)


@group.command()
def permit(
    context: typer.Context,
    ref: Ref,
    until: Annotated[str, typer.Option(metavar="DAY", help="The last day: 2026-12-31.")] = "",
    conditions: Annotated[str, typer.Option(metavar="TEXT", help="Under which it may go.")] = "",
    refused: Annotated[str, typer.Option(metavar="WHY", help="It may not go.")] = "",
) -> None:
    """Let a message of yours be passed on to whom was named: seefen request permit REF."""
    if refused and (until or conditions):
        raise UsageError("may it go or not?", "leave out --refused, or the rest")
    _send(
        context,
        lambda client: client.onward.permit(
            str(ref), until=until, conditions=conditions, refused=refused
        ),
    )


@group.command()
def take(context: typer.Context, ref: Ref) -> None:
    """Say that your node works on it: seefen request take SF-2026-SKP-00418#3."""
    _send(context, lambda client: client.requests.answer(str(ref), "taken"))


@group.command("not-ours")
def not_ours(context: typer.Context, ref: Ref, text: Text = "") -> None:
    """Say that another node has it: seefen request not-ours REF --text 'ask Sarajevo'."""
    words = sending.note(text)
    _send(context, lambda client: client.requests.answer(str(ref), "not_ours", words))


@group.command()
def reject(context: typer.Context, ref: Ref, text: Text = "") -> None:
    """Send it back, and say why: seefen request reject REF --text 'the serial is missing'."""
    words = _said(text, "the serial is missing")
    _send(context, lambda client: client.requests.answer(str(ref), "rejected", words))


@group.command()
def withdraw(context: typer.Context, ref: Ref, text: Text = "") -> None:
    """Take back a request of your own: seefen request withdraw REF --text 'Found meanwhile'."""
    words = _said(text, "Found meanwhile")
    _send(context, lambda client: client.requests.withdraw(str(ref), words))


@group.command()
def close(
    context: typer.Context,
    ref: Ref,
    how: Annotated[
        str,
        typer.Argument(parser=code_of("closing"), metavar="HOW", help=", ".join(TABLES["closing"])),
    ],
    use: Annotated[
        str | None,
        typer.Option(
            parser=code_of("usefulness"), metavar="0-3", help="What the answers were worth."
        ),
    ] = None,
    text: Text = "",
) -> None:
    """Close a request of your own: seefen request close REF solved --use 3."""
    words = sending.note(text)
    _send(context, lambda client: client.requests.close(str(ref), how, use or "", words))
