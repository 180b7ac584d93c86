"""Flags: what is worth a question. Each names its rule, its baseline, its figure and the entries.

A flag is no verdict on anybody: each rule has honest reasons to strike, and who reads a flag
reads them beside it. An officer is compared with himself, never with others.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Final, Protocol, TypeAlias

from seefen.client.assigned import assigned_before
from seefen.client.audit.facts import Facts
from seefen.client.engine import Engine
from seefen.client.wording import counted, day

DAY: Final = 86_400
BEFORE: Final = 90 * DAY  # seconds before the period that are looked at for what is usual
NAMED: Final = 10  # entries that a flag names
MANY: Final = 5  # times his own median on one day
LEAST: Final = 20  # readings on a day below which no number is unusual
KNOWN: Final = 50  # readings before which nobody has usual hours
COPIED: Final = 20
PERSONS: Final = 8
RATE: Final = 0.05
URGENT: Final = 3
SILENT: Final = 60  # days without a reading
# When an officer read last before the entries that a rule sees, Unix milliseconds; None: never.
LastRead: TypeAlias = Callable[[str], int | None]


@dataclass(frozen=True, slots=True)
class Flag:
    """What is worth a question, and why it may be nothing."""

    name: str
    who: str
    rule: str
    baseline: str
    figure: str
    honest: str
    entries: tuple[int, ...]
    count: int


class Rule(Protocol):
    """Sees readings in the order of the log, those before the period first."""

    def see(self, one: Facts, officer: str, *, counts: bool) -> None:
        """Take in a reading of an officer; ``counts``: it lies in the period."""
        ...

    def flags(self) -> Iterator[Flag]:
        """Yield what was found in the period."""
        ...


def flags(
    engine: Engine, found: Iterable[Facts], since: int, last_read: LastRead
) -> tuple[Flag, ...]:
    """Return what is worth a question among proved entries.

    Args:
        found: All kinds, in the order of the log, those of :data:`BEFORE` before the period too.
        since: When the period begins, in Unix seconds.
    """
    rules: tuple[Rule, ...] = (
        _Volume(), _Hours(), _Unassigned(engine), _AfterEnd(engine), _Copied(), _Crowd(),
        _Emergencies(), _NewDevice(), _Dormant(last_read), _NewRecipient(engine.node),
    )  # fmt: skip
    for one in found:
        for officer in one.officer.split() or [""]:
            for rule in rules:
                rule.see(one, officer, counts=one.at >= since * 1000)
    return tuple(flag for rule in rules for flag in rule.flags())


def _reads(one: Facts) -> bool:
    """Tell whether an officer did it himself: what is pushed to a watch comes by itself."""
    return one.act == "access" or one.is_look


def _day(one: Facts) -> int:
    return one.at // 1000 // DAY


class _Entries:
    """The first entries, and how many there are."""

    def __init__(self) -> None:
        self.first: list[int] = []
        self.count = 0

    def add(self, index: int) -> None:
        self.count += 1
        if self.count <= NAMED:
            self.first.append(index)

    def flag(self, name: str, who: str, *said: str) -> Flag:
        rule, baseline, figure, honest = said
        return Flag(name, who, rule, baseline, figure, honest, tuple(self.first), self.count)


class _Volume:
    """Many readings on one day; looks into the audit are counted apart."""

    def __init__(self) -> None:
        self._days: dict[tuple[str, bool], Counter[int]] = defaultdict(Counter)
        self._entries: dict[tuple[str, bool, int], _Entries] = defaultdict(_Entries)

    def see(self, one: Facts, officer: str, *, counts: bool) -> None:
        if not _reads(one) or not officer:
            return
        key, date = (officer, one.is_look), _day(one)
        self._days[key][date] += 1
        if counts:
            self._entries[(*key, date)].add(one.idx)

    def flags(self) -> Iterator[Flag]:
        for (officer, audits, date), entries in self._entries.items():
            others = [n for d, n in self._days[officer, audits].items() if date - 30 <= d < date]
            # Who has read nothing for a month, or never, is the one whose many stand out most.
            usual = median(others) if others else 0
            if entries.count < LEAST or entries.count <= MANY * usual:
                continue
            yield entries.flag(
                "audit-volume" if audits else "volume",
                officer,
                f"more than {MANY} times the own median of the 30 days before, and {LEAST} or more",
                f"median {usual:g} a day, over {counted(len(others), 'day')} with readings",
                f"{entries.count} on {day(date * DAY)}",
                "a large case, a day of action, a colleague's leave, the first days of an officer",
            )


class _Hours:
    """Readings at an hour at which this officer hardly ever reads."""

    def __init__(self) -> None:
        self._hours: dict[str, Counter[int]] = defaultdict(Counter)
        self._entries: dict[str, _Entries] = defaultdict(_Entries)
        self._of: dict[str, int] = {}

    def see(self, one: Facts, officer: str, *, counts: bool) -> None:
        if one.act != "access" or not officer:
            return
        hour = one.at // 3_600_000 % 24
        before = self._hours[officer]
        total = before.total()
        if counts and total >= KNOWN and before[hour] < 0.02 * total:
            self._entries[officer].add(one.idx)
            self._of[officer] = total
        before[hour] += 1

    def flags(self) -> Iterator[Flag]:
        for officer, entries in self._entries.items():
            yield entries.flag(
                "hours",
                officer,
                "at an hour (UTC) in which less than 2 of 100 of his readings before were made",
                f"{self._of[officer]} readings before",
                counted(entries.count, "reading"),
                "another shift, a call at night",
            )


class _Unassigned:
    """Readings of a case that nobody had assigned to the device."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._entries: dict[tuple[str, str], _Entries] = defaultdict(_Entries)

    def see(self, one: Facts, officer: str, *, counts: bool) -> None:
        if not counts or one.act != "access" or not self._is_ours(one):
            return
        case, device = bytes.fromhex(one.case_id), bytes.fromhex(one.device)
        if not assigned_before(self._engine, case, device, one.idx):
            self._entries[officer, one.case_id].add(one.idx)

    def _is_ours(self, one: Facts) -> bool:
        engine = self._engine
        if one.node != engine.node or not one.case_id:
            return False
        state = engine.trust.state(bytes.fromhex(one.case_id))
        if state is None or state.form != "case":
            return False
        return "keyholder" not in engine.directory.device(bytes.fromhex(one.device)).roles

    def flags(self) -> Iterator[Flag]:
        for (officer, case), entries in self._entries.items():
            name = self._engine.name_of(self._engine.trust.require_state(bytes.fromhex(case)))
            yield entries.flag(
                "unassigned",
                officer,
                "read in a case that no keyholder had assigned to this device",
                "assignments of this node",
                f"{counted(entries.count, 'reading')} in {name}",
                "an emergency, which its members are told of",
            )


class _AfterEnd:
    """Readings of a case whose time was over."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._entries: dict[tuple[str, str], _Entries] = defaultdict(_Entries)

    def see(self, one: Facts, officer: str, *, counts: bool) -> None:
        state = self._engine.trust.state(bytes.fromhex(one.case_id)) if one.case_id else None
        if not counts or one.act != "access" or state is None:
            return
        if 0 < state.head.retain_until < one.at // 1000:
            self._entries[officer, self._engine.name_of(state)].add(one.idx)

    def flags(self) -> Iterator[Flag]:
        for (officer, name), entries in self._entries.items():
            yield entries.flag(
                "after-end",
                officer,
                "read after the time for which the case was to be kept",
                "the case's own date",
                f"{counted(entries.count, 'reading')} in {name}",
                "a court that asks later; then the date should be changed",
            )


class _Copied:
    """One reason, given many times."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, int], _Entries] = defaultdict(_Entries)

    def see(self, one: Facts, officer: str, *, counts: bool) -> None:
        if counts and one.act == "access" and one.reason:
            self._entries[officer, one.reason].add(one.idx)

    def flags(self) -> Iterator[Flag]:
        for (officer, _), entries in self._entries.items():
            if entries.count > COPIED:
                yield entries.flag(
                    "repeated-reason",
                    officer,
                    f"the same reason (capitals and blanks aside) more than {COPIED} times",
                    f"{COPIED} times",
                    f"{entries.count} times",
                    "one task that fills a month; presets of the node",
                )


class _Crowd:
    """One message or file, read by many."""

    def __init__(self) -> None:
        self._persons: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._entries: dict[tuple[str, str], _Entries] = defaultdict(_Entries)

    def see(self, one: Facts, officer: str, *, counts: bool) -> None:
        if counts and one.act == "access" and one.object and officer:
            key = one.node, one.object
            if len(self._persons[key]) <= 10 * PERSONS:
                self._persons[key].add(officer)
            self._entries[key].add(one.idx)

    def flags(self) -> Iterator[Flag]:
        for (node, object_), persons in self._persons.items():
            if len(persons) >= PERSONS:
                yield self._entries[node, object_].flag(
                    "many-readers",
                    node,
                    f"one message or file, opened by {PERSONS} officers of a node or more",
                    f"{PERSONS} officers",
                    f"{len(persons)} officers",
                    "a search in which everybody takes part",
                )


class _Emergencies:
    """Officers who often open in an emergency."""

    def __init__(self) -> None:
        self._all: Counter[str] = Counter()
        self._cases: dict[str, set[str]] = defaultdict(set)
        self._entries: dict[str, _Entries] = defaultdict(_Entries)

    def see(self, one: Facts, officer: str, *, counts: bool) -> None:
        if counts and one.act == "access":
            self._all[officer] += 1
            if one.emergency:
                self._cases[officer].add(one.case_id)
                self._entries[officer].add(one.idx)

    def flags(self) -> Iterator[Flag]:
        for officer, entries in self._entries.items():
            cases = len(self._cases[officer])  # each reading in one is marked
            if cases >= URGENT and entries.count > RATE * self._all[officer]:
                yield entries.flag(
                    "emergencies",
                    officer,
                    f"emergencies in {URGENT} cases or more, more than {RATE:.0%} of his readings",
                    f"{self._all[officer]} readings",
                    f"{cases} cases, {counted(entries.count, 'reading')}",
                    "nights without a keyholder; a broker that was away",
                )


class _NewDevice:
    """An officer on a device that he never read with, where he had another before."""

    def __init__(self) -> None:
        self._known: dict[str, set[str]] = defaultdict(set)
        self._found: list[tuple[str, Facts]] = []

    def see(self, one: Facts, officer: str, *, counts: bool) -> None:
        if not _reads(one) or not officer or not one.device:
            return
        known = self._known[officer]
        if counts and known and one.device not in known:
            self._found.append((officer, one))
        known.add(one.device)

    def flags(self) -> Iterator[Flag]:
        for officer, one in self._found:
            yield Flag(
                "new-device",
                officer,
                "first reading with this device, by an officer who read with another before",
                "devices of the 90 days before",
                f"device {one.device[:8]}",
                "a new machine",
                (one.idx,),
                1,
            )


class _Dormant:
    """An officer who reads again after a long time."""

    def __init__(self, last_read: LastRead) -> None:
        self._last: dict[str, int] = {}
        self._last_read = last_read
        self._found: list[tuple[str, Facts, int]] = []

    def see(self, one: Facts, officer: str, *, counts: bool) -> None:
        if not _reads(one) or not officer:
            return
        # Who is away longest has nothing in the days before the period.
        before = self._last.get(officer) or self._last_read(officer)
        silent = 0 if before is None else (one.at - before) // 1000 // DAY
        if counts and silent >= SILENT:
            self._found.append((officer, one, silent))
        self._last[officer] = one.at

    def flags(self) -> Iterator[Flag]:
        for officer, one, days in self._found:
            yield Flag(
                "dormant",
                officer,
                f"reads again after {SILENT} days or more without a reading",
                f"{SILENT} days",
                f"{days} days",
                "illness, leave, another post",
                (one.idx,),
                1,
            )


class _NewRecipient:
    """A node that the own node never sent to before."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._known: set[str] = set()
        self._sent = 0
        self._found: list[tuple[str, str, Facts]] = []

    def see(self, one: Facts, officer: str, *, counts: bool) -> None:
        if one.act != "object" or one.node != self._node:
            return
        for to in one.recipient.split():
            if to not in self._known and counts and self._sent and to != self._node:
                self._found.append((to, officer, one))
            self._known.add(to)
        self._sent += not counts

    def flags(self) -> Iterator[Flag]:
        for to, officer, one in self._found:
            yield Flag(
                "new-recipient",
                officer,
                "the first message or file of the own node to another in 90 days",
                "recipients of the 90 days before",
                to,
                "a new partner, a new case",
                (one.idx,),
                1,
            )
