"""IncidentReport: what happened with a weapon, for lists and statistics. It names no one."""

from typing import Annotated, ClassVar

from msgspec import Meta

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.firearm import Ammunition, Item
from seefen.protocol.messages.form import (
    Line,
    Message,
    Moment,
    Piece,
    Story,
    coded,
    refuse,
    required,
)
from seefen.protocol.messages.place import Position

People = Annotated[int, Meta(ge=1, le=10_000)]
Shots = Annotated[int, Meta(ge=0, le=100_000)]


class Party(Piece, kw_only=True, frozen=True):
    """People of one kind on one side of an incident: counted, never named."""

    n: People = 1
    sex: Annotated[str, coded("sex")] = "unknown"
    age: Annotated[str, coded("age")] = "unknown"
    fate: Annotated[str, coded("fate")] = "unknown"
    relation: Annotated[str, coded("relation")] = ""


Parties = Annotated[tuple[Party, ...], Meta(max_length=64)]


class IncidentReport(Message, kw_only=True, frozen=True):
    """An incident with firearms.

    Attributes:
        kinds: The main kind first.
        legally_held: Whether the one who used the weapon was allowed to have it.
    """

    TYPE: ClassVar[str] = "IncidentReport"

    tlp: Annotated[str, coded("tlp")] = "TLP:AMBER+STRICT"
    status: Annotated[str, coded("status")] = "preliminary"
    occurred_at: Moment = ""
    setting: Annotated[str, coded("setting")] = ""
    place: Line = ""
    position: Position | None = None
    kinds: Annotated[tuple[Annotated[str, coded("incident")], ...], Meta(max_length=8)] = ()
    items: Annotated[tuple[Item, ...], Meta(max_length=64)] = ()
    ammunition: Annotated[tuple[Ammunition, ...], Meta(max_length=64)] = ()
    legally_held: bool | None = None
    victims: Parties = ()
    perpetrators: Parties = ()
    shots: Shots = 0
    cases_recovered: Shots = 0
    flags: Annotated[tuple[Annotated[str, coded("incident_flag")], ...], Meta(max_length=8)] = ()
    text: Story = ""

    def check(self) -> None:
        """Check that it says what happened, when and where."""
        super().check()
        required("status", self.status)
        required("occurred_at", self.occurred_at)
        required("kinds", self.kinds)
        for n, kind in enumerate(self.kinds):
            required(f"kinds[{n}]", kind)
        if not (self.place or self.position):
            refuse("place", "is needed: name the place", "missing")
        for n, item in enumerate(self.items):
            item.check(f"items[{n}]")

    def what(self) -> tuple[Said, ...]:
        """Return the kinds, who was killed or injured by number, and how sure that is."""
        said = [Said(table="incident", code=kind) for kind in self.kinds[:6]]
        hurt = dict[str, int]()
        for party in self.victims:
            if party.fate in ("killed", "injured"):
                hurt[party.fate] = hurt.get(party.fate, 0) + party.n
        said += [Said(table="fate", code=code, n=n) for code, n in hurt.items()]
        return (*said, Said(table="status", code=self.status))
