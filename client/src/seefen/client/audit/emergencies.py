"""Emergencies, as an auditor sees them: who, which case, and whether the reason was given.

They are known by readings that say so. The first is that of the message which told the members:
the officer's client enters it as soon as it has the key, whether or not he opens anything.

A reason that is overdue stands against the verdict, whatever month that is about: it ends when the
officer gives it, or an auditor says why he cannot.
"""

from collections.abc import Iterator
from dataclasses import replace

from seefen.client.audit.counting import PROVED
from seefen.client.audit.facts import Facts
from seefen.client.audit.rowing import case_name, reads_reason
from seefen.client.audit.store import Store
from seefen.client.engine import Engine
from seefen.client.explained import REASON, subject_of
from seefen.client.findings import EmergencyCase
from seefen.client.wording import counted, stamp

DAY = 86_400  # seconds from the first reading until its reason is due


def emergencies(
    engine: Engine, store: Store, start: int, stop: int | None
) -> Iterator[EmergencyCase]:
    """Yield the emergencies of a piece of the log, and all whose reason is overdue."""
    for readings in _readings(engine, store):
        before = [one for one in readings if stop is None or one.idx < stop]
        overdue = _emergency(engine, store, readings)
        if before and before[-1].idx >= start:
            yield replace(_emergency(engine, store, before), subject=overdue.subject)
        elif overdue.subject:
            yield overdue


def overdue(engine: Engine, store: Store) -> Iterator[tuple[str, str, str]]:
    """Yield the emergencies whose reason is overdue: what, a sentence, and its hash."""
    for readings in _readings(engine, store):
        one = _emergency(engine, store, readings)
        if one.subject:
            text = (
                f"{one.officer} of {one.node} gave no reason for the emergency in {one.case}, "
                f"since {stamp(one.at)}, {counted(one.readings, 'reading')}"
            )
            yield REASON, text, one.subject


def _readings(engine: Engine, store: Store) -> Iterator[list[Facts]]:
    """Yield the readings of each emergency, from the beginning of the log on.

    The reason is due from the first one on, whenever that was.
    """
    found: dict[tuple[str, str], list[Facts]] = {}
    for facts in store.each((PROVED, (("emergency", "1"),), (("act", "access"),))):
        found.setdefault((facts.device, facts.case_id), []).append(facts)
    yield from (one for one in found.values() if _is_case(engine, one[0].case_id))


def _emergency(engine: Engine, store: Store, readings: list[Facts]) -> EmergencyCase:
    first, last = readings[0], readings[-1]
    at = first.at // 1000
    due_at, reason_at = at + DAY, _reason_at(store, first)
    readable = reads_reason(engine, store, first)
    # One that is sealed to others may have been given: nobody here knows.
    late = reason_at is None and readable and due_at <= engine.now()
    # With the last reading: who reads on after it was explained has not been explained.
    what = (first.device, first.case_id, first.idx, last.idx, len(readings))
    return EmergencyCase(
        case=case_name(engine, first.case_id),
        node=first.node,
        officer=", ".join(first.officer.split()) or first.device[:8],
        at=at,
        readings=len(readings),
        due_at=due_at,
        reason_at=reason_at,
        readable=readable,
        subject=subject_of(REASON, *what) if late else "",
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
