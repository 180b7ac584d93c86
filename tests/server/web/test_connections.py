"""Connections: who takes no answer is cut, who takes it slowly is not."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from seefen.protocol.ledger.tree import leaf_hash
from seefen.protocol.objects import PART_SIZE, parts_root
from seefen.protocol.suite import random_bytes
from seefen.server.tls import device_context
from seefen.server.web import connections
from tests.support.broker import LocalBroker
from tests.support.devices import WebDevice
from tests.support.waiting import until
from tests.support.wire import head, wire

ASKED = 12  # parts, more than all buffers on the way hold


@asynccontextmanager
async def _asked(
    broker: LocalBroker, device: WebDevice
) -> AsyncGenerator[asyncio.StreamReader, None]:
    """Give the end of a line on which twelve mebibytes were asked for and none was read."""
    part = random_bytes(PART_SIZE)
    root = parts_root([leaf_hash(part)]).hex()
    path = f"/v1/blobs/{root}/parts/0"
    start = f"/v1/blobs/{root}?size={PART_SIZE}"
    assert (await device.request("PUT", start, leaf_hash(part)))[0] == 201
    assert (await device.request("PUT", path, part))[0] == 204
    host, _, port = broker.config.listen.rpartition(":")
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.setblocking(False)
    await asyncio.get_running_loop().sock_connect(line, (host, int(port)))
    reader, writer = await asyncio.open_connection(
        sock=line, ssl=device_context(broker.ca), server_hostname=host, limit=1024
    )
    for _ in range(ASKED):
        fields = (f"{k}: {v}" for k, v in (await device.headers("GET", path)).items())
        writer.write(head("GET", path, *fields))
    try:
        yield reader
    finally:
        writer.transport.abort()


def _paused(monkeypatch: pytest.MonkeyPatch) -> list[connections.Connection]:
    found: list[connections.Connection] = []
    pause = connections.Connection.pause_writing

    def note(self: connections.Connection) -> None:
        found.append(self)
        pause(self)

    monkeypatch.setattr(connections.Connection, "pause_writing", note)
    return found


async def test_attack_50_who_asks_and_never_reads_is_cut(
    broker: LocalBroker, device: WebDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "STALL_SECONDS", 1.0)
    paused = _paused(monkeypatch)
    async with _asked(broker, device):
        await until(lambda: paused, seconds=30)
        await until(lambda: all(line.transport is None for line in paused), seconds=30)
    assert (await device.request("GET", "/v1/nonce"))[0] == 200


async def test_who_reads_slowly_gets_everything(
    broker: LocalBroker, device: WebDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "STALL_SECONDS", 1.0)
    paused = _paused(monkeypatch)
    async with _asked(broker, device) as reader:
        await until(lambda: paused, seconds=30)
        got = 0
        async with asyncio.timeout(100):
            while got < ASKED * PART_SIZE:
                more = await reader.read(1 << 17)
                assert more, f"cut after {got} bytes"
                got += len(more)
                await asyncio.sleep(0.02)


async def test_attack_50_a_long_row_of_requests_is_answered_in_turn(broker: LocalBroker) -> None:
    rows = 2000
    async with wire(broker.config.url, broker.ca) as (reader, writer), asyncio.timeout(100):
        writer.write(head("GET", "/healthz") * rows)
        for _ in range(rows):
            assert (await reader.readuntil(b'{"status": "ok"}')).startswith(b"HTTP/1.1 200")
