"""Extension: an answer takes longer. It says until when, and why."""

from typing import Annotated, ClassVar

from msgspec import Meta

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.form import Message, Story, coded, refuse, required
from seefen.protocol.requests import OBTAINABLE, OBTAINABLE_S, Act
from seefen.protocol.statements import Id


class Extension(Message, kw_only=True, frozen=True):
    """A new date for a request.

    Attributes:
        of: The request.
        answer_in_s: Seconds from the delivery of the request in which the answer now comes.
        delay: Why; ``obtainable`` is for an urgent request, and means 3 days.
    """

    TYPE: ClassVar[str] = "Extension"

    of: Id
    answer_in_s: Annotated[int, Meta(ge=1, le=366 * 86_400)]
    delay: Annotated[str, coded("delay")]
    text: Story = ""

    def check(self) -> None:
        """Check that it gives a reason."""
        super().check()
        required("delay", self.delay)
        if self.delay == OBTAINABLE and self.answer_in_s != OBTAINABLE_S:
            refuse("answer_in_s", "what must be searched for has 3 days", "obtainable")
        if self.delay == "other" and not self.text.strip():
            refuse("text", "say the reason in words", "no-cause")

    def what(self) -> tuple[Said, ...]:
        """Return why it takes longer."""
        return (Said(table="delay", code=self.delay),)

    def act(self) -> Act:
        """Return that this moves the date."""
        return Act.EXTEND

    def due_s(self) -> int:
        """Return the new time for an answer, from the delivery of the request."""
        return self.answer_in_s
