"""The feed: what a node is to receive, in the order of the activity log.

A cursor is a log index; a page says "everything for you up to index n". When a node joins
a case late, its backlog comes with the entry that let it in: the chain of the case, to check
it from its first version, and of each device the number it had reached, as a stub. A page
may end inside a backlog, and says where.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias

from seefen.protocol.case import CaseState
from seefen.protocol.directory import Directory
from seefen.protocol.frames import Before, FeedFrom, Item, Stub
from seefen.protocol.statements import Device
from seefen.server import pages
from seefen.server.parcels import CARRIED, Parcel, parcel_of, stub_of
from seefen.server.proofs import Prover
from seefen.server.rows import LeafRow, Storage

Rows: TypeAlias = Sequence[LeafRow]
PAGE_BYTES: Final = 2 * 1024 * 1024  # a page ends with the entry that passes this
BACKLOG_SECONDS: Final = 5.0  # no backlog after the first is begun later: a device waits for 30


class Cases(Protocol):
    """Where the committed state of a case is found."""

    async def case(self, case: bytes) -> CaseState | None:
        """Return the committed state of a case."""
        ...


@dataclass(frozen=True, slots=True)
class Filled:
    """What a page of the feed holds."""

    items: tuple[Item, ...]
    stubs: tuple[Stub, ...]
    upto: int
    within: int
    before: tuple[Before, ...]


@dataclass(slots=True)
class _Due:
    """What is due, each row at an index, up to where; and the counts behind whole backlogs."""

    rows: list[tuple[int, LeafRow]]
    upto: int
    within: int = 0
    before: list[tuple[int, Before]] = field(default_factory=list[tuple[int, Before]])

    def end(self, when: int) -> None:
        """End with what is due at ``when``, unless it ended before."""
        if when < self.upto:
            self.upto, self.within = when + 1, 0


class Feed:
    """Fills pages for devices."""

    def __init__(self, storage: Storage, cases: Cases, prover: Prover) -> None:
        self._storage = storage
        self._cases = cases
        self._prover = prover

    async def fill(self, device: Device, directory: Directory, ask: FeedFrom, size: int) -> Filled:
        """Return what comes next in a log of ``size`` entries."""
        due = await self._due(device.node, ask, size)
        rows = [row for _, row in due.rows]
        parcels, stubs = await self._sort(rows, device.node, directory)
        bodies = await self._bodies(parcels.values())
        items: list[tuple[Parcel, bytes]] = []
        kept: list[Stub] = []
        total = 0
        for place, (when, row) in enumerate(due.rows):
            parcel = parcels.get(row.idx)
            if parcel is not None:
                body = bodies.get(parcel.body_of or b"", b"")
                items.append((parcel, body))
                total += len(body) + len(row.envelope)
            elif row.idx in stubs:
                kept.append(stubs[row.idx])
            last_of_its_time = place + 1 == len(rows) or due.rows[place + 1][0] != when
            if total > PAGE_BYTES and last_of_its_time:
                due.end(when)
                break
        shown = await self.items(items, directory, device.device, size)
        before = tuple(count for when, count in due.before if when < due.upto)
        return Filled(shown, tuple(kept), due.upto, due.within, before)

    async def items(
        self,
        parcels: Sequence[tuple[Parcel, bytes]],
        directory: Directory,
        device: bytes,
        size: int,
        written: Mapping[bytes, bytes] = MappingProxyType({}),
    ) -> tuple[Item, ...]:
        """Return parcels with proofs and with the wraps for a device.

        Args:
            written: Wraps that need not be fetched: they were written a moment ago.
        """
        named = [parcel.wraps(directory, device) for parcel, _ in parcels]
        wanted = {hash_ for hashes in named for hash_ in hashes}
        elsewhere = wanted - written.keys()
        wraps = {hash_: written[hash_] for hash_ in wanted - elsewhere}
        if elsewhere:
            wraps |= await self._storage.wraps(elsewhere)
        entries = await self._prover.entries([parcel.row for parcel, _ in parcels], size)
        return tuple(
            Item(
                parcel.row.kind,
                entry,
                parcel.row.envelope,
                tuple(wraps[hash_] for hash_ in hashes if hash_ in wraps),
                body,
            )
            for (parcel, body), hashes, entry in zip(parcels, named, entries, strict=True)
        )

    async def parcels(self, rows: Iterable[LeafRow], directory: Directory) -> list[Parcel]:
        """Return the parcels of those entries that go to somebody."""
        carried = [row for row in rows if row.kind in CARRIED and row.envelope]
        acked = {row.object for row in carried if row.kind == "ack" and row.object is not None}
        objects = await self._storage.objects(acked) if acked else {}
        found: list[Parcel] = []
        for row in carried:
            state = await self._cases.case(row.case)
            facts = objects.get(row.object or b"")
            node = None if facts is None else facts.node
            parcel = None if state is None else parcel_of(row, state, directory, node)
            if parcel is not None:
                found.append(parcel)
        return found

    async def _due(self, node: str, ask: FeedFrom, size: int) -> _Due:
        """Return entries with the index at which each is due, and where the page ends."""
        cursor = ask.cursor

        async def read(at: int, most: int) -> Sequence[LeafRow]:
            return await self._storage.feed(node, at, stop, most)

        stop = min(size, cursor + pages.WINDOW)
        rows, ended = await pages.read_pieces(read, cursor, ask.limit, PAGE_BYTES)
        upto = max(stop, cursor) if ended else rows[-1].idx + 1
        if not rows and upto < size:
            # Before its first case there is nothing for a node, and that may be years of a log.
            first = await self._storage.joined(node, 0, size)
            upto = max(upto, first[0][1] if first else size)
        due = await self._backlogs(node, ask, upto)
        due.rows += [(row.idx, row) for row in rows if row.idx < due.upto]
        due.rows.sort(key=lambda entry: (entry[0], entry[1].idx))
        return due

    async def _backlogs(self, node: str, ask: FeedFrom, upto: int) -> _Due:
        """Return what is due of cases that a node joined below ``upto``, a page of it at most."""
        due, room, began = _Due([], upto), PAGE_BYTES, time.monotonic()
        for place, (case, joined) in enumerate(await self._storage.joined(node, ask.cursor, upto)):
            if place and time.monotonic() - began > BACKLOG_SECONDS:
                due.upto, due.within = joined, 0
                break
            start, left = ask.within if joined == ask.cursor else 0, ask.limit - len(due.rows)
            chain, follows = await self._chain(case, (start, joined), left, room)
            due.rows += [(joined, row) for row in chain]
            room -= sum(len(row.envelope) + len(row.core) for row in chain)
            if follows is not None:
                due.upto, due.within = joined, follows
                break
            if not chain and not start:
                continue  # it was opened with this node
            reached, objects = await self._storage.reached(case, joined)
            due.rows += [(joined, row) for row in reached]
            others = objects - sum(row.kind == "object" for row in reached)
            due.before.append((joined, Before(case, others)))
        return due

    async def _chain(
        self, case: bytes, span: tuple[int, int], limit: int, room: int
    ) -> tuple[list[LeafRow], int | None]:
        """Return versions and keys of a case, a page at most, and where the next one is due.

        That is None where nothing follows, also behind a page that is just full: a device takes
        a page for a lie that ends inside a backlog of which nothing is left.
        """
        start, stop = span

        async def read(at: int, most: int) -> Rows:
            return await self._storage.chain(case, at, stop, most)

        chain, whole = await pages.read_pieces(read, start, limit, room)
        if whole or not chain:
            return chain, None if whole else start
        following = await read(chain[-1].idx + 1, 1)
        return chain, following[0].idx if following else None

    async def _sort(
        self, rows: Sequence[LeafRow], node: str, directory: Directory
    ) -> tuple[dict[int, Parcel], dict[int, Stub]]:
        parcels = {p.row.idx: p for p in await self.parcels(rows, directory) if node in p.nodes}
        stubs = {row.idx: stub_of(row) for row in rows if row.idx not in parcels}
        return parcels, {index: stub for index, stub in stubs.items() if stub is not None}

    async def _bodies(self, parcels: Iterable[Parcel]) -> dict[bytes, bytes]:
        """Return the sealed bodies that a page can hold, not all that are due."""
        found: dict[bytes, bytes] = {}
        wanted = [p.body_of for p in parcels if p.body_of is not None]
        for start in range(0, len(wanted), 16):
            found |= await self._storage.bodies(wanted[start : start + 16])
            if sum(map(len, found.values())) > PAGE_BYTES:
                break
        return found
