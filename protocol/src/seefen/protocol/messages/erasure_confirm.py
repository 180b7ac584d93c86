"""ErasureConfirm: what was done with a message that was taken back."""

from typing import Annotated, ClassVar

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.form import Message, Story, coded, required
from seefen.protocol.requests import Act
from seefen.protocol.statements import Id


class ErasureConfirm(Message, kw_only=True, frozen=True):
    """Confirms a recall, which ``reply_to`` names.

    Attributes:
        of: The message that was taken back.
        passed_to: To whom it had been passed on, so that the originator can follow it.
    """

    TYPE: ClassVar[str] = "ErasureConfirm"

    of: Id
    erased: Annotated[str, coded("erased")]
    passed_to: Story = ""
    text: Story = ""

    def check(self) -> None:
        """Check that it says what was done, and to whom it had gone."""
        super().check()
        required("erased", self.erased)
        if self.erased == "restricted":
            required("text", self.text.strip())
        if self.erased == "passed_on":
            required("passed_to", self.passed_to.strip())

    def what(self) -> tuple[Said, ...]:
        """Return what was done."""
        return (Said(table="erased", code=self.erased),)

    def act(self) -> Act:
        """Return that this is the confirmation that was owed."""
        return Act.ANSWER
