"""``seefen nodes`` and ``card``: whom to call, and what others see of your own node."""

from typing import Annotated

import typer

from seefen.client.cli.arguments import UsageError, case_name, code_of, distinct
from seefen.client.cli.session import opened
from seefen.client.cli.views import cards
from seefen.protocol.messages import NodeStatus, message_from_form


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(nodes)
    app.command()(card)


def nodes(context: typer.Context) -> None:
    """List the nodes with their cards: telephone, hours, languages."""
    with opened(context, glance=True) as session:
        lang = session.screen.lang
        found = session.do(lambda client: client.duty.cards.list())
        session.screen.show(found, lambda value: cards.listed(value, lang))


def card(
    context: typer.Context,
    telephone: Annotated[
        str, typer.Option(metavar="NUMBER", help="Where your officer on duty answers.")
    ],
    hours: Annotated[str, typer.Option(metavar="TEXT", help="When it is staffed [00-24].")] = "",
    language: Annotated[
        list[str] | None,
        typer.Option(parser=code_of("lang"), metavar="LANG", help="May be given often."),
    ] = None,
    state: Annotated[
        str,
        typer.Option(parser=code_of("node_state"), metavar="STATE", help="open, reduced, closed."),
    ] = "open",
    until: Annotated[
        str, typer.Option(metavar="TIME", help="Needed if not open: 2026-05-10T07:00+02:00.")
    ] = "",
    text: Annotated[str, typer.Option(metavar="TEXT", help="Units, and what else helps.")] = "",
    channel: Annotated[
        list[str] | None,
        typer.Option(parser=case_name, metavar="CHANNEL", help="All of them, if none is named."),
    ] = None,
) -> None:
    """Publish your node's card: seefen card --telephone "+000 00 0000" --language mk."""
    form = {
        "telephone": telephone.strip(),
        "hours": hours,
        "languages": list(distinct(language, "language")),
        "state": state,
        "until": until,
        "text": text,
    }
    made = message_from_form("NodeStatus", {k: v for k, v in form.items() if v})
    channels = distinct(channel, "channel")
    if not isinstance(made, NodeStatus) or not made.telephone:
        raise UsageError("a card needs a telephone", '--telephone "+000 00 0000"')
    with opened(context) as session:
        sent = session.do(lambda client: client.duty.cards.publish(made, channels))
        session.screen.show(sent, cards.published)
