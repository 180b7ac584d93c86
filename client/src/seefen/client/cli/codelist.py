"""``seefen codelist``: codes that came as an update, and that your node adopted."""

import typer

from seefen.client.cli import sending
from seefen.client.cli.arguments import Ref
from seefen.client.cli.session import opened
from seefen.client.cli.views import codelists

group = typer.Typer(help="New codes: proposed by anybody, adopted by your admin.")


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="codelist")


@group.command("list")
def list_(context: typer.Context) -> None:
    """List the codes your node adopted, with their sources."""
    with opened(context, glance=True) as session:
        found = session.do(lambda client: client.duty.codelists.list())
        session.screen.show(found, codelists.listed)


@group.command()
def adopt(context: typer.Context, ref: Ref) -> None:
    """Adopt the update in a message you opened, as an admin: seefen codelist adopt REF."""
    with opened(context) as session:
        sending.finish(session, session.do(lambda client: client.duty.codelists.adopt(str(ref))))
        session.do(lambda client: client.duty.codelists.apply())
