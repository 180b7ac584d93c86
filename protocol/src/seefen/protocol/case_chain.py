"""The chain of a case: what each statement must fulfil, and the state after it.

:func:`apply` returns the next state or raises and changes nothing. Who may write is who
may read the newest generation; who may change members is a ``lead`` of the owner.

The rules are ``docs/spec/statements.md``, section 4.
"""

import re
from typing import Any, Final

from msgspec.structs import replace

from seefen.protocol.access import require_auditors
from seefen.protocol.case import (
    CaseState,
    Generation,
    Last,
    Position,
    require_may_read,
    seen_by_all,
    stale,
)
from seefen.protocol.coverage import check_coverage, link_allowed
from seefen.protocol.directory import Directory
from seefen.protocol.envelope import Opened, check_signed_by
from seefen.protocol.errors import OutOfTurnError, RefusedError, UntrustedError
from seefen.protocol.frames import Stub
from seefen.protocol.standing import standing
from seefen.protocol.statements import (
    NO_HASH,
    Access,
    Ack,
    Activity,
    Assign,
    Case,
    CaseKey,
    Caseless,
    Device,
    Object,
)

NO_OBJECT: Final = NO_HASH  # what a device's first object in a case names as the one before
WATCH_LIMIT: Final = 12 * 3600  # seconds an access may last
CLOCK_SLACK: Final = 300  # seconds an officer's clock may run ahead of the broker's
CASE_NUMBER: Final = re.compile(r"\ASF-[0-9]{4}-([A-Z]{3})-[0-9]{5}\Z")
CHANNEL_NAME: Final = re.compile(r"\A[a-z][a-z0-9]*(-[a-z0-9]+)*\Z")
STUB_KINDS: Final = ("access", "ack", "assign", "object")  # the rest goes to every member
WRITERS: Final = ("field", "keyholder", "lead")


def apply(
    state: CaseState | None,
    opened: Opened,
    directory: Directory,
    position: Position,
    *,
    reader: str = "",
) -> CaseState:
    """Return the state after one more statement, all its rules checked.

    Args:
        state: The case so far; None when the statement opens it.
        opened: Its signatures are checked here, against the directory as of
            ``position.authority_size``.
        reader: The node that ``state`` was computed at, which was shown its own ``assign``
            statements only; empty for who is shown all, the broker.

    Raises:
        UntrustedError, OutOfTurnError, RefusedError: The rule it breaks.
    """
    statement = opened.statement
    if not isinstance(statement, Activity):
        raise UntrustedError("not a kind of the activity log", rule="unknown-kind")
    device = require_author(statement, opened, directory, position)
    if state is not None:
        _check_place(state, statement.case, position)
    if state is None:
        if not isinstance(statement, Case):
            raise UntrustedError("there is no such case", rule="unknown-case")
        _check_first_case(statement, directory, position, device)
        state = CaseState(statement.case, (statement,), opened.hash, position, position)
        changes: dict[str, Any] = {}
    else:
        if statement.case_n != state.last(statement.device).case_n + 1:
            # A gap hides a statement; a repeat is a cloned device (attacks 13 and 36).
            raise OutOfTurnError("not the device's next number in this case", rule="number")
        changes = _follow(state, statement, opened.hash, directory, position, reader)
    return _numbered(state, statement, opened, position, changes)


def require_author(
    statement: Activity | Caseless, opened: Opened, directory: Directory, position: Position
) -> Device:
    """Check who signed and what he had seen; return his certificate.

    Raises:
        UntrustedError: rule ``net``, ``wrong-node``, ``wrong-signers``, ``fork``, or what says
            that the device is not in force.
    """
    if statement.net != directory.net:
        raise UntrustedError("this belongs to another network", rule="net")
    size = position.authority_size
    directory.root_at(size)  # known that far, or every question below has an older answer
    device = directory.require_active(statement.device, size=size, at=position.at)
    if device.node != statement.node:
        raise UntrustedError("this device belongs to another node", rule="wrong-node")
    seen = statement.authority
    if seen.size > size or directory.root_at(seen.size) != seen.root:
        raise UntrustedError("its author saw another authority log than this one", rule="fork")
    if statement.activity.size > position.index:
        raise UntrustedError("its author saw a longer activity log than this one", rule="fork")
    check_signed_by(opened, device.sign)
    return device


def check_stub(state: CaseState, stub: Stub, directory: Directory, node: str) -> None:
    """Check that ``node`` was rightly given a stub in place of a statement.

    Objects are written under the newest key only, so a node that has it gets them all:
    a stub then is a statement withheld (attack 13).

    Args:
        state: The case just before the stub.
        node: The node of the reader.

    Raises:
        UntrustedError: rule ``withheld``.
    """
    if stub.kind not in STUB_KINDS:
        raise UntrustedError(f"a {stub.kind} is for every member", rule="withheld")
    covered = bool(state.generations) and node in state.covered(state.generation.gen, directory)
    own = directory.device(stub.device).node == node
    if (stub.kind == "object" and covered) or (stub.kind == "assign" and own):
        raise UntrustedError(f"an {stub.kind} for this node was withheld", rule="withheld")


def skip(state: CaseState, stub: Stub, position: Position) -> CaseState:
    """Return the state after a statement that was not for us, by its number alone.

    Whether a stub was due at all is :func:`check_stub`'s question.

    Raises:
        UntrustedError: It is of another case.
        OutOfTurnError: A number is missing before it: something was withheld.
    """
    _check_place(state, stub.case, position)
    last = state.last(stub.device)
    if stub.case_n != last.case_n + 1:
        raise OutOfTurnError("a number is missing in this case", rule="number")
    hash_ = None if stub.kind == "object" else _known_object(last)
    numbers = {**state.numbers, stub.device: Last(stub.case_n, hash_)}
    count = state.object_count + (stub.kind == "object")
    position = _newer(state.position, position)
    return replace(state, numbers=numbers, object_count=count, position=position)


def _follow(
    state: CaseState,
    statement: Activity,
    envelope_hash: bytes,
    directory: Directory,
    position: Position,
    reader: str,
) -> dict[str, Any]:
    """Return what a statement changes in the state, once its rules are checked."""
    match statement:
        case Object():
            _check_object(state, statement, directory, position, reader)
            return {"object_count": state.object_count + 1}
        case Case():
            _check_next_case(state, statement, directory, position)
            return {"versions": (*state.versions, statement), "case_hash": envelope_hash}
        case CaseKey():
            _check_case_key(state, statement, directory, position)
            made = Generation(statement, envelope_hash, position, state.object_count)
            return {"generations": (*state.generations, made)}
        case Assign():
            _check_assign(state, statement, directory, position)
            devices = state.assigned.get(statement.gen, frozenset[bytes]())
            devices |= {w.device for w in statement.devices}
            return {"assigned": {**state.assigned, statement.gen: devices}}
        case Access():
            _check_access(state, statement, directory, position)
        case Ack():
            _check_ack(state, statement, directory)
        case _:
            raise UntrustedError("not a kind of the activity log", rule="unknown-kind")
    return {}


def _numbered(
    state: CaseState,
    statement: Activity,
    opened: Opened,
    position: Position,
    changes: dict[str, Any],
) -> CaseState:
    """Return the state with what a statement changed, and the author's new number."""
    last = state.last(statement.device)
    hash_ = opened.hash if isinstance(statement, Object) else _known_object(last)
    numbers = {**state.numbers, statement.device: Last(statement.case_n, hash_)}
    return replace(state, numbers=numbers, position=_newer(state.position, position), **changes)


def _newer(one: Position, other: Position) -> Position:
    return other if other.index > one.index else one


def _check_place(state: CaseState, case: bytes, position: Position) -> None:
    if case != state.case:
        raise UntrustedError("this belongs to another case", rule="unknown-case")
    first, second = state.position, position
    if first.index > second.index:
        first, second = second, first
    if first.authority_size > second.authority_size:
        # Else a broker could date what a thief signs before his revoke (attack 26).
        raise UntrustedError("the log goes back to an older authority log", rule="fork")


def _known_object(last: Last) -> bytes | None:
    return NO_OBJECT if last.case_n == 0 else last.object_hash


def _check_first_case(case: Case, directory: Directory, position: Position, author: Device) -> None:
    """Check the statement that opens a case."""
    if (case.version, case.prev, case.case_n) != (1, NO_HASH, 1):
        raise OutOfTurnError("a case begins with version 1", rule="not-next")
    if case.members[0].node != author.node:
        raise UntrustedError("only a device of the owner opens a case", rule="owner")
    if any(member.since != 1 for member in case.members):
        raise RefusedError("all members of version 1 joined in version 1", rule="members")
    _check_number(case, directory.node(author.node, size=position.authority_size).code)
    _check_lead_and_members(case, directory, position)
    _check_authority_seen(case, tuple(m.node for m in case.members), directory, position)


def _check_next_case(
    state: CaseState, case: Case, directory: Directory, position: Position
) -> None:
    """Check a change of members or title."""
    if (case.version, case.prev) != (state.version + 1, state.case_hash):
        raise OutOfTurnError("the case was changed meanwhile", rule="not-next")
    if case.node != state.owner or case.members[0] != state.head.members[0]:
        # Nobody else, not even the root, adds a reader to a case (attack 2).
        raise UntrustedError("only the owner changes the members of a case", rule="owner")
    if (case.form, case.number) != (state.form, state.number):
        raise RefusedError("form and number of a case never change", rule="case-changed")
    before = {member.node: member.since for member in state.head.members}
    for member in case.members:
        if member.since != before.get(member.node, case.version):
            raise RefusedError("a member's version of entry is wrong", rule="members")
    _check_lead_and_members(case, directory, position)
    _check_authority_seen(case, tuple(m.node for m in case.members), directory, position)


def _check_case_key(
    state: CaseState, key: CaseKey, directory: Directory, position: Position
) -> None:
    """Check a new generation: covers exactly the members in force."""
    before = state.generations[-1] if state.generations else None
    expected = (1, NO_HASH) if before is None else (before.gen + 1, before.hash)
    if (key.gen, key.prev) != expected:
        raise OutOfTurnError("another key generation came first", rule="not-next")
    if key.case_version != state.version:
        raise OutOfTurnError("this key is for an older version of the case", rule="not-next")
    if before is None:
        if key.device != state.head.device:
            raise UntrustedError(
                "the first key comes from who opened the case", rule="not-a-reader"
            )
    elif before.statement.case_version != key.case_version:
        if key.device != state.head.device:
            raise UntrustedError("the key comes from who changed the case", rule="not-a-reader")
    else:
        # All members must judge it alike, or the case falls apart; and a device that was not
        # given the key would with its own get at what is written next.
        require_may_read(seen_by_all(state), directory, key.device, before.gen, position)
    _check_authority_seen(key, state.members, directory, position)
    check_coverage(state, key, directory, position)
    if key.link and not link_allowed(state, key, directory, position):
        raise RefusedError("a link is allowed only when members were added", rule="link")


def _check_assign(
    state: CaseState, assign: Assign, directory: Directory, position: Position
) -> None:
    """Check that a keyholder hands a key to devices of his own node."""
    size = position.authority_size
    directory.require_role(assign.device, "keyholder", size=size, at=position.at)
    require_may_read(state, directory, assign.device, assign.gen, position)
    _check_authority_seen(assign, (assign.node,), directory, position)
    for wrap in assign.devices:
        device = directory.require_active(wrap.device, size=size, at=position.at)
        if device.node != assign.node:
            raise UntrustedError("a keyholder assigns devices of his own node", rule="wrong-node")


def _check_object(
    state: CaseState, obj: Object, directory: Directory, position: Position, reader: str
) -> None:
    """Check an object: its place in the author's chain and the key it is under."""
    if obj.unwitnessed and state.form != "channel":
        raise RefusedError("only an alert leaves on a log nobody has seen", rule="unwitnessed")
    if obj.gen != state.generation.gen:
        raise OutOfTurnError("written under an old key: renew it first", rule="stale-generation")
    reason = stale(state, directory, position, node=obj.node)
    if reason is not None:
        raise OutOfTurnError(f"the key must be renewed first ({reason})", rule="stale-generation")
    if (obj.case_version, obj.case_head) != (state.version, state.case_hash):
        raise OutOfTurnError("the case was changed meanwhile", rule="not-next")
    directory.require_role(obj.device, *WRITERS, size=position.authority_size, at=position.at)
    if reader in ("", obj.node) or obj.node not in state.covered(obj.gen, directory):
        # Another node's assigns are not shown to us. That it was covered is, and no device
        # of it that was not given the key seals a cover that opens under it.
        require_may_read(state, directory, obj.device, obj.gen, position)
    _check_authority_seen(obj, state.members, directory, position)
    prev = _known_object(state.last(obj.device))
    if prev is not None and obj.prev != prev:
        raise OutOfTurnError("this is not the author's next object", rule="number")


def _check_access(
    state: CaseState, access: Access, directory: Directory, position: Position
) -> None:
    """Check the shape of an access; what it releases is decided at the gate."""
    if not state.was_member(access.node):
        raise RefusedError("this node is no member of the case", rule="not-a-reader")
    if (access.scope == "object") != (access.object is not None):
        raise RefusedError("an access to an object names it, others do not", rule="scope")
    if (access.scope == "watch") != (state.form == "channel") and access.scope != "object":
        raise RefusedError("a watch is for channels, a shift for cases", rule="scope")
    if not position.at - CLOCK_SLACK < access.until <= position.at + WATCH_LIMIT + CLOCK_SLACK:
        raise RefusedError("an access lasts at most 12 hours", rule="until")
    if access.starts > position.index:
        raise RefusedError("an access cannot start beyond the log", rule="scope")
    # Both sides' auditors get it: else an officer could keep his reason from one of them.
    nodes = {access.node, state.owner}
    require_auditors(access.reasons, nodes, directory, access.authority.size)


def _check_ack(state: CaseState, ack: Ack, directory: Directory) -> None:
    """Check that an ack comes from a node that could get the object."""
    newest_first = range(len(state.generations), 0, -1)
    if not any(ack.node in state.covered(gen, directory) for gen in newest_first):
        raise RefusedError("this node is no member of the case", rule="not-a-reader")


def _check_number(case: Case, code: str) -> None:
    if case.form == "channel":
        if not CHANNEL_NAME.match(case.number):
            raise RefusedError("a channel is named like seefen-border", rule="case-number")
        return
    match = CASE_NUMBER.match(case.number)
    if match is None or match.group(1) != code:
        raise RefusedError(f"a case number is SF-YEAR-{code}-00001", rule="case-number")


def _check_lead_and_members(case: Case, directory: Directory, position: Position) -> None:
    size = position.authority_size
    directory.require_role(case.device, "lead", size=size, at=position.at)
    names = [member.node for member in case.members]
    if len(set(names)) != len(names):
        raise RefusedError("a member is named twice", rule="members")
    for name in names:
        directory.node(name, size=size)


def _check_authority_seen(
    statement: Activity, members: tuple[str, ...], directory: Directory, position: Position
) -> None:
    needed = standing(directory, members, position.authority_size).changed
    if statement.authority.size < needed:
        # Written without knowing a revocation or a new key at a member.
        raise OutOfTurnError("something changed at a member: sync first", rule="old-authority")
