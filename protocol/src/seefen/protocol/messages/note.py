"""Note: free text to the members of a case, or to some of them; the small moves, too."""

from typing import Annotated, ClassVar

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.form import (
    Message,
    Nodes,
    OptionalId,
    Story,
    check_id,
    coded,
    required,
)
from seefen.protocol.messages.person import Persons, check_persons
from seefen.protocol.requests import Act


class Note(Message, kw_only=True, frozen=True):
    """A text, and persons if it must be.

    Attributes:
        about: The object it is about; with ``move`` the request it moves.
        move: Asks back, clarifies, gives interim news, withdraws or closes.
    """

    TYPE: ClassVar[str] = "Note"

    text: Story
    about: OptionalId = b""
    move: Annotated[str, coded("act")] = ""
    to: Nodes = ()
    persons: Persons = ()

    def check(self) -> None:
        """Check that something was written, and that a move moves something."""
        super().check()
        required("text", self.text.strip())
        check_id("about", self.about)
        if self.move:
            required("about", self.about)
        check_persons(self, self.persons)

    def what(self) -> tuple[Said, ...]:
        """Return that it is a note and the move it makes: its text stays in the body."""
        note = Said(table="form", code="note")
        return (note, Said(table="act", code=self.move)) if self.move else (note,)

    def act(self) -> Act | None:
        """Return the move, if it makes one; a newer one than we know is none."""
        return Act(self.move) if self.move in set(Act) else None

    def asked(self) -> tuple[str, ...]:
        """Return the nodes it is for, none for all members."""
        return self.to
