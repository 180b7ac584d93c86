"""Proofs and checkpoints: what the broker signs, and how anybody can check it.

The right edge of both trees lives in memory; full tiles of the activity log are fetched
and kept, those of the small authority log are all here. A checkpoint is signed for the
head that the database holds, never for one that is only remembered: if somebody rewinds
the log behind the broker's back, everyone must see it.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final

from seefen.protocol.errors import SeefenError
from seefen.protocol.ledger.note import Checkpoint, publish_checkpoint, sign_checkpoint
from seefen.protocol.ledger.tiles import Edge, Tile, TileId, edge_rows, tile_width
from seefen.protocol.ledger.tree import (
    CompactRange,
    Node,
    Plan,
    Proof,
    Span,
    consistency_plan,
    inclusion_plan,
    leaf_hash,
)
from seefen.protocol.receipt import Entry
from seefen.protocol.suite import PlainKey
from seefen.server.alarms import alarm
from seefen.server.errors import FrozenError, UnreachableError
from seefen.server.high_water import NO_TIMES, HighWater, Times
from seefen.server.rows import Heads, LeafRow, LogHead, Reads
from seefen.server.stamps import KEPT, Stamps

TILES_KEPT: Final = 128  # about 17 KB each
SPANS_KEPT: Final = 8192  # hashes of runs of leaves, about 200 bytes each
CHECKPOINTS_KEPT: Final = 64
WIDTH_BITS: Final = 8
READ_SECONDS: Final = 1.0  # what was read more slowly may be old: another process writes, too
READS: Final = 3  # of the heads, for one that was the newest at a known time
CLOCK_SECONDS: Final = 2  # by which a clock may be behind the log without a word

Clock = Callable[[], float]


class Log:
    """One log: its edge, its full tiles, its compact range."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.edge = Edge()
        self.range = CompactRange()
        self.tiles: OrderedDict[TileId, Tile] = OrderedDict()
        # Most of a proof is the same in the next one, and what is committed stays as it is.
        self.spans: dict[Span, bytes] = {}

    @property
    def size(self) -> int:
        """How many leaves are committed."""
        return self.edge.size

    def preview(self, leaves: Sequence[bytes]) -> "Growth":
        """Return what the log would be with more leaves; nothing changes yet."""
        longer = CompactRange(self.range.size, self.range.hashes)
        for leaf in leaves:
            longer.append(leaf)
        edge, full = None, dict[TileId, Tile]()
        if longer.size >> WIDTH_BITS > self.size >> WIDTH_BITS:
            # A reader must find each tile at the edge or in the store: so the edge moves
            # on only after the commit, and what it completes is worked out beside it.
            node = self.edge.reader({})
            rows = [
                [node((level * WIDTH_BITS, index)) for index in row]
                for level, row in enumerate(edge_rows(self.size))
            ]
            edge = Edge.resume(self.size, rows)
            full = edge.extend(leaves)
        return Growth(self, longer, leaves, edge, full)


class Growth:
    """What a log becomes when a group is committed."""

    def __init__(
        self,
        log: Log,
        longer: CompactRange,
        leaves: Sequence[bytes],
        edge: Edge | None,
        full: dict[TileId, Tile],
    ) -> None:
        self._log = log
        self._range = longer
        self._leaves = leaves
        self._edge = edge
        self.full = full

    @property
    def head(self) -> LogHead:
        """The head to be written."""
        return LogHead(self._range.size, self._range.root(), self._range.encode())

    def commit(self) -> None:
        """Move the log on: the database has it."""
        log = self._log
        log.range = self._range
        log.tiles.update(self.full)
        if self._edge is None:
            log.edge.extend(self._leaves)
        else:
            log.edge = self._edge


class Prover:
    """Builds proofs and signs checkpoints for both logs."""

    def __init__(
        self, reads: Reads, log_key: PlainKey, high_water: HighWater | None = None
    ) -> None:
        self.high_water = high_water
        self.signs = True
        self.authority = Log("authority")
        self.activity = Log("activity")
        self._reads = reads
        self._log_key = log_key
        self._checkpoints: OrderedDict[tuple[str, LogHead, int], str] = OrderedDict()
        self._stamps = {"authority": Stamps(), "activity": Stamps()}
        self._at = 0  # the highest time that a head may have been signed with
        self._others = 0  # before which others let nothing be dated, as last read
        self._unread: dict[Heads, float] = {}  # seen while that could not be read
        self._since = 0  # what others are to be told of that
        self._is_behind = False

    def see(self, heads: Heads, at: float) -> None:
        """Take in that these were the newest heads at a time, in Unix seconds.

        Times of heads never go back, nor before the newest entry: a log that grew while its clock
        was set back would sign what a rewound one does. Both logs have one time: what an entry
        says of the authority log is compared, too. Nor do they go back beside a process that
        dates later ones. While that cannot be known, the heads are not signed.
        """
        if self._hear():
            self._stamp(heads, at)
            return
        self._unread[heads] = at
        if len(self._unread) > KEPT:
            del self._unread[next(iter(self._unread))]

    def make_up(self) -> None:
        """Take in what was seen while the mark could not be read: what is told is signed, too."""
        if self._unread:
            self._hear()

    def _hear(self) -> bool:
        """Read before when nothing is to be dated, and date what waits; tell if it can be read."""
        since = 0
        if self.high_water is not None:
            try:
                since = self.high_water.read().since  # it may have come while heads were read
            except SeefenError:
                return False
        # One that came meanwhile came before these heads or after them: nobody knows which.
        if since == self._others:
            for heads, at in self._unread.items():
                self._stamp(heads, at)
        self._unread.clear()
        self._others = since
        return True

    def _stamp(self, heads: Heads, at: float) -> None:
        now = max(int(at), heads.at // 1000, self._others)
        self._at = max(self._at, now)
        self._stamps["authority"].see(heads.authority.size, now, self._at)
        self._stamps["activity"].see(heads.activity.size, now, self._at)

    def times(self, now: float) -> Times:
        """Return what the high-water mark is to keep of times: nothing, of who signs nothing.

        He has not waited for what others may have signed, and knows nothing of it.
        """
        if not self.signs:
            return NO_TIMES
        return Times(int(now), self._at, self._since)

    def check_clock(self, now: float) -> None:
        """Raise an alarm, once, when the clock is behind what was signed.

        Other processes are told that time: one that stood still while the clock was ahead knows
        of none, and would date a longer head earlier.
        """
        behind = self._at - int(now)
        if behind > CLOCK_SECONDS and not self._is_behind:
            alarm("clock-back", seconds=behind)
            self._since = self._at
        self._is_behind = behind > CLOCK_SECONDS

    async def see_committed(self, heads: Heads, began: float, clock: Clock) -> None:
        """Take in heads that were just committed here.

        Args:
            heads: They stand in the database; by now there may be longer ones.
            began: When the commit was asked for, by ``time.monotonic``.
            clock: Unix seconds.
        """
        if time.monotonic() - began <= READ_SECONDS:
            self.see(heads, clock())
            return
        with suppress(SeefenError):  # what was committed stands, and can be signed later
            await self.newest(clock, stood=heads)

    async def newest(
        self, clock: Clock, *, stood: Heads | None = None, reads: int = READS
    ) -> Heads:
        """Read the heads in the database, and take in when they were the newest.

        An answer that was long on its way does not tell: another process may have signed longer
        ones since. But what stood before it was asked for was the newest when it was.

        Args:
            clock: Unix seconds.
            stood: Heads that are known to stand.
            reads: How often, until the time of one is known.
        """
        at, began = clock(), time.monotonic()
        heads = await self._reads.heads()
        if time.monotonic() - began <= READ_SECONDS:
            self.see(heads, clock())
        elif heads == stood:
            self.see(heads, at)
        elif reads > 1:
            return await self.newest(clock, stood=heads, reads=reads - 1)
        return heads

    def checkpoint(self, origin: str, log: str, head: LogHead) -> str:
        """Return the signed checkpoint of a head, once a second at most.

        Raises:
            FrozenError, UnreachableError: It is not to be signed, or not now.
        """
        self._require_marked(log, head)
        at = self._time(log, head)
        key = (f"{origin}/{log}", head, at)
        note = self._checkpoints.get(key)
        if note is None:
            note = sign_checkpoint(Checkpoint(key[0], head.size, head.root), self._log_key, at)
            self._checkpoints[key] = note
            if len(self._checkpoints) > CHECKPOINTS_KEPT:
                self._checkpoints.popitem(last=False)
        return note

    def published(self, origin: str, log: str, head: LogHead) -> str:
        """Return the checkpoint of a head as other tools read it; see :meth:`checkpoint`."""
        self._require_marked(log, head)
        checkpoint = Checkpoint(f"{origin}/{log}", head.size, head.root)
        return publish_checkpoint(checkpoint, self._log_key, self._time(log, head))

    def require_thawed(self) -> None:
        """Refuse to go on while the broker is frozen.

        Raises:
            FrozenError: It is.
        """
        if self.high_water is not None and self.high_water.frozen:
            raise FrozenError(self.high_water.frozen)

    def _require_marked(self, log: str, head: LogHead) -> None:
        if not self.signs:  # it did not wait for the times that others may have signed
            raise UnreachableError("this process signs nothing: ask the broker", rule="busy")
        if self.high_water is not None:
            self.high_water.require(log, head)

    def _time(self, log: str, head: LogHead) -> int:
        at = self._stamps[log].of(head.size)
        if at is None:
            # Whoever asks again is answered under the newest.
            raise UnreachableError("nobody knows when this head was the newest", rule="busy")
        # A process that starts knows of later times nothing, and could date a longer head before.
        return at if self.high_water is None else min(at, self.high_water.until)

    async def entries(self, rows: Sequence[LeafRow], size: int) -> tuple[Entry, ...]:
        """Return entries with their proofs in the tree of ``size``.

        A proof is empty where there can be none, because the log was changed behind our
        back; whoever checks it finds that out.
        """
        indices = [row.idx for row in rows if row.idx < size]
        built: dict[int, Proof] = {}
        if size <= self.activity.size:
            plan = inclusion_plan(indices, size)
            built = dict(zip(indices, await self._build(self.activity, plan), strict=False))
        return tuple(
            Entry(row.idx, row.record, row.core, row.salt, built.get(row.idx, ())) for row in rows
        )

    async def consistency(self, log: str, old: int, new: int) -> Proof:
        """Return the proof that the tree of ``new`` leaves begins as that of ``old``.

        It is empty where there can be none: one who has seen a longer log sees the
        shorter checkpoint beside it.
        """
        kept = self.authority if log == "authority" else self.activity
        if not 0 < old < new <= kept.size:
            return ()
        built = await self._build(kept, consistency_plan(old, new))
        return built[0] if built else ()

    async def tile(self, log: str, tile: TileId, width: int) -> bytes:
        """Return the first ``width`` hashes of a tile; nothing when they are not there.

        The caller has made sure that the tree is large enough.
        """
        kept = self.authority if log == "authority" else self.activity
        if width > tile_width(tile, kept.size):
            return b""
        height, start = WIDTH_BITS * tile.level, tile.n << WIDTH_BITS
        nodes = [(height, index) for index in range(start, start + width)]
        if not await self._fetch(kept, lambda: nodes):
            return b""
        read = kept.edge.reader(kept.tiles)
        data = b"".join([read(node) for node in nodes])
        self._trim(kept)
        return data

    async def _build(self, log: Log, plan: Plan) -> tuple[Proof, ...]:
        if len(log.spans) > SPANS_KEPT:
            log.spans.clear()
        if not await self._fetch(log, lambda: plan.nodes(log.spans)):
            return ()
        proofs = plan.build(log.edge.reader(log.tiles), log.spans)
        self._trim(log)
        return proofs

    async def _fetch(self, log: Log, nodes: Callable[[], Iterable[Node]]) -> bool:
        # Asked anew after each wait: others clear the spans and push tiles out meanwhile.
        while missing := log.edge.missing(nodes(), log.tiles.keys()):
            found = await self._reads.tiles(missing)
            if len(found) < len(missing):
                return False
            log.tiles.update((tile, Tile.decode(data)) for tile, data in found.items())
        return True

    def _trim(self, log: Log) -> None:
        if log is self.activity:
            while len(log.tiles) > TILES_KEPT:
                log.tiles.popitem(last=False)


async def load_edge(reads: Reads, size: int) -> Edge:
    """Return the edge of the activity log, made again from records and full tiles.

    Raises:
        ValueError: Records or tiles are missing.
    """
    levels: list[Iterable[bytes]] = []
    for level, row in enumerate(edge_rows(size)):
        if level == 0:
            records = await reads.records(row.start, row.stop)
            levels.append([leaf_hash(record) for record in records])
        else:
            ids = [TileId(level - 1, n) for n in row]
            tiles = await reads.tiles(ids)
            levels.append([Tile.decode(tiles[i]).root() for i in ids if i in tiles])
    return Edge.resume(size, [list(level) for level in levels])
