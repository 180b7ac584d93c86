"""The store: entries that were checked, kept in the vault, and found again by any filter.

``audited`` has the facts, in the order of the log; ``audited_bytes`` what was signed, which only
one entry on a screen needs; ``audited_bits`` the bitmaps of stretches that are full. The
youngest stretch has none yet: there the facts themselves are looked through. What is checked
anew changes of the bitmaps only what is no longer so: most often nothing. What is shown under
a view of others' entries has tables of its own: there ``audited`` has another name.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, TypeAlias

from msgspec.structs import astuple

from seefen.client.audit.bits import (
    SHIFT,
    STRETCH,
    packed,
    place,
    places,
    repacked,
    span,
    unpacked,
)
from seefen.client.audit.facts import FIELDS, Facts
from seefen.client.vault import Vault
from seefen.protocol.frames import AuditItem
from seefen.protocol.receipt import Entry

OWN: Final = "audited"
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS audited (
  idx INTEGER PRIMARY KEY, at INTEGER NOT NULL, act TEXT NOT NULL, op TEXT NOT NULL,
  outcome TEXT NOT NULL, node TEXT NOT NULL, officer TEXT NOT NULL, device TEXT NOT NULL,
  case_id TEXT NOT NULL, object TEXT NOT NULL, n INTEGER NOT NULL, case_n INTEGER NOT NULL,
  device_n INTEGER NOT NULL, purpose TEXT NOT NULL, basis TEXT NOT NULL, recipient TEXT NOT NULL,
  emergency INTEGER NOT NULL, reason INTEGER NOT NULL, size INTEGER NOT NULL,
  problem TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS audited_number ON audited (device, device_n);
CREATE INDEX IF NOT EXISTS audited_problem ON audited (idx) WHERE problem <> '';
CREATE TABLE IF NOT EXISTS audited_bytes (
  idx INTEGER PRIMARY KEY, kind TEXT NOT NULL, record BLOB NOT NULL, core BLOB NOT NULL,
  salt BLOB NOT NULL, envelope BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS audited_bits (
  field TEXT, value TEXT, stretch INTEGER, bits BLOB NOT NULL,
  PRIMARY KEY (field, value, stretch)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS audited_full (stretch INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS audited_unshown (idx INTEGER PRIMARY KEY);
"""
_ALL: Final = (1 << STRETCH) - 1
_SAME: Final = {
    **{field: f"{field} = ?" for field in FIELDS},
    **{field: f"instr(' ' || {field} || ' ', ' ' || ? || ' ') > 0"
       for field in ("officer", "recipient")},
    "emergency": "CAST(emergency AS TEXT) = ?",
    "proved": "iif(problem = '', 'yes', 'no') = ?",
}  # fmt: skip

# Each part of a filter: fields with values, of which one must stand there.
Condition: TypeAlias = tuple[tuple[str, str], ...]
Conditions: TypeAlias = Sequence[Condition]


class Store:
    """What an auditor's device has checked so far."""

    def __init__(self, vault: Vault, name: str = OWN) -> None:
        """Open the tables, and make them where they are not there.

        Args:
            vault: Of the device.
            name: Theirs: letters, digits and ``_``.
        """
        self.vault = vault
        self.name = name
        if self.one_row("SELECT 1 FROM sqlite_master WHERE name = 'audited_unshown'") is None:
            with vault.change():
                for sql in filter(str.strip, SCHEMA.split(";")):
                    self.run(sql)

    def run(self, sql: str, *values: object) -> list[Any]:
        """Run SQL that calls these tables ``audited``."""
        return self.vault.run(sql.replace(OWN, self.name), *values)

    def one_row(self, sql: str, *values: object) -> Any:
        """Return the first row of what :meth:`run` returns, or None."""
        return self.vault.one(sql.replace(OWN, self.name), *values)

    def _many(self, sql: str, rows: Iterable[tuple[object, ...]]) -> None:
        self.vault.many(sql.replace(OWN, self.name), list(rows))

    # --- how far ------------------------------------------------------------------

    @property
    def upto(self) -> int:
        """Up to where in the log the broker has shown all there is for this node."""
        return self.vault.get_number(self.name)

    @property
    def count(self) -> tuple[int, int]:
        """How many entries are here, and how many of them are not proved."""
        wrong = self.wrong
        # By the bitmaps: counted one by one, ten million rows would be read for it.
        return self.count_of(((("proved", "yes"),),)) + wrong, wrong

    @property
    def wrong(self) -> int:
        """How many entries that are here are not proved."""
        return int(self.run("SELECT count(*) FROM audited WHERE problem <> ''")[0][0])

    @property
    def ends(self) -> tuple[int, int]:
        """Return the first and the last index of the log that is here; zeros when none is."""
        # One by one each is a look at an end of the table; together they are a walk through it.
        row = self.one_row(
            "SELECT ifnull((SELECT min(idx) FROM audited), 0),"
            " ifnull((SELECT max(idx) FROM audited), 0)"
        )
        return (0, 0) if row is None else (row[0], row[1])

    def missing(self, limit: int = 1000) -> list[int]:
        """Return places before :attr:`upto` that nothing stands at, the first ones."""
        upto, found = self.upto, list[int]()
        for stretch in range(-(-upto // STRETCH)):
            holes = span(0, upto, stretch) & ~self._here(stretch)
            found += islice(places(holes, stretch), limit - len(found))
            if len(found) == limit:
                break
        return found

    def acts(self) -> list[tuple[str, int]]:
        """Return how many entries there are of each kind; ``gone`` are the erased ones."""
        counts = Counter[str]()
        for act, bits in self.run("SELECT value, bits FROM audited_bits WHERE field = 'act'"):
            counts[act] += unpacked(bits).bit_count()
        sql = (
            "SELECT act, count(*) FROM audited WHERE act <> '' AND idx >= (1 << ?)"
            " * (SELECT ifnull(max(stretch), -1) + 1 FROM audited_full) GROUP BY act"
        )
        counts.update(dict(self.run(sql, SHIFT)))
        return sorted(counts.items())

    def keep(self, entries: Iterable[tuple[Facts, AuditItem]], upto: int | None) -> None:
        """Keep entries that were just checked, those with a problem too; one transaction.

        Args:
            entries: An entry that is here already is replaced: this was the newer look.
            upto: Now the broker has shown all before this place of the log.
        """
        raw: list[tuple[object, ...]] = []
        kept: list[Facts] = []
        for facts, item in entries:
            kept.append(facts)
            entry = item.entry
            raw.append(
                (entry.index, item.kind, entry.record, entry.core, entry.salt, item.envelope)
            )
        marks = ", ".join("?" * len(Facts.__struct_fields__))
        with self.vault.change():
            self._mend(kept)
            rows = map(astuple, kept)
            self._many(f"INSERT OR REPLACE INTO audited VALUES ({marks})", rows)  # noqa: S608
            self._many("INSERT OR REPLACE INTO audited_bytes VALUES (?, ?, ?, ?, ?, ?)", raw)
            if upto is not None and upto > self.upto:
                self.vault.put_number(self.name, upto)
                self._fill(upto >> SHIFT)

    def clear(self) -> None:
        """Drop all that is here, and how far it went."""
        with self.vault.change():
            for rest in ("", "_bytes", "_bits", "_full", "_unshown"):
                self.run(f"DELETE FROM audited{rest}")  # noqa: S608 - one of these
            for rest in ("", "/erased", "/period", "/judged"):
                self.vault.run("DELETE FROM setting WHERE name = ?", f"{self.name}{rest}")

    def _mend(self, kept: Sequence[Facts]) -> None:
        """Change the bitmaps of full stretches where an entry is late, or not what it was."""
        full = {one for one in {facts.idx >> SHIFT for facts in kept} if self._is_full(one)}
        again = {facts.idx: facts for facts in kept if facts.idx >> SHIFT in full}
        if not again:
            return
        ends = min(again), max(again) + 1
        before = {facts.idx: frozenset(facts.terms()) for facts in self.between(*ends)}
        flips: dict[tuple[str, str, int], int] = defaultdict(int)
        for index, facts in again.items():
            for term in before.get(index, frozenset()) ^ frozenset(facts.terms()):
                flips[*term, index >> SHIFT] ^= 1 << place(index)
        for (field, value, stretch), flipped in flips.items():
            bits = self._bits((((field, value),),), stretch) ^ flipped
            # A set of nothing would still say that the value is known here.
            sql = "DELETE FROM audited_bits WHERE field = ? AND value = ? AND stretch = ?"
            self.run(sql, field, value, stretch)
            if bits:
                sql = "INSERT INTO audited_bits VALUES (?, ?, ?, ?)"
                self.run(sql, field, value, stretch, repacked(bits))

    def _fill(self, upto: int) -> None:
        """Write the bitmaps of the stretches before one, where they are not there."""
        sql = "SELECT ifnull(max(stretch), -1) FROM audited_full"
        last = self.one_row(sql)
        newest = -1 if last is None else int(last[0])
        for stretch in range(newest + 1, upto):
            sets: dict[tuple[str, str], list[int]] = defaultdict(list)
            for facts in self.between(stretch << SHIFT, (stretch + 1) << SHIFT):
                for term in facts.terms():
                    sets[term].append(place(facts.idx))
            self._many(
                "INSERT INTO audited_bits VALUES (?, ?, ?, ?)",
                ((*term, stretch, packed(found)) for term, found in sets.items()),
            )
            self.run("INSERT INTO audited_full VALUES (?)", stretch)

    # --- finding -----------------------------------------------------------------

    def find(
        self, conditions: Conditions, *, start: int = 0, stop: int | None = None, limit: int
    ) -> tuple[list[Facts], bool]:
        """Return entries that fulfil all conditions, in the log's order, and if there are more.

        Args:
            conditions: None at all: every entry.
            start: The first index of the log to be looked at; ``stop`` lies behind the last.
            limit: At most so many.
        """
        found: list[Facts] = []
        for facts in self.each(conditions, start=start, stop=stop):
            if len(found) == limit:
                return found, True
            found.append(facts)
        return found, False

    def each(
        self, conditions: Conditions, *, start: int = 0, stop: int | None = None
    ) -> Iterator[Facts]:
        """Yield entries that fulfil all conditions, in the order of the log."""
        end = max(self.upto, self.ends[1] + 1)
        end = end if stop is None else min(end, stop)
        for stretch in range(start >> SHIFT, -(-end // STRETCH)):
            if not conditions or not self._is_full(stretch):
                low, high = stretch << SHIFT, (stretch + 1) << SHIFT
                yield from self._through(conditions, max(start, low), min(end, high))
                continue
            bits = self._bits(conditions, stretch) & span(start, end, stretch)
            yield from self._rows(places(bits, stretch))

    def last(self, conditions: Conditions, stop: int) -> Facts | None:
        """Return the last entry before ``stop`` that fulfils conditions, at least one; or None."""
        where, values = _where(conditions)
        sql = f"SELECT * FROM audited WHERE idx >= ? AND idx < ?{where} ORDER BY idx DESC LIMIT 1"  # noqa: S608
        for stretch in range((stop - 1) >> SHIFT, -1, -1):
            low = stretch << SHIFT
            if self._is_full(stretch):
                bits = self._bits(conditions, stretch) & span(0, stop, stretch)
                if bits:
                    return self.one(low + bits.bit_length() - 1)
                continue
            row = self.one_row(sql, low, min(stop, low + STRETCH), *values)
            if row is not None:
                return Facts(*row)
        return None

    def indices(self, conditions: Conditions, *, start: int, stop: int) -> Iterator[int]:
        """Yield where in the log entries stand that fulfil conditions, at least one."""
        for stretch in range(start >> SHIFT, -(-stop // STRETCH)):
            if self._is_full(stretch):
                yield from places(
                    self._bits(conditions, stretch) & span(start, stop, stretch), stretch
                )
                continue
            low, high = stretch << SHIFT, (stretch + 1) << SHIFT
            through = self._through(conditions, max(start, low), min(stop, high))
            yield from (facts.idx for facts in through)

    def count_of(self, conditions: Conditions, *, start: int = 0, stop: int | None = None) -> int:
        """Return how many entries fulfil all conditions."""
        end = max(self.upto, self.ends[1] + 1)
        end = end if stop is None else min(end, stop)
        where, values = _where(conditions)
        sql = f"SELECT count(*) FROM audited WHERE idx >= ? AND idx < ?{where}"  # noqa: S608
        total = 0
        for stretch in range(start >> SHIFT, -(-end // STRETCH)):
            if conditions and self._is_full(stretch):
                total += (self._bits(conditions, stretch) & span(start, end, stretch)).bit_count()
                continue
            low, high = stretch << SHIFT, (stretch + 1) << SHIFT
            total += self.run(sql, max(start, low), min(end, high), *values)[0][0]
        return total

    def between(self, start: int, stop: int) -> Iterator[Facts]:
        """Yield the entries of a piece of the log."""
        return self._through((), start, stop)

    def one(self, index: int) -> Facts | None:
        """Return the entry at an index of the log, or None."""
        return next(self.between(index, index + 1), None)

    def item(self, index: int) -> AuditItem | None:
        """Return what was signed at an index of the log, without a proof; or None."""
        sql = "SELECT kind, record, core, salt, envelope FROM audited_bytes WHERE idx = ?"
        row = self.one_row(sql, index)
        if row is None:
            return None
        kind, record, core, salt, envelope = row
        return AuditItem(kind, Entry(index, record, core, salt, ()), envelope)

    def values(self, field: str, start: str = "") -> tuple[str, ...]:
        """Return the values of a column that stand here, those that begin with a text."""
        found: set[str] = set()
        # From one value to the next: a few looks, where all rows of a column would be millions.
        sql = "SELECT min(value) FROM audited_bits WHERE field = ? AND value > ? AND value < ?"
        last = self.run(sql.replace("> ?", ">= ?"), field, start, f"{start}~")[0][0]
        while last is not None:
            found.add(last)
            last = self.run(sql, field, last, f"{start}~")[0][0]
        youngest = max(self.upto, 0) >> SHIFT << SHIFT
        sql = f"SELECT DISTINCT {field} FROM audited WHERE idx >= ?"  # noqa: S608 - of `FIELDS`
        for (text,) in self.run(sql, youngest):
            found |= {*text.split()}
        return tuple(sorted(value for value in found if value.startswith(start)))

    def problems(self, limit: int = 1000) -> list[Facts]:
        """Return the entries that are not proved, the first ones."""
        sql = "SELECT * FROM audited WHERE problem <> '' ORDER BY idx LIMIT ?"
        return [Facts(*row) for row in self.run(sql, limit)]

    def since(self, at: int) -> int:
        """Return the first index of the log whose entry was made at ``at`` (unix s) or later.

        The times of what is proved never go back (an entry whose time does is not believed), so
        this is found by halves.
        """
        first, last = self.ends
        low, high = first, last + 1
        while low < high:
            middle = (low + high) // 2
            row = self.one_row(
                "SELECT idx, at FROM audited WHERE idx >= ? AND problem = '' ORDER BY idx LIMIT 1",
                middle,
            )
            if row is None or row[1] >= at * 1000:
                high = middle
            else:
                low = row[0] + 1
        return low

    def _bits(self, conditions: Conditions, stretch: int) -> int:
        bits = _ALL
        for terms in conditions:
            one = 0
            for field, value in terms:
                sql = "SELECT bits FROM audited_bits WHERE field = ? AND value = ? AND stretch = ?"
                row = self.one_row(sql, field, value, stretch)
                one |= 0 if row is None else unpacked(row[0])
            bits &= one
            if not bits:
                break
        return bits

    def _here(self, stretch: int) -> int:
        """Return the set of places of a stretch at which an entry stands, proved or not."""
        if self._is_full(stretch):
            return self._bits(((("proved", "yes"), ("proved", "no")),), stretch)
        low = stretch << SHIFT
        here = self.run("SELECT idx FROM audited WHERE idx >= ? AND idx < ?", low, low + STRETCH)
        return unpacked(packed([place(index) for (index,) in here]))

    def _is_full(self, stretch: int) -> bool:
        sql = "SELECT 1 FROM audited_full WHERE stretch = ?"
        return self.one_row(sql, stretch) is not None

    def _rows(self, indices: Iterator[int]) -> Iterator[Facts]:
        for index in indices:
            row = self.one_row("SELECT * FROM audited WHERE idx = ?", index)
            if row is not None:
                yield Facts(*row)

    def _through(self, conditions: Conditions, start: int, stop: int) -> Iterator[Facts]:
        where, values = _where(conditions)
        sql = f"SELECT * FROM audited WHERE idx >= ? AND idx < ?{where} ORDER BY idx LIMIT 512"  # noqa: S608
        while start < stop:
            page = self.run(sql, start, stop, *values)
            for row in page:
                yield Facts(*row)
            if len(page) < 512:
                return
            start = page[-1][0] + 1


def _where(conditions: Conditions) -> tuple[str, list[str]]:
    """Return conditions in the words of SQL; each says what :meth:`Facts.terms` says."""
    parts: list[str] = []
    values: list[str] = []
    for wanted in conditions:
        parts.append(f" AND ({' OR '.join(_SAME[field] for field, _ in wanted)})")
        values += [value for _, value in wanted]
    return "".join(parts), values
