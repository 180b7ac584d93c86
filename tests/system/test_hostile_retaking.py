"""A broker hides something once and is honest again: what it hid comes, in its place."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from seefen.client import Client, doubts, retaking
from seefen.protocol.frames import Item, Page, Stub
from seefen.protocol.ledger.record import decode_core
from tests.client.scenes import BELGRADE, PRISTINA, SKOPJE, WHY, deaf
from tests.system.siege import Siege, numbers, siege

OPENED = "Rifles"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Siege]:
    async with siege(tmp_path, SKOPJE, BELGRADE, PRISTINA) as place:
        yield place


def without(hidden: Callable[[Item], bool]) -> Callable[[Page], Page]:
    """Return the lie that leaves out some items of a page."""

    def lie(page: Page) -> Page:
        kept = tuple(item for item in page.items if not hidden(item))
        return page if len(kept) == len(page.items) else replace(page, items=kept)

    return lie


def later(client: Client, seconds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    now = client._engine.now()
    monkeypatch.setattr(client._engine, "now", lambda: now + seconds)


async def same(place: Siege, one: Client, other: Client) -> None:
    """Check that two members know the same case, call its messages the same and go on."""
    for client in (one, other):
        await client.sync()
    states = [client.find(f"{place.case}#1")[0] for client in (one, other)]
    assert states[0].generation.gen == states[1].generation.gen
    assert states[0].versions == states[1].versions
    shown = numbers(one, place.case)
    assert shown == numbers(other, place.case)
    for n in shown:
        texts = [
            getattr((await client.read(f"{place.case}#{n}", **WHY)).message, "text", "")
            for client in (one, other)
        ]
        assert texts[0] == texts[1], n
    for writer, reader in ((one, other), (other, one)):
        sent = await writer.cases.send(place.case, "and on")
        assert sent.ref is not None, sent.problem
        await reader.sync()
        assert sent.ref == f"{place.case}#{numbers(reader, place.case)[-1]}"
        assert (await reader.read(sent.ref, **WHY)).message is not None


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


async def test_attack_what_came_of_an_entry_that_is_refused_now_goes_with_it(place: Siege) -> None:
    """A removed member's key, believed while his removal was hidden, must not stay in use."""
    _, belgrade = await place.story("one")
    engine = belgrade._engine
    state, _ = belgrade.find(f"{place.case}#1")
    assert engine.case_key(state.case, 1) is not None
    for entry in engine.vault.entries(state.case, "casekey", "object"):
        retaking._let_go(engine, entry)
    assert engine.case_key(state.case, 1) is None
    assert numbers(belgrade, place.case) == []


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
