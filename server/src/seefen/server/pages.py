"""Pages of the logs: read from the database at each request, whatever it says.

If somebody alters a row, the page shows the altered row under the signed checkpoint, and
every reader finds that they do not fit together. Hiding that would be the broker's lie.
"""

from collections.abc import Sequence
from typing import Final, TypeVar

from seefen.protocol.envelope import open_envelope
from seefen.protocol.frames import AuditItem, AuthorityItem
from seefen.protocol.statements import Mailbox
from seefen.server.proofs import Prover
from seefen.server.rows import AuthorityRow, LeafRow, Storage

PAGE_BYTES: Final = 4 * 1024 * 1024

R = TypeVar("R", AuthorityRow, LeafRow)


class Pages:
    """Fills pages of both logs."""

    def __init__(self, storage: Storage, prover: Prover) -> None:
        self._storage = storage
        self._prover = prover

    async def authority(
        self, device: bytes | None, *, start: int, stop: int
    ) -> tuple[AuthorityItem, ...]:
        """Return leaves of the authority log, with the wraps for ``device``."""
        rows = _fit(await self._storage.authority(start, stop))
        named = [_wraps_for(row, device) for row in rows]
        wanted = {hash_ for hashes in named for hash_ in hashes}
        wraps = await self._storage.wraps(wanted) if wanted else {}
        return tuple(
            AuthorityItem(row.kind, row.envelope, tuple(wraps[h] for h in hashes if h in wraps))
            for row, hashes in zip(rows, named, strict=True)
        )

    async def audit(
        self, node: str, *, start: int, size: int, limit: int
    ) -> tuple[tuple[AuditItem, ...], int]:
        """Return the entries a node's auditors may open, and up to where these are all."""
        rows = await self._storage.entitled(node, start, size, limit)
        fit = _fit(rows)
        ended = len(fit) == len(rows) < limit
        entries = await self._prover.entries(fit, size)
        items = tuple(
            AuditItem(row.kind, entry, row.envelope)
            for row, entry in zip(fit, entries, strict=True)
        )
        return items, max(size, start) if ended else fit[-1].idx + 1


def _fit(rows: Sequence[R]) -> Sequence[R]:
    total = 0
    for place, row in enumerate(rows):
        total += len(row.envelope)
        if total > PAGE_BYTES:
            return rows[: place + 1]
    return rows


def _wraps_for(row: AuthorityRow, device: bytes | None) -> tuple[bytes, ...]:
    if row.kind != "mailbox" or device is None:
        return ()
    mailbox = open_envelope(row.envelope, "mailbox").statement
    if not isinstance(mailbox, Mailbox):
        return ()
    return tuple(wrap.hash for wrap in mailbox.wraps if wrap.device == device)
