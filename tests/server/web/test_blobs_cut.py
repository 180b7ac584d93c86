"""Downloads of parts that end early: the line is cut, and nothing else is said on it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from seefen.protocol.objects import PART_SIZE
from seefen.server.blobs import Blob
from seefen.server.errors import AbsentError
from seefen.server.web import blobs, problems

PARTS = 4


class Disk:
    """Gives the first part, and fails at the second as a test says."""

    failing: Exception | None = None

    async def find(self, root: bytes) -> Blob:
        return Blob(root, PARTS * PART_SIZE, bytes(32 * PARTS), b"\x0f", complete=True)

    async def get(self, _: Blob, number: int) -> bytes:
        if number and self.failing is not None:
            raise self.failing
        return bytes(PART_SIZE)


@pytest.fixture
def unexpected(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    seen: list[BaseException] = []

    def log(_: str, err: BaseException) -> None:
        seen.append(err)

    monkeypatch.setattr(problems, "log_unexpected", log)
    return seen


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
async def ended() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def port(disk: Disk, ended: asyncio.Event) -> AsyncIterator[int]:
    async def handler(request: web.Request) -> web.StreamResponse:
        call: Any = SimpleNamespace(request=request, services=SimpleNamespace(blobs=disk))
        try:
            return await blobs.get_part(call)
        finally:
            ended.set()

    app = web.Application(middlewares=[problems.problems])
    app.router.add_get("/{root}/{part}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def ask(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /00/0?count=%d HTTP/1.1\r\nHost: x\r\n\r\n" % PARTS)
    return reader, writer


@pytest.mark.parametrize(
    ("failing", "logged"),
    [(OSError(5, "EIO"), 1), (AbsentError("gone", rule="unknown-part"), 0)],
    ids=["the disk fails", "a part is gone"],
)
async def test_what_fails_in_the_middle_cuts_the_line(
    disk: Disk, port: int, unexpected: list[BaseException], failing: Exception, logged: int
) -> None:
    disk.failing = failing
    reader, writer = await ask(port)
    got = bytearray()
    with suppress(ConnectionError):
        while data := await asyncio.wait_for(reader.read(1 << 16), 5):
            got += data
    writer.transport.abort()
    assert got.count(b"HTTP/1.1") == 1
    assert len(got) < 2 * PART_SIZE
    assert len(unexpected) == logged


async def test_who_cuts_his_download_is_nothing_unexpected(
    port: int, unexpected: list[BaseException], ended: asyncio.Event
) -> None:
    reader, writer = await ask(port)
    await reader.read(10)
    writer.transport.abort()
    await asyncio.wait_for(ended.wait(), 5)
    await asyncio.sleep(0.05)
    assert unexpected == []
