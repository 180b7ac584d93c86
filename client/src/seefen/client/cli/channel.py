"""``seefen channel``: standing cases that alerts travel in."""

from collections import Counter

import typer

from seefen.client.cli.arguments import CaseName, NodeNames, distinct
from seefen.client.cli.session import opened
from seefen.client.cli.views import cases

group = typer.Typer(help="Channels: who hears an alert.")


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="channel")


@group.command("open")
def open_(context: typer.Context, channel: CaseName, nodes: NodeNames) -> None:
    """Open a channel: seefen channel open seefen-border belgrade-ffp pristina-ffp."""
    chosen = distinct(nodes, "node", least=1)
    with opened(context) as session:
        made = session.do(lambda client: client.channels.open(channel, chosen))
        session.screen.show(made, cases.opened)


@group.command("list")
def list_(context: typer.Context) -> None:
    """List the channels of your node."""
    with opened(context, glance=True) as session:
        found = session.do(lambda client: client.channels.list())
        alerts = Counter(one.case for one in session.do(lambda client: client.alerts.list()))
        session.screen.show(found, lambda views: cases.channel_list(views, alerts))


@group.command()
def add(context: typer.Context, channel: CaseName, nodes: NodeNames) -> None:
    """Let nodes hear what is sent from now on: seefen channel add seefen-border tirana-border."""
    chosen = distinct(nodes, "node", least=1)
    with opened(context) as session:
        changed = session.do(lambda client: client.channels.add(channel, chosen))
        session.screen.show(changed, lambda view: cases.added(view, chosen))


@group.command()
def remove(context: typer.Context, channel: CaseName, nodes: NodeNames) -> None:
    """Take nodes out: seefen channel remove seefen-border tirana-border."""
    chosen = distinct(nodes, "node", least=1)
    with opened(context) as session:
        changed = session.do(lambda client: client.channels.remove(channel, chosen))
        session.screen.show(changed, lambda view: cases.removed(view, chosen))
