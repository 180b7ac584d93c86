"""The gate broken, and requests that are no requests: nothing leaves, nothing is written."""

from __future__ import annotations

from typing import Any, NoReturn

import aiohttp
import asyncpg
import pytest

from seefen.protocol.bundle import Bundle, encode_bundle
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
from seefen.protocol.ledger.tree import leaf_hash
from seefen.protocol.objects import parts_root
from seefen.server.gate import Gate, GateError
from seefen.server.web.routes import ROUTES
from seefen.server.web.sockets import MALFORMED
from seefen.server.web.verbs import VERBS
from tests.support import casework
from tests.support.broker import LocalBroker, local_broker
from tests.support.devices import NODE, RefusedByBrokerError, Socket, WebDevice
from tests.support.faultbook import note
from tests.support.heard import holds
from tests.support.herd import count_access
from tests.support.network import Machine, Network

GUARD = "belgrade-ffp"  # on watch: what is sent is pushed to it
PART = b"a sealed part"
MOST = 256  # objects that an access may ask for at once


def _broken(*_: object, **__: object) -> NoReturn:
    raise GateError("broken for this test")


async def _case_with_message(broker: LocalBroker, *partners: str) -> tuple[bytes, Bundle]:
    network = broker.network
    case, opened = casework.open_case(network, network.of(NODE), *partners, form="channel")
    await broker.take(opened)
    message = casework.message(network, network.of(NODE), case)
    await broker.take(message)
    return case, message


async def test_fault_37_no_route_gives_a_key_when_the_gate_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each is asked for what is there: while the gate is whole, an access and a push have keys."""
    async with local_broker(NODE, GUARD) as broker:
        network, machine = broker.network, broker.network.of(NODE)
        on_watch = network.of(GUARD)
        case, message = await _case_with_message(broker, GUARD)
        key = message.contents[0].key
        async with WebDevice(broker.config.url, broker.ca, machine) as web, \
                WebDevice(broker.config.url, broker.ca, on_watch) as guard:  # fmt: skip
            socket, line = [await (await one.login()).socket() for one in (web, guard)]
            await line.ask_raw("access", casework.access(network, on_watch, case, scope="watch"))
            bundle, send = _message(network, machine, case)
            await socket.ask_raw("send", send)
            assert holds((await line.pushed()).body, bundle.contents[0].key)
            asked = casework.access(network, machine, case, message.contents[0].object)
            assert holds(await socket.ask_raw("access", asked), key)
            count_access(network, machine, asked)

            monkeypatch.setattr(Gate, "disclose", _broken)
            sent, send = _message(network, machine, case)
            again = casework.access(network, machine, case, message.contents[0].object)
            count_access(network, machine, again)
            posted, post = _message(network, machine, case)
            bodies: dict[str, Any] = {
                "send": send, "access": again, "feed": FeedFrom(0, 100, 0),
                "authority": LogFrom(0, 100, 0), "records": LogFrom(0, 100, 0),
                "audit": LogFrom(0, 100, 0), "erasures": LogFrom(0, 100, 0),
                "case-audit": CaseFrom(case, 0, 100, 0), "view": ViewFrom("", 0, 100, 0),
                "consistency": Span("activity", 0, 1), "ping": b"",
                "witness": ToCosign("activity", 0), "cosign": Cosignatures("no note\n"),
                "witnessed": LogName("activity"),
            }  # fmt: skip
            assert bodies.keys() == VERBS.keys(), "a new verb needs its place here"
            heard: list[bytes] = []
            refused: set[str] = set()
            for verb, body in bodies.items():
                try:
                    heard.append(await socket.ask_raw(verb, body))
                except RefusedByBrokerError as err:
                    heard.append(encode(err.problem))
                    refused.add(verb)
            assert refused == {"access", "cosign", "view", "witness"}
            for route in ROUTES:
                if route.path.endswith("/socket"):
                    continue
                path, data, media = _request(route.method, route.path, encode(post))
                status, answer = await web.request(route.method, path, data, content_type=media)
                heard.append(answer)
                assert (status < 300) != _is_for_others(route.path), (route.path, status, answer)
            assert len(heard) == len(VERBS) + len(ROUTES) - 1
            await line.ask_raw("ping", b"")
            heard += [frame.body for frame in line.unasked + socket.unasked]
        keys = [one.contents[0].key for one in (message, bundle, sent, posted)]
        assert not [body for body in heard for key in keys if holds(body, key)]
    note("broker", "the gate fails, every verb and route asked", count=len(heard),
         held="no answer holds a key; I3")  # fmt: skip


def _message(network: Network, machine: Machine, case: bytes) -> tuple[Bundle, Send]:
    bundle = casework.message(network, machine, case)
    casework.count(network, machine, bundle)
    return bundle, Send(encode_bundle(bundle), 0)


def _request(method: str, path: str, bundle: bytes) -> tuple[str, bytes | None, str]:
    """Return address, body and type of a request about what exists."""
    sent = {
        "/v1/bundles": bundle,
        "/v1/blobs/{root:[0-9a-f]{64}}": leaf_hash(PART),
        "/v1/blobs/{root:[0-9a-f]{64}}/parts/{part}": PART,
    }
    octets = path.startswith("/v1/blobs")
    data = None if method == "GET" else sent.get(path, b"")
    query = f"?size={len(PART)}" if data == leaf_hash(PART) else ""
    media = "application/octet-stream" if octets else "application/cbor"
    return _address(path) + query, data, media


def _is_for_others(path: str) -> bool:
    """Tell whether a route is for who has no token yet, or invites, which takes another body."""
    return "{id:" in path or path in ("/v1/token", "/v1/invites")


def _address(path: str) -> str:
    for pattern, text in (
        ("{root:[0-9a-f]{64}}", parts_root([leaf_hash(PART)]).hex()),
        ("{id:[0-9a-f]{32}}", "00" * 16),
        ("{log:authority|activity}", "activity"),
        ("{part}", "0"),
        ("{tile:tile/.*}", "tile/0/000.p/5"),
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
        # One more than there may be, each of which exists: too many is all that is wrong.
        many = Ask(good.envelope, good.tag, good.objects * (MOST + 1), 0)
        long = Ask(good.envelope + bytes(1 << 16), good.tag, good.objects, 0)
        async with WebDevice(broker.config.url, broker.ca, machine) as web:
            await web.login()
            socket = await web.socket()
            assert await _refusal(socket, "access", many) == (400, "malformed")
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


async def _refusal(socket: Socket, verb: str, body: Any) -> tuple[int, str]:
    with pytest.raises(RefusedByBrokerError) as refused:
        await socket.ask_raw(verb, body)
    return refused.value.problem.status, refused.value.problem.rule


async def _sizes(broker: LocalBroker) -> tuple[int, int]:
    connection: Any = await asyncpg.connect(broker.dsn)
    try:
        row = await connection.fetchrow("SELECT authority_size, activity_size FROM ledger_head")
    finally:
        await connection.close()
    return row[0], row[1]
