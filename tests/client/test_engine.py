"""The engine: what a broker withholds or spoils is named, and the rest comes in."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from seefen.client import Client
from seefen.protocol.encoding import decode, encode
from seefen.protocol.errors import SeefenError, UntrustedError
from seefen.protocol.frames import Frame, Page, Push
from tests.client.homes import Site, site
from tests.client.scenes import (
    BELGRADE,
    CHANNEL,
    PRISTINA,
    SKOPJE,
    WHY,
    alert,
    channel,
    deaf,
    honest,
    spoil,
    until,
)
from tests.support import waiting


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE, PRISTINA) as place:
        yield place


async def refused(client: Client) -> str:
    with pytest.raises(UntrustedError) as caught:
        await client.sync()
    return caught.value.rule


async def test_fault_23_a_revocation_that_is_signed_for_and_not_shown_is_named(place: Site) -> None:
    await place.broker.take(place.network.enrol(BELGRADE, ("field",)))
    skopje = await place.client(SKOPJE)
    deaf(skopje)
    size = skopje._engine.directory.size
    await place.broker.take(place.network.revoke(place.network.of(BELGRADE, "field", nth=1)))
    spoil(skopje, "authority", lambda page: replace(page, items=()), once=False)

    assert await refused(skopje) == "withheld"
    assert "withholds" in (skopje.alarm or "")
    honest(skopje)
    await skopje.sync()
    assert skopje._engine.directory.size == size + 1


async def test_leaves_nobody_signed_for_are_not_taken_in(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    deaf(skopje)
    size = skopje._engine.directory.size
    await place.broker.take(place.network.enrol(BELGRADE, ("field",)))
    spoil(skopje, "authority", lambda page: replace(page, items=(*page.items, page.items[0])))

    assert await refused(skopje) == "page"
    assert skopje._engine.directory.size == size
    await skopje.sync()
    assert skopje._engine.directory.size > size


async def test_another_page_of_the_authority_log_is_not_taken_for_ours(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    spoil(skopje, "authority", lambda page: replace(page, start=page.start + 1))

    assert await refused(skopje) == "page"


async def test_a_cursor_beyond_the_log_skips_nothing(place: Site) -> None:
    skopje, belgrade = await channel(place), await place.client(BELGRADE)
    await belgrade.sync()
    deaf(belgrade)
    spoil(belgrade, "feed", lambda page: replace(page, upto=1 << 40))
    assert await refused(belgrade) == "page"
    await skopje.alerts.send(alert(), CHANNEL)

    await until(lambda: bool(belgrade.alerts.list()), belgrade)


async def test_one_spoiled_entry_keeps_nothing_else_back(place: Site) -> None:
    skopje, belgrade = await channel(place), await place.client(BELGRADE)
    other = await skopje.cases.open("Operation", [BELGRADE])
    await belgrade.sync()
    deaf(belgrade)
    await skopje.alerts.send(alert(), CHANNEL)
    await skopje.cases.send(other.number, "all the same")

    def spoiled(page: Page) -> Page:
        first, *rest = page.items
        return replace(page, items=(replace(first, envelope=first.envelope + b"\0"), *rest))

    spoil(belgrade, "feed", spoiled)
    with pytest.raises(SeefenError):
        await belgrade.sync()
    assert len(belgrade.cases.show(other.number).objects) == 1
    assert belgrade.alerts.list() == []

    await belgrade.sync()  # the broker has repaired it
    assert [one.ref for one in belgrade.alerts.list()] == [f"{CHANNEL}#1"]


async def test_a_push_whose_key_was_missed_is_taken_from_the_feed(place: Site) -> None:
    # Taken alone it would break a rule, be counted as refused, and never be seen again.
    skopje, belgrade = await channel(place), await place.client(BELGRADE)
    await belgrade.sync()
    connection: Any = belgrade._engine.connection
    take, held = connection.pushed, list[Frame]()
    connection.pushed = held.append
    await skopje.channels.remove(CHANNEL, [PRISTINA])
    await skopje.alerts.send(alert(), CHANNEL)

    def kinds() -> list[str]:
        return [decode(f.body, Push, limit=1 << 23).item.kind for f in held if f.verb == "push"]

    await waiting.until(lambda: "object" in kinds())
    take(held[-1])
    await waiting.until(belgrade.alerts.list)
    assert belgrade.alarm is None
    assert (await belgrade.alerts.show(f"{CHANNEL}#1", **WHY)).message


async def test_a_push_that_says_nothing_true_is_an_alarm_and_no_more(place: Site) -> None:
    belgrade = await place.client(BELGRADE)
    belgrade._engine.connection.pushed(Frame(0, "push", encode(["nothing"])))
    async with asyncio.timeout(5):
        async for event in belgrade.events():
            if event.what == "alarm":
                break

    await belgrade.sync()
