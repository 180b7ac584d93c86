"""The monthly statement (Directive (EU) 2016/680, Article 25): one value for screen, CSV and PDF.

What could not be checked stands on it like what could: a statement that is silent about it
promises too much.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from seefen.client.alarms import Kept
from seefen.client.audit.erasing import YEARS, erasures
from seefen.client.audit.filters import month as months
from seefen.client.audit.flags import Flag
from seefen.client.audit.looking import Looking
from seefen.client.audit.register import Disclosed, disclosures
from seefen.client.audit.rowing import reads_reason
from seefen.client.audit.store import Condition
from seefen.client.engine import Engine
from seefen.client.explained import Finding
from seefen.client.findings import Cosigned, EmergencyCase, Verdict
from seefen.client.wording import counted, day, stamp

Lines: TypeAlias = tuple[tuple[str, str], ...]

OPERATIONS: Final = {
    "collect": "collection",
    "consult": "consultation, with searches",
    "disclose": "disclosure, with transfers and keys",
    "alter": "alteration",
}
NO_ENTRY: Final = (
    ("combination", "not possible with this program"),
    ("erasure", "in vaults, confirmed by message (ErasureConfirm); it leaves no entry of its own"),
)
ALWAYS: Final = (
    "what a person copied, photographed or told after he had opened it",
    "whether a reason is true: the log proves that it was given, when, and by which device",
    "who stands behind a pseudonym: your node alone knows",
)

# An auditor who is shown no flag must know what was never looked for.
NOT_LOOKED_FOR: Final = (
    "readings of what concerns the reader himself, his colleagues or persons of public interest",
    "bodies that were opened and closed at once, and exports of many in one go",
    "a reading that was refused first and allowed soon after",
)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the statement: names and figures."""

    title: str
    lines: Lines


@dataclass(frozen=True, slots=True)
class Statement:
    """The statement of a month; ``root`` is that of the checkpoint, in hex.

    Attributes:
        over: The month is; else the figures are those of its first days.
        by: Officer and device of whoever made it.
        verdict: ``IN ORDER``, or what stands against it; ``ok`` says which.
    """

    month: str
    node: str
    network: str
    filter: str
    head: int
    root: str
    at: int
    by: str
    over: bool
    cosigned: Cosigned
    ok: bool
    verdict: str
    sections: tuple[Section, ...]
    unchecked: tuple[str, ...]


def statement(
    looking: Looking, engine: Engine, verdict: Verdict, flags: tuple[Flag, ...]
) -> Statement:
    """Return the statement that a verdict over a month, and what is here, come to."""
    start, stop = looking.span(verdict.month)
    head = engine.trust.head("activity")
    register = disclosures(engine, looking.store, start, stop)
    return Statement(
        month=verdict.month,
        node=verdict.node,
        network=verdict.network,
        filter=f"all entries that {verdict.node} may see, {verdict.month} (UTC)",
        head=head.size,
        root=head.root.hex(),
        at=verdict.at,
        by=_maker(engine),
        over=months(verdict.month, verdict.at)[1] <= verdict.at,
        cosigned=verdict.cosigned,
        ok=verdict.ok,
        verdict=verdict.sentence,
        sections=(
            Section("Operations, proved entries", _operations(verdict)),
            *_witnesses(verdict.cosigned),
            Section("Counts", _counts(verdict)),
            Section("Consultations, node by node", _by_node(looking, start, stop)),
            Section("Purposes and legal bases", _why(looking, start, stop)),
            Section("Disclosures", _disclosed(register)),
            Section("Retention", _retention(engine)),
            Section("Emergencies, and the reasons for them", _emergencies(verdict)),
            Section("Flags: questions, no verdict on anybody", _flags(flags)),
            Section("Alarms, problems and gaps", _problems(verdict)),
            Section("Manifests of network auditors", (("compared", verdict.manifests.sentence),)),
        ),
        unchecked=(
            *verdict.limits,
            *_sealed(looking, engine, start, stop),
            *ALWAYS,
            *(f"no rule looks for it: {text}" for text in NOT_LOOKED_FOR),
        ),
    )


def _maker(engine: Engine) -> str:
    own = engine.directory.device(engine.keys.device)
    return ", ".join(filter(None, (own.officer, f"device {own.device.hex()}")))


def _operations(verdict: Verdict) -> Lines:
    found = tuple((OPERATIONS[op], str(count)) for op, count in verdict.operations)
    return (*found, *NO_ENTRY)


def _witnesses(value: Cosigned) -> Iterator[Section]:
    """Say who cosigned and who did not: the number alone does not tell whom to telephone."""
    if value.needed:
        signed = tuple((name, f"cosigned {value.size}") for name in value.signed)
        silent = tuple((name, "has not cosigned it") for name in value.silent)
        yield Section("Witnesses of the newest cosigned checkpoint", (*signed, *silent))


def _counts(verdict: Verdict) -> Lines:
    return (
        ("entries, whole log", f"{verdict.proved} of {verdict.entries} proved"),
        ("readings", str(verdict.readings)),
        ("searches of officers", str(verdict.searches)),
        ("automated cross-checks", str(verdict.cross_checks)),
        ("looks into the audit", str(verdict.audits)),
        ("refused", str(verdict.refused)),
        ("readings in emergencies", str(verdict.emergency)),
    )


def _by_node(looking: Looking, start: int, stop: int | None) -> Lines:
    readings: Counter[str] = Counter()
    persons: dict[str, set[str]] = {}
    asked: tuple[Condition, ...] = ((("act", "access"),), (("proved", "yes"),))
    for facts in looking.store.each(asked, start=start, stop=stop):
        readings[facts.node] += 1
        persons.setdefault(facts.node, set()).add(facts.officer)
    return tuple(
        (node, f"{count} by {counted(len(persons[node]), 'officer')}")
        for node, count in sorted(readings.items())
    ) or (("none", "0"),)


def _why(looking: Looking, start: int, stop: int | None) -> Lines:
    stated: Counter[tuple[str, str]] = Counter()
    asked: tuple[Condition, ...] = (
        (("act", "access"), ("act", "search")), (("proved", "yes"),),
    )  # fmt: skip
    for facts in looking.store.each(asked, start=start, stop=stop):
        if not facts.is_look:
            stated[facts.purpose, facts.basis] += 1
    found = sorted(stated.items(), key=_most)
    return tuple((f"{why} · {basis}", str(n)) for (why, basis), n in found) or (("none", "0"),)


def _most(pair: tuple[tuple[str, str], int]) -> tuple[int, tuple[str, str]]:
    return -pair[1], pair[0]


def _disclosed(register: tuple[Disclosed, ...]) -> Lines:
    return tuple(
        (
            f"{one.node} to {one.to}",
            f"{one.objects} sent, {one.pushed} pushed, {counted(one.keys, 'key')}",
        )
        for one in register
    ) or (("none", "0"),)


def _retention(engine: Engine) -> Lines:
    states = [engine.trust.require_state(case) for case in engine.vault.cases()]
    ends = {engine.name_of(s): s.head.retain_until for s in states if s.form == "case"}
    years = engine.vault.get_number(YEARS)
    gone = [f"{day(one.at)}, below entry {one.upto}" for one in erasures(engine.vault)]
    kept = f"{counted(years, 'year')} later" if years else "no end"
    return (
        ("readings are kept to the end of the year", kept),
        ("readings erased under retention", "; ".join(gone) or "none"),
        *ends_of(ends, engine.now()),
    )


def ends_of(ends: dict[str, int], now: int) -> Lines:
    """Return what is to be said of the ends of cases (Unix seconds, 0 for none)."""
    over = sorted(name for name, end in ends.items() if 0 < end < now)
    without = sum(end == 0 for end in ends.values())
    first = min((end for end in ends.values() if end >= now), default=0)
    return (
        ("cases known here", str(len(ends))),
        ("no date for erasure", counted(without, "case")),
        ("their time is over, and this vault still has them", ", ".join(over) or "none"),
        ("next end", day(first) if first else "none"),
    )


def _emergencies(verdict: Verdict) -> Lines:
    return tuple(
        (f"{one.officer} {one.node}, {one.case}", f"{stamp(one.at)}, "
         f"{counted(one.readings, 'reading')}; {_reason(one, verdict.at)}")
        for one in verdict.emergencies
    ) or (("none", "0"),)  # fmt: skip


def _reason(one: EmergencyCase, now: int) -> str:
    if one.reason_at is not None:
        return f"reason given {stamp(one.reason_at)}"
    if one.unknown:
        return one.unknown
    return "NO REASON GIVEN, overdue" if one.due_at <= now else "no reason yet, and not due yet"


def _flags(flags: tuple[Flag, ...]) -> Lines:
    found = tuple(
        (flag.name, f"{flag.who}: {flag.figure}; entries {', '.join(map(str, flag.entries))}")
        for flag in flags
    )
    return found or (("none", "0"),)


def _problems(verdict: Verdict) -> Lines:
    found = [(f"alarm {one.name}, {stamp(one.at)}", _alarm(one)) for one in verdict.alarms]
    found += [("problem", text) for text in verdict.problems]
    found += [("gap", text) for text in verdict.gaps]
    known = [one for one in verdict.findings if one.acknowledged]
    found += [(f"known {one.what} {one.name}", _alarm(one)) for one in known]
    return tuple(found) or (("none", "0"),)


def _alarm(one: Kept | Finding) -> str:
    if not one.acknowledged:
        return f"{one.sentence} (not acknowledged)"
    entry = "its entry leaves later" if one.entry is None else f"entry {one.entry}"
    return f"{one.sentence} (acknowledged {stamp(one.acknowledged)}, {entry}: {one.why})"


def _sealed(looking: Looking, engine: Engine, start: int, stop: int | None) -> tuple[str, ...]:
    """Return how many reasons and searches this device could not read."""
    unread: Counter[str] = Counter()
    asked: tuple[Condition, ...] = (
        (("act", "access"), ("act", "search")), (("proved", "yes"),),
    )  # fmt: skip
    for facts in looking.store.each(asked, start=start, stop=stop):
        unread[facts.act] += not reads_reason(engine, looking.store, facts)
    found: list[str] = []
    if unread["access"]:
        of = counted(unread["access"], "reading")
        found.append(f"the reasons of {of}: not sealed to this device")
    if unread["search"]:
        by = counted(unread["search"], "entry", "entries")
        found.append(f"what was searched for by {by}: not sealed to this device")
    return tuple(found)
