"""OnwardDecision: the originator says whether, to whom and under which conditions."""

from typing import Annotated, ClassVar

from msgspec import Meta

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.form import Day, Line, Message, Nodes, Story, coded, refuse, required
from seefen.protocol.requests import Act
from seefen.protocol.statements import Id


class OnwardDecision(Message, kw_only=True, frozen=True):
    """The originator's decision, which ``reply_to`` ties to the request.

    Attributes:
        of: The message that may, or may not, be passed on.
        until: The last day of the permission, nothing for no end.
    """

    TYPE: ClassVar[str] = "OnwardDecision"

    of: Id
    decision: Annotated[str, coded("decision")]
    recipient: Annotated[Line, Meta(min_length=1)]
    until: Day = ""
    to: Nodes = ()
    text: Story = ""

    def check(self) -> None:
        """Check that conditions are said, and a refusal explained."""
        super().check()
        required("decision", self.decision)
        if self.decision == "conditions" and not self.conditions.strip():
            refuse("conditions", "say the conditions in words")
        if self.decision == "refused":
            required("text", self.text.strip())

    def what(self) -> tuple[Said, ...]:
        """Return the decision."""
        return (Said(table="decision", code=self.decision),)

    def act(self) -> Act:
        """Return the move in the life of the request."""
        return Act.REFUSE if self.decision == "refused" else Act.ANSWER

    def asked(self) -> tuple[str, ...]:
        """Return who asked."""
        return self.to
