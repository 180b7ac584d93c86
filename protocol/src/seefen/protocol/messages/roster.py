"""Roster: the paper by which a node's keyholders assign cases, and open them in an emergency."""

from datetime import datetime
from typing import Annotated, ClassVar, TypeAlias

import msgspec
from msgspec import Meta

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.form import (
    Line,
    Moment,
    Nodes,
    Officer,
    Paper,
    Piece,
    Story,
    coded,
    refuse,
    required,
)

Officers: TypeAlias = Annotated[tuple[Officer, ...], Meta(max_length=16)]
_HINT = "a time of day like 07:00"
Hour: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"\A((([01][0-9]|2[0-3]):[0-5][0-9])?|24:00)\Z",
        max_length=5,
        extra={"hint": _HINT},
        description=_HINT,
    ),
]
Weekday: TypeAlias = Annotated[int, Meta(ge=1, le=7)]
TypeName: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Z][A-Za-z0-9]*\Z",
        max_length=40,
        extra={"hint": "the type of a message"},
        description="the type of a message",
    ),
]


class RosterRow(Piece, kw_only=True, frozen=True):
    """Who works on what, and when. What is left out is not asked: any type, any day.

    Attributes:
        days: 1 is Monday, 7 is Sunday.
        start, end: Of the shift; it passes midnight when it ends before it begins.
        officers: Who gets it, the first who is not away; then ``deputies``.
    """

    types: Annotated[tuple[TypeName, ...], Meta(max_length=32)] = ()
    nodes: Nodes = ()
    offences: Annotated[tuple[Annotated[str, coded("offence")], ...], Meta(max_length=16)] = ()
    urgencies: Annotated[tuple[Annotated[str, coded("urgency")], ...], Meta(max_length=4)] = ()
    days: Annotated[tuple[Weekday, ...], Meta(max_length=7)] = ()
    start: Hour = ""
    end: Hour = ""
    officers: Annotated[tuple[Officer, ...], Meta(min_length=1, max_length=16)]
    deputies: Officers = ()


class Away(Piece, kw_only=True, frozen=True):
    """Who is away, and until when."""

    officer: Officer
    until: Moment


class Emergencies(Piece, kw_only=True, frozen=True):
    """Who may open a case in an emergency without having been assigned, and how often."""

    forbidden: bool = False
    a_day: Annotated[int, Meta(ge=1, le=20)] = 3
    not_for: Officers = ()
    not_cases: Annotated[tuple[Line, ...], Meta(max_length=256)] = ()


class Roster(Paper, kw_only=True, frozen=True):
    """A paper of the house. The first row that fits decides.

    Attributes:
        zone: The time zone of all hours, by its name: ``Europe/Skopje``.
    """

    TYPE: ClassVar[str] = "Roster"

    zone: Annotated[
        str,
        Meta(
            pattern=r"\A[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}\Z",
            max_length=40,
            extra={"hint": "the name of a time zone like Europe/Skopje"},
            description="the name of a time zone like Europe/Skopje",
        ),
    ]
    rows: Annotated[tuple[RosterRow, ...], Meta(max_length=64)] = ()
    away: Annotated[tuple[Away, ...], Meta(max_length=64)] = ()
    emergencies: Emergencies = msgspec.field(default_factory=Emergencies)
    text: Story = ""

    def check(self) -> None:
        """Check that each row has whole hours and names somebody."""
        super().check()
        for n, row in enumerate(self.rows):
            if bool(row.start) != bool(row.end):
                refuse(f"rows[{n}]", "a shift has a start and an end, or neither", "missing")
            if not all((*row.officers, *row.deputies)):
                refuse(f"rows[{n}]", "an officer is named by his pseudonym", "missing")
        for n, away in enumerate(self.away):
            required(f"away[{n}].officer", away.officer)
            required(f"away[{n}].until", away.until)
            _check_moment(f"away[{n}].until", away.until)

    def speaks_of(self) -> tuple[str, ...]:
        """Return the types of messages that its rows name."""
        return tuple(name for row in self.rows for name in row.types)

    def nodes(self) -> tuple[str, ...]:
        """Return the nodes that its rows name."""
        return tuple(node for row in self.rows for node in row.nodes)

    def what(self) -> tuple[Said, ...]:
        """Return that it is one; who works when stays in the body."""
        return (Said(table="form", code="roster"),)


def _check_moment(field: str, text: str) -> None:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        refuse(field, "there is no such time")
