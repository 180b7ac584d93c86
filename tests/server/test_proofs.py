"""Proofs: right for everybody who asks, however many do so at once."""

import asyncio
import random
from collections.abc import Iterable
from typing import cast

import pytest

from seefen.protocol.ledger.tiles import TileId
from seefen.protocol.ledger.tree import check_inclusion, leaf_hash
from seefen.protocol.suite import PlainKey
from seefen.server import proofs
from seefen.server.rows import LeafRow, Reads

LEAVES = 40 * 256


class Tiles:
    """The full tiles of a log, and somewhere else meanwhile."""

    def __init__(self) -> None:
        self.kept: dict[TileId, bytes] = {}

    async def tiles(self, ids: Iterable[TileId]) -> dict[TileId, bytes]:
        await asyncio.sleep(0.001)
        return {tile: self.kept[tile] for tile in ids}


def row(index: int) -> LeafRow:
    record = index.to_bytes(4, "big")
    return LeafRow(index, record, b"", b"", None, "", b"", "", None, None, None, None, b"", b"")


async def test_what_one_asker_pushes_out_of_memory_is_fetched_again_for_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(proofs, "TILES_KEPT", 4)
    monkeypatch.setattr(proofs, "SPANS_KEPT", 200)
    store = Tiles()
    prover = proofs.Prover(cast("Reads", store), PlainKey.generate())
    leaves = [leaf_hash(row(n).record) for n in range(LEAVES)]
    for start in range(0, LEAVES, 256):
        growth = prover.activity.preview(leaves[start : start + 256])
        store.kept |= {tile: full.encode() for tile, full in growth.full.items()}
        growth.commit()
    root = prover.activity.range.root()
    dice = random.Random(7)

    async def ask() -> None:
        for _ in range(40):
            often, once = dice.choice((5, 700, 1500, 2600, 3700)), dice.randrange(LEAVES)
            for entry in await prover.entries([row(often), row(once)], LEAVES):
                leaf = leaves[entry.index]
                check_inclusion(leaf, entry.index, LEAVES, entry.proof, root)

    await asyncio.gather(*(ask() for _ in range(8)))
