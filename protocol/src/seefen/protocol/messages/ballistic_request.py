"""BallisticRequest: has any laboratory seen these marks before?"""

from typing import Annotated, ClassVar, Final

from msgspec import Meta

from seefen.protocol.messages.ballistic import Images, Traces
from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.form import (
    Day,
    Line,
    Message,
    Nodes,
    Story,
    coded,
    required,
)
from seefen.protocol.requests import Act

_DAY: Final = 86_400
# What a laboratory can do, and how long that takes: the longest thing asked counts.
_TIMES: Final = {
    "database_search": 3 * _DAY,
    "image_opinion": 7 * _DAY,
    "casts_exchange": 30 * _DAY,
    "joint_exam": 30 * _DAY,
    "test_fire": 30 * _DAY,
}


class BallisticRequest(Message, kw_only=True, frozen=True):
    """A question to laboratories; none named means all members."""

    TYPE: ClassVar[str] = "BallisticRequest"

    purpose: Annotated[str, coded("purpose")] = "laboratory"
    to: Nodes = ()
    items: Traces
    ask: Annotated[tuple[Annotated[str, coded("lab_ask")], ...], Meta(max_length=8)]
    incident: Annotated[str, coded("incident")] = ""
    happened_from: Day = ""
    happened_until: Day = ""
    place: Line = ""
    system: Annotated[str, coded("system")] = ""
    images: Images = ()
    casts: Line = ""
    text: Story = ""

    def check(self) -> None:
        """Check that there is something to compare, and what to do with it."""
        super().check()
        required("items", self.items)
        required("ask", self.ask)
        for n, asked in enumerate(self.ask):
            required(f"ask[{n}]", asked)
        for n, item in enumerate(self.items):
            item.check(f"items[{n}]")

    def what(self) -> tuple[Said, ...]:
        """Return what was found and what is asked."""
        counts = dict[str, int]()
        for item in self.items:
            counts[item.kind] = counts.get(item.kind, 0) + item.qty
        said = [Said(table="trace_kind", code=kind, n=n) for kind, n in counts.items()]
        calibres = dict.fromkeys(item.calibre for item in self.items if item.calibre)
        said += [Said(table="calibre", code=code) for code in calibres]
        return (*said[:8], *(Said(table="lab_ask", code=code) for code in self.ask[:4]))

    def act(self) -> Act:
        """Return that this begins a request's life at each laboratory."""
        return Act.ASK

    def due_s(self) -> int:
        """Return the time that what is asked takes: 3, 7 or 30 days."""
        return max((_TIMES.get(asked, 0) for asked in self.ask), default=0)

    def asked(self) -> tuple[str, ...]:
        """Return the laboratories that are asked."""
        return self.to
