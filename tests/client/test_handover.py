"""The hand-over of the watch: what is open, by reference; the next one takes it, or not."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from seefen.client import Client
from seefen.protocol.errors import OutOfTurnError, RefusedError
from seefen.protocol.messages import Handover
from seefen.protocol.suite import new_id
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, PRISTINA, SKOPJE, alert, until
from tests.client.test_assigning import asked, field
from tests.client.test_expiring import later
from tests.client.test_pairs import question

DAY = 86_400


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE, PRISTINA) as place:
        yield place


async def pair(place: Site) -> tuple[Client, Client]:
    """Return two officers of Belgrade, and an alert of Skopje that both know."""
    return (await trio(place))[1:]


async def trio(place: Site) -> tuple[Client, Client, Client]:
    """Return Skopje too, which sent it."""
    skopje, day = await place.client(SKOPJE), await place.client(BELGRADE)
    await skopje.channels.open(CHANNEL, [BELGRADE])
    await place.broker.take(place.network.enrol(BELGRADE, ("field",)))
    night = await place.client(BELGRADE, nth=1)
    await skopje.alerts.send(alert(), CHANNEL)
    await until(lambda: day.alerts.list() and night.alerts.list(), day, night)
    return skopje, day, night


async def test_what_is_open_goes_to_the_next_officer_who_takes_it(place: Site) -> None:
    day, night = await pair(place)
    assert day.duty.handover.waiting() is None
    day.keep_draft("alert", b"{}")
    await day.duty.handover.give(night.officer, "Tirana calls back", queued=2)
    await until(night.duty.handover.waiting, night)

    view = night.duty.handover.waiting()
    assert view is not None
    assert (view.by, view.officer, view.text) == (day.officer, night.officer, "Tirana calls back")
    assert [one.ref for one in view.waiting] == [f"{CHANNEL}#1"]
    assert (view.owed, view.queued, view.drafts, view.unknown) == ((), 2, 1, 0)

    await night.alerts.answer(f"{CHANNEL}#1", "taken")
    await night.duty.handover.take()
    await until(lambda: day.duty.handover.waiting() is None, day)
    newest = day.duty.handover.newest()
    assert newest is not None
    assert newest.taken_by == night.officer
    assert newest.waiting == ()  # as `due` has it
    assert [one.answer for one in newest.done] == ["taken"]
    with pytest.raises(OutOfTurnError, match=f"{night.officer} has taken it"):
        await day.duty.handover.take()


async def test_what_it_calls_open_is_what_is_due(place: Site) -> None:
    skopje, day, night = await trio(place)
    own = await day.alerts.send(alert(), CHANNEL)
    await day.duty.handover.give()
    await night.alerts.answer(f"{CHANNEL}#1", "taken")
    newer = await skopje.alerts.send(alert(), CHANNEL)
    await until(night.duty.handover.waiting, night)
    await until(lambda: night.requests.due() and night.alerts.unanswered(), night)
    view = night.duty.handover.waiting()
    assert view is not None
    assert [due.ref for due in night.requests.due()] == [newer.ref]
    assert view.waiting == ()
    assert [one.ref for one in view.done] == [f"{CHANNEL}#1"]
    assert [one.ref for one in view.owed] == [own.ref]
    assert [one.ref for one in night.alerts.unanswered()] == [own.ref]
    assert (view.since, view.unknown, view.more) == (1, 0, 0)


async def test_what_nodes_owe_to_an_own_alert_goes_to_the_next_officer_too(place: Site) -> None:
    day, night = await pair(place)
    sent = await day.alerts.send(alert(), CHANNEL)
    await day.duty.handover.give()
    await until(night.duty.handover.waiting, night)
    view = night.duty.handover.waiting()
    assert view is not None
    assert [one.ref for one in view.owed] == [sent.ref]


async def test_another_takes_it_only_when_he_says_so_and_both_are_told(place: Site) -> None:
    day, night = await pair(place)
    await place.broker.take(place.network.enrol(BELGRADE, ("field",)))
    third = await place.client(BELGRADE, nth=2)
    await day.duty.handover.give(night.officer)
    await until(night.duty.handover.waiting, night)
    await until(third.duty.handover.waiting, third)
    with pytest.raises(RefusedError, match=f"handed this watch to {night.officer}") as refused:
        await third.duty.handover.take()
    assert refused.value.rule == "for-another"
    assert third.duty.handover.waiting() is not None

    await third.duty.handover.take(instead=True)
    await until(lambda: night.duty.handover.waiting() is None, day, night)
    await until(lambda: day.duty.handover.waiting() is None, day)
    for concerned in (day, night):
        (told,) = concerned.duty.handover.told()
        assert told.went_elsewhere
        assert (told.officer, told.taken_by) == (night.officer, third.officer)
    assert third.duty.handover.told() == ()  # he knows

    await night.duty.handover.give()  # a newer one ends the telling
    await until(day.duty.handover.waiting, day)
    assert day.duty.handover.told() == (day.duty.handover.waiting(),)


async def test_what_is_for_an_officer_by_name_stays_until_he_takes_it(place: Site) -> None:
    day, night = await pair(place)
    await place.broker.take(place.network.enrol(BELGRADE, ("field",)))
    third = await place.client(BELGRADE, nth=2)
    await day.duty.handover.give(night.officer, "first: call Tirana at 4")
    await until(third.duty.handover.waiting, third)
    await third.duty.handover.give(night.officer, "second")
    await until(lambda: len(night.duty.handover.told()) == 2, night)
    assert [one.text for one in night.duty.handover.told()] == ["second", "first: call Tirana at 4"]
    await until(lambda: len(day.duty.handover.told()) == 2, day)  # nobody has taken it yet
    assert [one.text for one in third.duty.handover.told()] == ["second"]

    _, taken = await night.duty.handover.take()
    assert [one.text for one in taken] == ["second", "first: call Tirana at 4"]
    assert night.duty.handover.told() == ()
    await until(lambda: not day.duty.handover.told(), day)
    with pytest.raises(OutOfTurnError, match=f"{night.officer} has taken it"):
        await night.duty.handover.take()
    await day.duty.handover.give(night.officer, "third")
    await day.duty.handover.give(night.officer, "fourth")  # in place of his own
    await until(lambda: len(night.house.said(Handover)) == 4, night)
    assert [one.text for one in night.duty.handover.told()] == ["fourth"]


async def test_the_newest_counts_and_nothing_waits_for_it(place: Site) -> None:
    day, night = await pair(place)
    with pytest.raises(OutOfTurnError, match="no watch was handed over"):
        await day.duty.handover.take()
    with pytest.raises(RefusedError, match="no officer o-0000"):
        await day.duty.handover.give("o-0000")
    await day.duty.handover.give(text="first")
    await day.duty.handover.give(text="second")
    await until(lambda: len(night.house.said(Handover)) == 2, night)
    view = night.duty.handover.waiting()
    assert view is not None
    assert view.text == "second"
    assert [due.ref for due in night.requests.waiting()] == [f"{CHANNEL}#1"]


async def test_what_is_not_named_is_counted_once(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje = await place.client(SKOPJE)
    others = [await place.client(node) for node in (BELGRADE, PRISTINA)]
    await skopje.channels.open(CHANNEL, [BELGRADE, PRISTINA])
    for _ in range(2):  # each is owed by two nodes
        asked = replace(question(BELGRADE, PRISTINA), message_id=new_id())
        await skopje.requests.ask(CHANNEL, asked)
    await until(lambda: len(skopje.requests.due()) == 4, skopje, *others)
    monkeypatch.setattr("seefen.client.handover.MOST", 1)
    await skopje.duty.handover.give()
    view = skopje.duty.handover.newest()
    assert view is not None
    assert (len(view.owed), view.more) == (1, 1)


async def test_what_is_sealed_for_the_next_officer_is_never_called_done(place: Site) -> None:
    keyholder = await place.client(BELGRADE)
    night, officer = await field(place, 1)
    _, number = await asked(place, keyholder)
    (open_,) = keyholder.requests.waiting()
    await keyholder.duty.handover.give(officer)
    await until(night.duty.handover.waiting, night)
    view = night.duty.handover.waiting()
    assert view is not None
    assert (view.waiting, view.done) == ((), ())
    assert [(one.ref, one.cover_open) for one in view.sealed] == [(open_.ref, False)]

    await keyholder.cases.assign(number, officer)
    await until(night.requests.waiting, night)
    view = night.duty.handover.waiting()
    assert view is not None
    assert [one.ref for one in view.waiting] == [open_.ref]
    assert (view.sealed, view.done) == ((), ())


async def test_an_alert_that_nobody_answered_is_not_done_when_nothing_reminds_of_it(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, day, night = await trio(place)
    own = await day.alerts.send(alert(), CHANNEL)
    await day.duty.handover.give()
    await until(night.duty.handover.waiting, night)
    await until(night.alerts.unanswered, night)
    with monkeypatch.context() as patch:
        later(patch, 3 * DAY)  # from Friday to Monday
        assert night.alerts.unanswered() == []
        view = night.duty.handover.waiting()
        assert view is not None
        assert [one.ref for one in view.silent] == [own.ref]
        assert (view.owed, view.done) == ((), ())

    await until(lambda: own.ref in [one.ref for one in skopje.alerts.list()], skopje)
    await skopje.alerts.answer(str(own.ref), "taken")
    await until(lambda: not night.alerts.unanswered(), night)
    view = night.duty.handover.waiting()
    assert view is not None
    assert [one.ref for one in view.done] == [own.ref]
    assert view.silent == ()


async def test_what_the_own_node_asked_back_about_is_not_done(place: Site) -> None:
    keyholder = await place.client(BELGRADE)
    await asked(place, keyholder)
    (open_,) = keyholder.requests.waiting()
    await keyholder.duty.handover.give()
    await keyholder.requests.query(open_.ref, "Which year?")
    assert keyholder.requests.waiting() == []  # the clock stands
    view = keyholder.duty.handover.newest()
    assert view is not None
    assert [one.ref for one in view.silent] == [open_.ref]
    assert view.done == ()
