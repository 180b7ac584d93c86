"""``seefen status``: this device, its node, the network, and whether all is well."""

import typer

from seefen.client import Client
from seefen.client.cli.session import opened
from seefen.client.cli.views import state
from seefen.client.cli.views.state import Status


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(status)


def status(context: typer.Context) -> None:
    """Show this device, the connection, the nodes and any alarm."""
    with opened(context, glance=True) as session:
        session.screen.show(session.do(_collected), state.page)


def _collected(client: Client) -> Status:
    return Status(
        network=client.network,
        net=client.net,
        quorum=client.quorum,
        named=len(client.root.show().witnesses),
        node=client.node,
        device=client.device_hex,
        officer=client.officer,
        roles=tuple(client.roles),
        online=client.online,
        checkpoint_at=client.checkpoint_at,
        queued=tuple(client.queued()),
        journal=client.journal.waiting,
        unsealed=client.journal.is_unsealed,
        alarms=client.alarms,
        watches=tuple(client.watch.list()),
        nodes=tuple(client.nodes()),
        unopened=client.watch.unopened(),
    )
