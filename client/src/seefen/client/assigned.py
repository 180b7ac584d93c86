"""Who has a case: to which officers it was assigned, by whom and when."""

from collections.abc import Iterator
from typing import TypeAlias

from seefen.client import missing
from seefen.client.engine import Engine
from seefen.client.values import AssignedView
from seefen.protocol.case import CaseState, Position, may_read
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import RefusedError
from seefen.protocol.statements import Assign

Holders: TypeAlias = tuple[AssignedView, ...]


def holders(engine: Engine, state: CaseState) -> Holders:
    """Return to whom of the own node a case is assigned under its newest key, newest first.

    Devices that are out of force are left out: nobody is waited for who cannot read it.
    """
    gens, directory, at = frozenset(_back(state)), engine.directory, engine.now()
    found: dict[str, AssignedView] = {}
    for entry in reversed(list(engine.vault.entries(state.case, "assign"))):
        if entry.envelope is None:
            continue
        statement = open_envelope(entry.envelope, "assign").statement
        if not isinstance(statement, Assign) or statement.gen not in gens:
            continue
        by = directory.device(statement.device)
        for wrap in statement.devices:
            device = directory.device(wrap.device)
            ours = device.node == engine.node and directory.is_active(device.device, at=at)
            if ours and device.officer not in found:
                found[device.officer] = AssignedView(device.officer, by.officer, entry.at or 0)
    return tuple(found.values())


def _back(state: CaseState) -> Iterator[int]:
    """Yield the generations from which a device that was named walks on to the newest."""
    for generation in reversed(state.generations):
        yield generation.gen
        if not generation.statement.link:
            return


def heirs(engine: Engine, state: CaseState) -> tuple[bytes, ...]:
    """Return the devices of the own node that had a case, and have its newest key not.

    Those it was assigned to, and those that made a key of it, since the node is a member: what
    they had before it left ended with that. Who is out of force inherits nothing.
    """
    position = Position(engine.directory.size, state.position.index, engine.now())
    directory, gen, named = engine.directory, state.generation.gen, set[bytes]()
    members = {one.version: {member.node for member in one.members} for one in state.versions}
    for generation in reversed(state.generations):
        if engine.node not in members.get(generation.statement.case_version, ()):
            break
        named |= {generation.statement.device, *state.assigned.get(generation.gen, ())}
    return tuple(
        device
        for device in sorted(named)
        if directory.device(device).node == engine.node
        and directory.is_active(device, at=position.at)
        and not may_read(state, directory, device, gen, position)
    )


def is_lapsed(engine: Engine, state: CaseState) -> bool:
    """Tell whether this device had a case, until its key was renewed without it."""
    newest = state.generation.gen if state.generations else 0
    ours = engine.keys.device
    return (
        bool(newest)
        and engine.case_key(state.case, newest) is None
        and any(ours in devices for gen, devices in state.assigned.items() if gen < newest)
    )


def assigned_before(engine: Engine, case: bytes, device: bytes, index: int) -> bool:
    """Tell whether a case was handed to a device of the own node before an entry of the log."""
    for entry in engine.vault.entries(case, "assign", "casekey"):
        if entry.index >= index:
            return False
        if entry.kind == "casekey" and entry.device == device:
            return True  # who makes a key has it
        if entry.kind == "assign" and entry.envelope is not None:
            statement = open_envelope(entry.envelope, "assign").statement
            named = isinstance(statement, Assign) and any(
                wrap.device == device for wrap in statement.devices
            )
            if named:
                return True
    return False


def no_key(engine: Engine, state: CaseState, number: int) -> RefusedError:
    """Return why this device holds no key of a message, and what helps."""
    rule = "d-no-key"
    if missing.hides_key(engine.vault, state.case):
        rule, why = "withheld", "the broker has withheld one, which is asked for at each sync"
    elif is_lapsed(engine, state):
        why = (
            "its key was renewed since the case was assigned to you; a keyholder's client "
            "that stays hands it on, so call a keyholder"
        )
    else:
        why = "it was sent before your node or device was let in, or after it was removed"
    name = f"{state.number}#{number}"
    return RefusedError(f"this device holds no key of {name}: {why}", rule=rule)
