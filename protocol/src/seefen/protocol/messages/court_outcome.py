"""CourtOutcome: what became of it in court, in numbers. It names no one."""

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.form import (
    Message,
    OptionalId,
    Story,
    check_id,
    coded,
    counted_by,
    required,
)


class CourtOutcome(Message, kw_only=True, frozen=True):
    """Charges and convictions that a case led to.

    Attributes:
        of: The alert or request it began with.
        counts: How many persons were charged, convicted, acquitted, let go.
    """

    TYPE: ClassVar[str] = "CourtOutcome"

    urgency: Annotated[str, coded("urgency")] = "ROUTINE"
    of: OptionalId = b""
    counts: Annotated[
        dict[Annotated[str, Meta(max_length=40)], Annotated[int, Meta(ge=1, le=10_000)]],
        counted_by("court"),
    ] = msgspec.field(default_factory=dict[str, int])
    text: Story = ""

    def check(self) -> None:
        """Check that there is something to count."""
        super().check()
        check_id("of", self.of)
        required("counts", self.counts)

    def what(self) -> tuple[Said, ...]:
        """Return the counts."""
        return tuple(Said(table="court", code=code, n=n) for code, n in sorted(self.counts.items()))
