"""What the wiretap writes down: all that passes, with the mask of a client's frames off."""

import asyncio
import os
import ssl
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.recorder import HEAD, Recorder, Unmasker
from demo.wiretap import search
from seefen.server.setup import make_broker

UPGRADE = b"GET /v1/live HTTP/1.1\r\nHost: x\r\nUpgrade: WebSocket\r\n\r\n"
PLAIN = b"PUT /v1/joins/1 HTTP/1.1\r\nContent-Length: 9\r\n\r\nsomething"
MASK = bytes.fromhex("37fa213d")
SECRET = "С-84417, Трајанов".encode()  # noqa: RUF001


def _frame(payload: bytes, *, masked: bool = True, opcode: int = 2) -> bytes:
    """Return a frame as RFC 6455 5.2 has it."""
    size = len(payload)
    if size < 126:
        length = bytes([size | masked << 7])
    elif size < 1 << 16:
        length = bytes([126 | masked << 7]) + size.to_bytes(2)
    else:
        length = bytes([127 | masked << 7]) + size.to_bytes(8)
    if not masked:
        return bytes([0x80 | opcode]) + length + payload
    body = bytes(byte ^ MASK[n % 4] for n, byte in enumerate(payload))
    return bytes([0x80 | opcode]) + length + MASK + body


def _recorded(*pieces: bytes) -> bytes:
    kept = bytearray()
    unmasker = Unmasker(kept.extend)
    for piece in pieces:
        unmasker.feed(piece)
    return bytes(kept)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 200_000])
def test_the_mask_is_taken_off_whatever_the_size(size: int) -> None:
    payload = bytes(n % 251 for n in range(size))
    assert _recorded(UPGRADE, _frame(payload)) == UPGRADE + payload
    assert _recorded(UPGRADE + _frame(payload, masked=False)) == UPGRADE + payload


def test_the_example_of_the_standard_is_read() -> None:
    # RFC 6455 5.7: a single-frame masked text message, "Hello".
    hello = bytes.fromhex("818537fa213d7f9f4d5158")
    assert _recorded(UPGRADE + hello) == UPGRADE + b"Hello"


def test_masked_bytes_alone_would_hide_everything(tmp_path: Path) -> None:
    wire = UPGRADE + _frame(b"before " + SECRET)
    (tmp_path / "masked").write_bytes(wire)
    (tmp_path / "kept").write_bytes(_recorded(wire))
    words = (SECRET.decode(),)
    assert search("", (tmp_path / "masked",), words).found == ()
    assert search("", (tmp_path / "kept",), words).found == words


def test_requests_without_an_upgrade_pass_as_they_are() -> None:
    masked = _frame(SECRET)
    assert _recorded(PLAIN, PLAIN + masked) == PLAIN + PLAIN + masked


def test_a_connection_is_upgraded_after_other_requests() -> None:
    assert _recorded(PLAIN + PLAIN + UPGRADE, _frame(SECRET)) == PLAIN + PLAIN + UPGRADE + SECRET


def test_a_large_body_is_kept_whole_and_once() -> None:
    head, body = b"PUT /v1/blobs/1 HTTP/1.1\r\n\r\n", bytes(n % 256 for n in range(5 * HEAD))
    pieces = [body[n : n + 1000] for n in range(0, len(body), 1000)]
    assert _recorded(head, *pieces) == head + body


@given(st.lists(st.binary(max_size=300), max_size=6), st.data())
def test_how_it_was_cut_into_pieces_does_not_matter(
    bodies: list[bytes], data: st.DataObject
) -> None:
    wire = PLAIN + UPGRADE + b"".join(map(_frame, bodies))
    cuts = data.draw(st.lists(st.integers(0, len(wire)), max_size=12).map(sorted))
    edges = [0, *cuts, len(wire)]
    pieces = [wire[a:b] for a, b in pairwise(edges)]
    assert _recorded(*pieces) == PLAIN + UPGRADE + b"".join(bodies)


# --- as a relay ---------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Give the folder of a broker that was just made: its certificate and key."""
    make_broker(tmp_path / "broker", name="seefen", address="127.0.0.1:9443", listen=None)
    return tmp_path / "broker"


async def test_it_changes_nothing_and_keeps_both_ways(certificate: Path, tmp_path: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate / "server.pem", certificate / "server.key")

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(b"heard " + data)
        writer.close()

    async with await asyncio.start_server(echo, "127.0.0.1", 0, ssl=tls) as broker:
        port = broker.sockets[0].getsockname()[1]
        recorder = Recorder(
            listen=0, broker=port, to=tmp_path / "traffic",
            certificate=certificate / "server.pem", key=certificate / "server.key",
        )  # fmt: skip
        await recorder.start()
        answer = await _ask(recorder.port, PLAIN)
        recorder.flush()
        up = (tmp_path / "traffic" / "to-broker.bin").read_bytes()
        down = (tmp_path / "traffic" / "to-devices.bin").read_bytes()
        await recorder.stop()
    assert answer == b"heard " + PLAIN
    assert up == PLAIN
    assert down == b"heard " + PLAIN


async def test_it_leads_one_process_to_another_broker(certificate: Path, tmp_path: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate / "server.pem", certificate / "server.key")

    async def start(name: bytes) -> asyncio.Server:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await reader.read(1 << 16):
                writer.write(name)
            writer.close()

        return await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)

    async with await start(b"one") as one, await start(b"two") as two:
        ports = [server.sockets[0].getsockname()[1] for server in (one, two)]
        recorder = Recorder(
            listen=0, broker=ports[0], to=tmp_path / "traffic",
            certificate=certificate / "server.pem", key=certificate / "server.key",
        )  # fmt: skip
        await recorder.start()
        recorder.divert(1, ports[1])  # another process
        reader, writer = await _open(recorder.port)
        writer.write(PLAIN)
        assert await reader.readexactly(3) == b"one"
        recorder.divert(os.getpid(), ports[1])
        with suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 10) == b""  # the line was cut
        writer.close()
        assert await _ask(recorder.port, PLAIN) == b"two"
        await recorder.stop()


async def test_no_broker_behind_it_is_a_closed_line(certificate: Path, tmp_path: Path) -> None:
    recorder = Recorder(
        listen=0, broker=1, to=tmp_path / "traffic",
        certificate=certificate / "server.pem", key=certificate / "server.key",
    )  # fmt: skip
    await recorder.start()
    assert await _ask(recorder.port, PLAIN) == b""
    await recorder.stop()


async def _open(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    assert writer.get_extra_info("ssl_object").version() == "TLSv1.3"
    return reader, writer


async def _ask(port: int, data: bytes) -> bytes:
    reader, writer = await _open(port)
    try:
        writer.write(data)
        await writer.drain()
        return await asyncio.wait_for(reader.read(1 << 16), 10)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()
