"""The library against a real broker: the story of an alert, and every line that breaks in it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from seefen.client import Client
from seefen.client.connection import UnreachableError
from seefen.client.keyfile import NAME, read_key_file
from seefen.client.vault import NAME as VAULT
from seefen.client.vault import Vault
from seefen.client.views import rows
from seefen.protocol.errors import OutOfTurnError, RefusedError, SeefenError, UntrustedError
from seefen.protocol.messages import Note, SeizureAlert, message_from_form
from seefen.protocol.suite import random_bytes
from tests.client.homes import PASSPHRASE, Site, site

SKOPJE, BELGRADE, PRISTINA = "skopje-border", "belgrade-ffp", "pristina-ffp"
CHANNEL = "seefen-border"
PURPOSE, BASIS = "detection", "pcc-see"
FORM: dict[str, Any] = {
    "occurred_at": "2026-03-14T02:47+01:00",
    "setting": "bcp",
    "place": "Tabanovce",
    "items": [{"category": "pistol", "make": "Zastava", "serial_as_read": "\u0421-84417"}],
}


def alert() -> SeizureAlert:
    made = message_from_form("SeizureAlert", FORM)
    assert isinstance(made, SeizureAlert)
    return made


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE, PRISTINA) as place:
        yield place


async def channel(place: Site) -> Client:
    skopje = await place.client(SKOPJE)
    await skopje.channels.open(CHANNEL, [BELGRADE, PRISTINA])
    return skopje


async def until(good: Callable[[], bool], *clients: Client) -> None:
    """Keep clients in step until a condition holds: nothing here sleeps and hopes."""
    for _ in range(50):
        if good():
            return
        for client in clients:
            await client.sync()
    raise AssertionError("it never came true")


def break_next(client: Client, verb: str, *, after: bool) -> None:
    """Cut the line once: before the request leaves, or with the answer on its way."""
    connection: Any = client._engine.connection
    real: Callable[..., Awaitable[Any]] = connection.request

    async def broken(asked: str, *rest: Any) -> Any:
        if asked != verb:
            return await real(asked, *rest)
        connection.request = real
        if after:
            await real(asked, *rest)
        raise UnreachableError("the line was cut", rule="broker")

    connection.request = broken


# --- the story -----------------------------------------------------------------------------


async def test_an_alert_is_recorded_delivered_read_and_answered(place: Site) -> None:
    skopje, belgrade = await channel(place), await place.client(BELGRADE)
    sent = await skopje.alerts.send(alert(), CHANNEL)
    ref = f"{CHANNEL}#1"
    assert sent.ref == ref
    await until(lambda: bool(belgrade.alerts.list()), belgrade)
    assert belgrade.alerts.list()[0].subject.startswith("1 pistol")
    opened = await belgrade.alerts.show(ref, purpose=PURPOSE, basis=BASIS)
    assert isinstance(opened.message, SeizureAlert)
    assert opened.message.items[0].serial_as_read == "\u0421-84417"
    await belgrade.alerts.answer(ref, "taken")
    await until(lambda: skopje.alerts.reach(ref)[0].answer == "taken", skopje)

    with pytest.raises(OutOfTurnError, match="has answered so already"):
        await belgrade.alerts.answer(ref, "taken")
    reached, not_reached = skopje.alerts.reach(ref)
    assert (reached.node, not_reached.node) == (BELGRADE, PRISTINA)
    assert reached.delivered_at
    assert reached.read_at
    assert not_reached.delivered_at is None


async def test_a_cover_needs_no_purpose_and_a_body_does(place: Site) -> None:
    skopje, belgrade = await channel(place), await place.client(BELGRADE)
    await skopje.alerts.send(alert(), CHANNEL)
    await until(lambda: bool(belgrade.alerts.list()), belgrade)

    with pytest.raises(RefusedError) as caught:
        await belgrade.alerts.show(f"{CHANNEL}#1")
    assert caught.value.rule == "purpose-needed"


async def test_what_came_under_a_watch_is_read_when_an_officer_opens_it(place: Site) -> None:
    skopje, belgrade = await channel(place), await place.client(BELGRADE)
    await belgrade.sync()
    await belgrade.watch.on(purpose=PURPOSE, basis=BASIS)
    await skopje.alerts.send(alert(), CHANNEL)
    await until(lambda: bool(belgrade.alerts.list()), belgrade, skopje)
    await until(lambda: bool(skopje.alerts.reach(f"{CHANNEL}#1")[0].delivered_at), skopje)
    assert skopje.alerts.reach(f"{CHANNEL}#1")[0].read_at is None
    assert belgrade.alerts.list()[0].state == "delivered"

    await belgrade.alerts.show(f"{CHANNEL}#1")
    await until(lambda: bool(skopje.alerts.reach(f"{CHANNEL}#1")[0].read_at), skopje)
    assert belgrade.alerts.list()[0].state == "read"


async def test_a_file_travels_whole(place: Site, tmp_path: Path) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    case = await skopje.cases.open("Operation", [BELGRADE])
    scan = tmp_path / "scan.pdf"
    scan.write_bytes(random_bytes(2_500_000))
    sent = await skopje.cases.send(case.number, "see the scan", [scan])
    ref = sent.files[-1].ref
    assert ref is not None
    await until(lambda: belgrade.cases.show(case.number).object_count == 2, belgrade)
    path = await belgrade.files.get(ref, tmp_path / "got", purpose=PURPOSE, basis=BASIS)

    assert path.name == "scan.pdf"
    assert path.read_bytes() == scan.read_bytes()


async def test_who_joins_a_case_later_reads_from_then_on(place: Site) -> None:
    skopje, pristina = await place.client(SKOPJE), await place.client(PRISTINA)
    case = await skopje.cases.open("Operation", [BELGRADE])
    await skopje.cases.send(case.number, "before")
    await skopje.cases.add(case.number, [PRISTINA])
    await skopje.cases.send(case.number, "after")
    await until(
        lambda: bool(pristina.cases.list()) and bool(pristina.cases.show(case.number).objects),
        pristina,
    )

    view = pristina.cases.show(case.number)
    assert [one.ref for one in view.objects] == [f"{case.number}#2"]
    opened = await pristina.read(f"{case.number}#2", purpose=PURPOSE, basis=BASIS)
    assert isinstance(opened.message, Note)
    assert opened.message.text == "after"
    with pytest.raises(SeefenError):
        await pristina.read(f"{case.number}#1", purpose=PURPOSE, basis=BASIS)
    assert pristina.alarm is None


async def test_a_lost_device_reads_nothing_from_then_on(place: Site) -> None:
    await place.broker.take(place.network.enrol(BELGRADE, ("field",)))
    skopje, belgrade = await channel(place), await place.client(BELGRADE)
    async with place.briefly(BELGRADE, "field", nth=1) as lost:
        await lost.watch.on(purpose=PURPOSE, basis=BASIS)
        officer = lost.officer
        await belgrade.devices.revoke(officer, "lost")
        sent = await skopje.alerts.send(alert(), CHANNEL)
        with pytest.raises(SeefenError):
            await lost.sync()
        assert lost.alerts.list() == []
    assert not sent.queued
    await until(lambda: bool(belgrade.alerts.list()), belgrade)
    assert (await belgrade.alerts.show(f"{CHANNEL}#1", purpose=PURPOSE, basis=BASIS)).message


async def test_a_lead_without_a_mailbox_reads_the_case_he_opened(place: Site) -> None:
    await place.broker.take(place.network.enrol(SKOPJE, ("lead",)))
    lead = await place.client(SKOPJE, "lead", nth=1)
    case = await lead.cases.open("Operation", [BELGRADE])
    await lead.cases.send(case.number, "mine")

    assert case.readable
    assert lead.cases.show(case.number).title == "Operation"


# --- broken lines ---------------------------------------------------------------------------


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_message_is_recorded_once_whatever_breaks(place: Site, after: bool) -> None:
    skopje = await channel(place)
    break_next(skopje, "send", after=after)
    sent = await skopje.alerts.send(alert(), CHANNEL)
    assert sent.queued
    await skopje.sync()

    assert skopje.queued() == []
    assert [one.ref for one in skopje.alerts.list()] == [f"{CHANNEL}#1"]
    assert (await skopje.read(f"{CHANNEL}#1")).message == skopje_words(skopje)
    again = await skopje.alerts.send(alert(), CHANNEL)
    assert (again.ref, again.problem) == (f"{CHANNEL}#2", None)
    assert skopje.alarm is None


def skopje_words(client: Client) -> Any:
    """Return the author's own words: they are his without any access."""
    (row,) = rows(client._engine, "n = 1")
    assert row.message is not None
    return row.message


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_kill_while_sending_loses_and_doubles_nothing(place: Site, after: bool) -> None:
    # The process dies with the answer on its way; the next one syncs before anything else.
    await channel(place)
    await place.open.aclose()
    async with place.briefly(SKOPJE) as dying:
        break_next(dying, "send", after=after)
        await dying.alerts.send(alert(), CHANNEL)
        outbox: Any = dying._outbox
        outbox.flush = _never
    async with place.briefly(SKOPJE) as skopje:
        assert [one.ref for one in skopje.alerts.list()] == [f"{CHANNEL}#1"]
        assert skopje.queued() == []
        assert (await skopje.alerts.send(alert(), CHANNEL)).ref == f"{CHANNEL}#2"
        assert skopje.alarm is None


async def _never(*_: object) -> list[Any]:
    return []


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_an_access_whose_answer_is_lost_can_be_made_again(place: Site, after: bool) -> None:
    skopje, belgrade = await channel(place), await place.client(BELGRADE)
    await skopje.alerts.send(alert(), CHANNEL)
    await until(lambda: bool(belgrade.alerts.list()), belgrade)
    break_next(belgrade, "access", after=after)
    with pytest.raises(UnreachableError):
        await belgrade.alerts.show(f"{CHANNEL}#1", purpose=PURPOSE, basis=BASIS)
    await belgrade.sync()

    assert (await belgrade.alerts.show(f"{CHANNEL}#1")).message
    await belgrade.alerts.answer(f"{CHANNEL}#1", "not_ours")
    assert belgrade.queued() == []
    assert belgrade.alarm is None


async def test_an_acknowledgement_that_breaks_keeps_nothing_from_the_officer(place: Site) -> None:
    skopje, belgrade = await channel(place), await place.client(BELGRADE)
    await skopje.alerts.send(alert(), CHANNEL)
    await until(lambda: bool(belgrade.alerts.list()), belgrade)
    await until(lambda: bool(skopje.alerts.reach(f"{CHANNEL}#1")[0].delivered_at), belgrade, skopje)
    break_next(belgrade, "send", after=False)
    assert (await belgrade.alerts.show(f"{CHANNEL}#1", purpose=PURPOSE, basis=BASIS)).message

    await belgrade.alerts.show(f"{CHANNEL}#1")
    await until(lambda: bool(skopje.alerts.reach(f"{CHANNEL}#1")[0].read_at), belgrade, skopje)


async def test_a_receipt_that_is_not_believed_is_not_a_refusal(place: Site) -> None:
    # A broker that lies once must not get the same words twice under two numbers.
    skopje = await channel(place)
    trust: Any = skopje._engine.trust
    real = trust.take_entry

    def lied(*_: object) -> Any:
        trust.take_entry = real
        raise UntrustedError("the core is not the one in the log", rule="core-commitment")

    trust.take_entry = lied
    sent = await skopje.alerts.send(alert(), CHANNEL)
    assert sent.queued
    await skopje.sync()

    assert skopje.queued() == []
    assert [one.ref for one in skopje.alerts.list()] == [f"{CHANNEL}#1"]


async def test_without_a_broker_the_vault_opens_and_a_message_waits(place: Site) -> None:
    await channel(place)
    await place.open.aclose()
    url = place.broker.config.url
    home = place.home(place.network.of(SKOPJE))
    async with _moved(home, url, "https://127.0.0.1:9") as client:
        assert not client.online
        assert [one.number for one in client.channels.list()] == [CHANNEL]
        sent = await client.alerts.send(alert(), CHANNEL)
        assert sent.queued
        assert len(client.queued()) == 1
    async with _moved(home, "https://127.0.0.1:9", url) as client:
        await until(lambda: not client.queued(), client)
        assert [one.ref for one in client.alerts.list()] == [f"{CHANNEL}#1"]


def _moved(home: Path, old: str, new: str) -> Any:
    """Open a device that looks for its broker elsewhere."""
    vault = Vault.open(home / VAULT, read_key_file(home / NAME, PASSPHRASE).vault)
    vault.put("invite", (vault.get("invite") or b"").replace(old.encode(), new.encode()))
    vault.close()
    return Client.open(home, PASSPHRASE)
