"""Emergencies, as an auditor sees them: who, which case, and whether the reason was given.

They are known by readings that say so. The first is that of the message which told the members:
the officer's client enters it as soon as it has the key, whether or not he opens anything.
"""

from collections.abc import Iterator

from seefen.client.audit.counting import PROVED
from seefen.client.audit.facts import Facts
from seefen.client.audit.rowing import case_name, reads_reason
from seefen.client.audit.store import Store
from seefen.client.engine import Engine
from seefen.client.findings import EmergencyCase

DAY = 86_400  # seconds from the first reading until its reason is due


def emergencies(
    engine: Engine, store: Store, start: int, stop: int | None
) -> Iterator[EmergencyCase]:
    """Yield the emergencies that are entered in a piece of the log, oldest first."""
    found: dict[tuple[str, str], list[Facts]] = {}
    conditions = (PROVED, (("emergency", "1"),), (("act", "access"),))
    # From the beginning: the reason is due from the first reading on, whenever that was.
    for facts in store.each(conditions, stop=stop):
        found.setdefault((facts.device, facts.case_id), []).append(facts)
    for readings in found.values():
        if readings[-1].idx >= start and _is_case(engine, readings[0].case_id):
            yield _emergency(engine, store, readings)


def _emergency(engine: Engine, store: Store, readings: list[Facts]) -> EmergencyCase:
    first = readings[0]
    at = first.at // 1000
    return EmergencyCase(
        case=case_name(engine, first.case_id),
        node=first.node,
        officer=", ".join(first.officer.split()) or first.device[:8],
        at=at,
        readings=len(readings),
        due_at=at + DAY,
        reason_at=_reason_at(store, first),
        readable=reads_reason(engine, store, first),
    )


def _reason_at(store: Store, first: Facts) -> int | None:
    """Return when a reason was given in the case, with the first reading or after it."""
    asked = (
        PROVED, (("device", first.device),), (("case_id", first.case_id),), (("act", "access"),),
    )  # fmt: skip
    given = (facts.at // 1000 for facts in store.each(asked, start=first.idx) if facts.reason)
    return next(given, None)


def _is_case(engine: Engine, case: str) -> bool:
    # In a channel it says that no witness had seen the log: nobody owes a reason for that.
    state = engine.trust.state(bytes.fromhex(case)) if case else None
    return state is None or state.form == "case"
