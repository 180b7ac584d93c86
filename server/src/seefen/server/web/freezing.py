"""What a frozen broker answers: what is public of the logs, and 503 to all else."""

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from seefen.server.errors import FrozenError
from seefen.server.web.services import SERVICES

# Tiles and entries are what they are, and the mirrors may want to compare them. A checkpoint
# would have to be signed: the broker refuses that by itself.
OPEN: Final = ("/healthz", "/v1/openapi.json", "/v1/log/")


@web.middleware
async def frozen(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse whatever could depend on entries that are missing.

    Raises:
        FrozenError: The broker is frozen.
    """
    why = request.app[SERVICES].broker.frozen
    if why and not request.path.startswith(OPEN):
        raise FrozenError(why)
    return await handler(request)
