"""nginx in front of the broker: the relay of deploy/nginx.conf, and one that opens TLS.

The relay is what operators are told to run. The other is an enemy's, or a mistake: it was
given the broker's key and reads requests with other eyes. Nothing is smuggled past either.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio

from seefen.protocol.ledger.tree import leaf_hash
from seefen.protocol.objects import PART_SIZE, parts_root
from seefen.protocol.suite import random_bytes
from seefen.server.tls import device_context
from tests.support.devices import NODE, WebDevice
from tests.support.doors import MISSING, RELAY, Door, opened, resident
from tests.support.hostile_requests import AMBIGUOUS
from tests.support.waiting import until
from tests.support.wire import exchange, head, wire

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(bool(MISSING), reason=MISSING),
]

CHECKPOINT = "/v1/log/authority/checkpoint"
SECONDS = 30  # for an answer, on a busy machine


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def relay() -> AsyncGenerator[Door, None]:
    async with opened("passing") as door:
        yield door


@pytest_asyncio.fixture(loop_scope="module")
async def device(relay: Door) -> AsyncGenerator[WebDevice, None]:
    async with WebDevice(relay.url, relay.ca, relay.broker.network.of(NODE)) as device:
        yield await device.login()


async def handshake(door: Door, context: ssl.SSLContext, name: str) -> str | None:
    """Return the version of TLS that is spoken, or ``None`` when the line is cut."""
    port = door.url.rpartition(":")[2]
    try:
        async with asyncio.timeout(SECONDS):
            _, writer = await asyncio.open_connection(
                "127.0.0.1", int(port), ssl=context, server_hostname=name
            )
    except (ConnectionError, ssl.SSLError):
        return None
    version: str = writer.get_extra_info("ssl_object").version()
    writer.transport.abort()
    return version


async def test_tls_goes_through_untouched_and_only_the_newest(relay: Door) -> None:
    assert await handshake(relay, device_context(relay.ca), "localhost") == "TLSv1.3"
    old = device_context(relay.ca)
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    assert await handshake(relay, old, "localhost") is None


async def test_other_names_and_other_protocols_never_reach_the_broker(relay: Door) -> None:
    before = relay.connections()
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    assert await handshake(relay, anybody, "evil.example") is None
    port = int(relay.url.rpartition(":")[2])
    for sent in (head("GET", "/healthz"), b"SSH-2.0-x\r\n", bytes(100)):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        async with asyncio.timeout(SECONDS):
            with suppress(ConnectionError):
                assert await reader.read() == b""
        writer.transport.abort()
    assert relay.connections() <= before


async def test_a_device_logs_in_and_keeps_its_socket(device: WebDevice) -> None:
    assert (await device.request("GET", CHECKPOINT))[0] == 200
    socket = await device.socket()
    assert (await socket.ask_raw("ping", b"")).startswith(b"seefen/activity\n")


async def test_a_file_passes_and_the_relay_keeps_none_of_it(device: WebDevice, relay: Door) -> None:
    body = random_bytes(16 * PART_SIZE)
    parts = [body[at : at + PART_SIZE] for at in range(0, len(body), PART_SIZE)]
    leaves = [leaf_hash(part) for part in parts]
    base = f"/v1/blobs/{parts_root(leaves).hex()}"
    assert (await device.request("PUT", f"{base}?size={len(body)}", b"".join(leaves)))[0] == 201
    before = _relay_memory(relay)
    for number, part in enumerate(parts):
        assert (await device.request("PUT", f"{base}/parts/{number}", part))[0] == 204
    for number, part in enumerate(parts):
        assert (await device.request("GET", f"{base}/parts/{number}"))[1] == part
    assert _relay_memory(relay) - before < 4 * 1024 * 1024
    assert relay.relay is not None
    # Nothing in the folder it writes to, either: TLS is not opened, so there is nothing to keep.
    assert sum(path.stat().st_size for path in relay.relay.rglob("*") if path.is_file()) < 1 << 20


def _relay_memory(door: Door) -> int:
    assert door.relay is not None
    master = int((door.relay / "nginx.pid").read_text())
    workers = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    return sum(resident(int(pid)) for pid in workers)


async def test_attack_57_no_header_gives_another_address() -> None:
    """All come from the relay's address: operators raise the limits, and no header is asked."""
    settings = "bad_proofs_before_block = 5\n"
    async with opened("passing", settings) as door, _device(door) as device:
        good = await device.headers("GET", CHECKPOINT)
        found: list[int] = []
        for number in range(6):
            claimed = f"198.51.100.{number}"
            sent = head(
                "GET", CHECKPOINT, "Authorization: DPoP x", "DPoP: x",
                f"X-Forwarded-For: {claimed}", f"X-Real-IP: {claimed}",
                f"Forwarded: for={claimed}", f"True-Client-IP: {claimed}",
            )  # fmt: skip
            found.append((await exchange(door.url, door.ca, sent, seconds=SECONDS))[0])
        assert found == [401] * 5 + [429]
        # Behind one address the honest are hit as well: what docs/operating.md warns of.
        assert (await device.request("GET", CHECKPOINT, headers=good))[0] == 429


def _device(door: Door) -> "_LoggedIn":
    return _LoggedIn(door)


class _LoggedIn:
    def __init__(self, door: Door) -> None:
        self._device = WebDevice(door.url, door.ca, door.broker.network.of(NODE))

    async def __aenter__(self) -> WebDevice:
        return await self._device.login()

    async def __aexit__(self, *_: object) -> None:
        await self._device.http.close()


async def test_the_relay_counts_lines_by_address() -> None:
    limit = {"limit_conn addresses 100": "limit_conn addresses 3"}
    async with opened("passing", "", **limit) as door:
        context = device_context(door.ca)
        port = int(door.url.rpartition(":")[2])
        held = [
            await asyncio.open_connection(
                "127.0.0.1", port, ssl=context, server_hostname="localhost"
            )
            for _ in range(3)
        ]
        assert await handshake(door, context, "localhost") is None
        # Another address is served meanwhile.
        _, other = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname="localhost",
            local_addr=("127.0.0.2", 0),
        )  # fmt: skip
        other.transport.abort()
        for _, writer in held:
            writer.transport.abort()

        async def free() -> bool:
            return await handshake(door, context, "localhost") == "TLSv1.3"

        await until(free, seconds=SECONDS)


async def test_attack_50_nothing_is_smuggled_past_a_proxy_that_opens_tls() -> None:
    """Whatever is sent before, the next on the same line to the broker gets his own answer."""
    async with opened("opening", "bad_proofs_before_block = 1000000\n") as door:
        for name, sent in AMBIGUOUS.items():
            async with wire(door.url, door.ca) as (reader, writer):
                writer.write(sent)
                with suppress(TimeoutError, ConnectionError):
                    async with asyncio.timeout(0.3):
                        await reader.read()
            for _ in range(2):
                status, answer = await exchange(
                    door.url, door.ca, head("GET", "/healthz"), seconds=SECONDS
                )
                document = answer.partition(b"\r\n\r\n")[2]
                assert (status, document) == (200, b'{"status": "ok"}'), (name, answer)
        async with _device(door) as device:
            assert (await device.request("GET", CHECKPOINT))[0] == 200
            socket = await device.socket()
            assert (await socket.ask_raw("ping", b"")).startswith(b"seefen/activity\n")


async def test_the_relay_opens_no_tls() -> None:
    said = RELAY.read_text(encoding="utf-8")
    assert "ssl_certificate" not in said
    assert json.dumps("TLSv1.3 broker.example") in said
