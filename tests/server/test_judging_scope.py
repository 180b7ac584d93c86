"""Judging: what an access opens, and who may read at all."""

import pytest
from msgspec.structs import replace

from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.suite import new_id
from seefen.server.judging import check_scope, require_may_read_now
from tests.protocol.builder import refused
from tests.support import casework
from tests.support.judge import LAB, PARTNER, Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_an_access_opens_objects_of_its_own_case_only(bench: Bench) -> None:
    first, second = bench.open_case(PARTNER), bench.open_case(PARTNER, serial=2)
    mine, theirs = bench.message(first), bench.message(second)
    access = bench.access(bench.partner, first, scope="case")
    check_scope(bench.layer, access, mine)
    for wrong in (theirs, new_id()):
        with refused("scope", RefusedError):
            check_scope(bench.layer, access, wrong)
    unknown = new_id()
    bench.known.learn_case(unknown, None)
    with refused("scope", RefusedError):
        nowhere = replace(access, case=unknown)
        check_scope(bench.layer, nowhere, mine)


def test_an_access_to_one_object_opens_no_other(bench: Bench) -> None:
    case = bench.open_case(PARTNER)
    one, other = bench.message(case), bench.message(case)
    access = bench.access(bench.partner, case, one, starts=1000)
    check_scope(bench.layer, access, one)
    with refused("scope", RefusedError):
        check_scope(bench.layer, access, other)


def test_an_access_opens_nothing_from_before_its_begin(bench: Bench) -> None:
    case = bench.open_case(PARTNER)
    before, at, after = (bench.message(case) for _ in range(3))
    starts = bench.layer.changes.objects[1].idx
    access = bench.access(bench.partner, case, scope="case", starts=starts)
    for obj in (at, after):
        check_scope(bench.layer, access, obj)
    with refused("scope", RefusedError):
        check_scope(bench.layer, access, before)


def test_what_has_expired_opens_as_before(bench: Bench) -> None:
    """Who answers for it later must be able to read it; that it matters no more is for people."""
    now, case = bench.network.at, bench.open_case(PARTNER)
    access = bench.access(bench.partner, case, scope="case")
    for expires in (0, 1, now, now + 1):
        check_scope(bench.layer, access, bench.message(case, expires=expires))


def test_who_has_left_a_case_opens_nothing_more(bench: Bench) -> None:
    case = bench.open_case(PARTNER, LAB)
    obj = bench.message(case)
    access = bench.access(bench.lab, case, scope="case")
    check_scope(bench.layer, access, obj)
    bench.record(casework.change_members(bench.network, bench.owner, case, remove=(LAB,)))
    with refused("not-a-member", RefusedError):
        check_scope(bench.layer, access, obj)
    check_scope(bench.layer, bench.access(bench.partner, case, scope="case"), obj)


def test_an_access_opens_what_its_device_has_the_key_of(bench: Bench) -> None:
    case = bench.open_case(PARTNER)
    old = bench.message(case)
    bench.record(casework.change_members(bench.network, bench.owner, case, add=(LAB,), link=False))
    new = bench.message(case)
    access = bench.access(bench.lab, case, scope="case")
    check_scope(bench.layer, access, new)
    with refused("not-a-reader", RefusedError):
        check_scope(bench.layer, access, old)


def test_a_device_reads_while_it_is_in_force(bench: Bench) -> None:
    case = bench.open_case(PARTNER)
    device = bench.partner.device
    require_may_read_now(bench.layer, case, device, 1)
    end = bench.network.directory.device(device).expires
    bench.layer.at = end * 1000 - 1
    require_may_read_now(bench.layer, case, device, 1)
    bench.layer.at = end * 1000
    with refused("expired", UntrustedError):
        require_may_read_now(bench.layer, case, device, 1)


def test_attack_27_a_revoked_device_reads_nothing_from_then_on(bench: Bench) -> None:
    bench.network.take(bench.network.enrol(PARTNER, ("keyholder",)))
    reader = bench.network.of(PARTNER, "keyholder", nth=1)
    case = bench.open_case(PARTNER)
    obj = bench.message(case)
    access = bench.access(reader, case, obj)
    check_scope(bench.layer, access, obj)
    bench.network.take(bench.network.revoke(reader))
    with refused("revoked", UntrustedError):
        check_scope(bench.layer, access, obj)


def test_nobody_reads_a_case_that_is_not_there(bench: Bench) -> None:
    unknown = new_id()
    bench.known.learn_case(unknown, None)
    with refused("unknown-case", RefusedError):
        require_may_read_now(bench.layer, unknown, bench.owner.device, 1)
