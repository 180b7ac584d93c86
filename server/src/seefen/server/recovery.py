"""Coming up, and catching up with what another process has written.

Nothing the database says is signed on trust: leaves are hashed from the stored bytes, and
what comes out must be the root in the head row.
"""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from seefen.protocol.directory import Directory
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import RefusedError, SeefenError
from seefen.protocol.ledger.tiles import Edge
from seefen.protocol.ledger.tree import CompactRange, check_consistency, leaf_hash
from seefen.protocol.statements import Access, Root
from seefen.protocol.suite import PlainKey, sha256
from seefen.server.alarms import alarm
from seefen.server.entries import access_row
from seefen.server.errors import FrozenError, UnreachableError
from seefen.server.high_water import RECOVER, RESERVED, HighWater, Mark, Times, behind
from seefen.server.proofs import Prover, load_edge
from seefen.server.rows import (
    AccessRow,
    AuthorityRow,
    Changes,
    Heads,
    LeafRow,
    LogHead,
    Reads,
    Storage,
)
from seefen.server.view import Known, unfounded

TICK: Final = 0.05  # seconds between two looks at a clock
FAR: Final = 1000  # entries of a log that are read at once, under the lock
PIECE: Final = 100  # records of keys that are read at once, of 256 KiB at most
BLOCK: Final = 1024  # records of the activity log that are hashed at once: some 15 ms
R = TypeVar("R")


class LedgerChangedError(UnreachableError):
    """The ledger in the database is not the one this broker wrote: nothing is added."""

    def __init__(self, what: str) -> None:
        """Make an error that says ``what`` does not agree."""
        super().__init__(f"the ledger was changed outside: {what}", rule="ledger-changed")


class Missed(Changes):
    """What others committed while this process stood still; its entries are not read here."""


async def recover(storage: Storage, prover: Prover) -> Known:
    """Return what is known at the start, and bring ``prover`` to the end of both logs.

    Raises:
        LedgerChangedError: Head row, leaves and roots do not agree.
    """
    async with storage.snapshot() as reads:
        heads = await reads.heads()
        counted = await reads.leaf_count()
        rows = await reads.authority(0, heads.authority.size)
        edge = await _edge(reads, heads.activity.size)
    sizes = (heads.authority.size, heads.activity.size)
    if edge is None or counted != sizes:
        raise LedgerChangedError(f"{counted} leaves stand there, the head says {sizes}")
    growth = prover.authority.preview([leaf_hash(row.envelope) for row in rows])
    _check("authority", growth.head, heads.authority)
    range_ = edge.compact()
    found = LogHead(range_.size, range_.root(), range_.encode())
    _check("activity", found, heads.activity)
    growth.commit()
    prover.activity.edge, prover.activity.range = edge, range_
    return Known(heads, replay(unfounded(), rows))


def check_log_key(root: Root, log_key: PlainKey) -> None:
    """Check that this broker signs with the key that the root names.

    Raises:
        RefusedError: rule ``log-key``.
    """
    if root.log_key != log_key.public:
        raise RefusedError("the network names another log key than this broker's", rule="log-key")


async def resume(storage: Storage, prover: Prover, clock: Callable[[], float]) -> Known:
    """Do as :func:`recover`, and compare with how far, and until when, the logs were signed.

    The mark is read before the head row: a broker that runs beside this process moves both.
    """
    high_water = prover.high_water
    if high_water is None:
        return await recover(storage, prover)
    high_water.frozen = ""
    mark: Mark | None = None
    try:
        mark = high_water.read() if high_water.exists else None
    except FrozenError as err:
        high_water.frozen = str(err)
    known = await recover(storage, prover)
    if high_water.frozen:
        return known
    new = mark is None and known.heads.activity.size == known.heads.authority.size == 0
    # A new broker has signed nothing, and goes on: its first heads need a time that is kept.
    if new and not high_water.found(known.heads):
        return await resume(storage, prover, clock)  # another began meanwhile, and may sign
    try:
        mark = high_water.read() if mark is None else mark
        await require_grown(prover, mark, known.heads)
        if prover.signs:
            await _go_on(high_water, mark.until, known.heads, clock)
    except FrozenError as err:
        high_water.frozen = str(err)
    return known


async def _go_on(
    high_water: HighWater, until: int, heads: Heads, clock: Callable[[], float]
) -> None:
    """Return when nothing will be dated before ``until``, the latest time that may be signed.

    Others sign beyond it only when their clocks have passed it, and they agree with this one.
    A mark of an older version, or one made anew, keeps no time: the newest entry has one.
    """
    until = max(until, heads.at // 1000)
    left = until - clock()
    for _ in range(int((left + 1) / TICK) if left <= RESERVED + 1 else 0):
        if clock() >= until:
            break
        await asyncio.sleep(TICK)
    at = int(clock())
    since = until if at < until else 0  # then the clock is behind, or stands
    await asyncio.to_thread(high_water.advance, heads, Times(at, since=since))


async def require_grown(prover: Prover, mark: Mark, heads: Heads) -> None:
    """Check that the logs begin with what was signed.

    Raises:
        FrozenError: They are shorter, or other ones.
    """
    if missing := behind(mark, heads):
        raise FrozenError(f"{missing}: {RECOVER}")
    for log, head in (("authority", heads.authority), ("activity", heads.activity)):
        size, root = mark.of(log)
        proof = await prover.consistency(log, size, head.size)
        try:
            check_consistency(size, root, head.size, head.root, proof)
        except SeefenError:
            text = f"the {log} log is another than the one that was signed up to entry {size}"
            raise FrozenError(f"{text}: {RECOVER}") from None


async def _edge(reads: Reads, size: int) -> Edge | None:
    try:
        return await load_edge(reads, size)
    except ValueError:
        return None  # leaves or tiles are missing


def is_far(known: Known, heads: Heads) -> bool:
    """Tell whether others have committed more than can be read at once."""
    before = known.heads
    authority = heads.authority.size - before.authority.size
    return max(authority, heads.activity.size - before.activity.size) > FAR


async def leap(known: Known, prover: Prover, heads: Heads, storage: Storage, at: int) -> Missed:
    """Take in what others have committed meanwhile, in pieces, and return what it is.

    Nothing is locked, and no statement reads much: one that reads the writes of some hours would
    be ended by the database each time, and this process never catch up. Entries are hashed by
    their records alone, and what was known of cases and devices is read again when it is needed.

    Args:
        known: Changed at the end, and only if all of it gives the roots.
        prover: Changed with it.
        heads: Where to; they stand in the database.
        storage: Read outside of a transaction: what is committed stays as it is.
        at: Unix seconds.

    Raises:
        LedgerChangedError: It does not follow from what this process knows.
    """
    _check_longer(known.heads, heads)
    authority: list[AuthorityRow] = []
    while (start := known.heads.authority.size + len(authority)) < heads.authority.size:
        authority += _some(await storage.authority(start, heads.authority.size, PIECE))
    growth = prover.authority.preview([leaf_hash(row.envelope) for row in authority])
    _check("authority", growth.head, heads.authority)
    longer = CompactRange(prover.activity.range.size, prover.activity.range.hashes)
    while longer.size < heads.activity.size:
        stop = min(longer.size + BLOCK, heads.activity.size)
        for record in _some(await storage.records(longer.size, stop)):
            longer.append(leaf_hash(record))
    _check("activity", LogHead(longer.size, longer.root(), longer.encode()), heads.activity)
    edge, accesses = await _edge(storage, longer.size), await storage.open_accesses(at)
    if edge is None or edge.compact().root() != heads.activity.root:
        raise LedgerChangedError("the tiles of the activity log do not give its root")
    directory = replay(known.directory, authority)
    growth.commit()  # from here to the end nobody else runs
    prover.activity.edge, prover.activity.range = edge, longer
    known.heads, known.directory = heads, directory
    known.forget_all()
    return Missed(authority=authority, accesses=accesses)


async def catch_up(known: Known, prover: Prover, heads: Heads, reads: Reads) -> Changes:
    """Take in what another process has committed, and return it.

    Raises:
        LedgerChangedError: It does not follow from what this process knows.
    """
    before = known.heads
    _check_longer(before, heads)
    authority = await reads.authority(before.authority.size, heads.authority.size)
    activity = await reads.activity(before.activity.size, heads.activity.size)
    growths = (
        prover.authority.preview([leaf_hash(row.envelope) for row in authority]),
        prover.activity.preview([leaf_hash(row.record) for row in activity]),
    )
    _check("authority", growths[0].head, heads.authority)
    _check("activity", growths[1].head, heads.activity)
    directory = replay(known.directory, authority)
    for growth in growths:
        growth.commit()
    known.heads, known.directory = heads, directory
    objects = [row.object for row in activity if row.object is not None]
    known.forget((row.case for row in activity), objects)
    for row in activity:
        if row.device is not None and row.device_n is not None:
            known.learn_device(row.device, row.device_n)
    return Changes(authority=authority, activity=activity, accesses=_accesses(activity))


def replay(directory: Directory, rows: list[AuthorityRow]) -> Directory:
    """Return the directory after more leaves; what breaks a rule has no effect."""
    if not rows:
        return directory
    if directory.size == 0:
        after = Directory(sha256(open_envelope(rows[0].envelope, "root").payload))
    else:
        after = directory.copy()
    for row in rows:
        try:
            after.apply(row.kind, row.envelope)
        except SeefenError as err:
            # Whoever can write to the database can do this; nobody is taken in by it.
            alarm("broken-leaf", index=row.idx, broken=err.rule)
            after.skip(row.envelope)
    return after


def _accesses(rows: list[LeafRow]) -> list[AccessRow]:
    found: list[AccessRow] = []
    for row in rows:
        if row.kind == "access":
            access = open_envelope(row.envelope, "access").statement
            if isinstance(access, Access) and access.scope != "object":
                found.append(access_row(access, row.idx))
    return found


def _check_longer(before: Heads, heads: Heads) -> None:
    for old, new in ((before.authority, heads.authority), (before.activity, heads.activity)):
        if new.size < old.size:
            raise LedgerChangedError(f"a log of {old.size} leaves has {new.size} now")


def _some(rows: list[R]) -> list[R]:
    if not rows:
        raise LedgerChangedError("leaves are missing below the head")
    return rows


def _check(log: str, found: LogHead, head: LogHead) -> None:
    if found != head:
        raise LedgerChangedError(f"the {log} log does not have the root in the head row")
