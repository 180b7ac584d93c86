"""Casework: names, numbers and titles of cases and channels."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from seefen.protocol.errors import RefusedError
from tests.client.homes import Site, site
from tests.client.scenes import (
    BELGRADE,
    CHANNEL,
    PRISTINA,
    SKOPJE,
    alert,
    channel,
    deaf,
    until,
)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE, PRISTINA) as place:
        yield place


async def test_nobody_takes_over_a_channel_by_opening_one_of_its_name(place: Site) -> None:
    # An alert must go to whom the officer thinks it goes.
    await channel(place, BELGRADE)
    pristina, belgrade = await place.client(PRISTINA), await place.client(BELGRADE)
    await until(lambda: len(belgrade.channels.list()) == 1, belgrade)
    await pristina.channels.open(CHANNEL, [BELGRADE])
    await until(lambda: len(belgrade.channels.list()) == 2, belgrade)
    first = await belgrade.alerts.send(alert(), CHANNEL)
    second = await belgrade.alerts.send(alert(), f"{CHANNEL}@{PRISTINA}")

    assert (first.ref, second.ref) == (f"{CHANNEL}#1", f"{CHANNEL}@{PRISTINA}#1")
    owners = {view.number: view.owner for view in belgrade.channels.list()}
    assert owners == {CHANNEL: SKOPJE, f"{CHANNEL}@{PRISTINA}": PRISTINA}
    reached = belgrade.alerts.reach(f"{CHANNEL}@{PRISTINA}#1")
    assert [one.node for one in reached] == [PRISTINA]


async def test_a_second_case_from_an_alert_is_opened_by_who_means_it(place: Site) -> None:
    skopje = await channel(place, BELGRADE)
    await skopje.alerts.send(alert(), CHANNEL)
    first = await skopje.cases.open("Pistols", (BELGRADE,), f"{CHANNEL}#1")
    with pytest.raises(RefusedError, match=f"{first.number} was opened from") as refused:
        await skopje.cases.open("Pistols", (BELGRADE,), f"{CHANNEL}#1")
    assert refused.value.rule == "done"
    assert len(skopje.cases.list()) == 1
    assert (await skopje.cases.open("Two", (BELGRADE,), f"{CHANNEL}#1", again=True)).number


async def test_two_leads_at_once_get_two_numbers(place: Site) -> None:
    await place.broker.take(place.network.enrol(SKOPJE, ("keyholder", "lead")))
    one = await place.client(SKOPJE)
    two = await place.client(SKOPJE, "lead", nth=1)
    deaf(one)
    deaf(two)
    first = await one.cases.open("Operation A", [BELGRADE])
    second = await two.cases.open("Operation B", [BELGRADE])

    assert first.number != second.number
    assert two.alarm is None


async def test_who_cannot_read_a_title_does_not_change_the_members(place: Site) -> None:
    # The title is sealed anew with each change: it would be lost for everybody.
    await place.broker.take(place.network.enrol(SKOPJE, ("lead",), renew=False))
    skopje = await place.client(SKOPJE)
    case = await skopje.cases.open("Operation", [BELGRADE])
    other = await place.client(SKOPJE, "lead", nth=1)
    await until(other.cases.list, other)
    with pytest.raises(RefusedError) as caught:
        await other.cases.add(case.number, [PRISTINA])

    assert caught.value.rule == "d-no-key"
    await skopje.cases.add(case.number, [PRISTINA])
    assert skopje.cases.show(case.number).title == "Operation"


async def test_an_unknown_name_is_named(place: Site) -> None:
    skopje = await channel(place)
    for name in ("nowhere", f"{CHANNEL}@{BELGRADE}", "@", ""):
        with pytest.raises(RefusedError) as caught:
            await skopje.alerts.send(alert(), name)
        assert caught.value.rule == "unknown-case"
