"""The feed: what a node is to receive, in the order of the activity log.

A cursor is a log index; a page says "everything for you up to index n". When a node joins
a case late, everything before comes with the entry that let it in: the chain of the case
to check it from its first version, the objects as stubs.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

from seefen.protocol.case import CaseState
from seefen.protocol.directory import Directory
from seefen.protocol.frames import Item, Stub
from seefen.protocol.statements import Device
from seefen.server import pages
from seefen.server.parcels import CARRIED, Parcel, parcel_of, stub_of
from seefen.server.proofs import Prover
from seefen.server.rows import LeafRow, Storage

PAGE_BYTES: Final = 2 * 1024 * 1024  # a page ends with the entry that passes this


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


class Feed:
    """Fills pages for devices."""

    def __init__(self, storage: Storage, cases: Cases, prover: Prover) -> None:
        self._storage = storage
        self._cases = cases
        self._prover = prover

    async def fill(
        self, device: Device, directory: Directory, *, cursor: int, size: int, limit: int
    ) -> Filled:
        """Return what comes at or after ``cursor`` in a log of ``size`` entries."""
        due, upto = await self._due(device.node, cursor, size, limit)
        parcels, stubs = await self._sort([row for _, row in due], device.node, directory)
        bodies = await self._bodies(parcels.values())
        items: list[tuple[Parcel, bytes]] = []
        kept: list[Stub] = []
        total = 0
        for place, (when, row) in enumerate(due):
            parcel = parcels.get(row.idx)
            if parcel is not None:
                body = bodies.get(parcel.body_of or b"", b"")
                items.append((parcel, body))
                total += len(body) + len(row.envelope)
            elif row.idx in stubs:
                kept.append(stubs[row.idx])
            last_of_its_time = place + 1 == len(due) or due[place + 1][0] != when
            if total > PAGE_BYTES and last_of_its_time:
                upto = min(upto, when + 1)
                break
        return Filled(await self.items(items, directory, device.device, size), tuple(kept), upto)

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

    async def _due(
        self, node: str, cursor: int, size: int, limit: int
    ) -> tuple[list[tuple[int, LeafRow]], int]:
        """Return entries with the index at which each is due, and where the page ends."""

        async def read(at: int, most: int) -> Sequence[LeafRow]:
            return await self._storage.feed(node, at, stop, most)

        stop = min(size, cursor + pages.WINDOW)
        rows, ended = await pages.read_pieces(read, cursor, limit, PAGE_BYTES)
        upto = max(stop, cursor) if ended else rows[-1].idx + 1
        if not rows and upto < size:
            # Before its first case there is nothing for a node, and that may be years of a log.
            first = await self._storage.joined(node, 0, size)
            upto = max(upto, first[0][1] if first else size)
        due = [(row.idx, row) for row in rows]
        for case, joined in await self._storage.joined(node, cursor, upto):
            due += [(joined, row) for row in await self._storage.backlog(case, joined)]
        due.sort(key=lambda entry: (entry[0], entry[1].idx))
        return due, upto

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
