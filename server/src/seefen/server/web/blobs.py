"""File bodies: sealed parts, up and down, in any order."""

from typing import Any

from seefen.protocol.errors import MalformedError
from seefen.protocol.objects import PART_SIZE
from seefen.server.web.limits import read_body, read_buffer
from seefen.server.web.services import Call


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
    """Keep a part."""
    data = await read_buffer(call.request, limit=PART_SIZE)
    await call.services.blobs.put(_root(call), _part(call), data)


async def get_part(call: Call) -> bytes:
    """Answer with a part."""
    return await call.services.blobs.get(_root(call), _part(call))


def _root(call: Call) -> bytes:
    return bytes.fromhex(call.request.match_info["root"])


def _part(call: Call) -> int:
    return _number(call.request.match_info["part"])


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise MalformedError("a whole number is missing", rule="number")
    return int(text)
