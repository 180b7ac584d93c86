"""The register: what was disclosed by whom to whom; and the record of processing (Article 24)."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from seefen.client.audit.rowing import case_name
from seefen.client.audit.store import Condition, Store
from seefen.client.engine import Engine

_DISCLOSED: Final[tuple[Condition, ...]] = ((("op", "disclose"),), (("proved", "yes"),))
_READ: Final[tuple[Condition, ...]] = ((("op", "consult"),), (("proved", "yes"),))
CASES: Final = 5  # that a line of the register names
SECURITY: Final = (
    "content is sealed from device to device; the broker cannot read it",
    "no body is disclosed before a signed entry about it stands in the log",
    "each entry is checked on the auditor's machine against a root that only grows",
    "reasons and searches are sealed to auditors",
    "a lost device is revoked by any officer of its node, and keys are renewed after it",
)


@dataclass(frozen=True, slots=True)
class Disclosed:
    """What one node disclosed to another: messages and files, keys, and who let it be read.

    Attributes:
        objects: Messages and files that the receiver may read.
        keys: Hand-overs of keys of a case or to a device.
        pushed: Releases to devices on watch.
    """

    node: str
    to: str
    objects: int
    keys: int
    pushed: int
    first_at: int
    last_at: int
    cases: tuple[str, ...]
    more_cases: int


@dataclass(slots=True)
class _Line:
    objects: int = 0
    keys: int = 0
    pushed: int = 0
    times: list[int] = field(default_factory=list[int])
    cases: set[str] = field(default_factory=set[str])


def disclosures(
    engine: Engine, store: Store, start: int = 0, stop: int | None = None
) -> tuple[Disclosed, ...]:
    """Return who disclosed to whom, node by node; what stays in a node is no disclosure."""
    lines: dict[tuple[str, str], _Line] = defaultdict(_Line)
    for facts in store.each(_DISCLOSED, start=start, stop=stop):
        node, act = facts.node, facts.act
        for to in facts.recipient.split():
            if act == "release":
                node = _owner(engine, facts.case_id) or node
            if to == node:
                continue
            line = lines[node, to]
            line.objects += act == "object"
            line.pushed += act == "release"
            line.keys += act in ("casekey", "assign")
            at = facts.at // 1000
            line.times = [min([*line.times, at]), max([*line.times, at])]
            line.cases.add(facts.case_id)
    found: list[Disclosed] = []
    for (node, to), line in sorted(lines.items()):
        names = sorted(case_name(engine, case) for case in line.cases)
        found.append(
            Disclosed(
                node,
                to,
                line.objects,
                line.keys,
                line.pushed,
                line.times[0],
                line.times[1],
                tuple(names[:CASES]),
                max(0, len(names) - CASES),
            )
        )
    return tuple(found)


def _owner(engine: Engine, case: str) -> str:
    state = engine.trust.state(bytes.fromhex(case)) if case else None
    return "" if state is None else state.owner


@dataclass(frozen=True, slots=True)
class Processing:
    """The record of processing activities of a node (Directive (EU) 2016/680, Article 24).

    ``earliest_end`` and ``latest_end`` (Unix seconds) are of the cases that have a date for
    erasure, 0 where none has; ``endless`` have none.
    What no log knows (the name and address of the controller and of his data protection
    officer, his retention rules) is named in ``missing``: a person fills it in.
    """

    node: str
    network: str
    purposes: tuple[tuple[str, int], ...]
    bases: tuple[tuple[str, int], ...]
    recipients: tuple[str, ...]
    cases: int
    channels: int
    earliest_end: int
    latest_end: int
    endless: int
    devices: tuple[tuple[str, int], ...]
    profiling: str
    security: tuple[str, ...]
    missing: tuple[str, ...]
    entries: int
    head: int
    at: int


MISSING: Final = (
    "name and address of the controller and of the data protection officer",
    "categories of persons and of data: the messages say it, and the log does not",
    "time limits for erasure that your law sets beside those of each case",
    "transfers to third countries outside this network",
)


def processing(engine: Engine, store: Store, start: int = 0, stop: int | None = None) -> Processing:
    """Return what the log and the directory know of the record of processing of the own node."""
    purposes: dict[str, int] = defaultdict(int)
    bases: dict[str, int] = defaultdict(int)
    own: tuple[Condition, ...] = (*_READ, (("node", engine.node),))
    for facts in store.each(own, start=start, stop=stop):
        if facts.act in ("access", "search") and not facts.is_look:
            purposes[facts.purpose] += 1
            bases[facts.basis] += 1
    states = [engine.trust.require_state(case) for case in engine.vault.cases()]
    ends = [state.head.retain_until for state in states if state.form == "case"]
    dated = [end for end in ends if end]
    roles: dict[str, int] = defaultdict(int)
    for device in engine.directory.devices(engine.node):
        if engine.directory.is_active(device.device, at=engine.now()):
            for role in device.roles:
                roles[role] += 1
    recipients = {node for state in states for node in state.members} - {engine.node}
    return Processing(
        node=engine.node,
        network=engine.directory.root.name,
        purposes=_most(purposes),
        bases=_most(bases),
        recipients=tuple(sorted(recipients)),
        cases=len(ends),
        channels=len(states) - len(ends),
        earliest_end=min(dated, default=0),
        latest_end=max(dated, default=0),
        endless=len(ends) - len(dated),
        devices=tuple(sorted(roles.items())),
        profiling="none: what the program finds by itself is a lead for an officer",
        security=SECURITY,
        missing=MISSING,
        entries=store.count[0],
        head=engine.trust.head("activity").size,
        at=engine.now(),
    )


def _most(counted: dict[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])))
