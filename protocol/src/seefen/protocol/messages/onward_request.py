"""OnwardRequest: may this be passed on? Without the originator's leave nothing goes further."""

from typing import Annotated, ClassVar

from msgspec import Meta

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.form import (
    Line,
    Message,
    Nodes,
    Story,
    clock_s,
    required,
)
from seefen.protocol.requests import Act
from seefen.protocol.statements import Id


class OnwardRequest(Message, kw_only=True, frozen=True):
    """May this be passed on?

    Attributes:
        of: The message that is to be passed on.
        recipient: A node of the network, or the body outside of it.
        why: What for.
    """

    TYPE: ClassVar[str] = "OnwardRequest"

    of: Id
    to: Nodes = ()
    recipient: Annotated[Line, Meta(min_length=1)]
    outside: bool = False
    why: Story

    def check(self) -> None:
        """Check that it says to whom, what for, and on which basis."""
        super().check()
        required("to", self.to)
        required("recipient", self.recipient.strip())
        required("why", self.why.strip())
        required("purpose", self.purpose)
        required("basis", self.basis)

    def what(self) -> tuple[Said, ...]:
        """Return that it is asked, and what for."""
        return (Said(table="form", code="onward"), Said(table="purpose", code=self.purpose))

    def act(self) -> Act:
        """Return that the originator owes a decision."""
        return Act.ASK

    def due_s(self) -> int:
        """Return the time for a decision."""
        return clock_s("request", self.urgency)

    def asked(self) -> tuple[str, ...]:
        """Return the originator."""
        return self.to
