"""The socket: requests in order, pushes between, and an end for every reason."""

import asyncio
from socket import SO_SNDBUF, SOL_SOCKET
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from seefen.protocol.encoding import decode, encode
from seefen.protocol.frames import AuthorityPage, Frame, LogFrom, Problem, Proof, Push, Renew, Span
from seefen.protocol.ledger.note import open_checkpoint
from seefen.server import recovery
from seefen.server.broker import Broker
from seefen.server.store import Store
from seefen.server.web import sockets
from tests.support import casework
from tests.support.broker import LocalBroker, local_broker
from tests.support.devices import NODE, Connect, RefusedByBrokerError, Socket, WebDevice
from tests.support.waiting import until
from tests.support.wire import head, wire


async def bye(socket: Socket) -> tuple[str, int | None]:
    """Return the rule of the last word and the code of the end."""
    async with asyncio.timeout(10):
        frame = await socket.pushed()
        while frame.verb != "bye":
            frame = await socket.pushed()
        return decode(frame.body, Problem).rule, await socket.closed()


async def opened(device: WebDevice, broker: LocalBroker) -> tuple[Socket, Any]:
    """Open a line; return both ends of it."""
    socket = await device.socket()
    await socket.ask_raw("ping", b"")
    assert device.machine is not None
    (line,) = broker.services.lines.of(device.machine.device)
    return socket, line


async def test_a_ping_is_answered_with_a_signed_head(
    device: WebDevice, broker: LocalBroker
) -> None:
    socket = await device.socket()
    note = (await socket.ask_raw("ping", b"")).decode()
    signed = open_checkpoint(note, "seefen/activity", broker.network.log_key.public)
    assert signed.checkpoint.size == 0


async def test_requests_are_answered_in_their_order(device: WebDevice) -> None:
    socket = await device.socket()
    for number in range(1, 51):
        await socket.ws.send_bytes(encode(Frame(number, "ping", b"")))
    assert [(await socket.frame()).id for _ in range(50)] == list(range(1, 51))


async def test_a_refusal_is_a_problem_and_the_line_lives_on(device: WebDevice) -> None:
    socket = await device.socket()
    for verb, body, status in (
        ("nonsense", b"", 400),
        ("send", b"", 400),
        ("ping", b"x", 400),
        ("renew", encode(Renew("x", "y")), 400),
    ):
        with pytest.raises(RefusedByBrokerError) as caught:
            await socket.ask_raw(verb, body)
        assert 400 <= caught.value.problem.status < 500, verb
        assert caught.value.problem.rule, (verb, status)
    await socket.ask_raw("ping", b"")


async def test_the_authority_log_comes_over_the_socket(
    device: WebDevice, broker: LocalBroker
) -> None:
    socket = await device.socket()
    page = await socket.ask("authority", LogFrom(0, 100, 0), AuthorityPage)
    assert [item.kind for item in page.items][:3] == ["root", "node", "device"]
    size = broker.network.directory.size
    assert len(page.items) == size
    proof = await socket.ask("consistency", Span("authority", 1, size), Proof)
    assert proof.hashes


@pytest.mark.parametrize(
    "sent", [b"", b"x", b"\xff" * 100, encode(Frame(0, "ping", b"")) + b"x", b"\x83\x01\x61x"]
)
async def test_what_is_no_frame_ends_the_line(device: WebDevice, sent: bytes) -> None:
    socket = await device.socket()
    await socket.ws.send_bytes(sent)
    assert await bye(socket) == ("frame", sockets.MALFORMED)


async def test_text_ends_the_line(device: WebDevice) -> None:
    socket = await device.socket()
    await socket.ws.send_str("ping")
    assert await bye(socket) == ("frame", sockets.MALFORMED)


async def test_a_frame_of_more_than_64_kib_ends_the_line(device: WebDevice) -> None:
    socket = await device.socket()
    await socket.ws.send_bytes(encode(Frame(1, "send", bytes(sockets.FRAME_LIMIT))))
    # 1009; or 1006, when the connection is cut while the rest of the frame is under way.
    assert await socket.closed() in (1009, 1006)


async def test_attack_50_a_compressed_frame_is_refused(
    device: WebDevice, broker: LocalBroker
) -> None:
    fields = [f"{k}: {v}" for k, v in (await device.headers("GET", "/v1/socket")).items()]
    upgrade = head(
        "GET", "/v1/socket", "Connection: Upgrade", "Upgrade: websocket",
        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
        "Sec-WebSocket-Extensions: permessage-deflate", *fields,
    )  # fmt: skip
    async with wire(broker.config.url, broker.ca) as (reader, writer):
        writer.write(upgrade)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101")
        assert b"Sec-WebSocket-Extensions" not in answer
        assert b"Content-Security-Policy" in answer
        assert b"Server:" not in answer
        # Final frame, compressed (RSV1), masked with zeros: 1 KiB that would be more.
        writer.write(b"\xc2\xfe\x04\x00" + bytes(4) + bytes(1024))
        async with asyncio.timeout(5):
            rest = await reader.read(1 << 16)
        assert rest[:1] == b"\x88"
        assert int.from_bytes(rest[2:4], "big") == aiohttp.WSCloseCode.PROTOCOL_ERROR


async def test_attack_27_a_revocation_cuts_at_once(broker: LocalBroker, connect: Connect) -> None:
    await broker.take(broker.network.enrol(NODE, ("field",)))
    field = broker.network.of(NODE, "field", nth=1)
    device = await connect(field).login()
    lines = [await device.socket() for _ in range(3)]
    for line in lines:
        await line.ask_raw("ping", b"")
    other = await (await connect().login()).socket()
    # By the commit of the revocation, and not by the next look of the broker: a time limit would
    # fail on a machine that does other work.
    await broker.services.broker._keeping_up.close()
    await broker.take(broker.network.revoke(field))
    assert [await bye(line) for line in lines] == [("revoked", sockets.REVOKED)] * 3
    await other.ask_raw("ping", b"")


async def test_attack_27_a_revoked_device_that_does_not_read_is_cut_too(
    broker: LocalBroker, connect: Connect
) -> None:
    await broker.take(broker.network.enrol(NODE, ("field",)))
    field = broker.network.of(NODE, "field", nth=1)
    device = await connect(field).login()
    fields = [f"{k}: {v}" for k, v in (await device.headers("GET", "/v1/socket")).items()]
    upgrade = head(
        "GET", "/v1/socket", "Connection: Upgrade", "Upgrade: websocket",
        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==", *fields,
    )  # fmt: skip
    async with wire(broker.config.url, broker.ca) as (reader, writer):
        writer.write(upgrade)
        await reader.readuntil(b"\r\n\r\n")
        await broker.take(broker.network.revoke(field))
        async with asyncio.timeout(sockets.HEARTBEAT / 2):  # no ping that nobody answers ends it
            await reader.read()  # until the end: nobody answers the goodbye


async def test_the_sixth_socket_ends_the_first(device: WebDevice) -> None:
    lines = [await device.socket() for _ in range(6)]
    for line in lines[1:]:
        await line.ask_raw("ping", b"")
    assert await bye(lines[0]) == ("sockets", 4409)


async def test_a_line_ends_with_its_token_and_lives_on_with_a_new_one() -> None:
    async with (
        local_broker(NODE, token_seconds=6) as broker,
        WebDevice(broker.config.url, broker.ca, broker.network.of(NODE)) as device,
    ):
        await device.login()
        renewed, left = await device.socket(), await device.socket()
        broker.services.tokens._seconds = 12  # the next lives on when the first has ended
        await device.login()
        proof = await device.proof("GET", "/v1/socket", token=device.token)
        assert await renewed.ask_raw("renew", encode(Renew(device.token, proof))) == b""
        assert await bye(left) == ("ended", sockets.ENDED)
        await renewed.ask_raw("ping", b"")
        assert await bye(renewed) == ("ended", sockets.ENDED)


async def test_a_line_is_not_renewed_with_the_token_of_another(
    device: WebDevice, broker: LocalBroker, connect: Connect
) -> None:
    await broker.take(broker.network.enrol(NODE, ("field",)))
    other = await connect(broker.network.of(NODE, "field", nth=1)).login()
    socket = await device.socket()
    proof = await other.proof("GET", "/v1/socket", token=other.token)
    with pytest.raises(RefusedByBrokerError):
        await socket.ask_raw("renew", encode(Renew(other.token, proof)))


async def test_a_line_ends_after_its_longest_time_however_often_renewed() -> None:
    async with (
        local_broker(NODE, socket_seconds=5) as broker,
        WebDevice(broker.config.url, broker.ca, broker.network.of(NODE)) as device,
    ):
        socket = await (await device.login()).socket()
        await device.login()
        proof = await device.proof("GET", "/v1/socket", token=device.token)
        await socket.ask_raw("renew", encode(Renew(device.token, proof)))
        assert await bye(socket) == ("ended", sockets.ENDED)


def clog(line: Any) -> int:
    """Push until the connection takes no more, and one waits; return how many that are.

    Nobody reads meanwhile: the loop has no turn.
    """
    wire = line._call.request.transport.get_extra_info("socket")
    wire.setsockopt(SOL_SOCKET, SO_SNDBUF, 4096)
    for count in range(1, 10_000):
        line._deliver(encode(Frame(0, "alarm", bytes(4000))))
        if line._waiting:
            return count
    raise AssertionError("it takes whatever comes")


async def test_a_device_that_does_not_read_is_cut(
    device: WebDevice, broker: LocalBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "QUEUE", 4)
    socket, line = await opened(device, broker)
    clog(line)
    for _ in range(4):  # more at once than may wait
        line._deliver(encode(Frame(0, "alarm", bytes(1000))))
    assert (await bye(socket))[1] == sockets.SLOW


async def test_attack_50_few_large_frames_that_nobody_reads_are_too_many(
    device: WebDevice, broker: LocalBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A push may have four megabytes, and 256 of them would be a gigabyte for each line."""
    monkeypatch.setattr(sockets, "QUEUE_BYTES", 10_000)
    socket, line = await opened(device, broker)
    large = encode(Frame(0, "alarm", bytes(20_000)))
    line._deliver(large)
    assert (await socket.pushed()).verb == "alarm", "one alone is never too large"
    await socket.ask_raw("ping", b"")
    clog(line)
    line._deliver(large)  # with nothing read in between
    assert (await bye(socket))[1] == sockets.SLOW


async def test_a_long_answer_that_waits_makes_nobody_slow(
    device: WebDevice, broker: LocalBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page is longer than what may be pushed: who asks for it would be cut again and again."""
    monkeypatch.setattr(sockets, "QUEUE_BYTES", 10_000)
    socket, line = await opened(device, broker)
    pushed, page = encode(Frame(0, "authority", b"")), encode(Frame(7, "ok", bytes(20_000)))
    count = clog(line)
    answering = line._reply(page)
    answering.send(None)  # it waits behind what was pushed, and nobody has read since
    line._deliver(pushed)
    answering.close()
    got = [(await socket.frame()).verb for _ in range(count + 2)]
    assert got == [*["alarm"] * count, "ok", "authority"]
    await socket.ask_raw("ping", b"")


async def test_what_is_pushed_leaves_at_once_and_never_overtakes(
    device: WebDevice, broker: LocalBroker
) -> None:
    """A frame that nothing waits before wakes no task; behind one that waits, it waits."""
    socket, line = await opened(device, broker)
    line._deliver(encode(Frame(0, "alarm", b"0")))
    assert not line._waiting
    count = clog(line)
    line._deliver(encode(Frame(0, "alarm", b"last")))
    assert line._waiting == 2
    bodies = [(await socket.frame()).body for _ in range(count + 2)]
    assert bodies == [b"0", *[bytes(4000)] * count, b"last"]


async def test_a_large_push_waits_for_the_connection(
    device: WebDevice, broker: LocalBroker
) -> None:
    socket, line = await opened(device, broker)
    line._deliver(encode(Frame(0, "alarm", bytes(sockets.AT_ONCE))))
    assert line._waiting == 1, "it is counted until the connection has taken it"
    assert len((await socket.frame()).body) == sockets.AT_ONCE


async def test_who_reads_is_not_slow_however_much_comes_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process that stood still finds what the others wrote meanwhile, all in one batch."""
    monkeypatch.setattr(sockets, "QUEUE", 4)
    async with local_broker(NODE, "tirana-lab") as broker:
        network = broker.network
        author, reader = network.of(NODE), network.of("tirana-lab")
        case, opened = casework.open_case(network, author, "tirana-lab")
        await broker.take(opened)
        push = broker.services.broker._push
        async with WebDevice(broker.config.url, broker.ca, reader) as device:
            socket = await (await device.login()).socket()
            await socket.ask_raw("ping", b"")
            await push.close()
            for _ in range(20):
                bundle = casework.message(network, author, case)
                await broker.take(bundle)
            push.start()
            async with asyncio.timeout(10):
                got = [decode((await socket.pushed()).body, Push) for _ in range(20)]
        assert [one.item.kind for one in got] == ["object"] * 20


async def test_the_broker_says_goodbye_when_it_stops() -> None:
    async with local_broker(NODE) as broker:
        device = WebDevice(broker.config.url, broker.ca, broker.network.of(NODE))
        socket = await (await device.login()).socket()
        await socket.ask_raw("ping", b"")
        broker.services.lines.end_all()
        assert await bye(socket) == ("stopping", 1001)
        await device.__aexit__()


async def test_a_broker_that_stood_still_ends_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """It pushes nothing of what others wrote meanwhile: who connects again asks the feed."""
    async with local_broker(NODE) as broker, Store.open(broker.dsn) as store:
        network = broker.network
        device = WebDevice(broker.config.url, broker.ca, network.of(NODE))
        socket = await (await device.login()).socket()
        await socket.ask_raw("ping", b"")
        monkeypatch.setattr(recovery, "FAR", 0)
        await broker.services.broker._keeping_up.close()
        other = await Broker.open(store, log_key=network.log_key, clock=lambda: network.at)
        try:
            bundle = network.admit("tirana-lab")
            await other.submit(None, bundle, 0)
            network.take(bundle)
        finally:
            await other.close()
        await broker.services.broker.look()
        assert await bye(socket) == ("missed", 1001)
        await device.__aexit__()


async def test_an_address_for_sockets_is_nothing_else(device: WebDevice) -> None:
    status, _ = await device.request("GET", "/v1/socket")
    assert status == 426


async def test_who_answers_no_ping_is_gone_and_has_said_nothing_wrong(
    device: WebDevice, broker: LocalBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "HEARTBEAT", 0.2)
    with capture_logs() as said:
        await device.socket()  # it reads nothing, and so it answers nothing
        await until(lambda: not len(broker.services.lines), seconds=10)
    (ended,) = [one for one in said if one["event"] == "socket.end"]
    assert ended["rule"] == "gone"
