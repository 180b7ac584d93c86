"""Samples: readings drawn by nobody. The rule is written down before its seed can be known.

What is drawn is fixed in the log, as an entry of the auditor's own, together with a size that
the log has not reached. The seed is made of two things that nobody knows both of before: the root
at that size, for it depends on entries of others that were not made yet; and a number that stands
in the rule, sealed to the auditors. By the root alone the broker could choose: it draws the salt
of the last entry, as often as it likes. Whoever has the same entries draws the same ones.

One rule of an officer waits for its seed at a time, of a period: with several he could take the
seed that suits him. The log is asked which one waits, for it has those of his other devices too,
and that of a command which was killed behind its entry.
"""

import heapq
import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from msgspec import Struct

from seefen.client.audit.counting import READ
from seefen.client.audit.store import Store
from seefen.client.engine import Engine
from seefen.client.findings import AuditRow
from seefen.protocol.encoding import decode, encode
from seefen.protocol.ledger.tree import CompactRange, leaf_hash

AHEAD: Final = 16  # entries between the rule and its seed; the rule itself is one of them
MOST: Final = 500
NONCE: Final = 16  # bytes
_SEED: Final = b"seefen/1/audit-sample\x00"
_SETTING: Final = "audit/sample-rule"
_SAID: Final = re.compile(
    r"sample of (\d+)(?:, month (\S+))?, entries (\d+) to (\d+), to be drawn by the root at (\d+) "
    r"and the number ([0-9a-f]{32})"
)


class Rule(Struct, frozen=True, array_like=True):
    """What is drawn: ``count`` readings with ``start <= index < stop``, by the root at ``size``.

    ``nonce`` (hex) is what the broker does not know.
    """

    count: int
    start: int
    stop: int
    size: int
    entry: int | None
    nonce: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample, or the rule of one whose seed is not known yet: then there are no rows.

    Attributes:
        entry: Where in the log the rule stands; None while it waits for the broker.
        root: The seed, in hex, with ``nonce``; both are empty while it is not known.
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
    nonce: str = ""


def rule(engine: Engine, month: str, count: int) -> Rule | None:
    """Return the last rule for so many readings of a month, of all for an empty one; or None."""
    value = engine.vault.get(f"{_period(month)}/{count}")
    return None if value is None else decode(value, Rule)


def keep_rule(engine: Engine, month: str, made: Rule) -> None:
    """Keep the rule of a sample."""
    engine.vault.put(f"{_period(month)}/{made.count}", encode(made))


def kept_rules(engine: Engine, month: str) -> list[Rule]:
    """Return the rules that this device keeps of a month, of all for an empty one."""
    sql = "SELECT value FROM setting WHERE name GLOB ?"
    return [decode(value, Rule) for (value,) in engine.vault.run(sql, f"{_period(month)}/*")]


def said(made: Rule, month: str) -> str:
    """Return a rule in the words of its entry."""
    of = f", month {month}" if month else ""
    return (
        f"sample of {made.count}{of}, entries {made.start} to {made.stop - 1}, "
        f"to be drawn by the root at {made.size} and the number {made.nonce}"
    )


def rules_in(entries: Iterable[AuditRow], month: str) -> list[Rule]:
    """Return the rules that entries fix for a month, of all for an empty one."""
    found: list[Rule] = []
    for row in entries:
        for one in (row.search.sought or ()) if row.search else ():
            match = _SAID.fullmatch(one.query)
            if match is not None and (match[2] or "") == month:
                count, start, last, size = (int(match[n]) for n in (1, 3, 4, 5))
                found.append(Rule(count, start, last + 1, size, row.index, match[6]))
    return found


def _period(month: str) -> str:
    return f"{_SETTING}/{month or 'all'}"


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
    seed = _SEED + root + made.size.to_bytes(8, "big") + bytes.fromhex(made.nonce)

    def rank(index: int) -> bytes:
        return sha256(seed + index.to_bytes(8, "big")).digest()

    found = store.indices(READ, start=made.start, stop=made.stop)
    return sorted(heapq.nsmallest(made.count, found, key=rank))
