"""A key that is renewed while an emergency lasts."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, SKOPJE, until
from tests.client.test_assigning import renewed
from tests.client.test_emergencies import asked, cases, night, readings


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


async def test_a_renewed_key_ends_no_emergency_and_no_reason(place: Site) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    officer = await night(place, belgrade)
    for _ in "ab":
        await place.broker.take(place.network.enrol(BELGRADE, ("field",)))
    [number] = await cases(skopje, officer)
    assert await asked(belgrade, officer, number) == [(number, officer.officer)]
    await until(lambda: officer.duty.emergencies.list()[0].state == "opened", officer)
    await officer.read(f"{number}#1")
    await renewed(place, number, skopje, belgrade, 2)
    await until(lambda: len(officer.cases.show(number).objects) == 3, officer)
    # He had it: his reason is due, whatever became of the key.
    assert [one.state for one in officer.duty.emergencies.list()] == ["opened"]
    assert await belgrade.duty.assigning.look() == [(number, officer.officer)]
    await until(lambda: officer.cases.show(number).readable, officer)
    await officer.read(f"{number}#3")  # the notice was entered, too
    assert [row.emergency for row in await readings(belgrade, officer)] == [
        True
    ] * 3  # the notice, too
    await renewed(place, number, skopje, belgrade, 3)
    await officer.duty.emergencies.reason(number, "the lorry was at the ramp")
    assert (await belgrade.audit.verdict()).emergencies[0].reason_at is not None
    # A keyholder who assigns it by hand ends it, as ever.
    assert await belgrade.duty.assigning.look() == [(number, officer.officer)]
    await belgrade.cases.assign(number, officer.officer)
    await until(lambda: len(officer.cases.show(number).objects) == 4, officer)
    await officer.sync()
    await officer.read(f"{number}#4")
    marked = [row.emergency for row in await readings(belgrade, officer)]
    assert (marked[:2], marked[-1]) == ([True, True], False)
