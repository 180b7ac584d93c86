"""Pages of the feed, however small: everything once, in order, and nothing twice."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from seefen.client.paging import Place
from seefen.protocol.frames import Before, FeedFrom, Item, Stub
from seefen.server import feed, pages
from seefen.server.feed import Feed
from tests.support import casework
from tests.support.network import Machine
from tests.support.served import Served, served
from tests.support.store import Heard

HOME, AWAY, LATE = "skopje-border", "belgrade-ffp", "tirana-lab"


@dataclass
class Shown:
    """What a device was shown, page by page."""

    items: list[Item] = field(default_factory=list[Item])
    stubs: list[Stub] = field(default_factory=list[Stub])
    before: list[Before] = field(default_factory=list[Before])
    pages: int = 0

    @property
    def indices(self) -> list[int]:
        return [item.entry.index for item in self.items]


@pytest.fixture
async def it() -> AsyncIterator[Served]:
    async with served(HOME, AWAY, LATE) as it:
        yield it


async def story(it: Served) -> list[bytes]:
    """Three cases that a node comes to late, one that it opens, and what happens around it."""
    home, away, late = (it.network.of(node) for node in (HOME, AWAY, LATE))
    cases: list[bytes] = []
    for serial in (1, 2, 3):
        case = await it.open_case(home, AWAY, serial=serial)
        cases.append(case)
        for length in range(serial):
            obj = await it.message(home, case, bytes(500 * length))
            await it.send(away, casework.ack(it.network, away, case, obj))
        for _ in range(serial - 1):
            await it.send(home, casework.renew_key(it.network, home, case))
    for case in cases[:2]:  # one at once behind the other
        added = casework.change_members(it.network, home, case, add=(LATE,))
        await it.send(home, added)
    obj = await it.message(home, cases[0], bytes(2000))
    await it.send(late, casework.ack(it.network, late, cases[0], obj))
    await it.open_case(late, HOME)
    await it.send(home, casework.change_members(it.network, home, cases[2], add=(LATE,)))
    obj = await it.message(away, cases[2], bytes(700))
    await it.ask(late, casework.access(it.network, late, cases[2], obj))
    return cases


async def follow(it: Served, by: Machine, limit: int) -> Shown:
    """Follow the feed to its end, as a device does."""
    shown, place, more = Shown(), Place(), True
    _, size = await it.sizes()
    while more:
        page = await it.broker.feed(by.device, place.asked(limit, 0))
        for item in page.items:
            it.check(item.entry, page.checkpoint)
        shown.items += page.items
        shown.stubs += page.stubs
        shown.before += page.before
        shown.pages += 1
        place, more = place.behind(page, size)
    assert place == Place(size)
    return shown


def bare(items: list[Item]) -> list[tuple[int, str, bytes, tuple[bytes, ...], bytes]]:
    """Return items without their proofs, which are of the head of each page."""
    return sorted((i.entry.index, i.kind, i.envelope, i.wraps, i.body) for i in items)


async def test_nothing_is_lost_or_doubled_wherever_a_page_ends(
    it: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    await story(it)
    for node in (HOME, AWAY, LATE):
        by = it.network.of(node)
        whole = await follow(it, by, 1000)
        assert whole.pages == 1
        assert whole.items
        counts = set[int]()
        for size in (0, 1, 600, 1200, 2500, 2600, 4000, 1 << 20):
            for limit in (1, 2, 3, 1000):
                monkeypatch.setattr(feed, "PAGE_BYTES", size)
                monkeypatch.setattr(pages, "WINDOW", 3 if limit == 2 else 1 << 17)
                part = await follow(it, by, limit)
                assert bare(part.items) == bare(whole.items), (node, size, limit)
                assert sorted(part.stubs, key=_index) == sorted(whole.stubs, key=_index)
                assert sorted(part.before, key=_case) == sorted(whole.before, key=_case)
                counts.add(part.pages)
        assert max(counts) > 5, "there was something to try"


def _index(stub: Stub) -> int:
    return stub.index


def _case(before: Before) -> bytes:
    return before.case


async def test_whatever_entry_is_the_one_that_fills_a_page_nothing_behind_it_is_lost(
    it: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it is the first of a backlog: what is due at one place comes on one page."""
    await story(it)
    late = it.network.of(LATE)
    whole = await follow(it, late, 1000)
    total = 0
    for item in whole.items:
        total += len(item.envelope) + len(item.body)
        monkeypatch.setattr(feed, "PAGE_BYTES", total)
        part = await follow(it, late, 1000)
        assert bare(part.items) == bare(whole.items)
        assert sorted(part.before, key=_case) == sorted(whole.before, key=_case)


async def test_a_page_ends_with_the_entry_that_passes_its_bytes(
    it: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, away = it.network.of(HOME), it.network.of(AWAY)
    case = await it.open_case(home, AWAY)
    for _ in range(4):
        await it.message(home, case, bytes(9000))
    items = (await it.feed(away)).items
    total = 0
    for count, item in enumerate(items, start=1):
        total += len(item.envelope) + len(item.body)
        if item.body and count < len(items):
            for size, expected in ((total, count + 1), (total - 1, count)):
                monkeypatch.setattr(feed, "PAGE_BYTES", size)
                page = await it.feed(away)
                assert (len(page.items), page.upto) == (expected, expected)


async def test_who_has_the_key_by_his_devices_alone_receives_what_is_under_it(it: Served) -> None:
    """A holder of the mailbox was lost: the next key names the others one by one."""
    home, away = it.network.of(HOME), it.network.of(AWAY)
    await it.send(away, it.network.enrol(AWAY, ("keyholder",)))
    lost = it.network.of(AWAY, nth=1)
    case = await it.open_case(home, AWAY)
    await it.send(away, it.network.revoke(lost))
    await it.send(home, casework.renew_key(it.network, home, case, "revoked"))
    statement = it.network.cases[case].generation.statement
    assert [wrap.device for wrap in statement.devices] == [away.device]
    obj = await it.message(home, case)
    page = await it.feed(away)
    assert [item.kind for item in page.items] == ["case", "casekey", "casekey", "object"]
    assert page.items[3].body
    assert len(page.items[2].wraps) == 1
    await it.send(away, casework.ack(it.network, away, case, obj))
    assert (await it.feed(home, 4)).items[0].kind == "ack"


async def test_what_was_written_a_moment_ago_is_not_fetched_and_the_rest_is(it: Served) -> None:
    """As a push does it: without the wraps of either no key of the case can be opened."""
    home, away = it.network.of(HOME), it.network.of(AWAY)
    for serial in (1, 2):
        await it.open_case(home, AWAY, serial=serial)
    heard: Any = Heard(it.store)
    filled = Feed(heard, it.broker._sequencer, it.broker._prover)
    rows = await it.store.activity(0, 4)
    directory = it.broker.directory
    parcels = await filled.parcels(rows, directory)
    keys = [(parcel, b"") for parcel in parcels if parcel.row.kind == "casekey"]
    first, second = (parcel.wraps(directory, away.device) for parcel, _ in keys)
    held = await it.store.wraps({*first, *second})
    written = {hash_: held[hash_] for hash_ in first}
    items = await filled.items(keys, directory, away.device, 4, written)
    assert [item.wraps for item in items] == [
        tuple(held[hash_] for hash_ in hashes) for hashes in (first, second)
    ]
    assert heard.of("wraps") == [({*second},)]
    items = await filled.items(keys, directory, away.device, 4, held)
    assert all(item.wraps for item in items)
    assert heard.of("wraps") == [({*second},)], "nothing more was asked"


async def test_whom_an_ack_goes_to_is_asked_of_its_object_alone(it: Served) -> None:
    home, away = it.network.of(HOME), it.network.of(AWAY)
    case = await it.open_case(home, AWAY)
    obj = await it.message(home, case)
    other = await it.message(home, case)
    await it.send(away, casework.ack(it.network, away, case, obj))
    heard: Any = Heard(it.store)
    filled = Feed(heard, it.broker._sequencer, it.broker._prover)
    _, size = await it.sizes()
    page = await filled.fill(
        it.broker.directory.device(home.device), it.broker.directory, FeedFrom(0, 9, 0), size
    )
    assert [item.kind for item in page.items] == ["case", "casekey", "object", "object", "ack"]
    assert heard.of("objects") == [({obj},)]
    assert heard.of("bodies") == [([obj, other],)]
    heard.asked.clear()
    await filled.fill(
        it.broker.directory.device(home.device), it.broker.directory, FeedFrom(0, 2, 0), size
    )
    assert heard.of("objects") == heard.of("bodies") == []


async def test_attack_50_of_many_large_bodies_no_more_is_read_than_a_page_can_hold(
    it: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, away = it.network.of(HOME), it.network.of(AWAY)
    case = await it.open_case(home, AWAY)
    for _ in range(34):
        await it.message(home, case, bytes(5000))
    monkeypatch.setattr(feed, "PAGE_BYTES", 100_000)  # sixteen bodies are less, 32 are more
    heard: Any = Heard(it.store)
    filled = Feed(heard, it.broker._sequencer, it.broker._prover)
    certificate = it.broker.directory.device(away.device)
    page = await filled.fill(certificate, it.broker.directory, FeedFrom(0, 999, 0), 36)
    assert 0 < page.upto < 36
    assert all(item.body for item in page.items[2:])
    assert [len(objects) for (objects,) in heard.of("bodies")] == [16, 16]


async def test_no_more_rows_are_read_than_a_page_can_hold(
    it: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, away = it.network.of(HOME), it.network.of(AWAY)
    await it.open_case(home, AWAY)
    await it.open_case(home, AWAY, serial=2)
    heard: Any = Heard(it.store)
    filled = Feed(heard, it.broker._sequencer, it.broker._prover)
    certificate = it.broker.directory.device(away.device)
    monkeypatch.setattr(pages, "PIECE", 1)
    monkeypatch.setattr(feed, "PAGE_BYTES", 1)
    page = await filled.fill(certificate, it.broker.directory, FeedFrom(0, 3, 0), 4)
    assert page.upto == 1
    assert heard.of("feed") == [(AWAY, 0, 4, 1)]


async def test_before_its_first_case_a_node_is_led_there_at_once(
    it: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That may be years of a log, and each page of nothing a question to the database."""
    monkeypatch.setattr(pages, "WINDOW", 1)
    home, away, late = (it.network.of(node) for node in (HOME, AWAY, LATE))
    for serial in (1, 2):
        await it.open_case(home, AWAY, serial=serial)
    assert (await it.feed(late)).upto == 4
    await it.open_case(home, LATE, serial=3)
    assert [(await it.feed(late, cursor)).upto for cursor in (0, 4, 5, 6)] == [4, 5, 6, 6]
    heard: Any = Heard(it.store)
    filled = Feed(heard, it.broker._sequencer, it.broker._prover)
    for machine, cursor, joined in (
        (away, 0, [(AWAY, 0, 1)]),
        (late, 6, [(LATE, 6, 6)]),
        (late, 0, [(LATE, 0, 6), (LATE, 0, 4)]),
    ):
        heard.asked.clear()
        certificate = it.broker.directory.device(machine.device)
        await filled.fill(certificate, it.broker.directory, FeedFrom(cursor, 9, 0), 6)
        assert heard.of("joined") == joined
