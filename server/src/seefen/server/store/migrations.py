"""Bringing the tables up to date: numbered files, each applied once, all or nothing."""

from importlib.resources import files
from typing import Final

import asyncpg
from asyncpg.pool import PoolConnectionProxy

_LOCK: Final = 0x5EEFE4  # the same number in every process: one of them migrates
# Seconds: an index of a log of many millions takes minutes, and the pool gives up after ten
# seconds. A broker that gave up would begin anew at each start, and never be there again.
_PATIENCE: Final = 86_400
_TABLE: Final = """
    CREATE TABLE IF NOT EXISTS schema_migration (
        name   text PRIMARY KEY,
        sha256 bytea NOT NULL
    )
"""


class SchemaError(Exception):
    """The tables were made by another version of the broker."""


async def migrate(connection: "PoolConnectionProxy[asyncpg.Record]") -> None:
    """Apply what is missing.

    Raises:
        SchemaError: A file differs from what was applied under its name, or the database
            has one that this broker does not know.
    """
    async with connection.transaction():
        await connection.execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK, timeout=_PATIENCE)
        await connection.execute(_TABLE)
        rows = await connection.fetch("SELECT name, sha256 FROM schema_migration")
        applied: dict[str, bytes] = {row["name"]: row["sha256"] for row in rows}
        known = schema_files()
        if unknown := applied.keys() - known.keys():
            raise SchemaError(f"the database is newer than this broker: {', '.join(unknown)}")
        for name, text in known.items():
            digest = await connection.fetchval("SELECT sha256($1)", text.encode())
            if name not in applied:
                await connection.execute(text, timeout=_PATIENCE)
                await connection.execute(
                    "INSERT INTO schema_migration VALUES ($1, $2)", name, digest
                )
            elif applied[name] != digest:
                raise SchemaError(f"{name} is not the file that was applied")


def schema_files() -> dict[str, str]:
    """Return the text of each file in the order in which they are applied."""
    folder = files("seefen.server.store") / "schema"
    found = {entry.name: entry.read_text() for entry in folder.iterdir()}
    return {name: found[name] for name in sorted(found) if name.endswith(".sql")}
