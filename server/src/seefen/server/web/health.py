"""For whoever watches the process: is it alive, can it work."""

from typing import Any

from seefen.server.errors import UnreachableError
from seefen.server.web.services import Call


async def get_health(_: Call) -> dict[str, Any]:
    """Answer that the process is alive."""
    return {"status": "ok"}


async def get_readiness(call: Call) -> dict[str, Any]:
    """Answer that the database is there too.

    Raises:
        UnreachableError: It is not.
    """
    if not await call.services.is_ready():
        raise UnreachableError("the database does not answer", rule="database")
    return {"status": "ok"}
