"""``seefen due``, ``check`` and ``search``: what waits, and what is known."""

from dataclasses import replace
from typing import Annotated

import typer

from seefen.client import Client
from seefen.client.cli.arguments import serial
from seefen.client.cli.conditions import Basis, Conditions, Purpose, Reason, under
from seefen.client.cli.session import opened
from seefen.client.cli.views import alerts, duty, emergencies, handover
from seefen.client.values import CheckResult, Found


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(due)
    app.command()(check)
    app.command()(search)


def due(context: typer.Context) -> None:
    """Show what is open: what waits for your node, then what others owe it."""
    with opened(context, glance=True) as session:
        session.screen.show(session.do(lambda client: client.requests.due()), duty.due)
        over = session.do(lambda client: client.alerts.expired())
        if over:
            session.screen.say(duty.expired(over))
        open_ = session.do(lambda client: client.alerts.unanswered())
        if open_:
            session.screen.say(alerts.unanswered(open_))
        waiting = session.do(lambda client: client.duty.emergencies.list())
        if waiting:
            session.screen.say(emergencies.listed(waiting))
        officer = session.do(lambda client: client.officer)
        for view in session.do(lambda client: client.duty.handover.told()):
            shown = handover.shown(view, session.screen.lang, officer=officer, lists=False)
            session.screen.say(shown)


def check(
    context: typer.Context,
    number: Annotated[
        str, typer.Argument(parser=serial, metavar="SERIAL", help="As read; ? is unreadable.")
    ],
    purpose: Purpose = None,
    basis: Basis = None,
    reason: Reason = "",
) -> None:
    """Look for a serial number in this vault alone: seefen check С-84417."""  # noqa: RUF002

    async def look(client: Client, terms: Conditions) -> CheckResult:
        found = client.check(number, terms.purpose, terms.basis, terms.reason)
        return replace(found, entry=await client.journal.upload())

    with opened(context, glance=True) as session:
        found = under(session, Conditions(purpose, basis, reason), look)
        session.screen.show(found, lambda result: duty.checked(number, result))


def search(
    context: typer.Context,
    words: Annotated[list[str], typer.Argument(metavar="WORDS...", help="Parts of words do.")],
    purpose: Purpose = None,
    basis: Basis = None,
    reason: Reason = "",
) -> None:
    """Look for words in what this device has opened: seefen search милош passat."""
    text = " ".join(words)

    async def look(client: Client, terms: Conditions) -> Found:
        found = client.search(text, terms.purpose, terms.basis, terms.reason)
        return replace(found, entry=await client.journal.upload())

    with opened(context, glance=True) as session:
        session.screen.show(under(session, Conditions(purpose, basis, reason), look), duty.found)
