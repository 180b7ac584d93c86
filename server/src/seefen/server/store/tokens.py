"""The table of tokens: hashes, never a token."""

from typing import Final

from seefen.server.store.outage import translated
from seefen.server.store.reads import Pool
from seefen.server.tokens import TokenRow

_ADD: Final = """
    WITH ended AS (DELETE FROM token WHERE expires < $5)
    INSERT INTO token (hash, device, jkt, expires) VALUES ($1, $2, $3, $4)
"""
_FIND: Final = "SELECT device, jkt, expires FROM token WHERE hash = $1"


class TokenRows:
    """Keeps the hashes of tokens."""

    def __init__(self, pool: Pool) -> None:
        """Work on ``pool``."""
        self._pool = pool

    @translated
    async def add(self, token_hash: bytes, row: TokenRow, *, now: int) -> None:
        """Store a token, and forget those that ended before ``now``."""
        await self._pool.execute(_ADD, token_hash, row.device, row.jkt, row.expires, now)

    @translated
    async def find(self, token_hash: bytes) -> TokenRow | None:
        """Return a token by its hash."""
        found = await self._pool.fetchrow(_FIND, token_hash)
        return None if found is None else TokenRow(found["device"], found["jkt"], found["expires"])
