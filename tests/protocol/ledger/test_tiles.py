"""Tiles: the same tree, kept in pieces of 256."""

from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seefen.protocol.errors import MalformedError
from seefen.protocol.ledger.note import decode_checkpoint, parse_note
from seefen.protocol.ledger.tiles import (
    Edge,
    Tile,
    TileId,
    edge_rows,
    encode_entries,
    parse_bundle_path,
    parse_tile_path,
    tile_path,
    tile_width,
)
from seefen.protocol.ledger.tree import (
    CompactRange,
    check_consistency,
    check_inclusion,
    consistency_plan,
    inclusion_plan,
    leaf_hash,
    node_hash,
    root_of,
    split_hashes,
)
from tests.support.vectors import official, own

SIZE = 70_000  # the example of C2SP tlog-tiles: tiles of three levels
SEED = 20260101
MIRROR = (
    "sunlight/cmd/skylight/testdata/witness/mirror/"
    "000de184301123b9278c086a7d9f68c9577e83872224c197058fd90784ea9706"
)
WORDS = [
    *("one", "two", "three", "four", "five", "six", "seven", "eit"),
    *("nain", "ten", "ileven", "twelf", "threeten", "fourten", "fivten"),
]


@cache
def leaves() -> list[bytes]:
    return [leaf_hash(n.to_bytes(4, "big")) for n in range(SIZE + 300)]


@cache
def levels() -> list[list[bytes]]:
    """Every complete subtree of the whole log, level by level, without any tile."""
    made = [leaves()[:SIZE]]
    while len(made[-1]) > 1:
        row = made[-1]
        made.append([node_hash(a, b) for a, b in zip(row[::2], row[1::2], strict=False)])
    return made


def grown() -> tuple[Edge, dict[TileId, Tile]]:
    edge = Edge()
    return edge, edge.extend(leaves()[:SIZE])


def roots_at(*sizes: int) -> dict[int, bytes]:
    tree, roots = CompactRange(), {0: CompactRange().root()}
    for size, leaf in enumerate(leaves()[:SIZE], start=1):
        tree.append(leaf)
        if size in sizes:
            roots[size] = tree.root()
    return roots


def test_a_log_of_70000_has_the_tiles_that_the_specification_counts() -> None:
    edge, full = grown()
    assert [level for level, _ in full].count(0) == 273
    assert [level for level, _ in full].count(1) == 1
    assert [len(row) for row in edge_rows(SIZE)] == [112, 17, 1]
    assert edge.compact().root() == root_of(leaves()[:SIZE])
    assert {len(tile.encode()) for tile in full.values()} == {8192}


def test_every_node_read_from_tiles_is_the_node_of_the_tree() -> None:
    edge, full = grown()
    read = edge.reader(full)
    for level, row in enumerate(levels()):
        for index in {0, 1, len(row) // 2, len(row) - 2, len(row) - 1} & set(range(len(row))):
            assert read((level, index)) == row[index], (level, index)


def test_sampled_proofs_from_tiles_hold_up_to_70000() -> None:
    random = Random(SEED)
    sizes = sorted({1, 2, 255, 256, 257, 65_535, 65_536, 65_537, SIZE, *random.choices(
        range(1, SIZE), k=30
    )})  # fmt: skip
    roots, (edge, full) = roots_at(*sizes), grown()
    read = edge.reader(full)
    for size in sizes:
        for index in {0, size - 1, random.randrange(size), random.randrange(size)}:
            (proof,) = inclusion_plan([index], size).build(read)
            check_inclusion(leaves()[index], index, size, proof, roots[size])
    for old, new in [*pairwise(sizes), *((size, SIZE) for size in sizes), (0, SIZE)]:
        (proof,) = consistency_plan(old, new).build(read)
        check_consistency(old, roots[old], new, roots[new], proof)


def test_missing_names_exactly_the_tiles_that_building_reads() -> None:
    edge, full = grown()
    plan = inclusion_plan([5, 300, SIZE - 1], SIZE)
    needed = edge.missing(plan.nodes(), {})
    assert needed == {TileId(0, 0), TileId(0, 1), TileId(1, 0)}
    fetched = {tile: Tile.decode(full[tile].encode()) for tile in needed}
    assert edge.missing(plan.nodes(), fetched) == set()
    assert plan.build(edge.reader(fetched)) == plan.build(edge.reader(full))
    with pytest.raises(KeyError):
        plan.build(edge.reader({}))


def test_just_appended_leaves_need_no_tile_but_a_higher_one() -> None:
    # What a group commit proves is in memory, except where the group filled a tile.
    edge, _ = grown()
    done = edge.extend(leaves()[SIZE : SIZE + 64])
    plan = inclusion_plan(range(SIZE, SIZE + 64), SIZE + 64)
    assert edge.missing(plan.nodes(), done) <= {TileId(1, 0)}
    done = edge.extend(leaves()[SIZE + 64 : SIZE + 160])
    assert set(done) == {TileId(0, 273)}
    plan = inclusion_plan(range(SIZE + 64, SIZE + 160), SIZE + 160)
    assert edge.missing(plan.nodes(), done) <= {TileId(1, 0)}


def test_an_edge_that_grows_between_planning_and_building_asks_again() -> None:
    edge = Edge()
    edge.extend(leaves()[:250])
    plan = inclusion_plan([3], 250)
    assert edge.missing(plan.nodes(), {}) == set()
    before = plan.build(edge.reader({}))
    done = edge.extend(leaves()[250:260])
    assert edge.missing(plan.nodes(), {}) == {TileId(0, 0)}
    assert plan.build(edge.reader(done)) == before


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 65_535, 65_536, 65_537, SIZE])
def test_an_edge_resumes_from_what_is_stored(size: int) -> None:
    edge = Edge()
    full = edge.extend(leaves()[:size])
    first, *upper = edge_rows(size)
    rows = [[leaves()[n] for n in first]]
    rows += [[full[TileId(level, n)].root() for n in row] for level, row in enumerate(upper)]
    again = Edge.resume(size, rows)
    assert again.size == size
    assert again.compact().encode() == edge.compact().encode()
    more = leaves()[size : size + 300]
    ours, theirs = edge.extend(more), again.extend(more)
    assert {at: tile.encode() for at, tile in ours.items()} == {
        at: tile.encode() for at, tile in theirs.items()
    }
    assert again.compact().root() == edge.compact().root()


def test_an_edge_does_not_resume_from_too_few_hashes() -> None:
    with pytest.raises(ValueError, match="rows at the edge"):
        Edge.resume(300, [leaves()[:43], leaves()[:1]])
    with pytest.raises(ValueError, match="rows at the edge"):
        Edge.resume(300, [leaves()[:44]])


def test_a_compact_range_and_an_edge_agree_at_every_size() -> None:
    edge, tree = Edge(), CompactRange()
    for leaf in leaves()[:600]:
        edge.extend([leaf])
        tree.append(leaf)
        assert edge.compact().encode() == tree.encode()


def test_fault_47_a_tile_is_its_hashes_and_nothing_else() -> None:
    tile = Tile(leaves()[:256])
    assert Tile.decode(tile.encode()).root() == tile.root() == root_of(leaves()[:256])
    for broken in (tile.encode()[:-1], tile.encode() + bytes(32), b""):
        with pytest.raises(MalformedError) as caught:
            Tile.decode(broken)
        assert caught.value.rule == "tile"
    with pytest.raises(ValueError, match="256"):
        Tile(leaves()[:257])


@pytest.mark.parametrize(("row", "index"), [(0, 3), (1, 1), (2, 0), (0, -1)])
def test_past_its_edge_a_tile_has_no_hash(row: int, index: int) -> None:
    with pytest.raises(IndexError, match=f"row {row} has no hash {index}"):
        Tile(leaves()[:3]).hash(row, index)


@pytest.mark.parametrize(
    ("tile", "size", "width"),
    [
        (TileId(0, 0), 0, 0),
        (TileId(0, 273), SIZE, 112),
        (TileId(0, 274), SIZE, 0),  # beyond the checkpoint
        (TileId(1, 1), SIZE, 17),
        (TileId(2, 0), SIZE, 1),
        (TileId(0, 0), 256, 256),
        (TileId(63, 0), SIZE, 0),
    ],
)
def test_fault_47_a_tile_is_as_wide_as_the_tree_makes_it(
    tile: TileId, size: int, width: int
) -> None:
    assert tile_width(tile, size) == width


@given(st.integers(0, 63), st.integers(0, 2**53), st.integers(1, 256))
def test_paths_are_read_back(level: int, n: int, width: int) -> None:
    assert parse_tile_path(tile_path(TileId(level, n), width)) == (TileId(level, n), width)


@given(st.text(alphabet="tile/0123x.pe ²\n", max_size=24) | st.text(st.characters(), max_size=9))
def test_fault_47_only_malformed_leaves_the_reader_of_paths(path: str) -> None:
    for text in (path, f"tile/{path}", f"tile/0/{path}"):
        try:
            tile, width = parse_tile_path(text)
        except MalformedError:
            continue
        assert tile_path(tile, width) == text


@pytest.mark.parametrize("case", own("ledger/tile_path.json"), ids=lambda case: case["path"])
def test_fault_47_own_path_vectors(case: dict[str, str | list[int]]) -> None:
    path, expect = str(case["path"]), case["expect"]
    if expect == "malformed":
        with pytest.raises(MalformedError) as caught:
            parse_tile_path(path)
        assert caught.value.rule == "tile-path"
    else:
        tile, width = parse_tile_path(path)
        assert [*tile, width] == expect


@pytest.mark.parametrize(("n", "width"), [(0, 256), (1234, 7), (66, 66)])
def test_a_bundle_of_entries_stands_beside_its_tile(n: int, width: int) -> None:
    path = tile_path(TileId(0, n), width).replace("tile/0", "tile/entries")
    assert parse_bundle_path(path) == (n, width)


@pytest.mark.parametrize(
    "path", ["tile/0/000", "tile/1/000", "tile/entries/00entries", "tile/entries/0", "000", ""]
)
def test_fault_47_nothing_else_is_the_path_of_a_bundle(path: str) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_bundle_path(path)
    assert caught.value.rule == "tile-path"


def test_fault_47_an_entry_that_no_bundle_holds_is_refused() -> None:
    assert encode_entries([b"a", b""]) == b"\0\1a\0\0"
    assert encode_entries([bytes(258)]) == b"\1\2" + bytes(258)
    assert len(encode_entries([bytes(65_535)])) == 65_537
    with pytest.raises(MalformedError) as caught:
        encode_entries([bytes(65_536)])
    assert caught.value.rule == "entry-length"


def entries(bundle: bytes) -> list[bytes]:
    """The entries of a C2SP bundle: each after its length in two bytes."""
    found: list[bytes] = []
    while bundle:
        end = 2 + int.from_bytes(bundle[:2], "big")
        found.append(bundle[2:end])
        bundle = bundle[end:]
    return found


def leaves_in(folder: Path, size: int) -> list[bytes]:
    """The leaf hashes that a log of another project keeps in its tiles of level 0."""
    tiles = [TileId(0, n) for n in range(-(-size // 256))]
    return split_hashes(b"".join(_stored(folder, tile, size).encode() for tile in tiles))


def check_tiles_of(folder: Path, size: int, edge: Edge, full: dict[TileId, Tile]) -> None:
    """Compare every tile of another project with ours, full and partial, at all levels."""
    read = edge.reader(full)
    for level, row in enumerate(edge_rows(size)):
        if row:
            theirs = _stored(folder, TileId(level, row.start // 256), size)
            assert split_hashes(theirs.encode()) == [read((8 * level, n)) for n in row]
    for at, tile in full.items():
        assert _stored(folder, at, size)._rows == tile._rows


def _stored(folder: Path, tile: TileId, size: int) -> Tile:
    width = tile_width(tile, size)
    return Tile.decode((folder / tile_path(tile, width)).read_bytes(), width=width)


@pytest.mark.parametrize("size", range(1, 16))
def test_tessera_stores_the_same_log(size: int) -> None:
    folder = official("tessera/testdata/log")
    head = decode_checkpoint(parse_note((folder / f"checkpoint.{size}").read_text()).text)
    path = tile_path(TileId(0, 0), size).replace("tile/0", "tile/entries")
    data = entries((folder / path).read_bytes())
    assert [entry.decode() for entry in data] == WORDS[:size]
    edge = Edge()
    full = edge.extend(leaf_hash(entry) for entry in data)
    assert leaves_in(folder, size) == [leaf_hash(entry) for entry in data]
    check_tiles_of(folder, size, edge, full)
    assert (head.size, head.root) == (size, edge.compact().root())


def test_the_mirror_of_sunlight_stores_the_same_log() -> None:
    # Its entry bundles are made up, its tiles are not.
    folder = official(MIRROR)
    head = decode_checkpoint(parse_note((folder / "checkpoint").read_text()).text)
    edge = Edge()
    full = edge.extend(leaves_in(folder, 300))
    check_tiles_of(folder, 300, edge, full)
    assert (head.size, head.root) == (300, edge.compact().root())
