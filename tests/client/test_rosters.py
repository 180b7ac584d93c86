"""Rosters: hours in a zone, nights that pass midnight, who is away, and papers that are wrong."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from seefen.client import rosters
from seefen.client.rosters import Matter, officers_for
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import Away, Emergencies, Roster, RosterRow
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, SKOPJE

ASKED = Matter("TraceRequest", BELGRADE, "NORMAL", "")


def roster(*rows: RosterRow, **rest: Any) -> Roster:
    return Roster(zone="Europe/Skopje", rows=rows, **rest)


NIGHT = RosterRow(days=(5, 6), start="19:00", end="07:00", officers=("o-2222",))
REST = RosterRow(officers=("o-1111",), deputies=("o-3333",))


@pytest.mark.parametrize(
    ("at", "officer"),
    [
        ("2026-07-03T16:59+00:00", "o-1111"),  # Friday, 18:59 in Skopje
        ("2026-07-03T17:00+00:00", "o-2222"),
        ("2026-07-04T04:59+00:00", "o-2222"),  # Saturday, of the night of Friday
        ("2026-07-04T05:00+00:00", "o-1111"),
        ("2026-07-05T04:59+00:00", "o-2222"),  # Sunday, of the night of Saturday
        ("2026-07-05T18:00+00:00", "o-1111"),  # Sunday night has nobody of its own
        ("2026-01-02T17:59+00:00", "o-1111"),  # in winter an hour later
        ("2026-01-02T18:00+00:00", "o-2222"),
    ],
)
def test_a_night_passes_midnight_in_its_own_zone(at: str, officer: str) -> None:
    when = datetime.fromisoformat(at)
    assert officers_for(roster(NIGHT, REST), ASKED, when)[0] == officer


def test_who_is_away_has_a_deputy_and_comes_back() -> None:
    away = roster(REST, away=(Away(officer="o-1111", until="2026-07-03T08:00+02:00"),))
    before, after = (datetime.fromisoformat(f"2026-07-03T0{h}:00+02:00") for h in (7, 8))
    assert officers_for(away, ASKED, before) == ("o-3333",)
    assert officers_for(away, ASKED, after) == ("o-1111", "o-3333")


@pytest.mark.parametrize(
    ("row", "fits"),
    [
        ({}, True),
        ({"types": ("TraceRequest",)}, True),
        ({"types": ("InfoRequest",)}, False),
        ({"nodes": (BELGRADE,)}, True),
        ({"nodes": (SKOPJE,)}, False),
        ({"urgencies": ("URGENT", "NORMAL")}, True),
        ({"urgencies": ("URGENT",)}, False),
        ({"offences": ("trafficking",)}, False),  # it is sealed to whoever assigns
    ],
)
def test_a_row_asks_for_what_it_names(row: dict[str, Any], fits: bool) -> None:
    assert rosters.fits(RosterRow(officers=("o-1111",), **row), ASKED) is fits


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE) as place:
        yield place


async def test_a_wrong_paper_is_named_to_the_admin(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    await place.broker.take(place.network.enrol(SKOPJE, ("auditor",)))
    await skopje.sync()
    auditor = place.network.of(SKOPJE, "auditor", nth=1).officer
    own = skopje.officer
    for wrong, said in (
        (roster(RosterRow(officers=("o-0000",))), "o-0000 has no device"),
        (roster(RosterRow(officers=(own,), deputies=(auditor,))), f"{auditor} has no device"),
        (roster(RosterRow(officers=(own,), types=("Letter",))), "there is no message Letter"),
        (
            roster(RosterRow(officers=(own,), nodes=("atlantis-ffp",))),
            "there is no node atlantis-ffp",
        ),
        (roster(away=(Away(officer="o-0000", until="2026-07-03T08:00Z"),)), "no officer o-0000"),
        (roster(away=(Away(officer=own, until="2026-13-03T08:00Z"),)), "no such time"),
        (roster(emergencies=Emergencies(not_for=("o-0000",))), "no officer o-0000"),
        (Roster(zone="Europe/Nowhere"), "no time zone Europe/Nowhere"),
        (Roster(zone="../../etc/passwd"), "time zone"),
        (roster(RosterRow(officers=(own,), start="07:00")), "a start and an end"),
        (roster(RosterRow(officers=(own,), start="25:00", end="26:00")), "time of day"),
    ):
        with pytest.raises(RefusedError, match=said):
            await skopje.house.lay(wrong)
    assert skopje.house.laid(Roster) is None
