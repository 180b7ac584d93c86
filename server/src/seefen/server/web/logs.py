"""The logs, for those who may not open a socket yet and for tools that mirror them."""

from typing import Final

import msgspec

from seefen.protocol.errors import MalformedError
from seefen.protocol.frames import AuthorityPage, LogFrom
from seefen.server.web.services import Call

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
    """Answer with the newest signed head of a log."""
    return await call.services.broker.checkpoint(call.request.match_info["log"])


def _number(call: Call, name: str, default: str) -> int:
    text = call.request.query.get(name, default)
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise MalformedError(f"{name} is a whole number", rule="number")
    return int(text)
