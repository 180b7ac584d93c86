"""Connections: what must hold before there is a request that a route could see.

A head that comes drop by drop costs its sender as much as us, and then it is cut
(attack 50). What does not parse is answered with a problem document and nothing else.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from aiohttp import hdrs, web
from aiohttp.http import RawRequestMessage
from aiohttp.typedefs import Handler

from seefen.server.web import problems
from seefen.server.web.limits import HEADERS, SLOWEST, unmet_expectation

HEAD_SECONDS: Final = 10.0  # for the whole head of a request, and for the TLS handshake
STALL_SECONDS: Final = 20.0  # between two looks at how much of an answer was taken
_BITE: Final = 32 * 1024  # bytes that the parser gets at once
SETTINGS: Final[dict[str, Any]] = {
    "auto_decompress": False,
    "keepalive_timeout": 75,
    "lingering_time": 2,
    "max_line_size": 8192,
    "max_field_size": 8192,
    "max_headers": 64,
    "access_log": None,
}

_Answering: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Connection(web.RequestHandler):
    """A connection that must say what it wants within ten seconds, and take the answer."""

    __slots__ = ("_broken", "_head_timer", "_in_request", "_stall_timer")

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        """Make what aiohttp makes."""
        super().__init__(*arguments, **settings)
        self._head_timer: asyncio.TimerHandle | None = None
        self._in_request = False
        self._broken = False
        self._stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the head of the first request."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Wait for nothing any more."""
        self._head_arrived()
        self._answer_taken()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to watch whether the other end takes what it asked for."""
        super().pause_writing()
        self._await_taking(self._taken())

    def resume_writing(self) -> None:
        """Watch no more: it does."""
        self._answer_taken()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Begin to wait for the rest, if these are the first bytes of a next head."""
        if data and not self._in_request and self._head_timer is None:
            self._await_head()
        # The parser quotes in its complaint all that it was given, several times over, and again
        # for all that comes after: six lines of garbage took half a gigabyte (attack 50).
        for start in range(0, max(1, len(data)), _BITE):
            if self._broken:
                return
            super().data_received(data[start : start + _BITE])
            self._broken = bool(self._messages) and not isinstance(
                self._messages[-1][0], RawRequestMessage
            )

    def request_begins(self) -> None:
        """Note that a head has arrived and a route works on it."""
        self._in_request = True
        self._head_arrived()

    def request_ends(self) -> None:
        """Note that the next bytes begin another head."""
        self._in_request = False

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002 - what it holds is not to be quoted
        status: int = 500,
        exc: BaseException | None = None,  # noqa: ARG002
        message: str | None = None,  # noqa: ARG002
    ) -> web.StreamResponse:
        """Answer what does not parse; neither the answer nor the log quotes it."""
        self._head_arrived()
        title = "this is not a request" if status < 500 else problems.UNEXPECTED[2]
        answer = _Bare(
            status=status,
            body=problems.body(status, "request", title),
            content_type=problems.CONTENT_TYPE,
            headers=HEADERS,
        )
        answer.force_close()
        return answer

    def _await_head(self) -> None:
        loop = asyncio.get_running_loop()
        self._head_timer = loop.call_later(HEAD_SECONDS, self.force_close)

    def _head_arrived(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _await_taking(self, before: int) -> None:
        loop = asyncio.get_running_loop()
        self._stall_timer = loop.call_later(STALL_SECONDS, self._cut_if_stalled, before)

    def _cut_if_stalled(self, before: int) -> None:
        now = self._taken()
        if now - before >= SLOWEST * STALL_SECONDS:
            self._await_taking(now)
        elif self.transport is not None:
            # Who asks and never reads, or is gone without a word, would keep a megabyte and
            # a task of ours for as long as he likes (attack 50).
            self.transport.abort()

    def _answer_taken(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _taken(self) -> int:
        # What the other end has acknowledged: buffers between here and there would hide it.
        if self.transport is None:
            return 0
        line: socket.socket = self.transport.get_extra_info("socket")
        info = line.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size)
        return int(_INFO.unpack(info)[0])


# struct tcp_info of linux/tcp.h, up to tcpi_bytes_acked.
_INFO: Final = struct.Struct("=120xQ")


class _Bare(web.Response):
    """An answer made where no application adds or takes headers."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.popall("Server", None)


@web.middleware
async def mark_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tell the connection when a request begins and ends."""
    connection = request.protocol
    if not isinstance(connection, Connection):
        return await handler(request)
    connection.request_begins()
    try:
        answer = await handler(request)
    finally:
        connection.request_ends()
    if hdrs.UPGRADE in request.headers and answer.status != 101:
        # What follows was sent to another protocol, and is no request of anybody (attack 50).
        answer.force_close()
    return answer


def _expecting_in_vain(handler: _Answering) -> _Answering:
    """Answer ``Expect`` where no route does as the routes do.

    aiohttp looks at it before any middleware, and at an unknown address with its own words.
    """

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPExpectationFailed:
            return unmet_expectation()

    return answer


async def listen(
    server: web.Server, host: str, port: int, context: ssl.SSLContext
) -> asyncio.Server:
    """Return the listening socket that hands connections to ``server``."""
    loop = asyncio.get_running_loop()
    server.request_handler = _expecting_in_vain(server.request_handler)
    return await loop.create_server(
        lambda: Connection(server, loop=loop, **SETTINGS),
        host,
        port,
        ssl=context,
        ssl_handshake_timeout=HEAD_SECONDS,
        backlog=512,
        reuse_address=True,
    )
