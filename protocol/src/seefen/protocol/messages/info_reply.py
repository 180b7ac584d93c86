"""InfoReply: the answer to an information request. "Nothing there" says where it was sought."""

from typing import Annotated, ClassVar, Final

from msgspec import Meta

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.form import (
    Day,
    Message,
    Nodes,
    Story,
    coded,
    refuse,
    required,
)
from seefen.protocol.messages.person import Persons, check_persons
from seefen.protocol.messages.trace_reply import Register
from seefen.protocol.requests import Act

_ACTS: Final = {"refused": Act.REFUSE, "need_more": Act.QUERY, "needs_judge": Act.INTERIM}


class InfoReply(Message, kw_only=True, frozen=True):
    """The answer to an information request, which ``reply_to`` names.

    Attributes:
        expected: When a judge is expected to decide.
    """

    TYPE: ClassVar[str] = "InfoReply"

    handling: Annotated[str, coded("handling")] = "H1"
    outcome: Annotated[str, coded("info")]
    searched: Annotated[tuple[Register, ...], Meta(max_length=32)] = ()
    refusal_ground: Annotated[str, coded("refusal")] = ""
    expected: Day = ""
    to: Nodes = ()
    persons: Persons = ()
    text: Story = ""

    def check(self) -> None:
        """Check that the answer says what was searched, or why nothing was."""
        super().check()
        required("outcome", self.outcome)
        if self.outcome == "refused":
            required("refusal_ground", self.refusal_ground)
        elif self.outcome == "needs_judge":
            required("expected", self.expected)
        elif self.outcome == "none" and not self.searched:
            refuse(
                "searched",
                "say what was searched and which years it covers: without that this is no answer",
                "no-scope",
            )
        elif self.outcome in ("full", "partial", "need_more"):
            required("text", self.text.strip())
        for n, register in enumerate(self.searched):
            if not register.years.strip():
                refuse(f"searched[{n}].years", "say which years this covers", "no-scope")
        check_persons(self, self.persons)

    def what(self) -> tuple[Said, ...]:
        """Return the outcome."""
        said = Said(table="info", code=self.outcome)
        if self.outcome == "refused":
            return (said, Said(table="refusal", code=self.refusal_ground))
        return (said,)

    def act(self) -> Act:
        """Return the move in the life of the request: not every reply is an answer."""
        return _ACTS.get(self.outcome, Act.ANSWER)

    def asked(self) -> tuple[str, ...]:
        """Return the nodes it is for."""
        return self.to
