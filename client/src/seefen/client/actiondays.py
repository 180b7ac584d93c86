"""Joint action days: opened in a channel, counted hour by hour, closed with a report.

A tally is what a node counted in one hour, whole: said again it takes the place of the
one before, so that nothing is counted twice; taken back it leaves its hour empty. What is
an exercise is never counted among what is real, nor the reverse. A node speaks for itself
alone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeAlias

from seefen.client.casework import Casework
from seefen.client.engine import Engine
from seefen.client.messaging import Messaging
from seefen.client.requests import Find
from seefen.client.values import Sent
from seefen.client.views import (
    Row,
    author_of,
    recall_of,
    ref_of,
    require_in_use,
    require_newest,
    row_of,
    rows,
    terms_of,
)
from seefen.protocol.case import CaseState
from seefen.protocol.errors import OutOfTurnError, RefusedError, UntrustedError
from seefen.protocol.messages import TABLES, ActionDay, ActionReport, NodeSum, Tally

HOUR: Final = 3600
_REPLIES: Final = (
    "reply_to = ? AND case_id = ? AND cover IS NOT NULL AND NOT file AND superseded_by IS NULL"
)
_DAYS: Final = "cover IS NOT NULL AND instr(cover, ?) AND NOT file AND superseded_by IS NULL"
Counts: TypeAlias = dict[str, int]


@dataclass(frozen=True, slots=True)
class HourView:
    """What a node counted in an hour; ``hour`` is its beginning in Unix seconds."""

    node: str
    hour: int
    counts: Counts
    ref: str


@dataclass(frozen=True, slots=True)
class ActionDayView:
    """An action day as this device can count it.

    Attributes:
        hours: What was told, by hour and node.
        sums: By node; who told nothing is in ``silent``.
        closed: How many tallies are not open on this device, and not counted.
        late: How many came after the report, and are not counted.
        emptied: Hours whose newest tally was taken back: nothing counts there, until it is told.
        unread: How many were taken back before they were read here: of which hour, nobody knows.
        report: The closing report, or empty while the day goes on.
    """

    ref: str
    name: str
    starts: int
    ends: int
    coordinator: str
    nodes: tuple[str, ...]
    counted: tuple[str, ...]
    exercise: bool
    hours: tuple[HourView, ...]
    sums: dict[str, Counts]
    silent: tuple[str, ...]
    closed: int
    late: int
    report: str
    emptied: tuple[HourView, ...] = ()
    unread: int = 0


@dataclass(slots=True)
class _Told:
    """What was told, in the order of the log: the last one of a node and hour stays."""

    hours: "Hours" = field(default_factory=dict["tuple[str, int]", HourView])
    emptied: "Hours" = field(default_factory=dict["tuple[str, int]", HourView])
    closed: int = 0
    late: int = 0
    unread: int = 0

    def put(self, one: HourView, *, back: bool) -> None:
        # What it replaced does not come back with it: it was said to be wrong as well.
        stays, goes = (self.emptied, self.hours) if back else (self.hours, self.emptied)
        goes.pop((one.node, one.hour), None)
        stays[one.node, one.hour] = one


Views: TypeAlias = list[ActionDayView]
Hours: TypeAlias = dict[tuple[str, int], HourView]
_Day: TypeAlias = tuple[CaseState, Row, ActionDay]


class ActionDays:
    """Opens, counts and closes action days."""

    def __init__(
        self, engine: Engine, casework: Casework, messaging: Messaging, find: Find
    ) -> None:
        self._engine = engine
        self._casework = casework
        self._messaging = messaging
        self._find = find

    async def open(self, channel: str, day: ActionDay) -> Sent:
        """Open an action day in a channel, as a lead.

        Raises:
            UntrustedError: rule ``role``: it would count for nobody.
            RefusedError: rule ``outsider``: a node that takes part is no member there.
        """
        self._require_lead("an action day is opened by a lead")
        state = self._casework.find(channel)
        if state.form != "channel":
            raise RefusedError("an action day is opened in a channel", rule="no-channel")
        for node in (*day.nodes, day.coordinator):
            if node not in state.members:
                raise RefusedError(f"{node} is no member of {state.number}", rule="outsider")
        return await self._messaging.send(state, day)

    async def tally(self, ref: str, counts: Counts, hour: int) -> Sent:
        """Tell what the own node counted in the hour that begins at ``hour``, all of it.

        Raises:
            RefusedError: The hour is none of this day, something is not counted in it, or
                the own node does not take part.
            OutOfTurnError: rule ``closed``: its report was sent.
        """
        state, row, day = self._day(ref)
        start, end = _span(day)
        if not start <= hour < end or hour % HOUR:
            raise RefusedError(f"this is no hour of {ref}", rule="hour")
        if self._engine.node not in _nodes(state, day):
            raise RefusedError(f"your node does not take part in {ref}", rule="outsider")
        for code in counts:
            if code not in _counted(day):
                raise RefusedError(
                    f"{code} is not counted here; counted are {', '.join(_counted(day))}",
                    rule="unknown-code",
                )
        if (report := self._report(row, day)) is not None:
            raise OutOfTurnError(f"{ref} is closed: {ref_of(self._engine, report)}", rule="closed")
        message = Tally(
            of=row.object,
            hour=datetime.fromtimestamp(hour, UTC).isoformat(timespec="minutes"),
            counts=dict(counts),
            exercise=day.exercise,
            **terms_of(row),
        )
        return await self._messaging.send(state, message, reply_to=row.object)

    async def close(self, ref: str, text: str = "") -> Sent:
        """Close an action day with its report, as a lead of the node that coordinates.

        Raises:
            UntrustedError: rule ``role``.
            RefusedError: rule ``not-yours``, or ``not-opened``: tallies are not open here.
            OutOfTurnError: rule ``closed``.
        """
        self._require_lead("an action day is closed by a lead")
        state, row, day = self._day(ref)
        if day.coordinator != self._engine.node:
            raise RefusedError(f"{day.coordinator} coordinates {ref}", rule="not-yours")
        view = self.show(ref)
        if view.report:
            raise OutOfTurnError(f"{ref} is closed: {view.report}", rule="closed")
        if view.closed:
            raise RefusedError(
                f"{tallies(view.closed)} of {ref} not open here: go on watch, or open them",
                rule="not-opened",
            )
        message = ActionReport(
            of=row.object,
            sums=tuple(NodeSum(node=node, counts=dict(one)) for node, one in view.sums.items()),
            silent=view.silent,
            text=text,
            exercise=day.exercise,
            **terms_of(row),
        )
        return await self._messaging.send(state, message, reply_to=row.object)

    def list(self) -> Views:
        """Return the action days this device has opened, the newest first."""
        found = reversed(rows(self._engine, _DAYS, ActionDay.TYPE.encode()))
        return [self.show(ref_of(self._engine, row)) for row in found if self._is_day(row)]

    def show(self, ref: str) -> ActionDayView:
        """Return an action day, counted from what is open here.

        Raises:
            RefusedError: rule ``no-action-day``, or ``not-opened``.
        """
        state, row, day = self._day(ref)
        report = self._report(row, day)
        told = self._tallies(state, row, day, report)
        hours, emptied = _by_hour(told.hours.values()), _by_hour(told.emptied.values())
        sums = dict[str, dict[str, int]]()
        for one in hours:
            node = sums.setdefault(one.node, {})
            for code, n in one.counts.items():
                node[code] = node.get(code, 0) + n
        nodes, (start, end) = _nodes(state, day), _span(day)
        return ActionDayView(
            ref=ref_of(self._engine, row),
            name=day.name,
            starts=start,
            ends=end,
            coordinator=day.coordinator,
            nodes=nodes,
            counted=_counted(day),
            exercise=day.exercise,
            hours=hours,
            sums={node: sums[node] for node in sorted(sums)},
            silent=tuple(node for node in nodes if node not in sums),
            closed=told.closed,
            late=told.late,
            report="" if report is None else ref_of(self._engine, report),
            emptied=emptied,
            unread=told.unread,
        )

    def _tallies(
        self, state: CaseState, day_row: Row, day: ActionDay, report: Row | None
    ) -> "_Told":
        told = _Told()
        for row in self._replies(day_row, Tally.TYPE):
            if row.statement.node not in _nodes(state, day):
                continue
            back = recall_of(self._engine, row) is not None
            if report is not None and row.index > report.index:
                told.late += not back
            elif row.body is None:
                told.unread += back
                told.closed += not back
            elif (one := self._hour(row, day_row, day)) is not None:
                told.put(one, back=back)
        return told

    def _hour(self, row: Row, day_row: Row, day: ActionDay) -> HourView | None:
        said = row.message
        # An exercise counts in an exercise, and what is real in what is real.
        if not isinstance(said, Tally) or said.of != day_row.object:
            return None
        if said.exercise != day.exercise:
            return None
        hour, (start, end) = _unix(said.hour), _span(day)
        if not start <= hour < end or hour % HOUR:
            return None  # a newer form, or a hostile one: its rules were not checked
        counts = {code: n for code, n in said.counts.items() if code in _counted(day)}
        return HourView(row.statement.node, hour, counts, ref_of(self._engine, row))

    def _replies(self, row: Row, type_: str) -> Iterator[Row]:
        for reply in rows(self._engine, _REPLIES, row.object, row.case):
            cover = reply.opened_cover
            if cover is not None and cover.type == type_:
                yield reply

    def _report(self, row: Row, day: ActionDay) -> Row | None:
        for reply in self._replies(row, ActionReport.TYPE):
            ours = reply.statement.node == day.coordinator
            lead = "lead" in author_of(self._engine, reply).roles
            if ours and lead and recall_of(self._engine, reply) is None:
                return reply
        return None

    def _is_day(self, row: Row) -> bool:
        lead = "lead" in author_of(self._engine, row).roles
        return isinstance(row.message, ActionDay) and lead and not recall_of(self._engine, row)

    def _day(self, ref: str) -> _Day:
        state, number = self._find(ref)
        row = row_of(self._engine, state, number)
        require_in_use(self._engine, row)
        require_newest(self._engine, row)
        cover, day = row.opened_cover, row.message
        if cover is None or cover.type != ActionDay.TYPE:
            raise RefusedError(f"{ref} opens no action day", rule="no-action-day")
        if not isinstance(day, ActionDay):
            raise RefusedError(f"{ref} is not open here: read it first", rule="not-opened")
        if not self._is_day(row):
            raise RefusedError(f"{ref} was not opened by a lead", rule="no-action-day")
        return state, row, day

    def _require_lead(self, what: str) -> None:
        engine = self._engine
        if "lead" not in engine.directory.device(engine.keys.device).roles:
            raise UntrustedError(what, rule="role")


def tallies(number: int) -> str:
    """Return ``1 tally is``, ``2 tallies are``."""
    return "1 tally is" if number == 1 else f"{number} tallies are"


def _by_hour(hours: Iterable[HourView]) -> tuple[HourView, ...]:
    return tuple(sorted(hours, key=lambda one: (one.hour, one.node)))


def _span(day: ActionDay) -> tuple[int, int]:
    """Return the first hour and the end, in Unix seconds; a day that starts at 5:30 has 5:00."""
    start, end = _unix(day.starts), _unix(day.ends)
    return start - start % HOUR, end


def _unix(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except (ValueError, OverflowError):
        return 0


def _nodes(state: CaseState, day: ActionDay) -> tuple[str, ...]:
    return tuple(sorted(day.nodes or state.members))


def _counted(day: ActionDay) -> tuple[str, ...]:
    return day.counted or tuple(TABLES["tally"])
