"""The state of a case, made again from what the vault holds of it."""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from seefen.client.vault import Vault
from seefen.protocol.case import CaseState, Generation, Last, Position
from seefen.protocol.envelope import open_envelope
from seefen.protocol.frames import Before
from seefen.protocol.statements import Assign, Case, CaseKey
from seefen.protocol.suite import sha256

STRUCTURE: Final = ("case", "casekey", "assign")


def comes_late(vault: Vault, state: CaseState | None, kind: str, index: int) -> bool:
    """Tell whether a change of members or key, or a message, comes behind what it changes.

    What a removed node wrote after it, or a key of its own, was believed meanwhile; a message
    behind it has its number. Readings and receipts may overtake: they are judged the same.
    """
    if state is None or kind not in ("case", "casekey", "object") or index > state.position.index:
        return False
    sql = (
        "SELECT 1 FROM entry WHERE case_id = ? AND idx > ? AND envelope IS NOT NULL"
        " AND kind IN ('case', 'casekey', 'assign', 'object')"
    )
    return vault.one(sql, state.case, index) is not None


def restore(vault: Vault, case: bytes) -> CaseState | None:
    """Return the state of a case as its entries in the vault make it; None without any."""
    # The statements were verified when they were taken in; the vault is ours.
    versions: list[Case] = []
    generations: list[Generation] = []
    assigned: dict[int, frozenset[bytes]] = {}
    case_hash = b""
    opened_at: Position | None = None
    for entry in vault.entries(case, *STRUCTURE):
        if entry.envelope is None or entry.authority_size is None or entry.at is None:
            continue
        statement = open_envelope(entry.envelope, entry.kind).statement
        position = Position(entry.authority_size, entry.index, entry.at)
        opened_at = opened_at or position
        match statement:
            case Case():
                versions.append(statement)
                case_hash = sha256(entry.envelope)
            case CaseKey():
                count = _count_objects(vault, case, entry.index)
                generations.append(Generation(statement, sha256(entry.envelope), position, count))
            case Assign():
                devices = {wrap.device for wrap in statement.devices}
                assigned[statement.gen] = assigned.get(statement.gen, frozenset()) | devices
            case _:
                pass
    if opened_at is None:
        return None
    numbers = {
        device: Last(case_n, hash_)
        for device, case_n, hash_ in vault.run(
            "SELECT device, case_n, object_hash FROM number WHERE case_id = ?", case
        )
    }
    newest = vault.one(
        "SELECT max(idx), max(authority_size), max(at) FROM entry WHERE case_id = ?", case
    ) or (0, 0, 0)
    position = Position(newest[1], newest[0], newest[2])
    count = _count_objects(vault, case, newest[0] + 1)
    chain = (tuple(versions), case_hash, position, opened_at, tuple(generations))
    return CaseState(case, *chain, assigned, numbers, count)


def count_earlier(vault: Vault, state: CaseState, node: str) -> CaseState:
    """Return a case just opened with the objects counted that stand in it before a node came.

    None do where it was a member from the first version on, whatever the broker says.
    """
    if state.was_member(node):
        vault.run("DELETE FROM setting WHERE name = ?", _before(state.case))
    return replace(state, object_count=objects_before(vault, state.case))


def objects_before(vault: Vault, case: bytes) -> int:
    """Return how many objects of a case stand before its node came, and are not in the vault."""
    return vault.get_number(_before(case))


def keep_objects_before(vault: Vault, count: Before) -> None:
    """Keep what :func:`objects_before` returns."""
    vault.put_number(_before(count.case), count.objects)


def drop_unknown(vault: Vault, counts: Sequence[Before]) -> None:
    """Drop what was said of cases of which nothing is known behind the page that says it.

    Ids can be invented, and what is kept for each would fill the vault.
    """
    sql = (
        "DELETE FROM setting WHERE name = ? AND NOT EXISTS (SELECT 1 FROM entry"
        " WHERE case_id = ? AND kind = 'case' AND envelope IS NOT NULL)"
    )
    for count in counts:
        vault.run(sql, _before(count.case), count.case)


def _before(case: bytes) -> str:
    return f"before/{case.hex()}"


def _count_objects(vault: Vault, case: bytes, before: int) -> int:
    row = vault.one(
        "SELECT count(*) FROM entry WHERE case_id = ? AND kind = 'object' AND idx < ?",
        case,
        before,
    )
    return objects_before(vault, case) + (0 if row is None else row[0])
