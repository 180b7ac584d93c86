"""What another process wrote is known within half a second, and at once to who needs it."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator

import pytest

from seefen.server.errors import UnreachableError
from seefen.server.keeping_up import APART_SECONDS
from tests.server.test_races_processes import Held, another, rest
from tests.support import casework
from tests.support.served import Served, served
from tests.support.waiting import until

NODES = ("skopje-border", "belgrade-ffp")


@pytest.fixture
async def it() -> AsyncIterator[Served]:
    """Give a broker."""
    async with served(*NODES) as it:
        yield it


async def test_who_looks_knows_what_stood_before(it: Served) -> None:
    async with another(it) as other:
        await rest(it.broker)
        bundle = it.network.admit("tirana-lab")
        it.take(bundle, await other.submit(None, bundle, 0))
        device = it.network.of("tirana-lab").device
        assert not it.broker.directory.is_active(device, at=it.network.at)
        await it.broker.look()
        assert it.broker.directory.is_active(device, at=it.network.at)


async def test_a_look_that_has_begun_is_not_for_who_comes_after_it(
    it: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer may be older than what he asks about."""
    async with another(it) as other:
        await rest(it.broker)
        held = Held(it.store.heads)
        monkeypatch.setattr(it.store, "heads", held)
        first = asyncio.create_task(it.broker.look())
        await held.came.wait()
        bundle = it.network.admit("tirana-lab")
        it.take(bundle, await other.submit(None, bundle, 0))
        second = asyncio.create_task(it.broker.look())
        await asyncio.sleep(2 * APART_SECONDS)
        held.go.set()
        await first
        device = it.network.of("tirana-lab").device
        assert not it.broker.directory.is_active(device, at=it.network.at)
        await second
        assert it.broker.directory.is_active(device, at=it.network.at)


async def test_attack_57_with_a_slow_database_there_is_one_look_at_a_time(
    it: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else looks take all connections, and nobody is answered."""
    await rest(it.broker)
    real, now, most = it.store.heads, 0, 0

    async def slow() -> object:
        nonlocal now, most
        now, most = now + 1, max(most, now + 1)
        await asyncio.sleep(0.3)
        now -= 1
        return await real()

    monkeypatch.setattr(it.store, "heads", slow)
    waiting = list[asyncio.Task[None]]()
    for _ in range(10):
        waiting.append(asyncio.create_task(it.broker.look()))
        await asyncio.sleep(APART_SECONDS * 1.1)
    began = time.monotonic()
    await asyncio.gather(*waiting)
    assert most == 1
    assert time.monotonic() - began < 3  # who came meanwhile shared the next one


async def test_what_others_wrote_is_seen_whatever_becomes_of_the_watches(
    it: Served, monkeypatch: pytest.MonkeyPatch, alarms: list[str]
) -> None:
    """A look comes first: what is read of watches may be long, and may break."""

    async def broken(_: int) -> object:
        raise ValueError("rows that cannot be read")

    def forgets(_: int) -> bool:
        return True

    monkeypatch.setattr(it.store, "open_accesses", broken)
    monkeypatch.setattr(it.broker._watches, "prune", forgets)
    async with another(it) as other:
        bundle = it.network.admit("tirana-lab")
        it.take(bundle, await other.submit(None, bundle, 0))
        await until(lambda: it.broker.heads == other.heads)
    await until(lambda: "look-failed" in alarms)


async def test_attack_57_thousands_who_are_unknown_are_one_look(
    it: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rest(it.broker)
    asked = list[float]()
    real = it.store.heads

    async def counted() -> object:
        asked.append(time.monotonic())
        return await real()

    monkeypatch.setattr(it.store, "heads", counted)
    began = time.monotonic()
    for _ in range(5):
        await asyncio.gather(*(it.broker.look() for _ in range(1000)))
    assert len(asked) <= (time.monotonic() - began) / APART_SECONDS + 1
    assert all(two - one > APART_SECONDS * 0.9 for one, two in itertools.pairwise(asked))


async def test_while_the_database_is_away_nobody_is_called_unknown(
    it: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rest(it.broker)

    async def away() -> object:
        raise UnreachableError("away", rule="database")

    monkeypatch.setattr(it.store, "heads", away)
    with pytest.raises(UnreachableError):
        await it.broker.look()


async def test_who_is_on_watch_is_rung_for_after_the_clock_was_ahead(it: Served) -> None:
    author, reader = it.network.of(NODES[0]), it.network.of(NODES[1])
    case = await it.open_case(author, NODES[1], form="channel")
    await it.ask(reader, casework.access(it.network, reader, case, scope="watch"))
    watches, at = it.broker._watches, it.network.at
    assert watches.open(case, [reader.device], index=99, at=at)
    it.network.at += 13 * 3600
    await until(lambda: not watches.open(case, [reader.device], index=99, at=at))
    it.network.at = at + 60
    await until(lambda: bool(watches.open(case, [reader.device], index=99, at=at)))
    got = list[bytes]()
    it.broker.attach(reader.device, got.append, lambda: None)
    bundle = casework.message(it.network, author, case)
    await it.send(author, bundle)
    await until(lambda: got)
    assert bundle.contents[0].key in got[0]
