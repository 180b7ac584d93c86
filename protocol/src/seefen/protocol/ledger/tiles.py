"""Tiles: how a log keeps the hashes of its tree.

A tile is 256 hashes side by side. Tiles of level 0 hold leaf hashes; each hash of a
higher tile is the root of a full tile below. A full tile never changes, so it is written
once; the partial ones at the right edge live in memory as an :class:`Edge`, which can be
made again from the records at any time.

A shell that keeps tiles elsewhere proves in three steps: ``missing`` names the tiles it
must fetch, it fetches them in any manner, ``reader`` answers :meth:`Plan.build`. When the
edge has grown in the meantime, ``missing`` simply names one more.

The format is ``docs/spec/ledger.md``, section 2 (C2SP tlog-tiles).
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Self

from seefen.protocol.errors import MalformedError
from seefen.protocol.ledger.tree import (
    HASH_LENGTH,
    CompactRange,
    Node,
    node_hash,
    split_hashes,
)

HEIGHT: Final = 8
WIDTH: Final = 1 << HEIGHT
TILE_LENGTH: Final = WIDTH * HASH_LENGTH
_PAIR: Final = 2 * HASH_LENGTH
ENTRY_LIMIT: Final = 2**16 - 1  # what the length of an entry in a bundle can say

_PATH: Final = re.compile(
    r"tile/(0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII
)


class TileId(NamedTuple):
    """Where a tile stands: its level and its number within the level."""

    level: int
    n: int


class Tile:
    """A tile with the hashes above its own: row ``r`` holds the subtrees of ``2**r``.

    Keeping the rows makes a proof a matter of looking up. They are bytes, side by side: a full
    tile takes 16 KB, of which half are its own hashes; as objects of Python they were 40.
    """

    __slots__ = ("_rows",)

    def __init__(self, hashes: Iterable[bytes] = ()) -> None:
        row = list(hashes)
        if len(row) > WIDTH:
            raise ValueError(f"a tile holds {WIDTH} hashes, not {len(row)}")
        self._rows = [bytearray().join(row)]
        while len(self._rows) < HEIGHT:
            row = [node_hash(*pair) for pair in zip(row[::2], row[1::2], strict=False)]
            self._rows.append(bytearray().join(row))

    @property
    def width(self) -> int:
        """How many hashes the tile holds, 0 to 256."""
        return len(self._rows[0]) // HASH_LENGTH

    def append(self, value: bytes) -> None:
        """Take in the next hash, and whatever it completes."""
        for row in self._rows:
            row += value
            if len(row) % _PAIR:
                return
            value = node_hash(bytes(row[-_PAIR:-HASH_LENGTH]), value)

    def hash(self, row: int, index: int) -> bytes:
        """Return a hash of a row.

        Raises:
            IndexError: It is beyond the edge. No bytes at all would go into a proof as a hash.
        """
        if not 0 <= index < len(self._rows[row]) // HASH_LENGTH:
            raise IndexError(f"row {row} has no hash {index}")
        start = index * HASH_LENGTH
        return bytes(self._rows[row][start : start + HASH_LENGTH])

    def root(self) -> bytes:
        """Return the root of a full tile: a hash of the tile above."""
        return node_hash(*split_hashes(bytes(self._rows[-1])))

    def encode(self) -> bytes:
        """Return the hashes one after the other: 8,192 bytes when the tile is full."""
        return bytes(self._rows[0])

    @classmethod
    def decode(cls, data: bytes, *, width: int = WIDTH) -> Self:
        """Return the tile in ``data``.

        Raises:
            MalformedError: It is not ``width`` hashes wide.
        """
        if len(data) != width * HASH_LENGTH:
            raise MalformedError(f"{len(data)} bytes are no {width} hashes", rule="tile")
        return cls(split_hashes(data))


class Edge:
    """The partial tiles at the right edge of a tree, one for each level."""

    __slots__ = ("_tiles", "size")

    def __init__(self) -> None:
        self.size = 0
        self._tiles = [Tile()]

    @classmethod
    def resume(cls, size: int, levels: Sequence[Sequence[bytes]]) -> Self:
        """Return the edge of a tree of ``size`` without appending every leaf again.

        Args:
            size: Number of leaves.
            levels: For each row that :func:`edge_rows` names, its hashes.

        Raises:
            ValueError: A level has too few hashes, or too many.
        """
        edge = cls()
        edge.size = size
        if [len(level) for level in levels] != [len(row) for row in edge_rows(size)]:
            raise ValueError(f"these are not the rows at the edge of {size} leaves")
        edge._tiles = [Tile(level) for level in levels]
        return edge

    def extend(self, leaves: Iterable[bytes]) -> dict[TileId, Tile]:
        """Take in leaf hashes and return the tiles they completed, to be stored once."""
        full: dict[TileId, Tile] = {}
        for leaf in leaves:
            self._append(leaf, full)
        return full

    def compact(self) -> CompactRange:
        """Return the same tree as a compact range, to compare with what is stored."""
        bits = [bit for bit in range(self.size.bit_length()) if self.size >> bit & 1]
        node = self.reader({})
        return CompactRange(
            self.size, [node((bit, (self.size >> bit) - 1)) for bit in reversed(bits)]
        )

    def missing(self, nodes: Iterable[Node], tiles: Collection[TileId]) -> set[TileId]:
        """Return the full tiles to be fetched before ``nodes`` can be read."""
        needed: set[TileId] = set()
        for height, index in nodes:
            level, n, _ = _place(height, index)
            if not self._holds(level, n) and (tile := TileId(level, n)) not in tiles:
                needed.add(tile)
        return needed

    def reader(self, tiles: Mapping[TileId, Tile]) -> Callable[[Node], bytes]:
        """Return what gives the hash of a node, from ``tiles`` or from this edge.

        It raises KeyError for a tile that :meth:`missing` would have named.
        """

        def read(node: Node) -> bytes:
            level, n, row = _place(*node)
            tile = self._tiles[level] if self._holds(level, n) else tiles[TileId(level, n)]
            return tile.hash(row, node[1] & (WIDTH >> row) - 1)

        return read

    def _append(self, value: bytes, full: dict[TileId, Tile]) -> None:
        self.size += 1
        for level, tile in enumerate(self._tiles):
            tile.append(value)
            if tile.width < WIDTH:
                return
            full[TileId(level, (self.size >> HEIGHT * (level + 1)) - 1)] = tile
            value = tile.root()
            self._tiles[level] = Tile()
        self._tiles.append(Tile([value]))

    def _holds(self, level: int, n: int) -> bool:
        return n == self.size >> HEIGHT * (level + 1)


def edge_rows(size: int) -> list[range]:
    """Return which hashes stand in the partial tile of each level of a tree of ``size``.

    At level 0 they are leaves; above, ``range`` numbers the full tiles one level lower
    whose roots they are. The list ends with the topmost level that has a tile.
    """
    rows: list[range] = []
    while size or not rows:
        rows.append(range(size - size % WIDTH, size))
        size >>= HEIGHT
    return rows


def tile_width(tile: TileId, size: int) -> int:
    """Return how wide a tile is in a tree of ``size``: 0 when it is not there."""
    return min(max((size >> HEIGHT * tile.level) - tile.n * WIDTH, 0), WIDTH)


def tile_path(tile: TileId, width: int = WIDTH) -> str:
    """Return the C2SP path of a tile, such as ``tile/0/x001/x234/067.p/8``."""
    digits = f"{tile.n:03}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    number = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return f"tile/{tile.level}/{number}" + (f".p/{width}" if width < WIDTH else "")


def parse_bundle_path(path: str) -> tuple[int, int]:
    """Return the number and the width of the entry bundle that a C2SP path names.

    Raises:
        MalformedError: It is not the one way to write them.
    """
    if not path.startswith("tile/entries/"):
        raise MalformedError("this is not the path of a bundle of entries", rule="tile-path")
    tile, width = parse_tile_path(path.replace("entries", "0", 1))
    return tile.n, width


def encode_entries(entries: Iterable[bytes]) -> bytes:
    """Return a bundle of entries: each after its length in two bytes, big endian.

    Raises:
        MalformedError: An entry is longer than two bytes can say.
    """
    bundle = bytearray()
    for entry in entries:
        if len(entry) > ENTRY_LIMIT:
            raise MalformedError("an entry is too long for a bundle", rule="entry-length")
        bundle += len(entry).to_bytes(2, "big") + entry
    return bytes(bundle)


def parse_tile_path(path: str) -> tuple[TileId, int]:
    """Return the tile and the width that a C2SP path names.

    Raises:
        MalformedError: It is not the one way to write them.
    """
    found = _PATH.fullmatch(path)
    if found is None:
        raise MalformedError("this is not the path of a tile", rule="tile-path")
    level, number, width = found.groups()
    tile = TileId(int(level), int(re.sub("[x/]", "", number)))
    wide = int(width or WIDTH)
    if tile.level > 63 or tile_path(tile, wide) != path:
        raise MalformedError("this is not the path of a tile", rule="tile-path")
    return tile, wide


def _place(height: int, index: int) -> tuple[int, int, int]:
    """Return level and number of the tile of a node, and the row in it."""
    level, row = divmod(height, HEIGHT)
    return level, index >> HEIGHT - row, row
