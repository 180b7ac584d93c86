"""Lines for parts of files: the network's certificate, whole answers, and no thread left over."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from seefen.client import lines
from seefen.client.address import tls_context
from seefen.client.answers import UnreachableError
from seefen.client.lines import Line, Lines, Run
from seefen.protocol.errors import SeefenError, UntrustedError
from seefen.protocol.objects import PART_SIZE
from seefen.server import tls
from tests.support.waiting import until

Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
RUN_OF_TWO = Run(range(3, 5), PART_SIZE + 5)
PARTS = {3: b"a" * PART_SIZE, 4: b"b" * 5}


class Place:
    """A TLS server that answers as a test says, and the lines to it."""

    def __init__(self, folder: Path) -> None:
        tls.make_authority(folder, "lines", datetime.now(UTC))
        tls.make_certificate(folder, "127.0.0.1", datetime.now(UTC))
        self.folder = folder
        self.kept: dict[int, bytes] = {}
        self.ca = tls.ca_pem(folder)
        self.answer: Answering = self.nothing
        self.lines: Lines | None = None
        self.url = ""
        self.open = 0

    async def nothing(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Cut."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            self.open += 1
            await self.answer(reader, writer)
            writer.close()
            await reader.read()  # until the other end has closed too
        writer.transport.abort()
        self.open -= 1

    def says(self, head: bytes, *pieces: bytes) -> None:
        """Let it answer a request with these bytes, and cut."""

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head + b"\r\n\r\n" + b"".join(pieces))
            await writer.drain()

        self.answer = answer

    def keep(self, number: int, data: memoryview) -> None:
        self.kept[number] = bytes(data)

    async def fetch(self, ca: str = "") -> tuple[int, str, bytes]:
        self.lines = Lines(self.url, tls_context(ca or self.ca))
        try:
            return await self.lines.fetch("/x?count=2", {}, RUN_OF_TWO, self.keep)
        finally:
            self.lines.close()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    place = Place(tmp_path)
    server = await asyncio.start_server(
        place.serve, "127.0.0.1", 0, ssl=tls.server_context(tmp_path), limit=1 << 23
    )
    place.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield place
    server.close()
    await until(lambda: place.open == 0)
    await asyncio.sleep(0)


async def test_parts_come_out_of_one_answer(place: Place) -> None:
    length = RUN_OF_TWO.length
    head = b"HTTP/1.1 200 OK\r\nDPoP-Nonce: n\r\nContent-Length: %d" % length
    place.says(head, *PARTS.values())
    assert await place.fetch() == (200, "n", b"")
    assert place.kept == PARTS


async def test_parts_go_in_one_request(place: Place) -> None:
    seen: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        seen.append(await reader.readexactly(RUN_OF_TWO.length))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()

    def load(number: int, buffer: memoryview) -> int:
        buffer[: len(PARTS[number])] = PARTS[number]
        return len(PARTS[number])

    place.answer = answer
    line = Lines(place.url, tls_context(place.ca))
    assert await line.send("/x", {"DPoP": "proof"}, RUN_OF_TWO, load) == (204, "", b"")
    line.close()
    assert b"PUT /x HTTP/1.1" in seen[0]
    assert b"DPoP: proof" in seen[0]
    assert seen[1] == b"".join(PARTS.values())


async def test_a_slow_line_is_not_a_silent_one(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part may take longer than the silence that ends a line."""
    monkeypatch.setattr(lines, "SILENCE_SECONDS", 1)
    _keep_little_on_the_way(monkeypatch)
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024)
        listening.bind(("127.0.0.1", 0))
        listening.listen(1)
        taking = asyncio.create_task(asyncio.to_thread(_take_slowly, listening, place.folder))
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        line = Lines(url, tls_context(place.ca))
        run = Run(range(1), PART_SIZE)
        assert await line.send("/x", {}, run, _load) == (204, "", b"")
        line.close()
        assert await taking > 1.5


def _load(_: int, buffer: memoryview) -> int:
    return len(buffer)


def _take_slowly(listening: socket.socket, folder: Path) -> float:
    """Take a part in small pieces; return how many seconds it took."""
    began = time.monotonic()
    bare, _ = listening.accept()
    with tls.server_context(folder).wrap_socket(bare, server_side=True) as line:
        taken = 0
        while taken < PART_SIZE:
            data = line.recv(16 * 1024)
            if not data:
                break
            taken += len(data)
            time.sleep(0.03)
        with suppress(OSError):
            line.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    return time.monotonic() - began


def _keep_little_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no buffer at this end take a whole part at once."""
    connect = Line._connect

    def connected(line: Line) -> None:
        connect(line)
        assert line._socket is not None
        line._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)

    monkeypatch.setattr(Line, "_connect", connected)


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5", b"short"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999", b"long"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", b"5\r\nwhole\r\n0\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: %d" % RUN_OF_TWO.length, PARTS[3]),  # cut
        (b"HTTP/1.1 200 OK", b""),
        (b"garbage", b""),
        (b"", b""),
    ],
)
async def test_what_is_no_answer_of_that_length_is_not_taken(
    place: Place, head: bytes, body: bytes
) -> None:
    place.says(head, body)
    with pytest.raises(SeefenError) as caught:
        await place.fetch()
    assert isinstance(caught.value, UnreachableError)
    assert 4 not in place.kept


async def test_a_refusal_is_handed_on_and_kept_short(place: Place) -> None:
    place.says(b"HTTP/1.1 507 Full\r\nContent-Length: 70000", b"x" * 70_000)
    assert await place.fetch() == (507, "", b"x" * lines.REFUSAL_LIMIT)


async def test_another_certificate_gets_no_part_and_no_proof(place: Place, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    tls.make_authority(other, "another", datetime.now(UTC))
    place.says(b"HTTP/1.1 200 OK\r\nContent-Length: 5", b"short")
    with pytest.raises(UntrustedError, match="not our broker"):
        await place.fetch(tls.ca_pem(other))


async def unanswered(place: Place) -> asyncio.Task[tuple[int, str, bytes]]:
    """Ask for parts, and return when the broker has heard it; it says nothing."""
    asked = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()

    place.answer = silent
    fetching = asyncio.create_task(place.fetch())
    await asyncio.wait_for(asked.wait(), 10)
    return fetching


async def test_who_is_cancelled_leaves_no_thread_behind(place: Place) -> None:
    fetching = await unanswered(place)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    await until(lambda: not _threads())


async def test_who_is_cancelled_while_it_connects_asks_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()
    connecting, goes_on = threading.Event(), threading.Event()
    connect = Line._connect

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.read(1):
            asked.set()

    def slowly(line: Line) -> None:
        connecting.set()
        goes_on.wait(10)
        connect(line)

    place.answer = answer
    monkeypatch.setattr(Line, "_connect", slowly)
    fetching = asyncio.create_task(place.fetch())
    await asyncio.to_thread(connecting.wait, 10)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    goes_on.set()
    await until(lambda: not _threads())
    assert not asked.is_set()


async def test_closing_cuts_what_is_busy_and_keeps_nothing(place: Place) -> None:
    fetching = await unanswered(place)
    assert place.lines is not None
    place.lines.close()
    with pytest.raises(UnreachableError):
        await asyncio.wait_for(fetching, 5)
    assert place.lines._idle == []


async def test_what_ends_while_all_are_closed_is_closed_too(place: Place) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d" % RUN_OF_TWO.length
    place.says(head, *PARTS.values())
    loop = asyncio.get_running_loop()
    place.lines = opened = Lines(place.url, tls_context(place.ca))

    async def close() -> None:
        opened.close()

    def keep(number: int, _: memoryview) -> None:
        if number == RUN_OF_TWO.numbers[-1]:
            asyncio.run_coroutine_threadsafe(close(), loop).result(5)

    assert await opened.fetch("/x?count=2", {}, RUN_OF_TWO, keep) == (200, "", b"")
    assert opened._idle == []
    await until(lambda: not _threads())


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("parts")]
