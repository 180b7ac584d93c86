"""Presets at work: what an officer left is filled in with what his node laid down.

Neither they nor a form's own values go below the terms of the message that something is
about: an answer may hold the words of its question. Values that he chose stand, also where he
chose the form's own; see :func:`seefen.protocol.messages.saying`.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final, TypeVar

from msgspec.structs import fields, replace

from seefen.client.engine import Engine
from seefen.client.house import House
from seefen.client.requests import Find
from seefen.client.values import Sent
from seefen.client.views import row_of, rows, terms_of
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import TABLES, Message, OnwardDecision, Paper, Presets, saying

M = TypeVar("M", bound=Message)
TERMS: Final = ("handling", "tlp", "source_eval", "info_eval", "purpose", "basis")
_STRICTEST_FIRST: Final = tuple(TABLES["tlp"])
# Their terms are those of the message that they are about, also where a preset is stricter.
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

    def fill(self, message: M, about: bytes | None = None) -> M:
        """Return a message with the node's values where its writer left the form's own.

        Args:
            about: The object that it replies to, beside those that its fields name.

        It is marked so that a second time changes nothing: whoever was shown the values and
        took another one keeps it.
        """
        made = self._preset(message)
        named = (about, *(getattr(message, field, None) for field in ("about", "of")))
        objects = {one for one in named if isinstance(one, bytes) and one}
        for row in (row for one in objects for row in rows(self._engine, "object = ?", one)):
            made = _not_below(made, terms_of(row), message.said)
        return made

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

    def _preset(self, message: M) -> M:
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


def _value(paper: Presets, type_: str, field: str) -> str:
    """Return what the row of a type says, else the row for all types."""
    for form in (type_, ""):
        for row in paper.rows:
            value: str = getattr(row, field)
            if row.form == form and value:
                return value
    return ""


def _not_below(message: M, terms: Mapping[str, str], said: frozenset[str]) -> M:
    """Return a message whose terms, where its writer said none, are as strict as these."""
    # A decision's conditions are those of the permission, and nobody else's.
    own = "conditions" in said or message.TYPE == OnwardDecision.TYPE
    conditions = message.conditions or ("" if own else terms.get("conditions", ""))
    # H3 means conditions in words.
    handling = terms["handling"] if conditions else min(terms["handling"], "H2")
    # Nobody who has not read the mark of a question may answer it under a looser one.
    tlp = min(message.tlp, terms.get("tlp", _STRICTEST_FIRST[0]), key=_STRICTEST_FIRST.index)
    strict = {
        "conditions": conditions, "handling": max(message.handling, handling), "tlp": tlp
    }  # fmt: skip
    changed = {
        field: value
        for field, value in strict.items()
        if field not in said and getattr(message, field) != value
    }
    return saying(replace(message, **changed), *message.said) if changed else message


@cache
def _own_values(type_: type[Message]) -> dict[str, object]:
    return {field.name: field.default for field in fields(type_)}
