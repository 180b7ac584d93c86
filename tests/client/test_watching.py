"""The watch: bodies open as they come, while it lasts, and under nothing else."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from seefen.client import Client
from seefen.protocol.errors import RefusedError
from seefen.protocol.frames import Released
from seefen.server.high_water import HighWater, Times
from seefen.server.rows import Heads
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, alert, channel, deaf, spoil, until
from tests.support import waiting


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


async def on_watch(place: Site) -> tuple[Client, Client]:
    skopje, belgrade = await channel(place, BELGRADE), await place.client(BELGRADE)
    await until(belgrade.channels.list, belgrade)
    await belgrade.watch.on(**WHY)
    return skopje, belgrade


def fetched(client: Client) -> list[bool]:
    return [one.fetched for one in client.alerts.list()]


async def test_an_alert_opens_as_it_comes(place: Site) -> None:
    skopje, belgrade = await on_watch(place)
    await skopje.alerts.send(alert(), CHANNEL)

    await waiting.until(lambda: fetched(belgrade) == [True])
    assert belgrade.alarm is None


async def test_fault_27_a_slow_mark_keeps_no_key_from_who_is_on_watch(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one group is pushed the next one is committed: its head is not signed yet."""
    advance = HighWater.advance

    def slowly(mark: HighWater, heads: Heads, times: Times) -> None:
        time.sleep(0.1)
        advance(mark, heads, times)

    skopje, belgrade = await on_watch(place)
    deaf(skopje)
    monkeypatch.setattr(HighWater, "advance", slowly)
    sends = [skopje.alerts.send(alert(), CHANNEL) for _ in range(4)]
    await asyncio.gather(*sends)
    await waiting.until(lambda: fetched(belgrade) == [True] * 4)


async def test_a_watch_that_has_ended_opens_nothing(place: Site) -> None:
    skopje, belgrade = await on_watch(place)
    belgrade._engine.vault.run("UPDATE access SET until = 1")
    await skopje.alerts.send(alert(), CHANNEL)

    await waiting.until(belgrade.alerts.list)
    await belgrade.sync()
    assert fetched(belgrade) == [False]
    assert belgrade.watch.list() == []


async def test_a_release_under_a_watch_that_was_never_asked_for_is_an_alarm(place: Site) -> None:
    skopje, belgrade = await on_watch(place)
    belgrade._engine.vault.run("DELETE FROM access")
    await skopje.alerts.send(alert(), CHANNEL)

    await waiting.until(lambda: "names no watch" in (belgrade.alarm or ""))
    assert fetched(belgrade) == [False]


async def test_off_watch_nothing_opens_until_he_is_on_again(place: Site) -> None:
    skopje, belgrade = await on_watch(place)
    belgrade.watch.off()
    await skopje.alerts.send(alert(), CHANNEL)
    await waiting.until(belgrade.alerts.list)
    await belgrade.sync()
    assert fetched(belgrade) == [False]

    await belgrade.watch.on(**WHY)
    assert fetched(belgrade) == [True]


async def test_a_push_for_what_is_not_stored_yet_comes_by_the_feed(place: Site) -> None:
    skopje, belgrade = await on_watch(place)
    connection: Any = belgrade._engine.connection
    take, dropped = connection.pushed, list[object]()
    connection.pushed = dropped.append
    await skopje.alerts.send(alert(), CHANNEL)
    await waiting.until(lambda: dropped)
    connection.pushed = take
    await skopje.alerts.send(alert(), CHANNEL)

    await waiting.until(lambda: sorted(fetched(belgrade)) == [False, True])
    await belgrade.watch.on(**WHY)
    assert fetched(belgrade) == [True, True]
    assert belgrade.alarm is None


async def test_what_came_while_nothing_ran_opens_under_the_watch_at_the_next_command(
    place: Site,
) -> None:
    skopje = await channel(place, BELGRADE)
    async with place.briefly(BELGRADE) as belgrade:
        await until(belgrade.channels.list, belgrade)
        await belgrade.watch.on(**WHY)
    for _ in range(2):
        await skopje.alerts.send(alert(), CHANNEL)

    async with place.briefly(BELGRADE) as belgrade:
        assert fetched(belgrade) == [True, True]
        assert belgrade.check("\u0421-84417").count == 2
        entries = _accesses(belgrade)
        told = await _events(belgrade)
    assert [one for one in told if one[0] == "opened"] == [
        ("opened", f"{CHANNEL}#1"),
        ("opened", f"{CHANNEL}#2"),
    ]
    assert len(entries) == 2  # what came together has one entry
    async with place.briefly(BELGRADE) as belgrade:
        assert _accesses(belgrade) == entries


async def test_what_does_not_open_is_asked_for_once_a_watch(place: Site) -> None:
    skopje = await channel(place, BELGRADE)
    belgrade = await place.client(BELGRADE)
    await until(belgrade.channels.list, belgrade)
    await belgrade.watch.on(**WHY)
    deaf(belgrade)
    await skopje.alerts.send(alert(), CHANNEL)
    before = len(_accesses(belgrade))
    spoil(belgrade, "access", _keyless)
    for _ in range(3):
        await belgrade.sync()
    assert fetched(belgrade) == [False]
    assert len(_accesses(belgrade)) == before + 1

    await belgrade.watch.on(**WHY)
    assert fetched(belgrade) == [True]


def _keyless(released: Released) -> Released:
    return replace(released, keys=())


async def test_who_is_off_watch_opens_nothing_and_is_told_what_lies_here(place: Site) -> None:
    skopje = await channel(place, BELGRADE)
    await skopje.alerts.send(alert(), CHANNEL)
    await skopje.alerts.send(alert(), CHANNEL)
    belgrade = await place.client(BELGRADE)
    await until(lambda: len(fetched(belgrade)) == 2, belgrade)

    found = belgrade.check("\u0421-84417", **WHY)
    assert found.count == 0
    assert (found.unopened.alerts, found.unopened.messages) == (2, 0)
    assert found.unopened.alert == f"{CHANNEL}#2"
    assert not found.unopened.watched
    assert belgrade.search("zastava").unopened == found.unopened
    await skopje.amend.recall(f"{CHANNEL}#1", "wrong_data")
    await until(lambda: belgrade.watch.unopened().alerts == 1, belgrade)
    await belgrade.watch.on(**WHY)
    assert belgrade.watch.unopened().alerts == 0


async def test_what_was_replaced_or_taken_back_is_nothing_that_was_never_opened(
    place: Site,
) -> None:
    skopje = await channel(place, BELGRADE)
    belgrade = await place.client(BELGRADE)

    async def left(count: int) -> tuple[int, int, str, str]:
        await until(lambda: len(belgrade.cases.show(CHANNEL).objects) == count, belgrade)
        found = belgrade.watch.unopened()
        return found.alerts, found.messages, found.alert, found.message

    await until(belgrade.channels.list, belgrade)
    await skopje.alerts.send(replace(alert(), status="preliminary"), CHANNEL)
    newest = str((await skopje.amend.confirm(f"{CHANNEL}#1")).ref)
    assert await left(2) == (1, 0, newest, "")
    put_right = str((await skopje.amend.correct(newest, "misread")).ref)
    assert await left(3) == (1, 1, newest, put_right)
    recall = str((await skopje.amend.recall(newest, "wrong_data")).ref)
    assert await left(4) == (0, 1, "", recall)
    await skopje.requests.withdraw(recall, "It was right after all")
    assert (await left(5))[::2] == (1, newest)
    await belgrade.read(newest, **WHY, accept=True)
    assert belgrade.watch.unopened().alerts == 0


def _accesses(client: Client) -> list[int]:
    return [row[0] for row in client._engine.vault.run("SELECT idx FROM access ORDER BY idx")]


async def test_the_end_of_a_watch_is_told_before_and_after(place: Site) -> None:
    _, belgrade = await on_watch(place)
    engine = belgrade._engine
    assert list(belgrade.watch.ending()) == []

    engine.vault.run("UPDATE access SET until = ?", engine.now() + 600)
    (soon,) = belgrade.watch.ending()
    assert f"your watch in {CHANNEL} ends in 10 min" in soon
    assert list(belgrade.watch.ending()) == []

    engine.vault.run("UPDATE access SET until = ?", engine.now() - 1)
    (over,) = belgrade.watch.ending()
    assert f"your watch in {CHANNEL} has ended" in over
    assert list(belgrade.watch.ending()) == []

    await belgrade.watch.on(**WHY)
    assert list(belgrade.watch.ending()) == []
    engine.vault.run("UPDATE access SET until = ?", engine.now() + 600)
    belgrade.watch.off()
    assert list(belgrade.watch.ending()) == [], "who went off watch waits for nothing"


async def test_who_follows_is_told_when_the_broker_is_back(place: Site) -> None:
    _, belgrade = await on_watch(place)
    heard = list[str]()

    async def follow() -> None:
        heard.extend([event.what async for event in belgrade.events()])

    following = asyncio.create_task(follow())
    await asyncio.sleep(0)
    for line in place.broker.services.lines.of(belgrade._engine.keys.device):
        line.end(1001, "stopping", "the broker stops")
    await waiting.until(lambda: not belgrade.online)
    await waiting.until(lambda: belgrade.online)
    belgrade.end_events()
    await following
    assert heard.index("bye") < heard.index("closed") < heard.index("back")


async def test_a_device_that_opens_no_alerts_is_on_no_watch(place: Site) -> None:
    await channel(place, BELGRADE)
    await place.broker.take(place.network.enrol(BELGRADE, ("auditor",)))
    auditor = await place.client(BELGRADE, "auditor", nth=1)
    with pytest.raises(RefusedError, match="opens no alerts") as caught:
        await auditor.watch.on(**WHY)
    assert caught.value.rule == "roles"
    assert auditor.watch.list() == []


async def _events(client: Client) -> list[tuple[str, str]]:
    client.end_events()
    return [(event.what, event.ref) async for event in client.events()]


async def test_there_is_no_watch_where_there_is_no_channel(place: Site) -> None:
    belgrade = await place.client(BELGRADE)
    with pytest.raises(RefusedError) as caught:
        await belgrade.watch.on(**WHY)

    assert caught.value.rule == "no-channel"
