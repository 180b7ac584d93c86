"""Bulletin: something new that everybody should know. It names no one."""

from typing import Annotated, ClassVar

from msgspec import Meta

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.form import Day, Line, Message, Story, coded, required


class Bulletin(Message, kw_only=True, frozen=True):
    """A new way of doing it, a conversion, a print, a false mark."""

    TYPE: ClassVar[str] = "Bulletin"

    urgency: Annotated[str, coded("urgency")] = "ROUTINE"
    tlp: Annotated[str, coded("tlp")] = "TLP:GREEN"
    handling: Annotated[str, coded("handling")] = "H0"
    subject: Annotated[str, coded("subject")]
    description: Story
    indicators: Annotated[tuple[Line, ...], Meta(max_length=64)] = ()
    valid_until: Day = ""

    def check(self) -> None:
        """Check that it says what is new, and until when it is worth knowing."""
        super().check()
        required("subject", self.subject)
        required("description", self.description.strip())
        required("valid_until", self.valid_until)

    def what(self) -> tuple[Said, ...]:
        """Return what it is about."""
        return (Said(table="subject", code=self.subject),)
