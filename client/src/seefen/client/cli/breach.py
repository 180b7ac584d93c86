"""``seefen breach``: what a lost device, or a case, could have shown."""

from datetime import datetime
from typing import Annotated

import typer

from seefen.client.cli.arguments import UsageError
from seefen.client.cli.audit_inquiries import require_whole
from seefen.client.cli.paint import safe
from seefen.client.cli.session import opened
from seefen.client.cli.views import breaches


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(breach)


def _moment(text: str) -> datetime:
    """Return a moment, in the zone of this machine."""
    try:
        return datetime.fromisoformat(text.strip()).astimezone()
    except (ValueError, OverflowError):
        raise UsageError(
            f"'{safe(text)}' is no time", "write 2026-03-14T18:00, in local time"
        ) from None


def breach(
    context: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="DEVICE|CASE", help="Officer, eight digits of a device's id, or case."
        ),
    ],
    aware: Annotated[
        datetime | None,
        typer.Option(
            parser=_moment, metavar="TIME", help="When you became aware, if not now: 72 h from it."
        ),
    ] = None,
) -> None:
    """Say what could be exposed, to whom, until when: seefen breach o-2b9f."""
    if not what.strip():
        raise UsageError("whose breach is missing", "seefen breach o-2b9f, or a case")
    since = None if aware is None else int(aware.timestamp())
    with opened(context) as session:
        found = session.do(lambda client: client.audit.breach(what.strip(), since))
        session.screen.show(found, breaches.breaches)
        require_whole(session)
