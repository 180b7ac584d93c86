"""What was corrected is not said again: by a newer version, a look for its number, an export."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from seefen.client import Client
from seefen.client.cli import pasted
from seefen.client.exporting import as_json
from seefen.client.sheets import as_csv
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import Correction, SeizureAlert
from seefen.protocol.suite import new_id
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, until
from tests.client.test_known import found

ALERT = f"{CHANNEL}#1"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


async def alerted(place: Site) -> tuple[Client, Client]:
    """Return the clients of two nodes; the first said that it misread a number, the other read."""
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    await skopje.channels.open(CHANNEL, (BELGRADE,))
    await skopje.alerts.send(found("C-84417", "EV-1907"), CHANNEL)
    await skopje.amend.correct(ALERT, "misread", "C-84477", was="C-84417")
    await until(lambda: len(belgrade.cases.show(CHANNEL).objects) == 2, belgrade)
    await belgrade.alerts.show(ALERT, **WHY, accept=True)
    await belgrade.read(f"{CHANNEL}#2", **WHY)
    return skopje, belgrade


async def test_a_corrected_alert_is_confirmed_with_what_is_right(place: Site) -> None:
    skopje, belgrade = await alerted(place)
    sent = await skopje.amend.confirm(ALERT)
    assert sent.ref is not None
    await until(lambda: len(belgrade.alerts.list()) == 2, belgrade)
    opened = (await belgrade.alerts.show(sent.ref, **WHY, accept=True)).message
    assert isinstance(opened, SeizureAlert)
    assert [one.serial_as_read for one in opened.items] == ["C-84477", "EV-1907"]
    assert opened.status == "confirmed"
    assert [hit.ref for hit in belgrade.check("C-84477", **WHY).exact] == [sent.ref]
    assert belgrade.check("C-84417", **WHY).exact == ()


async def test_attack_a_misread_number_goes_out_again_in_a_newer_version(place: Site) -> None:
    skopje, belgrade = await alerted(place)
    again = replace(found("C-84417"), message_id=new_id())
    with pytest.raises(RefusedError, match=f"{CHANNEL}#2.* still says C-84417") as refused:
        await skopje.amend.replace(ALERT, again)
    assert refused.value.rule == "corrected"
    # Where it belongs is not known: nothing is guessed.
    await skopje.amend.correct(ALERT, "misread", "the second one is a revolver")
    with pytest.raises(RefusedError, match="where that belongs is not known") as refused:
        await skopje.amend.confirm(ALERT)
    assert refused.value.rule == "corrected"
    right = replace(found("C-84477", "EV-1907"), message_id=new_id())
    sent = await skopje.amend.replace(ALERT, right)
    await until(lambda: len(belgrade.alerts.list()) == 2, belgrade)
    assert belgrade.alerts.list()[0].ref == sent.ref


async def test_the_right_number_is_found_and_the_wrong_one_is_marked(place: Site) -> None:
    for client in await alerted(place):
        (right,) = client.check("C-84477", **WHY).exact
        assert (right.ref, right.field, right.text) == (ALERT, "serial", "C-84477")
        (wrong,) = client.check("C-84417", **WHY).exact
        assert (wrong.ref, wrong.corrected_by) == (ALERT, f"{CHANNEL}#2")
        assert right.corrected_by == wrong.corrected_by


async def test_attack_a_member_plants_a_number_in_what_another_said(place: Site) -> None:
    skopje, belgrade = await alerted(place)
    state, number = belgrade.find(ALERT)
    alert = (await belgrade.alerts.show(ALERT)).view
    row = next(one for one in belgrade._engine.vault.run(
        "SELECT object FROM object WHERE case_id = ? AND n = ?", state.case, number))  # fmt: skip
    said = Correction(of=row[0], wrong="misread", was="EV-1907", now="ZZ-99999")
    await belgrade._messaging.send(state, said, reply_to=row[0])
    await until(lambda: len(skopje.cases.show(CHANNEL).objects) == 3, skopje)
    await skopje.read(f"{CHANNEL}#3", **WHY)
    (hit,) = skopje.check("ZZ-99999", **WHY).exact
    assert hit.ref == f"{CHANNEL}#3" != alert.ref
    assert hit.sender == BELGRADE


async def test_an_export_says_first_what_was_corrected(place: Site) -> None:
    skopje, belgrade = await alerted(place)
    # Free text, which names a person: it stays back with the persons.
    await skopje.amend.correct(ALERT, "misread", "Petar was not there")
    await until(lambda: len(belgrade.cases.show(CHANNEL).objects) == 3, belgrade)
    await belgrade.read(f"{CHANNEL}#3", **WHY)
    made = await belgrade.export.make(ALERT)
    (message,) = made.messages
    number, name = message.corrections
    assert (number.ref, number.was, number.now) == (f"{CHANNEL}#2", "C-84417", "C-84477")
    assert (name.ref, name.was, name.now) == (f"{CHANNEL}#3", "", "")
    told = pasted.text(message, with_persons=False).splitlines()
    assert told[0] == f"CORRECTED BY ITS AUTHOR ({CHANNEL}#2): C-84417 is C-84477"
    assert f"({CHANNEL}#3): what is right is not in this text" in told[1]
    table = as_csv(made)
    assert "C-84477" in table
    assert "Petar" not in table + as_json(made)
    whole = await belgrade.export.make(ALERT, with_persons=True)
    assert whole.messages[0].corrections[1].now == "Petar was not there"


async def test_a_hit_stays_until_the_newer_version_is_opened(place: Site) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    await skopje.channels.open(CHANNEL, (BELGRADE,))
    await skopje.alerts.send(found("C-84417"), CHANNEL)
    await until(belgrade.alerts.list, belgrade)
    await belgrade.alerts.show(ALERT, **WHY, accept=True)
    await skopje.amend.correct(ALERT, "misread", "C-84477", was="C-84417")
    await until(lambda: len(belgrade.cases.show(CHANNEL).objects) == 2, belgrade)
    (hit,) = belgrade.check("C-84417", **WHY).exact
    assert (hit.corrected_by, hit.replaced_by, hit.unread) == (
        f"{CHANNEL}#2",
        "",
        (f"{CHANNEL}#2",),
    )
    for _ in range(2):
        await skopje.amend.replace(str(skopje.alerts.list()[0].ref), found("C-84477"))
    await until(lambda: len(belgrade.cases.show(CHANNEL).objects) == 4, belgrade)
    (hit,) = belgrade.check("C-84417", **WHY).exact
    assert (hit.ref, hit.replaced_by) == (ALERT, f"{CHANNEL}#4")
    assert hit.unread == (f"{CHANNEL}#2", f"{CHANNEL}#4")
    assert (await belgrade.alerts.show(f"{CHANNEL}#4", **WHY)).known == ()  # its own older version
    assert belgrade.check("C-84417", **WHY).exact == ()
    (hit,) = belgrade.check("C-84477", **WHY).exact
    assert (hit.ref, hit.replaced_by, hit.unread) == (f"{CHANNEL}#4", "", ())


async def test_what_was_taken_back_is_no_hit_whichever_version_it_was(place: Site) -> None:
    skopje, belgrade = await alerted(place)
    await skopje.amend.replace(ALERT, found("C-84477"))
    await until(lambda: len(belgrade.alerts.list()) == 2, belgrade)
    assert belgrade.check("C-84417", **WHY).exact
    await skopje.amend.recall(f"{CHANNEL}#3", "wrong_data")
    await until(lambda: belgrade.cases.show(CHANNEL).objects[2].recalled_by, belgrade)
    assert belgrade.check("C-84417", **WHY).exact == ()
