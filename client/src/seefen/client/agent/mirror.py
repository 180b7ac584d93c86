"""The mirror of one log: a folder that any C2SP tool can read, and a broker be healed from.

::

    checkpoint                     the newest verified head: written last
    tile/<l>/<n>, tile/<l>/<n>.p/<w>
    tile/entries/<n>, ….p/<w>      the leaves
    pages/<n>, ….p/<w>             the same, where a leaf is too long for a bundle

Nothing is kept whose root was not compared with a head that the log has signed. A crash at
any point leaves the checkpoint that was there, and everything below it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from seefen.client.agent.durable import Batch, forget_narrower
from seefen.protocol.errors import MalformedError, SeefenError
from seefen.protocol.ledger.mirror import bundle_path, decode_entries, pack, page_path, unpack
from seefen.protocol.ledger.note import Checkpoint
from seefen.protocol.ledger.tiles import (
    WIDTH,
    Edge,
    Tile,
    TileId,
    edge_rows,
    encode_entries,
    tile_path,
    tile_width,
)
from seefen.protocol.ledger.tree import EMPTY_ROOT, leaf_hash

NOTE = "checkpoint"


class MirrorError(Exception):
    """What stands in the folder is not what was kept: a disk fails, or somebody was there."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A longer log, not kept yet: its root is to be compared first."""

    entries: Sequence[bytes]
    edge: Edge
    full: dict[TileId, Tile]

    @property
    def size(self) -> int:
        """How long it is."""
        return self.edge.size

    @property
    def root(self) -> bytes:
        """Its root."""
        return self.edge.compact().root()


class LogMirror:
    """One log in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._edge = Edge()
        self._tail: list[bytes] = []  # the entries of the last bundle, which is not full

    @property
    def size(self) -> int:
        """How many leaves are kept."""
        return self._edge.size

    def load(self, verify: Callable[[str], Checkpoint]) -> None:
        """Take up what is in the folder; a new one is empty.

        Args:
            verify: Opens the checkpoint in it.

        Raises:
            MirrorError: It is not whole.
        """
        path = self.folder / NOTE
        if not path.exists():
            return
        try:
            head = verify(path.read_text(encoding="utf-8"))
            rows = edge_rows(head.size)
            tail = self._bundle(head.size // WIDTH, head.size % WIDTH)
            levels = [[leaf_hash(entry) for entry in tail]]
            for level, row in enumerate(rows[1:]):
                levels.append([self._tile(level, n).root() for n in row])
            edge = Edge.resume(head.size, levels)
        except (SeefenError, ValueError, OSError) as err:
            raise MirrorError(f"{self.folder}: {err}") from err
        if (edge.compact().root() if head.size else EMPTY_ROOT) != head.root:
            raise MirrorError(f"{self.folder} does not have the root of its checkpoint")
        self._edge, self._tail = edge, tail

    def stage(self, entries: Sequence[bytes]) -> Staged:
        """Return the log as it would be with more leaves; nothing is written."""
        node = self._edge.reader({})
        levels = [
            [node((level * 8, index)) for index in row]
            for level, row in enumerate(edge_rows(self.size))
        ]
        edge = Edge.resume(self.size, levels)
        return Staged(entries, edge, edge.extend(map(leaf_hash, entries)))

    def keep(self, staged: Staged, note: str = "") -> None:
        """Write what was compared with a signed head; ``note`` is its checkpoint.

        Without a note it is a part of what such a head covers: the checkpoint stays.

        Raises:
            OSError: It could not be written; the mirror is as long as before.
        """
        batch, partial = Batch(), list[Path]()
        tail = self._write_entries(batch, staged, partial, whole=bool(note))
        for tile, full in staged.full.items():
            batch.write(self.folder / tile_path(tile), full.encode())
        if note:
            self._write_edge(batch, staged, partial)
        batch.sync()
        if note:
            batch.write(self.folder / NOTE, note.encode())
            batch.sync()
            for path in partial:
                list(forget_narrower(path))
        self._edge, self._tail = staged.edge, tail

    def _write_entries(
        self, batch: Batch, staged: Staged, partial: list[Path], *, whole: bool
    ) -> list[bytes]:
        entries = [*self._tail, *staged.entries]
        n = self.size // WIDTH
        while len(entries) >= WIDTH:
            partial.append(self._write_bundle(batch, n, entries[:WIDTH]))
            entries, n = entries[WIDTH:], n + 1
        if whole and entries:
            partial.append(self._write_bundle(batch, n, entries))
        return entries

    def _write_bundle(self, batch: Batch, n: int, entries: list[bytes]) -> Path:
        try:
            path, data = bundle_path(n, len(entries)), encode_entries(entries)
        except MalformedError:
            path, data = page_path(n, len(entries)), pack(entries)
        batch.write(self.folder / path, data)
        return self.folder / path

    def _write_edge(self, batch: Batch, staged: Staged, partial: list[Path]) -> None:
        node = staged.edge.reader({})
        for level, row in enumerate(edge_rows(staged.size)):
            tile = TileId(level, (staged.size >> 8 * level) // WIDTH)
            width = tile_width(tile, staged.size)
            if width:
                path = self.folder / tile_path(tile, width)
                batch.write(path, b"".join(node((level * 8, index)) for index in row))
                partial.append(path)
        partial += [self.folder / tile_path(tile) for tile in staged.full]

    def _bundle(self, n: int, width: int) -> list[bytes]:
        if not width:
            return []
        path = self.folder / bundle_path(n, width)
        if path.exists():
            entries = decode_entries(path.read_bytes())
        else:
            entries = unpack((self.folder / page_path(n, width)).read_bytes())
        if len(entries) != width:
            raise MirrorError(f"{path} does not hold {width} entries")
        return entries

    def _tile(self, level: int, n: int) -> Tile:
        return Tile.decode((self.folder / tile_path(TileId(level, n))).read_bytes())
