"""Presets: what a form says where nobody said it, and under what officers open."""

from collections.abc import Iterable
from typing import Annotated, ClassVar

from msgspec import Meta

from seefen.protocol.messages.form import Paper, Piece, coded, refuse, required

FormName = Annotated[
    str,
    Meta(
        pattern=r"\A([A-Z][A-Za-z0-9]*)?\Z",
        max_length=40,
        extra={"hint": "a type of message like TraceRequest, or nothing for all"},
    ),
]


class Preset(Piece, kw_only=True, frozen=True):
    """What messages of a type say, or of all types. An empty field says nothing."""

    form: FormName = ""
    handling: Annotated[str, coded("handling")] = ""
    tlp: Annotated[str, coded("tlp")] = ""
    source_eval: Annotated[str, coded("source_eval")] = ""
    info_eval: Annotated[str, coded("info_eval")] = ""
    purpose: Annotated[str, coded("purpose")] = ""
    basis: Annotated[str, coded("basis")] = ""


class Opening(Piece, kw_only=True, frozen=True):
    """Purpose and legal basis that are proposed where a message of a type, or any, is opened."""

    form: FormName = ""
    purpose: Annotated[str, coded("purpose")]
    basis: Annotated[str, coded("basis")]


class Presets(Paper, kw_only=True, frozen=True):
    """A paper of a node: it saves its officers what they would type each time.

    Its cover says only that it is one: which bases a node works under is no news for a list.
    """

    TYPE: ClassVar[str] = "Presets"

    rows: Annotated[tuple[Preset, ...], Meta(max_length=64)] = ()
    opening: Annotated[tuple[Opening, ...], Meta(max_length=64)] = ()

    def check(self) -> None:
        """Check that no type stands twice, and that nothing is preset that needs words."""
        super().check()
        for n, row in enumerate(self.rows):
            if row.handling == "H3":
                refuse(
                    f"rows[{n}].handling",
                    "H3 means restrictions in words, which each message says for itself",
                    "conditions",
                )
        for n, opening in enumerate(self.opening):
            required(f"opening[{n}].purpose", opening.purpose)
            required(f"opening[{n}].basis", opening.basis)
        _require_once("rows", (row.form for row in self.rows))
        _require_once("opening", (row.form for row in self.opening))

    def speaks_of(self) -> tuple[str, ...]:
        """Return the types of messages that its rows name."""
        forms = (*(row.form for row in self.rows), *(row.form for row in self.opening))
        return tuple(filter(None, forms))


def _require_once(field: str, forms: Iterable[str]) -> None:
    seen = list(forms)
    for form in seen:
        if seen.count(form) > 1:
            refuse(field, f"{form or 'the row for all types'} stands twice: which one?", "double")
