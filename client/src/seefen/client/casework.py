"""Cases and channels: open, add, remove, assign, hand over."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from seefen.client import keying
from seefen.client.engine import HOUSE, Engine
from seefen.client.rosters import WORK
from seefen.client.sender import Parcel, Sender
from seefen.client.values import CaseView
from seefen.client.views import case_view, title_of
from seefen.protocol import keys as handed
from seefen.protocol.case import CaseState, may_read, members_after
from seefen.protocol.errors import OutOfTurnError, RefusedError
from seefen.protocol.messages import CaseTitle, encode_message
from seefen.protocol.objects import seal_title
from seefen.protocol.statements import Assign, Case, DeviceWrap, Member
from seefen.protocol.suite import new_id, random_bytes, sha256

_AT_ONCE: Final = 32  # generations in a bundle, which holds 64 statements


class Casework:
    """Changes of cases; a channel is a case whose keys go to the alert mailboxes."""

    def __init__(self, engine: Engine, sender: Sender) -> None:
        self._engine = engine
        self._sender = sender
        self.permit: Callable[[CaseState | None, Sequence[str]], None] = _anybody

    def find(self, number: str, form: str | None = None) -> CaseState:
        """Return a case by number, or a channel by name.

        Raises:
            RefusedError: rule ``unknown-case``.
        """
        name, _, owner = number.partition("@")
        known = self._engine.named(name)
        if known is not None and not owner:
            state = self._engine.trust.require_state(known)
            if form in (None, state.form):
                return state
        for case in self._engine.vault.cases():
            state = self._engine.trust.require_state(case)
            if (state.number, state.owner) == (name, owner) and form in (None, state.form):
                return state
        kind = "channel" if form == "channel" else "case"
        raise RefusedError(
            f"this device knows no {kind} {number}; it may not have been synced",
            rule="unknown-case",
        )

    def find_object(self, ref: str) -> tuple[CaseState, int]:
        """Return case and number that a reference ``CASE#n`` names.

        Raises:
            RefusedError: rule ``reference`` or ``unknown-case``.
        """
        case, _, number = ref.partition("#")
        if not number.isdecimal():
            raise RefusedError(f"{ref!r} is no reference: write CASE#number", rule="reference")
        return self.find(case), int(number)

    def states(self, form: str) -> list[CaseState]:
        """Return all cases, or all channels, by number."""
        states = map(self._engine.trust.require_state, self._engine.vault.cases())
        return sorted((s for s in states if s.form == form), key=lambda s: s.number)

    def is_house(self, state: CaseState) -> bool:
        """Tell whether a channel is the house of the own node.

        Nobody else can open one that is taken for it: it is ours, and we are alone in it.
        """
        own = (self._engine.node,)
        return (state.form, state.number, state.members) == ("channel", HOUSE, own)

    async def open(self, form: str, number: str, title: str, members: tuple[str, ...]) -> CaseView:
        """Open a case or a channel; its own node is the owner.

        Raises:
            RefusedError: No ``lead``, an unknown member, a name that is taken.
        """
        engine = self._engine
        if (form, number) == ("channel", HOUSE) and members:
            raise RefusedError(
                f"{HOUSE} is the name of your node's own channel: choose another", rule="house"
            )
        async with engine.lock:
            await keying.refresh(engine)
            self._check_members(members)
            self.permit(None, members)
            nodes = (engine.node, *sorted(set(members) - {engine.node}))
            case = new_id()
            for again in range(100):
                name = number or self._next_number(again)
                try:
                    await self._sender.send(partial(_open, engine, case, form, name, title, nodes))
                except OutOfTurnError as err:
                    if err.rule != "case-number" or number:
                        raise
                    await engine.sync()
                    continue
                return case_view(engine, engine.trust.require_state(case))
        raise RefusedError("no free case number was found", rule="case-number")

    async def change(
        self, number: str, form: str, *, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()
    ) -> CaseView:
        """Add or remove members: the next version and the next key, together or not at all."""
        engine = self._engine
        async with engine.lock:
            await keying.refresh(engine)
            self._check_members(add)
            state = self.find(number, form)
            if self.is_house(state):
                raise RefusedError(
                    "the house is your node's alone: open a channel for others", rule="house"
                )
            self.permit(state, add)
            case = state.case

            def make(parcel: Parcel) -> None:
                _change(engine, parcel, engine.trust.require_state(case), add, remove)

            await self._sender.send(make)
            return case_view(engine, engine.trust.require_state(case))

    async def assign(self, number: str, devices: tuple[bytes, ...]) -> None:
        """Hand a case to devices of the own node: its newest key, and those before it.

        What this device may read, they read as well: whoever is given a case without what was
        asked in it cannot work on it.

        Raises:
            RefusedError: This device holds no key of the case.
        """
        engine = self._engine
        async with engine.lock:
            await keying.refresh(engine)
            case = self.find(number, "case").case
            for device in map(engine.directory.device, devices):
                if not WORK & set(device.roles):
                    raise RefusedError(
                        f"{device.officer or device.device.hex()[:8]} is "
                        f"{', '.join(device.roles)} and works on no case: a field device does",
                        rule="role",
                    )

            state = engine.trust.require_state(case)
            keying.require_writer(engine, state)
            handed_over = _missing(engine, state, devices)
            for start in range(0, len(handed_over), _AT_ONCE):
                some = handed_over[start : start + _AT_ONCE]
                await self._sender.send(partial(_assign, engine, case, some))

    def _check_members(self, members: tuple[str, ...]) -> None:
        for node in members:
            reason = self._engine.directory.in_force(node, at=self._engine.now())
            if reason == "unknown-node":
                known = ", ".join(self._engine.directory.nodes())
                raise RefusedError(f"there is no node {node}; known: {known}", rule="unknown-node")
            if reason is not None:
                raise RefusedError(f"{node} is {reason}", rule=reason)

    def _next_number(self, again: int) -> str:
        engine = self._engine
        code = engine.directory.node(engine.node).code
        prefix = f"SF-{keying.unix_year(engine.now())}-{code}-"
        used = [s.number for s in self.states("case") if s.number.startswith(prefix)]
        newest = max((int(number[-5:]) for number in used), default=0)
        return f"{prefix}{newest + 1 + again:05d}"


def _anybody(_state: CaseState | None, _nodes: Sequence[str]) -> None:
    """Let any node in; the client puts the pair policy here."""


def _open(
    engine: Engine,
    case: bytes,
    form: str,
    number: str,
    title: str,
    nodes: tuple[str, ...],
    parcel: Parcel,
) -> None:
    key = random_bytes(32)
    bare = parcel.activity(
        Case,
        "case",
        case,
        version=1,
        prev=bytes(32),
        form=form,
        number=number,
        members=tuple(Member(node, 1) for node in nodes),
        title=b"",
        retain_until=0,
    )
    statement = seal_title(bare, key, encode_message(CaseTitle(title=title)))
    parcel.add(statement)
    keying.add_generation(
        engine,
        parcel,
        case=case,
        form=form,
        members=nodes,
        case_version=1,
        gen=1,
        prev=bytes(32),
        reason="open",
        before=None,
        link=False,
        key=key,
    )


def _change(
    engine: Engine, parcel: Parcel, state: CaseState, add: tuple[str, ...], remove: tuple[str, ...]
) -> None:
    members = members_after(state, add=add, remove=remove)
    generation = state.generation
    before = keying.require_writer(engine, state)
    title = title_of(engine, state) or (state.number if state.form == "channel" else "")
    if not title:
        # It would be sealed anew, and empty, for everybody.
        raise RefusedError(
            f"this device cannot read the title of {state.number}: another lead changes it",
            rule="d-no-key",
        )
    key = random_bytes(32)
    bare = parcel.activity(
        Case,
        "case",
        state.case,
        version=state.version + 1,
        prev=state.case_hash,
        form=state.form,
        number=state.number,
        members=members,
        title=b"",
        retain_until=state.head.retain_until,
    )
    parcel.add(seal_title(bare, key, encode_message(CaseTitle(title=title))), tag_key=before)
    since = generation.position.authority_size
    covered = state.covered(generation.gen, engine.directory)
    quiet = not any(engine.directory.revoked_since(node, since) for node in state.members) and all(
        engine.directory.in_force(node, at=engine.now()) is None for node in covered
    )
    keying.add_generation(
        engine,
        parcel,
        case=state.case,
        form=state.form,
        members=tuple(member.node for member in members),
        case_version=state.version + 1,
        gen=generation.gen + 1,
        prev=generation.hash,
        reason="members",
        before=before,
        link=bool(add) and not remove and quiet,
        key=key,
    )


def _missing(
    engine: Engine, state: CaseState, devices: tuple[bytes, ...]
) -> list[tuple[int, tuple[bytes, ...]]]:
    """Return the generations to hand over, the newest first, each with who has it not yet."""
    position, ours = keying.here(engine), engine.keys.device

    def reads(device: bytes, gen: int) -> bool:
        return may_read(state, engine.directory, device, gen, position)

    found = [(state.generation.gen, devices)]
    for gen in range(state.generation.gen - 1, 0, -1):
        needing = tuple(device for device in devices if not reads(device, gen))
        # Nobody hands on what he may not read himself, as from before his node was a member.
        if needing and reads(ours, gen) and engine.case_key(state.case, gen) is not None:
            found.append((gen, needing))
    return found


def _assign(
    engine: Engine, case: bytes, handed_over: list[tuple[int, tuple[bytes, ...]]], parcel: Parcel
) -> None:
    state = engine.trust.require_state(case)
    newest = keying.require_writer(engine, state)
    for gen, devices in handed_over:
        key = engine.case_key(case, gen)
        if key is None:
            raise RefusedError("this device holds that key no more", rule="d-no-key")
        wraps: list[DeviceWrap] = []
        for device in devices:
            found = engine.directory.require_active(device, at=engine.now())
            wrap = handed.wrap_case_key(
                key,
                found.kem,
                state.generations[gen - 1].statement,
                purpose=handed.CASE_DEVICE,
                author=engine.keys.device,
            )
            parcel.wraps.append(wrap)
            wraps.append(DeviceWrap(device, sha256(wrap)))
        statement = parcel.activity(Assign, "assign", case, gen=gen, devices=tuple(wraps))
        parcel.add(statement, tag_key=newest)
