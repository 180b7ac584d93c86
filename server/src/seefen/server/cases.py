"""The state of a case, built again from what is stored.

Everything stored was checked when it was written, so signatures are not checked twice.
The test compares it with the state that came about statement by statement.
"""

from dataclasses import dataclass, field

from seefen.protocol.case import CaseState, Generation, Last, Position
from seefen.protocol.envelope import open_envelope
from seefen.protocol.ledger.record import Record, decode_core
from seefen.protocol.statements import NO_HASH, Assign, Case, CaseKey
from seefen.server.rows import CaseRows, ChainRow


@dataclass(slots=True)
class _Chain:
    versions: list[Case] = field(default_factory=list[Case])
    generations: list[Generation] = field(default_factory=list[Generation])
    assigned: dict[int, frozenset[bytes]] = field(default_factory=dict[int, frozenset[bytes]])
    case_hash: bytes = NO_HASH


def rebuild_case(case: bytes, rows: CaseRows) -> CaseState:
    """Return the state of a case from what is stored of it."""
    chain = _Chain()
    for row in rows.chain:
        _follow(chain, row)
    return CaseState(
        case=case,
        versions=tuple(chain.versions),
        case_hash=chain.case_hash,
        position=_newest(rows),
        opened_at=position_of(rows.chain[0]),
        generations=tuple(chain.generations),
        assigned=chain.assigned,
        numbers={d.device: Last(d.case_n, d.object_hash or NO_HASH) for d in rows.devices},
        object_count=rows.objects,
    )


def position_of(row: ChainRow) -> Position:
    """Return where a stored statement stands."""
    size = Record.decode(row.record).authority_size
    return Position(size, row.idx, decode_core(row.core).at // 1000)


def _newest(rows: CaseRows) -> Position:
    """Return where the newest statement stands; one that was erased has no time any more."""
    if rows.last.core:
        return position_of(rows.last)
    size = Record.decode(rows.last.record).authority_size
    return Position(size, rows.last.idx, position_of(rows.chain[-1]).at)


def _follow(chain: _Chain, row: ChainRow) -> None:
    statement = open_envelope(row.envelope, row.kind).statement
    match statement:
        case Case():
            chain.versions.append(statement)
            chain.case_hash = row.hash
        case CaseKey():
            place = position_of(row)
            chain.generations.append(Generation(statement, row.hash, place, row.objects_before))
        case Assign():
            before = chain.assigned.get(statement.gen, frozenset[bytes]())
            named = {wrap.device for wrap in statement.devices}
            chain.assigned[statement.gen] = before | named
        case _:
            pass
