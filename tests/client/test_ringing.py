"""FLASH: it leaves as URGENT, and rings by the word of a second officer alone."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from seefen.client import Client
from seefen.client.ringing import WHAT
from seefen.client.values import Event, ObjectView
from seefen.client.views import Row
from seefen.protocol.case import CaseState
from seefen.protocol.errors import OutOfTurnError, RefusedError, UntrustedError
from seefen.protocol.messages import Flash, Note, SeizureAlert
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, PRISTINA, SKOPJE, WHY, alert, channel, until

REF = f"{CHANNEL}#1"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE, PRISTINA) as place:
        yield place


def flash() -> SeizureAlert:
    return replace(alert(), urgency="FLASH", urgency_reason="moving")


async def second(place: Site, *, officer: str = "", node: str = SKOPJE) -> Client:
    """Return the client of a second machine of a node: of another officer, or of one."""
    await place.broker.take(place.network.enrol(node, ("field",), officer=officer))
    return await place.client(node, nth=1)


def listen(client: Client) -> list[Event]:
    """Return what rings at a client from now on."""
    heard: list[Event] = []
    client.ringing.on_ring(heard.append)
    return heard


async def on_watch(place: Site, node: str) -> tuple[Client, list[Event]]:
    client = await place.client(node)
    await until(client.channels.list, client)
    await client.watch.on(**WHY)
    return client, listen(client)


def seen(client: Client) -> ObjectView:
    return next(view for view in client.alerts.list() if view.ref == REF)


async def test_an_alert_rings_once_when_a_second_officer_has_confirmed_it(place: Site) -> None:
    skopje = await channel(place)
    other = await second(place)
    belgrade, heard = await on_watch(place, BELGRADE)
    pristina = await place.client(PRISTINA)
    asleep = listen(pristina)
    await skopje.alerts.send(flash(), CHANNEL)
    await until(lambda: any(view.ref == REF for view in belgrade.alerts.list()), belgrade)
    assert (seen(belgrade).urgency, seen(belgrade).flash) == ("URGENT", "asked")
    assert heard == []
    [before] = belgrade.requests.waiting()

    await until(lambda: any(view.ref == REF for view in other.alerts.list()), other)
    await other.ringing.confirm(REF)
    await until(lambda: heard, belgrade)
    await until(lambda: seen(pristina).flash == other.officer, pristina)
    [event] = heard
    assert (event.what, event.ref) == (WHAT, REF)
    assert "1 pistol" in event.text
    assert f"confirmed by {other.officer}" in event.text
    assert (seen(belgrade).urgency, seen(belgrade).flash) == ("FLASH", other.officer)
    [after] = belgrade.requests.waiting()
    assert after.urgency == "FLASH"
    assert after.due_at is not None
    assert before.due_at is not None
    assert after.due_at < before.due_at
    assert asleep == []  # who is off watch is not woken

    await belgrade.sync()
    with pytest.raises(OutOfTurnError, match="rings already"):
        await other.ringing.confirm(REF)
    assert len(heard) == 1
    again = listen(belgrade)
    await belgrade.sync()
    assert again == []
    await pristina.watch.on(**WHY)  # its duty officer comes on, and it waits for him
    await pristina.sync()
    assert [event.ref for event in asleep] == [REF]


async def test_attack_one_officer_with_two_devices_rings_nowhere(place: Site) -> None:
    skopje = await channel(place)
    twin = await second(place, officer=skopje.officer)
    belgrade, heard = await on_watch(place, BELGRADE)
    await skopje.alerts.send(flash(), CHANNEL)
    await until(lambda: seen(twin), twin)
    for client in (skopje, twin):
        with pytest.raises(UntrustedError) as refused:
            await client.ringing.confirm(REF)
        assert refused.value.rule == "second-officer"
        await forge(client)  # as a client of his own would
    await until(lambda: len(belgrade.cases.show(CHANNEL).objects) == 3, belgrade)
    assert seen(belgrade).flash == "asked"
    assert heard == []


async def test_attack_another_node_makes_an_alert_ring(place: Site) -> None:
    skopje = await channel(place)
    pristina = await place.client(PRISTINA)
    belgrade, heard = await on_watch(place, BELGRADE)
    await skopje.alerts.send(flash(), CHANNEL)
    await until(lambda: seen(pristina), pristina)
    with pytest.raises(RefusedError) as refused:
        await pristina.ringing.confirm(REF)
    assert refused.value.rule == "not-yours"
    await forge(pristina)
    await until(lambda: len(belgrade.cases.show(CHANNEL).objects) == 2, belgrade)
    assert seen(belgrade).flash == "asked"
    assert heard == []


def _as_it_is(wanted: SeizureAlert) -> SeizureAlert:
    return wanted


async def forge(client: Client) -> None:
    """Say Flash as a program that checks nothing would."""
    state, number = client.find(REF)
    object_ = client._engine.vault.one(
        "SELECT object FROM object WHERE case_id = ? AND n = ?", state.case, number
    )
    assert object_ is not None
    await client._messaging.send(state, Flash(of=object_[0]), reply_to=object_[0])


async def test_attack_flash_on_the_cover_of_an_older_program_rings_nowhere(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje = await channel(place)
    belgrade, heard = await on_watch(place, BELGRADE)
    monkeypatch.setattr(SeizureAlert, "leaving", _as_it_is)
    await skopje.alerts.send(flash(), CHANNEL)
    await until(lambda: any(view.ref == REF for view in belgrade.alerts.list()), belgrade)
    cover = seen(belgrade).cover
    assert cover is not None
    assert cover.urgency == "FLASH"
    assert (seen(belgrade).urgency, seen(belgrade).flash) == ("URGENT", "asked")
    assert heard == []
    other = await second(place)
    await until(lambda: any(view.ref == REF for view in other.alerts.list()), other)
    await other.ringing.confirm(REF)
    await until(lambda: heard, belgrade)


async def test_a_duty_desk_rings_its_own_devices_and_says_so_in_its_house(place: Site) -> None:
    skopje = await channel(place)
    night = await second(place, node=BELGRADE)
    belgrade, own = await on_watch(place, BELGRADE)
    await until(night.channels.list, night)
    await night.watch.on(**WHY)
    heard = listen(night)
    _, elsewhere = await on_watch(place, PRISTINA)
    await skopje.alerts.send(alert(), CHANNEL)
    await until(lambda: any(view.ref == REF for view in belgrade.alerts.list()), belgrade)
    await belgrade.ringing.ring(REF)
    await until(lambda: heard, night)
    assert f"rung by {belgrade.officer} of your node alone" in heard[0].text
    assert [said.officer for said in night.house.said(Flash)] == [belgrade.officer]
    assert seen(night).flash == ""
    assert own == elsewhere == []


async def test_fault_a_word_of_the_house_that_opens_late_rings_then(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje = await channel(place)
    night = await second(place, node=BELGRADE)
    belgrade, _ = await on_watch(place, BELGRADE)
    await until(night.channels.list, night)
    await night.watch.on(**WHY)
    heard = asyncio.Queue[Event]()
    night.ringing.on_ring(heard.put_nowait)
    await skopje.alerts.send(alert(), CHANNEL)
    await until(lambda: any(view.ref == REF for view in belgrade.alerts.list()), belgrade)
    await until(lambda: seen(night), night)
    take, held = night._reader.take, asyncio.Event()

    async def late(state: CaseState, row: Row) -> None:
        if not held.is_set():
            held.set()
            raise OutOfTurnError("not now", rule="number")
        await take(state, row)

    monkeypatch.setattr(night._reader, "take", late)
    await belgrade.ringing.ring(REF)
    await asyncio.wait_for(held.wait(), 20)  # by its push: who syncs looks anyway
    assert not night.house.said(Flash)
    await belgrade.house.say(Note(text="the next push"))
    event = await asyncio.wait_for(heard.get(), 20)
    assert "of your node alone" in event.text


async def test_what_was_answered_taken_back_or_replaced_rings_no_more(place: Site) -> None:
    skopje = await channel(place)
    other = await second(place)
    belgrade, heard = await on_watch(place, BELGRADE)
    pristina, asleep = await on_watch(place, PRISTINA)
    await skopje.alerts.send(flash(), CHANNEL)
    await until(lambda: any(view.ref == REF for view in belgrade.alerts.list()), belgrade)
    await belgrade.alerts.answer(REF, "taken")
    await until(lambda: any(view.ref == REF for view in other.alerts.list()), other)
    sent = await other.ringing.confirm(REF)
    await until(lambda: asleep, pristina)
    await until(lambda: seen(belgrade).flash == other.officer, belgrade)
    assert heard == []
    await other.amend.recall(str(sent.ref), "wrong_data")  # confirmed by mistake
    await until(lambda: seen(pristina).flash == "asked", pristina)

    await skopje.alerts.send(alert(), CHANNEL)
    await until(lambda: len(other.alerts.list()) == 2, other)
    quiet = other.alerts.list()[0].ref
    with pytest.raises(RefusedError, match="not sent to ring"):
        await other.ringing.confirm(quiet)
    with pytest.raises(RefusedError, match="second officer"):
        await other.ringing.ring(quiet)
    with pytest.raises(RefusedError, match="no alert"):
        await other.ringing.confirm(str(sent.ref))


async def test_a_program_that_fails_wakes_the_others_all_the_same(place: Site) -> None:
    skopje = await channel(place)
    other = await second(place)
    belgrade, _ = await on_watch(place, BELGRADE)
    heard = list[Event]()

    def broken(_: Event) -> None:
        raise ValueError

    belgrade.ringing.hooks[:] = [broken, heard.append]
    await skopje.alerts.send(flash(), CHANNEL)
    await until(lambda: any(view.ref == REF for view in other.alerts.list()), other)
    await other.ringing.confirm(REF)
    await until(lambda: heard, belgrade)
    told = [event.text async for event in upto(belgrade, WHAT)]
    assert f"a program failed at {REF}: ValueError" in told


async def upto(client: Client, what: str) -> AsyncIterator[Event]:
    """Yield what was told up to two events after the first of a kind."""
    left = 2
    async for event in client.events():
        left -= event.what == what or left < 2
        yield event
        if not left:
            return
