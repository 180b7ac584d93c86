"""Parcels: which statements go to which node, and with which wraps.

What is not for a node comes as a stub, so that its devices see that no number is missing
and learn nothing else (docs/decisions/0003).
"""

from dataclasses import dataclass

from seefen.protocol.case import CaseState
from seefen.protocol.directory import Directory
from seefen.protocol.envelope import open_envelope
from seefen.protocol.frames import Stub
from seefen.protocol.statements import (
    Ack,
    Activity,
    Assign,
    Case,
    CaseKey,
    Object,
    Statement,
)
from seefen.server.rows import LeafRow

CARRIED = frozenset(("case", "casekey", "assign", "object", "ack"))


@dataclass(frozen=True, slots=True)
class Parcel:
    """An entry that goes to somebody: its row, its statement, and to which nodes."""

    row: LeafRow
    statement: Statement
    nodes: frozenset[str]

    def wraps(self, directory: Directory, device: bytes) -> tuple[bytes, ...]:
        """Return the hashes of the wraps that a device or its node can open."""
        match self.statement:
            case CaseKey(mailboxes=mailboxes, devices=devices):
                node = directory.device(device).node
                of_node = tuple(w.hash for w in mailboxes if w.node == node)
                return of_node + tuple(w.hash for w in devices if w.device == device)
            case Assign(devices=devices):
                return tuple(w.hash for w in devices if w.device == device)
            case _:
                return ()

    @property
    def body_of(self) -> bytes | None:
        """The object whose sealed body travels with it."""
        statement = self.statement
        return statement.object if isinstance(statement, Object) and not statement.file else None


def parcel_of(
    row: LeafRow, state: CaseState, directory: Directory, author_node: str | None
) -> Parcel | None:
    """Return the parcel of an entry, None when it goes to nobody.

    Args:
        row: The entry.
        state: Its case.
        directory: For what a generation covers.
        author_node: Of an ack: the node that wrote the object.
    """
    if row.kind not in CARRIED or not row.envelope:
        return None  # it came before whoever joined later, and is counted
    statement = open_envelope(row.envelope, row.kind).statement
    return Parcel(row, statement, _nodes(statement, state, directory, author_node))


def stub_of(row: LeafRow) -> Stub | None:
    """Return the stub of a device's statement; the broker's own have no number."""
    if row.device is None or row.case_n is None:
        return None
    return Stub(row.idx, row.kind, row.case, row.device, row.case_n)


def _nodes(
    statement: Statement, state: CaseState, directory: Directory, author_node: str | None
) -> frozenset[str]:
    match statement:
        case Object():
            return state.covered(statement.gen, directory)
        case Case() | CaseKey():
            # Who has left goes on to see the chain: he checks that he was removed.
            return frozenset(m.node for version in state.versions for m in version.members)
        case Assign():
            return frozenset((statement.node,))
        case Ack():
            return frozenset(() if author_node is None else (author_node,))
        case Activity():
            return frozenset()
        case _:
            return frozenset()
