"""TraceReply: what the registers say. "No record" without a scope is no answer."""

from typing import Annotated, ClassVar, Final

from msgspec import Meta

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.form import (
    Country,
    Day,
    Line,
    Message,
    Piece,
    Story,
    coded,
    refuse,
    required,
)
from seefen.protocol.requests import Act

_ACTS: Final = {"refused": Act.REFUSE, "need_more": Act.QUERY, "wrong_country": Act.NOT_OURS}


class Register(Piece, kw_only=True, frozen=True):
    """A register that was searched, and the years it covers: ``1960-1992``."""

    name: Annotated[Line, Meta(min_length=1)]
    years: Line = ""
    medium: Annotated[str, coded("medium")] = ""


class Event(Piece, kw_only=True, frozen=True):
    """A step in the life of a weapon. ``actor`` is a body, never a person: persons go in a Note."""

    event: Annotated[str, coded("event")]
    date: Day = ""
    actor_type: Annotated[str, coded("actor")] = ""
    actor: Line = ""
    country: Country = ""
    document: Line = ""


class TraceReply(Message, kw_only=True, frozen=True):
    """The answer to a trace request, which ``reply_to`` names."""

    TYPE: ClassVar[str] = "TraceReply"

    handling: Annotated[str, coded("handling")] = "H1"
    purpose: Annotated[str, coded("purpose")] = "trace"
    basis: Annotated[str, coded("basis")] = "un-iti"
    source_eval: Annotated[str, coded("source_eval")] = "A"
    info_eval: Annotated[str, coded("info_eval")] = "1"
    outcome: Annotated[str, coded("outcome")]
    registers: Annotated[tuple[Register, ...], Meta(max_length=32)] = ()
    chain: Annotated[tuple[Event, ...], Meta(max_length=64)] = ()
    diversion_point: Annotated[str, coded("diversion")] = ""
    time_to_crime_days: Annotated[int, Meta(ge=0, le=100_000)] | None = None
    refusal_ground: Annotated[str, coded("refusal")] = ""
    ask_instead: Line = ""
    confidence: Annotated[str, coded("trust")] = "moderate"
    text: Story = ""

    def check(self) -> None:
        """Check that the answer says what was searched, or why nothing was."""
        super().check()
        required("outcome", self.outcome)
        required("confidence", self.confidence)
        if self.outcome == "refused":
            required("refusal_ground", self.refusal_ground)
        elif self.outcome == "need_more":
            required("text", self.text.strip())
        elif self.outcome == "wrong_country":
            required("ask_instead", self.ask_instead.strip())
        else:
            self._check_scope()

    def _check_scope(self) -> None:
        if not self.registers:
            refuse(
                "registers",
                "say which registers were searched and which years they cover: without that "
                f"'{self.outcome.replace('_', ' ')}' is no answer",
                "no-scope",
            )
        for n, register in enumerate(self.registers):
            if not register.years.strip():
                refuse(f"registers[{n}].years", "say which years this register covers", "no-scope")

    def what(self) -> tuple[Said, ...]:
        """Return the outcome and where the weapon left legal hands."""
        said = [Said(table="outcome", code=self.outcome)]
        if self.diversion_point:
            said.append(Said(table="diversion", code=self.diversion_point))
        if self.outcome == "refused":
            said.append(Said(table="refusal", code=self.refusal_ground))
        return tuple(said)

    def act(self) -> Act:
        """Return the move in the life of the request: not every reply is an answer."""
        return _ACTS.get(self.outcome, Act.ANSWER)
