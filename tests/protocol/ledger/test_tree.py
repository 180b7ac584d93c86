"""Trees: the official vectors, the definition itself, and sizes nobody should send."""

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seefen.protocol.errors import MalformedError, UntrustedError
from seefen.protocol.ledger.tree import (
    EMPTY_ROOT,
    CompactRange,
    Node,
    check_consistency,
    check_inclusion,
    consistency_plan,
    inclusion_plan,
    leaf_hash,
    node_hash,
    root_of,
)
from tests.support.vectors import official, own

LIMIT = 257  # one more than a tile is wide; larger ones: test_tree_sizes.py
LEAVES = [leaf_hash(n.to_bytes(2, "big")) for n in range(1100)]


@cache
def root_between(start: int, end: int) -> bytes:
    """The definition (RFC 6962, 2.1), remembered so that exhaustive tests are quick."""
    if end - start < 2:
        return LEAVES[start] if end > start else EMPTY_ROOT
    middle = start + split(end - start)
    return node_hash(root_between(start, middle), root_between(middle, end))


def split(size: int) -> int:
    power = 1
    while power * 2 < size:
        power *= 2
    return power


def path(index: int, start: int, end: int) -> list[bytes]:
    """RFC 6962, 2.1.1."""
    if end - start == 1:
        return []
    middle = start + split(end - start)
    if index < middle:
        return [*path(index, start, middle), root_between(middle, end)]
    return [*path(index, middle, end), root_between(start, middle)]


def subproof(old: int, start: int, end: int, *, known: bool) -> list[bytes]:
    """RFC 6962, 2.1.2."""
    if old == end:
        return [] if known else [root_between(start, end)]
    middle = start + split(end - start)
    if old <= middle:
        return [*subproof(old, start, middle, known=known), root_between(middle, end)]
    return [*subproof(old, middle, end, known=False), root_between(start, middle)]


def node(of: Node) -> bytes:
    level, index = of
    return root_between(index << level, (index + 1) << level)


def hashes(case: dict[str, Any]) -> list[bytes]:
    proof: list[str] = case["proof"] or []
    return [base64.b64decode(text) for text in proof]


def cases(kind: str) -> list[Path]:
    return sorted(official(f"merkle/testdata/{kind}").rglob("*.json"))


def is_accepted(check: Any, *arguments: Any) -> bool:
    try:
        check(*arguments)
    except UntrustedError as err:
        if err.rule not in RULES[check]:
            raise AssertionError(err.rule) from err
        return False
    return True


RULES = {
    check_inclusion: {"inclusion"},
    check_consistency: {"consistency", "fork", "rewind"},
}


def test_the_official_vectors_are_all_there() -> None:
    assert len(cases("inclusion")) + len(cases("consistency")) == 196


def test_fault_48_official_inclusion_proofs_get_the_verdict_they_ask_for() -> None:
    for file in cases("inclusion"):
        case = json.loads(file.read_text())
        accepted = is_accepted(
            check_inclusion,
            base64.b64decode(case["leafHash"]),
            case["leafIdx"],
            case["treeSize"],
            hashes(case),
            base64.b64decode(case["root"]),
        )
        assert accepted is not case["wantErr"], file


def test_fault_48_official_consistency_proofs_get_the_verdict_they_ask_for() -> None:
    for file in cases("consistency"):
        case = json.loads(file.read_text())
        accepted = is_accepted(
            check_consistency,
            case["size1"],
            base64.b64decode(case["root1"]),
            case["size2"],
            base64.b64decode(case["root2"]),
            hashes(case),
        )
        assert accepted is not case["wantErr"], file


def test_fault_49_inclusion_is_what_the_definition_says_at_every_size() -> None:
    for size in range(1, LIMIT + 1):
        root = root_between(0, size)
        proofs = inclusion_plan(range(size), size).build(node)
        for index, proof in enumerate(proofs):
            assert list(proof) == path(index, 0, size)
            check_inclusion(LEAVES[index], index, size, proof, root)


def test_fault_49_consistency_is_what_the_definition_says_between_all_sizes() -> None:
    for new in range(LIMIT + 1):
        for old in range(new + 1):
            (proof,) = consistency_plan(old, new).build(node)
            assert list(proof) == (subproof(old, 0, new, known=True) if old else [])
            check_consistency(old, root_between(0, old), new, root_between(0, new), proof)


@given(st.integers(1, len(LEAVES)), st.data())
def test_inclusion_proofs_hold_for_one_leaf_and_one_place(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(-2, size + 2).filter(lambda n: n != index))
    (proof,) = inclusion_plan([index], size).build(node)
    root = root_between(0, size)
    check_inclusion(LEAVES[index], index, size, proof, root)
    for arguments in (
        (LEAVES[index], other, size, proof, root),
        (LEAVES[(index + 1) % 1100], index, size, proof, root),
        (LEAVES[index], index, size, (*proof, root), root),
        (LEAVES[index], index, size, (root, *proof), root),
        (LEAVES[index] + b"\0", index, size, proof, root),
    ):
        assert not is_accepted(check_inclusion, *arguments)


@given(st.integers(1, len(LEAVES) - 1), st.data())
def test_consistency_proofs_hold_for_one_pair_of_trees(old: int, data: st.DataObject) -> None:
    new = data.draw(st.integers(old + 1, len(LEAVES)))
    (proof,) = consistency_plan(old, new).build(node)
    before, after = root_between(0, old), root_between(0, new)
    check_consistency(old, before, new, after, proof)
    for arguments in (
        (old, after, new, after, proof),
        (old, before, new, before, proof),
        (new, after, old, before, proof),
        (old, before, new, after, proof[:-1]),
        (old, before, new, after, (*proof, before)),
        (old, before, new, after, (*proof[:-1], proof[-1] + b"\0")),
        (0, before, new, after, proof),
    ):
        assert not is_accepted(check_consistency, *arguments)


def test_a_proof_longer_than_the_tree_is_high_is_refused() -> None:
    # It would fold to a root above the real one, and show one leaf at two places.
    extra = LEAVES[9]
    (proof,) = inclusion_plan([3], 7).build(node)
    above = node_hash(extra, root_between(0, 7))
    assert not is_accepted(check_inclusion, LEAVES[3], 3, 7, (*proof, extra), above)
    (proof,) = consistency_plan(3, 7).build(node)
    before = node_hash(extra, root_between(0, 3))
    assert not is_accepted(check_consistency, 3, before, 7, above, (*proof, extra))


def test_a_proof_made_of_longer_hashes_is_none_even_where_it_folds_to_the_root() -> None:
    # Left and right have no border but their length: who may choose it moves it.
    one, other = LEAVES[:2]
    root = node_hash(one, other)
    for leaf, sibling in ((one + other[:1], other[1:]), (one[:-1], one[-1:] + other)):
        assert node_hash(leaf, sibling) == root
        assert not is_accepted(check_inclusion, leaf, 0, 2, (sibling,), root)
        assert not is_accepted(check_consistency, 1, leaf, 2, root, (sibling,))
    for leaf, sibling in ((one + b"\0", other), (one, other + b"\0"), (one[1:], other)):
        folded = node_hash(leaf, sibling)
        assert not is_accepted(check_inclusion, leaf, 0, 2, (sibling,), folded)
        assert not is_accepted(check_consistency, 1, leaf, 2, folded, (sibling,))


def test_a_batch_gives_the_same_proofs_as_one_at_a_time() -> None:
    together = inclusion_plan(range(900, 1000), 1000).build(node)
    assert together == tuple(
        inclusion_plan([index], 1000).build(node)[0] for index in range(900, 1000)
    )


def test_a_plan_names_the_nodes_that_building_asks_for_and_no_other() -> None:
    for plan in (inclusion_plan(range(10, 40), 999), consistency_plan(300, 999)):
        nodes = {at: node(at) for at in plan.nodes()}
        assert plan.build(nodes.__getitem__) == plan.build(node)
        for unread in nodes:
            fewer = {at: value for at, value in nodes.items() if at != unread}
            with pytest.raises(KeyError):
                plan.build(fewer.__getitem__)


def test_what_was_found_for_one_proof_is_not_asked_for_again() -> None:
    known: dict[tuple[int, int], bytes] = {}
    asked: list[Node] = []

    def counted(of: Node) -> bytes:
        asked.append(of)
        return node(of)

    first = inclusion_plan([10, 700], 999)
    proofs = first.build(counted, known)
    assert proofs == first.build(node)
    assert set(asked) == first.nodes()
    assert first.nodes(known) == set()
    asked.clear()
    assert first.build(counted, known) == proofs
    assert asked == []
    second = inclusion_plan([10, 300], 999)
    new = second.nodes(known)
    assert set() < new < second.nodes()
    assert second.build(counted, known) == second.build(node)
    assert set(asked) == new


@pytest.mark.parametrize(
    ("index", "size"), [(0, 0), (1, 1), (-1, 5), (5, 5), (0, 2**53), (0, 2**60)]
)
def test_no_proof_is_planned_for_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_plan([index], size)


@pytest.mark.parametrize(("old", "new"), [(2, 1), (-1, 3), (1, 2**53), (1, 2**60)])
def test_no_proof_is_planned_from_a_larger_tree(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="no tree"):
        consistency_plan(old, new)


def test_proofs_are_planned_up_to_the_largest_tree() -> None:
    largest = 2**53 - 1
    (path,) = inclusion_plan([0], largest).proofs
    assert (len(path), path[-1]) == (53, (2**52, largest))
    (growth,) = consistency_plan(2**52, largest).proofs
    assert growth == ((2**52, largest),)


def test_every_tree_grew_from_the_empty_one() -> None:
    check_consistency(0, EMPTY_ROOT, 5, LEAVES[0], ())
    check_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, ())
    for proof, root, rule in (
        ((LEAVES[0],), EMPTY_ROOT, "consistency"),
        ((), LEAVES[1], "fork"),
    ):
        with pytest.raises(UntrustedError) as caught:
            check_consistency(0, root, 5, LEAVES[0], proof)
        assert caught.value.rule == rule


def test_a_tree_equals_itself_without_a_proof() -> None:
    with pytest.raises(UntrustedError) as caught:
        check_consistency(7, LEAVES[0], 7, LEAVES[0], (LEAVES[1],))
    assert caught.value.rule == "consistency"


def test_no_tree_has_fewer_leaves_than_none() -> None:
    with pytest.raises(UntrustedError) as caught:
        check_consistency(-1, LEAVES[0], 5, LEAVES[1], (LEAVES[2],))
    assert caught.value.rule == "rewind"


@pytest.mark.parametrize(
    ("old", "new", "rule"), [(7, 6, "rewind"), (7, 7, "fork"), (7, 8, "consistency")]
)
def test_the_rule_says_what_the_log_did(old: int, new: int, rule: str) -> None:
    with pytest.raises(UntrustedError) as caught:
        check_consistency(old, LEAVES[0], new, LEAVES[1], (LEAVES[2],) if old < new else ())
    assert caught.value.rule == rule


@given(st.lists(st.integers(0, 700), max_size=20))
def test_fault_50_batches_of_any_size_end_in_the_same_root(batches: list[int]) -> None:
    stored, size = CompactRange().encode(), 0
    for count in batches:
        tree = CompactRange.decode(stored)
        for leaf in (LEAVES[n % 1100] for n in range(size, size + count)):
            tree.append(leaf)
        stored, size = tree.encode(), size + count
        assert len(stored) == 8 + 32 * size.bit_count()
    assert CompactRange.decode(stored).root() == root_of([LEAVES[n % 1100] for n in range(size)])


def test_fault_49_a_compact_range_has_the_root_of_every_size() -> None:
    tree = CompactRange()
    for size in range(LIMIT + 1):
        assert (tree.size, tree.root()) == (size, root_between(0, size))
        tree.append(LEAVES[size])


@given(st.binary(max_size=300))
def test_only_malformed_leaves_the_decoder_of_a_range(data: bytes) -> None:
    try:
        tree = CompactRange.decode(data)
    except MalformedError:
        return
    assert tree.encode() == data


@pytest.mark.parametrize("size", [2**53, 2**60])
def test_a_range_of_an_impossible_size_is_malformed(size: int) -> None:
    with pytest.raises(MalformedError) as caught:
        CompactRange.decode(size.to_bytes(8, "big") + EMPTY_ROOT)
    assert caught.value.rule == "range"


def test_the_range_of_the_largest_tree_is_read_back() -> None:
    tree = CompactRange(2**53 - 1, LEAVES[:53])
    assert CompactRange.decode(tree.encode()).hashes == LEAVES[:53]


@pytest.mark.parametrize("size", [-1, 2**53])
def test_a_range_of_an_impossible_size_is_not_made(size: int) -> None:
    with pytest.raises(ValueError, match="1 hashes"):
        CompactRange(size, [EMPTY_ROOT])


def test_a_range_with_a_hash_too_few_is_not_made() -> None:
    with pytest.raises(ValueError, match="2 hashes"):
        CompactRange(7, [EMPTY_ROOT, EMPTY_ROOT])


@pytest.mark.parametrize("case", own("ledger/tree.json"), ids=lambda case: case["why"])
def test_own_vectors(case: dict[str, Any]) -> None:
    leaves = [leaf_hash(bytes.fromhex(data)) for data in case["leaves"]]
    tree = CompactRange()
    for leaf in leaves:
        tree.append(leaf)
    assert tree.root().hex() == root_of(leaves).hex() == case["expect"]["root"]
    assert tree.encode().hex() == case["expect"]["range"]
