"""The gate broken, and requests that are no requests: nothing leaves, nothing is written."""

from __future__ import annotations

from typing import Any, NoReturn

import aiohttp
import asyncpg
import pytest

from seefen.protocol.encoding import encode
from seefen.protocol.frames import (
    Ask,
    CaseFrom,
    Cosignatures,
    FeedFrom,
    Frame,
    LogFrom,
    LogName,
    Send,
    Span,
    ToCosign,
    ViewFrom,
)
from seefen.protocol.suite import random_bytes
from seefen.server.gate import Gate, GateError
from seefen.server.web.routes import ROUTES
from seefen.server.web.sockets import MALFORMED
from seefen.server.web.verbs import VERBS
from tests.support import casework
from tests.support.broker import LocalBroker, local_broker
from tests.support.devices import NODE, RefusedByBrokerError, Socket, WebDevice
from tests.support.faultbook import note


def _broken(*_: object, **__: object) -> NoReturn:
    raise GateError("broken for this test")


async def _case_with_message(broker: LocalBroker) -> tuple[bytes, Any]:
    network = broker.network
    case, opened = casework.open_case(network, network.of(NODE), form="channel")
    await broker.take(opened)
    message = casework.message(network, network.of(NODE), case)
    await broker.take(message)
    return case, message


async def test_fault_37_no_route_gives_a_key_when_the_gate_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with local_broker(NODE) as broker:
        network, machine = broker.network, broker.network.of(NODE)
        case, message = await _case_with_message(broker)
        key = message.contents[0].key
        asked = casework.access(network, machine, case, message.contents[0].object)
        monkeypatch.setattr(Gate, "disclose", _broken)
        bodies: dict[str, Any] = {
            "send": Send(b"", 0), "access": asked, "feed": FeedFrom(0, 100, 0),
            "authority": LogFrom(0, 100, 0), "records": LogFrom(0, 100, 0),
            "audit": LogFrom(0, 100, 0), "erasures": LogFrom(0, 100, 0),
            "case-audit": CaseFrom(case, 0, 100, 0), "view": ViewFrom("", 0, 100, 0),
            "consistency": Span("activity", 0, 1), "ping": b"",
            "witness": ToCosign("activity", 0), "cosign": Cosignatures("no note\n"),
            "witnessed": LogName("activity"),
        }  # fmt: skip
        assert bodies.keys() == VERBS.keys(), "a new verb needs its place here"
        heard: list[bytes] = []
        async with WebDevice(broker.config.url, broker.ca, machine) as web:
            await web.login()
            socket = await web.socket()
            for verb, body in bodies.items():
                try:
                    heard.append(await socket.ask_raw(verb, body))
                except RefusedByBrokerError as err:
                    heard.append(encode(err.problem))
            for route in ROUTES:
                if route.path.endswith("/socket"):
                    continue
                path = _address(route.path)
                data = None if route.method == "GET" else b""
                heard.append((await web.request(route.method, path, data))[1])
        assert len(heard) == len(VERBS) + len(ROUTES) - 1
        assert not [body for body in heard if key in body]
    note("broker", "the gate fails, every verb and route asked", count=len(heard),
         held="no answer holds a key; I3")  # fmt: skip


def _address(path: str) -> str:
    for pattern, text in (
        ("{root:[0-9a-f]{64}}", "00" * 32),
        ("{id:[0-9a-f]{32}}", "00" * 16),
        ("{log:authority|activity}", "activity"),
        ("{part}", "0"),
        ("{tile:tile/.*}", "tile/0/000"),
    ):
        path = path.replace(pattern, text)
    assert "{" not in path, "a new part of an address needs its place here"
    return path


async def test_fault_40_what_is_too_long_or_no_text_is_refused_and_not_written() -> None:
    async with local_broker(NODE) as broker:
        network, machine = broker.network, broker.network.of(NODE)
        case, message = await _case_with_message(broker)
        good = casework.access(network, machine, case, message.contents[0].object)
        before = await _sizes(broker)
        many = Ask(good.envelope, good.tag, tuple(random_bytes(16) for _ in range(1001)), 0)
        long = Ask(good.envelope + bytes(1 << 16), good.tag, good.objects, 0)
        async with WebDevice(broker.config.url, broker.ca, machine) as web:
            await web.login()
            socket = await web.socket()
            assert await _status(socket, "access", many) in (400, 422)
            flood = await web.socket()
            await flood.ws.send_bytes(encode(Frame(1, "access", encode(long))))
            # The goodbye may be lost, as the rest of the frame was still on its way.
            cut = aiohttp.WSCloseCode
            assert await flood.closed() in (cut.MESSAGE_TOO_BIG, cut.ABNORMAL_CLOSURE)
            nul = await web.socket()
            await nul.ws.send_bytes(encode(Frame(1, "acc_ess", b"")).replace(b"_", b"\0"))
            assert await nul.closed() == MALFORMED
            for text in (b'{"assertion":"a","assertion":"b"}', b'{"assertion":"\xff"}',
                         b'{"assertion":"\\u0000\\n"}', b"\0", b""):  # fmt: skip
                proof = {"DPoP": await web.proof("POST", "/v1/token")}
                status, _ = await web.request(
                    "POST", "/v1/token", text, content_type="application/json", headers=proof
                )
                assert status in (400, 401), (status, text)
            assert await _sizes(broker) == before
            assert (await socket.ask_raw("access", good)).count(message.contents[0].key) == 1
    note("broker", "too long, too many, NUL, invalid UTF-8, a key twice in JSON", count=8,
         held="4xx, nothing written, the next request is answered")  # fmt: skip


async def _status(socket: Socket, verb: str, body: Any) -> int:
    with pytest.raises(RefusedByBrokerError) as refused:
        await socket.ask_raw(verb, body)
    return refused.value.problem.status


async def _sizes(broker: LocalBroker) -> tuple[int, int]:
    connection: Any = await asyncpg.connect(broker.dsn)
    try:
        row = await connection.fetchrow("SELECT authority_size, activity_size FROM ledger_head")
    finally:
        await connection.close()
    return row[0], row[1]
