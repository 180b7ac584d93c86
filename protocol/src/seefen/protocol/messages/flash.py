"""Flash: an alert rings, by the word of a second officer.

In the channel of the alert a second officer of the node that sent it confirms that it is
FLASH. In the house of a node that received it, one of its officers rings its own devices.
"""

from typing import ClassVar

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.form import Message
from seefen.protocol.statements import Id


class Flash(Message, kw_only=True, frozen=True):
    """Says that an alert rings; nothing else.

    Attributes:
        of: The object that is the alert.
    """

    TYPE: ClassVar[str] = "Flash"

    of: Id

    def what(self) -> tuple[Said, ...]:
        """Return that something rings: which alert it is stands in the header or the body."""
        return (Said(table="form", code="flash"),)
