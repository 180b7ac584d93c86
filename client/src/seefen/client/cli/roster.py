"""``seefen roster``: the paper by which keyholders assign cases."""

from pathlib import Path
from typing import Annotated

import typer

from seefen.client.cli import forms, sending
from seefen.client.cli.arguments import UsageError, existing_file
from seefen.client.cli.session import opened
from seefen.client.cli.views import rosters
from seefen.protocol.messages import Roster

group = typer.Typer(help="Who works on what, and when: cases are assigned by it.")


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="roster")


@group.command("set")
def set_(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(parser=existing_file, metavar="FILE.json", help="The whole roster.")
    ],
) -> None:
    """Lay your node's roster down, as its admin: seefen roster set roster.json."""
    roster = forms.message(file)
    if not isinstance(roster, Roster):
        raise UsageError(f"this form is a {roster.TYPE}", '"type": "Roster"')
    with opened(context) as session:
        sending.finish(session, session.do(lambda client: client.duty.assigning.lay_down(roster)))


@group.command()
def show(context: typer.Context) -> None:
    """Show the roster that binds, and who laid it down."""
    with opened(context) as session:
        lang = session.screen.lang
        said = session.do(lambda client: client.duty.assigning.roster())
        session.screen.show(said, lambda value: rosters.shown(value, lang))
