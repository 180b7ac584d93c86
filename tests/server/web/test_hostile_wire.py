"""A real broker process, straight and behind the relay of deploy/nginx.conf, under bad bytes.

Every attack is met by 4xx or a cut line; others are served meanwhile, and memory is flat.
"""

import asyncio
import json
import re
import ssl
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
import pytest_asyncio

from seefen.server.web.connections import HEAD_SECONDS
from seefen.server.web.limits import PATIENCE
from tests.support.doors import MISSING, Door, opened
from tests.support.hostile_requests import AMBIGUOUS, COMPRESSED, OVERSIZED, SMUGGLED
from tests.support.waiting import until
from tests.support.wire import head, wire

pytestmark = pytest.mark.asyncio(loop_scope="module")

GROWTH = 64 * 1024 * 1024  # bytes of memory that no attack may cost
LOADED = 30.0  # seconds that a busy machine may be late
HEALTH = head("GET", "/healthz")
LOGIN = ("Content-Type: application/json",)


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="module",
    params=[
        "direct",
        pytest.param("passing", marks=pytest.mark.skipif(bool(MISSING), reason=MISSING)),
    ],
)
async def door(request: pytest.FixtureRequest) -> AsyncGenerator[Door, None]:
    settings = "bad_proofs_before_block = 1000000\n"
    async with opened(request.param, settings) as door:
        yield door


async def everything(door: Door, sent: bytes, *, seconds: float = LOADED) -> tuple[bytes, bool]:
    """Return all that comes back, and whether the broker then ended the line."""
    got = b""
    async with wire(door.url, door.ca) as (reader, writer):
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(seconds):
                writer.write(sent)
                while more := await reader.read(1 << 20):
                    got += more
        return got, reader.at_eof() or reader.exception() is not None


def statuses(answers: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/\d\.\d (\d{3}) ", answers)]


@asynccontextmanager
async def served(door: Door) -> AsyncGenerator[None, None]:
    """Ask for the broker's health over and over during the block: every answer must come."""
    ended, answers = asyncio.Event(), 0

    async def ask() -> None:
        nonlocal answers
        while not ended.is_set():
            async with wire(door.url, door.ca) as (reader, writer), asyncio.timeout(LOADED):
                writer.write(HEALTH)
                assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200")
            answers += 1
            await asyncio.sleep(0.1)

    before = door.memory()
    async with asyncio.TaskGroup() as group:
        group.create_task(ask())
        yield
        ended.set()
    assert answers > 0
    assert door.memory() - before < GROWTH


@pytest.mark.parametrize("name", AMBIGUOUS)
async def test_attack_50_what_two_may_read_in_two_ways_is_read_by_nobody(
    door: Door, name: str
) -> None:
    got, cut = await everything(door, AMBIGUOUS[name])
    found = statuses(got)
    assert len(found) <= 1, got
    assert all(400 <= status < 500 for status in found), got
    assert b"smuggled" not in got
    assert cut, "what follows would be read as a request"


@pytest.mark.parametrize("name", COMPRESSED)
async def test_attack_50_nothing_is_unpacked(door: Door, name: str) -> None:
    async with wire(door.url, door.ca) as (reader, writer), asyncio.timeout(LOADED):
        writer.write(COMPRESSED[name])
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 415")


@pytest.mark.parametrize(
    "request_",
    [("GET", "/healthz"), ("GET", "/no/such/address"), ("PATCH", "/healthz")],
    ids=["known", "unknown", "method"],
)
async def test_what_cannot_be_expected_gets_a_problem_document_at_every_address(
    door: Door, request_: tuple[str, str]
) -> None:
    got, cut = await everything(door, head(*request_, "Expect: a-miracle"))
    said, _, document = got.partition(b"\r\n\r\n")
    assert statuses(got) == [417], got
    assert b"content-type: application/problem+json" in said.lower()
    assert json.loads(document)["rule"] == "expect"
    assert b"miracle" not in got
    assert cut


async def test_attack_50_what_is_too_long_is_refused_before_it_came(door: Door) -> None:
    answers = await asyncio.gather(*(everything(door, sent) for sent in OVERSIZED.values()))
    for name, (got, cut) in zip(OVERSIZED, answers, strict=True):
        assert [400 <= status < 500 for status in statuses(got)] == [True], (name, got)
        assert cut, name


async def test_attack_50_a_flood_without_end_is_cut_and_costs_no_memory(door: Door) -> None:
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    fields = ("Content-Type: application/json", "Transfer-Encoding: chunked")
    floods = [
        (head("POST", "/v1/token", *fields), chunk),
        (head("POST", "/v1/bundles", *fields), chunk),
        (head("PUT", f"/v1/blobs/{'0' * 64}/parts/0", *fields), chunk),
        (head("GET", "/healthz", *fields), chunk),
        (head("POST", "/v1/token", *fields) + b"2;", b"a" * 0x10000),
        (head("POST", "/v1/token", *fields) + b"2\r\n{}\r\n0\r\n", b"X-A: a\r\n" * 0x2000),
        (head("GET", "/healthz")[:-2], b"X-A: a\r\n" * 0x2000),
        (b"", bytes(0x10000)),
        (b"", b"\r\n" * 0x8000),
    ]

    async def pour(start: bytes, more: bytes) -> bool:
        async with wire(door.url, door.ca) as (reader, writer):
            writer.write(start)
            with suppress(ConnectionError):
                for _ in range(512):  # 32 MiB, eight times what any address takes
                    writer.write(more)
                    await writer.drain()
                    await asyncio.sleep(0)
                    if reader.at_eof():
                        break
                await reader.read(-1)
            return True

    async with served(door), asyncio.timeout(4 * LOADED):
        assert all(await asyncio.gather(*(pour(*flood) for flood in floods)))


async def test_attack_50_the_slow_are_cut_and_hold_up_nobody(door: Door) -> None:
    """One byte a second: in TLS, in a head, in a body; and lines on which nothing is said."""
    idle = door.connections()
    longest = HEAD_SECONDS + PATIENCE + LOADED
    body = head("POST", "/v1/token", *LOGIN, "Content-Length: 1000")
    slow: list[Callable[[], Awaitable[float]]] = []
    for _ in range(5):
        slow += [
            lambda: _drip(
                door, b"", b"GET /healthz HTTP/1.1\r\nHost: broker\r\nX-A: aaaaaaaaaaaaaaaaaaa"
            ),
            lambda: _drip(
                door, HEALTH, b"GET /healthz HTTP/1.1\r\nHost: broker\r\nX-A: aaaaaaaaaaaaa"
            ),
            lambda: _drip(door, body, b"x" * 1000),
            lambda: _drip(door, body, b""),
            lambda: _drip(door, b"", b""),
            lambda: _drip_tls(door, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)),
            lambda: _drip_tls(door, b""),
        ]
    async with served(door):
        seconds = await asyncio.gather(*(each() for each in slow))
    assert max(seconds) < longest
    await until(lambda: door.connections() <= idle, seconds=LOADED)


async def _drip(door: Door, first: bytes, rest: bytes) -> float:
    """Return after how many seconds the line was cut that got ``rest`` a byte a second."""
    async with wire(door.url, door.ca) as (reader, writer):
        began = time.monotonic()
        writer.write(first)
        with suppress(ConnectionError):
            await _feed(reader, writer, rest)
        return time.monotonic() - began


async def _drip_tls(door: Door, rest: bytes) -> float:
    host, _, port = door.url.removeprefix("https://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    began = time.monotonic()
    try:
        with suppress(ConnectionError):
            await _feed(reader, writer, rest)
        return time.monotonic() - began
    finally:
        writer.transport.abort()


async def _feed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rest: bytes) -> None:
    ended = asyncio.create_task(reader.read(-1))
    for byte in rest:
        writer.write(bytes([byte]))
        if (await asyncio.wait([ended], timeout=1))[0]:
            break
    async with asyncio.timeout(HEAD_SECONDS + PATIENCE + LOADED):
        await ended


async def test_attack_50_clients_that_vanish_leave_nothing_behind(door: Door) -> None:
    """FIN without reading, RST in a body, no end of TLS, a handshake left half way."""
    idle = door.connections()
    body = head("POST", "/v1/token", *LOGIN, "Content-Length: 1000") + b"{"

    async def leave(sent: bytes, *, finish: bool) -> None:
        async with wire(door.url, door.ca) as (_, writer):
            writer.write(sent)
            await writer.drain()
            line = writer.get_extra_info("socket")
            if finish:  # FIN below TLS: no close_notify, and nothing was read
                line._sock.shutdown(1) if hasattr(line, "_sock") else line.shutdown(1)
                await asyncio.sleep(0.05)

    async def half_a_handshake() -> None:
        host, _, port = door.url.removeprefix("https://").rpartition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        outgoing = ssl.MemoryBIO()
        hello = ssl.create_default_context().wrap_bio(
            ssl.MemoryBIO(), outgoing, server_hostname=host
        )
        with suppress(ssl.SSLWantReadError):
            hello.do_handshake()
        writer.write(outgoing.read())
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()

    async with served(door):
        for _ in range(20):
            await asyncio.gather(
                leave(body, finish=True),
                leave(body, finish=False),
                leave(HEALTH * 100, finish=True),
                leave(HEALTH * 100, finish=False),
                leave(SMUGGLED, finish=True),
                half_a_handshake(),
            )
    await until(lambda: door.connections() <= idle, seconds=HEAD_SECONDS + PATIENCE + LOADED)
