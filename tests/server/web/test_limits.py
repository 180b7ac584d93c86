"""What every request must keep to, and what every answer carries."""

import asyncio
import json
import resource
import time
from contextlib import AsyncExitStack, suppress

import pytest

from seefen.protocol.suite import sha256
from seefen.server.enrolment import Invite
from seefen.server.rates import AT_ONCE
from seefen.server.web import connections, limits, routes
from seefen.server.web.callers import Caller
from seefen.server.web.services import Call
from seefen.server.web.table import Route
from tests.support.broker import LocalBroker, local_broker
from tests.support.devices import NODE, Connect, WebDevice
from tests.support.waiting import until
from tests.support.wire import exchange, head, wire

POLICY = b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
SPECIFIED = (
    b"Content-Security-Policy: " + POLICY,
    b"X-Content-Type-Options: nosniff",
    b"Referrer-Policy: no-referrer",
    b"Cache-Control: no-store",
    b"Cross-Origin-Resource-Policy: same-origin",
    b"Cross-Origin-Opener-Policy: same-origin",
    b"Strict-Transport-Security: max-age=63072000",
)


async def send(broker: LocalBroker, sent: bytes, *, seconds: float = 15) -> tuple[int, bytes]:
    return await exchange(broker.config.url, broker.ca, sent, seconds=seconds)


def rule(answer: bytes) -> str:
    document = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert document.keys() == {"type", "title", "status", "rule"}
    assert document["type"] == "about:blank"
    found: str = document["rule"]
    return found


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (head("GET", "/healthz"), 200),
        (head("GET", "/v1/nonce"), 200),
        (head("GET", "/nowhere"), 404),
        (head("DELETE", "/v1/nonce"), 405),
        (head("GET", "/v1/socket"), 401),
        (head("GET", "/healthz", "Origin: https://evil.example"), 403),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nbad header\r\n\r\n", 400),
    ],
)
async def test_every_answer_carries_the_headers_and_names_no_software(
    broker: LocalBroker, sent: bytes, status: int
) -> None:
    got, answer = await send(broker, sent)
    assert got == status
    fields = answer.partition(b"\r\n\r\n")[0]
    for field in SPECIFIED:
        assert field in fields, field
    for absent in (b"\r\nServer:", b"Access-Control", b"aiohttp", b"Python"):
        assert absent not in fields
    assert answer.count(b"HTTP/1.") == 1


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        (head("GET", "/nowhere"), 404, "not-found"),
        (head("GET", "/v1/blobs/xyz"), 404, "not-found"),
        (head("PATCH", "/v1/bundles"), 405, "method"),
        (head("HEAD", "/v1/nonce"), 405, ""),
        (head("POST", "/v1/token", "Content-Encoding: gzip", "Content-Length: 0"), 415,
         "content-encoding"),
        (head("POST", "/v1/token", "Content-Type: text/plain", "Content-Length: 0"), 415,
         "content-type"),
        (head("GET", "/v1/socket", "Connection: Upgrade", "Upgrade: websocket",
              "Content-Length: 4") + b"GET ", 400, "upgrade-body"),
        (head("GET", "/v1/socket", "Connection: Upgrade", "Upgrade: websocket",
              "Transfer-Encoding: chunked"), 400, "upgrade-body"),
        (head("POST", "/v1/token", "Content-Type: application/json", "Content-Length: 16385"), 413,
         "too-long"),
        (head("POST", "/v1/token", "Content-Length: 1", "Transfer-Encoding: chunked"), 400,
         "request"),
        (head("POST", "/v1/token", "Content-Length: 1", "Content-Length: 2"), 400, "request"),
        (head("GET", "/" + "a" * 9000), 400, "request"),
        (head("GET", "/healthz").replace(b"HTTP/1.1", b"HTTP/1.0"), 400, "request"),
        (head("GET", "/healthz#part"), 400, "request"),
        (head("GET", "/healthz", "X: " + "a" * 9000), 400, "request"),
        (head("GET", "/healthz", *(f"X-{n}: 1" for n in range(70))), 400, "request"),
    ],
)  # fmt: skip
async def test_what_no_client_of_ours_sends_is_refused(
    broker: LocalBroker, sent: bytes, status: int, said: str
) -> None:
    got, answer = await send(broker, sent)
    assert got == status, answer
    if said:
        assert rule(answer) == said


async def test_attack_43_a_web_page_gets_403_everywhere(broker: LocalBroker) -> None:
    for path in ("/healthz", "/v1/nonce", "/v1/bundles", "/nowhere"):
        for origin in ("https://evil.example", "null", broker.config.url):
            status, answer = await send(broker, head("POST", path, f"Origin: {origin}"))
            assert (status, rule(answer)) == (403, "origin")


async def test_attack_43_a_page_cannot_open_the_socket_with_stolen_headers(
    broker: LocalBroker, device: WebDevice
) -> None:
    stolen = await device.headers("GET", "/v1/socket")
    fields = (f"{name}: {value}" for name, value in stolen.items())
    sent = head("GET", "/v1/socket", "Connection: Upgrade", "Upgrade: websocket",
                "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
                "Origin: https://evil.example", *fields)  # fmt: skip
    status, answer = await send(broker, sent)
    assert (status, rule(answer)) == (403, "origin")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/blobs/%00",
        f"/v1/blobs/{'0' * 64}%00",
        f"/v1/blobs/{'0' * 63}'",
        f"/v1/blobs/{'A' * 64}",
        f"/v1/blobs/{'0' * 64}/parts/%00",
        f"/v1/blobs/{'0' * 64}/parts/{'9' * 500}",
        f"/v1/joins/{'0' * 31}%27",
        "/v1/joins/1;DROP%20TABLE%20invite",
        "/v1/log/%61uthority'--/checkpoint",
        "/v1/log/authority?start=%00",
        "/v1/log/authority?start=1;DROP%20TABLE%20token",
        f"/v1/log/authority?start={'9' * 400}",
        "/%ff%fe",
        "//v1/nonce",
    ],
)
async def test_attack_55_no_path_is_more_than_a_path(
    broker: LocalBroker, device: WebDevice, path: str
) -> None:
    fields = [f"{k}: {v}" for k, v in (await device.headers("GET", path.split("?")[0])).items()]
    status, answer = await send(broker, head("GET", path, *fields))
    assert status in (400, 404)
    assert rule(answer)


async def test_a_preflight_gets_no_permission(broker: LocalBroker) -> None:
    asked = ("Origin: https://evil.example", "Access-Control-Request-Method: POST")
    status, answer = await send(broker, head("OPTIONS", "/v1/token", *asked))
    assert status == 403
    assert b"Access-Control-Allow" not in answer


async def test_attack_50_a_million_fields_cost_nothing(broker: LocalBroker) -> None:
    thousand = b"".join(b"X-%d: 1\r\n" % n for n in range(1000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with wire(broker.config.url, broker.ca) as (reader, writer):
        writer.write(head("GET", "/")[:-2])
        with suppress(ConnectionError):
            for _ in range(1000):
                writer.write(thousand)
                await writer.drain()
            assert (await reader.readline()).startswith(b"HTTP/1.0 400")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 64 * 1024  # KiB


async def test_attack_50_a_head_that_drips_is_cut(
    broker: LocalBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)
    async with wire(broker.config.url, broker.ca) as (reader, writer):
        for byte in head("GET", "/healthz")[:-2]:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.02)
            if reader.at_eof():
                break
        async with asyncio.timeout(5):
            assert await reader.read() == b""


async def test_attack_50_a_second_head_that_drips_is_cut_too(
    broker: LocalBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 1.5)
    async with wire(broker.config.url, broker.ca) as (reader, writer):
        writer.write(head("GET", "/healthz"))
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200")
        writer.write(b"GET /health")
        async with asyncio.timeout(5):
            assert await reader.read() == b""


async def test_a_connection_lives_on_between_requests(
    broker: LocalBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 1.5)
    async with wire(broker.config.url, broker.ca) as (reader, writer):
        for _ in range(2):
            writer.write(head("GET", "/healthz"))
            assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(1.6)


async def test_attack_50_a_body_that_drips_is_refused(
    broker: LocalBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PATIENCE", 0.3)
    fields = ("Content-Type: application/json", "Content-Length: 1000")
    status, answer = await send(broker, head("POST", "/v1/token", *fields) + b"{")
    assert (status, rule(answer)) == (408, "too-slow")


async def test_a_body_without_a_length_is_cut_at_the_limit(broker: LocalBroker) -> None:
    chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    fields = ("Content-Type: application/json", "Transfer-Encoding: chunked")
    status, answer = await send(broker, head("POST", "/v1/token", *fields) + 3 * chunk)
    assert (status, rule(answer)) == (413, "too-long")


@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [
        ("POST", "/v1/bundles", 4 * 1024 * 1024 + 64),
        ("POST", "/v1/invites", 256 * 1024),
        ("PUT", f"/v1/blobs/{'0' * 64}?size=1", 256 * 1024),
        ("PUT", f"/v1/blobs/{'0' * 64}/parts/0", 8 * 1024 * 1024),
    ],
)
async def test_each_address_has_its_limit(
    device: WebDevice, method: str, path: str, limit: int
) -> None:
    kind = "application/json" if path == "/v1/invites" else "application/cbor"
    status, answer = await device.request(method, path, b"x" * (limit + 1), content_type=kind)
    assert (status, json.loads(answer)["rule"]) == (413, "too-long")
    status, _ = await device.request(method, path, b"x" * limit, content_type=kind)
    assert status in (400, 403, 404)


async def test_attack_50_a_device_has_so_many_requests_at_once(
    device: WebDevice, broker: LocalBroker, connect: Connect
) -> None:
    """Each may hold four megabytes of the broker's memory, at a kilobyte a second."""
    async with AsyncExitStack() as stack:
        for _ in range(AT_ONCE):
            fields = [f"{k}: {v}" for k, v in (await device.headers("POST", "/v1/bundles")).items()]
            _, writer = await stack.enter_async_context(wire(broker.config.url, broker.ca))
            kind = ("Content-Type: application/cbor", "Content-Length: 1000000")
            writer.write(head("POST", "/v1/bundles", *kind, *fields) + bytes(1000))
        await until(lambda: sum(broker.services.turns._taken.values()) == AT_ONCE)
        status, answer = await device.request("GET", "/v1/log/authority/checkpoint")
        assert (status, json.loads(answer)["rule"]) == (429, "busy")
        assert (await device.request("GET", "/v1/nonce"))[0] == 200
        await broker.take(broker.network.enrol(NODE, ("field",)))
        other = await connect(broker.network.of(NODE, "field", nth=1)).login()
        assert (await other.request("GET", "/v1/log/authority/checkpoint"))[0] == 200
    await until(lambda: not broker.services.turns._taken)
    assert (await device.request("GET", "/v1/log/authority/checkpoint"))[0] == 200


async def test_attack_50_an_invite_that_has_the_id_of_a_device_takes_none_of_its_turns(
    device: WebDevice, broker: LocalBroker
) -> None:
    """Whoever makes an invite chooses its id: an admin of any node would shut a device out."""
    assert device.machine is not None
    secret = bytes(32)
    until_ = int(time.time()) + 3600
    invite = Invite(device.machine.device, sha256(secret), "node", "zagreb-ffp", (), until_)
    await broker.services.enrolment.invite_node(invite)
    path = f"/v1/joins/{invite.id.hex()}"
    fields = ("Content-Type: application/cbor", "Content-Length: 100000",
              f"Authorization: Invite {invite.id.hex()}.{secret.hex()}")  # fmt: skip
    async with AsyncExitStack() as stack:
        for _ in range(AT_ONCE):
            _, writer = await stack.enter_async_context(wire(broker.config.url, broker.ca))
            writer.write(head("PUT", path, *fields) + bytes(1000))
        await until(lambda: sum(broker.services.turns._taken.values()) == AT_ONCE)
        assert (await device.request("GET", "/v1/log/authority/checkpoint"))[0] == 200


async def test_attack_50_who_does_not_read_holds_his_turn_until_he_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A page has megabytes, and waits in the broker's memory for each that asks for it."""
    page = bytes(64 * 1024 * 1024)  # more than the buffers of both sides take

    async def give(_: Call) -> bytes:
        return page

    route = Route("GET", "/v1/page", Caller.DEVICE, give, bytes)
    monkeypatch.setattr(routes, "ROUTES", (*routes.ROUTES, route))
    async with (
        local_broker(NODE) as broker,
        WebDevice(broker.config.url, broker.ca, broker.network.of(NODE)) as device,
    ):
        broker.services.turns._most = 1
        await device.login()
        fields = [f"{k}: {v}" for k, v in (await device.headers("GET", "/v1/page")).items()]
        async with wire(broker.config.url, broker.ca) as (reader, writer):
            writer.write(head("GET", "/v1/page", *fields))
            assert await reader.readuntil(b"\r\n") == b"HTTP/1.1 200 OK\r\n"
            status, answer = await device.request("GET", "/v1/log/authority/checkpoint")
            assert (status, json.loads(answer)["rule"]) == (429, "busy")
        await until(lambda: not broker.services.turns._taken)
        assert await device.request("GET", "/v1/page") == (200, page)


async def test_the_host_field_changes_nothing(connect: Connect, broker: LocalBroker) -> None:
    device = await connect().login()
    fields = await device.headers("GET", "/v1/log/authority/checkpoint")
    lines = [f"{name}: {value}" for name, value in fields.items()]
    sent = head("GET", "/v1/log/authority/checkpoint", *lines).replace(b"broker", b"evil.example")
    assert (await send(broker, sent))[0] == 200


def test_a_part_that_comes_byte_by_byte_is_not_kept_byte_by_byte() -> None:
    part: list[limits.Buffer] = []
    for _ in range(100_000):
        limits._add(part, memoryview(b"x"))
    limits._add(part, memoryview(bytes(limits.LITTLE)))
    limits._add(part, memoryview(b"y"))
    assert [len(piece) for piece in part] == [100_000, limits.LITTLE, 1]
