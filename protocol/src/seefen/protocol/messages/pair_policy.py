"""PairPolicy: what a node may send to each other node, row by numbered row."""

from typing import Annotated, ClassVar, Final

from msgspec import Meta

from seefen.protocol.messages.form import Day, Line, Paper, Piece, coded, refuse, required
from seefen.protocol.messages.presets import FormName

_HOUR: Final = 3600
_WHOLE_DAY: Final = 10  # characters of 2026-03-14
EVERYBODY: Final = "*"

Hours = Annotated[int, Meta(ge=0, le=8784, extra={"hint": "whole hours, at most 8784"})]
Recipient = Annotated[
    str,
    Meta(
        pattern=r"\A(\*|[a-z][a-z0-9]*(-[a-z0-9]+)*)\Z",
        max_length=40,
        extra={"hint": "the name of a node, or * for all that no row names"},
    ),
]


class PairRow(Piece, kw_only=True, frozen=True):
    """What may go to a node, on which ground, and until when.

    Attributes:
        n: Its number, which a refusal names.
        forms: The types of messages, none for all.
        persons: Whether a message may name persons; it needs a basis or a ground then.
        until: The last day, nothing for no end.
        flash_h: Hours in which a request of this urgency is answered, 0 for the usual time;
            ``urgent_h``, ``normal_h``, ``routine_h`` alike.
    """

    n: Annotated[int, Meta(ge=1, le=10_000)]
    to: Recipient
    forms: Annotated[tuple[FormName, ...], Meta(max_length=40)] = ()
    persons: bool = False
    basis: Annotated[str, coded("basis")] = ""
    ground: Line = ""
    until: Day = ""
    flash_h: Hours = 0
    urgent_h: Hours = 0
    normal_h: Hours = 0
    routine_h: Hours = 0

    def problem(self, *, persons: bool, day: str) -> str | None:
        """Return why something does not pass by this row, or None."""
        if self.until and self.until < day:
            return f"ran out on {self.until} (row {self.n})"
        if persons and not self.persons:
            return f"has no basis for person data (row {self.n})"
        return None


class PairPolicy(Paper, kw_only=True, frozen=True):
    """A paper of a node: the table by which its devices refuse before they seal.

    A node that a row names is judged by its own rows alone; ``*`` is for all others. Rows
    that name the type of message go before rows for all types. One row that lets it pass is
    enough, and where there is none for it, it does not pass.
    """

    TYPE: ClassVar[str] = "PairPolicy"

    rows: Annotated[tuple[PairRow, ...], Meta(min_length=1, max_length=512)]

    def check(self) -> None:
        """Check that each row has a number of its own and says on which ground."""
        super().check()
        required("rows", self.rows)
        numbers = [row.n for row in self.rows]
        for place, row in enumerate(self.rows):
            if numbers.count(row.n) > 1:
                refuse(f"rows[{place}].n", f"row {row.n} stands twice: which one is it?", "double")
            if row.persons and not (row.basis or row.ground.strip()):
                refuse(
                    f"rows[{place}].basis",
                    "person data needs a legal basis, or a transfer ground in words",
                    "no-basis",
                )
            if row.until and len(row.until) != _WHOLE_DAY:
                refuse(f"rows[{place}].until", "write the whole date: 2026-12-31")

    def speaks_of(self) -> tuple[str, ...]:
        """Return the types of messages that its rows name."""
        return tuple(form for row in self.rows for form in row.forms)

    def nodes(self) -> tuple[str, ...]:
        """Return the nodes that its rows name."""
        return tuple(row.to for row in self.rows if row.to != EVERYBODY)

    def refusal(self, node: str, form: str = "", *, persons: bool = False, day: str) -> str | None:
        """Return why something may not go to a node, or None.

        Args:
            form: The type of message; nothing asks whether anything may go there.
            persons: Whether it names persons.
            day: Today, like 2026-03-14.
        """
        rows = self._rows(node, form)
        problems = [row.problem(persons=persons, day=day) for row in rows]
        if None in problems:
            return None
        return problems[0] if problems else f"has no row for {form or 'it'}"

    def clock_s(self, node: str, form: str, urgency: str, *, day: str) -> int:
        """Return the seconds in which a node answers a request, 0 for the usual time."""
        for row in self._rows(node, form):
            hours: int = getattr(row, f"{urgency.lower()}_h", 0)
            if hours and row.problem(persons=False, day=day) is None:
                return hours * _HOUR
        return 0

    def _rows(self, node: str, form: str) -> tuple[PairRow, ...]:
        own = tuple(row for row in self.rows if row.to == node)
        rows = own or tuple(row for row in self.rows if row.to == EVERYBODY)
        if not form:
            return rows
        named = tuple(row for row in rows if form in row.forms)
        return named or tuple(row for row in rows if not row.forms)
