"""What all commands that send have in common: the text, the bar, and how far it got."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

import typer

from seefen.client import Client
from seefen.client.cli.arguments import UsageError
from seefen.client.cli.complaints import QUEUED, REFUSED
from seefen.client.cli.session import Late, Session
from seefen.client.cli.views import alerts
from seefen.client.cli.views import sent as views
from seefen.client.values import Reach, Sent

_TEXT_LIMIT: Final = 8000  # characters, as a note has
_LOOK: Final = 0.2  # seconds
_RECEIPT: Final = 5  # seconds for it: then who sends is told what holds meanwhile


def note(text: str) -> str:
    """Return the text to send; ``-`` reads it from standard input."""
    if text == "-":
        text = sys.stdin.read(_TEXT_LIMIT + 1)
    if len(text) > _TEXT_LIMIT:
        raise UsageError("a note has at most 8,000 characters", "send it as a file: --file")
    return text.strip()


def urgently(session: Session, work: Callable[[Client], Coroutine[Any, Any, Sent]]) -> Sent:
    """Let the client send; where no receipt comes within seconds, say what holds meanwhile."""
    before = {one.id for one in session.do(lambda client: client.queue.list())}

    def tell() -> None:
        waiting = session.do(lambda client: client.queue.list())
        # Else it has left, and its files follow; what waited before is not what he has just sent.
        if any(not one.of and one.id not in before for one in waiting):
            session.screen.say(views.no_receipt())

    return session.do(work, Late(_RECEIPT, tell))


def finish(session: Session, sent: Sent) -> None:
    """Show how far it got; what is only queued ends the command with exit code 3."""
    online = session.do(lambda client: client.online)
    session.screen.show(sent, lambda value: views.sent(value, online=online))
    leave(session, sent)


def leave(session: Session, sent: Sent) -> None:
    """End the command with an exit code that says it, if something is only queued."""
    online = session.do(lambda client: client.online)
    if sent.queued:
        raise typer.Exit(REFUSED if online and sent.problem else QUEUED)


def show_reach(session: Session, ref: str, *, patience_s: float = 0) -> None:
    """Show node by node how far something of ours got.

    Args:
        patience_s: Seconds to wait for those who are on line.
    """
    if session.screen.machine:
        return
    rows = session.do(partial(_reached, ref, patience_s))
    if rows:
        session.screen.say(alerts.reach_lines(rows))


async def _reached(ref: str, patience_s: float, client: Client) -> list[Reach]:
    rows = client.alerts.reach(ref)
    for _ in range(int(patience_s / _LOOK)):
        if all(row.left_out or row.delivered_at is not None for row in rows):
            break
        await asyncio.sleep(_LOOK)
        rows = client.alerts.reach(ref)
    return rows
