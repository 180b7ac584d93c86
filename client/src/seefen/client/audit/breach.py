"""A breach: what a lost device, or a case, could have shown, to whom and until when.

What was opened is known from the log; what could have been opened follows from which keys were
handed over: a node that was removed keeps what it had. The clock of 72 hours (Directive (EU)
2016/680, Article 30) runs from when one became aware: when this was first asked here, unless
somebody states another time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeAlias

from seefen.client.audit.admission import Admission, admission
from seefen.client.audit.facts import Facts
from seefen.client.audit.filters import case_id
from seefen.client.audit.looking import Looking
from seefen.client.audit.rowing import case_name
from seefen.client.audit.store import Condition
from seefen.client.engine import Engine
from seefen.client.once import opened
from seefen.protocol.case import CaseState
from seefen.protocol.directory import BOX_ROLES
from seefen.protocol.errors import RefusedError, SeefenError
from seefen.protocol.statements import Assign, Case, Device, Release

CLOCK: Final = 72 * 3600
LEAST: Final = 8  # digits of a device's id: fewer are typed by mistake, and start a legal clock
_PROVED: Final[Condition] = (("proved", "yes"),)
Ends: TypeAlias = dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Former:
    """A node that was a member, and until when."""

    node: str
    until: int


@dataclass(frozen=True, slots=True)
class Exposed:
    """A case or channel whose key a device could hold, or that is asked about.

    Attributes:
        members: Nodes that are in it; ``former`` are those that were, and keep what they had.
        objects: Messages and files whose covers could be read.
        opened: Those whose bodies were opened or pushed, one by one.
        whole: An access to the whole case or channel: each body could be fetched while it held.
        renewed: A newer key than the device could hold is in use.
    """

    case: str
    form: str
    members: tuple[str, ...]
    former: tuple[Former, ...]
    objects: int
    opened: tuple[str, ...]
    whole: bool
    renewed: bool


@dataclass(frozen=True, slots=True)
class Reader:
    """Who opened what of a case, or to whom it was pushed."""

    node: str
    officer: str
    times: int
    last_at: int


@dataclass(frozen=True, slots=True)
class Breach:
    """What could be exposed.

    Attributes:
        own: The device is one of this node, whose admins can revoke it.
        since: When a case was opened; of a device 0, see ``admitted``.
        admitted: Where and when a device was let in; None for a case.
        until: 0 while the device is in force.
        aware_at: When one became aware; ``stated`` is when somebody stated that here, 0 if it is
            when this was first asked.
    """

    what: str
    node: str
    own: bool
    officer: str
    roles: tuple[str, ...]
    since: int
    admitted: Admission | None
    until: int
    exposed: tuple[Exposed, ...]
    readers: tuple[Reader, ...]
    tell: tuple[str, ...]
    aware_at: int
    stated: int
    due_at: int
    unknown: tuple[str, ...]


class Breaches(Looking):
    """Answers within a minute: from what this device has checked and kept."""

    async def breach(self, what: str, aware: int | None = None) -> tuple[Breach, ...]:
        """Return what a device (by id or officer) or a case could have exposed.

        Args:
            what: A case; an officer; or at least eight digits of a device's id.
            aware: When one became aware (unix seconds): sets the clock, and corrects it.

        Raises:
            UntrustedError: No auditor, or the log itself is not what was signed.
                ``unknown-case``: entries are about it, and this device knows no more.
            RefusedError: rule ``unknown-breach``: neither is known here; ``several-officers``;
                ``aware``: the time is to come, or before 1970.
        """
        fresh = await self.catch_up()
        engine = self._engine
        if aware is not None and not 0 < aware <= engine.now():
            raise RefusedError(
                "a time at which one became aware is over, and after 1970", rule="aware"
            )
        case, found = self._meant(what)

        def look() -> tuple[Breach, ...]:
            for name in [case] if case else [one.device.hex() for one in found]:
                self._begin(name, aware)
            if case:
                return (self._case(case, fresh),)
            return tuple(self._device(device, fresh) for device in found)

        stated = "" if aware is None else f", aware since {_utc(aware)}"
        return await self.entered(f"breach {what}{stated}", look, len)

    def _meant(self, what: str) -> tuple[str, tuple[Device, ...]]:
        """Return the case a text means, or the devices, all of one officer."""
        engine = self._engine
        try:
            case = case_id(engine, self.store, what)
            engine.trust.require_state(bytes.fromhex(case))  # before a legal clock starts
            return case, ()
        except RefusedError:
            found = tuple(_devices(engine, what))
        if not found:
            raise RefusedError(
                f"{what} is neither a case nor a device that is known here: give a case, an "
                f"officer, or at least {LEAST} digits of a device's id",
                rule="unknown-breach",
            )
        if len({(one.node, one.officer) for one in found}) > 1:
            # Each would be dated as a breach of its own, and one is meant.
            ids = ", ".join(f"{one.device.hex()[:12]} of {one.node}" for one in found)
            raise RefusedError(f"{what} fits several devices: {ids}", rule="several-officers")
        return "", found

    def _begin(self, what: str, aware: int | None) -> None:
        """Start the clock, unless it runs; or set it to what was stated."""
        vault, now = self._engine.vault, self._engine.now()
        if aware is not None:
            vault.put_number(f"breach/{what}", aware)
            vault.put_number(f"breach-stated/{what}", now)
        elif not vault.get_number(f"breach/{what}"):
            vault.put_number(f"breach/{what}", now)

    def _aware(self, what: str) -> tuple[int, int, int]:
        """Return when one became aware, when that was stated here, and when 72 hours are over."""
        vault = self._engine.vault
        at = vault.get_number(f"breach/{what}")
        return at, vault.get_number(f"breach-stated/{what}"), at + CLOCK

    # --- a device -------------------------------------------------------------------

    def _device(self, device: Device, fresh: bool) -> Breach:
        engine = self._engine
        ended = engine.directory.revoked(device.device)
        stop, until = self._ended(None if ended is None else ended.index)
        read = self._read(device)
        exposed: list[Exposed] = []
        for case in engine.vault.cases():
            state = engine.trust.require_state(case)
            if not _held(engine, state, device) and case.hex() not in read:
                continue
            names, whole = read.get(case.hex(), ((), False))
            left = _ends(engine, state).get(device.node, (stop, 0))[0]
            newest = state.generations[-1].position
            renewed = newest.index > left or (
                ended is not None and newest.authority_size > ended.index
            )
            exposed.append(
                self._exposed(state, names, whole=whole, stop=min(stop, left), renewed=renewed)
            )
        exposed.sort(key=_most_opened)  # not by their ids, which say nothing to a reader
        tell = {node for one in exposed for node in _to_tell(one)} | {device.node}
        return Breach(
            f"device {device.device.hex()[:8]}", device.node, device.node == engine.node,
            device.officer, device.roles, 0, admission(engine, self.store, device.device), until,
            tuple(exposed), (),
            tuple(sorted(tell)), *self._aware(device.device.hex()),
            self._unknown(fresh, device.node),
        )  # fmt: skip

    def _ended(self, index: int | None) -> tuple[int, int]:
        """Return the place in the log, and the time, where a revocation was in force for sure."""
        if index is None:
            return self.head, 0
        sql = (
            "SELECT idx, at FROM entry WHERE authority_size > ? AND at IS NOT NULL"
            " ORDER BY idx LIMIT 1"
        )
        row = self._engine.vault.one(sql, index)
        return (self.head, self._engine.now()) if row is None else (int(row[0]), int(row[1]))

    def _read(self, device: Device) -> dict[str, tuple[tuple[str, ...], bool]]:
        """Return what a device opened or was sent, by case."""
        found: dict[str, tuple[list[str], bool]] = {}
        id_ = device.device
        asked: tuple[Condition, ...] = (
            _PROVED, (("device", id_.hex()), ("officer", device.officer)),
            (("act", "access"), ("act", "release")),
        )  # fmt: skip
        for facts in self.store.each(asked):
            if facts.act == "access" and facts.device != id_.hex():
                continue
            if facts.act == "release" and id_ not in self._pushed(facts.idx):
                continue
            names, whole = found.get(facts.case_id, ([], False))
            name = self._named(facts) if facts.object else ""
            if name and name not in names:
                names.append(name)
            found[facts.case_id] = names, whole or not facts.object
        return {case: (tuple(names), whole) for case, (names, whole) in found.items()}

    def _named(self, facts: Facts) -> str:
        """Return the reference of what was opened; by its id, for its number is the broker's."""
        sql = "SELECT n FROM object WHERE object = ?"
        row = self._engine.vault.one(sql, bytes.fromhex(facts.object))
        number = facts.n if row is None else row[0]
        return f"{case_name(self._engine, facts.case_id)}#{number}"

    def _pushed(self, index: int) -> tuple[bytes, ...]:
        item = self.store.item(index)
        try:
            release = None if item is None else opened(item.envelope, item.kind).statement
        except SeefenError:
            return ()
        return release.devices if isinstance(release, Release) else ()

    def _exposed(
        self, state: CaseState, names: tuple[str, ...], *, whole: bool, stop: int, renewed: bool
    ) -> Exposed:
        sql = "SELECT count(*) FROM object WHERE case_id = ? AND idx < ?"
        row = self._engine.vault.one(sql, state.case, stop)
        count = 0 if row is None else int(row[0])
        name = self._engine.name_of(state)
        ends = _ends(self._engine, state)
        former = tuple(Former(node, at) for node, (_, at) in sorted(ends.items()))
        return Exposed(name, state.form, state.members, former, count, names, whole, renewed)

    # --- a case ---------------------------------------------------------------------

    def _case(self, case: str, fresh: bool) -> Breach:
        engine = self._engine
        state = engine.trust.require_state(bytes.fromhex(case))
        asked: tuple[Condition, ...] = (
            _PROVED, (("case_id", case),), (("act", "access"), ("act", "release")),
        )  # fmt: skip
        readers: dict[tuple[str, str], tuple[int, int]] = {}
        names: dict[str, None] = {}
        for facts in self.store.each(asked):
            for officer in facts.officer.split() or [""]:
                times, _ = readers.get((facts.node, officer), (0, 0))
                readers[facts.node, officer] = times + 1, facts.at // 1000
            if facts.object:
                names[self._named(facts)] = None
        exposed = self._exposed(state, tuple(names), whole=False, stop=self.head, renewed=False)
        known = tuple(Reader(*who, *count) for who, count in sorted(readers.items()))
        return Breach(
            engine.name_of(state), state.owner, state.owner == engine.node, "", (),
            state.opened_at.at, None, 0, (exposed,), known, _to_tell(exposed), *self._aware(case),
            self._unknown(fresh, state.owner),
        )  # fmt: skip

    def _unknown(self, fresh: bool, node: str) -> tuple[str, ...]:
        said = ["what somebody copied, photographed or told after he had opened it"]
        if not fresh:
            said.append("what happened since this device last reached the broker")
        if node != self._engine.node:
            said.append(f"what {node} did in cases that are not your node's: ask its auditors")
        return tuple(said)


def _devices(engine: Engine, text: str) -> Iterator[Device]:
    """Yield the devices of an officer, or those whose id begins so."""
    low = text.lower()
    directory = engine.directory
    for node in directory.nodes():
        for one in directory.devices(node):
            begins = len(low) >= LEAST and one.device.hex().startswith(low)
            if begins or (one.officer and text == one.officer):  # an agent has no officer
                yield one


def _ends(engine: Engine, state: CaseState) -> Ends:
    """Return of each node that was removed where in the log, and when, its membership ended."""
    ends: Ends = {}
    versions = {version.version: version for version in state.versions}
    for entry in engine.vault.entries(state.case, "case"):
        if entry.envelope is None:
            continue
        version = opened(entry.envelope, "case").statement
        if not isinstance(version, Case) or versions.get(version.version) != version:
            continue
        now = {member.node for member in version.members}
        before = versions.get(version.version - 1, version)
        gone = {member.node for member in before.members} - now
        ends |= dict.fromkeys(gone, (entry.index, entry.at or 0))
        ends = {node: end for node, end in ends.items() if node not in now}
    return ends


def _most_opened(one: Exposed) -> tuple[int, str]:
    return -len(one.opened), one.case


def _to_tell(exposed: Exposed) -> tuple[str, ...]:
    return (*exposed.members, *(one.node for one in exposed.former))


def _utc(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%MZ")


def _held(engine: Engine, state: CaseState, device: Device) -> bool:
    """Tell whether a device could hold a key of a case: by its role, or because it was handed."""
    if state.was_member(device.node) and BOX_ROLES[state.box] & set(device.roles):
        return True
    for entry in engine.vault.entries(state.case, "assign", "casekey"):
        if entry.kind == "casekey" and entry.device == device.device:
            return True
        if entry.kind == "assign" and entry.envelope is not None:
            assign = opened(entry.envelope, "assign").statement
            if isinstance(assign, Assign) and device.device in {w.device for w in assign.devices}:
                return True
    return False
