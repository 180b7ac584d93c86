"""Searches at the broker: in the numbers of their device, and for its own auditors alone."""

from collections.abc import AsyncIterator

import pytest

from seefen.protocol.frames import LogFrom
from seefen.protocol.search import open_account
from seefen.protocol.statements import Search
from tests.protocol.builder import read
from tests.support import casework
from tests.support.judge import LAB, OWNER, PARTNER
from tests.support.served import Served, served
from tests.support.served import refused as refuses
from tests.support.waiting import until

QUERY = "Зоран-QUERY-7Q4"
ALL = LogFrom(0, 4096, 0)


@pytest.fixture
async def it() -> AsyncIterator[Served]:
    async with served(OWNER, PARTNER, LAB) as it:
        yield it


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
