"""``seefen due``, ``check`` and ``search``: what waits, and what is known."""

from dataclasses import replace
from typing import Annotated

import typer

from seefen.client import Client
from seefen.client.cli.arguments import serial
from seefen.client.cli.conditions import Basis, Conditions, Purpose, Reason, under
from seefen.client.cli.session import opened
from seefen.client.cli.views import due as views
from seefen.client.cli.views import duty
from seefen.client.cli.views.due import Due
from seefen.client.values import CheckResult, Found


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(due)
    app.command()(check)
    app.command()(search)


def due(context: typer.Context) -> None:
    """Show what is open: what waits for your node, then what others owe it."""
    with opened(context, glance=True) as session:
        officer, lang = session.do(lambda client: client.officer), session.screen.lang
        session.screen.show(
            session.do(_collected), lambda due: views.page(due, lang, officer=officer)
        )


def _collected(client: Client) -> Due:
    open_ = client.requests.due()
    return Due(
        waiting=tuple(one for one in open_ if one.waits_for_us),
        owed=tuple(one for one in open_ if not one.waits_for_us),
        expired=tuple(client.alerts.expired()),
        unanswered=tuple(client.alerts.unanswered()),
        emergencies=tuple(client.duty.emergencies.list()),
        handovers=client.duty.handover.told(),
    )


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
