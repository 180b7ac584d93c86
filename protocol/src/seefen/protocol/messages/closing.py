"""Closing: a request is at its end, and what it was worth."""

from typing import Annotated, ClassVar

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.form import Message, Story, coded, required
from seefen.protocol.requests import Act
from seefen.protocol.statements import Id


class Closing(Message, kw_only=True, frozen=True):
    """Closes a request or an alert of one's own.

    Attributes:
        of: What is closed.
        usefulness: What the answers were worth, 0 to 3.
    """

    TYPE: ClassVar[str] = "Closing"

    of: Id
    closing: Annotated[str, coded("closing")]
    usefulness: Annotated[str, coded("usefulness")] = ""
    text: Story = ""

    def check(self) -> None:
        """Check that it says how it ended."""
        super().check()
        required("closing", self.closing)

    def what(self) -> tuple[Said, ...]:
        """Return how it ended, and what it was worth."""
        said = Said(table="closing", code=self.closing)
        return (
            (said, Said(table="usefulness", code=self.usefulness)) if self.usefulness else (said,)
        )

    def act(self) -> Act:
        """Return that this ends it at every recipient."""
        return Act.CLOSE
