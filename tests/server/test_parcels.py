"""Parcels: which node gets which statement, and which device which wraps."""

import pytest
from msgspec.structs import replace

from seefen.protocol.bundle import Bundle
from seefen.protocol.frames import Stub
from seefen.protocol.statements import Assign, CaseKey
from seefen.protocol.suite import sha256
from seefen.server.parcels import Parcel, parcel_of, stub_of
from seefen.server.rows import LeafRow
from tests.protocol.builder import read
from tests.support import casework
from tests.support.judge import LAB, OWNER, PARTNER, Bench
from tests.support.network import Machine


@pytest.fixture
def bench() -> Bench:
    return Bench()


def newest(bench: Bench) -> LeafRow:
    return bench.layer.changes.activity[-1]


def parcel(bench: Bench, row: LeafRow, author: str | None = None) -> Parcel | None:
    return parcel_of(row, bench.layer.cases[row.case], bench.network.directory, author)


def nodes(bench: Bench, row: LeafRow, author: str | None = None) -> set[str] | None:
    made = parcel(bench, row, author)
    return None if made is None else set(made.nodes)


def test_an_object_goes_to_whom_its_key_was_given(bench: Bench) -> None:
    case = bench.open_case(PARTNER)
    bench.message(case)
    old = newest(bench)
    made = parcel(bench, old)
    assert made is not None
    assert made.row is old
    assert made.nodes == {OWNER, PARTNER}
    change = casework.change_members(bench.network, bench.owner, case, add=(LAB,), link=False)
    bench.record(change)
    bench.message(case)
    assert nodes(bench, newest(bench)) == {OWNER, PARTNER, LAB}
    assert nodes(bench, old) == {OWNER, PARTNER}, "who came late is not sent what was before"
    bench.record(casework.change_members(bench.network, bench.owner, case, remove=(PARTNER,)))
    bench.message(case)
    assert nodes(bench, newest(bench)) == {OWNER, LAB}


def test_who_has_left_goes_on_to_see_the_chain_and_nothing_else(bench: Bench) -> None:
    case = bench.open_case(PARTNER, LAB)
    opening = bench.layer.changes.activity[-2:]
    bench.record(casework.change_members(bench.network, bench.owner, case, remove=(LAB,)))
    for row in (*opening, *bench.layer.changes.activity[-2:]):
        assert row.kind in ("case", "casekey")
        assert nodes(bench, row) == {OWNER, PARTNER, LAB}
    bench.message(case)
    assert nodes(bench, newest(bench)) == {OWNER, PARTNER}


def test_whom_a_node_assigns_is_told_to_nobody_else(bench: Bench) -> None:
    case = bench.open_case(PARTNER)
    bench.record(casework.assign(bench.network, bench.partner, case, bench.partner))
    assert nodes(bench, newest(bench)) == {PARTNER}


def test_an_ack_goes_to_the_node_of_the_author_alone(bench: Bench) -> None:
    case = bench.open_case(PARTNER, LAB)
    obj = bench.message(case)
    bench.record(casework.ack(bench.network, bench.partner, case, obj))
    assert nodes(bench, newest(bench), OWNER) == {OWNER}
    assert nodes(bench, newest(bench)) == set()


def test_who_reads_is_carried_to_nobody_and_counted(bench: Bench) -> None:
    """An access, a search, a release: the other members are not told who opened what."""
    case = bench.open_case(PARTNER)
    obj = bench.message(case)
    sent = newest(bench)
    bench.record(casework.access(bench.network, bench.partner, case, obj))
    row = newest(bench)
    assert row.kind == "access"
    assert parcel(bench, row) is None
    assert stub_of(row) == Stub(row.idx, "access", case, bench.partner.device, 1)
    assert stub_of(sent) == Stub(sent.idx, "object", case, bench.owner.device, 3)
    for kind in ("release", "denied", "erased", "viewed", "search", "manifest"):
        assert parcel(bench, replace(sent, kind=kind)) is None
    assert parcel(bench, replace(sent, envelope=b"")) is None, "lost, or erased"
    for nobody in (replace(row, device=None), replace(row, case_n=None)):
        assert stub_of(nobody) is None


def test_the_body_of_a_message_goes_with_it_and_that_of_a_file_does_not(
    bench: Bench,
) -> None:
    case = bench.open_case(PARTNER)
    obj = bench.message(case)
    message = newest(bench)
    bench.record(casework.file(bench.network, bench.owner, case, root=b"r" * 32, size=7))
    file = newest(bench)
    bench.record(casework.ack(bench.network, bench.partner, case, obj))
    found = [parcel(bench, row, OWNER) for row in (message, file, newest(bench))]
    assert [one.body_of if one else None for one in found] == [obj, None, None]


def wraps(bench: Bench, row: LeafRow, machine: Machine) -> tuple[bytes, ...]:
    made = parcel(bench, row)
    assert made is not None
    return made.wraps(bench.network.directory, machine.device)


def test_attack_a_device_is_handed_its_own_wraps_and_those_of_its_node(
    bench: Bench,
) -> None:
    """Those of others would tell it what it could try to open for ever."""
    network = bench.network
    case, opening = casework.open_case(network, bench.owner, PARTNER)
    bench.record(opening)
    key = newest(bench)
    named = {one.node: one.hash for one in read(opening, CaseKey, 1).mailboxes}
    assert wraps(bench, key, bench.owner) == (named[OWNER],)
    assert wraps(bench, key, bench.partner) == (named[PARTNER],)
    assert wraps(bench, key, bench.lab) == ()
    assert wraps(bench, bench.layer.changes.activity[-2], bench.owner) == ()
    bench.record(casework.assign(network, bench.partner, case, bench.partner))
    assigned = newest(bench)
    assert len(wraps(bench, assigned, bench.partner)) == 1
    assert wraps(bench, assigned, bench.owner) == ()


def test_attack_what_is_wrapped_device_by_device_goes_to_each_alone(
    bench: Bench,
) -> None:
    network = bench.network
    for _ in range(2):
        network.take(network.enrol(PARTNER, ("keyholder",)))
    network.take(network.revoke(network.of(PARTNER, "keyholder", nth=2)))
    first, second = (network.of(PARTNER, "keyholder", nth=nth) for nth in (0, 1))
    case, opening = casework.open_case(network, bench.owner, PARTNER)
    bench.record(opening)
    key = newest(bench)
    named = {one.device: one.hash for one in read(opening, CaseKey, 1).devices}
    assert set(named) == {first.device, second.device}
    for machine in (first, second):
        assert wraps(bench, key, machine) == (named[machine.device],)
    bundle = casework.assign(network, first, case, first, second)
    bench.record(bundle)
    handed = {one.device: one.hash for one in read(bundle, Assign).devices}
    for machine in (first, second):
        assert wraps(bench, newest(bench), machine) == (handed[machine.device],)
    assert {*handed.values()} == _hashes(bundle)
    bench.message(case)
    assert nodes(bench, newest(bench)) == {OWNER, PARTNER}, "no mailbox, and yet a reader"


def _hashes(bundle: Bundle) -> set[bytes]:
    return {sha256(wrap) for wrap in bundle.wraps}
