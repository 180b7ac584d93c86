"""What was sent is put right, replaced and taken back; every recipient sees it and answers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from demo import case_a
from seefen.client import Client
from seefen.client.views import row_of
from seefen.protocol.errors import OutOfTurnError, RefusedError
from seefen.protocol.messages import Correction, Note, Recall, SeizureAlert
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, PRISTINA, SKOPJE, WHY, deaf, until

ALERT = f"{CHANNEL}#1"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE, PRISTINA) as place:
        yield place


async def alerted(place: Site, *files: Path) -> tuple[Client, Client, Client]:
    """Return the clients of three nodes, and the first has sent an alert to the others."""
    skopje = await place.client(SKOPJE)
    await skopje.channels.open(CHANNEL, (BELGRADE, PRISTINA))
    belgrade, pristina = await place.client(BELGRADE), await place.client(PRISTINA)
    await skopje.alerts.send(case_a.alert(), CHANNEL, files)
    await until(lambda: belgrade.alerts.list() and pristina.alerts.list(), belgrade, pristina)
    return skopje, belgrade, pristina


async def test_a_preliminary_alert_is_confirmed_without_typing_it_again(place: Site) -> None:
    skopje, belgrade, _ = await alerted(place)
    sent = await skopje.amend.confirm(ALERT)
    assert sent.ref == f"{CHANNEL}#2"
    await until(lambda: len(belgrade.alerts.list()) == 2, belgrade)
    newer, older = belgrade.alerts.list()
    assert older.superseded_by == newer.ref == f"{CHANNEL}#2"
    assert "confirmed" in newer.subject
    opened = await belgrade.alerts.show(newer.ref, **WHY, accept=True)
    assert isinstance(opened.message, SeizureAlert)
    assert opened.message.items == case_a.alert().items
    assert [due.ref for due in belgrade.requests.waiting()] == [newer.ref]
    with pytest.raises(OutOfTurnError, match=f"replaced by {newer.ref}"):
        await skopje.amend.confirm(ALERT)
    with pytest.raises(RefusedError, match="confirmed already"):
        await skopje.amend.confirm(newer.ref)


async def test_only_the_node_that_said_it_changes_it(place: Site) -> None:
    skopje, belgrade, _ = await alerted(place)
    for change in (
        belgrade.amend.confirm(ALERT),
        belgrade.amend.replace(ALERT, case_a.alert()),
        belgrade.amend.correct(ALERT, "misread", "x"),
        belgrade.amend.recall(ALERT, "wrong_data"),
    ):
        with pytest.raises(RefusedError) as refused:
            await change
        assert refused.value.rule == "not-yours"
    with pytest.raises(RefusedError, match="is a SeizureAlert: a Note is none"):
        await skopje.amend.replace(ALERT, Note(text="x"))
    with pytest.raises(RefusedError) as refused:
        await belgrade.amend.erase(ALERT)
    assert refused.value.rule == "not-recalled"
    assert belgrade.queued() == skopje.queued() == []


async def test_a_correction_reaches_every_recipient(place: Site) -> None:
    skopje, belgrade, pristina = await alerted(place)
    await skopje.amend.correct(ALERT, "misread", "headstamp ппу 82", was="nny 82")
    holders = belgrade, pristina
    await until(lambda: all(len(it.cases.show(CHANNEL).objects) == 2 for it in holders), *holders)
    for client in holders:
        shown = client.cases.show(CHANNEL).objects[1]
        assert (shown.reply_to, shown.subject) == (ALERT, "correction, it was misread")
        assert client.alerts.list()[0].corrected_by == f"{CHANNEL}#2"
        (closed,) = (await client.alerts.show(ALERT, **WHY, accept=True)).corrections
        assert (closed.ref, closed.was, closed.now) == (f"{CHANNEL}#2", "", "")
        said = (await client.read(f"{CHANNEL}#2", **WHY)).message
        assert (said.source_eval, said.info_eval) == ("A", "1")  # as sure as what it mends
        (opened,) = (await client.alerts.show(ALERT, **WHY, accept=True)).corrections
        assert (opened.was, opened.now) == ("nny 82", "headstamp ппу 82")


async def test_a_correction_of_what_was_never_said_is_refused(place: Site) -> None:
    skopje, _, _ = await alerted(place)
    number = case_a.alert().items[0].serial_as_read
    for was, now, rule in (("nothingofthekind", "x", "not-said"), (number, number, "same")):
        with pytest.raises(RefusedError) as refused:
            await skopje.amend.correct(ALERT, "misread", now, was)
        assert refused.value.rule == rule
    assert skopje.queued() == []
    assert (await skopje.amend.correct(ALERT, "misread", "X-1", number)).ref
    assert (await skopje.amend.correct(ALERT, "misread", "X-2", "X-1")).ref
    assert (await skopje.amend.correct(ALERT, "misread", "револвер", "пиштол")).ref  # as he read it


async def test_attack_a_member_corrects_what_another_said(place: Site) -> None:
    skopje, belgrade, pristina = await alerted(place)
    alert = row_of(belgrade._engine, *belgrade.find(ALERT))
    message = Correction(of=alert.object, wrong="misread", now="nothing was found", was="12")
    await belgrade._messaging.send(belgrade.find(ALERT)[0], message, reply_to=alert.object)
    await until(lambda: len(pristina.cases.show(CHANNEL).objects) == 2, pristina, skopje)
    assert pristina.alerts.list()[0].corrected_by == ""
    assert (await pristina.alerts.show(ALERT, **WHY, accept=True)).corrections == ()


async def test_what_is_taken_back_opens_no_more_and_each_node_confirms(
    place: Site, tmp_path: Path
) -> None:
    photo = tmp_path / "serial.jpg"
    photo.write_bytes(b"invented")
    skopje, belgrade, pristina = await alerted(place, photo)
    await belgrade.alerts.show(ALERT, **WHY, accept=True)
    await until(lambda: len(belgrade.cases.show(CHANNEL).objects) == 2, belgrade)
    assert belgrade.check("EV-19070413", **WHY).exact
    recall = str((await skopje.amend.recall(ALERT, "wrong_data")).ref)
    assert recall == f"{CHANNEL}#3"
    holders = belgrade, pristina
    await until(lambda: all(it.alerts.list()[0].recalled_by == recall for it in holders), *holders)
    for refused in (belgrade.alerts.show(ALERT, **WHY, accept=True), belgrade.files.get(
        f"{CHANNEL}#2", tmp_path / "got", **WHY
    )):  # fmt: skip
        with pytest.raises(RefusedError, match=r"took .* back") as no:
            await refused
        assert no.value.rule == "recalled"
    assert not belgrade.check("EV-19070413").exact
    assert (await skopje.alerts.show(ALERT)).view.recalled_by == recall  # his own words
    # The alert is owed no answer now, and the confirmation is.
    assert [due.ref for due in belgrade.requests.waiting()] == [recall]
    await belgrade.amend.erase(ALERT)
    with pytest.raises(RefusedError, match="text"):
        await pristina.amend.erase(ALERT, "restricted")
    await pristina.amend.erase(ALERT, "restricted", text="evidence in K 12/26")
    assert belgrade.requests.waiting() == pristina.requests.waiting() == []
    await until(
        lambda: (
            {(one.node, one.state, one.said) for one in skopje.requests.show(recall).lives}
            == {
                (BELGRADE, "answered", "erased"),
                (PRISTINA, "answered", "kept as evidence, use restricted"),
            }
        ),
        skopje,
    )
    with pytest.raises(OutOfTurnError):
        await skopje.amend.recall(ALERT, "wrong_data")


async def test_what_was_erased_is_in_the_vault_no_more(place: Site) -> None:
    skopje, belgrade, _ = await alerted(place)
    await belgrade.alerts.show(ALERT, **WHY, accept=True)
    await skopje.amend.recall(ALERT, "court")
    await until(lambda: belgrade.alerts.list()[0].recalled_by, belgrade)
    await belgrade.amend.erase(ALERT)
    await belgrade.watch.on((CHANNEL,), **WHY)  # nor does a watch bring it back
    vault = belgrade._engine.vault
    kept = vault.run("SELECT body, sealed, wrapped FROM object WHERE n = 1")
    assert kept == [(None, None, None)]
    assert vault.one("SELECT count(*) FROM mark") == (0,)
    sent = len(belgrade.cases.show(CHANNEL).objects)
    with pytest.raises(OutOfTurnError, match="erased already") as refused:
        await belgrade.amend.erase(ALERT)
    assert (refused.value.rule, len(belgrade.cases.show(CHANNEL).objects)) == ("erased", sent)
    vault.run("UPDATE object SET sealed = x'00' WHERE n = 1")  # something of it is here after all
    await belgrade.amend.erase(ALERT)
    assert vault.one("SELECT sealed FROM object WHERE n = 1") == (None,)
    # It turns out later that it had gone further: the confirmation is put right.
    await belgrade.amend.erase(ALERT, "passed_on", passed_to="customs")
    recall = skopje.alerts.list()[0].recalled_by
    await until(
        lambda: skopje.requests.show(recall).lives[0].said == "erased here, had been passed on",
        skopje,
    )


async def test_what_was_fetched_to_the_disk_is_named_before_it_is_erased(
    place: Site, tmp_path: Path
) -> None:
    wheel = tmp_path / "wheel.bin"
    wheel.write_bytes(b"a photograph of an invented wheel")
    skopje, belgrade, _ = await alerted(place, wheel)
    await belgrade.alerts.show(ALERT, **WHY, accept=True)
    await until(lambda: len(belgrade.cases.show(CHANNEL).objects) == 2, belgrade)
    assert belgrade.files.fetched(ALERT) == ()
    (file,) = belgrade.files.of(ALERT)
    path = await belgrade.files.get(file, tmp_path / "got", **WHY)
    await skopje.amend.recall(ALERT, "court")
    await until(lambda: belgrade.alerts.list()[0].recalled_by, belgrade)
    assert belgrade.files.fetched(ALERT) == (path,)
    with pytest.raises(RefusedError, match="wheel") as refused:
        await belgrade.amend.erase(ALERT)
    assert refused.value.rule == "fetched"
    assert belgrade.queued() == []
    path.unlink()
    sent = await belgrade.amend.erase(ALERT)
    assert sent.ref
    assert belgrade.files.fetched(ALERT) == ()


async def test_what_one_officer_erased_is_erased_on_every_device_of_his_node(
    place: Site,
) -> None:
    await place.broker.take(place.network.enrol(BELGRADE, ("keyholder", "lead")))
    skopje = await place.client(SKOPJE)
    await skopje.channels.open(CHANNEL, (BELGRADE,))
    first = await place.client(BELGRADE, "lead")
    second = await place.client(BELGRADE, "lead", nth=1)
    await skopje.alerts.send(case_a.alert(), CHANNEL)
    await until(lambda: first.alerts.list() and second.alerts.list(), first, second)
    for device in (first, second):
        await device.alerts.show(ALERT, **WHY, accept=True)
    await skopje.amend.recall(ALERT, "wrong_data")
    await until(lambda: first.alerts.list()[0].recalled_by, first)
    await first.amend.erase(ALERT)
    vault = second._engine.vault
    await until(
        lambda: (
            vault.one("SELECT count(*) FROM mark") == (0,)
            and vault.one("SELECT body FROM object WHERE n = 1") == (None,)
        ),
        second,
    )


async def test_attack_what_was_passed_on_outlives_its_recall(place: Site) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    await skopje.channels.open(CHANNEL, (BELGRADE,))
    await skopje.alerts.send(replace(case_a.alert(), handling="H0"), CHANNEL)
    await until(belgrade.alerts.list, belgrade)
    await belgrade.alerts.show(ALERT, **WHY, accept=True)
    case = (await belgrade.cases.open("Passed on", [PRISTINA])).number
    copy = str((await belgrade.onward.forward(ALERT, case)).ref)
    pristina = await place.client(PRISTINA)
    await until(lambda: [one for one in pristina.cases.list() if one.unread], pristina)
    await pristina.read(copy, **WHY, accept=True)
    further = (await pristina.cases.open("Further", [BELGRADE])).number
    second = str((await pristina.onward.forward(copy, further)).ref)
    await until(lambda: [one for one in belgrade.cases.list() if one.number == further
                         and one.unread], belgrade)  # fmt: skip
    await belgrade.read(second, **WHY, accept=True)

    recall = str((await skopje.amend.recall(ALERT, "wrong_data")).ref)
    async for event in belgrade.events():
        if event.what == "passed-on":
            assert event.ref == copy
            break
    waiting = {due.ref: due for due in belgrade.requests.waiting()}
    assert set(waiting) == {recall, copy}
    assert waiting[copy].subject == f"recall this too: {SKOPJE} took {ALERT} back"
    assert waiting[copy].due_at is not None
    for how, text in (("erased", ""), ("restricted", "evidence")):
        with pytest.raises(RefusedError, match=f"seefen recall {copy} --why") as refused:
            await belgrade.amend.erase(ALERT, how, text=text)
        assert refused.value.rule == "passed-on"

    await belgrade.amend.recall(copy, "wrong_data")
    await until(lambda: second in [due.ref for due in pristina.requests.waiting()], pristina)
    with pytest.raises(RefusedError, match=second):  # he passed it on, too
        await pristina.amend.erase(copy)
    await belgrade.amend.erase(ALERT)
    assert belgrade.requests.waiting() == []
    await pristina.amend.recall(second, "wrong_data")
    await pristina.amend.erase(copy)
    for client in (belgrade, pristina):
        vault = client._engine.vault
        left = "body IS NOT NULL AND (instr(cover, 'Seizure') OR instr(cover, 'Forwarded'))"
        assert vault.one(f"SELECT count(*) FROM object WHERE {left}") == (0,)
        assert vault.one("SELECT count(*) FROM mark") == (0,)
        assert not client.check("EV-19070413", **WHY).exact
    await until(lambda: skopje.requests.show(recall).lives[0].said == "erased", skopje)


async def test_a_device_that_passed_nothing_on_names_what_may_be_a_copy(place: Site) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    await place.broker.take(place.network.enrol(BELGRADE, ("keyholder", "field")))
    colleague = await place.client(BELGRADE, nth=1)
    await skopje.channels.open(CHANNEL, (BELGRADE,))
    for handling in ("H0", "H0"):
        await skopje.alerts.send(replace(case_a.alert(), handling=handling), CHANNEL)
    other = replace(case_a.alert(), handling="H0", status="confirmed")
    await skopje.alerts.send(other, CHANNEL)
    await until(lambda: len(belgrade.alerts.list()) == 3, belgrade)
    case = (await belgrade.cases.open("Passed on", [PRISTINA])).number
    copies = list[str]()
    for n in (1, 2, 3):
        await belgrade.alerts.show(f"{CHANNEL}#{n}", **WHY, accept=True)
        copies.append(str((await belgrade.onward.forward(f"{CHANNEL}#{n}", case)).ref))
    await until(lambda: len(colleague.cases.show(case).objects) == 3 if colleague.cases.list()
                else False, colleague)  # fmt: skip
    await skopje.amend.recall(ALERT, "wrong_data")
    await until(lambda: colleague.alerts.list()[-1].recalled_by, colleague)

    # Of three that are closed here, two show on their covers what the recalled one shows.
    def named() -> dict[str, str]:
        due = (one for one in colleague.requests.waiting() if one.what == "Forwarded")
        return {one.ref: one.subject.partition(":")[0] for one in due}

    doubt = "open it, it may be a copy to recall"
    assert named() == {copies[0]: doubt, copies[1]: doubt}
    with pytest.raises(RefusedError, match=f"seefen case show {copies[0]}") as refused:
        await colleague.amend.erase(ALERT)
    assert refused.value.rule == "passed-on"
    await colleague.read(copies[1], **WHY, accept=True)
    assert named() == {copies[0]: doubt}  # that one is of another alert
    with pytest.raises(RefusedError, match=f"took {ALERT} back"):  # and now it is known as one
        await colleague.read(copies[0], **WHY, accept=True)
    assert named() == {copies[0]: "recall this too"}
    await colleague.amend.recall(copies[0], "wrong_data")
    await colleague.amend.erase(ALERT)
    assert named() == {}


async def test_a_copy_is_still_owed_once_its_words_are_gone(place: Site) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    await skopje.channels.open(CHANNEL, (BELGRADE,))
    await skopje.alerts.send(replace(case_a.alert(), handling="H0"), CHANNEL)
    await until(belgrade.alerts.list, belgrade)
    await belgrade.alerts.show(ALERT, **WHY, accept=True)
    case = (await belgrade.cases.open("Passed on", [PRISTINA])).number
    copy = str((await belgrade.onward.forward(ALERT, case)).ref)
    own = (await skopje.cases.open("Ours", [PRISTINA])).number
    ours = str((await skopje.onward.forward(ALERT, own)).ref)

    recall = str((await skopje.amend.recall(ALERT, "wrong_data")).ref)
    assert [due.ref for due in skopje.requests.waiting()] == [ours]
    await until(lambda: belgrade.alerts.list()[0].recalled_by, belgrade)
    deaf(skopje)  # with Belgrade's answer the recall would be at its end
    await belgrade.amend.erase(ALERT, "passed_on", passed_to=PRISTINA)
    assert [due.ref for due in belgrade.requests.waiting()] == [copy]
    await skopje.requests.withdraw(recall, "It was right after all")
    await until(lambda: not belgrade.requests.waiting(), belgrade)
    assert skopje.requests.waiting() == []


async def test_a_recall_that_was_withdrawn_takes_nothing_back(place: Site) -> None:
    skopje, belgrade, _ = await alerted(place)
    await belgrade.alerts.show(ALERT, **WHY, accept=True)
    recall = str((await skopje.amend.recall(ALERT, "wrong_data")).ref)
    await until(lambda: belgrade.alerts.list()[0].recalled_by, belgrade)
    await skopje.requests.withdraw(recall, "It was right after all")
    await until(lambda: not belgrade.alerts.list()[0].recalled_by, belgrade)
    with pytest.raises(RefusedError) as refused:
        await belgrade.amend.erase(ALERT)
    assert refused.value.rule == "not-recalled"
    assert (await belgrade.alerts.show(ALERT)).message is not None  # nothing was erased


async def test_attack_a_member_takes_back_what_another_said(place: Site) -> None:
    skopje, belgrade, pristina = await alerted(place)
    state, _ = pristina.find(ALERT)
    row = pristina.requests._row(ALERT)
    forged = Recall(of=row.object, recall_reason="wrong_data")
    await pristina._messaging.send(state, forged, reply_to=row.object)
    await pristina._messaging.send(
        state, replace(case_a.alert(), status="confirmed"), supersedes=row.object
    )
    await until(lambda: len(belgrade.cases.show(CHANNEL).objects) == 3, belgrade, skopje)
    alert = belgrade.cases.show(CHANNEL).objects[0]
    assert (alert.recalled_by, alert.superseded_by) == ("", "")
    read = (await belgrade.alerts.show(ALERT, **WHY, accept=True)).message
    assert isinstance(read, SeizureAlert)
    assert read.status == "preliminary"
    assert ALERT in [due.ref for due in belgrade.requests.waiting()]
