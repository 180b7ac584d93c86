"""What every request must keep to, and what every answer carries."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final, TypeAlias, TypeVar

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.typedefs import Handler
from msgspec import json

from seefen.protocol.errors import MalformedError
from seefen.server.web.problems import ProblemError, response
from seefen.server.web.services import SERVICES

STATEMENTS: Final = 256 * 1024  # bytes of a body, where nothing else is said
SLOWEST: Final = 1024  # bytes a second that a body must come with
PATIENCE: Final = 10.0  # seconds before that counts
LITTLE: Final = 16 * 1024  # bytes below which those that follow each other are put together
_CLOSE: Final = {"Connection": "close"}

T = TypeVar("T")
Buffer: TypeAlias = bytearray | memoryview

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
}


async def add_headers(request: web.Request, answer: web.StreamResponse) -> None:
    """Put the headers of every answer on it, and take away what names the software."""
    # Of these a handler may set one itself: how long its answer is kept.
    kept = answer.headers.get(hdrs.CACHE_CONTROL, HEADERS["Cache-Control"])
    answer.headers.update({**HEADERS, "Cache-Control": kept})
    answer.headers["DPoP-Nonce"] = request.app[SERVICES].tokens.nonce()
    answer.headers.popall(hdrs.SERVER, None)


@web.middleware
async def limits(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what no client of ours sends, before anything reads it."""
    _require_one_reading(request)
    if hdrs.ORIGIN in request.headers:
        # Only web pages send it, and no page has business here (attack 43).
        raise ProblemError(403, "origin", "web pages may not talk to the broker")
    if hdrs.CONTENT_ENCODING in request.headers:
        # A few compressed kilobytes can unpack to gigabytes (attack 50).
        raise ProblemError(415, "content-encoding", "bodies are not compressed here")
    if hdrs.UPGRADE in request.headers and _has_body(request):
        # A body before an upgrade is read by proxies and servers in two ways (attack 50).
        raise ProblemError(400, "upgrade-body", "an upgrade has no body", headers=_CLOSE)
    return await handler(request)


def _require_one_reading(request: web.Request) -> None:
    # What a proxy before us may read in another way than we do is not read at all: a request
    # smuggled inside another one would come in the name of the next who uses the line (attack 50).
    if request.version != HttpVersion11:
        raise _no_request("the broker speaks HTTP/1.1 and nothing else")
    if request.method == hdrs.METH_CONNECT:
        raise _no_request("the broker is no way to anywhere else")
    if not request.raw_path.startswith("/") or "#" in request.raw_path:
        raise _no_request("a request names a path, and no host")
    if request.headers.get(hdrs.TRANSFER_ENCODING, "chunked").lower() != "chunked":
        raise _no_request("a body comes in chunks or with its length")


async def answer_expectation(request: web.Request) -> web.StreamResponse | None:
    """Answer ``Expect``: go on if that is what is waited for, a problem document otherwise."""
    if request.headers.get(hdrs.EXPECT, "").lower() != "100-continue":
        return unmet_expectation()
    if request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return None


def unmet_expectation() -> web.Response:
    """Return the answer to an expectation that is not ``100-continue``."""
    return response(417, "expect", "this expectation cannot be met", _CLOSE)


async def read_body(
    request: web.Request, *, limit: int = STATEMENTS, content_type: str | None = None
) -> bytes:
    """Return the body of a request, which must not be long, slow or of another type.

    Raises:
        ProblemError: 413, 408 or 415.
    """
    return bytes(await read_buffer(request, limit=limit, content_type=content_type))


async def read_buffer(
    request: web.Request, *, limit: int, content_type: str | None = None
) -> bytearray:
    """Return the body of a request as :func:`read_body` does, and without a copy of it."""
    _require_head(request, limit, content_type)
    body = bytearray()
    chunks = _Body(request, limit)
    while chunk := await chunks.next():
        body += chunk
    return body


def read_pieces(
    request: web.Request, *, length: int, limit: int
) -> AsyncGenerator[list[Buffer], None]:
    """Yield the body of a request in pieces of ``length`` bytes; the last may be shorter.

    A piece is the chunks that it came in, for a copy of it would cost as much as its hash.

    Raises:
        ProblemError: See :func:`read_body`; what the head tells, before anything is asked for.
    """
    _require_head(request, limit, None)
    return _pieces(request, length, limit)


def _require_head(request: web.Request, limit: int, content_type: str | None) -> None:
    if content_type is not None and request.content_type != content_type:
        raise ProblemError(415, "content-type", f"the body must be {content_type}")
    if (request.content_length or 0) > limit:
        raise _too_long(limit)


async def _pieces(
    request: web.Request, length: int, limit: int
) -> AsyncGenerator[list[Buffer], None]:
    piece: list[Buffer] = []
    left = length
    chunks = _Body(request, limit)
    while chunk := await chunks.next():
        rest = memoryview(chunk)
        while rest:
            taken = rest[:left]
            _add(piece, taken)
            left -= len(taken)
            rest = rest[len(taken) :]
            if left == 0:
                yield piece
                piece, left = [], length
    if piece:
        yield piece


def _add(piece: list[Buffer], data: memoryview) -> None:
    # A body that comes byte by byte would take a hundred times its length, each in an object.
    if len(data) >= LITTLE:
        piece.append(data)
    elif piece and isinstance(piece[-1], bytearray):
        piece[-1] += data
    else:
        piece.append(bytearray(data))


class _Body:
    """The chunks of a body, which must not be too long and not come too slowly."""

    def __init__(self, request: web.Request, limit: int) -> None:
        self._request = request
        self._limit = limit
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()
        self._read = 0

    async def next(self) -> bytes:
        """Return what came next, and nothing at the end."""
        chunk = await _next_chunk(self._request)
        self._read += len(chunk)
        if self._read > self._limit:
            raise _too_long(self._limit)
        if chunk and self._read < (self._clock() - self._began - PATIENCE) * SLOWEST:
            raise _too_slow()
        return chunk


async def read_json(request: web.Request, type_: type[T], *, limit: int, rule: str) -> T:
    """Return the JSON document in the body of a request.

    Raises:
        ProblemError: See :func:`read_body`.
        MalformedError: It is not a ``type_``; rule ``rule``.
    """
    data = await read_body(request, limit=limit, content_type="application/json")
    try:
        return json.decode(data, type=type_)
    except (
        ValueError,
        RecursionError,
    ):  # also bytes that are no text, which msgspec passes on as they are
        raise MalformedError("the body is not the JSON that is asked for", rule=rule) from None


async def _next_chunk(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(PATIENCE):
            return await request.content.readany()
    except TimeoutError:
        raise _too_slow() from None
    except (ConnectionError, web.RequestPayloadError):
        raise ProblemError(400, "body", "the body ended before its end", headers=_CLOSE) from None


def _has_body(request: web.Request) -> bool:
    length = request.headers.get(hdrs.CONTENT_LENGTH, "0")
    return hdrs.TRANSFER_ENCODING in request.headers or length != "0"


def _no_request(title: str) -> ProblemError:
    return ProblemError(400, "request", title, headers=_CLOSE)


def _too_long(limit: int) -> ProblemError:
    return ProblemError(413, "too-long", f"at most {limit} bytes", headers=_CLOSE)


def _too_slow() -> ProblemError:
    return ProblemError(408, "too-slow", "the body comes too slowly", headers=_CLOSE)
