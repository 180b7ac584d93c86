"""Hashing everything again: does what stands in the database still give the roots?

A little every hour and all of it each night (UTC), beside the work; or at once, by the
operator. What differs is named, and so is what cannot be read: a damaged page is what this
looks for, and never its end. Rows below the head never change, so no lock is needed.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import SeefenError
from seefen.protocol.ledger.record import Record, decode_core
from seefen.protocol.ledger.tiles import WIDTH, Edge, Tile, TileId
from seefen.protocol.ledger.tree import leaf_hash
from seefen.protocol.retention import READING_KINDS, check_erased
from seefen.protocol.statements import Erased
from seefen.protocol.suite import commit, sha256
from seefen.server.alarms import alarm
from seefen.server.errors import UnreachableError
from seefen.server.metrics import WHOLE_FSCK
from seefen.server.rebuilding import LOST
from seefen.server.rows import AuthorityRow, LeafRow, LogHead, Reads

# Rows: a multiple of the width of a tile. Each may have 256 KiB: more of them at once and one
# node that writes nothing else would end the broker each night.
AT_ONCE: Final = 512
HOUR: Final = 3600
NIGHT: Final = 2  # the hour, UTC, in which all is looked at
NAMED: Final = 50  # problems that are named; a broken table has as many as rows
PAUSE: Final = 0.005  # seconds between two rows of questions, for those who work


@dataclass(slots=True)
class Looked:
    """What was looked at, and what differs."""

    entries: int = 0
    lost: int = 0
    problems: list[str] = field(default_factory=list[str])
    more: int = 0  # that are not named
    erased: int = 0
    erasable: int = 0  # before it readings may have no text: the log says so
    held: frozenset[int] = frozenset()  # that are on hold, and were when it said so
    is_blind: bool = False  # what the log says of that cannot be read

    def name(self, problem: str) -> None:
        """Take in what differs."""
        if len(self.problems) < NAMED:
            self.problems.append(problem)
        else:
            self.more += 1


class Fsck:
    """Looks at both logs in a database."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._next = 0

    async def whole(self) -> Looked:
        """Look at everything up to the heads of now."""
        heads = await self._reads.heads()
        looked = Looked()
        await self._erasable(looked)
        await self._authority(heads.authority, looked)
        edge, size = Edge(), heads.activity.size
        for start in range(0, size, AT_ONCE):
            stop = min(size, start + AT_ONCE)
            try:
                rows = await self._reads.activity(start, stop)
            except UnreachableError:
                raise
            except Exception:  # a damaged page, in the words of the database: which one?
                await self._tile_by_tile(start, size, looked)
                return looked
            await self._tiles(await self._rows(rows, start, stop, edge, looked), looked)
            if len(rows) < stop - start:
                await self._tile_by_tile(stop, size, looked)
                return looked  # after a gap no hash of all fits, and the gap is named
            await asyncio.sleep(PAUSE)
        _look_at_root("activity", edge, heads.activity, looked)
        return looked

    async def part(self, percent: int) -> Looked:
        """Look at the next full tiles, and at what stands under them."""
        size = (await self._reads.heads()).activity.size
        looked, count = Looked(), size // WIDTH
        await self._erasable(looked)
        for _ in range(-(-count * percent // 100)):
            start = self._next % count * WIDTH
            self._next += 1  # first: what fails here must not be all that is ever looked at
            await self._tile_by_tile(start, start + WIDTH, looked)
        return looked

    async def _tile_by_tile(self, start: int, stop: int, looked: Looked) -> None:
        """Look at what stands under each tile by itself: the root of all is not made."""
        for first in range(start, stop, WIDTH):
            after = min(stop, first + WIDTH)
            try:
                rows = await self._reads.activity(first, after)
            except UnreachableError:
                raise
            except Exception as err:  # whatever the database calls it: it is said, and on it goes
                looked.name(_unreadable(f"activity entries {first} to {after - 1}", err))
                continue
            await self._rows(rows, first, after, Edge(), looked)
            if len(rows) == WIDTH:
                await self._tiles({TileId(0, first // WIDTH): _tile_of(rows)}, looked)
            await asyncio.sleep(PAUSE)

    async def _rows(
        self, rows: list[LeafRow], start: int, stop: int, edge: Edge, looked: Looked
    ) -> dict[TileId, Tile]:
        blank = any(_is_blank(row) and row.idx >= looked.erasable for row in rows)
        if blank and not looked.is_blind:
            # The broker erases beside this, and has entered before what it erased since.
            await self._erasable(looked)
        return await asyncio.to_thread(_look_at_rows, rows, start, stop, edge, looked)

    async def _erasable(self, looked: Looked) -> None:
        try:
            rows = await self._reads.erased_entries()
            latest = (await self._reads.heads()).at // 1000
            said = [found for row in rows if (found := _erasure(row, latest)) is not None]
            looked.erasable = max((upto for upto, _ in said), default=0)
            looked.held = await self._held(said)
        except UnreachableError:
            raise
        except Exception as err:  # it reads all pages, so one that is damaged is met here first
            looked.is_blind = True
            looked.name(_unreadable("the entries that say what was erased", err))

    async def _held(self, said: list[tuple[int, int]]) -> frozenset[int]:
        """Return which readings without text were on hold already when the log first named them."""
        held = await self._reads.held_blank()
        first = {index: min((at for upto, at in said if index < upto), default=0) for index in held}
        return frozenset(index for index, since in held.items() if since <= first[index])

    async def _authority(self, head: LogHead, looked: Looked) -> None:
        edge = Edge()
        for start in range(0, head.size, AT_ONCE):
            stop = min(head.size, start + AT_ONCE)
            try:
                rows = await self._reads.authority(start, stop)
            except UnreachableError:
                raise
            except Exception as err:
                looked.name(_unreadable(f"authority entries {start} to {stop - 1}", err))
                return
            for place, row in enumerate(rows, start=start):
                _look_at_leaf(row, place, looked)
                edge.extend([leaf_hash(row.envelope)])
            looked.entries += len(rows)
        _look_at_root("authority", edge, head, looked)

    async def _tiles(self, full: dict[TileId, Tile], looked: Looked) -> None:
        try:
            kept = await self._reads.tiles(full)
        except UnreachableError:
            raise
        except Exception as err:
            names = ", ".join(f"{tile.level}/{tile.n}" for tile in full)
            looked.name(_unreadable(f"tiles {names}", err))
            return
        for tile, made in full.items():
            _look_at_tile(tile, made, kept.get(tile), looked)


class Rounds:
    """The looks beside the work: 1 % each hour, everything once a night."""

    def __init__(self, reads: Reads, began: float) -> None:
        """Begin at unix time ``began``."""
        self._fsck = Fsck(reads)
        self._whole_at = began

    async def look(self, now: float) -> None:
        """Do what is due at unix time ``now``, and say what differs. It never fails.

        All of it is due in the night, and a day and two hours after the last: an hour of sleep and
        the time of the work together may step over the night.
        """
        night = int(now) % (24 * HOUR) // HOUR == NIGHT
        whole = night or now - self._whole_at > 26 * HOUR
        try:
            say(await self._fsck.whole() if whole else await self._fsck.part(1))
        except UnreachableError:
            return  # the database is away: the next hour will do
        except Exception as err:  # who looks for damage must not end at it without a word
            alarm("fsck-failed", failed=type(err).__name__)
            return
        if whole:
            self._whole_at = now
            WHOLE_FSCK.set(now)


async def keep_looking(reads: Reads, clock: Callable[[], float] = time.time) -> None:
    """Look on for ever."""
    rounds = Rounds(reads, clock())
    while True:
        await asyncio.sleep(HOUR)
        await rounds.look(clock())


def say(looked: Looked) -> None:
    """Raise an alarm for each thing that differs."""
    for problem in looked.problems:
        alarm("leaf-mismatch", what=problem)
    if looked.more:
        alarm("leaf-mismatch", what=f"and {looked.more} more")


def _look_at_rows(
    rows: list[LeafRow], start: int, stop: int, edge: Edge, looked: Looked
) -> dict[TileId, Tile]:
    for gap in _gaps([row.idx for row in rows], start, stop):
        looked.name(f"activity entry {gap} is missing")
    for row in rows:
        if row.kind == LOST:
            looked.lost += 1
        elif row.idx in looked.held:
            looked.name(f"activity entry {row.idx}: it is on hold, and its text is gone")
        elif _is_blank(row) and row.idx < looked.erasable:
            looked.erased += 1
        elif problem := _wrong(row):
            looked.name(f"activity entry {row.idx}: {problem}")
    looked.entries += len(rows)
    return edge.extend([leaf_hash(row.record) for row in rows])


def _is_blank(row: LeafRow) -> bool:
    return not row.core and row.kind in READING_KINDS


def _erasure(row: LeafRow, latest: int) -> tuple[int, int] | None:
    """Return before which index an entry allows erasing, and when it said so (unix seconds).

    None when it is not what its record says, or is not allowed.
    """
    if _wrong(row):
        return None
    try:
        erased, core = open_envelope(row.envelope, "erased").statement, decode_core(row.core)
        if not isinstance(erased, Erased):
            return None
        check_erased(erased, core, row.idx, latest)
    except SeefenError:
        return None
    return erased.upto, core.at // 1000


def _wrong(row: LeafRow) -> str:
    """Return what is wrong with an entry, empty if it is what its record commits to."""
    try:
        record, core = Record.decode(row.record), decode_core(row.core)
    except SeefenError as err:
        return str(err)
    if commit(row.salt, row.core) != record.core_commitment:
        return "core, salt and record do not belong together: one of them was changed"
    if sha256(row.envelope) != row.hash or row.hash.hex() != core.req:
        return "its signed statement is another than the one its core names"
    said = (core.act, core.case, core.device, core.device_n, core.case_n, core.object)
    ours = (
        row.kind, row.case.hex(), (row.device or b"").hex(), row.device_n or 0, row.case_n or 0,
        (row.object or b"").hex(),
    )  # fmt: skip
    if said != ours:
        return "the columns by which it is found are not what its core says"
    return ""


def _look_at_leaf(row: AuthorityRow, place: int, looked: Looked) -> None:
    if row.idx != place:
        looked.name(f"authority entry {place} is missing")
    elif sha256(row.envelope) != row.hash:
        looked.name(f"authority entry {row.idx}: its envelope was changed")


def _look_at_tile(tile: TileId, made: Tile, kept: bytes | None, looked: Looked) -> None:
    if kept is None:
        looked.name(f"tile {tile.level}/{tile.n} is missing")
    elif kept != (again := made.encode()):
        at = next(i for i in range(0, len(again), 32) if kept[i : i + 32] != again[i : i + 32])
        place = tile.n * WIDTH + at // 32
        what = f"activity entry {place}" if tile.level == 0 else f"hash {place} of its level"
        looked.name(f"tile {tile.level}/{tile.n} and {what} differ: one of them was changed")


def _look_at_root(log: str, edge: Edge, head: LogHead, looked: Looked) -> None:
    found = edge.compact()
    if (found.size, found.root(), found.encode()) != (head.size, head.root, head.range):
        looked.name(f"the {log} log of {found.size} entries does not have the root in the head row")


def _unreadable(what: str, err: Exception) -> str:
    return f"{what} cannot be read from the database ({type(err).__name__})"


def _tile_of(rows: list[LeafRow]) -> Tile:
    return Tile([leaf_hash(row.record) for row in rows])


def _gaps(indices: list[int], start: int, stop: int) -> Iterator[int]:
    expected = start
    for index in [*indices, stop]:
        yield from range(expected, index)
        expected = index + 1
