"""File bodies: sealed parts, up and down, in any order."""

import asyncio
from contextlib import aclosing
from typing import Any

from aiohttp import web

from seefen.protocol.errors import MalformedError, SeefenError
from seefen.protocol.objects import PART_SIZE, RUN
from seefen.server.web.limits import read_body, read_pieces
from seefen.server.web.services import Call
from seefen.server.web.table import OCTETS


async def put_blob(call: Call) -> dict[str, Any]:
    """Begin a body with the hashes of its parts, or learn which are missing."""
    size = _number(call.request.query.get("size", ""))
    leaves = await read_body(call.request)
    blob = await call.services.blobs.start(_root(call), size, leaves, node=call.node)
    return {"parts": blob.parts, "missing": blob.missing}


async def get_blob(call: Call) -> dict[str, Any]:
    """Answer how much of a body is there."""
    blob = await call.services.blobs.find(_root(call))
    return {"size": blob.size, "missing": blob.missing, "complete": blob.complete}


async def get_leaves(call: Call) -> bytes:
    """Answer with the hashes of all parts of a body."""
    return (await call.services.blobs.find(_root(call))).leaves


async def put_part(call: Call) -> None:
    """Keep a part, and those that follow it in the same body."""
    pieces = read_pieces(call.request, length=PART_SIZE, limit=RUN * PART_SIZE)
    async with aclosing(pieces):
        await call.services.blobs.put(_root(call), _part(call), pieces)


async def get_part(call: Call) -> web.StreamResponse:
    """Answer with a part, and as many that follow it as were asked for."""
    count = _number(call.request.query.get("count", "1"))
    if not 1 <= count <= RUN:
        raise MalformedError(f"1 to {RUN} parts at a time", rule="number")
    first, blobs = _part(call), call.services.blobs
    blob = await blobs.find(_root(call))
    length = blob.length(first, count)
    data = await blobs.get(blob, first)
    answer = web.StreamResponse()
    answer.content_type = OCTETS
    answer.content_length = length
    try:
        await answer.prepare(call.request)
        for number in range(first + 1, first + count):
            # The next one is read from the disk while this one is on its way.
            following = asyncio.create_task(blobs.get(blob, number))
            try:
                await answer.write(data)
            finally:
                await asyncio.wait([following])
            data = following.result()
        await answer.write(data)
        await answer.write_eof()
    except Exception as err:
        # The head has said that it comes: only a line that is cut can say that it does not.
        if call.request.transport is not None:
            call.request.transport.abort()
        # Who goes away is nothing to log.
        if not isinstance(err, (SeefenError, ConnectionError)):
            raise
    return answer


def _root(call: Call) -> bytes:
    return bytes.fromhex(call.request.match_info["root"])


def _part(call: Call) -> int:
    return _number(call.request.match_info["part"])


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise MalformedError("a whole number is missing", rule="number")
    return int(text)
