"""The words that were sealed, looked for wherever a broker or a dead process left bytes (I5)."""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg

from demo.wiretap import search


async def look_for(words: Sequence[str], known: str, dsn: str, *places: Path) -> None:
    """Check that no word stands in the database or in files, and that what is open does.

    Args:
        words: What was sealed.
        known: What the broker must know, so that a search that finds nothing is no surprise.
        dsn: The database, searched as a dump of all its tables.
        places: Files, and folders with all that is in them.
    """
    with tempfile.TemporaryDirectory() as folder:
        dump = Path(folder) / "dump"
        connection: Any = await asyncpg.connect(dsn)
        try:
            sql = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            with dump.open("wb") as out:
                for row in await connection.fetch(sql):
                    await connection.copy_from_table(row["tablename"], output=out, format="binary")
        finally:
            await connection.close()
        found = await asyncio.to_thread(search, "all", (dump, *places), (*words, known))
    assert found.found == (known,), "I5"
