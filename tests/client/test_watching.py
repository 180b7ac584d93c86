"""The watch: bodies open as they come, while it lasts, and under nothing else."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from seefen.client import Client
from seefen.protocol.errors import RefusedError
from seefen.server.high_water import HighWater
from seefen.server.rows import Heads
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, alert, channel, deaf, until
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

    def slowly(mark: HighWater, heads: Heads) -> None:
        time.sleep(0.1)
        advance(mark, heads)

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


async def test_there_is_no_watch_where_there_is_no_channel(place: Site) -> None:
    belgrade = await place.client(BELGRADE)
    with pytest.raises(RefusedError) as caught:
        await belgrade.watch.on(**WHY)

    assert caught.value.rule == "no-channel"
