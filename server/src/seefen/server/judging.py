"""Judging: what an activity statement, an access or an ack must fulfil at the broker.

The chain of a case is the protocol's (:mod:`seefen.protocol.case_chain`); here stands
what the broker alone can see: the numbers of a device across all cases, ids and case
numbers given once, the first ack, and what an access opens.
"""

from msgspec.structs import replace

from seefen.protocol.bundle import Content
from seefen.protocol.case import Position, require_may_read
from seefen.protocol.case_chain import apply
from seefen.protocol.envelope import Opened
from seefen.protocol.errors import OutOfTurnError, RefusedError, UntrustedError
from seefen.protocol.manifest import check_manifest
from seefen.protocol.search import check_search
from seefen.protocol.statements import Access, Ack, Activity, Case, Caseless, Manifest, Object
from seefen.server.entries import Act, access_row, act_of, entry_of
from seefen.server.rows import LeafRow, ObjectFacts, ObjectRow
from seefen.server.view import Layer


def record_statement(
    layer: Layer,
    opened: Opened,
    tag: bytes,
    *,
    by: bytes | None,
    contents: dict[bytes, Content],
) -> None:
    """Add an activity statement to a layer, all its rules checked."""
    statement = opened.statement
    if isinstance(statement, Caseless):
        _record_caseless(layer, opened, statement, tag, by=by)
        return
    if not isinstance(statement, Activity):
        raise UntrustedError("not a kind of the activity log", rule="unknown-kind")
    _check_turn(layer, statement, by)
    before = layer.case(statement.case)
    position = Position(layer.directory.size, layer.activity_size, layer.at // 1000)
    state = apply(before, opened, layer.directory, position)
    facts = _facts(layer, statement)
    act = act_of(statement, state, layer, facts)
    row = entry_of(layer, opened, statement, act, tag=tag)
    match statement:
        case Object():  # most of all that comes, so it is asked for first
            _take_object(layer, statement, row, act.n, contents)
        case Case():
            was = {m.node for v in before.versions for m in v.members} if before else set[str]()
            _take_case(layer, statement, was)
        case Access():
            _take_access(layer, statement)
        case Ack() if facts is not None:
            _take_ack(layer, statement, facts, state.covered(facts.gen, layer.directory))
        case _:
            pass
    layer.cases[statement.case] = state
    _append(layer, statement, row)


def check_scope(layer: Layer, access: Access, object_: bytes) -> None:
    """Check that an access opens an object to its device.

    Raises:
        RefusedError, UntrustedError: It does not.
    """
    state, facts = layer.case(access.case), layer.object(object_)
    if state is None or facts is None or facts.case != access.case:
        raise RefusedError("there is no such object in this case", rule="scope")
    if access.scope == "object" and access.object != object_:
        raise RefusedError("this access is to another object", rule="scope")
    if access.scope != "object" and facts.idx < access.starts:
        raise RefusedError("this object came before the access begins", rule="scope")
    # Nothing here about `expires`: what matters no more is still read by those who answer for it.
    if access.node not in state.members:
        # What was opened stays with who opened it; nothing more is handed out.
        raise RefusedError("your node is no member of this case any more", rule="not-a-member")
    require_may_read_now(layer, access.case, access.device, facts.gen)


def require_may_read_now(layer: Layer, case: bytes, device: bytes, gen: int) -> None:
    """Check that a device is in force and was given the key of a generation."""
    state = layer.case(case)
    if state is None:
        raise RefusedError("there is no such case", rule="unknown-case")
    position = Position(layer.directory.size, layer.activity_size, layer.at // 1000)
    require_may_read(state, layer.directory, device, gen, position)


def check_sender(statement: Activity | Caseless, by: bytes | None) -> None:
    """Check that a statement comes from the device that made it."""
    if statement.device != by:
        raise UntrustedError("a device sends its own statements only", rule="wrong-device")


def _record_caseless(
    layer: Layer, opened: Opened, statement: Caseless, tag: bytes, *, by: bytes | None
) -> None:
    """Add a search or a manifest: they have no case, so no feed carries them."""
    _check_turn(layer, statement, by)
    position = Position(layer.directory.size, layer.activity_size, layer.at // 1000)
    if isinstance(statement, Manifest):
        act = _manifest(layer, check_manifest(opened, layer.directory, position))
    else:
        search = check_search(opened, layer.directory, position)
        act = Act(purpose=search.purpose, basis=search.basis, detail=search.detail)
    _append(layer, statement, entry_of(layer, opened, statement, act, tag=tag))


def _manifest(layer: Layer, manifest: Manifest) -> Act:
    about = (manifest.device, manifest.of)
    if manifest.start != layer.manifested(*about):
        # Else an author could pass over what he was asked not to see.
        raise OutOfTurnError("a manifest begins where the one before ended", rule="not-next")
    layer.manifests[about] = manifest.upto
    return Act(to=(manifest.of,))


def _check_turn(layer: Layer, statement: Activity | Caseless, by: bytes | None) -> None:
    check_sender(statement, by)
    if statement.device_n != layer.device_n(statement.device) + 1:
        # A number twice is a cloned device, a gap hides a statement (attacks 13, 36).
        raise OutOfTurnError("not this device's next number", rule="number")


def _append(layer: Layer, statement: Activity | Caseless, row: LeafRow) -> None:
    layer.device_ns[statement.device] = statement.device_n
    layer.changes.activity.append(row)
    layer.activity_size += 1


def _facts(layer: Layer, statement: Activity) -> ObjectFacts | None:
    named = statement.object if isinstance(statement, Access | Ack) else None
    if named is None:
        return None
    facts = layer.object(named)
    if facts is None or facts.case != statement.case:
        raise RefusedError("there is no such object in this case", rule="scope")
    return facts


def _take_case(layer: Layer, case: Case, were_members: set[str]) -> None:
    owner = case.members[0].node
    if case.version == 1:
        if layer.number_taken(owner, case.number):
            raise OutOfTurnError(f"{case.number} is taken: choose another name", rule="case-number")
        layer.numbers.add((owner, case.number))
        layer.changes.numbers.append((owner, case.number, case.case))
    for member in case.members:
        if member.node not in were_members:
            layer.changes.members.append((case.case, member.node, layer.activity_size))


def _take_object(
    layer: Layer, obj: Object, row: LeafRow, n: int, contents: dict[bytes, Content]
) -> None:
    if layer.object(obj.object) is not None:
        raise OutOfTurnError("another object has this id", rule="other-bytes")
    content = contents[obj.object]
    place = (obj.object, row.idx, obj.case, obj.gen, n, obj.node, obj.expires)
    layer.objects[obj.object] = ObjectFacts(*place)
    body = None if obj.file else content.body
    layer.changes.objects.append(ObjectRow(*place, body, content.key))


def _take_access(layer: Layer, access: Access) -> None:
    if access.scope != "object":
        layer.changes.accesses.append(access_row(access, layer.activity_size))


def _take_ack(layer: Layer, ack: Ack, facts: ObjectFacts, readers: frozenset[str]) -> None:
    if ack.node not in readers:
        raise RefusedError("this object did not go to your node", rule="not-a-reader")
    if (ack.node, ack.step) in facts.acks:
        raise RefusedError("your node has acknowledged this already", rule="acknowledged")
    acks = facts.acks | {(ack.node, ack.step)}
    layer.objects[ack.object] = replace(facts, acks=acks)
    layer.changes.acks.append((ack.object, ack.node, ack.step))
