"""The table of invites and of the requests left with them."""

from typing import Final

import asyncpg

from seefen.server.enrolment import Invite
from seefen.server.store.outage import translated
from seefen.server.store.reads import Pool

# DO NOTHING and then read: what stands there first counts, for every number of processes.
_ADD: Final = """
    WITH ended AS (DELETE FROM invite WHERE open_until < $7)
    INSERT INTO invite (id, secret_hash, kind, node, roles, expires, open_until)
    SELECT $1, $2, $3, $4, $5::text[], $6::bigint, $6
     WHERE (SELECT count(*) FROM invite WHERE node = $4 AND open_until >= $7) < $8
    ON CONFLICT (id) DO NOTHING
"""
_FIND: Final = "SELECT * FROM invite WHERE id = $1"
_LEAVE: Final = """
    UPDATE invite SET draft = $2, open_until = greatest(open_until, $3)
     WHERE id = $1 AND draft IS NULL
"""
_DRAFT: Final = "SELECT draft FROM invite WHERE id = $1"


class InviteRows:
    """Keeps invites."""

    def __init__(self, pool: Pool) -> None:
        """Work on ``pool``."""
        self._pool = pool

    @translated
    async def add(self, invite: Invite, *, ended: int, most: int) -> Invite | None:
        """Store an invite unless its id is taken; returns the one that stands there.

        Those that ended before ``ended`` are forgotten; None: the node has ``most`` already.
        """
        await self._pool.execute(
            _ADD,
            invite.id,
            invite.secret_hash,
            invite.kind,
            invite.node,
            list(invite.roles),
            invite.expires,
            ended,
            most,
        )
        found = await self._pool.fetchrow(_FIND, invite.id)
        return None if found is None else _invite(found, "expires")

    @translated
    async def find(self, invite_id: bytes) -> Invite | None:
        """Return an invite by its id; it ends when it is no longer open."""
        found = await self._pool.fetchrow(_FIND, invite_id)
        return None if found is None else _invite(found, "open_until")

    @translated
    async def leave(self, invite_id: bytes, draft: bytes, *, until: int) -> bytes:
        """Store a request unless there is one; returns the one that stands there."""
        await self._pool.execute(_LEAVE, invite_id, draft, until)
        return bytes(await self._pool.fetchval(_DRAFT, invite_id))


def _invite(row: "asyncpg.Record", ends: str) -> Invite:
    return Invite(
        id=row["id"],
        secret_hash=row["secret_hash"],
        kind=row["kind"],
        node=row["node"],
        roles=tuple(row["roles"]),
        expires=row[ends],
        draft=row["draft"],
    )
