"""Hashing everything again: does what stands in the database still give the roots?

A little every hour and all of it each night (UTC), beside the work; or at once, by the
operator. What differs is named. Rows below the head never change, so no lock is needed.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import SeefenError
from seefen.protocol.ledger.record import Record, decode_core
from seefen.protocol.ledger.tiles import WIDTH, Edge, Tile, TileId
from seefen.protocol.ledger.tree import leaf_hash
from seefen.protocol.retention import check_erased
from seefen.protocol.statements import READING_KINDS, Erased
from seefen.protocol.suite import commit, sha256
from seefen.server.alarms import alarm
from seefen.server.errors import UnreachableError
from seefen.server.rebuilding import LOST
from seefen.server.rows import AuthorityRow, LeafRow, LogHead, Reads

AT_ONCE: Final = 4096  # rows: a multiple of the width of a tile
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
        looked = Looked(erasable=await self._erasable())
        await self._authority(heads.authority, looked)
        edge, size = Edge(), heads.activity.size
        for start in range(0, size, AT_ONCE):
            rows = await self._reads.activity(start, min(size, start + AT_ONCE))
            full = await asyncio.to_thread(_look_at_rows, rows, start, edge, looked)
            await self._tiles(full, looked)
            if len(rows) < min(size, start + AT_ONCE) - start:
                return looked  # after a gap no hash fits, and the gap is named
            await asyncio.sleep(PAUSE)
        _look_at_root("activity", edge, heads.activity, looked)
        return looked

    async def part(self, percent: int) -> Looked:
        """Look at the next full tiles, and at what stands under them."""
        size = (await self._reads.heads()).activity.size
        looked, count = Looked(erasable=await self._erasable()), size // WIDTH
        for _ in range(-(-count * percent // 100)):
            n = self._next = self._next % count
            rows = await self._reads.activity(n * WIDTH, (n + 1) * WIDTH)
            edge = Edge()
            await asyncio.to_thread(_look_at_rows, rows, n * WIDTH, edge, looked)
            if len(rows) == WIDTH:
                await self._tiles({TileId(0, n): _tile_of(rows)}, looked)
            self._next += 1
            await asyncio.sleep(PAUSE)
        return looked

    async def _erasable(self) -> int:
        rows = await self._reads.erased_entries()
        uptos = [one.upto for row in rows if (one := _erasure(row)) is not None]
        return max(uptos, default=0)

    async def _authority(self, head: LogHead, looked: Looked) -> None:
        edge = Edge()
        for start in range(0, head.size, AT_ONCE):
            rows = await self._reads.authority(start, min(head.size, start + AT_ONCE))
            for place, row in enumerate(rows, start=start):
                _look_at_leaf(row, place, looked)
                edge.extend([leaf_hash(row.envelope)])
            looked.entries += len(rows)
        _look_at_root("authority", edge, head, looked)

    async def _tiles(self, full: dict[TileId, Tile], looked: Looked) -> None:
        kept = await self._reads.tiles(full)
        for tile, made in full.items():
            _look_at_tile(tile, made, kept.get(tile), looked)


async def keep_looking(reads: Reads, clock: Callable[[], float] = time.time) -> None:
    """Look on for ever: 1 % each hour, everything in the night; say what differs."""
    fsck = Fsck(reads)
    while True:
        await asyncio.sleep(HOUR)
        night = int(clock()) % (24 * HOUR) // HOUR == NIGHT
        with suppress(UnreachableError):  # the database is away: the next hour will do
            say(await fsck.whole() if night else await fsck.part(1))


def say(looked: Looked) -> None:
    """Raise an alarm for each thing that differs."""
    for problem in looked.problems:
        alarm("leaf-mismatch", what=problem)


def _look_at_rows(
    rows: list[LeafRow], start: int, edge: Edge, looked: Looked
) -> dict[TileId, Tile]:
    for gap in _gaps([row.idx for row in rows], start):
        looked.name(f"activity entry {gap} is missing")
    for row in rows:
        if row.kind == LOST:
            looked.lost += 1
        elif not row.core and row.kind in READING_KINDS and row.idx < looked.erasable:
            looked.erased += 1
        elif problem := _wrong(row):
            looked.name(f"activity entry {row.idx}: {problem}")
    looked.entries += len(rows)
    return edge.extend([leaf_hash(row.record) for row in rows])


def _erasure(row: LeafRow) -> Erased | None:
    """Return what an entry allows to be erased; None when it is not what its record says."""
    if _wrong(row):
        return None
    erased, core = open_envelope(row.envelope, "erased").statement, decode_core(row.core)
    if not isinstance(erased, Erased):
        return None
    try:
        check_erased(erased, core, row.idx)
    except SeefenError:
        return None
    return erased


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


def _tile_of(rows: list[LeafRow]) -> Tile:
    return Tile([leaf_hash(row.record) for row in rows])


def _gaps(indices: list[int], start: int) -> Iterator[int]:
    expected = start
    for index in indices:
        yield from range(expected, index)
        expected = index + 1
