"""Counts: what the verdict and the monthly report say in numbers."""

from typing import Final, TypedDict

from seefen.client.audit.filters import OPERATIONS
from seefen.client.audit.store import Condition, Store
from seefen.client.once import opened
from seefen.protocol.statements import Search

PROVED: Condition = (("proved", "yes"),)
# What the verdict calls readings, and what a sample is drawn from.
READ: Final[tuple[Condition, ...]] = (PROVED, (("act", "access"),))


class Counts(TypedDict):
    """Counts of proved entries; searches are counted one by one, not by entry."""

    readings: int
    searches: int
    cross_checks: int
    audits: int
    disclosures: int
    refused: int
    emergency: int
    operations: tuple[tuple[str, int], ...]


def counts(store: Store, start: int = 0, stop: int | None = None) -> Counts:
    """Return what entries of a piece of the log come to, those that are proved alone."""

    def count(*conditions: Condition) -> int:
        return store.count_of((PROVED, *conditions), start=start, stop=stop)

    searched, crossed, audits = _searches(store, start, stop)
    return Counts(
        readings=store.count_of(READ, start=start, stop=stop),
        searches=searched,
        cross_checks=crossed,
        audits=audits,
        disclosures=count((("op", "disclose"),)),
        refused=count((("act", "denied"),)),
        # Not what was refused: nothing was read there, whatever it was called.
        emergency=count((("emergency", "1"),), (("act", "access"), ("act", "object"))),
        operations=tuple((op, count((("op", op),))) for op in OPERATIONS),
    )


def _searches(store: Store, start: int, stop: int | None) -> tuple[int, int, int]:
    """Return searches of officers, automated ones, and looks into the audit."""
    found = [0, 0, 0]
    for facts in store.each((PROVED, (("act", "search"),)), start=start, stop=stop):
        item = store.item(facts.idx)
        if item is None:
            continue
        search = opened(item.envelope, item.kind).statement
        if isinstance(search, Search):
            found[2 if facts.is_look else int(search.automated)] += search.count
    return found[0], found[1], found[2]
