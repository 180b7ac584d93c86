"""Lines for the parts of files: TLS connections, each with a buffer, worked by threads.

In the event loop a mebibyte is copied five times, and an alert waits while it is
encrypted. A thread encrypts and sends it without holding up anybody, and the part that
comes next goes into the same memory. The TLS is that of every other connection.
"""

import asyncio
import contextlib
import http.client
import socket
import ssl
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import urlsplit

from seefen.client.answers import UnreachableError, no_answer, not_ours
from seefen.protocol.objects import PART_SIZE

AT_ONCE: Final = 2  # lines: more only wait for each other, a run keeps each of them busy
CONNECT_SECONDS: Final = 10
SILENCE_SECONDS: Final = 60
# Bytes given to TLS at a time. The time of a socket is for all of them together, so they are
# few: a line is silent if it takes less than a kibibyte a second, as the broker sees it too.
SLICE: Final = 64 * 1024
REFUSAL_LIMIT: Final = 64 * 1024  # bytes

T = TypeVar("T")

Load = Callable[[int, memoryview], int]
Keep = Callable[[int, memoryview], None]


@dataclass(frozen=True, slots=True)
class Run:
    """Parts in a row: their numbers, and how many bytes they have together."""

    numbers: range
    length: int


class Line:
    """One connection. All that it moves goes through its one buffer."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext) -> None:
        self._http = http.client.HTTPSConnection(host, port, context=tls, timeout=CONNECT_SECONDS)
        self._buffer = memoryview(bytearray(PART_SIZE))
        self._socket: socket.socket | None = None
        self._answer: http.client.HTTPResponse | None = None
        self._is_cut = False

    def send(
        self, path: str, headers: Mapping[str, str], run: Run, load: Load
    ) -> http.client.HTTPResponse:
        """Send parts; ``load`` fills the buffer with one and returns how much that is."""
        pieces = self._slices(run, load)
        return self._ask("PUT", path, {**headers, "Content-Length": str(run.length)}, pieces)

    def _slices(self, run: Run, load: Load) -> Iterator[memoryview]:
        for number in run.numbers:
            length = load(number, self._buffer)
            for start in range(0, length, SLICE):
                yield self._buffer[start : min(start + SLICE, length)]

    def fetch(self, path: str, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        """Ask for parts; :meth:`keep` takes them."""
        return self._ask("GET", path, headers, None)

    def keep(self, answer: http.client.HTTPResponse, run: Run, keep: Keep) -> None:
        """Hand each part of an answer to ``keep`` while it is in the buffer."""
        if answer.length != run.length:
            raise UnreachableError("the broker's answer has another length", rule="answer")
        left = run.length
        for number in run.numbers:
            part = self._buffer[: min(left, PART_SIZE)]
            self._fill(answer, part)
            keep(number, part)
            left -= len(part)

    def _ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        pieces: Iterator[memoryview] | None,
    ) -> http.client.HTTPResponse:
        with _unreachable():
            if self._http.sock is None:
                self._connect()
            if self._is_cut:
                raise ConnectionAbortedError("the line was cut")  # before there was one to cut
            self._http.request(method, path, pieces, dict(headers))
            self._answer = self._http.getresponse()
            return self._answer

    def refusal(self, answer: http.client.HTTPResponse) -> bytes:
        """Return the body of an answer that is short."""
        with _unreachable():
            return answer.read(REFUSAL_LIMIT)

    def _fill(self, answer: http.client.HTTPResponse, view: memoryview) -> None:
        filled = 0
        while filled < len(view):
            with _unreachable():
                count = answer.readinto(view[filled:])
            if count == 0:
                raise UnreachableError("the answer was cut", rule="broker")
            filled += count

    def _connect(self) -> None:
        try:
            self._http.connect()
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            raise  # cut, and no other certificate
        except ssl.SSLError:
            raise not_ours() from None
        self._socket = self._http.sock
        if self._socket is not None:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.settimeout(SILENCE_SECONDS)

    def cut(self) -> None:
        """End what goes on, from another thread; what is connecting ends after it."""
        self._is_cut = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it; an answer that was not read to its end would keep it open."""
        if self._answer is not None:
            self._answer.close()
        self._http.close()


class Lines:
    """The lines to one broker; they are opened when they are needed."""

    def __init__(self, url: str, tls: ssl.SSLContext) -> None:
        self._url = urlsplit(url)
        self._tls = tls
        self._idle: list[Line] = []
        self._busy: set[Line] = set()
        self._threads: ThreadPoolExecutor | None = None

    async def send(
        self, path: str, headers: Mapping[str, str], run: Run, load: Load
    ) -> tuple[int, str, bytes]:
        """Send parts; return status and nonce of the answer, and its body.

        Raises:
            UnreachableError: Nobody is there, or the line was cut or silent.
            UntrustedError: Somebody else is there.
        """

        def work(line: Line) -> tuple[int, str, bytes]:
            answer = line.send(path, headers, run, load)
            return answer.status, _nonce(answer), line.refusal(answer)

        return await self._work(work)

    async def fetch(
        self, path: str, headers: Mapping[str, str], run: Run, keep: Keep
    ) -> tuple[int, str, bytes]:
        """Fetch parts; the same, and what ``keep`` raises."""

        def work(line: Line) -> tuple[int, str, bytes]:
            answer = line.fetch(path, headers)
            if answer.status >= 300:
                return answer.status, _nonce(answer), line.refusal(answer)
            line.keep(answer, run, keep)
            answer.close()
            return answer.status, _nonce(answer), b""

        return await self._work(work)

    async def _work(self, work: Callable[[Line], T]) -> T:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(AT_ONCE, "parts")
        line = self._idle.pop() if self._idle else self._line()
        self._busy.add(line)
        working = self._threads.submit(work, line)
        try:
            done = await asyncio.wrap_future(working)
        except BaseException:
            # Who is cancelled does not wait for the thread, and the thread not for the line;
            # one that is connecting does, for CONNECT_SECONDS at most, and then asks nothing.
            self._busy.discard(line)
            line.cut()
            working.add_done_callback(lambda _: line.close())
            raise
        if line in self._busy:
            self._busy.discard(line)
            self._idle.append(line)
        else:
            line.close()  # all were closed in the same moment
        return done

    def _line(self) -> Line:
        if self._url.hostname is None:
            raise UnreachableError("the broker's address names no host", rule="broker")
        return Line(self._url.hostname, self._url.port or 443, self._tls)

    def close(self) -> None:
        """Close all lines, and cut those that are busy: who waits there hears it."""
        while self._idle:
            self._idle.pop().close()
        while self._busy:
            self._busy.pop().cut()
        if self._threads is not None:
            self._threads.shutdown(wait=False)
            self._threads = None


def _nonce(answer: http.client.HTTPResponse) -> str:
    return answer.headers.get("DPoP-Nonce", "")


@contextlib.contextmanager
def _unreachable() -> Generator[None, None, None]:
    try:
        yield
    except (OSError, http.client.HTTPException) as err:
        raise no_answer(err) from None
