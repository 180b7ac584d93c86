"""Gaps: numbers that devices gave and no entry has. They show what a broker keeps to itself.

Of the own devices every number; of partners those in the own cases. How far a device got is
also known from what it told this one: its last entries cannot be cut off.

What is missing of a device in a case is missing of the device, too: that is one finding, and is
explained once, by numbers and places of both.

What was erased has lost its number. It is no gap where as much is shown as erased, each at its
proved place: in a case exactly the access whose number the members were told, of a device as
many readings as numbers are missing there. One erasure must not excuse what is hidden later.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Final

from seefen.client.audit.rowing import case_name
from seefen.client.audit.store import Store
from seefen.client.engine import Engine
from seefen.client.explained import GAP, subject_of

_ERASED: Final = """
    SELECT seen.idx, entry.device FROM audited AS seen JOIN audited_bytes USING (idx)
      LEFT JOIN entry ON entry.idx = seen.idx
     WHERE seen.act = 'gone' AND seen.problem = '' AND audited_bytes.kind IN ('access', 'search')
     ORDER BY seen.idx
"""
_ERASED_THERE: Final = """
    SELECT entry.case_n, entry.idx FROM entry JOIN audited ON audited.idx = entry.idx
     WHERE entry.case_id = ? AND entry.device = ? AND entry.kind = 'access'
       AND audited.act = 'gone' AND audited.problem = ''
"""
# As a set, so that counting stays in the index: few entries are not proved.
_PROVED: Final = " AND idx NOT IN (SELECT idx FROM audited WHERE problem <> '')"
NAMED: Final = 5  # places in cases that are named with a gap of their device
MOST: Final = 100  # holes of one device that are named one by one; of the others, how many


@dataclass(frozen=True, slots=True)
class Gap:
    """What is missing, as a sentence, and where in the log it must stand.

    Attributes:
        subject: The hash of all that is known of it: device, numbers, how many, and where.
        count: How many entries.
        numbers: In a case, the numbers there, in words.
    """

    sentence: str
    start: int
    stop: int | None
    subject: str
    count: int
    numbers: str = ""

    def meets(self, other: "Gap") -> bool:
        """Tell whether one entry could stand in the pieces of the log of both."""
        before = self.stop is None or other.start < self.stop
        return before and (other.stop is None or self.start < other.stop)


@dataclass(frozen=True, slots=True)
class Hole:
    """Numbers ``first`` to ``last`` that nothing has, and the piece of the log they belong in."""

    first: int
    last: int
    start: int
    stop: int | None
    erased: int = 0  # of these numbers, known by as many erased readings in that piece

    @property
    def count(self) -> int:
        """How many of these numbers nothing has."""
        return self.last - self.first + 1 - self.erased


def gaps(engine: Engine, store: Store) -> tuple[Gap, ...]:
    """Return what is missing in the numbers of devices, from 1 on."""
    return tuple(_Gaps(engine, store).all())


class _Gaps:
    def __init__(self, engine: Engine, store: Store) -> None:
        self._engine = engine
        self._store = store

    def all(self) -> Iterator[Gap]:
        # What is not proved fills no number: a broker could say any of a text it has spoilt.
        sql = "SELECT device_n, idx FROM audited WHERE device = ? AND device_n > 0"
        sql += _PROVED
        found = {
            device: [*_holes(self._store.vault.run(sql, device), upto)]
            for device, (count, upto) in self._own().items()
            if count < upto
        }
        in_cases = self._in_cases()
        for device, holes in self._without_erased(found).items():
            for gap in _said(holes, self._officer(device), device):
                yield _with_cases(gap, in_cases[device])
        for rest in in_cases.values():
            yield from rest

    def _without_erased(self, found: dict[str, list[Hole]]) -> dict[str, list[Hole]]:
        """Return the holes that are not filled by what is shown as erased; each fills one number.

        An access is of the device that the members were told; of a search nobody says whose it
        was. By their ends, each hole takes the first ones: so as much as can be is filled.
        """
        left: dict[str, list[Hole]] = defaultdict(list)
        holes = [(device, hole) for device, holes in found.items() for hole in holes]
        if not holes:
            return left
        accesses, others = defaultdict[str, list[int]](list), list[int]()
        for index, owner in self._store.vault.run(_ERASED):
            (others if owner is None else accesses[owner.hex()]).append(index)
        for device, hole in sorted(holes, key=_by_end):
            taken = _take(accesses[device], hole, hole.count)
            taken += _take(others, hole, hole.count - taken)
            if taken < hole.count:
                left[device].append(replace(hole, erased=taken))
        return left

    def _own(self) -> dict[str, tuple[int, int]]:
        """Return of each device of the node how many numbers are here, and which it has reached."""
        engine, found = self._engine, dict[str, tuple[int, int]]()
        sql = "SELECT count(DISTINCT device_n), ifnull(max(device_n), 0) FROM audited"
        for device in engine.directory.devices(engine.node):
            mine = f"{sql} WHERE device = ? AND device_n > 0{_PROVED}"
            row = engine.vault.one(mine, device.device.hex())
            found[device.device.hex()] = (0, 0) if row is None else (row[0], row[1])
        ours = engine.keys.device.hex()
        count, upto = found.get(ours, (0, 0))
        found[ours] = count, max(upto, engine.vault.get_number("device_n"))
        return found

    def _in_cases(self) -> dict[str, list[Gap]]:
        """Return what is missing of each device by its numbers in cases."""
        found = defaultdict[str, list[Gap]](list)
        for case, device, upto in self._short():
            state = self._engine.trust.state(bytes.fromhex(case))
            own = self._engine.directory.device(bytes.fromhex(device)).node == self._engine.node
            if not own and (state is None or state.owner != self._engine.node):
                continue  # not for us to know
            sql = "SELECT case_n, idx FROM audited WHERE device = ? AND case_id = ? AND case_n > 0"
            sql += _PROVED
            shown = self._store.vault.run(sql, device, case)
            ids = bytes.fromhex(case), bytes.fromhex(device)
            erased = self._store.vault.run(_ERASED_THERE, *ids)
            holes = [*_holes([*shown, *erased], upto)]
            name = case_name(self._engine, case)
            found[device] += _said(holes, self._officer(device), device, case, name)
        return found

    def _short(self) -> Iterator[tuple[str, str, int]]:
        """Yield case and device where numbers may be missing, and the last that is known.

        Members are told of each number; and what is shown here of a device says how far it got,
        whatever the broker tells this device as a member.
        """
        # In one go over all: what is asked for one by one, above, is what does not fit.
        sql = "SELECT case_id, device, count(DISTINCT case_n), max(case_n) FROM audited"
        sql += f" WHERE case_n > 0{_PROVED} GROUP BY case_id, device"
        here = {(case, device): rest for case, device, *rest in self._engine.vault.run(sql)}
        told = self._engine.vault.run("SELECT case_id, device, case_n FROM number")
        upto = {(case.hex(), device.hex()): number for case, device, number in told}
        for case, device in sorted({*here, *upto}):
            count, last = here.get((case, device), (0, 0))
            end = max(last, upto.get((case, device), 0))
            if count < end:  # else nothing is
                yield case, device, end

    def _officer(self, device: str) -> str:
        return self._engine.directory.device(bytes.fromhex(device)).officer or device[:8]


def _holes(rows: Iterable[tuple[int, int]], upto: int) -> Iterator[Hole]:
    """Yield each row of missing numbers, with the piece of the log in which it must stand.

    Args:
        rows: Numbers that are there, each with its place.
        upto: The last number that the device gave.
    """
    expected, before = 1, 0
    for number, index in [*sorted(rows), (upto + 1, None)]:
        if expected < (end := min(number, upto + 1)):
            yield Hole(expected, end - 1, before, index)
        expected, before = max(expected, number + 1), (index or 0) + 1


def _take(places: list[int], hole: Hole, count: int) -> int:
    """Take up to so many places that lie in a hole out of the list; return how many."""
    start = bisect_left(places, hole.start)
    stop = len(places) if hole.stop is None else bisect_left(places, hole.stop)
    taken = max(0, min(count, stop - start))
    del places[start : start + taken]
    return taken


def _by_end(one: tuple[str, Hole]) -> float:
    return inf if one[1].stop is None else one[1].stop


def _with_cases(gap: Gap, in_cases: list[Gap]) -> Gap:
    """Return a gap with what is missing of its device in cases; that is taken out of the list.

    It need not be the same entry. So both are in the sentence and in its hash: one number more in a
    case, hidden later, is another finding. Nor are more taken than are missing of the device.
    """
    taken, left = list[Gap](), gap.count
    for one in [*in_cases]:
        if one.count <= left and gap.meets(one):
            in_cases.remove(one)
            taken.append(one)
            left -= one.count
    if not taken:
        return gap
    where = ", ".join(one.numbers for one in taken[:NAMED])
    more = f", and in {len(taken) - NAMED} places more" if len(taken) > NAMED else ""
    subject = subject_of(GAP, gap.subject, [one.subject for one in taken])
    return replace(gap, sentence=f"{gap.sentence} ({where}{more})", subject=subject)


def _said(
    holes: Sequence[Hole], officer: str, device: str, case: str = "", name: str = ""
) -> Iterator[Gap]:
    """Yield a sentence for each hole; what is not named is counted, never left out.

    Args:
        case: Where these are numbers of a case, its id; ``name`` is what it is called.
    """
    whose, there = (f"{officer} in {name}", " there") if case else (officer, "")
    for hole in holes[:MOST]:
        one = hole.first == hole.last
        numbers = f"{hole.first}" if one else f"{hole.first} to {hole.last}"
        if hole.erased:
            text = f"{hole.count} of the entries of {whose} among its numbers {numbers}{there}"
            text += " are missing"
        elif one:
            text = f"an entry of {whose} is missing: its number {numbers}{there}"
        else:
            text = f"{hole.count} entries of {whose} are missing: its numbers {numbers}{there}"
        subject = _subject([hole], device, case)
        yield Gap(text, hole.start, hole.stop, subject, hole.count, f"{numbers} in {name}")
    if rest := holes[MOST:]:
        count = sum(hole.count for hole in rest)
        text = f"and {count} more entries of {whose} are missing, in {len(rest)} places"
        where = rest[0].start, rest[-1].stop
        yield Gap(text, *where, _subject(rest, device, case), count, f"{count} more in {name}")


def _subject(holes: Sequence[Hole], device: str, case: str) -> str:
    """Return the hash of holes, with where they are: what a device numbers later is another one."""
    exactly = [(one.first, one.last, one.start, one.stop, one.erased) for one in holes]
    return subject_of(GAP, device, case, exactly)
