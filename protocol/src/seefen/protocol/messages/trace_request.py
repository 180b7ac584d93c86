"""TraceRequest: whose was this weapon, and where did its legal life end?"""

from typing import Annotated, ClassVar

from msgspec import Meta

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.firearm import Item
from seefen.protocol.messages.form import (
    Day,
    Line,
    Message,
    Nodes,
    Piece,
    Story,
    clock_s,
    coded,
    refuse,
    require_basis,
    required,
)
from seefen.protocol.messages.person import Persons, check_persons
from seefen.protocol.requests import Act


class Search(Piece, kw_only=True, frozen=True):
    """A search that was made before this request, and where."""

    channel: Annotated[str, coded("channel")]
    ref: Line = ""
    date: Day = ""


class TraceRequest(Message, kw_only=True, frozen=True):
    """A question about one weapon to one or more nodes; none named means all members."""

    TYPE: ClassVar[str] = "TraceRequest"

    purpose: Annotated[str, coded("purpose")] = "trace"
    basis: Annotated[str, coded("basis")] = "un-iti"
    to: Nodes = ()
    item: Item
    illicit_nature: Annotated[str, coded("illicit")] = ""
    legal_justification: Line = ""
    circumstances: Story = ""
    intended_use: Annotated[str, coded("use")] = "lead"
    question: Annotated[tuple[Annotated[str, coded("question")], ...], Meta(max_length=16)] = ()
    recovered_at: Day = ""
    recovered_in: Line = ""
    searched: Annotated[tuple[Search, ...], Meta(max_length=32)] = ()
    persons: Persons = ()
    project: Line = ""
    text: Story = ""

    def check(self) -> None:
        """Check that the other side can search, and why it should."""
        super().check()
        self.item.check("item")
        required("illicit_nature", self.illicit_nature)
        required("intended_use", self.intended_use)
        required("question", self.question)
        for n, asked in enumerate(self.question):
            required(f"question[{n}]", asked)
        if not (self.item.serial_as_read or self.item.serial_state):
            refuse(
                "item.serial_as_read",
                "is needed; or say in serial_state why there is none",
                "missing",
            )
        require_basis(self)
        check_persons(self, self.persons)

    def what(self) -> tuple[Said, ...]:
        """Return the kind of weapon, and the marks it has by kind."""
        item = self.item
        said = [Said(table="category", code=item.category, n=item.qty)]
        said += [Said(table="calibre", code=item.calibre)] if item.calibre else []
        kinds = dict.fromkeys(marking.kind for marking in item.markings)
        said += [Said(table="marking_kind", code=kind) for kind in kinds]
        return tuple(said)

    def act(self) -> Act:
        """Return that this begins a request's life at each node that is asked."""
        return Act.ASK

    def due_s(self) -> int:
        """Return the time for an answer."""
        return clock_s("request", self.urgency)

    def asked(self) -> tuple[str, ...]:
        """Return the nodes that are asked."""
        return self.to
