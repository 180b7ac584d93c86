"""Judging: what the broker alone can see of a statement, and what a passed one changes."""

from collections.abc import Callable

import pytest

from seefen.protocol.bundle import Bundle
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import OutOfTurnError, RefusedError, UntrustedError
from seefen.protocol.ledger.record import Record
from seefen.protocol.suite import new_id
from seefen.server.judging import record_statement
from seefen.server.rows import AccessRow, ObjectFacts, ObjectRow
from tests.protocol.builder import refused
from tests.support import casework
from tests.support.judge import BEFORE, LAB, OWNER, PARTNER, TAG, Bench, as_bundle, changed


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_what_passes_is_the_case_of_the_protocol_and_an_entry_at_its_place(bench: Bench) -> None:
    network, owner, partner = bench.network, bench.owner, bench.partner
    case = bench.open_case(PARTNER)
    obj = bench.message(case)
    kinds = ["case", "casekey", "object"]
    following: tuple[Callable[[], Bundle], ...] = (
        lambda: casework.assign(network, partner, case, partner),
        lambda: as_bundle(casework.access(network, partner, case, obj)),
        lambda: casework.renew_key(network, owner, case),
    )
    for make in following:
        bundle = make()
        bench.record(bundle)
        signed = bundle.statements[0]
        kinds.append(signed.kind)
        row = bench.layer.changes.activity[-1]
        assert (row.idx, row.envelope) == (network.index - 1, signed.envelope)
        assert Record.decode(row.record).tag == signed.tag
        assert bench.layer.cases[case] == network.cases[case]
        assert bench.layer.activity_size == network.index
        for machine in (owner, partner):
            assert bench.layer.device_n(machine.device) == machine.device_n
    rows = bench.layer.changes.activity
    assert [row.kind for row in rows] == kinds
    assert [row.idx for row in rows] == list(range(BEFORE, BEFORE + len(rows)))


def test_what_is_no_kind_of_the_activity_log_is_refused(bench: Bench) -> None:
    signed = bench.network.revoke(bench.lab).statements[0]
    opened = open_envelope(signed.envelope, signed.kind)
    with refused("unknown-kind", UntrustedError):
        record_statement(bench.layer, opened, TAG, by=bench.owner.device, contents={})


def test_attack_22_a_device_sends_its_own_statements_only(bench: Bench) -> None:
    case = bench.open_case(PARTNER)
    bundle = casework.message(bench.network, bench.owner, case)
    for other in (bench.partner.device, new_id(), b""):
        with refused("wrong-device", UntrustedError):
            bench.judge(bundle.statements[0], bundle.contents, by=other)
    opened = open_envelope(bundle.statements[0].envelope, "object")
    with refused("wrong-device", UntrustedError):
        record_statement(bench.layer, opened, TAG, by=None, contents={})
    bench.record(bundle)


def test_attacks_13_and_36_a_device_counts_through_all_its_cases(bench: Bench) -> None:
    first, second = bench.open_case(PARTNER), bench.open_case(PARTNER, serial=2)
    bench.message(first)
    number = bench.owner.device_n
    bundle = casework.message(bench.network, bench.owner, second)
    for wrong in (number - 1, number, number + 2):
        bent = changed(bundle, bench.owner, {"device_n": wrong})
        with refused("number", OutOfTurnError):
            bench.judge(bent.statements[0], bent.contents)
    bench.record(bundle)
    assert bench.layer.device_n(bench.owner.device) == number + 1


def test_a_case_number_is_given_once_by_its_owner(bench: Bench) -> None:
    case = bench.open_case(PARTNER)
    number = bench.network.cases[case].number
    assert bench.layer.changes.numbers == [(OWNER, number, case)]
    _, again = casework.open_case(bench.network, bench.owner, PARTNER)
    with refused("case-number", OutOfTurnError):
        bench.judge(again.statements[0])
    bench.record(casework.change_members(bench.network, bench.owner, case, add=(LAB,)))
    other = bench.open_case(serial=2)
    assert [row[2] for row in bench.layer.changes.numbers] == [case, other]


def test_a_channel_of_the_same_name_is_another_one_of_another_owner(bench: Bench) -> None:
    channel = bench.open_case(PARTNER, form="channel")
    mine, bundle = casework.open_case(bench.network, bench.partner, OWNER, form="channel")
    bench.record(bundle)
    assert bench.layer.changes.numbers == [
        (OWNER, "channel-1", channel),
        (PARTNER, "channel-1", mine),
    ]


def test_a_member_is_noted_where_he_came_and_once(bench: Bench) -> None:
    case = bench.open_case(PARTNER)
    came = bench.network.index
    for add, remove in (((LAB,), ()), ((), (LAB,)), ((LAB,), ())):
        bundle = casework.change_members(bench.network, bench.owner, case, add=add, remove=remove)
        bench.record(bundle)
    assert bench.layer.changes.members == [
        (case, OWNER, BEFORE),
        (case, PARTNER, BEFORE),
        (case, LAB, came),
    ]


def test_an_object_is_kept_closed_with_what_judges_an_access_to_it(bench: Bench) -> None:
    case = bench.open_case(PARTNER)
    bench.message(case)
    bundle = changed(
        casework.message(bench.network, bench.owner, case),
        bench.owner,
        {"expires": bench.network.at + 60},
    )
    index = bench.network.index
    bench.record(bundle)
    (content,) = bundle.contents
    place = (content.object, index, case, 1, 2, OWNER, bench.network.at + 60)
    assert bench.layer.changes.objects[-1] == ObjectRow(*place, content.body, content.key)
    assert bench.layer.object(content.object) == ObjectFacts(*place)
    core = bench.core()
    assert (core.object, core.n, core.to) == (content.object.hex(), 2, (PARTNER, OWNER))


def test_the_body_of_a_file_is_not_in_the_ledger(bench: Bench) -> None:
    case = bench.open_case(PARTNER)
    bundle = casework.file(bench.network, bench.owner, case, root=b"r" * 32, size=7)
    bench.record(bundle)
    row = bench.layer.changes.objects[-1]
    assert (row.body, row.content_key) == (None, bundle.contents[0].key)


def test_the_id_of_an_object_is_given_once(bench: Bench) -> None:
    first, second = bench.open_case(PARTNER), bench.open_case(PARTNER, serial=2)
    obj = bench.message(first)
    for case in (first, second):
        again = casework.with_object_id(bench.network, bench.owner, case, obj)
        with refused("other-bytes", OutOfTurnError):
            bench.judge(again.statements[0], again.contents)
    facts = bench.layer.object(obj)
    assert facts is not None
    assert facts.case == first


def test_the_push_hears_of_an_access_to_a_whole_case_and_of_no_other(bench: Bench) -> None:
    case = bench.open_case(PARTNER)
    obj = bench.message(case)
    bench.record(casework.access(bench.network, bench.partner, case, obj))
    core = bench.core()
    assert (core.object, core.n, core.purpose) == (obj.hex(), 1, "tracing")
    assert bench.layer.changes.accesses == []
    index = bench.network.index
    ask = casework.access(bench.network, bench.partner, case, obj, scope="case", starts=42)
    bench.record(ask)
    until = bench.network.at + 3600
    assert bench.layer.changes.accesses == [
        AccessRow(index, bench.partner.device, case, "case", 42, until)
    ]
    assert (bench.core().object, bench.core().n) == ("", 0)


def test_an_access_or_ack_names_an_object_of_its_own_case(bench: Bench) -> None:
    first, second = bench.open_case(PARTNER), bench.open_case(PARTNER, serial=2)
    obj = bench.message(first)
    for wrong in (obj, new_id()):
        for bundle in (
            as_bundle(casework.access(bench.network, bench.partner, second, wrong)),
            casework.ack(bench.network, bench.partner, second, wrong),
        ):
            with refused("scope", RefusedError):
                bench.judge(bundle.statements[0])
    bench.record(casework.ack(bench.network, bench.partner, first, obj))


def test_a_node_acknowledges_each_step_once(bench: Bench) -> None:
    case = bench.open_case(PARTNER)
    obj = bench.message(case)
    bench.record(casework.ack(bench.network, bench.partner, case, obj))
    core = bench.core()
    assert (core.object, core.n, core.to) == (obj.hex(), 1, (OWNER,))
    again = casework.ack(bench.network, bench.partner, case, obj)
    with refused("acknowledged", RefusedError):
        bench.judge(again.statements[0])
    bench.record(casework.ack(bench.network, bench.partner, case, obj, "read"))
    steps = [(obj, PARTNER, "delivered"), (obj, PARTNER, "read")]
    assert bench.layer.changes.acks == steps
    facts = bench.layer.object(obj)
    assert facts is not None
    assert facts.acks == {step[1:] for step in steps}


def test_a_node_acknowledges_only_what_went_to_it(bench: Bench) -> None:
    case = bench.open_case(PARTNER)
    old = bench.message(case)
    bench.record(casework.change_members(bench.network, bench.owner, case, add=(LAB,), link=False))
    new = bench.message(case)
    bundle = casework.ack(bench.network, bench.lab, case, old)
    with refused("not-a-reader", RefusedError):
        bench.judge(bundle.statements[0])
    bench.record(casework.ack(bench.network, bench.lab, case, new))
    bench.record(casework.ack(bench.network, bench.partner, case, new))


def test_a_node_that_got_the_key_device_by_device_acknowledges_too(bench: Bench) -> None:
    network = bench.network
    network.take(network.enrol(PARTNER, ("keyholder",)))
    network.take(network.revoke(network.of(PARTNER, "keyholder", nth=1)))
    case = bench.open_case(PARTNER)
    assert network.cases[case].generation.statement.devices  # its mailbox is stale
    bench.record(casework.ack(network, bench.partner, case, bench.message(case)))
