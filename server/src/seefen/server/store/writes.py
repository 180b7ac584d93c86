"""What a commit writes, set by set, and the head row that orders all commits."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import asyncpg

from seefen.server.gate import Protected
from seefen.server.rows import Changes, Heads, TakenError
from seefen.server.store.reads import LedgerReads, heads_in

_LOCK: Final = """
    SELECT authority_size, authority_root, authority_range,
           activity_size, activity_root, activity_range, at
      FROM ledger_head FOR UPDATE
"""
# One round trip for what nearly every commit writes.
_WRITE: Final = """
    WITH leaf AS (
        INSERT INTO activity_leaf
        SELECT * FROM unnest(
            $1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bytea[], $6::text[],
            $7::bytea[], $8::text[], $9::bytea[], $10::bigint[], $11::bigint[], $12::bytea[],
            $13::bytea[], $14::bytea[])
    ), stored AS (
        INSERT INTO object (object_id, idx, case_id, gen, n, node, expires, body, content_key)
        SELECT * FROM unnest(
            $15::bytea[], $16::bigint[], $17::bytea[], $18::bigint[], $19::bigint[], $20::text[],
            $21::bigint[], $22::bytea[], $23::bytea[])
    ), acked AS (
        INSERT INTO ack (object_id, node, step)
        SELECT * FROM unnest($24::bytea[], $25::text[], $26::text[])
    ), opened AS (
        INSERT INTO access (idx, device_id, case_id, scope, starts, until)
        SELECT * FROM unnest(
            $27::bigint[], $28::bytea[], $29::bytea[], $30::text[], $31::bigint[], $32::bigint[])
    )
    UPDATE ledger_head
       SET authority_size = $33, authority_root = $34, authority_range = $35,
           activity_size = $36, activity_root = $37, activity_range = $38, at = $39
"""
_AUTHORITY: Final = "INSERT INTO authority_leaf (idx, kind, hash, envelope) VALUES ($1, $2, $3, $4)"
_WRAP: Final = "INSERT INTO wrap (hash, data) VALUES ($1, $2) ON CONFLICT DO NOTHING"
_NUMBER: Final = "INSERT INTO case_number (owner, number, case_id) VALUES ($1, $2, $3)"
_MEMBER: Final = "INSERT INTO case_member (case_id, node, joined) VALUES ($1, $2, $3)"
_TILE: Final = "INSERT INTO log_tile (level, n, data) VALUES ($1, $2, $3)"
_CONTENT_KEYS: Final = """
    SELECT object_id, content_key FROM object WHERE object_id = ANY($1::bytea[])
"""


class LedgerWriting(LedgerReads):
    """One write transaction, which the caller has begun."""

    async def lock(self) -> Heads:
        """Lock the head row and return it: from here to the end nobody else writes."""
        return heads_in(await self._database.fetchrow(_LOCK))

    async def write(self, changes: Changes, heads: Heads) -> None:
        """Write everything and the new head.

        Raises:
            TakenError: An id or a number stands already.
        """
        seldom: tuple[tuple[str, Sequence[Sequence[Any]]], ...] = (
            (_AUTHORITY, [(r.idx, r.kind, r.hash, r.envelope) for r in changes.authority]),
            (_WRAP, list(changes.wraps.items())),
            (_NUMBER, changes.numbers),
            (_MEMBER, changes.members),
            (_TILE, [(tile.level, tile.n, data) for tile, data in changes.tiles.items()]),
        )
        try:
            for statement, rows in seldom:
                if rows:
                    await self._database.executemany(statement, rows)
            await self._database.execute(_WRITE, *_arguments(changes, heads))
        except asyncpg.UniqueViolationError as err:
            raise TakenError(err.constraint_name) from err

    async def content_keys(self, objects: Iterable[bytes]) -> dict[bytes, Protected]:
        """Return the wrapped content keys, still closed."""
        rows = await self._database.fetch(_CONTENT_KEYS, list(objects))
        return {row[0]: Protected(row[0], row[1]) for row in rows}


def _arguments(changes: Changes, heads: Heads) -> Iterable[Any]:
    leaves = [
        (
            *(r.idx, r.record, r.core, r.salt, r.detail_salt, r.kind, r.case, r.node),
            *(r.device, r.device_n, r.case_n, r.object, r.hash, r.envelope),
        )
        for r in changes.activity
    ]
    objects = [
        (r.object, r.idx, r.case, r.gen, r.n, r.node, r.expires, r.body, r.content_key)
        for r in changes.objects
    ]
    accesses = [(r.idx, r.device, r.case, r.scope, r.starts, r.until) for r in changes.accesses]
    authority, activity = heads.authority, heads.activity
    return (
        *_columns(leaves, 14),
        *_columns(objects, 9),
        *_columns(changes.acks, 3),
        *_columns(accesses, 6),
        *(authority.size, authority.root, authority.range),
        *(activity.size, activity.root, activity.range, heads.at),
    )


def _columns(rows: Sequence[Sequence[Any]], count: int) -> Iterable[Sequence[Any]]:
    return zip(*rows, strict=True) if rows else ((),) * count
