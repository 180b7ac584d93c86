"""An urgent request has 8 hours; where it must be searched for, 3 days from delivery, once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from seefen.protocol.errors import RefusedError
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, PRISTINA, SKOPJE, until
from tests.client.test_requests import DAY, TRACE, asked, life


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE, PRISTINA) as place:
        yield place


async def test_what_is_urgent_and_must_be_searched_for_has_three_days_once(place: Site) -> None:
    urgent = replace(TRACE, to=(BELGRADE,), urgency="URGENT", urgency_reason="detention")
    skopje, belgrade, _, ref = await asked(place, urgent)
    started = life(belgrade, ref, BELGRADE).delivered_at
    assert started is not None
    assert life(belgrade, ref, BELGRADE).due_at == started + 8 * 3600
    await belgrade.requests.extend(ref, 3, "obtainable", "the archive is in Kragujevac")
    await until(lambda: life(skopje, ref, BELGRADE).state == "taken", skopje)
    for client in (skopje, belgrade):  # both see the new clock, and its ground
        assert life(client, ref, BELGRADE).due_at == started + 3 * DAY
        assert "must be searched for" in life(client, ref, BELGRADE).said
    with pytest.raises(RefusedError) as twice:
        await belgrade.requests.extend(ref, 3, "obtainable")
    assert twice.value.rule == "not-later"
    with pytest.raises(RefusedError) as longer:
        await belgrade.requests.extend(ref, 4, "obtainable")
    assert longer.value.rule == "obtainable"


async def test_what_is_not_urgent_has_its_seven_days_anyway(place: Site) -> None:
    _, belgrade, _, ref = await asked(place)
    with pytest.raises(RefusedError) as refused:
        await belgrade.requests.extend(ref, 3, "obtainable")
    assert refused.value.rule == "not-urgent"
