"""``seefen queue``: what waits to leave this machine, and taking it back before it does."""

import re
from typing import Annotated, Final

import typer

from seefen.client.cli.arguments import UsageError
from seefen.client.cli.paint import safe
from seefen.client.cli.session import opened
from seefen.client.cli.views import queue as views

group = typer.Typer(help="What waits to be sent: list it, take back what has not left.")
_ID: Final = re.compile(r"[0-9a-f]{4,32}", re.ASCII)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="queue")


def _id(text: str) -> str:
    found = _ID.fullmatch(text.strip().lower())
    if found is None:
        raise UsageError(
            f"'{safe(text)}' is no ID of what waits", "'seefen queue list' prints them: 4f2a9c10"
        )
    return found[0]


@group.command("list")
def list_(context: typer.Context) -> None:
    """Show what waits: since when, why, and what you can do."""
    with opened(context, glance=True) as session:
        online = session.do(lambda client: client.online)
        waiting = session.do(lambda client: client.queue.list())
        session.screen.show(waiting, lambda rows: views.listed(rows, online=online))


@group.command()
def drop(
    context: typer.Context,
    id_: Annotated[
        str, typer.Argument(parser=_id, metavar="ID", help="As 'queue list' prints it.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
) -> None:
    """Take back what has not left, with its files: seefen queue drop 4f2a9c10."""
    with opened(context, away=True) as session:
        view = session.do(lambda client: client.queue.find(id_))
        if not yes:
            if not session.screen.can_ask:
                raise UsageError("nobody is there to say that it is meant", "--yes says it")
            session.screen.say(views.asked(view))
            if not session.screen.confirm("Take it back for good?"):
                raise typer.Abort
        gone = session.do(lambda client: client.queue.drop(id_))
        session.screen.show(gone, views.dropped)
