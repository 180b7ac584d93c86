"""A breach: what a lost device, or a case, could have shown, to whom and until when.

What was opened is known from the log; what could have been opened follows from which keys were
handed over. The clock of 72 hours (Directive (EU) 2016/680, Article 30) starts when this is
first asked here: somebody has become aware then.
"""

from dataclasses import dataclass
from typing import Final

from seefen.client.audit.filters import case_id, devices
from seefen.client.audit.looking import Looking
from seefen.client.audit.rowing import case_name
from seefen.client.audit.store import Condition
from seefen.client.engine import Engine
from seefen.client.once import opened
from seefen.protocol.case import CaseState
from seefen.protocol.directory import BOX_ROLES
from seefen.protocol.errors import RefusedError, SeefenError
from seefen.protocol.statements import Assign, Device, Release

CLOCK: Final = 72 * 3600
_PROVED: Final[Condition] = (("proved", "yes"),)


@dataclass(frozen=True, slots=True)
class Exposed:
    """A case or channel whose key a device could hold, or that is asked about.

    Attributes:
        objects: Messages and files whose covers could be read.
        opened: Those whose bodies were opened or pushed, one by one.
        whole: An access to the whole case or channel: each body could be fetched while it held.
        renewed: A newer key than the device could hold is in use.
    """

    case: str
    form: str
    members: tuple[str, ...]
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
    """What could be exposed. ``until`` is 0 while the device is in force."""

    what: str
    node: str
    officer: str
    roles: tuple[str, ...]
    since: int
    until: int
    exposed: tuple[Exposed, ...]
    readers: tuple[Reader, ...]
    tell: tuple[str, ...]
    aware_at: int
    due_at: int
    unknown: tuple[str, ...]


class Breaches(Looking):
    """Answers within a minute: from what this device has checked and kept."""

    async def breach(self, what: str) -> tuple[Breach, ...]:
        """Return what a device (by id or officer) or a case could have exposed.

        Raises:
            UntrustedError: No auditor, or the log itself is not what was signed.
            RefusedError: rule ``unknown-breach``: neither is known here.
        """
        fresh = await self.catch_up()
        engine = self._engine
        found: tuple[str, ...] = ()
        case = ""
        try:
            case = case_id(engine, self.store, what)
        except RefusedError:
            try:
                found = devices(engine, what)
            except RefusedError:
                raise RefusedError(
                    f"{what} is neither a case nor a device that is known here",
                    rule="unknown-breach",
                ) from None

        def look() -> tuple[Breach, ...]:
            if case:
                return (self._case(case, fresh),)
            known = (engine.directory.device(bytes.fromhex(one)) for one in found)
            return tuple(self._device(device, fresh) for device in known)

        return await self.entered(f"breach {what}", look, len)

    def _aware(self, what: str) -> tuple[int, int]:
        vault, name = self._engine.vault, f"breach/{what}"
        at = vault.get_number(name)
        if not at:
            at = self._engine.now()
            vault.put_number(name, at)
        return at, at + CLOCK

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
            renewed = (
                ended is not None and state.generations[-1].position.authority_size > ended.index
            )
            exposed.append(self._exposed(state, names, whole=whole, stop=stop, renewed=renewed))
        aware, due = self._aware(device.device.hex())
        tell = {node for one in exposed for node in one.members} | {device.node}
        return Breach(
            f"device {device.device.hex()[:8]}", device.node, device.officer, device.roles,
            device.starts, until, tuple(exposed), (), tuple(sorted(tell)), aware, due,
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
            name = f"{case_name(self._engine, facts.case_id)}#{facts.n}" if facts.object else ""
            if name and name not in names:
                names.append(name)
            found[facts.case_id] = names, whole or not facts.object
        return {case: (tuple(names), whole) for case, (names, whole) in found.items()}

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
        return Exposed(name, state.form, state.members, count, names, whole, renewed)

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
                names[f"{engine.name_of(state)}#{facts.n}"] = None
        aware, due = self._aware(case)
        exposed = self._exposed(state, tuple(names), whole=False, stop=self.head, renewed=False)
        known = tuple(Reader(*who, *count) for who, count in sorted(readers.items()))
        return Breach(
            engine.name_of(state), state.owner, "", (), state.opened_at.at, 0, (exposed,), known,
            state.members, aware, due, self._unknown(fresh, state.owner),
        )  # fmt: skip

    def _unknown(self, fresh: bool, node: str) -> tuple[str, ...]:
        said = ["what somebody copied, photographed or told after he had opened it"]
        if not fresh:
            said.append("what happened since this device last reached the broker")
        if node != self._engine.node:
            said.append(f"what {node} did in cases that are not your node's: ask its auditors")
        return tuple(said)


def _held(engine: Engine, state: CaseState, device: Device) -> bool:
    """Tell whether a device could hold a key of a case: by its role, or because it was handed."""
    if device.node in state.members and BOX_ROLES[state.box] & set(device.roles):
        return True
    for entry in engine.vault.entries(state.case, "assign", "casekey"):
        if entry.kind == "casekey" and entry.device == device.device:
            return True
        if entry.kind == "assign" and entry.envelope is not None:
            assign = opened(entry.envelope, "assign").statement
            if isinstance(assign, Assign) and device.device in {w.device for w in assign.devices}:
                return True
    return False
