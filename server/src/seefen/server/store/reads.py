"""What the ledger is asked for what judging and committing need."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from seefen.protocol.ledger.tiles import TileId
from seefen.server.recovery import LedgerChangedError
from seefen.server.rows import (
    AuthorityRow,
    CaseRows,
    ChainRow,
    DeviceRow,
    Heads,
    LeafRow,
    LogHead,
    ObjectFacts,
)
from seefen.server.store.outage import translated

Row: TypeAlias = asyncpg.Record
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Proxy: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"

_HEADS: Final = """
    SELECT authority_size, authority_root, authority_range,
           activity_size, activity_root, activity_range, at
      FROM ledger_head
"""
_AUTHORITY: Final = """
    SELECT idx, kind, hash, envelope FROM authority_leaf
     WHERE idx >= $1 AND idx < $2 ORDER BY idx LIMIT $3
"""
# The columns of activity_leaf are those of LeafRow, in the same order.
_ACTIVITY: Final = """
    SELECT * FROM activity_leaf WHERE idx >= $1 AND idx < $2 ORDER BY idx LIMIT $3
"""
_RECORDS: Final = """
    SELECT record FROM activity_leaf WHERE idx >= $1 AND idx < $2 ORDER BY idx
"""
_COUNT: Final = """
    SELECT (SELECT count(*) FROM authority_leaf), (SELECT count(*) FROM activity_leaf)
"""
_LOST: Final = (
    "SELECT idx, record FROM activity_leaf WHERE kind = 'lost' AND core = '' ORDER BY idx"
)
_BODILESS: Final = """
    SELECT idx, record FROM object JOIN activity_leaf USING (idx) WHERE body = ''::bytea
"""
_HANDING: Final = "SELECT * FROM activity_leaf WHERE kind IN ('casekey', 'assign') ORDER BY idx"
# What a hold may name: the case, the node that read, and the node whose case was read.
HOLDERS: Final = """encode(activity_leaf.case_id, 'hex'), activity_leaf.node,
    (SELECT owner FROM case_number WHERE case_number.case_id = activity_leaf.case_id)"""
_HELD_BLANK: Final = f"""
    SELECT idx, min(since) AS since FROM activity_leaf
      JOIN legal_hold ON subject IN ({HOLDERS})
     WHERE kind IN ('access', 'search', 'release', 'denied') AND core = '' GROUP BY idx
"""  # noqa: S608
_ERASED: Final = "SELECT * FROM activity_leaf WHERE kind = 'erased' ORDER BY idx"
_TILES: Final = """
    SELECT level, n, data FROM log_tile
     WHERE (level, n) IN (SELECT * FROM unnest($1::smallint[], $2::bigint[]))
"""
# Chain statements, and the newest statement of all; behind a key, and at the end, how many objects
# came before: the number of the last one. No part of it reads all of a case.
_CASE: Final = """
    WITH newest AS (
        SELECT * FROM activity_leaf
         WHERE case_id = $1 AND kind NOT IN ('release', 'denied') ORDER BY idx DESC LIMIT 1
    ), statement AS (
        SELECT * FROM activity_leaf WHERE case_id = $1 AND kind IN ('case', 'casekey', 'assign')
         UNION ALL
        SELECT * FROM newest WHERE kind NOT IN ('case', 'casekey', 'assign')
    )
    SELECT idx, kind, hash, envelope, record, core,
           CASE WHEN kind = 'casekey' OR idx = (SELECT idx FROM newest) THEN coalesce((
               SELECT n FROM object WHERE case_id = $1 AND object.idx <= statement.idx
                ORDER BY object.idx DESC LIMIT 1), 0) ELSE 0 END AS objects
      FROM statement ORDER BY idx
"""
# The devices of a case: from one to the next through the index of its numbers, and not through all
# entries. The last row is null.
DEVICES: Final = """device (id) AS (
        SELECT min(device_id) FROM activity_leaf WHERE case_id = $1 AND case_n IS NOT NULL
         UNION ALL
        SELECT (SELECT min(device_id) FROM activity_leaf
                 WHERE case_id = $1 AND device_id > device.id AND case_n IS NOT NULL)
          FROM device WHERE device.id IS NOT NULL
    )"""
# Where somebody wrote a second object of one number into the database, the device goes on from the
# first.
_CASE_DEVICES: Final = f"""
    WITH RECURSIVE {DEVICES}
    SELECT id,
           (SELECT max(case_n) FROM activity_leaf WHERE case_id = $1 AND device_id = id),
           (SELECT hash FROM activity_leaf
             WHERE case_id = $1 AND device_id = id AND kind = 'object'
             ORDER BY case_n DESC, idx LIMIT 1)
      FROM device WHERE id IS NOT NULL
"""  # noqa: S608
_DEVICE_NUMBERS: Final = """
    SELECT device.id, coalesce(
               (SELECT max(device_n) FROM activity_leaf WHERE device_id = device.id), 0) AS n
      FROM unnest($1::bytea[]) AS device (id)
"""
# Whom a manifest or a look is about stands in its core alone; so the index has it (schema 0006).
ABOUT: Final = """substring(encode(leaf.core, 'escape') from '"to":\\["([a-z0-9-]+)"\\]')"""
_LAST_MANIFEST: Final = f"""
    SELECT * FROM activity_leaf AS leaf
     WHERE kind = 'manifest' AND device_id = $1 AND {ABOUT} = $2 ORDER BY idx DESC LIMIT 1
"""  # noqa: S608
_TOLD: Final = """
    SELECT * FROM activity_leaf WHERE idx >= $1 AND idx < $2 AND core <> '' ORDER BY idx LIMIT 1
"""
_OBJECTS: Final = """
    SELECT object_id, idx, case_id, gen, n, node, expires
      FROM object WHERE object_id = ANY($1::bytea[])
"""
_ACKS: Final = "SELECT object_id, node, step FROM ack WHERE object_id = ANY($1::bytea[])"
_NUMBER: Final = "SELECT EXISTS (SELECT FROM case_number WHERE owner = $1 AND number = $2)"
_BLOBS: Final = "SELECT root FROM blob WHERE complete AND root = ANY($1::bytea[])"


class LedgerReads:
    """Questions to the ledger, on a pool or inside a transaction."""

    def __init__(self, database: "Pool | Proxy") -> None:
        """Ask ``database``."""
        self._database = database

    @translated
    async def heads(self) -> Heads:
        """Return the head row as it stands in the database now."""
        return heads_in(await self._database.fetchrow(_HEADS))

    @translated
    async def authority(
        self, start: int, stop: int, limit: int | None = None
    ) -> list[AuthorityRow]:
        """Return the leaves ``start <= idx < stop`` of the authority log, ``limit`` at most."""
        rows = await self._database.fetch(_AUTHORITY, start, stop, limit)
        return [AuthorityRow(*row) for row in rows]

    @translated
    async def activity(self, start: int, stop: int, limit: int | None = None) -> list[LeafRow]:
        """Return the leaves ``start <= idx < stop`` of the activity log, ``limit`` at most."""
        rows = await self._database.fetch(_ACTIVITY, start, stop, limit)
        return [LeafRow(*row) for row in rows]

    @translated
    async def records(self, start: int, stop: int) -> list[bytes]:
        """Return the records ``start <= idx < stop`` of the activity log."""
        return [row[0] for row in await self._database.fetch(_RECORDS, start, stop)]

    @translated
    async def leaf_count(self) -> tuple[int, int]:
        """Return how many leaves stand in the authority and in the activity log."""
        row = await self._database.fetchrow(_COUNT)
        return (0, 0) if row is None else (row[0], row[1])

    @translated
    async def lost(self) -> dict[int, bytes]:
        """Return the records whose openings were lost, by index."""
        return {row[0]: row[1] for row in await self._database.fetch(_LOST)}

    @translated
    async def bodiless(self) -> dict[int, bytes]:
        """Return the records of messages whose sealed bodies were lost, by index."""
        return {row[0]: row[1] for row in await self._database.fetch(_BODILESS)}

    @translated
    async def handing(self) -> list[LeafRow]:
        """Return the entries that hand keys over."""
        return [LeafRow(*row) for row in await self._database.fetch(_HANDING)]

    @translated
    async def erased_entries(self) -> list[LeafRow]:
        """Return the entries that say what was erased: a few each year."""
        return [LeafRow(*row) for row in await self._database.fetch(_ERASED)]

    @translated
    async def held_blank(self) -> dict[int, int]:
        """Return the readings on hold that have no text, each with the start of its hold."""
        rows = await self._database.fetch(_HELD_BLANK)
        return {row["idx"]: row["since"] for row in rows}

    @translated
    async def tiles(self, ids: Iterable[TileId]) -> dict[TileId, bytes]:
        """Return those full tiles of the activity log that are there."""
        wanted = list(ids)
        levels, numbers = [tile.level for tile in wanted], [tile.n for tile in wanted]
        rows = await self._database.fetch(_TILES, levels, numbers)
        return {TileId(row["level"], row["n"]): row["data"] for row in rows}

    @translated
    async def case(self, case: bytes) -> CaseRows | None:
        """Return what the state of a case is built from."""
        found = await self._database.fetch(_CASE, case)
        if not found:
            return None
        rows = [_chain_row(row) for row in found]
        devices = await self._database.fetch(_CASE_DEVICES, case)
        return CaseRows(
            chain=[row for row in rows if row.kind in ("case", "casekey", "assign")],
            devices=[DeviceRow(*row) for row in devices],
            objects=found[-1]["objects"],
            last=rows[-1],
        )

    @translated
    async def device_numbers(self, devices: Iterable[bytes]) -> dict[bytes, int]:
        """Return the last number of each device, 0 for one that never wrote."""
        rows = await self._database.fetch(_DEVICE_NUMBERS, list(devices))
        return {row["id"]: row["n"] for row in rows}

    @translated
    async def last_manifest(self, device: bytes, of: str) -> LeafRow | None:
        """Return the newest manifest of a device about a node."""
        row = await self._database.fetchrow(_LAST_MANIFEST, device, of)
        return None if row is None else LeafRow(*row)

    @translated
    async def told_from(self, start: int, stop: int) -> LeafRow | None:
        """Return the first entry at ``start <= idx < stop`` that has a text."""
        row = await self._database.fetchrow(_TOLD, start, stop)
        return None if row is None else LeafRow(*row)

    @translated
    async def objects(self, objects: Iterable[bytes]) -> dict[bytes, ObjectFacts]:
        """Return what is known of those objects that are there."""
        ids = list(objects)
        rows = await self._database.fetch(_OBJECTS, ids)
        acks: dict[bytes, set[tuple[str, str]]] = defaultdict(set)
        for ack in await self._database.fetch(_ACKS, ids) if rows else ():
            acks[ack["object_id"]].add((ack["node"], ack["step"]))
        return {
            row["object_id"]: ObjectFacts(
                row["object_id"],
                row["idx"],
                row["case_id"],
                row["gen"],
                row["n"],
                row["node"],
                row["expires"],
                frozenset(acks[row["object_id"]]),
            )
            for row in rows
        }

    @translated
    async def number_taken(self, owner: str, number: str) -> bool:
        """Tell whether an owner has given a case number."""
        return bool(await self._database.fetchval(_NUMBER, owner, number))

    @translated
    async def blob_complete(self, roots: Iterable[bytes]) -> set[bytes]:
        """Return the roots of those file bodies of which every part is there."""
        return {row[0] for row in await self._database.fetch(_BLOBS, list(roots))}


def heads_in(row: "Row | None") -> Heads:
    """Return the heads in a row.

    Raises:
        LedgerChangedError: There is no row.
    """
    if row is None:
        raise LedgerChangedError("the head row is missing")
    values: tuple[Any, ...] = tuple(row)
    return Heads(LogHead(*values[0:3]), LogHead(*values[3:6]), values[6])


def _chain_row(row: "Row") -> ChainRow:
    return ChainRow(
        row["idx"],
        row["kind"],
        row["hash"],
        row["envelope"],
        row["record"],
        row["core"],
        row["objects"],
    )
