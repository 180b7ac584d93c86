"""FirearmNotice: a weapon is lost, stolen, trafficked, smuggled; or it is found again."""

from typing import Annotated, ClassVar

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.firearm import Item
from seefen.protocol.messages.form import (
    Day,
    Line,
    Message,
    OptionalId,
    Story,
    check_id,
    coded,
    refuse,
    required,
)


class FirearmNotice(Message, kw_only=True, frozen=True):
    """One weapon that others may meet.

    Attributes:
        of: The notice that is withdrawn, or whose weapon was recovered.
    """

    TYPE: ClassVar[str] = "FirearmNotice"

    notice: Annotated[str, coded("notice")]
    item: Item
    since: Day = ""
    place: Line = ""
    owner_type: Annotated[str, coded("owner_type")] = "unknown"
    of: OptionalId = b""
    text: Story = ""

    def check(self) -> None:
        """Check that the weapon can be known again, and what a withdrawal withdraws."""
        super().check()
        required("notice", self.notice)
        self.item.check("item")
        check_id("of", self.of)
        if self.notice == "withdrawn":
            required("of", self.of)
        elif not (self.item.serial_as_read or self.item.serial_state):
            refuse(
                "item.serial_as_read",
                "is needed; or say in serial_state why there is none",
                "missing",
            )

    def what(self) -> tuple[Said, ...]:
        """Return what happened to it, and its kind."""
        item = self.item
        said = (
            Said(table="notice", code=self.notice),
            Said(table="category", code=item.category, n=item.qty),
        )
        return (*said, Said(table="calibre", code=item.calibre)) if item.calibre else said
