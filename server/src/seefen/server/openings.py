"""What opens entries, as mirrors tell it: each piece is checked before it meets another's.

Whoever sent a mirror may have changed it. An opening, a body and a wrap count by themselves or
not at all, so a bad mirror in the row takes nothing away from what a good one holds.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from seefen.protocol.bundle import named_wraps
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import SeefenError
from seefen.protocol.ledger.mirror import Kept, merge_kept
from seefen.protocol.ledger.record import Core, Record, decode_core
from seefen.protocol.objects import check_body
from seefen.protocol.statements import Object, Statement
from seefen.protocol.suite import commit, sha256
from seefen.server.mirrors import Mirror

BLOCK: Final = 256


def openings(mirrors: Sequence[Mirror], records: Mapping[int, bytes]) -> dict[int, Kept]:
    """Return what opens entries, by index, of all that mirrors hold.

    Args:
        mirrors: They are believed in nothing.
        records: Of each entry the record that stands in the log: what opens another is dropped.
    """
    found: dict[int, Kept] = {}
    for n in sorted({index // BLOCK for index in records}):
        for kept in _said(mirrors, n):
            if records.get(kept.index) != kept.record or (checked := _checked(kept)) is None:
                continue
            before = found.get(kept.index)
            found[kept.index] = checked if before is None else merge_kept(before, checked)
    return found


def statement_of(kept: Kept) -> Statement:
    """Return the statement of an opening that was checked."""
    return open_envelope(kept.envelope, kept.kind).statement


def _said(mirrors: Iterable[Mirror], n: int) -> Iterator[Kept]:
    for mirror in mirrors:
        yield from mirror.opening(n)


def _checked(kept: Kept) -> Kept | None:
    """Return an opening that its record commits to, with what of body and wraps is true."""
    try:
        core, statement = decode_core(kept.core), statement_of(kept)
    except SeefenError:
        return None
    if not _is_opened(kept, core):
        return None
    # Checked before they are merged: a false body that came first must not hide the true one.
    named = set(named_wraps(statement))
    wraps = tuple(wrap for wrap in kept.wraps if sha256(wrap) in named)
    return replace(kept, wraps=wraps, body=_body(statement, kept.body))


def _is_opened(kept: Kept, core: Core) -> bool:
    committed = commit(kept.salt, kept.core) == Record.decode(kept.record).core_commitment
    opened = open_envelope(kept.envelope, kept.kind)
    return committed and core.req == opened.hash.hex() and core.act == kept.kind


def _body(statement: Statement, body: bytes) -> bytes:
    """Return the sealed body if it is the one the author signed, else nothing."""
    if not isinstance(statement, Object) or statement.file:
        return b""
    try:
        check_body(statement, body)
    except SeefenError:
        return b""
    return body
