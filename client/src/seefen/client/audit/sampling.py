"""Samples: entries drawn by nobody. The rule is written down before its seed can be known.

What is drawn is fixed in the log, as an entry of the auditor's own, together with a size that
the log has not reached. The root at that size is the seed: it depends on entries of others that
were not made yet. Whoever has the same entries draws the same ones.
"""

import heapq
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from msgspec import Struct

from seefen.client.audit.filters import READINGS
from seefen.client.audit.store import Store
from seefen.client.engine import Engine
from seefen.client.findings import AuditRow
from seefen.protocol.encoding import decode, encode
from seefen.protocol.ledger.tree import CompactRange, leaf_hash

AHEAD: Final = 16  # entries between the rule and its seed; the rule itself is one of them
MOST: Final = 500
_SEED: Final = b"seefen/1/audit-sample\x00"
_SETTING: Final = "audit/sample"


class Rule(Struct, frozen=True, array_like=True):
    """What is drawn: ``count`` readings with ``start <= index < stop``, by the root at ``size``."""

    count: int
    start: int
    stop: int
    size: int
    entry: int | None


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample, or the rule of one whose seed is not known yet: then there are no rows.

    Attributes:
        entry: Where in the log the rule stands; None while it waits for the broker.
        root: The seed, in hex; empty while it is not known.
    """

    count: int
    start: int
    stop: int
    size: int
    entry: int | None
    root: str
    rows: tuple[AuditRow, ...]
    head: int
    of: int


def rule(engine: Engine, name: str) -> Rule | None:
    """Return the rule that was made under a name, or None."""
    value = engine.vault.get(f"{_SETTING}/{name}")
    return None if value is None else decode(value, Rule)


def keep_rule(engine: Engine, name: str, made: Rule) -> None:
    """Keep the rule of a sample."""
    engine.vault.put(f"{_SETTING}/{name}", encode(made))


def root_at(engine: Engine, size: int) -> bytes | None:
    """Return the root of the log at a size, from records that were proved; None: not all here."""
    tree = CompactRange()
    while tree.size < size:
        sql = "SELECT record FROM record WHERE idx >= ? AND idx < ? ORDER BY idx"
        found = engine.vault.run(sql, tree.size, min(size, tree.size + 4096))
        if not found:
            return None
        for (record,) in found:
            tree.append(leaf_hash(bytes(record)))
    return tree.root()


def draw(store: Store, made: Rule, root: bytes) -> list[int]:
    """Return the indices of a sample in order: those with the smallest hashes of seed and index."""
    seed = _SEED + root + made.size.to_bytes(8, "big")

    def rank(index: int) -> bytes:
        return sha256(seed + index.to_bytes(8, "big")).digest()

    found = store.indices((READINGS,), start=made.start, stop=made.stop)
    return sorted(heapq.nsmallest(made.count, found, key=rank))
