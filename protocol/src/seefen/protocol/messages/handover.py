"""Handover: what an officer leaves to the next one on watch: references, counts, a few words."""

from typing import Annotated, ClassVar

from msgspec import Meta

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.form import Message, Officer, Story, coded
from seefen.protocol.statements import Count, Id


class Handover(Message, kw_only=True, frozen=True):
    """A hand-over of the watch, in the house. It asks nobody, and nothing waits for it.

    Attributes:
        officer: Whom it is for; whoever comes, if nobody is named.
        waiting: The alerts and requests that wait for an answer of the own node.
        owed: The requests of the own node that others have not answered.
        more: How many of both are not named here.
        queued: Messages and files that wait on the machine of who hands over.
        drafts: Half-filled forms there.
    """

    TYPE: ClassVar[str] = "Handover"

    urgency: Annotated[str, coded("urgency")] = "ROUTINE"
    officer: Officer = ""
    waiting: Annotated[tuple[Id, ...], Meta(max_length=256)] = ()
    owed: Annotated[tuple[Id, ...], Meta(max_length=256)] = ()
    more: Count = 0
    queued: Count = 0
    drafts: Count = 0
    text: Story = ""

    def what(self) -> tuple[Said, ...]:
        """Return that it is one; what is open stays in the body."""
        return (Said(table="form", code="handover"),)
