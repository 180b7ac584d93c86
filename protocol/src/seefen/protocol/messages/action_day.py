"""Joint action days: what is counted, the hourly tally of each node, the closing report."""

from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Final, TypeAlias

from msgspec import Meta

from seefen.protocol.messages.cover import Said
from seefen.protocol.messages.form import (
    Line,
    Message,
    Moment,
    Nodes,
    Piece,
    Story,
    coded,
    counted_by,
    refuse,
    required,
)
from seefen.protocol.statements import Id, NodeName

_Code: TypeAlias = Annotated[str, Meta(max_length=40)]
# All hours of the longest day stay below what a sum holds: no tally stops the report.
Counts: TypeAlias = Annotated[
    dict[_Code, Annotated[int, Meta(ge=0, le=1_000_000)]], counted_by("tally")
]
_MOST: Final = 10**9
Sums: TypeAlias = Annotated[dict[_Code, Annotated[int, Meta(ge=0, le=_MOST)]], counted_by("tally")]
_LONGEST: Final = timedelta(days=31)


class ActionDay(Message, kw_only=True, frozen=True):
    """Opens a joint action day in a channel.

    Attributes:
        starts, ends: Its hours; a tally is for one of them.
        nodes: Who takes part; none for all members.
        coordinator: The node that closes it.
        counted: What is counted; none for all codes of the table.
    """

    TYPE: ClassVar[str] = "ActionDay"

    name: Line
    starts: Moment
    ends: Moment
    nodes: Nodes = ()
    coordinator: NodeName
    counted: Annotated[tuple[Annotated[str, coded("tally")], ...], Meta(max_length=16)] = ()
    text: Story = ""

    def check(self) -> None:
        """Check that it has a name, and hours that follow each other."""
        super().check()
        required("name", self.name.strip())
        starts, ends = moment("starts", self.starts), moment("ends", self.ends)
        if starts >= ends:
            refuse("ends", "it ends after it starts")
        if ends - starts > _LONGEST:
            refuse("ends", "it lasts 31 days at most")

    def what(self) -> tuple[Said, ...]:
        """Return that it is one; its name stays in the body."""
        return (Said(table="form", code="action_day"),)


class Tally(Message, kw_only=True, frozen=True):
    """What a node counted in one hour of an action day. The newest of an hour counts alone.

    Attributes:
        of: The object that opened the day.
        hour: When the hour began.
    """

    TYPE: ClassVar[str] = "Tally"

    of: Id
    hour: Moment
    counts: Counts

    def check(self) -> None:
        """Check that it is about a whole hour."""
        super().check()
        at = moment("hour", self.hour)
        if int(at.timestamp()) % 3600:
            refuse("hour", "a tally is for an hour from its first minute")

    def what(self) -> tuple[Said, ...]:
        """Return what was counted."""
        said = (Said(table="tally", code=code, n=n) for code, n in self.counts.items() if n)
        return (Said(table="form", code="tally"), *said)


class NodeSum(Piece, kw_only=True, frozen=True):
    """What a node counted in all."""

    node: NodeName
    counts: Sums


class ActionReport(Message, kw_only=True, frozen=True):
    """Closes an action day, from its coordinator: what was counted, and who told nothing."""

    TYPE: ClassVar[str] = "ActionReport"

    of: Id
    sums: Annotated[tuple[NodeSum, ...], Meta(max_length=64)] = ()
    silent: Nodes = ()
    text: Story = ""

    def what(self) -> tuple[Said, ...]:
        """Return the sums of all nodes together."""
        sums = dict[str, int]()
        for one in self.sums:
            for code, n in one.counts.items():
                sums[code] = sums.get(code, 0) + n
        said = (Said(table="tally", code=code, n=min(n, _MOST)) for code, n in sums.items() if n)
        return (Said(table="form", code="action_report"), *said)


def moment(field: str, text: str) -> datetime:
    """Return a time that a form names.

    Raises:
        RefusedError: There is no such time.
    """
    required(field, text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        refuse(field, "there is no such time")
    if not 2000 <= at.year < 2100:  # what no clock can show would stop every list it stands in
        refuse(field, "a year from 2000 to 2099")
    return at
