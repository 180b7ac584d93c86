"""What is asked of the ledger to fill pages for nodes and auditors."""

from collections.abc import Iterable
from typing import Final

from seefen.server.rows import AccessRow, AuthorityRow, LeafRow
from seefen.server.store.outage import translated
from seefen.server.store.reads import ABOUT, DEVICES, LedgerReads

# What the broker writes carries no number and misses nowhere: only auditors ask for it.
_FEED: Final = """
    SELECT leaf.* FROM activity_leaf AS leaf
      JOIN case_member AS member ON member.case_id = leaf.case_id AND member.node = $1
     WHERE leaf.idx >= $2 AND leaf.idx < $3 AND leaf.idx >= member.joined
       AND leaf.kind NOT IN ('release', 'denied')
     ORDER BY leaf.idx LIMIT $4
"""
_JOINED: Final = """
    SELECT case_id, joined FROM case_member
     WHERE node = $1 AND joined >= $2 AND joined < $3 ORDER BY joined
"""
_CHAIN: Final = """
    SELECT * FROM activity_leaf
     WHERE case_id = $1 AND kind IN ('case', 'casekey') AND idx >= $2 AND idx < $3
     ORDER BY idx LIMIT $4
"""
# To a node that comes later nothing of before goes but the chain, and of each device the last that
# it wrote, without its bytes: there may be a million others. The numbers of a device grow with the
# log, so the last one before an entry is found by halving, in the index of its numbers.
_REACHED: Final = f"""
    WITH RECURSIVE {DEVICES}, span (id, low, high) AS (
        SELECT id, 0::bigint,
               (SELECT max(case_n) FROM activity_leaf WHERE case_id = $1 AND device_id = id)
          FROM device WHERE id IS NOT NULL
         UNION ALL
        SELECT id, CASE WHEN probe.idx < $2 THEN probe.case_n ELSE low END,
               CASE WHEN probe.idx < $2 THEN high ELSE middle - 1 END
          FROM (SELECT *, (low + high + 1) / 2 AS middle FROM span WHERE low < high) AS half
          LEFT JOIN LATERAL (
              SELECT leaf.idx, leaf.case_n FROM activity_leaf AS leaf
               WHERE leaf.case_id = $1 AND leaf.device_id = half.id
                 AND leaf.case_n BETWEEN middle AND high ORDER BY leaf.case_n LIMIT 1
          ) AS probe ON true
    )
    SELECT idx, ''::bytea, ''::bytea, ''::bytea, NULL, kind, case_id, node, device_id, device_n,
           case_n, object_id, ''::bytea, ''::bytea
      FROM span JOIN activity_leaf ON case_id = $1 AND device_id = id AND case_n = low
     WHERE low = high AND kind NOT IN ('case', 'casekey') ORDER BY idx
"""  # noqa: S608
_OBJECTS_BEFORE: Final = """
    SELECT n FROM object WHERE case_id = $1 AND idx < $2 ORDER BY idx DESC LIMIT 1
"""
# The actor's own node, the node that received a release, the owner of the case, whom a manifest is
# about, and whose cores were looked at; those of all, every node. A search has no case: it is for
# the actor's own node alone. What this selects anybody can work out from the cores
# (protocol/manifest.py): they are compared in a test.
_ENTITLED: Final = f"""
    SELECT leaf.* FROM activity_leaf AS leaf
      LEFT JOIN case_number AS owned ON owned.case_id = leaf.case_id
     WHERE leaf.idx >= $2 AND leaf.idx < $3
       AND (leaf.node = $1 OR owned.owner = $1 OR leaf.kind = 'erased'
            OR (leaf.kind = 'manifest' AND {ABOUT} = $1)
            OR (leaf.kind = 'viewed' AND coalesce({ABOUT}, $1) = $1))
     ORDER BY leaf.idx LIMIT $4
"""  # noqa: S608
_READINGS: Final = """
    SELECT * FROM activity_leaf
     WHERE case_id = $1 AND idx >= $2 AND idx < $3 AND kind IN ('access', 'release', 'denied')
     ORDER BY idx LIMIT $4
"""
_PLACED_AUTHORITY: Final = """
    SELECT idx, kind, hash, envelope FROM authority_leaf
     WHERE hash = ANY($1::bytea[]) ORDER BY idx
"""
_PLACED: Final = """
    SELECT * FROM activity_leaf WHERE hash = ANY($1::bytea[]) ORDER BY idx
"""
_SAME: Final = """
    SELECT content_key = $3 AND body IS NOT DISTINCT FROM $2 FROM object WHERE object_id = $1
"""
# What was lost with the database comes back when its author sends the same bundle again.
_HEAL: Final = """
    UPDATE object SET content_key = $3, body = $2
     WHERE object_id = $1 AND content_key IS NULL
       AND (body = ''::bytea OR body IS NOT DISTINCT FROM $2)
"""
_WRAPS: Final = "SELECT hash, data FROM wrap WHERE hash = ANY($1::bytea[])"
_BODIES: Final = """
    SELECT object_id, body FROM object WHERE object_id = ANY($1::bytea[]) AND body IS NOT NULL
"""
_ACCESSES: Final = """
    SELECT idx, device_id, case_id, scope, starts, until FROM access
     WHERE until > $1 ORDER BY idx
"""


class FeedReads(LedgerReads):
    """Questions whose answers go to devices."""

    @translated
    async def feed(self, node: str, cursor: int, stop: int, limit: int) -> list[LeafRow]:
        """Return entries ``cursor <= idx < stop`` of cases the node has joined by then."""
        rows = await self._database.fetch(_FEED, node, cursor, stop, limit)
        return [LeafRow(*row) for row in rows]

    @translated
    async def joined(self, node: str, start: int, stop: int) -> list[tuple[bytes, int]]:
        """Return the cases that a node joined at ``start <= idx < stop``, in order."""
        rows = await self._database.fetch(_JOINED, node, start, stop)
        return [(row["case_id"], row["joined"]) for row in rows]

    @translated
    async def chain(self, case: bytes, start: int, stop: int, limit: int) -> list[LeafRow]:
        """Return versions and keys of a case at ``start <= idx < stop``, ``limit`` at most."""
        rows = await self._database.fetch(_CHAIN, case, start, stop, limit)
        return [LeafRow(*row) for row in rows]

    @translated
    async def reached(self, case: bytes, stop: int) -> tuple[list[LeafRow], int]:
        """Return how far each device was before ``stop``, bare, and how many objects stand there.

        Whose last one is a version or a key is left out: the chain says it.
        """
        rows = await self._database.fetch(_REACHED, case, stop)
        objects = await self._database.fetchval(_OBJECTS_BEFORE, case, stop)
        return [LeafRow(*row) for row in rows], objects or 0

    @translated
    async def entitled(self, node: str, start: int, stop: int, limit: int) -> list[LeafRow]:
        """Return the entries that the auditors of a node may open."""
        rows = await self._database.fetch(_ENTITLED, node, start, stop, limit)
        return [LeafRow(*row) for row in rows]

    @translated
    async def readings(self, case: bytes, start: int, stop: int, limit: int) -> list[LeafRow]:
        """Return who read what of a case, was handed it, or was refused."""
        rows = await self._database.fetch(_READINGS, case, start, stop, limit)
        return [LeafRow(*row) for row in rows]

    @translated
    async def placed(self, hashes: Iterable[bytes]) -> tuple[list[AuthorityRow], list[LeafRow]]:
        """Return the leaves of both logs that hold these envelopes."""
        wanted = list(hashes)
        authority = await self._database.fetch(_PLACED_AUTHORITY, wanted)
        activity = await self._database.fetch(_PLACED, wanted)
        return [AuthorityRow(*row) for row in authority], [LeafRow(*row) for row in activity]

    @translated
    async def same_contents(self, object_: bytes, body: bytes | None, content_key: bytes) -> bool:
        """Tell whether an object was stored with exactly these bytes."""
        await self._database.execute(_HEAL, object_, body, content_key)
        return bool(await self._database.fetchval(_SAME, object_, body, content_key))

    @translated
    async def wraps(self, hashes: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return those wraps that are there, by hash."""
        rows = await self._database.fetch(_WRAPS, list(hashes))
        return {row["hash"]: row["data"] for row in rows}

    @translated
    async def bodies(self, objects: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return the sealed bodies of those objects that are messages."""
        rows = await self._database.fetch(_BODIES, list(objects))
        return {row["object_id"]: row["body"] for row in rows}

    @translated
    async def open_accesses(self, at: int) -> list[AccessRow]:
        """Return the accesses to whole cases that last beyond ``at``."""
        return [AccessRow(*row) for row in await self._database.fetch(_ACCESSES, at)]
