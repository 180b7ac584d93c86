"""What comes is looked for in the own vault: reference and exactness, and never too much."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from demo import case_a
from seefen.client import marks, related
from seefen.client.cli.views import duty, objects
from seefen.client.values import Event
from seefen.protocol.messages import Item, SeizureAlert, message_from_form
from tests.client.cli.test_paint import printed
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, until
from tests.protocol.messages.samples import SAMPLES


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


def found(*numbers: str) -> SeizureAlert:
    """Return an alert about pistols with these numbers."""
    items = tuple(Item(category="pistol", serial_as_read=number) for number in numbers)
    whole = case_a.alert()
    return replace(whole, items=items, ammunition=(), vehicle=type(whole.vehicle)())


async def test_a_number_that_comes_again_is_named_with_its_exactness(place: Site) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    await skopje.channels.open(CHANNEL, (BELGRADE,))
    await skopje.alerts.send(found("\u0421-84417", "EV-1907?413"), CHANNEL)
    await until(belgrade.alerts.list, belgrade)
    first = await belgrade.alerts.show(f"{CHANNEL}#1", **WHY, accept=True)
    assert (first.known, first.common) == ((), ())
    # Latin C this time; and a number with a gap, which is not looked for unasked.
    await skopje.alerts.send(found("C-84417", "EV-1907?413", "N-1"), CHANNEL)
    await until(lambda: len(belgrade.alerts.list()) == 2, belgrade)
    second = await belgrade.alerts.show(f"{CHANNEL}#2", **WHY, accept=True)
    (hit,) = second.known
    assert (hit.ref, hit.field, hit.exactness) == (f"{CHANNEL}#1", "serial", "look-alike")
    assert [hit.ref for hit in (await belgrade.alerts.show(f"{CHANNEL}#1")).known] == [
        f"{CHANNEL}#2"
    ]


async def test_on_watch_it_is_told_as_it_comes(place: Site) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    await skopje.channels.open(CHANNEL, (BELGRADE,))
    await until(lambda: [it for it in belgrade.channels.list() if it.readable], belgrade)
    await belgrade.watch.on((CHANNEL,), **WHY)
    for _ in range(2):
        await skopje.alerts.send(found("C-84417"), CHANNEL)
    told: list[Event] = []
    async for event in belgrade.events():
        told.append(event)
        if event.what == "known":
            break
    assert told[-1].ref == f"{CHANNEL}#1"
    assert told[-1].text == f"serial of {CHANNEL}#2 stands there, exact"


def test_every_form_gives_the_marks_that_were_read_into_it() -> None:
    notice = SAMPLES["FirearmNotice"]
    assert list(marks.marks_of(notice)) == [("serial", "M48-10077")]
    assert ("headstamp", "\u0418\u041a 85") in list(marks.marks_of(SAMPLES["BallisticRequest"]))
    alert = set(marks.marks_of(case_a.alert()))
    assert {("plate", "SK-0000-ZZ"), ("headstamp", "\u043f\u043f\u0443 82")} <= alert


async def test_a_large_seizure_is_looked_for_and_stays_short(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    await skopje.channels.open(CHANNEL, (BELGRADE,))
    numbers = [f"K-{n:05}" for n in range(60)]
    for _ in range(2):
        await skopje.alerts.send(found(*numbers), CHANNEL)
    assert len((await skopje.alerts.show(f"{CHANNEL}#2")).known) == marks.MANY
    await skopje.amend.replace(f"{CHANNEL}#1", found(*numbers))
    refs = {hit.ref for hit in (await skopje.alerts.show(f"{CHANNEL}#3")).known}
    assert refs == {f"{CHANNEL}#2"}  # and not the version that it replaces


async def test_what_stands_everywhere_says_nothing(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marks, "MANY", 2)
    skopje = await place.client(SKOPJE)
    await skopje.channels.open(CHANNEL, (BELGRADE,))
    for _ in range(4):
        await skopje.alerts.send(found("M-70000", "AB-12345"), CHANNEL)
    await skopje.alerts.send(found("AB-12345", "Q-77777"), CHANNEL)
    opened = await skopje.alerts.show(f"{CHANNEL}#5")
    assert (opened.known, opened.common) == ((), ("AB-12345",))


def at(crossing: str, **change: Any) -> SeizureAlert:
    made = message_from_form(
        "SeizureAlert", {"bcp": crossing, "items": [{"category": "rifle"}], **change}
    )
    assert isinstance(made, SeizureAlert)
    return made


async def test_an_alert_shows_what_else_was_seized_at_its_crossing_within_days(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    await skopje.channels.open(CHANNEL, (BELGRADE,))
    sent = [
        await skopje.alerts.send(one, CHANNEL)
        for one in (
            at("merdare"), at("tabanovce-presevo"), at("merdare", exercise=True), at("merdare"),
            at("merdare"),
        )
    ]  # fmt: skip
    await skopje.amend.recall(str(sent[3].ref), "wrong_data")
    await until(lambda: len(belgrade.cases.show(CHANNEL).objects) == 6, belgrade)
    opened = await belgrade.alerts.show(f"{CHANNEL}#5", **WHY)
    assert [one.ref for one in opened.related] == [f"{CHANNEL}#1"]
    assert not opened.related[0].fetched  # its cover alone
    monkeypatch.setattr(related, "WINDOW", -1)
    assert (await belgrade.alerts.show(f"{CHANNEL}#5")).related == ()


async def test_what_was_found_in_an_exercise_says_so(place: Site) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    await skopje.channels.open(CHANNEL, (BELGRADE,))
    await until(lambda: [it for it in belgrade.channels.list() if it.readable], belgrade)
    await belgrade.watch.on((CHANNEL,), **WHY)
    exercise, real = f"{CHANNEL}#1", f"{CHANNEL}#2"
    await skopje.alerts.send(replace(found("C-84417"), exercise=True), CHANNEL)
    await skopje.alerts.send(found("C-84417"), CHANNEL)
    async for event in belgrade.events():
        if event.what == "known":
            assert (event.ref, event.text) == (
                exercise, f"EXERCISE, serial of {real} stands there, exact",
            )  # fmt: skip
            break
    opened = await belgrade.alerts.show(real, **WHY)
    (hit,) = opened.known
    assert (hit.ref, hit.exercise) == (exercise, True)
    (line,) = [one for one in printed(objects.opened(opened)).splitlines() if exercise in one]
    assert "EXERCISE" in line
    (hit,) = (await belgrade.alerts.show(exercise, **WHY)).known
    assert (hit.ref, hit.exercise) == (real, False)
    shown = printed(duty.checked("C-84417", belgrade.check("C-84417"))).splitlines()
    assert {one.split()[0]: "EXERCISE" in one for one in shown if CHANNEL in one} == {
        exercise: True, real: False,
    }  # fmt: skip

    # What is said about it later is none of it real, either.
    await skopje.amend.correct(exercise, "misread", "C-84418", was="C-84417")
    recall = str((await skopje.amend.recall(exercise, "wrong_data")).ref)
    await until(lambda: len(belgrade.cases.show(CHANNEL).objects) == 4, belgrade)
    (due,) = [one for one in belgrade.requests.waiting() if one.ref == recall]
    assert due.subject.startswith("EXERCISE, recall")
    assert belgrade.cases.show(CHANNEL).objects[2].subject.startswith("EXERCISE, correction")
