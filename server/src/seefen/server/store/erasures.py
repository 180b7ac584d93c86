"""Erasing the text of readings, and what is on hold."""

from typing import Final

from seefen.server.store.outage import translated
from seefen.server.store.reads import HOLDERS, Pool, Row

PATIENCE: Final = 600  # seconds

_OVER: Final = f"""
    idx >= $1 AND idx < $2 AND kind IN ('access', 'search', 'release', 'denied') AND core <> ''
       AND NOT EXISTS (SELECT FROM legal_hold WHERE subject IN ({HOLDERS}))
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
# Who erases, holds or lifts does it one after the other: neither a lift nor a hold is lost.
_LOCK: Final = "SELECT done FROM erasure FOR UPDATE"
_COVERED: Final = f"""
    SELECT count(*) FILTER (WHERE core <> '') AS kept, count(*) FILTER (WHERE core = '') AS gone
      FROM activity_leaf
     WHERE kind IN ('access', 'search', 'release', 'denied') AND $1 IN ({HOLDERS})
"""  # noqa: S608
_KNOWN: Final = """
    SELECT EXISTS (SELECT FROM case_number WHERE encode(case_id, 'hex') = $1 OR owner = $1)
        OR EXISTS (SELECT FROM case_member WHERE node = $1)
        OR EXISTS (SELECT FROM activity_leaf WHERE node = $1)
"""
_HOLD: Final = """
    INSERT INTO legal_hold VALUES ($1, $2, $3) ON CONFLICT (subject) DO UPDATE SET why = $3
"""


class ErasureRows:
    """What is erased, and what must not be."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @translated
    async def done(self) -> int:
        """Return up to where the readings are erased that the log says are; see Erasures."""
        return int(await self._pool.fetchval("SELECT done FROM erasure"))

    @translated
    async def begin_again(self, lifted: int) -> None:
        """Begin at the first entry, unless one more hold was lifted."""
        await self._pool.execute("UPDATE erasure SET done = 0 WHERE done = $1", lifted)

    @translated
    async def erasable(self, start: int, stop: int) -> int:
        """Return how many readings in a piece of the log have a text, and are not on hold."""
        return int(await self._pool.fetchval(_ERASABLE, start, stop))

    @translated
    async def erase(self, start: int, stop: int) -> int | None:
        """Erase them and store that it is done up to ``stop``; return how many there were.

        None: it is not done up to ``start`` any more, since a hold was lifted meanwhile.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            if await connection.fetchval(_LOCK) != start:
                return None
            await connection.execute("UPDATE erasure SET done = $1", stop)
            status = await connection.execute(_ERASE, start, stop)
            await connection.execute(_ACCESSES, start, stop)
        return int(status.split()[-1])

    @translated
    async def hold(self, subject: str, at: int, why: str) -> None:
        """Put a case or a node on hold."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_LOCK)
            await connection.execute(_HOLD, subject, at, why)

    @translated
    async def lift(self, subject: str) -> bool:
        """End a hold; what was kept for it is looked at again. Tell whether there was one."""
        async with self._pool.acquire() as connection, connection.transaction():
            done = await connection.execute("DELETE FROM legal_hold WHERE subject = $1", subject)
            # One lower each time: whoever enters those before does not take it for one of them.
            await connection.execute("UPDATE erasure SET done = least(done, 0) - 1")
        return done != "DELETE 0"

    @translated
    async def known(self, subject: str) -> bool:
        """Tell whether the ledger has such a case, or a node that takes part in any."""
        row = await self._patiently(_KNOWN, subject)
        return row is not None and bool(row[0])

    @translated
    async def covered(self, subject: str) -> tuple[int, int]:
        """Return how many readings of a case or a node have their text, and how many have none."""
        row = await self._patiently(_COVERED, subject)
        return (0, 0) if row is None else (row["kept"], row["gone"])

    async def _patiently(self, query: str, subject: str) -> "Row | None":
        """Ask what reads all of the log: an operator waits for it, and nobody else."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(f"SET LOCAL statement_timeout = '{PATIENCE}s'")
            return await connection.fetchrow(query, subject, timeout=PATIENCE)

    @translated
    async def holds(self) -> list[tuple[str, int, str]]:
        """Return what is on hold, since when and why."""
        rows = await self._pool.fetch("SELECT subject, since, why FROM legal_hold ORDER BY 1")
        return [(row["subject"], row["since"], row["why"]) for row in rows]
