"""Questions about the database itself: may it lose what it has committed?"""

from dataclasses import dataclass
from typing import Final

import asyncpg

from seefen.server.store.outage import translated

CONNECT_SECONDS: Final = 10.0
# With any of these off, a power cut takes back what a receipt has promised.
SAFE: Final = {
    "fsync": ("on",),
    "full_page_writes": ("on",),
    "synchronous_commit": ("on", "remote_write", "remote_apply"),
    "data_checksums": ("on",),
}
_SETTINGS: Final = "SELECT name, setting FROM pg_settings WHERE name = ANY($1)"
_CLOCK: Final = "SELECT extract(epoch FROM clock_timestamp())::float8"
_COMPLETE: Final = "SELECT root, size FROM blob WHERE complete ORDER BY root"


@dataclass(frozen=True, slots=True)
class Soundness:
    """What the database says about itself."""

    unsafe: tuple[str, ...]
    clock: float
    bodies: tuple[tuple[bytes, int], ...]


@translated
async def ask_soundness(dsn: str) -> Soundness:
    """Return what a plain connection sees, so that our own settings hide nothing.

    Raises:
        UnreachableError: The database does not answer.
    """
    connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS)
    try:
        rows = await connection.fetch(_SETTINGS, list(SAFE))
        unsafe = tuple(
            f"{row['name']} is {row['setting']}"
            for row in rows
            if row["setting"] not in SAFE[row["name"]]
        )
        clock: float = await connection.fetchval(_CLOCK)
        bodies = tuple((row["root"], row["size"]) for row in await connection.fetch(_COMPLETE))
    finally:
        await connection.close()
    return Soundness(unsafe, clock, bodies)
