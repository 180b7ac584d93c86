"""(m) The trees alone: appended, proved, checked. One process, no database, no wire.

``pymerkle`` is the oracle where it is installed (``make .venv/deep``): the same leaves into both,
which must have the same root. It is under the GPL: nothing that is shipped imports it.

Catching up is what a mirror does with pages of 10^5 records that have arrived: decoded, hashed,
kept as tiles, and the root compared. The replay of the authority log is :mod:`bench.replaying`.
"""

import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from bench.replaying import replayed
from bench.rows import Row
from bench.stage import Stage
from seefen.protocol.encoding import decode, encode
from seefen.protocol.frames import RecordPage
from seefen.protocol.ledger.tiles import Edge, Tile, TileId
from seefen.protocol.ledger.tree import (
    CompactRange,
    check_consistency,
    check_inclusion,
    consistency_plan,
    inclusion_plan,
    leaf_hash,
)
from seefen.protocol.suite import random_bytes

LEAVES = {"tiny": 600, "usual": 100_000, "full": 1_000_000}
DEVICES = {"tiny": 5, "usual": 10_000, "full": 10_000}
PROOFS = 2000
PAGE = 4096
TIMES, CATCH_UP, CHECK = 5.0, 1.0, 1000.0  # times, s, us


async def run(stage: Stage) -> list[Row]:
    """Measure the trees, then the replay."""
    count = LEAVES[stage.scale.name]
    records = [bytes([1]) + random_bytes(88) for _ in range(count)]
    edge = Edge()
    full = edge.extend(leaf_hash(record) for record in records)
    rows = [_appended(records, edge.compact().root()), *_proofs(edge, full, records)]
    rows.append(_caught_up(records, edge.compact().root()))
    return rows + replayed(DEVICES[stage.scale.name], stage.folder)


def _timed(work: Callable[[], object]) -> float:
    """Return the seconds of processor time: nothing here waits, and others use the machine."""
    began = time.process_time()
    work()
    return time.process_time() - began


def _appended(records: list[bytes], root: bytes) -> Row:
    tree = CompactRange()

    def ours() -> None:
        for record in records:
            tree.append(leaf_hash(record))

    seconds = _timed(ours)
    if tree.root() != root:
        raise RuntimeError("two ways of ours give two roots")
    name, rate = f"{len(records)} records appended", len(records) / seconds
    if find_spec("pymerkle") is None:
        return Row("m", f"{name} (pymerkle is not installed)", "1/s", rate)
    oracle: Any = import_module("pymerkle").InmemoryTree(algorithm="sha256")

    def theirs() -> None:
        for record in records:
            oracle.append_entry(record)

    limit = len(records) / _timed(theirs)
    if oracle.get_state() != root:
        raise RuntimeError("pymerkle has another root")
    return Row("m", f"{name}, beside pymerkle", "1/s", rate, limit, TIMES)


def _proofs(edge: Edge, full: dict[TileId, Tile], records: list[bytes]) -> list[Row]:
    size, root, read = edge.size, edge.compact().root(), edge.reader(full)
    indices = [n * (size // PROOFS or 1) % size for n in range(PROOFS)]
    proofs = list[tuple[bytes, ...]]()

    def make() -> None:
        for index in indices:
            proofs.extend(inclusion_plan([index], size).build(read))

    made = 1e6 * _timed(make) / PROOFS

    def check() -> None:
        for index, proof in zip(indices, proofs, strict=True):
            check_inclusion(leaf_hash(records[index]), index, size, proof, root)

    checked = 1e6 * _timed(check) / PROOFS
    old = CompactRange()
    for record in records[: size * 2 // 3]:
        old.append(leaf_hash(record))

    def grown() -> None:
        for _ in range(PROOFS):
            (proof,) = consistency_plan(old.size, size).build(read)
            check_consistency(old.size, old.root(), size, root, proof)

    return [
        Row("m", f"a proof of inclusion made, {size} leaves", "us", made),
        Row("m", "a row proved: leaf and proof checked", "us", checked, None, CHECK, at_most=True),
        Row("m", "a proof of consistency made and checked", "us", 1e6 * _timed(grown) / PROOFS),
    ]


def _caught_up(records: list[bytes], root: bytes) -> Row:
    pages = [
        encode(RecordPage(start, tuple(records[start : start + PAGE]), "", ()))
        for start in range(0, len(records), PAGE)
    ]
    edge = Edge()

    def mirror() -> None:
        for data in pages:
            page = decode(data, RecordPage, limit=1 << 22)
            edge.extend(leaf_hash(record) for record in page.records)

    seconds = _timed(mirror)
    if edge.compact().root() != root:
        raise RuntimeError("the mirror has another root")
    name = f"a mirror catches up with {len(records)} leaves"
    must = CATCH_UP if len(records) == LEAVES["usual"] else None
    return Row("m", name, "s", seconds, None, must, at_most=True)
