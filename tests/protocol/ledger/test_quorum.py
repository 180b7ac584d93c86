"""Cosignatures: how many witnesses they stand for, and whom a root may name."""

from hashlib import sha256

import pytest

from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.ledger.note import COSIGNATURE, VerifierKey, decode_checkpoint, parse_note
from seefen.protocol.ledger.quorum import Quorum, check_witnesses, open_witnessed, quorum_of
from tests.support.witnesses import (
    AT,
    LOG,
    LOG_KEY,
    ORIGIN,
    Leaves,
    lines_of,
    public_of,
    quorum,
    witness_key,
)

TREE = Leaves.of(9)
KEYS = [witness_key(number) for number in range(3)]
TEXT = TREE.head(7).text()
NOTE = TREE.note(7)


def opened(note: str, of: Quorum) -> tuple[int, int]:
    """Return how many witnesses count, and how fresh the head is."""
    found = open_witnessed(note, LOG, LOG_KEY.public, of)
    assert found.signed.checkpoint == decode_checkpoint(parse_note(note).text)
    return len(found.by), found.time


def unwitnessed(note: str, of: Quorum) -> None:
    with pytest.raises(UntrustedError) as caught:
        open_witnessed(note, LOG, LOG_KEY.public, of)
    assert caught.value.rule == "unwitnessed"


@pytest.mark.parametrize("lattice", [False, True])
def test_a_quorum_is_met_by_as_many_different_witnesses(lattice: bool) -> None:
    needed = quorum(KEYS, 2, lattice=lattice)
    note = NOTE
    for count, key in enumerate(KEYS, start=1):
        note += lines_of(key, TEXT, AT + count, lattice=lattice)
        if count < 2:
            unwitnessed(note, needed)
        else:
            assert opened(note, needed) == (count, AT + count - 1)


def test_a_witness_that_lies_about_the_time_does_not_make_a_head_fresh() -> None:
    note = NOTE + lines_of(KEYS[0], TEXT, AT) + lines_of(KEYS[1], TEXT, AT + 10**9)
    assert opened(note, quorum(KEYS, 2)) == (2, AT)


def test_fault_44_one_key_counts_once_however_often_it_signs() -> None:
    twice = NOTE + lines_of(KEYS[0], TEXT, AT) + lines_of(KEYS[0], TEXT, AT + 1)
    unwitnessed(twice, quorum(KEYS, 2))
    unwitnessed(twice, quorum(KEYS, 1))  # which of the two should it be? Neither.


def test_fault_44_one_key_under_two_names_counts_once() -> None:
    other = lines_of(KEYS[0], TEXT, name=f"{ORIGIN}/witness/another")
    stolen = lines_of(KEYS[0], TEXT, name=quorum(KEYS, 2).witnesses[1].name)
    note = NOTE + lines_of(KEYS[0], TEXT) + other + stolen
    unwitnessed(note, quorum(KEYS, 2))
    assert opened(note, quorum(KEYS, 1)) == (1, AT)


@pytest.mark.parametrize("both", [False, True])
def test_fault_44_a_root_names_no_key_twice(both: bool) -> None:
    key = KEYS[0]
    second = public_of(key, lattice=both)
    with pytest.raises(RefusedError) as caught:
        check_witnesses(ORIGIN, (public_of(key), second), 2)
    assert caught.value.rule == "witnesses"
    halves = KEYS[1].plain.public + key.public[32:]
    with pytest.raises(RefusedError):
        check_witnesses(ORIGIN, (key.public, halves), 2)


def test_fault_59_a_witness_with_both_keys_does_not_count_by_one() -> None:
    full = lines_of(KEYS[0], TEXT, lattice=True)
    needed = quorum(KEYS, 1, lattice=True)
    assert opened(NOTE + full, needed) == (1, AT)
    for line in full.splitlines(keepends=True):
        unwitnessed(NOTE + line, needed)


def test_attack_62_one_bad_witness_of_three_changes_nothing() -> None:
    bad = lines_of(KEYS[0], Leaves.of(9, branch=b"x").head(7).text())  # of another head
    note = NOTE + bad + lines_of(KEYS[1], TEXT) + lines_of(KEYS[2], TEXT)
    assert opened(note, quorum(KEYS, 2)) == (2, AT)


def test_attack_62_two_bad_witnesses_of_three_are_no_quorum() -> None:
    other = Leaves.of(9, branch=b"x").head(7).text()
    bad = lines_of(KEYS[0], other) + lines_of(KEYS[1], other)
    unwitnessed(NOTE + bad + lines_of(KEYS[2], TEXT), quorum(KEYS, 2))


def test_the_log_does_not_count_as_a_witness_of_itself() -> None:
    unwitnessed(NOTE, quorum(KEYS, 1))
    unwitnessed(NOTE, quorum([], 0))  # nobody saw it: that is not what witnessed means


@pytest.mark.parametrize(
    ("origin", "publics", "needed"),
    [
        (ORIGIN, (bytes(33),), 0),
        (ORIGIN, (KEYS[0].public[:-1],), 0),
        (ORIGIN, (KEYS[0].public,), 2),
        ("two words", (KEYS[0].public[:32],), 1),
        ("seefen+", (KEYS[0].public[:32],), 1),
        ("o" * 250, (KEYS[0].public[:32],), 1),
        ("o" * 240, (KEYS[0].public,), 1),
    ],
)
def test_a_root_names_witnesses_that_can_sign(
    origin: str, publics: tuple[bytes, ...], needed: int
) -> None:
    with pytest.raises(RefusedError) as caught:
        check_witnesses(origin, publics, needed)
    assert caught.value.rule == "witnesses"
    with pytest.raises(RefusedError) as caught:
        quorum_of(origin, publics, needed)
    assert caught.value.rule == "witnesses"


def test_the_longest_origin_has_witnesses() -> None:
    public = KEYS[0].public[:32]
    check_witnesses("o" * 245, (public,), 1)
    with pytest.raises(RefusedError):
        check_witnesses("o" * 246, (public,), 1)
    check_witnesses("o" * 246, (), 0)


def test_a_witness_of_small_order_vouches_for_nothing() -> None:
    with pytest.raises(UntrustedError) as caught:
        check_witnesses(ORIGIN, (bytes([1]) + bytes(31),), 1)
    assert caught.value.rule == "unusable-key"


def test_names_are_of_no_log() -> None:
    witnesses = quorum(KEYS[::-1], 3).witnesses
    for key, witness in zip(KEYS[::-1], witnesses, strict=True):
        assert witness.public == public_of(key)
        assert witness.name == f"{ORIGIN}/witness/{sha256(witness.public).hexdigest()[:16]}"
    names = {witness.name for witness in witnesses}
    assert not names & {f"{ORIGIN}/authority", f"{ORIGIN}/activity"}
    assert all(VerifierKey(name, COSIGNATURE, KEYS[0].plain.public).id for name in names)
