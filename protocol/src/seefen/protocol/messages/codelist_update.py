"""CodelistUpdate: new rows for a list of codes, each with its source."""

from typing import Annotated, ClassVar, Final

from msgspec import Meta

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.form import Line, Message, Piece, Story, coded, refuse, required
from seefen.protocol.statements import Number

_CODE: Final = r"\A[A-Za-z0-9.][A-Za-z0-9._+:-]*\Z"


class ListRow(Piece, kw_only=True, frozen=True):
    """A row of a list: a code, what it means in English, and where that comes from."""

    code: Annotated[str, Meta(pattern=_CODE, max_length=40, extra={"hint": "a code"})]
    label: Annotated[Line, Meta(min_length=1)]
    source: Annotated[Line, Meta(min_length=1)]


class CodelistUpdate(Message, kw_only=True, frozen=True):
    """Rows that are added to a list, or whose English words change. No row goes away.

    Attributes:
        table: The list.
        version: Its version after this, one more than the one before.
    """

    TYPE: ClassVar[str] = "CodelistUpdate"

    urgency: Annotated[str, coded("urgency")] = "ROUTINE"
    tlp: Annotated[str, coded("tlp")] = "TLP:GREEN"
    handling: Annotated[str, coded("handling")] = "H0"
    table: Annotated[Line, Meta(min_length=1)]
    version: Number
    rows: Annotated[tuple[ListRow, ...], Meta(min_length=1, max_length=256)]
    text: Story = ""

    def check(self) -> None:
        """Check that no code stands twice."""
        super().check()
        required("rows", self.rows)
        codes = [row.code for row in self.rows]
        for code in codes:
            if codes.count(code) > 1:
                refuse("rows", f"{code} stands twice: which one is it?", "double")

    def what(self) -> tuple[Said, ...]:
        """Return how many rows change; which list it is stays in the body."""
        return (Said(table="form", code="codelist", n=len(self.rows)),)
