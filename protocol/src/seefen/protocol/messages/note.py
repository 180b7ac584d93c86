"""Note: free text to the named nodes of a case."""

from typing import ClassVar

from seefen.protocol.messages.firearm import Person
from seefen.protocol.messages.form import LongText, Message, required


class Note(Message, kw_only=True, frozen=True):
    """A text, and persons if it must be."""

    TYPE: ClassVar[str] = "Note"

    text: LongText
    about: bytes = b""
    persons: tuple[Person, ...] = ()

    def check(self) -> None:
        """Check that something was written."""
        super().check()
        required("text", self.text.strip())
        for person in self.persons:
            person.check()

    def subject(self) -> str:
        """Return that it is a note: its text stays in the body."""
        return "note"
