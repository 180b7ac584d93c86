"""What a commit writes, set by set, and the head row that orders all commits."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final

import asyncpg

from seefen.server.gate import Protected
from seefen.server.recovery import LedgerChangedError
from seefen.server.rows import Changes, Heads, TakenError
from seefen.server.store.reads import LedgerReads, heads_in

_LOCK: Final = """
    SELECT authority_size, authority_root, authority_range,
           activity_size, activity_root, activity_range, at
      FROM ledger_head FOR UPDATE
"""
# Lock, compare, write and (outside a transaction) commit in one round trip. Nothing is
# inserted unless the head is the one the group was judged on: each part hangs on `head`.
_WRITE: Final = """
    WITH head AS (
        SELECT FROM ledger_head
         WHERE (authority_size, authority_root) = ($8, $9)
           AND (activity_size, activity_root, at) = ($10, $11, $12)
           FOR UPDATE
    ){parts}
    UPDATE ledger_head
       SET authority_size = $1, authority_root = $2, authority_range = $3,
           activity_size = $4, activity_root = $5, activity_range = $6, at = $7
      FROM head
    RETURNING {keys}
"""
_PART: Final = """, {name} AS (
        INSERT INTO {into} SELECT given.* FROM head, unnest({arrays}) AS given
    )"""
_NO_KEYS: Final = "'{}'::bytea[], '{}'::bytea[]"
_KEYS: Final = """
        ARRAY(SELECT object_id FROM object
               WHERE object_id = ANY($13::bytea[]) AND content_key IS NOT NULL ORDER BY object_id),
        ARRAY(SELECT content_key FROM object
               WHERE object_id = ANY($13::bytea[]) AND content_key IS NOT NULL ORDER BY object_id)
"""
_HEAD_VALUES: Final = 12
_SETS: Final = {  # where rows of a kind go, and the types of their columns
    "leaf": (
        "activity_leaf",
        "bigint bytea bytea bytea bytea text bytea text bytea bigint bigint bytea bytea bytea",
    ),
    "stored": (
        "object (object_id, idx, case_id, gen, n, node, expires, body, content_key)",
        "bytea bigint bytea bigint bigint text bigint bytea bytea",
    ),
    "acked": ("ack (object_id, node, step)", "bytea text text"),
    "opened": (
        "access (idx, device_id, case_id, scope, starts, until)",
        "bigint bytea bytea text bigint bigint",
    ),
}
_AUTHORITY: Final = "INSERT INTO authority_leaf (idx, kind, hash, envelope) VALUES ($1, $2, $3, $4)"
_WRAP: Final = "INSERT INTO wrap (hash, data) VALUES ($1, $2) ON CONFLICT DO NOTHING"
_NUMBER: Final = "INSERT INTO case_number (owner, number, case_id) VALUES ($1, $2, $3)"
_MEMBER: Final = "INSERT INTO case_member (case_id, node, joined) VALUES ($1, $2, $3)"
_TILE: Final = "INSERT INTO log_tile (level, n, data) VALUES ($1, $2, $3)"
_CONTENT_KEYS: Final = """
    SELECT object_id, content_key FROM object
     WHERE object_id = ANY($1::bytea[]) AND content_key IS NOT NULL
"""
_DROP_LOST: Final = "DELETE FROM activity_leaf WHERE kind = 'lost' AND idx = ANY($1::bigint[])"

_BODY: Final = "UPDATE object SET body = $2 WHERE idx = $1 AND body = ''::bytea"


class LedgerWriting(LedgerReads):
    """One write transaction, which the caller has begun."""

    async def lock(self) -> Heads:
        """Lock the head row and return it: from here to the end nobody else writes."""
        return heads_in(await self._database.fetchrow(_LOCK))

    async def write(self, changes: Changes, before: Heads, after: Heads) -> None:
        """Write everything, and the new head in place of the one that was locked.

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
        except asyncpg.UniqueViolationError as err:
            raise TakenError(err.constraint_name) from err
        if await self.swap(changes, before, after) is None:
            raise LedgerChangedError("the head row changed while it was locked")

    async def swap(
        self, changes: Changes, before: Heads, after: Heads, wanted: Iterable[bytes] = ()
    ) -> dict[bytes, Protected] | None:
        """Write what commits usually hold, if the head is still ``before``.

        Returns:
            The content keys of the objects ``wanted`` that stood before, closed; None if the
            head is another and nothing was written.

        Raises:
            TakenError: An id or a number stands already.
        """
        rows = {name: given for name, given in _rows(changes).items() if given}
        asked = list(wanted)
        values = [*_heads(before, after), *((asked,) if asked else ())]
        for given in rows.values():
            values += zip(*given, strict=True)
        try:
            row = await self._database.fetchrow(_statement(bool(asked), *rows), *values)
        except asyncpg.UniqueViolationError as err:
            raise TakenError(err.constraint_name) from err
        if row is None:
            return None
        return {o: Protected(o, key) for o, key in zip(row[0], row[1], strict=True)}

    async def drop_lost(self, indices: Iterable[int]) -> None:
        """Delete entries that are marked as lost, to write them whole."""
        await self._database.execute(_DROP_LOST, list(indices))

    async def put_bodies(self, bodies: Mapping[int, bytes]) -> None:
        """Give messages the sealed bodies that were lost, by index."""
        await self._database.executemany(_BODY, list(bodies.items()))

    async def content_keys(self, objects: Iterable[bytes]) -> dict[bytes, Protected]:
        """Return the wrapped content keys, still closed."""
        rows = await self._database.fetch(_CONTENT_KEYS, list(objects))
        return {row[0]: Protected(row[0], row[1]) for row in rows}


@cache
def _statement(wanted: bool, *names: str) -> str:
    """Return the statement that writes rows of these kinds.

    What is not in it costs nothing: PostgreSQL opens every table and index that a statement
    names before it starts, and a reading writes to two of them.
    """
    first = 1 + _HEAD_VALUES + wanted
    parts: list[str] = []
    for name in names:
        into, columns = _SETS[name]
        types = columns.split()
        arrays = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(types, first))
        parts.append(_PART.format(name=name, into=into, arrays=arrays))
        first += len(types)
    return _WRITE.format(parts="".join(parts), keys=_KEYS if wanted else _NO_KEYS)


def _heads(before: Heads, after: Heads) -> tuple[object, ...]:
    authority, activity = after.authority, after.activity
    return (
        *(authority.size, authority.root, authority.range),
        *(activity.size, activity.root, activity.range, after.at),
        *(before.authority.size, before.authority.root),
        *(before.activity.size, before.activity.root, before.at),
    )


def _rows(changes: Changes) -> dict[str, Sequence[Sequence[object]]]:
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
    return {"leaf": leaves, "stored": objects, "acked": changes.acks, "opened": accesses}
