"""Emergencies, as an auditor sees them: who, which case, and whether the reason was given.

Each begins with the notice that told the members (`EmergencyOpened`), and has the readings of the
device that it names, marked as an emergency's, up to the next notice for it there. The first is
that of the notice itself: the officer's client enters it as soon as it has the key. What is marked
without a notice is none: past a log that nobody has seen every reading is (`unwitnessed.py`), and
nobody is asked why.

A reason that is overdue stands against the verdict, whatever month that is about: it ends when the
officer gives it, or an auditor says why he cannot. What this device cannot judge it calls unknown.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Final, TypeAlias

from seefen.client.audit.counting import PROVED
from seefen.client.audit.erasing import erased_upto
from seefen.client.audit.facts import Facts
from seefen.client.audit.rowing import case_name, gives_reason, reads_reason
from seefen.client.audit.store import Store
from seefen.client.engine import Engine
from seefen.client.explained import REASON, subject_of
from seefen.client.findings import EmergencyCase
from seefen.client.urgent import NOTICES
from seefen.client.views import Row, rows
from seefen.client.wording import counted, stamp
from seefen.protocol.messages import EmergencyOpened

DAY = 86_400  # seconds from the first reading until its reason is due
CLOSED: Final = "whether a reason is owed is not known: what would say so is closed here"
ERASED: Final = "erased under retention, the reason perhaps as well"
SEALED: Final = "the reason is sealed to other auditors"


# By whom of a node an object was first opened in an emergency.
_First: TypeAlias = dict[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class Emergency:
    """One emergency: what is said of it, and where its readings stand in the log."""

    case: EmergencyCase
    indices: tuple[int, ...]

    def in_period(self, start: int, stop: int | None) -> EmergencyCase | None:
        """Return it as a piece of the log has it, also beyond that while its reason is overdue."""
        before = [index for index in self.indices if stop is None or index < stop]
        if before and before[-1] >= start:
            return replace(self.case, readings=len(before))
        return self.case if self.case.subject else None


@dataclass(frozen=True, slots=True)
class _Group:
    """Readings of an emergency, and its notice: None where none is open to this device."""

    notice: Row | None
    readings: Sequence[Facts]


def emergencies(engine: Engine, store: Store) -> list[Emergency]:
    """Return all emergencies of the log, from its beginning on: a reason may be due for long."""
    found: dict[tuple[str, str], list[Facts]] = {}
    first: _First = {}
    for facts in store.each((PROVED, (("emergency", "1"),), (("act", "access"),))):
        found.setdefault((facts.case_id, facts.device), []).append(facts)
        first.setdefault((facts.node, facts.object), facts.device)
    notices = {case: _notices(engine, case) for case, _ in found}
    return [
        _emergency(engine, store, group)
        for (case, _), readings in found.items()
        for group in _groups(engine, notices[case], readings, first)
    ]


def overdue(found: Iterable[Emergency]) -> Iterator[tuple[str, str, str]]:
    """Yield the emergencies whose reason is overdue: what, a sentence, and its hash."""
    for one in (emergency.case for emergency in found):
        if one.subject:
            text = (
                f"{one.officer} of {one.node} gave no reason for the emergency in {one.case}, "
                f"since {stamp(one.at)}, {counted(one.readings, 'reading')}"
            )
            yield REASON, text, one.subject


def _notices(engine: Engine, case: str) -> list[Row]:
    """Return the notices of a case that this device has a key for."""
    state = engine.trust.state(bytes.fromhex(case)) if case else None
    if state is None or state.form != "case":
        return []
    found = rows(engine, NOTICES, state.case, -1, EmergencyOpened.TYPE.encode())
    return [row for row in found if _is_notice(row)]


def _is_notice(row: Row) -> bool:
    cover = row.opened_cover
    return cover is not None and cover.type == EmergencyOpened.TYPE


def _groups(
    engine: Engine, notices: Sequence[Row], readings: Sequence[Facts], first: _First
) -> Iterator[_Group]:
    """Yield the emergencies of one device in one case."""
    about = [row for row in notices if _is_about(row, readings[0], first)]
    ends = [*(row.index for row in about[1:]), readings[-1].idx + 1]
    # Two keyholders may have answered the same question; the key was handed over once.
    ours = about[:1] + [
        row for row, end in zip(about[1:], ends[1:], strict=True) if _was_handed(engine, row, end)
    ]
    stops = (row.index for row in ours[1:])
    for notice, stop in zip_longest(ours, stops):
        end = readings[-1].idx + 1 if stop is None else stop
        found = [one for one in readings if notice.index <= one.idx < end]
        if found:
            yield _Group(notice, found)
    if ours:
        return
    perhaps = [row.index for row in notices if _may_be_about(row, readings[0])]
    since = min(perhaps, default=readings[-1].idx + 1)
    closed = [one for one in readings if since <= one.idx or _may_be_a_notice(engine, one)]
    if closed:
        yield _Group(None, closed)


def _is_about(notice: Row, reading: Facts, first: _First) -> bool:
    """Tell whether a notice is about the device that made a reading.

    Another node's word makes nobody owe a reason. While its body is closed here, it is about the
    first of its node who opened it in an emergency, as his client does at once.
    """
    if notice.statement.node != reading.node:
        return False
    if isinstance(notice.message, EmergencyOpened):
        return notice.message.device.hex() == reading.device
    return first.get((reading.node, notice.object.hex())) == reading.device


def _was_handed(engine: Engine, notice: Row, end: int) -> bool:
    """Tell whether the node of a notice handed a key of the case to anybody of its own after it."""
    found = engine.vault.run(
        "SELECT DISTINCT device FROM entry WHERE case_id = ? AND kind = 'assign'"
        " AND idx > ? AND idx < ?",
        *(notice.statement.case, notice.index, end),
    )
    return any(engine.directory.device(by).node == notice.statement.node for (by,) in found)


def _may_be_about(notice: Row, reading: Facts) -> bool:
    closed = not isinstance(notice.message, EmergencyOpened)
    return closed and notice.statement.node == reading.node


def _may_be_a_notice(engine: Engine, facts: Facts) -> bool:
    """Tell whether what was opened may be a notice: this device cannot see what it is."""
    state = engine.trust.state(bytes.fromhex(facts.case_id)) if facts.case_id else None
    if not facts.object or (state is not None and state.form != "case"):
        return False
    found = rows(engine, "object = ?", bytes.fromhex(facts.object))
    return not found or found[0].cover is None


def _emergency(engine: Engine, store: Store, group: _Group) -> Emergency:
    first, last = group.readings[0], group.readings[-1]
    at = first.at // 1000
    due_at, reason_at = at + DAY, _reason_at(store, group)
    late, unknown = False, "" if group.notice is not None else CLOSED
    if group.notice is not None and reason_at is None and due_at <= engine.now():
        # Checked before this device had the seed that opens it: it may be read by now.
        reason_at = _read_now(engine, store, group)
        unknown = "" if reason_at is not None else _unknown(engine, store, group.notice, first)
        late = reason_at is None and not unknown
    # With the last reading: who reads on after it was explained has not been explained.
    what = (first.device, first.case_id, first.idx, last.idx, len(group.readings))
    case = EmergencyCase(
        case=case_name(engine, first.case_id),
        node=first.node,
        officer=", ".join(first.officer.split()) or first.device[:8],
        at=at,
        readings=len(group.readings),
        due_at=due_at,
        reason_at=reason_at,
        unknown=unknown,
        subject=subject_of(REASON, *what) if late else "",
    )
    return Emergency(case, tuple(facts.idx for facts in group.readings))


def _unknown(engine: Engine, store: Store, notice: Row, first: Facts) -> str:
    """Say why nobody here knows whether a reason was given, if so."""
    if notice.index < erased_upto(engine.vault):
        return ERASED
    # One that is sealed to others may have been given.
    return "" if reads_reason(engine, store, first) else SEALED


def _accesses(store: Store, group: _Group) -> Iterator[Facts]:
    """Yield where its reason may stand: from the first reading on, never before.

    His client asks once for all that wait in a case: what he says last is about those before, too.
    """
    first = group.readings[0]
    asked = (
        PROVED, (("device", first.device),), (("case_id", first.case_id),), (("act", "access"),),
    )  # fmt: skip
    return store.each(asked, start=first.idx)


def _reason_at(store: Store, group: _Group) -> int | None:
    """Return when a reason was given, as it was read when the entries were checked."""
    return next((one.at // 1000 for one in _accesses(store, group) if one.reason), None)


def _read_now(engine: Engine, store: Store, group: _Group) -> int | None:
    given = (one.at // 1000 for one in _accesses(store, group) if gives_reason(engine, store, one))
    return next(given, None)
