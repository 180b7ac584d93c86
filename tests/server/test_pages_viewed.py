"""Pages of what a view shows: just its period, however little is looked through for a page."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from seefen.protocol.frames import CaseFrom, LogFrom, ViewFrom
from seefen.protocol.ledger.record import decode_core
from seefen.protocol.statements import View
from seefen.server import pages
from seefen.server.pages import Pages
from seefen.server.retention import EraseJob
from seefen.server.rows import LeafRow
from tests.support import casework
from tests.support.judge import LAB, OWNER, PARTNER
from tests.support.served import Served, served
from tests.support.store import Heard

BLANK = (3, 6)


@pytest.fixture
async def it() -> AsyncIterator[Served]:
    """Entries 0 to 7, ten seconds apart but for two pairs; two have no text any more."""
    async with served(OWNER, PARTNER, LAB) as it:
        owner, partner = it.network.of(OWNER), it.network.of(PARTNER)
        case = await it.open_case(owner, PARTNER)
        it.network.at += 10
        object_ = await it.message(owner, case)
        await it.ask(partner, casework.access(it.network, partner, case, object_))
        it.network.at += 10
        await it.open_case(partner, OWNER)
        it.network.at += 10
        await it.ask(partner, casework.access(it.network, partner, case, object_))
        it.network.at += 10
        await it.message(owner, case)
        async with it.database() as connection:
            await connection.execute(
                "UPDATE activity_leaf SET core = '' WHERE idx = ANY($1::bigint[])", list(BLANK)
            )
        yield it


def view(it: Served, of: str = "", since: int = 0, upto: int = 0) -> View:
    return it.network.view(it.network.of(LAB), of, it.network.of(LAB).sign, since=since, upto=upto)[
        0
    ]


async def shown(it: Served, view: View, size: int, limit: int) -> list[int]:
    """Follow the pages of a view to the end; each goes on, and not farther than it looks."""
    found: list[int] = []
    start = 0
    while start < size:
        items, upto = await it.broker._pages.viewed(view, ViewFrom(view.of, start, limit, 0), size)
        assert start < upto <= size
        assert len(items) <= limit
        for item in items:
            assert start <= item.entry.index < upto
            assert item.envelope == b""
        found += [item.entry.index for item in items]
        start = upto
    return found


def since(rows: list[LeafRow], at: int) -> int:
    """Say it the long way: behind the last whose text tells an earlier time."""
    told = [row.idx for row in rows if row.core and decode_core(row.core).at < at * 1000]
    return told[-1] + 1 if told else 0


@pytest.mark.parametrize("window", [1, 2, 1 << 17])
async def test_a_view_shows_its_period_and_nothing_else_whatever_has_no_text(
    it: Served, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "WINDOW", window)
    rows = await it.store.activity(0, 8)
    for of in ("", PARTNER):
        own = {row.idx for row in (rows if not of else await it.store.entitled(of, 0, 8, 8))}
        assert 0 < len(own) <= len(rows)
        for begins in (0, *range(it.network.at - 45, it.network.at + 10, 5)):
            for ends in (0, begins, begins + 5, begins + 25):
                period = range(since(rows, begins), since(rows, ends) if ends else 8)
                found = await shown(it, view(it, of, begins, ends), 8, limit=2)
                assert found == [idx for idx in period if idx in own]


async def test_a_view_of_a_shorter_log_shows_that(it: Served) -> None:
    for size in range(8):
        assert await shown(it, view(it), size, limit=8) == [*range(size)]
        # What has no text counts to what comes after it, and that is not there yet.
        late = await shown(it, view(it, since=it.network.at + 1), size, limit=8)
        assert late == [idx for idx in BLANK if idx == size - 1]


async def test_one_page_tells_how_far_it_is_all_there_is(
    it: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ends(view: View, start: int, limit: int = 8) -> int:
        return (await it.broker._pages.viewed(view, ViewFrom(view.of, start, limit, 0), 8))[1]

    at = it.network.at
    assert await ends(view(it), 0) == 8
    assert await ends(view(it), 0, limit=3) == 3
    assert await ends(view(it), 11) == 11, "nobody is sent back"
    early = view(it, upto=at - 25)  # entries 0 to 3
    assert await ends(early, 0) == 8, "behind its period there is nothing to ask for"
    monkeypatch.setattr(pages, "WINDOW", 2)
    assert await ends(view(it), 1) == 3
    assert await ends(early, 0) == 2
    late = view(it, since=at)
    assert await ends(late, 0) == 8, "before its period there is nothing to look through"


async def test_erasures_are_those_that_stand_in_the_log_that_is_shown(it: Served) -> None:
    for _ in range(2):
        await it.broker._sequencer.write(EraseJob(0, 0, 1, 0))
    for size, expected in ((8, []), (9, [8]), (10, [8, 9])):
        items, upto = await it.broker._pages.erased(size)
        assert ([item.entry.index for item in items], upto) == (expected, size)
        head = it.broker.heads.activity.size
        assert all(bool(item.entry.proof) == (size <= head) for item in items)


# --- what is asked of the database ----------------------------------------------------------


async def test_attack_50_many_who_ask_for_much_are_read_a_piece_at_a_time(
    it: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of thousands of rows of 256 KiB, read whole for each of many, is all memory."""
    monkeypatch.setattr(pages, "PIECE", 2)
    heard: Any = Heard(it.store)
    filled = Pages(heard, it.broker._prover)
    leaves = it.network.directory.size
    case = (await it.store.activity(0, 1))[0].case
    everything = ViewFrom("", 0, 100, 0)
    assert len(await filled.authority(None, start=0, stop=leaves)) == leaves
    for who, ask, count in (
        (PARTNER, LogFrom(0, 100, 0), 4),
        (OWNER, CaseFrom(case, 0, 100, 0), 2),
        (view(it), everything, 8),
        (view(it, PARTNER), everything, 4),
    ):
        assert len((await filled.audit(who, ask, 8))[0]) == count
    read = {"authority", "entitled", "readings", "activity"}
    assert {verb for verb, _, _ in heard.asked} == read
    for verb, arguments, count in heard.asked:
        assert arguments[-1] == 2, verb
        assert count <= 2, verb


async def test_a_page_asks_for_what_it_shows_and_for_nothing_else(it: Served) -> None:
    heard: Any = Heard(it.store)
    filled = Pages(heard, it.broker._prover)
    device = it.network.of(PARTNER).device
    items = await filled.authority(device, start=3, stop=5)
    assert len(items) == 2
    assert not any(item.wraps for item in items)
    assert heard.asked == [("authority", (3, 5, 2), 2)], "no wraps, where none is for it"


async def test_where_a_period_begins_is_found_by_halving(it: Served) -> None:
    """Each step is a question to the database: of a billion entries there are thirty."""
    for begins in range(it.network.at - 45, it.network.at + 5, 5):
        heard: Any = Heard(it.store)
        await Pages(heard, it.broker._prover)._since(begins, 8)
        assert 1 <= len(heard.asked) <= 4
