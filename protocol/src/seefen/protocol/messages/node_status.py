"""NodeStatus: whether a desk answers, and its telephone."""

from typing import Annotated, ClassVar

from msgspec import Meta

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.form import Line, Message, Moment, Story, coded, required


class NodeStatus(Message, kw_only=True, frozen=True):
    """A desk opens, answers late, or closes.

    Attributes:
        telephone: Of the duty desk; a telephone of a desk is none of a person.
        hours: When the desk is staffed.
        languages: In which it answers.
        until: Until when this holds.
    """

    TYPE: ClassVar[str] = "NodeStatus"

    urgency: Annotated[str, coded("urgency")] = "ROUTINE"
    tlp: Annotated[str, coded("tlp")] = "TLP:GREEN"
    state: Annotated[str, coded("node_state")]
    telephone: Line = ""
    hours: Line = ""
    languages: Annotated[tuple[Annotated[str, coded("lang")], ...], Meta(max_length=12)] = ()
    until: Moment = ""
    text: Story = ""

    def check(self) -> None:
        """Check that it says whether the desk answers."""
        super().check()
        required("state", self.state)
        if self.state != "open":
            required("until", self.until)

    def what(self) -> tuple[Said, ...]:
        """Return whether the desk answers, and in which languages."""
        languages = (Said(table="lang", code=code) for code in self.languages[:8])
        return (Said(table="node_state", code=self.state), *languages)
