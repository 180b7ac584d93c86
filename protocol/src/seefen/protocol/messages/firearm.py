"""Weapons, ammunition, explosives and parts, as found and as read.

What stands on metal is kept as it was read, in its own script: ``?`` for one unreadable
character, ``*`` for several. Keys to match by are computed (``matching.py``), never sent.
"""

from typing import Annotated, Final

from msgspec import Meta

from seefen.protocol.messages.form import (
    AsRead,
    Country,
    Line,
    Piece,
    Story,
    coded,
    refuse,
    required,
)
from seefen.protocol.messages.vocabulary import CATEGORY

NUMBER: Final = "number"  # of object_kind: a number of one of the weapons, and no weapon
Quantity = Annotated[int, Meta(ge=1, le=10_000_000)]


class Marking(Piece, kw_only=True, frozen=True):
    """A mark on a weapon, as read."""

    kind: Annotated[str, coded("marking_kind")]
    text: AsRead = ""
    place: Annotated[str, coded("gun_place")] = ""


class ComponentSerial(Piece, kw_only=True, frozen=True):
    """A serial number on a component that differs from the one on the frame."""

    part: Annotated[str, coded("gun_place")]
    text: AsRead


class Item(Piece, kw_only=True, frozen=True):
    """One weapon or component, or a lot without serial numbers.

    Of kind ``number`` it is a number alone: it stands on one of the other items, which is not said.

    Attributes:
        n: Its number inside the message, to which files refer; 0 where there is one only.
        ref: The row of the list of arms that make and model name: what it was made as.
    """

    category: Annotated[str, coded("category")]
    n: Annotated[int, Meta(ge=0, le=100_000)] = 0
    qty: Quantity = 1
    kind: Annotated[str, coded("object_kind")] = "firearm"
    make: Line = ""
    model: Line = ""
    ref: Annotated[str, coded("arm")] = ""
    variant: Line = ""
    confidence: Annotated[str, coded("confidence")] = ""
    country: Country = ""
    year: Annotated[int, Meta(ge=0, le=2200)] = 0
    calibre: Annotated[str, coded("calibre")] = ""
    calibre_original: Annotated[str, coded("calibre")] = ""
    calibre_as_read: Line = ""
    serial_as_read: AsRead = ""
    serial_state: Annotated[str, coded("serial_state")] = ""
    component_serials: Annotated[tuple[ComponentSerial, ...], Meta(max_length=16)] = ()
    markings: Annotated[tuple[Marking, ...], Meta(max_length=32)] = ()
    technical_state: Annotated[str, coded("technical_state")] = ""
    conversion: Annotated[tuple[Annotated[str, coded("conversion")], ...], Meta(max_length=8)] = ()
    functional: Annotated[str, coded("functional")] = ""
    loaded: bool | None = None
    legal_status: Annotated[str, coded("legal_status")] = ""
    legal_status_claim: Annotated[str, coded("claim")] = ""
    text: Story = ""

    def check(self, field: str) -> None:
        """Check what the codes cannot: a number and its state must agree.

        Raises:
            RefusedError: The field and what to do about it.
        """
        required(f"{field}.category", self.category)
        if self.serial_as_read and self.qty > 1:
            refuse(f"{field}.qty", "one serial number is one weapon: make one item of each", "lot")
        if self.kind == NUMBER and not self.serial_as_read:
            refuse(f"{field}.serial_as_read", "a number that stands alone is needed", "missing")
        if self.serial_as_read and self.serial_state in ("absent", "obliterated", "never_numbered"):
            refuse(
                f"{field}.serial_state", "a number was read, so it is present or partly readable"
            )
        if self.legal_status and not self.legal_status_claim:
            refuse(f"{field}.legal_status_claim", "say whether this is fact or assessment", "claim")


class Ammunition(Piece, kw_only=True, frozen=True):
    """Rounds of one kind. The headstamp stays in the script it was read in."""

    qty: Quantity
    unit: Annotated[str, coded("unit")] = "round"
    calibre: Annotated[str, coded("calibre")] = ""
    calibre_as_read: Line = ""
    headstamp_as_read: AsRead = ""
    headstamp_maker: Line = ""
    year: Annotated[int, Meta(ge=0, le=2200)] = 0
    projectile: Annotated[str, coded("projectile")] = ""
    lot: AsRead = ""


class Explosive(Piece, kw_only=True, frozen=True):
    """Explosive articles of one kind."""

    kind: Annotated[str, coded("explosive")]
    qty: Quantity = 1
    model: Line = ""
    ref: Annotated[str, coded("arm")] = ""
    lot: AsRead = ""
    mass_g: Annotated[int, Meta(ge=0, le=10**9)] = 0
    state: Annotated[str, coded("explosive_state")] = ""


class GunPart(Piece, kw_only=True, frozen=True):
    """Parts of one kind that belong to no weapon found."""

    kind: Annotated[str, coded("part")]
    qty: Quantity = 1
    ref: Annotated[str, coded("arm")] = ""
    serial_as_read: AsRead = ""
    text: Line = ""


def weapons(items: tuple[Item, ...]) -> dict[str, int]:
    """Return how many weapons there are of each category, in the order of the table.

    A number that stands alone is on one of them, and no further one.
    """
    counts = dict[str, int]()
    for item in items:
        if item.kind == NUMBER:
            continue
        counts[item.category] = counts.get(item.category, 0) + item.qty
    order = list(CATEGORY)
    known = sorted((c for c in counts if c in CATEGORY), key=order.index)
    return {code: counts[code] for code in (*known, *(c for c in counts if c not in CATEGORY))}
