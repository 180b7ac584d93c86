"""Emergencies as the log has them: who holds a case through one, until it is assigned to him.

A device that asked for a case in an emergency says so with each reading in it, from the
first one on. That ends when a keyholder hands it the case anew, as any other; a renewed key
that is handed on ends nothing.
"""

from collections.abc import Iterator
from typing import Final

from seefen.client.engine import Engine
from seefen.client.views import Row, rows
from seefen.protocol.case import CaseState
from seefen.protocol.envelope import open_envelope
from seefen.protocol.messages import EmergencyOpened
from seefen.protocol.statements import Assign

NOTICES: Final = "case_id = ? AND idx > ? AND cover IS NOT NULL AND NOT file AND instr(cover, ?)"


def urgent_of(case: bytes) -> str:
    """Return what the vault holds while readings in a case are an emergency's."""
    return f"urgent/{case.hex()}"


def emergency_of(case: bytes) -> str:
    """Return what the vault holds while the reason for an emergency is due."""
    return f"emergency/{case.hex()}"


def told(engine: Engine, state: CaseState, since: int = -1) -> Row | None:
    """Return with which object the members were told of the emergency of this device.

    Args:
        since: The entry of the question; what stands before it is of another.
    """
    given = list(_given(engine, state))
    if not given:
        return None
    upto, _, by = given[-1]
    named = EmergencyOpened.TYPE.encode()
    found = [
        row
        for row in rows(engine, NOTICES, state.case, since, named)
        if row.index < upto and row.statement.node == engine.node and _is_ours(engine, row)
    ]
    # While it is closed, whom it names is not known: the last of who handed over the key.
    return max(found, key=lambda row: (row.statement.device == by, row.index), default=None)


def is_urgent(engine: Engine, state: CaseState) -> bool:
    """Tell whether what this device reads in a case, it reads in an emergency.

    What is no emergency any more, or came to be none, is asked no second time.
    """
    if engine.vault.get(urgent_of(state.case)) is None:
        return False
    if engine.case_key(state.case, state.generation.gen) is None:
        return False  # not granted yet: what he reads, he reads by an older assignment
    notice = told(engine, state)
    if notice is not None:
        # With the newest key go those before it, and a renewed one is handed on: each once. The
        # same one twice is of another assignment.
        after = [gen for index, gen, _ in _given(engine, state) if index > notice.index]
        if len(after) == len(set(after)):
            return True
    engine.vault.run("DELETE FROM setting WHERE name = ?", urgent_of(state.case))
    return False


def _given(engine: Engine, state: CaseState) -> Iterator[tuple[int, int, bytes]]:
    """Yield the entries that handed the case to this device: index, generation, and whose."""
    ours = engine.keys.device
    for entry in engine.vault.entries(state.case, "assign"):
        if entry.envelope is None:
            continue
        assign = open_envelope(entry.envelope, "assign").statement
        if isinstance(assign, Assign) and ours in {one.device for one in assign.devices}:
            yield entry.index, assign.gen, assign.device


def _is_ours(engine: Engine, row: Row) -> bool:
    message = row.message
    return not isinstance(message, EmergencyOpened) or message.device == engine.keys.device
