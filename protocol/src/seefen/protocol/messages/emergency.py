"""Opening a case in an emergency: the question in the house, and what its members are told."""

from typing import Annotated, ClassVar

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.form import Line, Message, Officer, coded, required
from seefen.protocol.statements import Id


class EmergencyAsk(Message, kw_only=True, frozen=True):
    """In the house: an officer needs a case of his node at once, and was not assigned.

    Attributes:
        case: Its id; whoever holds its key assigns it to the device that asks.
    """

    TYPE: ClassVar[str] = "EmergencyAsk"

    urgency: Annotated[str, coded("urgency")] = "URGENT"
    urgency_reason: Annotated[str, coded("urgency_reason")] = "other"
    case: Id

    def check(self) -> None:
        """Check that it says what for and on which basis."""
        super().check()
        required("purpose", self.purpose)
        required("basis", self.basis)

    def what(self) -> tuple[Said, ...]:
        """Return that somebody asks: which case stays in the body."""
        return (Said(table="form", code="emergency_ask"),)


class EmergencyRefused(Message, kw_only=True, frozen=True):
    """In the house: the roster does not let an officer open a case in an emergency.

    Attributes:
        of: The question.
        why: In words.
    """

    TYPE: ClassVar[str] = "EmergencyRefused"

    of: Id
    why: Line

    def check(self) -> None:
        """Check that it says why."""
        super().check()
        required("why", self.why)

    def what(self) -> tuple[Said, ...]:
        """Return that it was refused."""
        return (Said(table="form", code="emergency_refused"),)


class EmergencyOpened(Message, kw_only=True, frozen=True):
    """In a case: an officer without assignment was given it in an emergency, by whom.

    Attributes:
        officer: Who asked.
        device: The device that got the key.
    """

    TYPE: ClassVar[str] = "EmergencyOpened"

    urgency: Annotated[str, coded("urgency")] = "URGENT"
    urgency_reason: Annotated[str, coded("urgency_reason")] = "other"
    officer: Officer
    device: Id

    def check(self) -> None:
        """Check that it names the officer, what for and on which basis."""
        super().check()
        required("officer", self.officer)
        required("purpose", self.purpose)
        required("basis", self.basis)

    def what(self) -> tuple[Said, ...]:
        """Return that a case was opened so: its members see it without opening anything."""
        return (Said(table="form", code="emergency_opened"),)
