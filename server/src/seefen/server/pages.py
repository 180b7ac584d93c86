"""Pages of the logs: read from the database at each request, whatever it says.

If somebody alters a row, the page shows the altered row under the signed checkpoint, and
every reader finds that they do not fit together. Hiding that would be the broker's lie.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias, TypeVar

from seefen.protocol.case import CaseState
from seefen.protocol.directory import Directory
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import RefusedError
from seefen.protocol.frames import AuditItem, AuthorityItem, CaseFrom, LogFrom
from seefen.protocol.statements import Mailbox
from seefen.server.proofs import Prover
from seefen.server.rows import AuthorityRow, LeafRow, Storage

PAGE_BYTES: Final = 4 * 1024 * 1024

Found: TypeAlias = tuple[tuple[AuditItem, ...], int]
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
        self, node: str, case: bytes | None, ask: LogFrom | CaseFrom, size: int
    ) -> Found:
        """Return the entries a node's auditors may open, and up to where these are all.

        Args:
            node: Whose entries, and those of its cases.
            case: Readings of this case alone.
            ask: From where on, and how many at most.
            size: How far the log is shown.
        """
        start, limit = ask.start, ask.limit
        if case is None:
            rows = await self._storage.entitled(node, start, size, limit)
        else:
            rows = await self._storage.readings(case, start, size, limit)
        fit = _fit(rows)
        ended = len(fit) == len(rows) < limit
        return await self._items(fit, size), max(size, start) if ended else fit[-1].idx + 1

    async def erased(self, size: int) -> Found:
        """Return the entries below ``size`` that say what was erased; these are all."""
        rows = await self._storage.erased_entries()
        return await self._items([row for row in rows if row.idx < size], size), size

    async def _items(self, rows: Sequence[LeafRow], size: int) -> tuple[AuditItem, ...]:
        entries = await self._prover.entries(rows, size)
        return tuple(
            AuditItem(row.kind, entry, row.envelope)
            for row, entry in zip(rows, entries, strict=True)
        )


def require_auditing(
    directory: Directory, device: bytes, case: bytes | None, state: CaseState | None, at: int
) -> str:
    """Return the node whose entries a device may look at.

    Args:
        case: None: all of its node, for auditors and admins. Else who read this case, for
            leads and keyholders of the node that opened it as well.
        state: Of the case; None: there is no such case.

    Raises:
        UntrustedError: Not in force, or rule ``role``.
        RefusedError: rule ``not-the-owner``: also of a case that is none, or whoever asks
            would learn which there are.
    """
    roles = ("auditor", "admin", *(() if case is None else ("lead", "keyholder")))
    node = directory.require_role(device, *roles, at=at).node
    if case is not None and (state is None or state.owner != node):
        raise RefusedError(
            "who read a case is shown to the node that opened it, and to nobody else",
            rule="not-the-owner",
        )
    return node


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
