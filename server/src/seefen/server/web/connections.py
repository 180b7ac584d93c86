"""Connections: what must hold before there is a request that a route could see.

A head that comes drop by drop costs its sender as much as us, and then it is cut
(attack 50). What does not parse is answered with a problem document and nothing else.
"""

import asyncio
import ssl
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler

from seefen.server.web import problems
from seefen.server.web.limits import HEADERS

HEAD_SECONDS: Final = 10.0  # for the whole head of a request, and for the TLS handshake
SETTINGS: Final[dict[str, Any]] = {
    "auto_decompress": False,
    "keepalive_timeout": 75,
    "lingering_time": 2,
    "max_line_size": 8192,
    "max_field_size": 8192,
    "max_headers": 64,
    "access_log": None,
}


class Connection(web.RequestHandler):
    """A connection that must say what it wants within ten seconds."""

    __slots__ = ("_head_timer", "_in_request")

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        """Make what aiohttp makes."""
        super().__init__(*arguments, **settings)
        self._head_timer: asyncio.TimerHandle | None = None
        self._in_request = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the head of the first request."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Wait for nothing any more."""
        self._head_arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Begin to wait for the rest, if these are the first bytes of a next head."""
        if not self._in_request and self._head_timer is None:
            self._await_head()
        super().data_received(data)

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
        return await handler(request)
    finally:
        connection.request_ends()


async def listen(
    server: web.Server, host: str, port: int, context: ssl.SSLContext
) -> asyncio.Server:
    """Return the listening socket that hands connections to ``server``."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(
        lambda: Connection(server, loop=loop, **SETTINGS),
        host,
        port,
        ssl=context,
        ssl_handshake_timeout=HEAD_SECONDS,
        backlog=512,
        reuse_address=True,
    )
