"""A wire on which nothing comes back, and the one in its place; a real broker, a real proxy."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from seefen.client import connection, wire
from seefen.client.connection import Address, Connection, UnreachableError
from seefen.protocol.frames import AuthorityPage, FeedFrom, LogFrom, Page
from tests.client.test_connection import NODES, keys_of
from tests.support.broker import LocalBroker, free_port, local_broker
from tests.support.faultproxy import Bad, FaultProxy, fault_proxy

ASK = LogFrom(0, 100, 0)
SHORT = 0.5  # seconds


class Place:
    """A broker, the line to it, and a device's connection that is open."""

    def __init__(self, broker: LocalBroker, proxy: FaultProxy, connection: Connection) -> None:
        self.broker = broker
        self.proxy = proxy
        self.connection = connection

    async def ask(self) -> int:
        page = await self.connection.request("authority", ASK, AuthorityPage)
        return len(page.items)


@pytest.fixture
async def place(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    monkeypatch.setattr(wire, "QUIET", SHORT)
    front = free_port()
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(fault_proxy(front))
        broker = await stack.enter_async_context(local_broker(*NODES, front=f"127.0.0.1:{front}"))
        proxy.target = broker.config.listen
        device = keys_of(broker.network.of(NODES[0]))
        opened = Connection(Address(broker.config.url, broker.ca), device)
        stack.push_async_callback(opened.close)
        made = Place(broker, proxy, opened)
        await made.ask()
        yield made


async def test_what_a_silent_wire_was_asked_is_asked_on_another(place: Place) -> None:
    ended = list[str]()
    place.connection.closed = ended.append
    place.proxy.silence()
    began = time.monotonic()
    asked = await asyncio.gather(*(place.ask() for _ in range(5)))
    assert set(asked) == {place.broker.network.directory.size}
    assert time.monotonic() - began >= SHORT
    assert ended == [], "it was reachable all the time"
    assert await place.ask()


async def test_a_slow_wire_is_kept_and_believed(place: Place) -> None:
    before = place.connection._wires.current
    place.proxy.bad = Bad(delay=2 * SHORT, fresh_only=False)
    assert await place.ask()
    assert place.connection._wires.current is before, "the answer came before another wire"


async def test_devices_do_not_come_anew_each_time_where_the_broker_is_slow(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each exchange is a login for a broker that has no time."""
    broker = place.broker.services.broker
    real = broker.authority

    async def slow(device: bytes | None, ask: LogFrom) -> AuthorityPage:
        await asyncio.sleep(3 * SHORT)
        return await real(device, ask)

    with monkeypatch.context() as patch:
        patch.setattr(broker, "authority", slow)
        for _ in range(3):
            assert await place.ask()
        exchanged = place.connection.exchanged
        assert exchanged in (1, 2)
        for _ in range(2):
            assert await place.ask()
        assert place.connection.exchanged == exchanged
    assert await place.ask()
    monkeypatch.setattr(broker, "authority", slow)
    assert await place.ask()
    assert place.connection.exchanged == exchanged + 1, "it had answered soon in between"


async def test_where_no_other_is_to_be_had_the_old_one_may_come_back(place: Place) -> None:
    before = place.connection._wires.current

    async def nobody() -> Any:
        raise UnreachableError("nobody there", rule="broker")

    place.connection._wires._anew = nobody
    place.proxy.bad = Bad(delay=4 * SHORT)
    assert await place.ask()
    assert place.connection._wires.current is before


@pytest.mark.parametrize("arrives", [False, True])
async def test_a_login_that_is_renewed_on_a_silent_wire_is_not_sent_twice(
    place: Place, *, arrives: bool
) -> None:
    """A proof that comes twice is a replay, and some of them block the address."""
    token = place.connection._token
    await place.connection._close_http()  # as when nothing was asked for a while
    place.proxy.silence(up=not arrives)
    place.connection._token_ends = time.monotonic()
    assert await place.ask()
    assert place.connection._token != token


async def test_a_login_on_a_kept_line_that_is_dead_goes_on_with_the_next(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "SILENCE", SHORT)
    place.proxy.silence()
    place.connection._token_ends = time.monotonic()
    began = time.monotonic()
    with pytest.raises(UnreachableError, match="nothing came back"):
        await place.ask()
    assert time.monotonic() - began < 20
    assert await place.ask()


async def test_a_dead_line_is_given_a_second_for_its_last_word(place: Place) -> None:
    await place.connection.request("feed", FeedFrom(0, 10, 0), Page)
    place.proxy.silence()
    began = time.monotonic()
    await place.connection.close()
    assert time.monotonic() - began < wire.GOODBYE + 1


async def test_where_no_other_is_to_be_had_what_http_carries_goes_on(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = place.connection._http

    async def nobody() -> Any:
        raise UnreachableError("nobody there", rule="broker")

    monkeypatch.setattr(place.connection, "_connect", nobody)
    with pytest.raises(UnreachableError):
        await place.connection._connect_anew()
    assert kept is not None
    assert place.connection._http is kept
    assert not kept.closed
