"""The logs, for those who may not open a socket yet and for tools that mirror them."""

from typing import Final

import msgspec
from aiohttp import web

from seefen.protocol.errors import MalformedError
from seefen.protocol.frames import AuthorityPage, LogFrom
from seefen.server.web.services import Call
from seefen.server.web.table import OCTETS

# For ever, and in the reader's own cache alone: a shared one would ask nobody who he is.
_FOR_EVER: Final = {"Cache-Control": "private, max-age=31536000, immutable"}
_DEFAULTS: Final = {"start": "0", "limit": "256", "seen": "0"}


async def get_authority(call: Call) -> AuthorityPage:
    """Answer with leaves of the authority log: what every node may see."""
    wanted = [_number(call, name, default) for name, default in _DEFAULTS.items()]
    try:
        page = msgspec.convert(wanted, LogFrom)
    except msgspec.ValidationError:
        raise MalformedError("start, limit or seen is out of range", rule="number") from None
    # Nobody in particular asks, so no wrap of any device is in the page.
    return await call.services.broker.authority(None, page)


async def get_checkpoint(call: Call) -> str:
    """Answer with the newest signed head of a log, and what witnesses have signed of it."""
    log, broker = call.request.match_info["log"], call.services.broker
    note = await broker.checkpoint(log)
    return note + await broker.witnesses.lines(log, note)


async def get_tile(call: Call) -> web.StreamResponse:
    """Answer with a tile or a bundle of entries of a log (C2SP tlog-tiles)."""
    log, url = call.request.match_info["log"], call.request.rel_url
    # As it was sent: a path in another spelling is another file in somebody's cache.
    path = url.raw_path_qs.removeprefix(f"/v1/log/{log}/")
    piece = await call.services.broker.piece(log, path)
    headers = _FOR_EVER if piece.full else {}
    return web.Response(body=piece.data, content_type=OCTETS, headers=headers)


def _number(call: Call, name: str, default: str) -> int:
    text = call.request.query.get(name, default)
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise MalformedError(f"{name} is a whole number", rule="number")
    return int(text)
