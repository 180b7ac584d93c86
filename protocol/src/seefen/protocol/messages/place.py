"""Places, ways and vehicles."""

from typing import Annotated

from msgspec import Meta

from seefen.protocol.messages.form import (
    AsRead,
    Country,
    Evaluation,
    Line,
    Piece,
    coded,
    refuse,
    required,
)


class Position(Piece, kw_only=True, frozen=True):
    """A position in hundred-thousandths of a degree (WGS 84), with its radius in metres."""

    lat_e5: Annotated[int, Meta(ge=-9_000_000, le=9_000_000)]
    lon_e5: Annotated[int, Meta(ge=-18_000_000, le=18_000_000)]
    radius_m: Annotated[int, Meta(ge=0, le=1_000_000)]


class Vehicle(Piece, kw_only=True, frozen=True):
    """A vehicle; plates and chassis number as read."""

    plate: AsRead = ""
    state: Country = ""
    vin: AsRead = ""
    make: Line = ""
    model: Line = ""
    colour: Line = ""
    trailer_plate: AsRead = ""


class Leg(Piece, kw_only=True, frozen=True):
    """A place of a route: known, or assessed with its evaluation."""

    place: Line
    role: Annotated[str, coded("route_role")]
    fact: bool
    evaluation: Evaluation = ""

    def check(self, field: str) -> None:
        """Check that an assessed place says how good the assessment is.

        Raises:
            RefusedError: The field and what to do about it.
        """
        required(f"{field}.role", self.role)
        if not self.fact and not self.evaluation:
            refuse(
                f"{field}.evaluation", "an assessment needs its evaluation, for example B3", "claim"
            )
