"""HitNotice: something of ours fits something of yours. It proposes; a person confirms."""

from typing import Annotated, ClassVar

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.form import (
    Line,
    Message,
    Nodes,
    Story,
    clock_s,
    coded,
    required,
)
from seefen.protocol.requests import Act
from seefen.protocol.statements import Id


class HitNotice(Message, kw_only=True, frozen=True):
    """A match between two records, to the node that holds the other one.

    Attributes:
        of: The object of theirs that ours fits.
        our_ref: Our own reference, for the telephone.
    """

    TYPE: ClassVar[str] = "HitNotice"

    urgency: Annotated[str, coded("urgency")] = "URGENT"
    urgency_reason: Annotated[str, coded("urgency_reason")] = "evidence"
    of: Id
    our_ref: Line = ""
    matched_by: Annotated[str, coded("matched_by")]
    exactness: Annotated[str, coded("exactness")]
    disclosed: Annotated[str, coded("disclosed")] = "contact_me"
    action: Annotated[str, coded("action")] = "contact_first"
    to: Nodes = ()
    text: Story = ""

    def check(self) -> None:
        """Check that it says how it matched, how exactly, and whom it is for."""
        super().check()
        for field in ("matched_by", "exactness", "disclosed", "action", "to"):
            required(field, getattr(self, field))
        if self.disclosed != "contact_me":
            required("text", self.text.strip())

    def what(self) -> tuple[Said, ...]:
        """Return how it matched, how exactly, and what to do."""
        return (
            Said(table="exactness", code=self.exactness),
            Said(table="matched_by", code=self.matched_by),
            Said(table="action", code=self.action),
        )

    def act(self) -> Act:
        """Return that this begins a request's life: confirm or reject it."""
        return Act.ASK

    def due_s(self) -> int:
        """Return the time for an answer."""
        return clock_s("request", self.urgency)

    def asked(self) -> tuple[str, ...]:
        """Return the nodes that are asked."""
        return self.to
