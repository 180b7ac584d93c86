"""Assigning by the roster: one keyholder acts, the officer on shift gets it, nobody else does."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from seefen.client import Client
from seefen.client.values import AssignedView
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.messages import Note, Roster, RosterRow, TraceRequest, message_from_form
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, PRISTINA, SKOPJE, WHY, until


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE, PRISTINA) as place:
        yield place


def request() -> TraceRequest:
    made = message_from_form(
        "TraceRequest",
        {
            "offence": "trafficking",
            "illicit_nature": "seized",
            "item": {"category": "pistol", "serial_as_read": "84417"},
            "question": ["manufacture"],
        },
    )
    assert isinstance(made, TraceRequest)
    return made


async def field(place: Site, nth: int) -> tuple[Client, str]:
    """Return the client of a further field device of Belgrade, and its officer."""
    await place.broker.take(place.network.enrol(BELGRADE, ("field",)))
    client = await place.client(BELGRADE, nth=nth)
    return client, client.officer


async def asked(place: Site, belgrade: Client) -> tuple[Client, str]:
    """Let Skopje ask Belgrade in a case; return its client and the number."""
    skopje = await place.client(SKOPJE)
    view = await skopje.cases.open("Tabanovce", [BELGRADE])
    await skopje.requests.ask(view.number, request())
    await until(lambda: belgrade.requests.list(), belgrade)
    return skopje, view.number


def rule(*officers: str, **row: Any) -> Roster:
    deputies = officers[1:]
    return Roster(
        zone="Europe/Belgrade",
        rows=(RosterRow(officers=officers[:1], deputies=deputies, **row),),
    )


def having(client: Client, number: str) -> tuple[AssignedView, ...]:
    return client.cases.show(number).assigned


async def test_the_officer_on_shift_gets_what_came(place: Site) -> None:
    belgrade = await place.client(BELGRADE)
    day, officer = await field(place, 1)
    await belgrade.sync()
    await belgrade.house.lay(rule(officer, types=["TraceRequest"]))
    _, number = await asked(place, belgrade)
    assert having(belgrade, number) == ()
    assert await belgrade.duty.assigning.look() == [(number, officer)]
    assert await belgrade.duty.assigning.look() == []
    [one] = having(belgrade, number)
    assert (one.officer, one.by) == (officer, belgrade.officer)
    await until(lambda: day.cases.list() and day.cases.list()[0].readable, day)
    [due] = day.requests.waiting()
    assert due.assigned == (officer,)
    assert [a.officer for a in having(day, number)] == [officer]


async def test_by_hand_comes_before_the_rule_and_twice_does_no_harm(place: Site) -> None:
    belgrade = await place.client(BELGRADE)
    _, first = await field(place, 1)
    _, second = await field(place, 2)
    await belgrade.sync()
    await belgrade.house.lay(rule(first))
    _, number = await asked(place, belgrade)
    await belgrade.cases.assign(number, second)
    await belgrade.cases.assign(number, second)
    assert await belgrade.duty.assigning.look() == []
    assert [one.officer for one in having(belgrade, number)] == [second]


async def test_who_left_has_a_deputy_and_a_key_that_changed_is_handed_on(place: Site) -> None:
    belgrade = await place.client(BELGRADE)
    _, first = await field(place, 1)
    _, second = await field(place, 2)
    await belgrade.sync()
    await belgrade.house.lay(rule(first, second))
    await belgrade.devices.revoke(first, "left")
    skopje, number = await asked(place, belgrade)
    assert await belgrade.duty.assigning.look() == [(number, second)]

    await skopje.cases.add(number, [PRISTINA])
    await skopje.cases.remove(number, [PRISTINA])
    await skopje.cases.send(number, "a new key")
    await until(lambda: len(belgrade.cases.show(number).objects) == 2, belgrade)
    assert having(belgrade, number) == ()
    assert await belgrade.duty.assigning.look() == [(number, second)]


async def test_attack_a_field_device_lays_down_a_roster_for_itself(place: Site) -> None:
    belgrade = await place.client(BELGRADE)
    day, officer = await field(place, 1)
    await belgrade.house.say(Note(text="the house is open"))
    await until(lambda: day.house.said(Note), day)
    with pytest.raises(UntrustedError):
        await day.house.lay(rule(officer))
    await day.house.say(rule(officer))
    await until(lambda: belgrade.house.said(Roster), belgrade)
    _, number = await asked(place, belgrade)
    assert await belgrade.duty.assigning.look() == []
    assert having(belgrade, number) == ()
    assert await day.duty.assigning.look() == []


async def test_a_client_that_stays_does_it_and_the_second_keyholder_leaves_it(place: Site) -> None:
    belgrade = await place.client(BELGRADE)
    await place.broker.take(place.network.enrol(BELGRADE, ("keyholder",)))
    other = await place.client(BELGRADE, nth=1)
    _, officer = await field(place, 2)
    await belgrade.sync()
    await belgrade.house.lay(rule(officer))
    await until(lambda: other.house.laid(Roster), other)
    _, number = await asked(place, belgrade)
    await until(lambda: other.requests.list(), other)
    later, sooner = sorted((belgrade, other), key=lambda one: one.device_hex, reverse=True)
    assert await later.duty.assigning.look() == []
    told = [event async for event in upto(sooner, "assigned")]
    assert (told[-1].case, told[-1].text) == (number, f"to {officer}, by the roster")
    await until(lambda: having(later, number), later)
    assert [one.by for one in having(later, number)] == [sooner.officer]


async def upto(client: Client, what: str) -> AsyncIterator[Any]:
    """Yield what happens, until something of a kind has."""
    async for event in client.events():
        yield event
        if event.what == what:
            return


async def test_own_cases_stay_with_the_lead_who_opened_them(place: Site) -> None:
    belgrade = await place.client(BELGRADE)
    _, officer = await field(place, 1)
    await belgrade.sync()
    await belgrade.house.lay(rule(officer))
    skopje = await place.client(SKOPJE)
    view = await belgrade.cases.open("ours", [SKOPJE])
    await until(lambda: skopje.cases.list() and skopje.cases.list()[0].readable, skopje)
    await skopje.cases.send(view.number, "a note of theirs")
    await until(lambda: belgrade.cases.show(view.number).objects, belgrade)
    assert await belgrade.duty.assigning.look() == []
    await skopje.requests.ask(view.number, request())
    await until(lambda: belgrade.requests.list(), belgrade)
    assert await belgrade.duty.assigning.look() == [(view.number, officer)]


async def test_who_is_assigned_a_case_reads_what_was_said_before_its_key_changed(
    place: Site,
) -> None:
    belgrade = await place.client(BELGRADE)
    day, officer = await field(place, 1)
    skopje, number = await asked(place, belgrade)
    await skopje.cases.add(number, [PRISTINA])
    await skopje.cases.send(number, "and one more thing")
    await until(lambda: len(belgrade.cases.show(number).objects) == 2, belgrade)
    pristina = await place.client(PRISTINA)
    await place.broker.take(place.network.enrol(PRISTINA, ("field",)))
    late = await place.client(PRISTINA, nth=1)
    await until(lambda: len(pristina.cases.show(number).objects) == 1, pristina)

    await belgrade.cases.assign(number, officer)
    await until(lambda: all(one.subject for one in day.cases.show(number).objects), day)
    assert isinstance((await day.read(f"{number}#1", **WHY)).message, TraceRequest)
    assert isinstance((await day.read(f"{number}#2")).message, Note)

    # A node that came later has nothing older to hand on.
    await pristina.sync()
    await pristina.cases.assign(number, late.officer)
    await until(lambda: late.cases.list() and late.cases.list()[0].readable, late)
    with pytest.raises(RefusedError, match="this device has no"):
        await late.read(f"{number}#1", **WHY)
    assert isinstance((await late.read(f"{number}#2", **WHY)).message, Note)


async def renewed(place: Site, number: str, skopje: Client, belgrade: Client, nth: int) -> None:
    """Let Belgrade lose its nth device, which held nothing, and Skopje renew the key for that."""
    before = skopje.cases.show(number).generation
    count = len(belgrade.cases.show(number).objects)
    lost = place.network.of(BELGRADE, "field", nth=nth)
    await belgrade.devices.revoke(lost.device.hex(), "lost")
    await skopje.cases.send(number, "under a new key")
    assert skopje.cases.show(number).generation == before + 1
    await until(lambda: len(belgrade.cases.show(number).objects) == count + 1, belgrade)


async def test_a_renewed_key_takes_no_case_from_who_had_it(place: Site) -> None:
    belgrade = await place.client(BELGRADE)
    day, officer = await field(place, 1)
    left, gone = await field(place, 2)
    await field(place, 3)
    skopje, number = await asked(place, belgrade)
    for one in (officer, gone):
        await belgrade.cases.assign(number, one)
    await until(lambda: day.cases.list()[0].readable, day, left)
    await belgrade.devices.revoke(gone, "left")
    await renewed(place, number, skopje, belgrade, 3)
    await until(lambda: len(day.cases.show(number).objects) == 2, day)

    shown = day.cases.show(number)
    assert (shown.readable, shown.lapsed) == (False, True)
    with pytest.raises(RefusedError, match="renewed since the case was assigned to you"):
        await day.read(f"{number}#2", **WHY)
    # No roster names him: whoever had it before and is in force has it again.
    assert await belgrade.duty.assigning.look() == [(number, officer)]
    assert await belgrade.duty.assigning.look() == []
    assert [one.officer for one in having(belgrade, number)] == [officer]
    await until(lambda: day.cases.show(number).readable, day)
    assert not day.cases.show(number).lapsed
    assert isinstance((await day.read(f"{number}#2", **WHY)).message, Note)
