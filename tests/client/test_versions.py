"""An alert of one's own: the files of its earlier versions, and who has not answered."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console

from demo import case_a
from seefen.client.cli.views import alerts, due
from seefen.protocol.errors import RefusedError
from tests.client.cli.test_paint import printed
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, PRISTINA, SKOPJE, WHY, until
from tests.client.test_amending import alerted

ALERT, ANNEX, NEWER = (f"{CHANNEL}#{n}" for n in (1, 2, 3))


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE, PRISTINA) as place:
        yield place


async def test_a_newer_version_leaves_no_file_behind(place: Site, tmp_path: Path) -> None:
    annex = tmp_path / "annex.txt"
    annex.write_text("serial close-up")
    skopje, belgrade, _ = await alerted(place, annex)
    assert (await skopje.amend.confirm(ALERT)).ref == NEWER
    await until(lambda: len(belgrade.alerts.list()) == 2, belgrade)
    opened = await belgrade.alerts.show(NEWER, **WHY, accept=True)
    assert [one.ref for one in opened.files] == [ANNEX]
    assert belgrade.files.of(NEWER) == (ANNEX,)
    path = await belgrade.files.get(ANNEX, tmp_path / "got", **WHY, accept=True)
    assert path.read_text() == "serial close-up"

    # What was taken back shows nothing any more.
    await skopje.amend.recall(NEWER, "wrong_data")
    await until(lambda: belgrade.alerts.list()[0].recalled_by, belgrade)
    with pytest.raises(RefusedError, match="without files"):
        belgrade.files.of(NEWER)


async def test_an_own_alert_that_nobody_answered_is_said(place: Site) -> None:
    skopje, belgrade, pristina = await alerted(place)
    (one,) = skopje.alerts.unanswered()
    assert (one.ref, {reach.node for reach in one.reach}) == (ALERT, {BELGRADE, PRISTINA})
    await belgrade.alerts.answer(ALERT, "taken")
    await until(lambda: skopje.alerts.reach(ALERT)[0].answer, skopje)
    said = Console(width=120)
    with said.capture() as shown:
        said.print(alerts.unanswered(skopje.alerts.unanswered()))
    assert f"Your alert {ALERT}: 1 of 2 not answered (seefen alert reach" in shown.get()
    assert belgrade.alerts.unanswered() == []
    await pristina.alerts.answer(ALERT, "taken")
    await until(lambda: not skopje.alerts.unanswered(), skopje)


async def test_an_own_exercise_is_named_as_one_in_due_and_reach(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    await skopje.channels.open(CHANNEL, (BELGRADE, PRISTINA))
    sent = replace(case_a.alert(), exercise=True)
    await skopje.alerts.send(sent, CHANNEL)
    said = printed(alerts.unanswered(skopje.alerts.unanswered()))
    assert f"EXERCISE. Your alert {ALERT}: 2 of 2 not answered" in said
    assert "EXERCISE" in printed(alerts.reached(ALERT, skopje.alerts.reach(ALERT))).splitlines()[0]
    (listed,) = [one for one in printed(alerts.listed(skopje.alerts.list())).splitlines()
                 if ALERT in one]  # fmt: skip
    assert "EXERCISE" in listed
    assert f"{ALERT} (EXERCISE)" in printed(due.page(due.Due(expired=tuple(skopje.alerts.list()))))
