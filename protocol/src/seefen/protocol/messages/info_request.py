"""InfoRequest: what a request must say by article 4 of Directive (EU) 2023/977."""

from typing import Annotated, ClassVar

from msgspec import Meta

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.firearm import Item
from seefen.protocol.messages.form import (
    Message,
    Nodes,
    Story,
    clock_s,
    coded,
    refuse,
    require_basis,
    required,
)
from seefen.protocol.messages.person import Persons, check_persons
from seefen.protocol.messages.place import Vehicle
from seefen.protocol.requests import Act


class InfoRequest(Message, kw_only=True, frozen=True):
    """A question to named nodes.

    Attributes:
        what_is_asked: What is wanted, in words.
        facts: What happened, and the offence behind it.
        why_you: Why the other side should hold it.
        link: How the persons named are linked to the purpose.
        restriction: How the answer will and will not be used.
    """

    TYPE: ClassVar[str] = "InfoRequest"

    purpose: Annotated[str, coded("purpose")] = "investigation"
    to: Nodes = ()
    about: Annotated[tuple[Annotated[str, coded("info_kind")], ...], Meta(max_length=8)] = ()
    what_is_asked: Story
    facts: Story = ""
    why_you: Story = ""
    link: Story = ""
    restriction: Story = ""
    persons: Persons = ()
    vehicle: Vehicle = Vehicle()
    items: Annotated[tuple[Item, ...], Meta(max_length=16)] = ()

    def check(self) -> None:
        """Check the set of article 4: without it the other side may send it back."""
        super().check()
        for field in ("to", "about"):
            required(field, getattr(self, field))
        for field in ("what_is_asked", "facts", "why_you"):
            required(field, getattr(self, field).strip())
        require_basis(self)
        if self.persons and not self.link.strip():
            refuse("link", "say how the persons named are linked to the purpose", "missing")
        check_persons(self, self.persons)
        for n, item in enumerate(self.items):
            item.check(f"items[{n}]")

    def what(self) -> tuple[Said, ...]:
        """Return what kind of thing is asked about: the words stay in the body."""
        said = tuple(Said(table="info_kind", code=code) for code in self.about)
        return (*said, Said(table="offence", code=self.offence))

    def act(self) -> Act:
        """Return that this begins a request's life at each node that is asked."""
        return Act.ASK

    def due_s(self) -> int:
        """Return the time for an answer."""
        return clock_s("request", self.urgency)

    def asked(self) -> tuple[str, ...]:
        """Return the nodes that are asked."""
        return self.to
