"""A trace request or reply, before it is sent."""

from seefen.client.cli import terms
from seefen.client.cli.paint import Painted, bold, line, stack
from seefen.client.cli.scripts import remark
from seefen.client.cli.views import messages
from seefen.protocol.messages import TraceReply, TraceRequest


def before_sending(message: TraceRequest | TraceReply) -> Painted:
    """Return what is about to be sent."""
    note = remark(message.item.serial_as_read) if isinstance(message, TraceRequest) else ""
    return stack(
        line(""),
        bold(message.cover().subject),
        messages.body(message),
        line("  ", note) if note else None,
        messages.terms(message),
        line(terms.of(message)),
    )
