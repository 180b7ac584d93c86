"""What a node is told of a case that is older than its membership, by a broker that lies."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from seefen.client import Client, alarms, doubts, engine, keying, mirroring, retaking
from seefen.client.paging import Place, place_of
from seefen.client.sender import Parcel
from seefen.protocol.encoding import decode
from seefen.protocol.errors import UntrustedError
from seefen.protocol.frames import Before, FeedFrom, Frame, Page
from seefen.protocol.ledger.mirror import Kept
from seefen.protocol.suite import random_bytes
from tests.client.scenes import BELGRADE, PRISTINA, SKOPJE, WHY, deaf
from tests.support.waiting import until
from tests.system.siege import Siege, later, numbers, siege, without

TIRANA = "tirana-lab"
EARLIER = 4  # messages before Pristina came


class Stopped(Exception):  # noqa: N818 - as by a kill
    pass


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Siege]:
    async with siege(tmp_path, SKOPJE, BELGRADE, PRISTINA, TIRANA) as place:
        yield place


async def long_ago(place: Siege) -> tuple[Client, Client]:
    """Let members come and go before Pristina comes."""
    skopje, belgrade = await place.story("one", "two")
    for text in ("three", "four"):
        await skopje.cases.add(place.case, [TIRANA])
        await skopje.cases.remove(place.case, [TIRANA])
        await belgrade.sync()
        await belgrade.cases.send(place.case, text)
        await skopje.sync()
    return skopje, belgrade


async def history(place: Siege) -> tuple[Client, Client]:
    """Let Skopje and Belgrade write and read before anybody else comes."""
    skopje, belgrade = await place.story("one", "two")
    for text in ("three", "four"):
        await belgrade.cases.send(place.case, text)
        await skopje.sync()
        await skopje.read(f"{place.case}#{numbers(skopje, place.case)[-1]}", **WHY)
    await belgrade.read(f"{place.case}#1", **WHY)
    return skopje, belgrade


async def comes(place: Siege, skopje: Client) -> Client:
    """Let Pristina into the case; return its client, which was told nothing yet."""
    pristina = await place.place.client(PRISTINA)
    deaf(pristina)
    await skopje.cases.add(place.case, [PRISTINA])
    return pristina


async def all_know(place: Siege, *clients: Client) -> None:
    """Check that all call what was written since Pristina came the same, and go on."""
    for writer in clients:
        sent = await writer.cases.send(place.case, "and on")
        assert sent.ref is not None, sent.problem
        for reader in clients:
            await reader.sync()
            assert sent.ref == f"{place.case}#{numbers(reader, place.case)[-1]}"
            message = (await reader.read(sent.ref, **WHY)).message
            assert getattr(message, "text", "") == "and on"
    for client in clients:
        assert not doubts.doubted(client._engine.vault)


async def heal(
    place: Siege, monkeypatch: pytest.MonkeyPatch, pristina: Client, *others: Client
) -> None:
    """Let the broker be honest, and Pristina ask again."""
    place.hostile.honest()
    later(pristina, doubts.FIRST_SECONDS + 1, monkeypatch)
    await pristina.sync()
    await all_know(place, pristina, *others)


def said(client: Client) -> str:
    """Return all alarms of a device."""
    return "; ".join(one.sentence for one in alarms.kept(client._engine.vault))


def told(change: Callable[[Page], Page]) -> Callable[[Page], Page]:
    """Return a lie about pages in which a backlog ends."""
    return lambda page: change(page) if page.before else page


@pytest.mark.parametrize("size", [1, 2, 500])
async def test_a_node_that_comes_late_calls_everything_as_the_others_do(
    place: Siege, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "PAGE", size)
    skopje, belgrade = await history(place)
    pristina = await comes(place, skopje)
    await belgrade.sync()
    await belgrade.cases.send(place.case, "five")
    await pristina.sync()
    assert pristina.alarm is None
    assert numbers(pristina, place.case) == [EARLIER + 1]
    await all_know(place, pristina, belgrade, skopje)
    # Of the five readings and receipts, and the messages, it keeps one of each device.
    before = pristina._engine.vault.one(
        "SELECT count(*), count(envelope), count(DISTINCT device) FROM entry"
        " WHERE idx < (SELECT max(idx) FROM entry WHERE kind = 'case')"
    )
    assert before == (4, 2, 2)
    assert [client.alarm for client in (skopje, belgrade, pristina)] == [None] * 3


@pytest.mark.parametrize("size", [1, 2])
async def test_a_node_that_is_let_in_at_once_has_a_backlog_of_a_page(
    place: Siege, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An honest broker is not called a liar where nothing follows the last key of before."""
    monkeypatch.setattr(engine, "PAGE", size)
    skopje, belgrade = await place.place.client(SKOPJE), await place.place.client(BELGRADE)
    place.case = (await skopje.cases.open("Pistols", [BELGRADE])).number
    pristina = await comes(place, skopje)
    await pristina.sync()
    assert pristina.alarm is None
    await all_know(place, pristina, belgrade, skopje)


async def test_a_device_that_is_stopped_inside_a_backlog_goes_on_there(
    place: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "PAGE", 1)
    skopje, belgrade = await history(place)
    await skopje.cases.add(place.case, [PRISTINA])
    asked: list[FeedFrom] = []

    async def hear(frame: Frame) -> Frame:
        asked.append(decode(frame.body, FeedFrom))
        return frame

    mine, real, stood = place.place.network.of(PRISTINA).device, engine.Engine._take_page, [Place()]

    def stopping(self: engine.Engine, page: Page, *rest: Any) -> Any:
        if self.keys.device == mine:
            stood[0] = place_of(self.vault)
            if stood[0].within:
                raise Stopped
        return real(self, page, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(engine.Engine, "_take_page", stopping)
        with pytest.raises(Stopped):
            async with place.place.briefly(PRISTINA) as pristina:
                await pristina.sync()
    place.hostile.before("feed", hear)
    pristina = await place.place.client(PRISTINA)
    deaf(pristina)
    await pristina.sync()
    first = next(ask for ask in asked if ask.within)
    assert Place(first.cursor, first.within) == stood[0]
    assert pristina.alarm is None
    await all_know(place, pristina, belgrade, skopje)


async def test_a_push_does_not_overtake_the_end_of_a_backlog(
    place: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken in before the key that is still due, it would have that key refused."""
    monkeypatch.setattr(engine, "PAGE", 1)
    skopje, belgrade = await place.place.client(SKOPJE), await place.place.client(BELGRADE)
    place.case = (await skopje.cases.open("Pistols", [BELGRADE])).number
    await belgrade.sync()
    state = belgrade._engine.trust.require_state(belgrade._engine.named(place.case) or b"")

    def renewed(parcel: Parcel) -> None:
        keying.add_renewal(belgrade._engine, parcel, state, "age")

    await belgrade._sender.send(renewed)  # a receipt of Skopje behind it would be one number more
    await skopje.sync()
    pristina = await place.place.client(PRISTINA)
    waiting: list[Frame] = []
    pristina._engine.connection.pushed = waiting.append
    await skopje.cases.add(place.case, [PRISTINA])
    await until(lambda: sum(frame.verb == "push" for frame in waiting) == 2)
    real = engine.Engine._take_page

    def breaking(self: engine.Engine, page: Page, *rest: Any) -> Any:
        if self is pristina._engine and place_of(self.vault).within > 1:
            raise Stopped
        return real(self, page, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(engine.Engine, "_take_page", breaking)
        with pytest.raises(Stopped):
            await pristina.sync()
    stood = place_of(pristina._engine.vault)
    assert stood == Place(3, 2)  # the key of Belgrade is still due
    for frame in waiting:
        pristina._pushes.take(frame)
    await until(lambda: place_of(pristina._engine.vault).cursor > stood.cursor + 1)
    assert pristina.alarm is None
    await all_know(place, pristina, belgrade, skopje)


async def test_attack_13_a_device_that_is_left_out_of_a_backlog_is_missed_when_it_writes(
    place: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade = await history(place)
    pristina = await comes(place, skopje)
    lie = place.hostile.lie(
        "feed", told(lambda page: replace(page, stubs=())), to=place.place.network.of(PRISTINA)
    )
    await pristina.sync()
    assert lie.told
    await belgrade.sync()
    await belgrade.cases.send(place.case, "five")
    await pristina.sync()
    assert "a number is missing" in said(pristina)
    assert numbers(pristina, place.case)  # and yet it has what was written
    await heal(place, monkeypatch, pristina, belgrade, skopje)
    assert numbers(pristina, place.case)[0] == EARLIER + 1


@pytest.mark.parametrize("count", [0, 99])
async def test_attack_13_a_false_count_of_what_was_before_is_noticed_at_the_next_message(
    place: Siege, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade = await history(place)
    pristina = await comes(place, skopje)
    state, _ = skopje.find(f"{place.case}#1")
    false = (Before(state.case, count),)
    place.hostile.lie(
        "feed", told(lambda page: replace(page, before=false)), to=place.place.network.of(PRISTINA)
    )
    await pristina.sync()
    await skopje.cases.send(place.case, "five")
    await pristina.sync()
    assert "wrong number" in said(pristina)
    await heal(place, monkeypatch, pristina, belgrade, skopje)
    assert numbers(pristina, place.case)[0] == EARLIER + 1


async def test_attack_13_a_number_that_no_device_had_reached_is_let_go(
    place: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade = await history(place)
    pristina = await comes(place, skopje)

    def far(page: Page) -> Page:
        return replace(page, stubs=tuple(replace(stub, case_n=999) for stub in page.stubs))

    place.hostile.lie("feed", told(far), to=place.place.network.of(PRISTINA))
    await pristina.sync()
    # Of the owner it shows at once: version and key that let Pristina in have lower numbers.
    assert said(pristina).count("a number is missing") == 2
    await belgrade.sync()
    sent = await belgrade.cases.send(place.case, "five")
    await pristina.sync()
    assert said(pristina).count("a number is missing") > 2
    assert (await pristina.read(str(sent.ref), **WHY)).message is not None
    await heal(place, monkeypatch, pristina, belgrade, skopje)


async def test_an_agents_mirror_keeps_a_backlog_of_many_pages(
    place: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirroring, "PAGE", 2)
    skopje, _ = await long_ago(place)
    pristina = await comes(place, skopje)
    await pristina.logs.sync()
    kept, cursor, more = list[Kept](), 0, True
    while more:
        found, upto = await pristina.logs.fed(cursor)
        kept += found
        more, cursor = upto > cursor, upto
    here = pristina._engine.vault.run("SELECT idx FROM entry WHERE envelope IS NOT NULL")
    assert sorted(one.index for one in kept) == sorted(index for (index,) in here)
    assert sum(one.kind == "casekey" for one in kept) > 2


async def test_attack_50_an_agents_mirror_takes_no_entry_twice_inside_a_backlog(
    place: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker shows one page again and again, each time one entry further inside."""
    monkeypatch.setattr(mirroring, "PAGE", 1)
    skopje, _ = await long_ago(place)
    pristina = await comes(place, skopje)
    await pristina.logs.sync()
    shown: list[Page] = []

    def again(page: Page) -> Page:
        if page.within:
            shown.append(replace(shown[-1], within=shown[-1].within + 1) if shown else page)
        return shown[-1] if shown else page

    place.hostile.lie("feed", again, to=place.place.network.of(PRISTINA))
    with pytest.raises(UntrustedError) as caught:
        await pristina.logs.fed(0)
    assert caught.value.rule == "page"
    assert len(shown) <= 2


@pytest.mark.parametrize("size", [2, 500])
async def test_attack_12_a_key_that_is_left_out_of_a_backlog_comes_in_its_place(
    place: Siege, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retaking, "PAGE", size)  # it is asked for again in many pages
    skopje, belgrade = await long_ago(place)
    pristina = await place.place.client(PRISTINA)
    deaf(pristina)
    keys = 0

    def hide(page: Page) -> Page:
        nonlocal keys
        keys = sum(item.kind == "casekey" for item in page.items)
        hidden = [item for item in page.items if item.kind == "casekey"][1:2]
        return replace(page, items=tuple(item for item in page.items if item not in hidden))

    lie = place.hostile.lie("feed", told(hide), times=1, to=place.place.network.of(PRISTINA))
    await skopje.cases.add(place.case, [PRISTINA])
    await pristina.sync()
    assert lie.told
    assert keys > 2
    assert "was refused" in said(pristina)
    await all_know(place, pristina, belgrade, skopje)


async def test_attack_13_who_came_late_misses_a_message_that_was_hidden_since(
    place: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers may be missing before a node came to a case, and not behind that."""
    skopje, belgrade = await history(place)
    pristina = await comes(place, skopje)
    await pristina.sync()
    hidden = await place.count("activity_leaf")
    lie = place.hostile.lie(
        "feed",
        without(lambda item: item.entry.index == hidden),
        times=1,
        to=place.place.network.of(PRISTINA),
    )
    for text in ("five", "six"):
        await skopje.cases.send(place.case, text)
    await pristina.sync()
    assert lie.told
    assert "a number is missing" in said(pristina)
    await heal(place, monkeypatch, pristina, belgrade, skopje)
    assert numbers(pristina, place.case)[:2] == [EARLIER + 1, EARLIER + 2]


async def test_attack_50_counts_of_cases_that_nobody_opened_fill_no_vault(place: Siege) -> None:
    skopje, belgrade = await history(place)
    pristina = await comes(place, skopje)

    def inventing(page: Page) -> Page:
        invented = tuple(Before(random_bytes(16), 7) for _ in range(50))
        return replace(page, before=page.before + invented)

    lie = place.hostile.lie("feed", inventing, to=place.place.network.of(PRISTINA))
    for _ in range(3):
        await pristina.sync()
    assert lie.told >= 3
    kept = pristina._engine.vault.run("SELECT name FROM setting WHERE name LIKE 'before/%'")
    ours = pristina._engine.named(place.case)
    assert ours is not None
    assert kept == [(f"before/{ours.hex()}",)]
    assert pristina.alarm is None
    await all_know(place, pristina, belgrade, skopje)


async def test_attack_13_who_was_there_from_the_beginning_believes_no_count_of_before(
    place: Siege,
) -> None:
    """Else the broker could give its messages other numbers than they have at the others."""
    skopje, belgrade = await place.place.client(SKOPJE), await place.place.client(BELGRADE)
    deaf(belgrade)  # it is told of the opening in a page that has the count
    place.case = (await skopje.cases.open("Pistols", [BELGRADE])).number
    false = (Before(skopje._engine.named(place.case) or b"", 7),)
    lie = place.hostile.lie("feed", lambda page: replace(page, before=false))
    for text in ("one", "two"):
        await belgrade.sync()
        await skopje.cases.send(place.case, text)
    await belgrade.sync()
    assert lie.told
    assert belgrade.alarm is None
    await all_know(place, belgrade, skopje)
    assert numbers(belgrade, place.case) == [1, 2, 3, 4]
