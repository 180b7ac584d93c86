"""The tables of tokens, invites and file bodies, in a database of their own."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from tests.support.database import empty_database

SCHEMA = Path(__file__).resolve().parents[2] / "server/src/seefen/server/store/schema"


@asynccontextmanager
async def access_tables() -> AsyncGenerator["asyncpg.Pool[asyncpg.Record]", None]:
    """Give a pool on a database that has these tables and no others."""
    async with empty_database() as dsn, asyncpg.create_pool(dsn, min_size=1, max_size=4) as pool:
        await pool.execute((SCHEMA / "0002-access.sql").read_text())
        yield pool


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now
