"""The tables of witnesses: heads they were shown, and what they signed."""

from collections.abc import Iterable
from typing import Final

from seefen.server.rows import CosignatureRow, RoundRow
from seefen.server.store.outage import translated
from seefen.server.store.reads import Pool

_ROUNDS: Final = "SELECT log, size, at, note FROM witness_round WHERE log = $1 ORDER BY size DESC"
# What stands there first counts: processes begin rounds at the same moment.
_BEGIN: Final = """
    INSERT INTO witness_round (log, size, at, note) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""
_ADD: Final = """
    INSERT INTO cosignature AS before (log, size, witness, at, lines) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (log, size, witness) DO UPDATE SET at = excluded.at, lines = excluded.lines
     WHERE before.at < excluded.at
"""
_FIND: Final = "SELECT witness, at, lines FROM cosignature WHERE log = $1 AND size = $2"
_FORGET: Final = """
    WITH rounds AS (DELETE FROM witness_round WHERE log = $1 AND size = ANY($2::bigint[]))
    DELETE FROM cosignature WHERE log = $1 AND size = ANY($2::bigint[])
"""


class CosignatureRows:
    """Keeps what witnesses sign."""

    def __init__(self, pool: Pool) -> None:
        """Work on ``pool``."""
        self._pool = pool

    @translated
    async def rounds(self, log: str) -> list[RoundRow]:
        """Return the heads that are kept, the longest first."""
        return [RoundRow(*row) for row in await self._pool.fetch(_ROUNDS, log)]

    @translated
    async def begin(self, row: RoundRow) -> None:
        """Store a head to be shown, unless there is one of its size."""
        await self._pool.execute(_BEGIN, row.log, row.size, row.at, row.note)

    @translated
    async def add(self, log: str, size: int, row: CosignatureRow) -> None:
        """Store what a witness signed, unless it stands there from a later time."""
        await self._pool.execute(_ADD, log, size, row.witness, row.at, row.lines)

    @translated
    async def found(self, log: str, size: int) -> list[CosignatureRow]:
        """Return what witnesses signed of a head."""
        return [CosignatureRow(*row) for row in await self._pool.fetch(_FIND, log, size)]

    @translated
    async def forget(self, log: str, sizes: Iterable[int]) -> None:
        """Forget heads, and what was signed of them."""
        await self._pool.execute(_FORGET, log, list(sizes))
