"""Erasing the text of readings, and what is on hold."""

from typing import Final

from seefen.server.store.outage import translated
from seefen.server.store.reads import Pool

_OVER: Final = """
    idx >= $1 AND idx < $2 AND kind IN ('access', 'search', 'release', 'denied') AND core <> ''
       AND NOT EXISTS (SELECT FROM legal_hold
                        WHERE subject IN (encode(case_id, 'hex'), activity_leaf.node))
"""
_ERASABLE: Final = f"SELECT count(*) FROM activity_leaf WHERE {_OVER}"  # noqa: S608
# The case, its number there and the device of an access stay: members count them. All that says
# what, when, why and who goes. The hash is over random bytes that go, too: it says nothing.
_ERASE: Final = f"""
    UPDATE activity_leaf
       SET core = '', salt = decode(repeat('00', 32), 'hex'), detail_salt = NULL, envelope = '',
           object_id = NULL, device_n = NULL,
           device_id = CASE WHEN kind = 'access' THEN device_id END
     WHERE {_OVER}
"""  # noqa: S608
_ACCESSES: Final = "DELETE FROM access WHERE idx >= $1 AND idx < $2"
_HOLD: Final = """
    INSERT INTO legal_hold VALUES ($1, $2, $3) ON CONFLICT (subject) DO UPDATE SET why = $3
"""


class ErasureRows:
    """What is erased, and what must not be."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @translated
    async def done(self) -> int:
        """Return up to where the readings are erased that the log says are."""
        return int(await self._pool.fetchval("SELECT done FROM erasure"))

    @translated
    async def set_done(self, upto: int) -> None:
        """Store how far it is."""
        await self._pool.execute("UPDATE erasure SET done = $1", upto)

    @translated
    async def erasable(self, start: int, stop: int) -> int:
        """Return how many readings in a piece of the log have a text, and are not on hold."""
        return int(await self._pool.fetchval(_ERASABLE, start, stop))

    @translated
    async def erase(self, start: int, stop: int) -> int:
        """Erase them; return how many there were."""
        async with self._pool.acquire() as connection, connection.transaction():
            status = await connection.execute(_ERASE, start, stop)
            await connection.execute(_ACCESSES, start, stop)
        return int(status.split()[-1])

    @translated
    async def hold(self, subject: str, at: int, why: str) -> None:
        """Put a case or a node on hold."""
        await self._pool.execute(_HOLD, subject, at, why)

    @translated
    async def lift(self, subject: str) -> bool:
        """End a hold; what was kept for it is looked at again. Tell whether there was one."""
        async with self._pool.acquire() as connection, connection.transaction():
            done = await connection.execute("DELETE FROM legal_hold WHERE subject = $1", subject)
            await connection.execute("UPDATE erasure SET done = 0")
        return done != "DELETE 0"

    @translated
    async def holds(self) -> list[tuple[str, int, str]]:
        """Return what is on hold, since when and why."""
        rows = await self._pool.fetch("SELECT subject, since, why FROM legal_hold ORDER BY 1")
        return [(row["subject"], row["since"], row["why"]) for row in rows]
