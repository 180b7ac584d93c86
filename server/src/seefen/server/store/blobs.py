"""The table of file bodies: which parts are on the disk."""

import asyncio
from collections.abc import Sequence
from typing import Final
from weakref import WeakValueDictionary

from seefen.server.blobs import Blob
from seefen.server.store.outage import translated
from seefen.server.store.reads import Pool

# Until the transaction ends one body of a node is begun at a time, by any process: two that are
# counted at once do not see each other, and each would fit by itself.
_ALONE: Final = "SELECT pg_advisory_xact_lock(hashtext('blob'), hashtext($1))"
_START: Final = """
    INSERT INTO blob (root, size, parts, leaves, present, node)
    SELECT $1, $2::bigint, $3, $4, $5, $6
     WHERE $2 + (SELECT coalesce(sum(size), 0) FROM blob WHERE node = $6) <= $7
    ON CONFLICT (root) DO NOTHING
"""
_FIND: Final = "SELECT root, size, leaves, present, complete, node FROM blob WHERE root = $1"
# The row lock makes one group of parts wait for the other: no bit is lost and the last completes.
_PRESENT: Final = "SELECT present FROM blob WHERE root = $1 FOR UPDATE"
_MARK: Final = """
    UPDATE blob SET present = $2, complete = bit_count($2::bytea) = parts WHERE root = $1
"""


class BlobRows:
    """Keeps which parts of file bodies are there."""

    def __init__(self, pool: Pool) -> None:
        """Work on ``pool``."""
        self._pool = pool
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @translated
    async def start(self, blob: Blob, *, quota: int) -> Blob | None:
        """Store a body unless it is there; None if the node's bodies exceed ``quota``."""
        # They wait here and not in the database: a node with many devices would hold every
        # connection of this process with those that wait.
        turn = self._turns.setdefault(blob.node, asyncio.Lock())
        async with turn, self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_ALONE, blob.node)
            await connection.execute(
                _START,
                blob.root,
                blob.size,
                blob.parts,
                blob.leaves,
                blob.present,
                blob.node,
                quota,
            )
        return await self.find(blob.root)

    @translated
    async def find(self, root: bytes) -> Blob | None:
        """Return a body by its root."""
        row = await self._pool.fetchrow(_FIND, root)
        if row is None:
            return None
        return Blob(
            row["root"], row["size"], row["leaves"], row["present"], row["complete"], row["node"]
        )

    @translated
    async def mark(self, root: bytes, numbers: Sequence[int]) -> None:
        """Mark parts as present, and the body as complete with its last one."""
        async with self._pool.acquire() as connection, connection.transaction():
            present = bytearray(await connection.fetchval(_PRESENT, root))
            for number in numbers:
                present[number // 8] |= 1 << number % 8
            await connection.execute(_MARK, root, bytes(present))

    @translated
    async def forget(self, root: bytes) -> None:
        """Mark all parts of a body as missing."""
        async with self._pool.acquire() as connection, connection.transaction():
            present: bytes = await connection.fetchval(_PRESENT, root)
            await connection.execute(_MARK, root, bytes(len(present)))
