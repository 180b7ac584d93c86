"""Pages of the logs: read from the database at each request, whatever it says.

If somebody alters a row, the page shows the altered row under the signed checkpoint, and
every reader finds that they do not fit together. Hiding that would be the broker's lie.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias, TypeVar

from msgspec.structs import replace

from seefen.protocol.case import CaseState
from seefen.protocol.directory import Directory
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import RefusedError
from seefen.protocol.frames import AuditItem, AuthorityItem, CaseFrom, LogFrom, ViewFrom
from seefen.protocol.ledger.record import decode_core
from seefen.protocol.manifest import require_view
from seefen.protocol.statements import Mailbox, View
from seefen.server.proofs import Prover
from seefen.server.rows import AuthorityRow, LeafRow, Storage

PAGE_BYTES: Final = 4 * 1024 * 1024
# Rows that are read at once: each may have 256 KiB, and a page of thousands would be read whole
# before it is cut, for each of many who ask at the same time.
PIECE: Final = 128
# Leaves that are looked through for one page. Who has few entries among many millions would else
# wait for all of them to be read, and the database gives up before.
WINDOW: Final = 1 << 17

Asked: TypeAlias = LogFrom | CaseFrom | ViewFrom
Found: TypeAlias = tuple[tuple[AuditItem, ...], int]
R = TypeVar("R", AuthorityRow, LeafRow)
Reading: TypeAlias = Callable[[int, int], Awaitable[Sequence[R]]]  # from an index on, how many


class Pages:
    """Fills pages of both logs."""

    def __init__(self, storage: Storage, prover: Prover) -> None:
        self._storage = storage
        self._prover = prover

    async def authority(
        self, device: bytes | None, *, start: int, stop: int
    ) -> tuple[AuthorityItem, ...]:
        """Return leaves of the authority log, with the wraps for ``device``."""

        async def read(at: int, limit: int) -> Sequence[AuthorityRow]:
            return await self._storage.authority(at, stop, limit)

        rows, _ = await read_pieces(read, start, stop - start)
        named = [_wraps_for(row, device) for row in rows]
        wanted = {hash_ for hashes in named for hash_ in hashes}
        wraps = await self._storage.wraps(wanted) if wanted else {}
        return tuple(
            AuthorityItem(row.kind, row.envelope, tuple(wraps[h] for h in hashes if h in wraps))
            for row, hashes in zip(rows, named, strict=True)
        )

    async def audit(self, who: str | View, ask: Asked, size: int) -> Found:
        """Return the entries a device may look at, and up to where these are all.

        Args:
            who: A node: its entries, and those of its cases. Or what a view shows.
            ask: From where on, and how many at most; readings of one case alone.
            size: How far the log is shown.
        """
        if isinstance(who, View):
            return await self.viewed(who, ask, size)
        start, stop = ask.start, min(size, ask.start + WINDOW)

        async def read(at: int, limit: int) -> Sequence[LeafRow]:
            if isinstance(ask, CaseFrom):
                return await self._storage.readings(ask.case, at, stop, limit)
            return await self._storage.entitled(who, at, stop, limit)

        rows, ended = await read_pieces(read, start, ask.limit)
        return await self._items(rows, size), _upto(rows, stop, start, ended=ended)

    async def viewed(self, view: View, ask: Asked, size: int) -> Found:
        """Return the cores that a view shows, without statements, and up to where these are all.

        What has no text any more is shown where it stands: it counts to what comes after it.
        """
        first = await self._since(view.since, size)
        last = await self._since(view.upto, size) if view.upto else size
        start = max(ask.start, first)
        stop = min(last, start + WINDOW)

        async def read(at: int, limit: int) -> Sequence[LeafRow]:
            if view.of:
                return await self._storage.entitled(view.of, at, stop, limit)
            return await self._storage.activity(at, stop, limit)

        rows, ended = await read_pieces(read, start, ask.limit)
        upto = _upto(rows, size if stop == last else stop, start, ended=ended)
        return await self._items([replace(row, envelope=b"") for row in rows], size), upto

    async def _since(self, at: int, size: int) -> int:
        """Return the first index of the log whose entry was made at ``at`` (unix s) or later."""
        low, high = 0, size if at else 0
        while low < high:
            middle = (low + high) // 2
            row = await self._storage.told_from(middle, high)
            if row is None or decode_core(row.core).at >= at * 1000:
                high = middle
            else:
                low = row.idx + 1
        return low

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
    directory: Directory, device: bytes, ask: Asked, state: CaseState | None, at: int
) -> str | View:
    """Return the node whose entries a device may look at, or its view of another's.

    Args:
        ask: All of its node, for auditors and admins; or who read a case, for leads and
            keyholders of the node that opened it as well; or what a view shows.
        state: Of the case; None: there is no such case.

    Raises:
        UntrustedError: Not in force, or rule ``role``.
        RefusedError: rule ``not-the-owner``: also of a case that is none, or whoever asks
            would learn which there are.
    """
    if isinstance(ask, ViewFrom):
        return require_view(directory, device, ask.of, at=at)
    case = isinstance(ask, CaseFrom)
    roles = ("auditor", "admin", *(("lead", "keyholder") if case else ()))
    node = directory.require_role(device, *roles, at=at).node
    if case and (state is None or state.owner != node):
        raise RefusedError(
            "who read a case is shown to the node that opened it, and to nobody else",
            rule="not-the-owner",
        )
    return node


async def read_pieces(
    read: Reading[R], start: int, limit: int, most: int = PAGE_BYTES
) -> tuple[list[R], bool]:
    """Read rows from an index on, until there are ``limit`` of them or about ``most`` bytes.

    Returns:
        They, and whether these are all that there are.
    """
    rows: list[R] = []
    size = 0
    while len(rows) < limit:
        wanted = min(PIECE, limit - len(rows))
        piece = await read(start, wanted)
        for row in piece:
            rows.append(row)
            size += len(row.envelope) + (len(row.core) if isinstance(row, LeafRow) else 0)
            if size > most:
                return rows, False
        if len(piece) < wanted:
            return rows, True
        start = piece[-1].idx + 1
    return rows, False


def _upto(rows: Sequence[LeafRow], stop: int, start: int, *, ended: bool) -> int:
    """Return up to where a page shows everything; what was read reached to ``stop`` at most."""
    return max(stop, start) if ended else rows[-1].idx + 1


def _wraps_for(row: AuthorityRow, device: bytes | None) -> tuple[bytes, ...]:
    if row.kind != "mailbox" or device is None:
        return ()
    mailbox = open_envelope(row.envelope, "mailbox").statement
    if not isinstance(mailbox, Mailbox):
        return ()
    return tuple(wrap.hash for wrap in mailbox.wraps if wrap.device == device)
