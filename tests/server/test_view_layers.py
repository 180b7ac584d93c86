"""Layers: what waits is tried on top of what is committed, and leaves no trace where it fails."""

import pytest

from seefen.protocol.case import CaseState
from seefen.protocol.directory import Directory
from seefen.protocol.ledger.tree import EMPTY_ROOT
from seefen.protocol.statements import NO_NET
from seefen.server import view
from seefen.server.rows import Heads, LogHead, ObjectFacts
from seefen.server.view import Known, Layer, Needs, unfounded
from tests.support.judge import BEFORE, OWNER, PARTNER, Bench

CASE, OTHER = b"c" * 16, b"o" * 16
DEVICE, SECOND = b"d" * 16, b"e" * 16
OBJECT = b"b" * 16
FACTS = ObjectFacts(OBJECT, 3, CASE, 1, 1, OWNER, 0)
LATER = ObjectFacts(OBJECT, 3, CASE, 1, 1, OWNER, 0, frozenset(((PARTNER, "read"),)))


def heads(activity: int = BEFORE, at: int = 5000) -> Heads:
    return Heads(LogHead(1, EMPTY_ROOT, b""), LogHead(activity, EMPTY_ROOT, b""), at)


@pytest.fixture
def known() -> Known:
    return Known(heads(), Directory(NO_NET))


@pytest.fixture
def state() -> CaseState:
    bench = Bench()
    return bench.layer.cases[bench.open_case(PARTNER)]


# --- what is known ------------------------------------------------------------------------


def test_what_is_known_is_what_was_learned_and_the_rest_is_missing(
    known: Known, state: CaseState
) -> None:
    about = (DEVICE, OWNER)
    wanted = Needs(
        frozenset((CASE, OTHER)),
        frozenset((DEVICE, SECOND)),
        frozenset((OBJECT, OTHER)),
        frozenset(((OWNER, "1"), (OWNER, "2"))),
        frozenset((about, (SECOND, OWNER))),
    )
    assert known.missing(wanted) == wanted
    known.learn_case(CASE, state)
    known.learn_case(OTHER, None)
    known.learn_device(DEVICE, 7)
    known.learn_object(OBJECT, FACTS)
    known.learn_object(OTHER, None)
    known.learn_number(OWNER, "1", taken=True)
    known.learn_number(OWNER, "2", taken=False)
    known.learn_manifest(*about, 9)
    assert known.missing(wanted) == Needs(
        devices=frozenset((SECOND,)), manifests=frozenset(((SECOND, OWNER),))
    )
    assert (known.case(CASE), known.case(OTHER)) == (state, None)
    assert (known.object(OBJECT), known.object(OTHER), known.object(CASE)) == (FACTS, None, None)
    assert (known.device_n(DEVICE), known.manifested(*about)) == (7, 9)
    assert (known.number_taken(OWNER, "1"), known.number_taken(OWNER, "2")) == (True, False)
    assert (known.activity_size, known.at) == (BEFORE, 5000)


@pytest.mark.parametrize(
    "needs",
    [
        Needs(cases=frozenset((CASE,))),
        Needs(devices=frozenset((DEVICE,))),
        Needs(objects=frozenset((OBJECT,))),
        Needs(numbers=frozenset(((OWNER, "1"),))),
        Needs(manifests=frozenset(((DEVICE, OWNER),))),
    ],
)
def test_whatever_is_missing_must_be_loaded(needs: Needs) -> None:
    """Else a job would be judged on what nobody looked up."""
    assert needs
    assert not Needs()


def test_attack_36_a_number_that_was_used_is_told_from_one_that_was_not(known: Known) -> None:
    known.learn_device(DEVICE, 7)
    assert [known.has_number(DEVICE, number) for number in (1, 7, 8)] == [True, True, False]
    assert not known.has_number(SECOND, 1)


def test_attack_29_what_another_process_has_changed_is_forgotten(
    known: Known, state: CaseState
) -> None:
    for case in (CASE, OTHER):
        known.learn_case(case, state)
        known.learn_object(case, FACTS)
    known.learn_device(DEVICE, 7)
    known.learn_number(OWNER, "1", taken=False)
    known.learn_manifest(DEVICE, OWNER, 9)
    with known.reading() as before, known.reading() as also:
        known.forget([CASE], [CASE])
        for reader in (before, also):
            assert not reader.has_now(CASE)
            assert reader.has_now(OTHER)
            assert not reader.has_all_now(OTHER), "another process may have changed it"
    with known.reading() as after:
        assert after.has_all_now(CASE)
    asked = Needs(
        frozenset((CASE, OTHER)),
        frozenset((DEVICE,)),
        frozenset((CASE, OTHER)),
        frozenset(((OWNER, "1"),)),
        frozenset(((DEVICE, OWNER),)),
    )
    assert known.missing(asked) == Needs(
        frozenset((CASE,)),
        frozenset(),
        frozenset((CASE,)),
        frozenset(((OWNER, "1"),)),
        frozenset(((DEVICE, OWNER),)),
    )
    known.forget([b"nobody knows"], [b"nobody knows"])


def test_who_stops_reading_is_told_nothing_more(known: Known) -> None:
    with pytest.raises(KeyError), known.reading() as reader:
        raise KeyError
    known.forget([CASE], [])
    assert reader.has_all_now(CASE)


@pytest.mark.parametrize("limit", [1, 2])
def test_attack_50_what_was_used_last_is_forgotten_last(
    monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(view, "DEVICES_KEPT", limit)
    known = Known(heads(), Directory(NO_NET))
    for number in range(limit):
        known.learn_device(bytes([number]), number)
    assert known.device_n(bytes([0])) == 0  # used again: the next to go is another
    known.learn_device(DEVICE, 7)
    gone = bytes([limit - 1])
    asked = frozenset((gone, DEVICE))
    assert known.missing(Needs(devices=asked)).devices == {gone}
    assert known.device_n(DEVICE) == 7


def test_what_is_learned_again_is_as_fresh_as_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "OBJECTS_KEPT", 2)
    known = Known(heads(), Directory(NO_NET))
    for one in (CASE, OTHER, CASE, OBJECT):
        known.learn_object(one, FACTS)
    asked = frozenset((CASE, OTHER, OBJECT))
    assert known.missing(Needs(objects=asked)).objects == {OTHER}


# --- layers -------------------------------------------------------------------------------


def test_a_layer_tells_what_is_below_until_it_says_otherwise(
    known: Known, state: CaseState
) -> None:
    known.learn_case(CASE, state)
    known.learn_case(OTHER, None)
    known.learn_device(DEVICE, 7)
    known.learn_object(OBJECT, FACTS)
    known.learn_number(OWNER, "1", taken=False)
    known.learn_number(OWNER, "2", taken=True)
    known.learn_manifest(DEVICE, OWNER, 9)
    below = Layer.on(known)
    for layer in (below, Layer.on(below)):
        assert (layer.case(CASE), layer.case(OTHER)) == (state, None)
        assert (layer.device_n(DEVICE), layer.object(OBJECT)) == (7, FACTS)
        assert (layer.number_taken(OWNER, "1"), layer.number_taken(OWNER, "2")) == (False, True)
        assert layer.manifested(DEVICE, OWNER) == 9
        assert (layer.directory, layer.activity_size) == (known.directory, BEFORE)
        layer.cases[OTHER] = state
        layer.device_ns[DEVICE] = 0  # nothing is something, too
        layer.objects[OBJECT] = LATER
        layer.numbers.add((OWNER, "1"))
        layer.manifests[DEVICE, OWNER] = 0
        assert (layer.case(OTHER), layer.device_n(DEVICE)) == (state, 0)
        assert (layer.object(OBJECT), layer.number_taken(OWNER, "1")) == (LATER, True)
        assert layer.manifested(DEVICE, OWNER) == 0
        layer.cases.clear()
        layer.device_ns.clear()
        layer.objects.clear()
        layer.numbers.clear()
        layer.manifests.clear()
    assert (known.case(OTHER), known.device_n(DEVICE), known.object(OBJECT)) == (None, 7, FACTS)


def test_the_time_of_a_layer_never_goes_back(known: Known) -> None:
    """A clock that is set back must not date an entry before the one below it."""
    for at, expected in ((0, 5000), (4999, 5000), (5000, 5000), (5001, 5001)):
        assert Layer.on(known, at=at).at == expected
    later = Layer.on(known, at=6000)
    assert Layer.on(later, at=5500).at == Layer.on(later).at == 6000


def test_what_has_passed_is_folded_in_and_what_failed_leaves_nothing(
    known: Known, state: CaseState
) -> None:
    group = Layer.on(known)
    group.objects[OBJECT] = FACTS
    failed, passed = Layer.on(group), Layer.on(group, at=9000)
    for layer in (failed, passed):
        layer.cases[CASE] = state
        layer.objects[OBJECT] = LATER
        layer.device_ns[DEVICE] = 8
        layer.numbers.add((OWNER, "1"))
        layer.manifests[DEVICE, OWNER] = 12
        layer.directory = Directory(b"n" * 32)
        layer.activity_size += 2
        layer.changes.numbers.append((OWNER, "1", CASE))
        layer.changes.wraps[CASE] = b"wrap"
    assert (group.cases, group.device_ns, group.numbers, group.manifests) == ({}, {}, set(), {})
    assert (group.objects, group.activity_size) == ({OBJECT: FACTS}, BEFORE)
    assert (group.changes.numbers, group.directory) == ([], known.directory)
    group.absorb(passed)
    assert (group.case(CASE), group.object(OBJECT), group.device_n(DEVICE)) == (state, LATER, 8)
    assert (group.number_taken(OWNER, "1"), group.manifested(DEVICE, OWNER)) == (True, 12)
    assert (group.directory, group.activity_size, group.at) == (
        passed.directory, BEFORE + 2, 9000
    )  # fmt: skip
    assert (group.changes.numbers, group.changes.wraps) == (
        [(OWNER, "1", CASE)], {CASE: b"wrap"}
    )  # fmt: skip
    # And what the next one says comes behind it.
    second = Layer.on(group)
    second.device_ns[SECOND] = 1
    second.objects[OTHER] = FACTS
    second.numbers.add((OWNER, "2"))
    second.manifests[SECOND, OWNER] = 3
    second.changes.numbers.append((OWNER, "2", OTHER))
    group.absorb(second)
    assert (group.device_n(DEVICE), group.device_n(SECOND)) == (8, 1)
    assert (group.object(OBJECT), group.object(OTHER)) == (LATER, FACTS)
    assert (group.manifested(DEVICE, OWNER), group.manifested(SECOND, OWNER)) == (12, 3)
    assert group.number_taken(OWNER, "1"), "two in one group are given no number twice"
    assert group.number_taken(OWNER, "2")
    assert [number for _, number, _ in group.changes.numbers] == ["1", "2"]
    assert group.case(CASE) == state


def test_attack_29_what_was_committed_is_known_at_once_and_whoever_reads_is_told(
    known: Known, state: CaseState
) -> None:
    known.learn_case(CASE, None)
    known.learn_device(DEVICE, 7)
    known.learn_number(OWNER, "1", taken=False)
    known.learn_manifest(DEVICE, OWNER, 9)
    known.learn_manifest(SECOND, OWNER, 2)
    group = Layer.on(known)
    group.cases[CASE] = state
    group.objects[OBJECT] = LATER
    group.device_ns[DEVICE] = 8
    group.manifests[DEVICE, OWNER] = 12
    group.directory = Directory(b"n" * 32)
    new = heads(BEFORE + 2, 9000)
    with known.reading() as reader:
        known.absorb(group, new)
        assert [reader.has_now(one) for one in (CASE, OBJECT, SECOND)] == [False, False, True]
        assert reader.has_all_now(SECOND)
    assert (known.heads, known.activity_size, known.at) == (new, BEFORE + 2, 9000)
    assert known.directory is group.directory
    assert (known.case(CASE), known.object(OBJECT), known.device_n(DEVICE)) == (state, LATER, 8)
    assert (known.manifested(DEVICE, OWNER), known.manifested(SECOND, OWNER)) == (12, 2)
    # A number that was free may be given now: it is looked up again.
    number = frozenset(((OWNER, "1"),))
    assert known.missing(Needs(numbers=number)).numbers == number


def test_a_broker_without_a_network_knows_nobody() -> None:
    assert (unfounded().net, unfounded().size) == (NO_NET, 0)
