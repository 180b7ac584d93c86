"""Handlers: each message once, opened with its entry, whatever a program's own code does."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from seefen.client import Client
from seefen.client.connection import UnreachableError
from seefen.client.values import Opened
from seefen.protocol.messages import Cover, Item, Note, SeizureAlert, TraceRequest
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, Why, alert, until
from tests.support import waiting

TRACE_WHY: Why = {"purpose": "trace", "basis": "pcc-see"}


def request(number: str) -> TraceRequest:
    return TraceRequest(
        to=(BELGRADE,),
        offence="trafficking",
        item=Item(category="pistol", serial_as_read=number),
        illicit_nature="seized",
        question=("manufacture",),
    )


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


async def asker(place: Site) -> tuple[Client, str]:
    skopje = await place.client(SKOPJE)
    return skopje, (await skopje.cases.open("Pistols", (BELGRADE,))).number


@asynccontextmanager
async def running(client: Client) -> AsyncGenerator[asyncio.Task[None]]:
    """Let a client run while the block does."""
    task = asyncio.create_task(client.run(**TRACE_WHY, reason="register service"))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def numbers(seen: list[Opened]) -> list[str]:
    return [o.message.item.serial_as_read for o in seen if isinstance(o.message, TraceRequest)]


def collected(client: Client) -> list[Opened]:
    """Register a handler of trace requests, and return what it is given."""
    seen: list[Opened] = []

    @client.on(TraceRequest)
    async def take(opened: Opened) -> None:
        await asyncio.sleep(0)
        seen.append(opened)

    return seen


async def test_what_comes_is_opened_handled_and_told_once_also_after_a_restart(
    place: Site,
) -> None:
    skopje, case = await asker(place)
    await skopje.requests.ask(case, request("A-1"))
    async with place.briefly(BELGRADE) as belgrade:
        await until(belgrade.requests.waiting, belgrade)
        seen = collected(belgrade)
        async with running(belgrade):
            await waiting.until(lambda: numbers(seen) == ["A-1"], what="what waits for an answer")
            await skopje.requests.ask(case, request("A-2"))
            await skopje.cases.send(case, "A note, for nobody's handler")
            await waiting.until(lambda: numbers(seen) == ["A-1", "A-2"])
        entries = {row.index: row for row in await belgrade.audit.list(case=case)}
        assert [entries[one.entry_index].purpose for one in seen] == ["trace", "trace"]
        assert not [o for o in belgrade.cases.show(case).objects if o.type == "Note" and o.fetched]
    await skopje.requests.ask(case, request("A-3"))
    async with place.briefly(BELGRADE) as belgrade:
        seen = collected(belgrade)
        async with running(belgrade):
            await waiting.until(lambda: numbers(seen) == ["A-3"], what="what came meanwhile")
            await skopje.requests.ask(case, request("A-4"))
            await waiting.until(lambda: numbers(seen) == ["A-3", "A-4"])
    await until(lambda: skopje.alerts.reach(seen[-1].view.ref)[0].read_at, skopje)


async def test_the_first_run_opens_nothing_that_was_settled_before(place: Site) -> None:
    skopje, case = await asker(place)
    belgrade = await place.client(BELGRADE)
    sent = await skopje.requests.ask(case, request("A-1"))
    await skopje.requests.ask(case, request("A-2"))
    await until(lambda: len(belgrade.requests.waiting()) == 2, belgrade)
    await skopje.requests.withdraw(str(sent.ref), "Found meanwhile")
    await until(lambda: len(belgrade.requests.waiting()) == 1, belgrade)
    seen = collected(belgrade)
    async with running(belgrade):
        await waiting.until(lambda: numbers(seen) == ["A-2"])
        await skopje.requests.ask(case, request("A-3"))
        await waiting.until(lambda: numbers(seen) == ["A-2", "A-3"])


async def test_fault_a_handler_that_fails_stops_nothing(place: Site) -> None:
    skopje, case = await asker(place)
    belgrade = await place.client(BELGRADE)
    await until(belgrade.cases.list, belgrade)
    seen, told = list[str](), list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    @belgrade.on(TraceRequest)
    async def take(opened: Opened) -> None:
        assert isinstance(opened.message, TraceRequest)
        seen.append(opened.message.item.serial_as_read)
        if seen == ["A-1"]:
            raise KeyError("A-1")

    async with running(belgrade) as task:
        for number in ("A-1", "A-2"):
            await skopje.requests.ask(case, request(number))
        await waiting.until(lambda: seen == ["A-1", "A-2"])
        assert not task.done()
    async with running(belgrade):
        await skopje.requests.ask(case, request("A-3"))
        await waiting.until(lambda: seen[1:] == ["A-2", "A-3"], what="and A-1 no second time")
    assert [type(one["exception"]) for one in told] == [KeyError]
    events = [belgrade._pushes.queue.get_nowait() for _ in range(belgrade._pushes.queue.qsize())]
    (alarm,) = [event for event in events if event.what == "alarm"]
    assert alarm.text == f"a handler failed for {case}#1: KeyError"
    assert belgrade.alarm is None  # that one is for what the broker shows


async def test_fault_who_is_stopped_in_a_handler_handles_it_again(place: Site) -> None:
    skopje, case = await asker(place)
    async with place.briefly(BELGRADE) as belgrade:
        await until(belgrade.cases.list, belgrade)
        begun = asyncio.Event()

        @belgrade.on(TraceRequest)
        async def take(_: Opened) -> None:
            begun.set()
            await asyncio.Event().wait()

        async with running(belgrade):
            await skopje.requests.ask(case, request("A-1"))
            await asyncio.wait_for(begun.wait(), 5)
    async with place.briefly(BELGRADE) as belgrade:
        seen = collected(belgrade)
        async with running(belgrade):
            await waiting.until(lambda: numbers(seen) == ["A-1"])


async def test_fault_while_the_broker_is_away_it_waits(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, case = await asker(place)
    belgrade = await place.client(BELGRADE)
    await skopje.requests.ask(case, request("A-1"))
    await until(belgrade.requests.waiting, belgrade)
    monkeypatch.setattr("seefen.client.handlers.LOOK", 0.05)
    connection: Any = belgrade._engine.connection
    tried = list[str]()

    async def cut(verb: str, *_: Any) -> Any:
        tried.append(verb)
        raise UnreachableError("the line was cut", rule="broker")

    connection.request = cut
    seen = collected(belgrade)
    async with running(belgrade) as task:
        await waiting.until(lambda: len(tried) > 4)
        assert not task.done()
        del connection.request
        await waiting.until(lambda: numbers(seen) == ["A-1"])


async def test_attack_another_body_than_its_cover_says_reaches_no_handler(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, case = await asker(place)
    belgrade = await place.client(BELGRADE)
    await until(belgrade.cases.list, belgrade)
    seen, notes = collected(belgrade), list[Opened]()

    @belgrade.on(Note)
    async def take(opened: Opened) -> None:
        notes.append(opened)

    def lie(_: Note) -> Cover:
        return request("A-1").cover()

    with monkeypatch.context() as patch:
        patch.setattr(Note, "cover", lie)
        state, _ = skopje.find(f"{case}#1")
        await skopje._messaging.send(state, Note(text="no request"))
    async with running(belgrade):
        await skopje.requests.ask(case, request("A-2"))
        await waiting.until(lambda: numbers(seen) == ["A-2"])
    assert (len(seen), notes) == (1, [])


async def test_what_was_taken_back_is_not_handled(place: Site) -> None:
    skopje, case = await asker(place)
    belgrade = await place.client(BELGRADE)
    await until(belgrade.cases.list, belgrade)
    seen = collected(belgrade)
    async with running(belgrade):  # its first run: what comes from now on is new
        await waiting.until(lambda: belgrade._engine.vault.get("handling/TraceRequest"))
    sent = await skopje.requests.ask(case, request("A-1"))
    await skopje.amend.recall(str(sent.ref), "wrong_data")
    newer = await skopje.requests.ask(case, request("A-2"))
    await skopje.amend.replace(str(newer.ref), replace(request("A-3")))
    await until(lambda: len(belgrade.cases.show(case).objects) == 4, belgrade)
    async with running(belgrade):
        await waiting.until(lambda: numbers(seen) == ["A-3"])
    queue = belgrade._pushes.queue
    assert "alarm" not in {queue.get_nowait().what for _ in range(queue.qsize())}


async def test_one_handler_a_type_and_none_is_a_mistake(place: Site) -> None:
    belgrade = await place.client(BELGRADE)
    with pytest.raises(ValueError, match="register a handler"):
        await belgrade.run(**WHY)
    collected(belgrade)
    with pytest.raises(ValueError, match="TraceRequest has a handler"):
        collected(belgrade)
    with pytest.raises(ValueError, match="name a type"):
        belgrade.on()


async def test_alerts_of_a_channel_under_a_watch_are_handled_as_they_come(place: Site) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    await skopje.channels.open(CHANNEL, (BELGRADE,))
    await until(lambda: [it for it in belgrade.channels.list() if it.readable], belgrade)
    await belgrade.watch.on((CHANNEL,), **WHY)
    seen: list[Opened] = []

    @belgrade.on(SeizureAlert)
    async def take(opened: Opened) -> None:
        await asyncio.sleep(0)
        seen.append(opened)

    async with running(belgrade):
        await skopje.alerts.send(alert(), CHANNEL)
        await waiting.until(lambda: [one.view.ref for one in seen] == [f"{CHANNEL}#1"])
