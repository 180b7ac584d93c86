"""What takes the newest version back takes the older ones with it, wherever they are read."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from demo import case_a
from seefen.client import Client
from seefen.protocol.errors import OutOfTurnError, RefusedError
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, PRISTINA, SKOPJE, WHY, until
from tests.client.test_amending import alerted

ALERT, ANNEX, CONFIRMED, NEWEST, PUT_RIGHT = (f"{CHANNEL}#{n}" for n in range(1, 6))
SERIAL = "EV-19070413"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE, PRISTINA) as place:
        yield place


async def rule(client: Client, ref: str) -> str:
    """Return the rule by which a message does not open."""
    with pytest.raises(RefusedError) as refused:
        await client.read(ref, **WHY, accept=True)
    return refused.value.rule


async def test_attack_what_was_taken_back_is_read_in_its_earlier_version(
    place: Site, tmp_path: Path
) -> None:
    annex = tmp_path / "annex.txt"
    annex.write_text("serial close-up")
    skopje, belgrade, pristina = await alerted(place, annex)
    await belgrade.alerts.show(ALERT, **WHY, accept=True)
    await until(lambda: len(belgrade.cases.show(CHANNEL).objects) == 2, belgrade)
    fetched = await belgrade.files.get(ANNEX, tmp_path / "got", **WHY, accept=True)
    await skopje.amend.confirm(ALERT)
    newest = replace(case_a.alert(), status="confirmed", text="Weighed anew")
    assert (await skopje.amend.replace(CONFIRMED, newest)).ref == NEWEST
    sent = await skopje.amend.correct(NEWEST, "misread", "Counted anew", was="Weighed anew")
    assert sent.ref == PUT_RIGHT
    await until(lambda: len(belgrade.cases.show(CHANNEL).objects) == 5, belgrade)
    for ref in (NEWEST, PUT_RIGHT):
        await belgrade.read(ref, **WHY, accept=True)
    assert belgrade.check(SERIAL, **WHY).exact
    assert belgrade.search("weighed").views

    recall = str((await skopje.amend.recall(NEWEST, "wrong_data")).ref)
    holders = belgrade, pristina
    await until(lambda: all(it.alerts.list()[0].recalled_by for it in holders), *holders)
    for client in (*holders, skopje):
        assert {view.recalled_by for view in client.alerts.list()} == {recall}
    for ref in (ALERT, CONFIRMED, NEWEST, PUT_RIGHT):
        assert await rule(belgrade, ref) == "recalled", ref
    with pytest.raises(RefusedError, match="took"):
        await belgrade.files.get(ANNEX, tmp_path / "again", **WHY)
    assert not belgrade.check(SERIAL).exact
    assert not belgrade.search("tabanovce").views
    assert [due.ref for due in belgrade.requests.waiting()] == [recall]
    for ref in (ALERT, NEWEST):
        with pytest.raises(OutOfTurnError, match="taken back already"):
            await skopje.amend.recall(ref, "wrong_data")

    # Whichever version is named: all of them go, with their files, marks and words.
    assert belgrade.files.fetched(NEWEST) == (fetched,)
    with pytest.raises(RefusedError, match="fetched before"):
        await belgrade.amend.erase(NEWEST)
    fetched.unlink()
    await belgrade.amend.erase(ALERT)
    await belgrade.watch.on((CHANNEL,), **WHY)  # nor does a watch bring one back
    vault = belgrade._engine.vault
    held = "(body IS NOT NULL OR sealed IS NOT NULL OR wrapped IS NOT NULL) AND n <= 5"
    assert vault.one(f"SELECT count(*) FROM object WHERE {held}") == (0,)
    assert vault.one("SELECT count(*) FROM mark") == (0,)
    words = "SELECT count(*) FROM word JOIN object ON idx = word.rowid WHERE n <= 5"
    assert vault.one(words) == (0,)
    assert belgrade.requests.waiting() == []
    await until(
        lambda: "answered" in [one.state for one in skopje.requests.show(recall).lives], skopje
    )

    # Belgrade's word is final; whoever has not erased yet may keep all of it after all.
    await skopje.requests.withdraw(recall, "It was right after all")
    await until(lambda: not pristina.alerts.list()[-1].recalled_by, pristina)
    assert (await pristina.alerts.show(ALERT, **WHY, accept=True)).message is not None


async def test_attack_an_earlier_version_was_passed_on_and_outlives_the_recall(
    place: Site,
) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    await place.broker.take(place.network.enrol(BELGRADE, ("keyholder", "field")))
    colleague = await place.client(BELGRADE, nth=1)
    await skopje.channels.open(CHANNEL, (BELGRADE,))
    await skopje.alerts.send(replace(case_a.alert(), handling="H0"), CHANNEL)
    await until(belgrade.alerts.list, belgrade)
    await belgrade.alerts.show(ALERT, **WHY, accept=True)
    case = (await belgrade.cases.open("Passed on", [PRISTINA])).number
    copy = str((await belgrade.onward.forward(ALERT, case)).ref)
    newer = str((await skopje.amend.confirm(ALERT)).ref)
    recall = str((await skopje.amend.recall(newer, "wrong_data")).ref)
    await until(lambda: belgrade.alerts.list()[-1].recalled_by, belgrade)
    waiting = {due.ref: due.subject for due in belgrade.requests.waiting()}
    assert waiting[copy] == f"recall this too: {SKOPJE} took {ALERT} back"
    with pytest.raises(RefusedError, match=f"seefen recall {copy} --why") as refused:
        await belgrade.amend.erase(newer)
    assert refused.value.rule == "passed-on"
    # Nor does a colleague confirm it whose device never saw what was passed on.
    await until(lambda: colleague.cases.list() and colleague.alerts.list()[-1].recalled_by,
                colleague)  # fmt: skip
    assert copy in [due.ref for due in colleague.requests.waiting()]
    with pytest.raises(RefusedError, match=f"seefen case show {copy}"):
        await colleague.amend.erase(newer)

    await belgrade.amend.recall(copy, "wrong_data")
    await belgrade.amend.erase(newer)
    vault = belgrade._engine.vault
    held = "body IS NOT NULL AND (instr(cover, 'Seizure') OR instr(cover, 'Forwarded'))"
    assert vault.one(f"SELECT count(*) FROM object WHERE {held}") == (0,)
    await until(lambda: skopje.requests.show(recall).lives[0].said == "erased", skopje)


async def test_no_case_is_opened_from_what_was_taken_back(place: Site) -> None:
    skopje, belgrade, _ = await alerted(place)
    await skopje.amend.recall(ALERT, "wrong_data")
    await until(lambda: belgrade.alerts.list()[0].recalled_by, belgrade)
    for client in (skopje, belgrade):
        with pytest.raises(RefusedError, match="was taken back") as refused:
            await client.cases.open("Pistols", [PRISTINA], ALERT)
        assert refused.value.rule == "recalled"
        assert client.cases.list() == []


async def test_a_colleagues_device_erases_every_version_too(place: Site) -> None:
    await place.broker.take(place.network.enrol(BELGRADE, ("keyholder", "field")))
    skopje, belgrade, _ = await alerted(place)
    colleague = await place.client(BELGRADE, nth=1)
    await until(colleague.alerts.list, colleague)
    await colleague.alerts.show(ALERT, **WHY, accept=True)
    newer = str((await skopje.amend.confirm(ALERT)).ref)
    await skopje.amend.recall(newer, "court")
    await until(lambda: belgrade.alerts.list()[0].recalled_by, belgrade)
    await belgrade.amend.erase(newer)
    vault = colleague._engine.vault
    await until(
        lambda: vault.one("SELECT count(*) FROM object WHERE n = 1 AND body IS NOT NULL") == (0,),
        colleague,
    )
