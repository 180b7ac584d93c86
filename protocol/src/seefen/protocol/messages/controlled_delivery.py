"""ControlledDelivery: a consignment travels on under watch, leg by leg. Closed groups only.

There is no field for a tracker's position: it never goes through here.
"""

from typing import Annotated, ClassVar, Final

from msgspec import Meta

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.form import (
    Country,
    Line,
    Message,
    Moment,
    Nodes,
    OptionalId,
    Piece,
    Story,
    check_id,
    coded,
    refuse,
    require_basis,
    required,
)
from seefen.protocol.messages.place import Vehicle
from seefen.protocol.requests import Act

_HOUR: Final = 3600
_DUE: Final = {"request": 2 * _HOUR, "handover": 10 * 60, "abort": 10 * 60}


class RouteLeg(Piece, kw_only=True, frozen=True):
    """A leg, who watches it, and his telephone by day and night.

    Attributes:
        eta_from, eta_until: The window in which it reaches the crossing.
    """

    n: Annotated[int, Meta(ge=1, le=64)]
    start: Line
    end: Line
    bcp: Annotated[str, coded("crossing")] = ""
    crossing: Line = ""
    eta_from: Moment = ""
    eta_until: Moment = ""
    vehicle: Vehicle = Vehicle()
    holder: Line = ""
    telephone: Line = ""


class Authority(Piece, kw_only=True, frozen=True):
    """What one state has decided, and on which basis."""

    state: Country
    basis: Annotated[str, coded("basis")] = ""
    grant: Annotated[str, coded("grant")] = "pending"
    ref: Line = ""
    conditions: Story = ""


class ControlledDelivery(Message, kw_only=True, frozen=True):
    """A step of a controlled delivery: request, approval, handover, abort or result.

    Attributes:
        of: The request this step belongs to.
        leg: The leg that is taken over.
        abort_word: What is said on the radio to end it.
    """

    TYPE: ClassVar[str] = "ControlledDelivery"
    CLOSED: ClassVar[bool] = True

    urgency: Annotated[str, coded("urgency")] = "URGENT"
    urgency_reason: Annotated[str, coded("urgency_reason")] = "moving"
    purpose: Annotated[str, coded("purpose")] = "investigation"
    basis: Annotated[str, coded("basis")] = "untoc-20"
    offence: Annotated[str, coded("offence")] = "trafficking"
    tlp: Annotated[str, coded("tlp")] = "TLP:RED"
    step: Annotated[str, coded("delivery")]
    of: OptionalId = b""
    to: Nodes = ()
    consignment: Annotated[str, coded("consignment")] = ""
    sealed: bool | None = None
    tracker: bool | None = None
    legs: Annotated[tuple[RouteLeg, ...], Meta(max_length=32)] = ()
    leg: Annotated[int, Meta(ge=0, le=64)] = 0
    authorities: Annotated[tuple[Authority, ...], Meta(max_length=32)] = ()
    guarantees: Annotated[tuple[Annotated[str, coded("guarantee")], ...], Meta(max_length=8)] = ()
    stop_rule: Story = ""
    abort_word: Line = ""
    text: Story = ""

    def check(self) -> None:
        """Check what each step needs: a request its legs, a later step its request."""
        super().check()
        require_basis(self)
        required("step", self.step)
        required("to", self.to)
        check_id("of", self.of)
        if self.step != "request":
            required("of", self.of)
        if self.step == "request":
            self._check_request()
        if self.step == "handover":
            required("leg", self.leg)
        if self.step == "approval":
            required("authorities", self.authorities)
        if self.step in ("abort", "result"):
            required("text", self.text.strip())

    def _check_request(self) -> None:
        required("consignment", self.consignment)
        required("legs", self.legs)
        required("stop_rule", self.stop_rule.strip())
        required("abort_word", self.abort_word.strip())
        for place, leg in enumerate(self.legs):
            if not leg.telephone.strip():
                refuse(
                    f"legs[{place}].telephone",
                    "each leg needs a telephone that is answered day and night",
                    "missing",
                )

    def what(self) -> tuple[Said, ...]:
        """Return the step: places, times and words stay in the body."""
        return (Said(table="delivery", code=self.step),)

    def act(self) -> Act:
        """Return the move: requests and handovers are answered, the others end something."""
        moves = {"approval": Act.ANSWER, "abort": Act.WITHDRAW, "result": Act.CLOSE}
        return moves.get(self.step, Act.ASK)

    def due_s(self) -> int:
        """Return the time for an answer: two hours, and ten minutes for a leg."""
        return _DUE.get(self.step, 0) if self.act() is Act.ASK else 0

    def asked(self) -> tuple[str, ...]:
        """Return the closed group."""
        return self.to
