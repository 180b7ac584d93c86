"""SeizureAlert: something was found, and others may see the rest of it tonight.

Broadcast: there is no field for a name. Persons are counted by role.
"""

from collections import Counter
from typing import ClassVar

from seefen.protocol.errors import RefusedError
from seefen.protocol.messages.firearm import Ammunition, Item, Leg, Vehicle
from seefen.protocol.messages.form import (
    Coded,
    LongText,
    Message,
    ShortText,
    as_read,
    one_of,
    plural,
    required,
)

STATUS = ("preliminary", "confirmed", "corrected")
ACK_SECONDS = {"FLASH": 900, "URGENT": 3600}


class SeizureAlert(Message, kw_only=True, frozen=True):
    """A seizure, from the officer who stands before it."""

    TYPE: ClassVar[str] = "SeizureAlert"

    urgency: Coded = "URGENT"
    status: Coded = "preliminary"
    occurred_at: ShortText = ""
    setting: Coded = ""
    place: ShortText = ""
    bcp: Coded = ""
    direction: Coded = ""
    transport: Coded = ""
    moving: bool = False
    vehicle: Vehicle = Vehicle()
    concealment: tuple[Coded, ...] = ()
    detection: Coded = ""
    route: tuple[Leg, ...] = ()
    persons_count: dict[Coded, int] = {}
    items: tuple[Item, ...] = ()
    ammunition: tuple[Ammunition, ...] = ()
    ask: tuple[Coded, ...] = ()
    text: LongText = ""

    def check(self) -> None:
        """Check the alert: something was found, somewhere."""
        super().check()
        one_of("status", self.status, STATUS)
        required("place or bcp", self.place or self.bcp)
        if not (self.items or self.ammunition):
            raise RefusedError("an alert names at least one item: what was found?", rule="form")
        as_read("plate", self.vehicle.plate)
        for piece in (*self.items, *self.ammunition):
            piece.check()

    def subject(self) -> str:
        """Return what was found and where, from codes."""
        return " · ".join(filter(None, (self.counts(), self.bcp or self.setting, self.status)))

    def counts(self) -> str:
        """Return weapons by category, and rounds."""
        by_category = Counter[str]()
        for item in self.items:
            by_category[item.category] += item.qty
        parts = [plural(count, name) for name, count in sorted(by_category.items())]
        rounds = sum(lot.qty for lot in self.ammunition)
        return ", ".join([*parts, *([plural(rounds, "round")] if rounds else [])])

    def due_s(self) -> int:
        """Return the time in which a person must answer."""
        return ACK_SECONDS.get(self.urgency, 0)
