"""What is kept of the ledger, row by row, and the verbs of whoever keeps it.

The promises (sequencer, feed, push) know :class:`Reads` and :class:`Storage`, and no SQL.
"""

from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from seefen.protocol.ledger.tiles import TileId
from seefen.server.erasures import Erasures
from seefen.server.gate import Protected


class TakenError(Exception):
    """A row with this id stands already: something in the group is not what it seemed."""


class LogHead(Struct, frozen=True, gc=False):
    """How long a log is, its root, and the compact range to append to."""

    size: int
    root: bytes
    range: bytes


class Heads(Struct, frozen=True, gc=False):
    """The one head row: both logs, and the time of the last commit (unix milliseconds)."""

    authority: LogHead
    activity: LogHead
    at: int


@dataclass(frozen=True, slots=True)
class AuthorityRow:
    """A leaf of the authority log."""

    idx: int
    kind: str
    hash: bytes
    envelope: bytes


class LeafRow(Struct, frozen=True, gc=False):
    """A leaf of the activity log: the record, what opens it, and the statement."""

    idx: int
    record: bytes
    core: bytes
    salt: bytes
    detail_salt: bytes | None
    kind: str
    case: bytes
    node: str
    device: bytes | None
    device_n: int | None
    case_n: int | None
    object: bytes | None
    hash: bytes
    envelope: bytes


class ObjectRow(Struct, frozen=True, gc=False):
    """An object as it is stored: where it stands, its body and its content key."""

    object: bytes
    idx: int
    case: bytes
    gen: int
    n: int
    node: str
    expires: int
    body: bytes | None
    content_key: bytes | None  # None: lost with the database, and not in any mirror


class ObjectFacts(Struct, frozen=True, gc=False):
    """What must be known of an object to judge an access or an ack to it."""

    object: bytes
    idx: int
    case: bytes
    gen: int
    n: int
    node: str
    expires: int
    acks: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class AccessRow:
    """An access that may still be open."""

    idx: int
    device: bytes
    case: bytes
    scope: str
    starts: int
    until: int


@dataclass(frozen=True, slots=True)
class ChainRow:
    """A statement from which the state of a case is built, and the objects before it."""

    idx: int
    kind: str
    hash: bytes
    envelope: bytes
    record: bytes
    core: bytes
    objects_before: int


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device's last number in a case, and the hash of its last object."""

    device: bytes
    case_n: int
    object_hash: bytes | None


@dataclass(frozen=True, slots=True)
class CaseRows:
    """Everything the state of a case is built from; ``last`` is its newest statement."""

    chain: list[ChainRow]
    devices: list[DeviceRow]
    objects: int
    last: ChainRow


class RoundRow(Struct, frozen=True, gc=False):
    """A head that all witnesses are shown, and since when (unix seconds)."""

    log: str
    size: int
    at: int
    note: str


class CosignatureRow(Struct, frozen=True, gc=False):
    """What a witness signed of a head: SHA-256 of its key, its time, its lines."""

    witness: bytes
    at: int
    lines: str


class Changes(Struct):
    """What a commit writes besides the head."""

    authority: list[AuthorityRow] = []
    activity: list[LeafRow] = []
    objects: list[ObjectRow] = []
    accesses: list[AccessRow] = []
    acks: list[tuple[bytes, str, str]] = []
    wraps: dict[bytes, bytes] = {}
    numbers: list[tuple[str, str, bytes]] = []
    members: list[tuple[bytes, str, int]] = []
    tiles: dict[TileId, bytes] = {}

    @property
    def usual(self) -> bool:
        """Tell whether there is nothing in it but what nearly every commit writes."""
        seldom = (self.authority, self.wraps, self.numbers, self.members, self.tiles)
        return bool(self.activity) and not any(seldom)

    def extend(self, other: "Changes") -> None:
        """Take in what another change writes, after this one."""
        self.authority += other.authority
        self.activity += other.activity
        self.objects += other.objects
        self.accesses += other.accesses
        self.acks += other.acks
        self.wraps |= other.wraps
        self.numbers += other.numbers
        self.members += other.members
        self.tiles |= other.tiles


class Reads(Protocol):
    """What can be asked of the store, inside a transaction or outside."""

    async def heads(self) -> Heads:
        """Return the head row as it stands in the database now."""
        ...

    async def authority(
        self, start: int, stop: int, limit: int | None = None
    ) -> list[AuthorityRow]:
        """Return the leaves ``start <= idx < stop`` of the authority log, ``limit`` at most."""
        ...

    async def activity(self, start: int, stop: int, limit: int | None = None) -> list[LeafRow]:
        """Return the leaves ``start <= idx < stop`` of the activity log, ``limit`` at most."""
        ...

    async def records(self, start: int, stop: int) -> list[bytes]:
        """Return the records ``start <= idx < stop`` of the activity log."""
        ...

    async def leaf_count(self) -> tuple[int, int]:
        """Return how many leaves stand in the authority and in the activity log."""
        ...

    async def lost(self) -> dict[int, bytes]:
        """Return the records whose openings were lost, by index."""
        ...

    async def bodiless(self) -> dict[int, bytes]:
        """Return the records of messages whose sealed bodies were lost, by index."""
        ...

    async def handing(self) -> list[LeafRow]:
        """Return the entries that hand keys over."""
        ...

    async def erased_entries(self) -> list[LeafRow]:
        """Return the entries that say what was erased: a few each year."""
        ...

    async def held_blank(self) -> dict[int, int]:
        """Return the readings on hold that have no text, each with the start of its hold."""
        ...

    async def tiles(self, ids: Iterable[TileId]) -> dict[TileId, bytes]:
        """Return those full tiles of the activity log that are there."""
        ...

    async def case(self, case: bytes) -> CaseRows | None:
        """Return what the state of a case is built from."""
        ...

    async def device_numbers(self, devices: Iterable[bytes]) -> dict[bytes, int]:
        """Return the last number of each device, 0 for one that never wrote."""
        ...

    async def last_manifest(self, device: bytes, of: str) -> LeafRow | None:
        """Return the newest manifest of a device about a node."""
        ...

    async def told_from(self, start: int, stop: int) -> LeafRow | None:
        """Return the first entry at ``start <= idx < stop`` that has a text."""
        ...

    async def objects(self, objects: Iterable[bytes]) -> dict[bytes, ObjectFacts]:
        """Return what is known of those objects that are there."""
        ...

    async def number_taken(self, owner: str, number: str) -> bool:
        """Tell whether an owner has given a case number."""
        ...

    async def blob_complete(self, roots: Iterable[bytes]) -> set[bytes]:
        """Return the roots of those file bodies of which every part is there."""
        ...


class Writing(Reads, Protocol):
    """One write transaction."""

    async def lock(self) -> Heads:
        """Lock the head row and return it: from here to the end nobody else writes."""
        ...

    async def write(self, changes: Changes, before: Heads, after: Heads) -> None:
        """Write everything, and the new head in place of the one that was locked.

        Raises:
            TakenError: An id or a number stands already.
        """
        ...

    async def drop_lost(self, indices: Iterable[int]) -> None:
        """Delete entries that are marked as lost, to write them whole."""
        ...

    async def put_bodies(self, bodies: Mapping[int, bytes]) -> None:
        """Give messages the sealed bodies that were lost, by index."""
        ...

    async def content_keys(self, objects: Iterable[bytes]) -> dict[bytes, Protected]:
        """Return the wrapped content keys, still closed."""
        ...


class Cosignatures(Protocol):
    """What witnesses sign, in tables of their own."""

    async def rounds(self, log: str) -> list[RoundRow]:
        """Return the heads that are kept, the longest first."""
        ...

    async def begin(self, row: RoundRow) -> None:
        """Store a head to be shown, unless there is one of its size."""
        ...

    async def add(self, log: str, size: int, row: CosignatureRow) -> None:
        """Store what a witness signed, unless it stands there from a later time."""
        ...

    async def found(self, log: str, size: int) -> list[CosignatureRow]:
        """Return what witnesses signed of a head."""
        ...

    async def forget(self, log: str, sizes: Iterable[int]) -> None:
        """Forget heads, and what was signed of them."""
        ...


class Storage(Reads, Protocol):
    """The store, outside a transaction."""

    @property
    def cosignatures(self) -> Cosignatures:
        """What witnesses sign."""
        ...

    @property
    def erasures(self) -> Erasures:
        """Texts that are over their time."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[Writing]:
        """Open a write transaction; it commits at the end of the block.

        Raises:
            UnreachableError: The database is away or slow. Whether it has committed is
                then not known.
        """
        ...

    def snapshot(self) -> AbstractAsyncContextManager[Reads]:
        """Read as of one moment, whatever others commit meanwhile."""
        ...

    async def swap(
        self, changes: Changes, before: Heads, after: Heads, wanted: Iterable[bytes]
    ) -> dict[bytes, Protected] | None:
        """Commit what commits usually hold in one round trip, if the head is ``before``.

        Returns:
            The content keys of the objects ``wanted`` that stood before, closed; None if the
            head is another and nothing was written.

        Raises:
            TakenError: An id or a number stands already.
            UnreachableError: As for :meth:`transaction`.
        """
        ...

    async def placed(self, hashes: Iterable[bytes]) -> tuple[list[AuthorityRow], list[LeafRow]]:
        """Return the leaves of both logs that hold these envelopes."""
        ...

    async def same_contents(self, object_: bytes, body: bytes | None, content_key: bytes) -> bool:
        """Tell whether an object was stored with exactly these bytes."""
        ...

    async def feed(self, node: str, cursor: int, stop: int, limit: int) -> list[LeafRow]:
        """Return entries ``cursor <= idx < stop`` of cases the node has joined by then."""
        ...

    async def joined(self, node: str, start: int, stop: int) -> list[tuple[bytes, int]]:
        """Return the cases that a node joined at ``start <= idx < stop``, in order."""
        ...

    async def chain(self, case: bytes, start: int, stop: int, limit: int) -> list[LeafRow]:
        """Return versions and keys of a case at ``start <= idx < stop``, ``limit`` at most."""
        ...

    async def reached(self, case: bytes, stop: int) -> tuple[list[LeafRow], int]:
        """Return how far each device was before ``stop``, and how many objects stand there."""
        ...

    async def entitled(self, node: str, start: int, stop: int, limit: int) -> list[LeafRow]:
        """Return the entries that the auditors of a node may open."""
        ...

    async def readings(self, case: bytes, start: int, stop: int, limit: int) -> list[LeafRow]:
        """Return who read what of a case, was handed it, or was refused."""
        ...

    async def wraps(self, hashes: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return those wraps that are there, by hash."""
        ...

    async def bodies(self, objects: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return the sealed bodies of those objects that are messages."""
        ...

    async def open_accesses(self, at: int) -> list[AccessRow]:
        """Return the accesses to whole cases that last beyond ``at``."""
        ...
