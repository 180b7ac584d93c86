"""Who may encrypt: letter (a), and a clock that is wrong."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from seefen.client import Client, keying
from seefen.protocol.errors import RefusedError
from seefen.protocol.ledger.note import Checkpoint, sign_checkpoint
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, alert, channel, spoil

DAY = 86_400


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


def shift_clock(client: Client, seconds: int) -> None:
    engine: Any = client._engine
    now = engine.now
    engine.now = lambda: now() + seconds


async def test_an_old_log_is_fetched_before_anything_is_refused(place: Site) -> None:
    skopje = await channel(place, BELGRADE)
    asked: list[str] = []

    def heard(page: object) -> object:
        asked.append("feed")
        return page

    spoil(skopje, "feed", heard, once=False)
    await skopje.alerts.send(alert(), CHANNEL)
    assert asked == []
    shift_clock(skopje, DAY // 2 + 60)
    await skopje.alerts.send(alert(), CHANNEL)

    assert asked


async def test_fault_23_nothing_is_sent_on_a_log_that_is_too_old(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    case = await skopje.cases.open("Pistols", [BELGRADE])
    shift_clock(skopje, DAY + 60)
    sent = await skopje.cases.send(case.number, "not an alert")

    assert sent.queued
    assert "clock" in str(sent.problem)
    assert len(skopje.queued()) == 1


async def test_a_clock_that_was_put_back_makes_no_log_fresh(place: Site) -> None:
    skopje = await channel(place, BELGRADE)
    shift_clock(skopje, -3600)
    with pytest.raises(RefusedError) as caught:
        keying.require_fresh_log(skopje._engine)

    assert caught.value.rule == "a-clock"


async def test_an_old_head_of_the_authority_log_alone_stops_sending(place: Site) -> None:
    # Whoever holds that log back hides a revocation, however busy the other log is.
    skopje = await channel(place, BELGRADE)
    vault = skopje._engine.vault
    kept = vault.head("authority")
    assert kept is not None
    head, _ = kept
    origin = f"{place.network.root.origin}/authority"
    checkpoint = Checkpoint(origin, head.size, head.root)
    old = sign_checkpoint(checkpoint, place.network.log_key, place.network.at - 2 * DAY)
    vault.put_head("authority", head, old)
    with pytest.raises(RefusedError) as caught:
        keying.require_fresh_log(skopje._engine)

    assert caught.value.rule == "a-stale-log"
