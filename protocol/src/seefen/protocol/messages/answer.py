"""Answer: what a person answers to an alert or request. It is never called "accepted"."""

from typing import Annotated, ClassVar, Final

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.form import Line, Message, Story, coded, refuse, required
from seefen.protocol.requests import Act
from seefen.protocol.statements import Id

_ACTS: Final = {
    "taken": Act.TAKE,
    "passed_on": Act.PASS_ON,
    "not_ours": Act.NOT_OURS,
    "rejected": Act.REJECT,
}


class Answer(Message, kw_only=True, frozen=True):
    """Taken, passed on (to whom), not ours, or rejected (why).

    Attributes:
        of: The object it answers.
        cause: In words: why it was rejected, or whose it is.
        refusal_ground: Where a request is refused, on which ground.
        passed_to: The unit or node it was passed on to, or should be sent to.
    """

    TYPE: ClassVar[str] = "Answer"

    answer: Annotated[str, coded("answer")]
    of: Id
    cause: Story = ""
    cause_code: Annotated[str, coded("cause")] = ""
    refusal_ground: Annotated[str, coded("refusal")] = ""
    passed_to: Line = ""

    def check(self) -> None:
        """Check the answer; two of them need more."""
        super().check()
        required("answer", self.answer)
        why = self.cause.strip() or self.cause_code or self.refusal_ground
        if self.answer == "rejected" and not why:
            refuse(
                "cause", "say why it is rejected, so that the sender can put it right", "no-cause"
            )
        if self.refusal_ground and self.answer != "rejected":
            refuse("refusal_ground", "goes with rejected: a refusal is one", "ground")
        if self.cause_code == "other" and not self.cause.strip():
            refuse("cause", "say the cause in words", "no-cause")
        if self.answer == "passed_on" and not (self.passed_to.strip() or self.cause.strip()):
            refuse("passed_to", "say to whom it was passed on", "no-cause")

    def what(self) -> tuple[Said, ...]:
        """Return the answer: it is seen without opening anything."""
        said = (("cause", self.cause_code), ("refusal", self.refusal_ground))
        why = (Said(table=table, code=code) for table, code in said if code)
        return (Said(table="answer", code=self.answer), *why)

    def act(self) -> Act | None:
        """Return the move it makes; a newer answer than we know makes none."""
        return _ACTS.get(self.answer)
