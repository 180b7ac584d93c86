"""Proofs and checkpoints: what the broker signs, and how anybody can check it.

The right edge of both trees lives in memory; full tiles of the activity log are fetched
and kept, those of the small authority log are all here. A checkpoint is signed for the
head that the database holds, never for one that is only remembered: if somebody rewinds
the log behind the broker's back, everyone must see it.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

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
from seefen.server.errors import FrozenError
from seefen.server.high_water import HighWater
from seefen.server.rows import Heads, LeafRow, LogHead, Reads
from seefen.server.stamps import Stamps

TILES_KEPT: Final = 1024  # about 40 KB each
SPANS_KEPT: Final = 8192  # hashes of runs of leaves, about 200 bytes each
CHECKPOINTS_KEPT: Final = 64
WIDTH_BITS: Final = 8


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
        self.authority = Log("authority")
        self.activity = Log("activity")
        self._reads = reads
        self._log_key = log_key
        self._checkpoints: OrderedDict[tuple[str, LogHead, int], str] = OrderedDict()
        self._stamps = {"authority": Stamps(), "activity": Stamps()}

    def see(self, heads: Heads, at: int) -> None:
        """Take in that these were the newest heads at a time, in Unix seconds."""
        self._stamps["authority"].see(heads.authority.size, at)
        self._stamps["activity"].see(heads.activity.size, at)

    def checkpoint(self, origin: str, log: str, head: LogHead, at: int) -> str:
        """Return the signed checkpoint of a head, once a second at most."""
        self._require_marked(log, head)
        at = self._stamps[log].of(head.size, at)
        key = (f"{origin}/{log}", head, at)
        note = self._checkpoints.get(key)
        if note is None:
            note = sign_checkpoint(Checkpoint(key[0], head.size, head.root), self._log_key, at)
            self._checkpoints[key] = note
            if len(self._checkpoints) > CHECKPOINTS_KEPT:
                self._checkpoints.popitem(last=False)
        return note

    def published(self, origin: str, log: str, head: LogHead, at: int) -> str:
        """Return the checkpoint of a head as other tools read it."""
        self._require_marked(log, head)
        at = self._stamps[log].of(head.size, at)
        checkpoint = Checkpoint(f"{origin}/{log}", head.size, head.root)
        return publish_checkpoint(checkpoint, self._log_key, at)

    def require_thawed(self) -> None:
        """Refuse to go on while the broker is frozen.

        Raises:
            FrozenError: It is.
        """
        if self.high_water is not None and self.high_water.frozen:
            raise FrozenError(self.high_water.frozen)

    def _require_marked(self, log: str, head: LogHead) -> None:
        if self.high_water is not None:
            self.high_water.require(log, head)

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
