"""A broker hides something once and is honest again: what it hid comes, in its place."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from seefen.client import alarms, doubts, retaking
from seefen.protocol.encoding import decode
from seefen.protocol.frames import FeedFrom, Page, Stub
from seefen.protocol.ledger.record import decode_core
from seefen.protocol.suite import new_id
from tests.client.scenes import BELGRADE, PRISTINA, SKOPJE, WHY, deaf
from tests.support.waiting import until
from tests.system.siege import Siege, later, numbers, same, siege, without

OPENED = "Rifles"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Siege]:
    async with siege(tmp_path, SKOPJE, BELGRADE, PRISTINA) as place:
        yield place


@pytest.mark.parametrize("kind", ["casekey", "case"])
@pytest.mark.parametrize("behind", [False, True])
async def test_attack_12_a_change_that_was_hidden_once_comes_in_its_place(
    place: Siege, kind: str, *, behind: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    await skopje.cases.add(place.case, [PRISTINA])
    await belgrade.sync()
    belgrade_only = place.place.network.of(BELGRADE)
    place.hostile.lie("feed", without(lambda item: item.kind == kind), to=belgrade_only)
    await skopje.cases.remove(place.case, [PRISTINA])
    if behind:
        await skopje.cases.send(place.case, "under the new key")
    await belgrade.sync()
    assert belgrade.alarm is not None
    assert (await belgrade.cases.send(place.case, "under the old key")).ref is None
    place.hostile.honest()
    later(belgrade, doubts.FIRST_SECONDS + 1, monkeypatch)
    await belgrade.sync()
    assert not belgrade.queued()  # what waited has left, under the new key
    assert not doubts.doubted(belgrade._engine.vault)
    await same(place, skopje, belgrade)


async def test_attack_12_a_change_is_shown_before_its_key(place: Siege) -> None:
    """Nothing says a second time that the key is hidden, and nothing comes behind it."""
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    for kinds in (("case", "casekey"), ("casekey",)):
        place.hostile.honest()
        lie = without(lambda item, kinds=kinds: item.kind in kinds)  # type: ignore[misc]
        place.hostile.lie("feed", lie, to=place.place.network.of(BELGRADE))
        if len(kinds) == 2:
            await skopje.cases.add(place.case, [PRISTINA])
        await belgrade.sync()
    place.hostile.honest()
    await belgrade.sync()
    await same(place, skopje, belgrade)


async def test_attack_12_what_was_hidden_from_an_agent_once_comes_too(place: Siege) -> None:
    """An agent with the role keyholder hands keys on: it must not stay behind its case."""
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    await belgrade.logs.sync()
    hidden = place.place.network.of(BELGRADE)
    lie = without(lambda item: item.kind == "casekey")
    told = place.hostile.lie("feed", lie, times=1, to=hidden)
    await skopje.cases.add(place.case, [PRISTINA])
    await skopje.cases.send(place.case, "under the new key")
    await belgrade.logs.sync()
    assert told.told
    assert not doubts.doubted(belgrade._engine.vault)
    await same(place, skopje, belgrade)


async def test_attack_13_a_message_that_was_hidden_once_keeps_its_number(place: Siege) -> None:
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    await skopje.cases.send(place.case, "two")
    hidden = place.place.network.of(BELGRADE)
    told = place.hostile.lie(
        "feed", without(lambda item: item.kind == "object"), times=1, to=hidden
    )
    await belgrade.sync()
    assert told.told
    assert numbers(belgrade, place.case) == [1]
    await skopje.cases.send(place.case, "three")
    await belgrade.sync()
    assert "withheld" in str(belgrade.alarm)
    assert numbers(belgrade, place.case) == [1, 2, 3]
    await same(place, skopje, belgrade)


async def test_attack_13_a_stub_that_nothing_proves_is_let_go(
    place: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It said that this device had used its numbers up: nothing that it wrote would be next."""
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    state, _ = belgrade.find(f"{place.case}#1")
    foreign = await place.count("activity_leaf")
    await skopje.cases.open(OPENED, [PRISTINA])
    mine = place.place.network.of(BELGRADE)

    def used_up(page: Page) -> Page:
        stub = Stub(foreign, "ack", state.case, mine.device, 999)
        return replace(page, stubs=(*page.stubs, stub))

    place.hostile.lie("feed", used_up, times=2, to=mine)  # once more when it is asked again
    await belgrade.sync()
    assert "number is missing" in str(belgrade.alarm)
    later(belgrade, doubts.FIRST_SECONDS + 1, monkeypatch)
    await belgrade.sync()
    assert not doubts.doubted(belgrade._engine.vault)
    await same(place, skopje, belgrade)


async def test_attack_13_a_stub_in_another_case_keeps_nobodys_place(
    place: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    other = await skopje.cases.open(OPENED, [BELGRADE])
    await belgrade.sync()
    state, _ = belgrade.find(f"{other.number}#1")
    await skopje.cases.send(place.case, "two")
    places: list[int] = []

    def elsewhere(page: Page) -> Page:
        stubs = list(page.stubs)
        for item in page.items:
            if item.kind == "object":
                core = decode_core(item.entry.core)
                device = bytes.fromhex(core.device)
                places.append(item.entry.index)
                stubs.append(Stub(places[-1], "ack", state.case, device, 50))
        kept = tuple(item for item in page.items if item.kind != "object")
        return replace(page, items=kept, stubs=tuple(stubs))

    hidden = place.place.network.of(BELGRADE)
    place.hostile.lie("feed", elsewhere, times=1, to=hidden)
    await belgrade.sync()
    assert places
    assert numbers(belgrade, place.case) == [1]
    await skopje.cases.send(place.case, "three")
    await belgrade.sync()
    for n in (1, 5):  # the other case is looked at first, then this one
        later(belgrade, n * (doubts.FIRST_SECONDS + 1), monkeypatch)
        await belgrade.sync()
    monkeypatch.undo()  # an access from minutes ahead is refused
    await same(place, skopje, belgrade)


async def test_attack_13_a_case_whose_opening_was_hidden_once_appears(place: Siege) -> None:
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    hidden = place.place.network.of(BELGRADE)
    place.hostile.lie("feed", without(lambda item: item.kind == "case"), times=1, to=hidden)
    place.case = (await skopje.cases.open(OPENED, [BELGRADE])).number
    await skopje.cases.send(place.case, "one")
    await belgrade.sync()
    assert "never told of" in str(belgrade.alarm)
    await same(place, skopje, belgrade)


async def test_attack_what_was_believed_is_not_taken_back_by_hiding_it_later(
    place: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker makes a device ask again, and hides then what it had shown before."""
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    await skopje.cases.add(place.case, [PRISTINA])
    await belgrade.sync()
    await skopje.cases.remove(place.case, [PRISTINA])
    await belgrade.sync()
    state, _ = belgrade.find(f"{place.case}#1")
    assert PRISTINA not in state.members
    hidden = place.place.network.of(BELGRADE)
    newest = state.version
    place.hostile.lie("feed", without(lambda item: item.kind == "object"), times=1, to=hidden)
    await skopje.cases.send(place.case, "two")
    await belgrade.sync()
    place.hostile.lie("feed", without(lambda item: item.kind in ("case", "casekey")), to=hidden)
    await skopje.cases.send(place.case, "three")
    await belgrade.sync()
    assert numbers(belgrade, place.case) == [1, 2, 3]  # it was made anew
    state, _ = belgrade.find(f"{place.case}#1")
    assert (state.version, PRISTINA in state.members) == (newest, False)
    place.hostile.honest()
    await same(place, skopje, belgrade)


async def test_attack_a_case_that_stays_in_doubt_is_asked_for_more_and_more_seldom(
    place: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    hidden = place.place.network.of(BELGRADE)
    place.hostile.lie("feed", without(lambda item: item.kind == "casekey"), to=hidden)
    await skopje.cases.add(place.case, [PRISTINA])
    await skopje.cases.send(place.case, "two")
    await belgrade.sync()
    (one,) = doubts.doubted(belgrade._engine.vault).values()
    assert one.tries == 1
    await belgrade.sync()
    assert list(doubts.doubted(belgrade._engine.vault).values()) == [one]  # not asked again
    for tries in (2, 3):
        later(belgrade, one.next_at - belgrade._engine.now(), monkeypatch)
        await belgrade.sync()
        (one,) = doubts.doubted(belgrade._engine.vault).values()
        assert one.tries == tries
        assert one.next_at - belgrade._engine.now() == doubts.FIRST_SECONDS * 4 ** (tries - 1)
    # Other cases go on.
    other = await belgrade.cases.open("Other", [SKOPJE])
    assert (await belgrade.cases.send(other.number, "elsewhere")).ref


async def test_attack_13_a_stub_that_was_changed_in_its_place_is_let_go(
    place: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something of the case does stand there, but nothing of this device, which had the number."""
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    await skopje.cases.add(place.case, [PRISTINA])
    ref = (await skopje.cases.send(place.case, "two")).ref
    assert ref is not None
    pristina = await place.place.client(PRISTINA)
    await pristina.read(ref, **WHY)
    mine = place.place.network.of(BELGRADE)

    def used_up(page: Page) -> Page:
        def lie(stub: Stub) -> Stub:
            return replace(stub, device=mine.device, case_n=999)

        stubs = tuple(lie(stub) if stub.kind == "access" else stub for stub in page.stubs)
        return page if stubs == page.stubs else replace(page, stubs=stubs)

    told = place.hostile.lie("feed", used_up, times=2, to=mine)  # once more when it is asked again
    await belgrade.sync()
    assert told.told == 2
    assert "number is missing" in str(belgrade.alarm)
    later(belgrade, doubts.FIRST_SECONDS + 1, monkeypatch)
    await belgrade.sync()
    assert not doubts.doubted(belgrade._engine.vault)
    monkeypatch.undo()
    await same(place, skopje, belgrade)


async def test_attack_cases_that_nobody_opened_take_no_place_from_one_that_is_known(
    place: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker names cases that there are not, until no more may be in doubt, and hides then."""
    monkeypatch.setattr(doubts, "MOST", 1)
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    foreign = await place.count("activity_leaf")
    await skopje.cases.open(OPENED, [PRISTINA])
    hidden = await place.count("activity_leaf")
    for text in ("two", "three"):
        await skopje.cases.send(place.case, text)
    mine, theirs = place.place.network.of(BELGRADE), place.place.network.of(SKOPJE)

    def full(page: Page) -> Page:
        items = tuple(item for item in page.items if item.entry.index != hidden)
        stubs = tuple(Stub(foreign + n, "ack", new_id(), theirs.device, 1) for n in range(2))
        return replace(page, items=items, stubs=(*page.stubs, *stubs))

    place.hostile.lie("feed", full, times=1, to=mine)
    await belgrade.sync()
    assert numbers(belgrade, place.case) == [1, 2, 3]
    assert not doubts.doubted(belgrade._engine.vault)
    await same(place, skopje, belgrade)


async def test_attack_an_alarm_that_was_explained_is_not_opened_by_asking_again(
    place: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is refused behind a gap stays refused, and the gap was told of."""
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    hidden = await place.count("activity_leaf")
    lie = without(lambda item: item.kind == "casekey" or item.entry.index == hidden)
    told = place.hostile.lie("feed", lie, to=place.place.network.of(BELGRADE))
    await skopje.cases.send(place.case, "hidden")
    await skopje.cases.add(place.case, [PRISTINA])
    await skopje.cases.send(place.case, "refused")
    await belgrade.sync()
    vault = belgrade._engine.vault
    assert [one for one in alarms.unanswered(vault) if "was refused" in one]
    for one in alarms.kept(vault):
        alarms.acknowledge(vault, one, 1, "the broker is being asked", None)
    asked = told.told
    later(belgrade, doubts.FIRST_SECONDS + 1, monkeypatch)
    await belgrade.sync()
    assert told.told > asked
    assert alarms.unanswered(vault) == ()


def again(change: Callable[[Page], Page | None]) -> Callable[[Page], Page | None]:
    """Return the lie about a page that a device asks for again, after the first one."""
    first = list[Page]()

    def lie(page: Page) -> Page | None:
        if first:
            return change(page)
        first.append(page)
        return page

    return lie


async def test_an_officer_sends_while_a_case_is_read_again(place: Siege) -> None:
    """The broker takes its time over a page of the case; the alert does not wait for it."""
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    mine = place.place.network.of(BELGRADE)
    hidden = await place.count("activity_leaf")
    for text in ("two", "three"):
        await skopje.cases.send(place.case, text)
    lie = without(lambda item: item.entry.index == hidden)
    place.hostile.lie("feed", lie, times=1, to=mine)
    place.hostile.lie("feed", again(lambda _: None), times=1, to=mine)
    syncing = asyncio.create_task(belgrade.sync())
    await until(lambda: place.hostile.kept)
    async with asyncio.timeout(10):
        sent = await belgrade.cases.send(place.case, "meanwhile")
    assert sent.ref is not None
    await skopje.sync()
    await skopje.read(f"{place.case}#4", **WHY)  # of which Belgrade is shown the number alone
    async with belgrade._engine.lock:
        await belgrade._engine.sync()
    assert not syncing.done()
    (page,) = place.hostile.kept
    await place.hostile.say(page, to=mine)
    await syncing
    assert numbers(belgrade, place.case) == [1, 2, 3, 4]
    assert not doubts.doubted(belgrade._engine.vault)  # what came meanwhile was no lie
    await same(place, skopje, belgrade)


async def test_attack_12_a_broker_that_takes_its_time_is_not_written_to_under_an_old_key(
    place: Siege,
) -> None:
    """It keeps back the page that the device asks for again, to be sent to meanwhile."""
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    mine = place.place.network.of(BELGRADE)
    hidden = await place.count("activity_leaf")
    for text in ("two", "three"):
        await skopje.cases.send(place.case, text)
    await skopje.cases.add(place.case, [PRISTINA])
    lie = without(lambda item: item.entry.index == hidden or item.kind in ("case", "casekey"))
    place.hostile.lie("feed", lie, times=1, to=mine)
    place.hostile.lie("feed", again(lambda _: None), times=1, to=mine)
    syncing = asyncio.create_task(belgrade.sync())
    await until(lambda: place.hostile.kept)
    async with asyncio.timeout(10):
        sent = await belgrade.cases.send(place.case, "under the old key")
    assert sent.ref is None
    assert "withholds" in str(sent.problem)
    (page,) = place.hostile.kept
    await place.hostile.say(page, to=mine)
    await syncing
    await same(place, skopje, belgrade)


async def test_attack_a_case_that_is_shown_in_crumbs_ends_no_sync(
    place: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retaking, "CRUMBS", 2)
    skopje, belgrade = await place.story("one")
    deaf(belgrade)
    mine = place.place.network.of(BELGRADE)
    hidden = await place.count("activity_leaf")
    for text in ("two", "three"):
        await skopje.cases.send(place.case, text)
    lie = without(lambda item: item.entry.index == hidden)
    place.hostile.lie("feed", lie, times=1, to=mine)

    def crumb(page: Page) -> Page:
        cursor = decode(place.hostile.asked.body, FeedFrom).cursor
        return replace(page, items=(), stubs=(), upto=cursor + 1)

    place.hostile.lie("feed", again(crumb), to=mine)
    await belgrade.sync()
    assert "in crumbs" in " ".join(belgrade.alarms)
    assert (await belgrade.cases.send(place.case, "and on")).ref
