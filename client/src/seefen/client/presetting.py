"""Presets at work: what an officer left is filled in with what his node laid down.

Values that he chose stand, also where he chose the form's own; see
:func:`seefen.protocol.messages.saying`.
"""

from functools import cache
from typing import Final, TypeVar

from msgspec.structs import fields, replace

from seefen.client.engine import Engine
from seefen.client.house import House
from seefen.client.requests import Find
from seefen.client.values import Sent
from seefen.client.views import row_of
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import Message, Paper, Presets, saying

M = TypeVar("M", bound=Message)
TERMS: Final = ("handling", "tlp", "source_eval", "info_eval", "purpose", "basis")
# Their terms are those of the message that they are about.
_ABOUT_ANOTHER: Final = frozenset(
    (
        "ActionReport", "Answer", "Closing", "Correction", "EmergencyOpened", "ErasureConfirm",
        "Extension", "Flash", "Forwarded", "OnwardDecision", "Recall", "Tally",
    )
)  # fmt: skip


class Presetting:
    """The presets of the own node."""

    def __init__(self, engine: Engine, house: House, find: Find) -> None:
        self._engine = engine
        self._house = house
        self._find = find

    async def lay(self, presets: Presets) -> Sent:
        """Lay down presets in place of those before; see :meth:`House.lay`."""
        return await self._house.lay(presets)

    def fill(self, message: M) -> M:
        """Return a message with the node's values where its writer left the form's own.

        It is marked so that a second time changes nothing: whoever was shown the values and
        took another one keeps it.
        """
        paper = self._house.paper(Presets)
        if paper is None or message.TYPE in _ABOUT_ANOTHER or isinstance(message, Paper):
            return message
        own = _own_values(type(message))
        values = {
            field: value
            for field in TERMS
            if field not in message.said and getattr(message, field) == own[field]
            if (value := _value(paper, message.TYPE, field))
        }
        return saying(replace(message, **values), *message.said, *TERMS)

    def opening(self, type_: str = "") -> tuple[str, str]:
        """Return purpose and basis under which officers open a type; empty if none is preset."""
        paper = self._house.paper(Presets)
        rows = () if paper is None else paper.opening
        for form in (type_, ""):
            for row in rows:
                if row.form == form:
                    return row.purpose, row.basis
        return "", ""

    def opening_of(self, name: str) -> tuple[str, str]:
        """Return the same for ``CASE#n`` by its cover, or for what is in a case."""
        if "#" not in name:
            return self.opening()
        try:
            cover = row_of(self._engine, *self._find(name)).opened_cover
        except RefusedError:
            return self.opening()
        return self.opening("" if cover is None else cover.type)


def _value(paper: Presets, type_: str, field: str) -> str:
    """Return what the row of a type says, else the row for all types."""
    for form in (type_, ""):
        for row in paper.rows:
            value: str = getattr(row, field)
            if row.form == form and value:
                return value
    return ""


@cache
def _own_values(type_: type[Message]) -> dict[str, object]:
    return {field.name: field.default for field in fields(type_)}
