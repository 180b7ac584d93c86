"""Correction: what was sent is wrong, and what is right. It reaches every recipient."""

from typing import Annotated, ClassVar

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.form import Message, Story, coded, required
from seefen.protocol.statements import Id


class Correction(Message, kw_only=True, frozen=True):
    """Corrects a message of one's own; a corrected form follows under ``supersedes``.

    Attributes:
        of: The message that is wrong.
        was, now: What it said, and what it should have said. Both are left out where a member
            came later who may not have the message: all hear then that it is wrong, and no more.
    """

    TYPE: ClassVar[str] = "Correction"
    VERSION: ClassVar[int] = 2  # 2: it may go without words

    of: Id
    wrong: Annotated[str, coded("wrong")]
    was: Story = ""
    now: Story = ""

    def check(self) -> None:
        """Check that it says why it was wrong, and what is right wherever it quotes."""
        super().check()
        required("wrong", self.wrong)
        if self.was.strip():
            required("now", self.now.strip())

    def what(self) -> tuple[Said, ...]:
        """Return why: the words stay in the body."""
        return (Said(table="form", code="correction"), Said(table="wrong", code=self.wrong))
