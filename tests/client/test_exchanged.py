"""What was pushed into a wire on which nothing comes any more is fetched on the next one."""

from pathlib import Path

import pytest

from seefen.client import client, wire
from seefen.protocol.frames import AuthorityPage, LogFrom
from tests.client.proxied import proxied
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, alert, channel
from tests.support.waiting import until


async def test_an_alert_that_was_pushed_into_a_dead_wire_comes_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "QUIET", 0.5)
    monkeypatch.setattr(client, "LOOK", 10_000)  # it is not the look of each minute
    async with proxied(tmp_path, SKOPJE, BELGRADE) as (place, proxy):
        skopje, belgrade = await channel(place, BELGRADE), await place.client(BELGRADE)
        await belgrade.sync()
        proxy.silence()
        await skopje.alerts.send(alert(), CHANNEL)
        assert belgrade.alerts.list() == []
        await belgrade._engine.connection.request("authority", LogFrom(0, 1, 0), AuthorityPage)
        assert belgrade._engine.connection.exchanged == 1
        await until(lambda: bool(belgrade.alerts.list()))
