"""Heads that others saw, against a real broker: a fork ends where its sides hear each other."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from seefen.client.sender import Parcel
from seefen.protocol.statements import Head
from tests.client.homes import Site, site

SKOPJE, BELGRADE = "skopje-border", "belgrade-ffp"
OTHER = bytes(range(32))


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


async def test_what_was_written_under_our_log_raises_no_alarm(place: Site) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    case = await skopje.cases.open("Pistols", [BELGRADE])
    await skopje.cases.send(case.number, "one")
    await belgrade.sync()
    assert belgrade.alarm is None


async def test_attack_09_two_logs_meet_in_a_message(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    case = await skopje.cases.open("Pistols", [BELGRADE])
    await skopje.cases.send(case.number, "one")
    honest = Parcel.activity

    def elsewhere(self: Parcel, *args: Any, **fields: Any) -> Any:
        # What a device signs to which the broker has shown another log of this size.
        statement = honest(self, *args, **fields)
        return replace(statement, activity=Head(statement.activity.size, OTHER))

    with monkeypatch.context() as patched:
        patched.setattr(Parcel, "activity", elsewhere)
        await skopje.cases.send(case.number, "two")
    await belgrade.sync()
    assert belgrade.alarm is not None
    assert "another activity log" in belgrade.alarm
    kept = list((place.home(place.network.of(BELGRADE)) / "evidence").glob("activity-fork-*.json"))
    assert len(kept) == 1
    assert json.loads(kept[0].read_text())["theirs"][1] == OTHER.hex()
    # It goes on: what is honest is read, and the alarm stays.
    assert [one.number for one in belgrade.cases.show(case.number).objects] == [1, 2]
