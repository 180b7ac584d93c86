"""Searches at the broker: in the numbers of their device, and for its own auditors alone."""

from collections.abc import AsyncIterator

import pytest

from seefen.protocol.errors import OutOfTurnError, RefusedError, UntrustedError
from seefen.protocol.frames import LogFrom
from seefen.protocol.ledger.record import Record, decode_core
from seefen.protocol.search import open_account
from seefen.protocol.statements import Search
from seefen.protocol.suite import new_id
from tests.protocol.builder import read, refused
from tests.support import casework
from tests.support.judge import LAB, OWNER, PARTNER, Bench, changed
from tests.support.served import Served, served
from tests.support.served import refused as refuses
from tests.support.waiting import until

QUERY = "Зоран-QUERY-7Q4"
ALL = LogFrom(0, 4096, 0)


@pytest.fixture
async def it() -> AsyncIterator[Served]:
    async with served(OWNER, PARTNER, LAB) as it:
        yield it


def test_a_search_counts_with_all_its_device_writes_and_stands_in_no_case() -> None:
    bench = Bench()
    case = bench.open_case(PARTNER)
    bundle = casework.search(bench.network, bench.owner)
    number = bench.owner.device_n
    for wrong in (number, number + 2):
        bent = changed(bundle, bench.owner, {"device_n": wrong})
        with refused("number", OutOfTurnError):
            bench.judge(bent.statements[0])
    for other in (bench.partner.device, new_id(), b""):
        with refused("wrong-device", UntrustedError):
            bench.judge(bundle.statements[0], by=other)
    for rule, changes in (("count", {"count": 2}), ("reasons", {"reasons": ()})):
        bent = changed(bundle, bench.owner, changes)
        with refused(rule, RefusedError):
            bench.judge(bent.statements[0])
    before = bench.layer.cases[case]
    bench.record(bundle)
    bench.message(case)  # the next number, and the case knows of nothing between
    assert bench.layer.device_n(bench.owner.device) == number + 2
    assert before.last(bench.owner.device).case_n == 2
    assert bench.layer.cases[case].last(bench.owner.device).case_n == 3
    row = bench.layer.changes.activity[-2]
    search = read(bundle, Search)
    assert (row.kind, row.case, row.case_n, row.object) == ("search", b"", None, None)
    assert Record.decode(row.record).detail_commitment == search.detail
    core = decode_core(row.core)
    assert (core.act, core.op, core.purpose, core.basis) == (
        "search",
        "consult",
        "trace",
        "pcc-see",
    )
    assert (core.case, core.case_n, core.device_n, core.to) == ("", 0, number + 1, ())


async def test_only_the_own_auditors_are_shown_a_search(it: Served) -> None:
    owner, partner = it.network.of(OWNER), it.network.of(PARTNER)
    case = await it.open_case(owner, PARTNER)
    await it.message(owner, case)
    sent = casework.search(it.network, partner, QUERY)
    recorded = await it.send(partner, sent)
    await it.message(partner, case)
    page = await it.broker.audit(partner.device, ALL)
    (found,) = [item for item in page.items if item.kind == "search"]
    core = it.check(found.entry, page.checkpoint)
    assert (core.node, core.device, core.officer) == (
        PARTNER, partner.device.hex(), partner.officer,
    )  # fmt: skip
    mailbox = it.network.directory.mailbox(PARTNER, "audit")
    assert mailbox is not None
    account = open_account(read(sent, Search), mailbox, it.network.seeds[PARTNER, "audit", 1])
    assert account.sought[0].query == QUERY
    # Not even the owner of all the cases of who searched: a search is none of his.
    for other in (owner, it.network.of(LAB)):
        kinds = [item.kind for item in (await it.broker.audit(other.device, ALL)).items]
        assert "search" not in kinds
    for machine in (owner, partner, it.network.of(LAB)):
        feed = await it.feed(machine)
        shown = [item.kind for item in feed.items] + [stub.kind for stub in feed.stubs]
        assert "search" not in shown
        assert feed.upto == recorded.entries[0].index + 2
    # What all may see is 89 bytes like any others.
    assert len((await it.records(it.network.of(LAB)))[recorded.entries[0].index]) == 89


async def test_nobody_on_line_hears_of_a_search(it: Served) -> None:
    owner, partner = it.network.of(OWNER), it.network.of(PARTNER)
    await it.send(partner, it.network.enrol(PARTNER, ("field", "auditor")))
    case = await it.open_case(owner, PARTNER)
    seen: list[bytes] = []
    for machine in (owner, it.network.of(PARTNER, nth=1)):
        it.broker.attach(machine.device, seen.append, lambda: None)
    await it.send(partner, casework.search(it.network, partner, QUERY))
    await it.message(partner, case)
    await until(lambda: len(seen) == 2)  # the message, at both; nothing came before it
    assert all(b"object" in frame and b"search" not in frame for frame in seen)


async def test_a_restarted_broker_goes_on_after_searches(it: Served) -> None:
    partner = it.network.of(PARTNER)
    sent = casework.search(it.network, partner)
    first = await it.send(partner, sent)
    await it.restart()
    again = await it.broker.submit(partner.device, sent, 0)
    assert again.entries[0].index == first.entries[0].index, "one entry, the same receipt"
    await it.send(partner, casework.search(it.network, partner))
    case = await it.open_case(partner, OWNER)
    await it.message(partner, case)
    assert it.network.machines[partner.device].device_n == 5


async def test_a_cloned_device_is_refused_its_second_search(it: Served) -> None:
    partner = it.network.of(PARTNER)
    clone = casework.search(it.network, partner)
    await it.send(partner, casework.search(it.network, partner))
    await refuses("number", it.broker.submit(partner.device, clone, 0))


async def test_attack_59_the_broker_holds_no_word_that_was_looked_for(it: Served) -> None:
    partner = it.network.of(PARTNER)
    await it.send(partner, casework.search(it.network, partner, QUERY))
    words = [QUERY.encode(), QUERY.encode("utf-16-le"), QUERY.encode().hex().encode()]
    async with it.database() as connection:
        rows = await connection.fetch("SELECT * FROM activity_leaf WHERE kind = 'search'")
        values = [value for row in rows for value in row.values()]
        assert rows
    held = b"\0".join(v if isinstance(v, bytes) else str(v).encode() for v in values)
    assert PARTNER.encode() in held, "the same look finds what is there"
    assert not any(word in held for word in words)
