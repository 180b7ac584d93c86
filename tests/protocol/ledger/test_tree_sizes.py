"""Trees of every size to 1,025, and one of 100,000 leaves; to 257 see test_tree, pair by pair."""

from random import Random

from seefen.protocol.ledger.tiles import Edge
from seefen.protocol.ledger.tree import (
    CompactRange,
    check_consistency,
    check_inclusion,
    consistency_plan,
    inclusion_plan,
    root_of,
)
from tests.protocol.ledger.test_tree import LEAVES, LIMIT, node, path, root_between, subproof

SIZES = 1025


def turning(size: int) -> list[int]:
    """Return the numbers up to ``size`` at which a path turns: beside a power of two, or an end."""
    powers = [1 << n for n in range(11)]
    near = {n + more for n in (0, size // 2, size, *powers) for more in (-1, 0, 1)}
    return sorted(n for n in near if 0 <= n <= size)


def test_fault_49_inclusion_to_a_thousand_leaves() -> None:
    for size in range(LIMIT + 1, SIZES + 1):
        root, places = root_between(0, size), [n for n in turning(size) if n < size]
        for index, proof in zip(places, inclusion_plan(places, size).build(node), strict=True):
            assert list(proof) == path(index, 0, size)
            check_inclusion(LEAVES[index], index, size, proof, root)


def test_fault_49_consistency_to_a_thousand_leaves() -> None:
    for new in range(LIMIT + 1, SIZES + 1):
        for old in turning(new):
            (proof,) = consistency_plan(old, new).build(node)
            assert list(proof) == (subproof(old, 0, new, known=True) if old else [])
            check_consistency(old, root_between(0, old), new, root_between(0, new), proof)


def test_fault_49_a_range_and_an_edge_have_the_root_of_every_size() -> None:
    tree, edge = CompactRange(), Edge()
    for size in range(SIZES + 1):
        assert (tree.size, tree.root()) == (size, root_between(0, size))
        assert edge.compact().root() == tree.root()
        tree.append(LEAVES[size])
        edge.extend(LEAVES[size : size + 1])


def test_fault_50_a_hundred_thousand_entries_in_batches_end_in_the_same_root() -> None:
    """The log is begun anew from what is stored after each batch, as the broker begins it."""
    dice, size, stored, edge = Random(50), 0, CompactRange().encode(), Edge()
    while size < 100_000:
        count = min(100_000 - size, dice.choice((1, 255, 256, 257, dice.randrange(1, 4097))))
        batch = [LEAVES[n % 1100] for n in range(size, size + count)]
        tree = CompactRange.decode(stored)
        for leaf in batch:
            tree.append(leaf)
        edge.extend(batch)
        stored, size = tree.encode(), size + count
    root = root_of([LEAVES[n % 1100] for n in range(size)])
    assert CompactRange.decode(stored).root() == edge.compact().root() == root
