"""What all commands that send have in common: the text, the bar, and how far it got."""

import sys
from typing import Final

import typer

from seefen.client.cli.arguments import UsageError
from seefen.client.cli.complaints import QUEUED, REFUSED
from seefen.client.cli.session import Session
from seefen.client.cli.views import sent as views
from seefen.client.values import Sent

_TEXT_LIMIT: Final = 100_000  # characters


def note(text: str) -> str:
    """Return the text to send; ``-`` reads it from standard input."""
    if text == "-":
        text = sys.stdin.read(_TEXT_LIMIT + 1)
    if len(text) > _TEXT_LIMIT:
        raise UsageError("a note has at most 100,000 characters", "send it as a file: --file")
    return text.strip()


def finish(session: Session, sent: Sent) -> None:
    """Show how far it got; what is only queued ends the command with exit code 3."""
    session.screen.show(sent, views.sent)
    if sent.problem:
        raise typer.Exit(REFUSED)
    if sent.queued:
        raise typer.Exit(QUEUED)
