"""SeizureAlert: something was found, and others may meet the rest of it tonight.

Broadcast: there is no field for a name. Persons are counted by role.
"""

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.firearm import Ammunition, Explosive, GunPart, Item, weapons
from seefen.protocol.messages.form import (
    Line,
    Message,
    Moment,
    Story,
    clock_s,
    coded,
    counted_by,
    refuse,
    require_basis,
    required,
)
from seefen.protocol.messages.place import Leg, Position, Vehicle
from seefen.protocol.requests import Act
from seefen.protocol.statements import Number


class SeizureAlert(Message, kw_only=True, frozen=True):
    """A seizure, from the officer who stands before it.

    Attributes:
        flash_asked: It should ring. It rings where a second officer of its node has
            confirmed that (:class:`Flash`); until then it is URGENT.
    """

    TYPE: ClassVar[str] = "SeizureAlert"
    VERSION: ClassVar[int] = 2  # 2: flash_asked

    v: Number = 2

    urgency: Annotated[str, coded("urgency")] = "URGENT"
    urgency_reason: Annotated[str, coded("urgency_reason")] = "fresh_seizure"
    purpose: Annotated[str, coded("purpose")] = "detection"
    basis: Annotated[str, coded("basis")] = "pcc-see"
    offence: Annotated[str, coded("offence")] = "unknown"
    tlp: Annotated[str, coded("tlp")] = "TLP:AMBER+STRICT"
    source_eval: Annotated[str, coded("source_eval")] = "A"
    info_eval: Annotated[str, coded("info_eval")] = "1"
    status: Annotated[str, coded("status")] = "preliminary"
    occurred_at: Moment = ""
    setting: Annotated[str, coded("setting")] = ""
    place: Line = ""
    position: Position | None = None
    bcp: Annotated[str, coded("crossing")] = ""
    direction: Annotated[str, coded("direction")] = ""
    transport: Annotated[str, coded("transport")] = ""
    moving: bool = False
    vehicle: Vehicle = Vehicle()
    concealment: Annotated[
        tuple[Annotated[str, coded("concealment")], ...], Meta(max_length=16)
    ] = ()
    detection: Annotated[str, coded("detection")] = ""
    route: Annotated[tuple[Leg, ...], Meta(max_length=32)] = ()
    persons_count: Annotated[
        dict[Annotated[str, Meta(max_length=40)], Annotated[int, Meta(ge=1, le=10_000)]],
        counted_by("person_role"),
    ] = msgspec.field(default_factory=dict[str, int])
    context: Annotated[tuple[Annotated[str, coded("context")], ...], Meta(max_length=16)] = ()
    items: Annotated[tuple[Item, ...], Meta(max_length=256)] = ()
    ammunition: Annotated[tuple[Ammunition, ...], Meta(max_length=64)] = ()
    explosives: Annotated[tuple[Explosive, ...], Meta(max_length=64)] = ()
    parts: Annotated[tuple[GunPart, ...], Meta(max_length=64)] = ()
    ask: Annotated[tuple[Annotated[str, coded("ask")], ...], Meta(max_length=8)] = ()
    flash_asked: bool = False
    text: Story = ""

    def check(self) -> None:
        """Check that something was found, somewhere."""
        super().check()
        require_basis(self)
        required("status", self.status)
        if self.flash_asked and self.urgency != "URGENT":
            refuse("flash_asked", "an alert that should ring leaves as URGENT", "flash")
        if not (self.place or self.bcp or self.position):
            refuse("place", "is needed: name the crossing (bcp) or the place", "missing")
        if not (self.items or self.ammunition or self.explosives or self.parts):
            refuse("items", "an alert names at least one thing: what was found?", "missing")
        for n, item in enumerate(self.items):
            item.check(f"items[{n}]")
        for n, leg in enumerate(self.route):
            leg.check(f"route[{n}]")

    def what(self) -> tuple[Said, ...]:
        """Return what was found, where, and how sure that is."""
        asked = [Said(table="form", code="flash_asked")] if self.flash_asked else []
        said = [Said(table="category", code=c, n=n) for c, n in weapons(self.items).items()]
        found = [
            *((("unit", lot.unit or "round"), lot.qty) for lot in self.ammunition),
            *((("explosive", lot.kind), lot.qty) for lot in self.explosives),
            *((("part", lot.kind), lot.qty) for lot in self.parts),
        ]
        counts = dict[tuple[str, str], int]()
        for key, qty in found:
            counts[key] = counts.get(key, 0) + qty
        said += [Said(table=table, code=code, n=n) for (table, code), n in counts.items()]
        said = said[:8]  # a cover has room for twelve, and these stand last
        said += [Said(table="form", code="moving")] if self.moving else []
        where = ("crossing", self.bcp) if self.bcp else ("setting", self.setting)
        said += [Said(table=where[0], code=where[1])] if where[1] else []
        return (*asked, *said, Said(table="status", code=self.status))

    def leaving(self) -> "SeizureAlert":
        """Return it as it leaves: FLASH is asked for, and one officer alone rings nowhere."""
        if self.urgency != "FLASH":
            return self
        return replace(self, urgency="URGENT", flash_asked=True)

    def act(self) -> Act:
        """Return that this begins an alert's life at each recipient."""
        return Act.ASK

    def due_s(self) -> int:
        """Return the time in which a person answers."""
        return clock_s("alert", self.urgency)

    def suggestions(self) -> tuple[str, ...]:
        """Return the rules of IBIN that say: share this there too. They only propose."""
        rules = list[str]()
        if sum(weapons(self.items).values()) >= 3:
            rules.append("IBIN: three firearms or more in one seizure")
        if self.setting in ("bcp", "green_border", "customs_terminal"):
            rules.append("IBIN: recovered by customs or border officials")
        if {"trafficking", "drug_trafficking", "migrant_smuggling"} & {self.offence, *self.context}:
            rules.append("IBIN: recovered from suspected traffickers")
        if "terrorism" in {self.offence, *self.context}:
            rules.append("IBIN: related to terrorism")
        return tuple(rules)
