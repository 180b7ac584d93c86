"""``seefen guest``: whom your node lets look at its entries for a while, and nothing else."""

from datetime import datetime
from typing import Annotated

import typer

from seefen.client import Client
from seefen.client.cli.arguments import day_end, day_start, device_at
from seefen.client.cli.session import opened
from seefen.client.cli.views import grants
from seefen.client.granting import GUEST_DAYS, ViewGrant

group = typer.Typer(help="Guests: a supervisory authority that looks for a while, cores alone.")

Guest = Annotated[
    str, typer.Argument(parser=device_at, metavar="NODE/DEVICE", help="Whose: node and officer.")
]


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="guest")


@group.command()
def add(
    context: typer.Context,
    device: Guest,
    since: Annotated[
        datetime,
        typer.Option("--from", parser=day_start, metavar="DAY", help="Made from this day on, UTC."),
    ],
    until: Annotated[
        datetime,
        typer.Option("--until", parser=day_end, metavar="DAY", help="This day is the last, UTC."),
    ],
    days: Annotated[
        int, typer.Option(min=1, max=GUEST_DAYS, help="For how long the guest may look.")
    ] = 30,
) -> None:
    """Let a guest look: seefen guest add oversight-board/o-2b9f --from 2026-01-01 --until ..."""

    async def given(client: Client) -> ViewGrant:
        start, stop = int(since.timestamp()), int(until.timestamp())
        return await client.root.views.invite_guest(device, start, stop, days=days)

    with opened(context) as session:
        session.screen.show(session.do(given), grants.given)


@group.command()
def remove(context: typer.Context, device: Guest) -> None:
    """Let a guest look no more: seefen guest remove oversight-board/o-2b9f."""
    with opened(context) as session:
        gone = session.do(lambda client: client.root.views.take_back(device))
        session.screen.show(gone, grants.given)


@group.command("list")
def list_(context: typer.Context) -> None:
    """List who may look at your node's entries, or at all: seefen guest list."""
    with opened(context, glance=True) as session:
        node = session.do(lambda client: client.node)

        def found(client: Client) -> list[ViewGrant]:
            return [one for one in client.root.views.list() if one.of in ("", node)]

        session.screen.show(session.do(found), lambda value: grants.listed(value, node))
