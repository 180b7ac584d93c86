"""When a device was let in: its place in the authority log, and the times of what stands around it.

The certificate says from when it may be used, and is dated back so that a clock which is behind
does not refuse it: that is no time for a paper. The authority log has places and no times; each
entry of the activity log names how long the authority log was by then, and has one.
"""

from dataclasses import dataclass

from seefen.client.audit.store import Store
from seefen.client.engine import Engine
from seefen.protocol.ledger.record import Record

_BEHIND = (
    "SELECT b.idx, b.record, a.at FROM audited_bytes AS b JOIN audited AS a ON a.idx = b.idx"
    " WHERE b.idx >= ? AND a.problem = '' AND a.at > 0 ORDER BY b.idx LIMIT 1"
)
_BEFORE = (
    "SELECT at FROM audited WHERE idx < ? AND problem = '' AND at > 0 ORDER BY idx DESC LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Admission:
    """Where and when a device was let in.

    Attributes:
        entry: Its place in the authority log.
        after: Unix seconds of the last entry known here that was made before; 0 for none.
        before: Of the first one made behind it; 0 for none.
    """

    entry: int
    after: int
    before: int


def admission(engine: Engine, store: Store, device: bytes) -> Admission:
    """Return when a device was let in, by the entries that were checked here."""
    directory, chain = engine.directory, ("device", device)
    link = directory.link(chain)
    entry = directory.size
    while link is not None:  # the first certificate: a later one renews it
        entry = link.index
        link = directory.link(chain, size=entry)
    low, high = 0, store.ends[1] + 1
    before = 0
    while low < high:  # the size that entries name never decreases
        middle = (low + high) // 2
        row = store.one_row(_BEHIND, middle)
        if row is None or Record.decode(row[1]).authority_size > entry:
            high, before = middle, before if row is None else row[2] // 1000
        else:
            low = row[0] + 1
    last = store.one_row(_BEFORE, low)
    return Admission(entry, 0 if last is None else last[0] // 1000, before)
