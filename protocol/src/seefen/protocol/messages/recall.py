"""Recall: a message must not be used any more, and every recipient says that it is erased."""

from typing import Annotated, ClassVar, Final

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.form import Message, Story, coded, refuse, required
from seefen.protocol.requests import Act
from seefen.protocol.statements import Id

_DAY: Final = 86_400


class Recall(Message, kw_only=True, frozen=True):
    """Takes back a message of one's own.

    Attributes:
        of: The message that is taken back.
    """

    TYPE: ClassVar[str] = "Recall"

    urgency: Annotated[str, coded("urgency")] = "URGENT"
    urgency_reason: Annotated[str, coded("urgency_reason")] = "other"
    of: Id
    recall_reason: Annotated[str, coded("recall_reason")]
    text: Story = ""

    def check(self) -> None:
        """Check that it gives a reason."""
        super().check()
        required("recall_reason", self.recall_reason)
        if self.recall_reason == "other" and not self.text.strip():
            refuse("text", "say the reason in words", "no-cause")

    def what(self) -> tuple[Said, ...]:
        """Return that it is taken back, and why."""
        return (
            Said(table="form", code="recall"),
            Said(table="recall_reason", code=self.recall_reason),
        )

    def act(self) -> Act:
        """Return that each recipient owes a confirmation."""
        return Act.ASK

    def due_s(self) -> int:
        """Return the day in which it is confirmed."""
        return _DAY
