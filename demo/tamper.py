"""Somebody with full rights on the database: alters an entry, removes one, rewinds the log.

He has PostgreSQL's own tools, reads our specification, and has no key of anybody. Each act
is taken back by him, so that the next one is seen alone.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from seefen.protocol.ledger.record import Record
from seefen.protocol.ledger.tree import CompactRange, leaf_hash
from seefen.protocol.suite import PlainKey, commit
from seefen.server.high_water import HighWater
from seefen.server.rows import Heads, LogHead


@asynccontextmanager
async def intruder(dsn: str) -> AsyncGenerator["Intruder"]:
    """Open a connection with full rights."""
    connection: Any = await asyncpg.connect(dsn)
    try:
        yield Intruder(connection)
    finally:
        await connection.close()


class Intruder:
    """Changes rows of the activity log behind the broker's back."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def alter(self, index: int, old: bytes, new: bytes) -> Any:
        """Change the text of an entry and its record with it; return the row as it was.

        He knows the salt, so the new text fits the new record: only the tree is against him.
        """
        row = await self._connection.fetchrow("SELECT * FROM activity_leaf WHERE idx = $1", index)
        core = row["core"].replace(old, new)
        before = Record.decode(row["record"])
        record = Record(
            before.authority_size, before.tag, commit(row["salt"], core), before.detail_commitment
        )
        await self._connection.execute(
            "UPDATE activity_leaf SET core = $2, record = $3 WHERE idx = $1",
            index, core, record.encode(),
        )  # fmt: skip
        return row

    async def restore(self, index: int, row: Any) -> None:
        """Put an entry back as it was."""
        await self._connection.execute("DELETE FROM activity_leaf WHERE idx = $1", index)
        await self.put_back("activity_leaf", [row])

    async def remove(self, index: int) -> Any:
        """Delete an entry; return the row."""
        return await self._connection.fetchrow(
            "DELETE FROM activity_leaf WHERE idx = $1 RETURNING *", index
        )

    async def rewind(self, count: int, data: Path) -> tuple[Any, Sequence[Any]]:
        """Cut the newest entries off and write a head that fits; return head and rows.

        Args:
            count: How many.
            data: The broker's folder. Its high-water mark would hold the broker back, so it
                is turned back too: whoever owns the machine can do that.
        """
        head = await self._connection.fetchrow("SELECT * FROM ledger_head")
        size = head["activity_size"] - count
        rows = await self._connection.fetch(
            "DELETE FROM activity_leaf WHERE idx >= $1 RETURNING *", size
        )
        tree = CompactRange()
        for row in await self._connection.fetch("SELECT record FROM activity_leaf ORDER BY idx"):
            tree.append(leaf_hash(row["record"]))
        await self._connection.execute(
            "UPDATE ledger_head SET activity_size = $1, activity_root = $2, activity_range = $3",
            size, tree.root(), tree.encode(),
        )  # fmt: skip
        authority = LogHead(head["authority_size"], head["authority_root"], b"")
        activity = LogHead(size, tree.root(), b"")
        key = PlainKey.from_secret(bytes.fromhex((data / "log.key").read_text().strip())).public
        HighWater(data / "high-water", key).begin(Heads(authority, activity, 0))
        return head, rows

    async def set_head(self, head: Any) -> None:
        """Make the logs as long as they were."""
        await self._connection.execute("DELETE FROM ledger_head")
        await self.put_back("ledger_head", [head])

    async def put_back(self, table: str, rows: Sequence[Any]) -> None:
        """Insert rows again, unchanged."""
        for row in rows:
            columns = ", ".join(row.keys())
            places = ", ".join(f"${n}" for n in range(1, len(row) + 1))
            await self._connection.execute(
                f"INSERT INTO {table} ({columns}) VALUES ({places})",  # noqa: S608 - our own names
                *row.values(),
            )
