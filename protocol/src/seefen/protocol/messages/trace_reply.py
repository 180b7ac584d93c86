"""TraceReply: what the registers say. "No record" without a scope is no answer."""

from typing import ClassVar

from seefen.protocol.errors import RefusedError
from seefen.protocol.messages.firearm import Event, Register
from seefen.protocol.messages.form import Coded, LongText, Message, one_of, required

OUTCOMES = (
    "traced_full", "traced_partial", "not_traced", "no_record", "wrong_country", "refused", "need_more",
)  # fmt: skip
CONFIDENCE = ("low", "moderate", "high")


class TraceReply(Message, kw_only=True, frozen=True):
    """The answer to a trace request."""

    TYPE: ClassVar[str] = "TraceReply"

    handling: Coded = "H1"
    outcome: Coded
    registers: tuple[Register, ...] = ()
    chain: tuple[Event, ...] = ()
    diversion_point: Coded = ""
    refusal_ground: Coded = ""
    confidence: Coded = "moderate"
    text: LongText = ""

    def check(self) -> None:
        """Check that the answer says what was searched, or why it was not."""
        super().check()
        one_of("outcome", self.outcome, OUTCOMES)
        one_of("confidence", self.confidence, CONFIDENCE)
        if self.outcome == "refused":
            required("refusal_ground", self.refusal_ground)
        elif self.outcome != "need_more" and not self.registers:
            raise RefusedError(
                "say which registers were searched and which years they cover: without that "
                f"{self.outcome} is no answer",
                rule="no-scope",
            )

    def subject(self) -> str:
        """Return the outcome, from codes."""
        return " · ".join(filter(None, (self.outcome, self.diversion_point)))
