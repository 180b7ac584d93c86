"""``seefen breach``: what a lost device, or a case, could have shown."""

from typing import Annotated

import typer

from seefen.client.cli.session import opened
from seefen.client.cli.views import breaches


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(breach)


def breach(
    context: typer.Context,
    what: Annotated[
        str, typer.Argument(metavar="DEVICE|CASE", help="Officer, start of a device's id, or case.")
    ],
) -> None:
    """Say what could be exposed, to whom, until when: seefen breach o-2b9f."""
    with opened(context) as session:
        found = session.do(lambda client: client.audit.breach(what.strip()))
        session.screen.show(found, breaches.breaches)
