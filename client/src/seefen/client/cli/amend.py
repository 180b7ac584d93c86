"""``seefen correct``, ``recall``, ``erase``: what was sent is wrong, or may not be used."""

from typing import Annotated

import typer

from seefen.client.cli import sending
from seefen.client.cli.arguments import Ref, UsageError, code_of
from seefen.client.cli.session import Session, opened
from seefen.client.cli.views import objects
from seefen.protocol.messages import TABLES

Text = Annotated[str, typer.Option("--text", "-t", help="In words; '-' reads it from stdin.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(correct)
    app.command()(recall)
    app.command()(erase)


def correct(
    context: typer.Context,
    ref: Ref,
    now: Annotated[str, typer.Option(metavar="TEXT", help="What is right.")] = "",
    why: Annotated[
        str, typer.Option(parser=code_of("wrong"), metavar="CODE", help=", ".join(TABLES["wrong"]))
    ] = "new_facts",
    was: Annotated[str, typer.Option(metavar="TEXT", help="What it said.")] = "",
    no_words: Annotated[
        bool, typer.Option("--no-words", help="That it is wrong, and nothing of what it said.")
    ] = False,
) -> None:
    """Correct a message of yours: seefen correct REF --was 'nny 82' --now 'ppu 82'."""
    if no_words == bool(now) or (no_words and was):
        raise UsageError("say what is right", "--now TEXT, or --no-words and the telephone")
    with opened(context) as session:
        sent = session.do(lambda client: client.amend.correct(str(ref), why, now, was))
        sending.finish(session, sent)


def recall(
    context: typer.Context,
    ref: Ref,
    why: Annotated[
        str,
        typer.Option(
            parser=code_of("recall_reason"), metavar="CODE", help=", ".join(TABLES["recall_reason"])
        ),
    ],
    text: Text = "",
) -> None:
    """Take a message of yours back: seefen recall seefen-border#1 --why wrong_data."""
    words = sending.note(text)
    with opened(context) as session:
        sent = session.do(lambda client: client.amend.recall(str(ref), why, words))
        sending.finish(session, sent)


def erase(
    context: typer.Context,
    ref: Ref,
    keep: Annotated[
        str, typer.Option("--keep", metavar="WHY", help="Keep it closed, as evidence: say why.")
    ] = "",
    passed_to: Annotated[
        str, typer.Option("--passed-to", metavar="WHOM", help="To whom you had passed it on.")
    ] = "",
    gone: Annotated[
        bool, typer.Option("--gone", help="What was fetched of it is deleted, copies as well.")
    ] = False,
) -> None:
    """Erase what its author took back, and tell him: seefen erase seefen-border#1."""
    if keep and passed_to:
        raise UsageError("kept, or passed on and erased?", "give --keep or --passed-to")
    how = "restricted" if keep else "passed_on" if passed_to else "erased"
    with opened(context) as session:
        if not keep and not gone:
            _require_gone(session, str(ref))
        sent = session.do(
            lambda client: client.amend.erase(str(ref), how, text=keep, passed_to=passed_to)
        )
        sending.finish(session, sent)


def _require_gone(session: Session, ref: str) -> None:
    """Name what was fetched of a message, and ask whether it is gone: nobody else knows."""
    paths = session.do(lambda client: client.files.fetched(ref))
    if not paths or any(path.exists() for path in paths):
        return  # what lies there still is refused with its names
    session.screen.say(objects.fetched_before(paths))
    if not session.screen.can_ask:
        raise UsageError("files of it were fetched to this disk", "--gone says they are deleted")
    if not session.screen.confirm("Are they deleted, and all copies of them?"):
        raise UsageError("nothing was erased, nothing was confirmed", "or --keep WHY, as evidence")
