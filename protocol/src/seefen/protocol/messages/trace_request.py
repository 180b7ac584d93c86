"""TraceRequest: whose was this weapon, and where did its legal life end?"""

from typing import ClassVar

from seefen.protocol.errors import RefusedError
from seefen.protocol.messages.firearm import Item, Person, Search
from seefen.protocol.messages.form import CLOCKS, Coded, LongText, Message, ShortText, required


class TraceRequest(Message, kw_only=True, frozen=True):
    """A question about one weapon to one or more nodes."""

    TYPE: ClassVar[str] = "TraceRequest"

    item: Item
    illicit_nature: Coded = ""
    legal_justification: ShortText = ""
    circumstances: LongText = ""
    intended_use: Coded = "lead"
    question: tuple[Coded, ...] = ()
    recovered_at: ShortText = ""
    recovered_in: ShortText = ""
    searched: tuple[Search, ...] = ()
    persons: tuple[Person, ...] = ()
    text: LongText = ""

    def check(self) -> None:
        """Check that the other side can search, and why it should."""
        super().check()
        self.item.check()
        required("item.serial_state or item.serial_as_read", self.item.serial_state or self.item.serial_as_read)
        required("illicit_nature", self.illicit_nature)
        required("question", self.question)
        if self.urgency in ("FLASH", "URGENT") and not self.urgency_reason:
            raise RefusedError(f"{self.urgency} needs a reason: fill in urgency_reason", rule="form")
        for person in self.persons:
            person.check()

    def subject(self) -> str:
        """Return category and question, from codes."""
        return " · ".join(filter(None, (self.counts(), ", ".join(self.question))))

    def counts(self) -> str:
        """Return the weapon's category."""
        return f"1 {self.item.category}"

    def due_s(self) -> int:
        """Return the clock of its urgency."""
        return CLOCKS[self.urgency]
