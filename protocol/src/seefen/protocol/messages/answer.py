"""Answer: what a person answers to an alert or request. Never called "accepted"."""

from typing import ClassVar

from seefen.protocol.messages.form import Coded, LongText, Message, one_of, required

ANSWERS = ("taken", "passed_on", "not_ours", "rejected")


class Answer(Message, kw_only=True, frozen=True):
    """Taken, passed on (to whom), not ours, or rejected with the cause."""

    TYPE: ClassVar[str] = "Answer"

    answer: Coded
    of: bytes
    cause: LongText = ""

    def check(self) -> None:
        """Check the answer; two of them need words."""
        super().check()
        one_of("answer", self.answer, ANSWERS)
        if self.answer in ("rejected", "passed_on"):
            required("cause (why, or to whom)", self.cause)

    def subject(self) -> str:
        """Return the answer, from codes."""
        return self.answer
