"""The journal: written down before anything is shown, told to the log in order, and once."""

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from seefen.client import Client, journal
from seefen.client.connection import UnreachableError
from seefen.client.engine import Engine
from seefen.client.findings import AuditRow
from seefen.client.values import Found
from seefen.protocol.envelope import Opened
from seefen.protocol.errors import RefusedError
from seefen.protocol.frames import AuditPage
from seefen.protocol.ledger.record import decode_core, encode_core
from seefen.protocol.search import QUERY_LIMIT
from seefen.protocol.statements import Statement
from tests.client.homes import Site
from tests.client.proxied import proxied
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, alert, channel, honest, spoil, until
from tests.support.faultproxy import Bad, FaultProxy

HOUR = 3600


@dataclass
class Line:
    """A broker, and the line that its devices use."""

    place: Site
    proxy: FaultProxy

    def down(self) -> None:
        self.proxy.bad = Bad(down=True)
        self.proxy.cut()

    def up(self) -> None:
        self.proxy.bad = Bad()


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[Line]:
    async with proxied(tmp_path, SKOPJE, BELGRADE) as (place, proxy):
        yield Line(place, proxy)


def clock(ahead: float) -> Callable[[Engine], int]:
    """Return the clock of a device that is some seconds ahead."""

    def now(_: Engine) -> int:
        return int(time.time() + ahead)

    return now


async def searched(auditor: Client) -> list[AuditRow]:
    """Return the searches that an auditor is shown, every one proved."""
    rows = [row for row in await auditor.audit.list() if row.what == "searched"]
    assert all(row.proved for row in rows), [row.problem for row in rows]
    return rows


def queries(rows: list[AuditRow]) -> list[str]:
    """Return what was looked for, as the auditor reads it."""
    return [one.query for row in rows if row.search is not None for one in row.search.sought or ()]


# --- an officer's search ------------------------------------------------------------


async def test_a_search_stands_in_the_log_and_its_own_auditors_read_what_for(line: Line) -> None:
    skopje, belgrade = await channel(line.place, BELGRADE), await line.place.client(BELGRADE)
    await skopje.alerts.send(alert(), CHANNEL)
    found = skopje.check("C-84417", **WHY, reason="a call")
    assert found.look_alike
    assert skopje.journal.waiting == 1, "it is written down before it is shown"
    entry = await skopje.journal.upload()
    assert entry is not None
    assert skopje.journal.waiting == 0
    skopje.search("zastava")  # purpose and basis hold for the shift
    other = await skopje.journal.upload()
    assert other is not None
    assert other > entry
    sent = await skopje.alerts.send(alert(), CHANNEL)  # numbers go on behind it
    assert sent.ref == f"{CHANNEL}#2"
    first, second = await searched(skopje)
    assert (first.index, first.officer, first.node) == (entry, skopje.officer, SKOPJE)
    assert (first.purpose, first.basis, first.reason) == ("detection", "pcc-see", "a call")
    assert first.search is not None
    assert not first.search.automated
    assert abs(first.search.made_at - time.time()) < 60
    told = [(one.what, one.query, one.results) for one in first.search.sought or ()]
    assert told == [("mark", "C-84417", 1)]
    assert queries([second]) == ["zastava"]
    verdict = await skopje.audit.verdict()
    assert (verdict.ok, verdict.searches, verdict.cross_checks) == (True, 2, 0)
    # The other node, whose auditors see all else in the channel, hears of none.
    assert await searched(belgrade) == []
    theirs = await belgrade.audit.verdict()
    assert (theirs.ok, theirs.searches, theirs.gaps) == (True, 0, ())
    assert (await skopje.audit.verify()).problems == ()


async def test_nothing_is_shown_that_could_not_be_written_down(line: Line) -> None:
    skopje = await channel(line.place, BELGRADE)
    await skopje.alerts.send(alert(), CHANNEL)
    skopje.search("zastava", **WHY)
    db: Any = skopje._engine.vault._db
    db.pragma("max_page_count", db.pragma("page_count"))  # the disk is full

    def search_on() -> None:
        for _ in range(200):  # until the last free page is used
            assert skopje.search("zastava", "trace", "pcc-see", "x" * 1900).views

    with pytest.raises(RefusedError) as caught:
        search_on()
    assert caught.value.rule == "disk"
    for shown in (lambda: skopje.check("C-84417"), lambda: skopje.search("zastava")):
        with pytest.raises(RefusedError):
            shown()
    waiting = skopje.journal.waiting
    db.pragma("max_page_count", 1_000_000)
    assert skopje.search("zastava").views
    await skopje.journal.upload(patience=60)
    assert len(await searched(skopje)) == waiting + 1


async def test_what_cannot_be_looked_for_is_no_search(line: Line) -> None:
    skopje = await line.place.client(SKOPJE)
    with pytest.raises(RefusedError) as caught:
        skopje.check("C-84417")
    assert caught.value.rule == "purpose-needed"
    for text, rule in (("ab", "short"), ("x" * (QUERY_LIMIT + 1), "long")):
        with pytest.raises(RefusedError) as caught:
            skopje.search(text, **WHY)
        assert caught.value.rule == rule
    assert skopje.journal.waiting == 0


async def test_who_is_on_watch_searches_for_the_same_purpose(line: Line) -> None:
    skopje = await channel(line.place, BELGRADE)
    await skopje.watch.on(**WHY)
    skopje.check("C-84417")
    skopje.check("C-84417", "trace", "mla")
    await skopje.watch.on(**WHY)
    skopje.check("C-84417")  # what was stated for searches holds on
    await skopje.journal.upload()
    entered = [(row.purpose, row.basis) for row in await searched(skopje)]
    assert list(dict.fromkeys(entered)) == [(WHY["purpose"], WHY["basis"]), ("trace", "mla")]


async def test_another_module_enters_its_own_way_with_one_call(line: Line) -> None:
    skopje = await line.place.client(SKOPJE)
    result = Found((), (), more=False, searched=3, closed=0)
    why = ("prosecution", "mla", "")
    assert skopje.journal.search("links", "C-84417", lambda: result, why) is result
    assert await skopje.journal.upload() is not None
    (row,) = await searched(skopje)
    assert row.search is not None
    assert [one.what for one in row.search.sought or ()] == ["links"]
    assert (row.purpose, row.basis) == ("prosecution", "mla")


# --- without the broker -------------------------------------------------------------


async def test_without_the_broker_it_waits_and_leaves_in_order(line: Line) -> None:
    skopje = await channel(line.place, BELGRADE)
    line.down()
    words = [f"wort{n}" for n in range(60)]  # more than one bundle takes
    for word in words:
        skopje.search(word, **WHY)
        assert await skopje.journal.upload() is None
    line.up()
    await until(lambda: not skopje.journal.waiting, skopje)
    rows = await searched(skopje)
    assert queries(rows) == words
    assert [row.search.count for row in rows if row.search] == [1] * len(words)
    assert (await skopje.audit.verdict()).ok


async def test_it_outlives_the_process_that_wrote_it(line: Line) -> None:
    async with line.place.briefly(SKOPJE) as skopje:
        line.down()
        skopje.search("milosh", **WHY)
    line.up()
    async with line.place.briefly(SKOPJE) as again:
        await until(lambda: not again.journal.waiting, again)
        assert queries(await searched(again)) == ["milosh"]


async def test_a_lost_answer_is_one_entry(line: Line) -> None:
    skopje = await line.place.client(SKOPJE)

    def lost(_: object) -> object:
        raise UnreachableError("the answer was cut", rule="broker")

    spoil(skopje, "send", lost)
    skopje.search("milosh", **WHY)
    assert await skopje.journal.upload() is None
    assert skopje.journal.waiting == 1
    skopje.search("trajanov")
    assert await skopje.journal.upload() is not None
    assert queries(await searched(skopje)) == ["milosh", "trajanov"]


async def test_an_officer_does_not_wait_long_for_a_silent_line(line: Line) -> None:
    skopje = await line.place.client(SKOPJE)
    line.proxy.silence()
    skopje.search("milosh", **WHY)
    began = time.monotonic()
    assert await skopje.journal.upload(patience=0.3) is None
    assert time.monotonic() - began < 10
    line.proxy.cut()
    await until(lambda: not skopje.journal.waiting, skopje)
    assert queries(await searched(skopje)) == ["milosh"]


async def test_searching_is_lent_for_72_hours(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    skopje = await line.place.client(SKOPJE)
    line.down()

    def after(hours: float) -> None:
        monkeypatch.setattr(Engine, "now", clock(hours * HOUR))

    after(71)
    skopje.search("milosh", **WHY)
    for hours, rule in ((73.0, "lease"), (-1.0, "a-clock"), (70.0, "a-clock")):
        after(hours)
        with pytest.raises(RefusedError) as caught:
            skopje.search("milosh", **WHY)
        assert caught.value.rule == rule
    assert skopje.journal.waiting == 1
    after(73)
    line.up()
    await until(lambda: not skopje.journal.waiting, skopje)
    monkeypatch.undo()
    skopje.search("milosh", **WHY)


# --- cross-checks ---------------------------------------------------------------------


async def test_cross_checks_are_automated_and_stand_together(line: Line) -> None:
    skopje, belgrade = await channel(line.place, BELGRADE), await line.place.client(BELGRADE)
    for _ in range(3):
        await skopje.alerts.send(alert(), CHANNEL)
    await until(lambda: len(belgrade.alerts.list()) == 3, belgrade)
    for n in (1, 2, 3, 1):  # one line for a message and shift
        await belgrade.alerts.show(f"{CHANNEL}#{n}", **WHY)
    await belgrade.sync()
    assert belgrade.journal.waiting == 3, "they wait for others"
    await belgrade.journal.upload()
    (row,) = await searched(belgrade)
    assert row.search is not None
    assert (row.search.automated, row.search.count, row.purpose) == (True, 3, "cross-check")
    assert row.basis == WHY["basis"]
    found = [(one.query, one.results) for one in row.search.sought or ()]
    assert found == [(f"{CHANNEL}#1", 0), (f"{CHANNEL}#2", 1), (f"{CHANNEL}#3", 2)]
    verdict = await belgrade.audit.verdict()
    assert (verdict.ok, verdict.searches, verdict.cross_checks) == (True, 0, 3)


async def test_they_leave_when_the_oldest_is_old_or_many_wait(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade = await channel(line.place, BELGRADE), await line.place.client(BELGRADE)
    for _ in range(3):
        await skopje.alerts.send(alert(), CHANNEL)
    await until(lambda: len(belgrade.alerts.list()) == 3, belgrade)
    await belgrade.alerts.show(f"{CHANNEL}#1", **WHY)
    await belgrade.sync()
    assert belgrade.journal.waiting == 1
    with monkeypatch.context() as later:
        later.setattr(Engine, "now", clock(journal.BATCH))
        await belgrade.sync()
    assert belgrade.journal.waiting == 0
    monkeypatch.setattr(journal, "TOGETHER", 2)
    await belgrade.alerts.show(f"{CHANNEL}#2", **WHY)
    await belgrade.sync()
    assert belgrade.journal.waiting == 1
    await belgrade.alerts.show(f"{CHANNEL}#3", **WHY)
    await belgrade.sync()
    assert belgrade.journal.waiting == 0
    counts = [row.search.count for row in await searched(belgrade) if row.search]
    assert counts == [1, 2]


async def test_a_cross_check_that_cannot_be_written_down_is_not_shown(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade = await channel(line.place, BELGRADE), await line.place.client(BELGRADE)
    await skopje.alerts.send(alert(), CHANNEL)
    await until(belgrade.alerts.list, belgrade)

    def full(_: journal.Journal, __: journal.Line) -> int:
        raise RefusedError("the vault cannot be written: make room on the disk", rule="disk")

    with monkeypatch.context() as small:
        small.setattr(journal.Journal, "_write", full)
        with pytest.raises(RefusedError) as caught:
            await belgrade.alerts.show(f"{CHANNEL}#1", **WHY)
    assert caught.value.rule == "disk"
    assert (await belgrade.alerts.show(f"{CHANNEL}#1")).known == ()
    assert belgrade.journal.waiting == 1


# --- a broker that lies -----------------------------------------------------------------


async def test_attack_a_search_is_laid_to_another_purpose_or_left_out(line: Line) -> None:
    skopje = await line.place.client(SKOPJE)
    for word in ("milosh", "trajanov"):
        skopje.search(word, **WHY)
    await skopje.journal.upload(patience=60)

    def other(page: AuditPage) -> AuditPage:
        item, *rest = page.items
        core = replace(decode_core(item.entry.core), purpose="prosecution")
        entry = replace(item.entry, core=encode_core(core))
        return replace(page, items=(replace(item, entry=entry), *rest))

    def fewer(page: AuditPage) -> AuditPage:
        return replace(page, items=page.items[1:])

    for lie in (other, fewer):
        spoil(skopje, "audit", lie, once=False)
        verdict = await skopje.audit.verdict()
        assert not verdict.ok
        assert verdict.problems or verdict.gaps
        honest(skopje)
    assert (await skopje.audit.verdict()).ok


async def test_attack_an_officer_and_the_broker_enter_many_searches_as_one(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje = await line.place.client(SKOPJE)
    for word in ("milosh", "trajanov"):
        skopje.search(word, **WHY)

    def always(_: list[journal.Line]) -> bool:
        return True

    def unheard(opened: Opened, *_: object) -> Statement:
        """Let everything pass, as a broker would that takes part in it."""
        return opened.statement

    with monkeypatch.context() as together:
        together.setattr(journal, "_together", always)
        await skopje.journal.upload(patience=60)
        assert skopje.journal.waiting == 2, "an honest broker refuses it, and nothing is lost"
        assert "entry of its own" in str(skopje.alarm)
        together.setattr("seefen.server.judging.check_search", unheard)
        await skopje.journal.upload(patience=60)
    assert skopje.journal.waiting == 0
    verdict = await skopje.audit.verdict()
    assert not verdict.ok
    assert any("entry of its own" in problem for problem in verdict.problems)
