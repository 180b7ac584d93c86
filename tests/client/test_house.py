"""The house: what a node tells its own devices; only an admin lays down rules in it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from seefen.client import Client, casework, outbox
from seefen.client.house import PURPOSE
from seefen.protocol.case import CaseState
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.messages import Note, Roster
from seefen.protocol.objects import new_content_key, wrap_content_key
from seefen.protocol.statements import Object
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, SKOPJE, WHY, until


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


async def enrolled(place: Site, *roles: str) -> Client:
    """Return the client of a second device of Skopje."""
    await place.broker.take(place.network.enrol(SKOPJE, roles))
    return await place.client(SKOPJE, nth=1)


def texts(client: Client) -> list[str]:
    return [said.message.text for said in client.house.said(Note)]


async def test_a_paper_opens_by_itself_on_each_device_of_the_node(place: Site) -> None:
    admin, field = await place.client(SKOPJE), await enrolled(place, "field")
    await admin.house.say(Note(text="rules"))
    await until(lambda: texts(field), field)

    paper = field.house.paper(Note)
    assert paper is not None
    assert paper.text == "rules"
    listed = await admin.audit.list()
    assert [e.purpose for e in listed if e.device == field.device_hex] == [PURPOSE]
    assert field.alarm is None


async def test_attack_a_device_that_is_no_admin_lays_down_rules_for_its_node(place: Site) -> None:
    admin, field = await place.client(SKOPJE), await enrolled(place, "field")
    await admin.house.say(Note(text="rules"))
    await until(lambda: texts(field), field)
    await field.house.say(Note(text="other rules"))
    await until(lambda: len(texts(admin)) == 2, admin)

    assert texts(admin) == ["other rules", "rules"]
    for client in (admin, field):
        paper = client.house.paper(Note)
        assert paper is not None
        assert paper.text == "rules"


async def test_attack_another_node_opens_a_channel_that_is_named_like_the_house(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    with pytest.raises(RefusedError, match="your node's own channel"):
        await belgrade.channels.open("house", [SKOPJE])
    with monkeypatch.context() as altered:
        altered.setattr(casework, "HOUSE", "")
        await belgrade.channels.open("house", [SKOPJE])
    await until(skopje.channels.list, skopje)

    assert [view.number for view in skopje.channels.list()] == [f"house@{BELGRADE}"]
    assert skopje.house.state() is None
    assert skopje.house.paper(Note) is None
    await skopje.house.say(Note(text="ours"))
    state = skopje.house.state()
    assert state is not None
    assert state.members == (SKOPJE,)
    assert [(said.ref, said.message.text) for said in skopje.house.said(Note)] == [
        ("house#1", "ours")
    ]


async def test_attack_the_house_gets_no_other_member(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    await skopje.house.open()

    with pytest.raises(RefusedError, match="your node's alone") as refused:
        await skopje.channels.add("house", [BELGRADE])
    assert refused.value.rule == "house"


async def test_attack_a_lead_with_an_altered_client_lets_another_node_into_the_house(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, lead = await place.client(SKOPJE), await enrolled(place, "lead")
    belgrade = await place.client(BELGRADE)
    await admin.house.lay(Roster(zone="Europe/Skopje"))
    await until(lambda: lead.house.paper(Roster), lead)
    with monkeypatch.context() as altered:
        altered.setattr(lead._casework, "is_house", _never)
        await lead.channels.add("house", [BELGRADE])
    await until(lambda: belgrade.channels.list(), belgrade)
    [theirs] = belgrade._casework.states("channel")
    with monkeypatch.context() as altered:
        altered.setattr(belgrade._casework, "is_house", _always)
        await belgrade._messaging.send(theirs, Roster(zone="Europe/Belgrade", version=2))
    await admin.sync()

    assert admin.house.state() is None
    assert admin.alarm is not None
    assert BELGRADE in admin.alarm
    with pytest.raises(RefusedError, match=r"a lead removes it first") as refused:
        await admin.house.say(Note(text="secret"))
    assert refused.value.rule == "house"
    await lead.channels.remove("house", [BELGRADE])
    await admin.sync()
    assert admin.alarm is None  # it was true as long as it was
    await admin.house.say(Note(text="ours again"))
    assert not admin.house.is_unread(Roster)
    paper = admin.house.paper(Roster)
    assert paper is not None
    assert paper.zone == "Europe/Skopje"


def _never(_state: CaseState) -> bool:
    return False


def _always(_state: CaseState) -> bool:
    return True


async def test_what_its_author_took_back_or_replaced_does_not_count(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    first = await skopje.house.say(Note(text="first"))
    await skopje.amend.recall(str(first.ref), "wrong_data")
    assert texts(skopje) == []
    assert skopje.house.paper(Note) is None


async def test_the_house_is_no_channel_for_alerts_or_the_watch(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    await skopje.house.open()

    assert skopje.channels.list() == []
    with pytest.raises(RefusedError, match="in no channel"):
        await skopje.watch.on(**WHY)


async def test_who_is_no_lead_is_told_when_there_is_no_house(place: Site) -> None:
    field = await enrolled(place, "field")
    with pytest.raises(UntrustedError, match="lead"):
        await field.house.say(Note(text="hello"))


async def test_an_open_house_is_opened_once(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    first, second = await skopje.house.open(), await skopje.house.open()
    assert first.number == second.number == "house"


async def test_attack_a_body_that_never_opens_is_asked_for_once(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, field = await place.client(SKOPJE), await enrolled(place, "field")
    await admin.house.say(Note(text="open"))
    await until(lambda: texts(field), field)

    def spoiled(obj: Object, key: bytes, _content: bytes) -> bytes:
        return wrap_content_key(obj, key, new_content_key())

    with monkeypatch.context() as altered:
        altered.setattr(outbox, "wrap_content_key", spoiled)
        await field.house.say(Note(text="spoiled"))
    await field.house.say(Note(text="good"))
    await until(lambda: "good" in texts(admin), admin)
    assert admin.alarm is not None
    assert "does not open" in admin.alarm
    for _ in range(3):
        await admin.sync()
    asked = admin._engine.vault.run("SELECT count(*) FROM access")
    assert asked == [(2,)]
    assert texts(admin) == ["good", "open"]


async def test_of_two_leads_at_once_one_opens_the_house_and_a_field_device_rings(
    place: Site,
) -> None:
    first, second = await place.client(SKOPJE), await enrolled(place, "lead", "field")
    await place.broker.take(place.network.enrol(SKOPJE, ("field",)))
    duty = await place.client(SKOPJE, nth=2)
    await duty.house.prepare()
    assert duty.house.state() is None  # a lead alone opens it
    await asyncio.gather(first.house.prepare(), second.house.prepare())
    await until(lambda: all(one.house.state() for one in (first, second, duty)), first, duty)
    houses = {state.case for one in (first, second, duty) if (state := one.house.state())}
    assert len(houses) == 1
    assert first.channels.list() == []

    sent = await duty.house.say(Note(text="Tirana calls back"))
    assert sent.ref == "house#1"
    await until(lambda: texts(second) == ["Tirana calls back"], second)
    assert [client.alarm for client in (first, second, duty)] == [None] * 3


async def test_where_there_is_no_house_it_is_said_who_opens_it(place: Site) -> None:
    lead, admin = await place.client(SKOPJE), await enrolled(place, "admin", "field")
    with pytest.raises(UntrustedError, match=f"a lead's, {lead.officer}: seefen status") as refused:
        await admin.house.say(Note(text="rules"))
    assert refused.value.rule == "no-house"

    with pytest.raises(RefusedError, match="cut this device off"):
        await lead.devices.revoke(lead.officer, "lost")
    await admin.sync()
    with pytest.raises(UntrustedError, match="officer add --role lead"):
        await admin.house.say(Note(text="rules"))
