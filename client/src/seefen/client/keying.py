"""Key generations: who gets one, when a new one is due, and who may encrypt at all.

Computed from verified statements alone, and closed when in doubt. A refusal names its
letter: (a) fresh log, (b) root and members in force, (c) chain of the case, (d) coverage,
(e) lost devices, (f) age. Where a new generation mends it, the sender issues one.
"""

import time

from msgspec.structs import replace

from seefen.client.engine import Engine
from seefen.client.once import verified
from seefen.client.sender import Parcel
from seefen.client.tags import require_nothing_hidden
from seefen.client.witnessed import LOGS
from seefen.protocol import keys as handed
from seefen.protocol.case import BOX_OF, CaseState, Position, may_read, seen_by_all, stale
from seefen.protocol.case_chain import CLOCK_SLACK
from seefen.protocol.errors import RefusedError
from seefen.protocol.statements import CaseKey, DeviceWrap, LeftOut, NodeWrap
from seefen.protocol.suite import key_commitment, random_bytes, sha256


def here(engine: Engine) -> Position:
    """Return the position at which a statement sent now would be judged."""
    return Position(engine.directory.size, engine.trust.head("activity").size, engine.now())


async def refresh(engine: Engine) -> None:
    """Bring an old log up to date, then check letter (a).

    Raises:
        RefusedError: rule ``a-stale-log``, ``a-unwitnessed``, ``a-clock``.
    """
    ages = [engine.now() - at for at in fresh_at(engine).values()]
    if ages and max(ages) > engine.directory.root.max_stale // 2:
        await engine.sync()
    require_fresh_log(engine)


def require_fresh_log(engine: Engine) -> None:
    """Check letter (a): the newest checkpoint is younger than the root allows.

    Raises:
        RefusedError: rule ``a-stale-log``; with witnesses ``a-unwitnessed``. A broker that hides
            a revocation can do so only this long (attack 11).
    """
    quorum = engine.directory.root.quorum
    for log, at in fresh_at(engine).items():
        age = engine.now() - at
        if age > engine.directory.root.max_stale:
            if quorum:
                raise _unwitnessed(log, at, age)
            raise RefusedError(
                f"(a) the newest checkpoint is {age // 3600} h old: nothing is sent until the log "
                "is fresh; if it is, this machine's clock is wrong",
                rule="a-stale-log",
            )
        if age < -CLOCK_SLACK:
            # A clock that was put back would call any old log fresh.
            raise RefusedError(
                f"(a) this machine's clock is {-age // 60} min behind the log: set it",
                rule="a-clock",
            )


def _unwitnessed(log: str, at: int, age: int) -> RefusedError:
    since = f"for {age // 3600} h" if at else "yet"
    return RefusedError(
        f"(a) no quorum of witnesses has seen this device's {log} log {since}: nothing is sent "
        "until one has; ask whoever runs the witnesses, and another node whether it sends",
        rule="a-unwitnessed",
    )


def fresh_at(engine: Engine) -> dict[str, int]:
    """Return how fresh each log is: either could be held back.

    With a quorum it is when that many witnesses saw it last, 0 for never; without one the time
    in the log's own line.
    """
    if engine.directory.root.quorum:
        return {log: engine.witnessed.fresh_at(log) for log in LOGS}
    return heard_at(engine)


def heard_at(engine: Engine) -> dict[str, int]:
    """Return when the broker signed the newest head of each log that this device has."""
    trust = engine.trust
    kept = [(log, engine.vault.head(log)) for log in LOGS]
    return {
        log: verified(head[1], trust.origin(log), trust.root.log_key).time
        for log, head in kept
        if head is not None
    }


def require_writer(engine: Engine, state: CaseState) -> bytes:
    """Check letters (b) and (c) and return the newest key this device holds.

    Raises:
        RefusedError: rule ``b-...`` or ``c-...``.
    """
    position = here(engine)
    reason = engine.directory.in_force(engine.node, at=position.at)
    if reason is not None:
        raise RefusedError(f"(b) your node is {reason}", rule=f"b-{reason}")
    if engine.node not in state.members:
        raise RefusedError(
            f"(c) {engine.node} is no member of {engine.name_of(state)} any more",
            rule="c-not-a-member",
        )
    require_nothing_hidden(engine, state)
    key = engine.case_key(state.case, state.generation.gen)
    if key is None:
        raise RefusedError(
            f"(d) this device holds no key of {engine.name_of(state)}: ask a keyholder of your "
            "node to assign the case to it",
            rule="d-no-key",
        )
    return key


def renewal_reason(engine: Engine, state: CaseState) -> str | None:
    """Return why a new generation is due before the next object, or None.

    Raises:
        RefusedError: rule ``d-renew``: one is due, and this device was only assigned the case.
    """
    position, device, gen = here(engine), engine.keys.device, state.generation.gen
    if not may_read(seen_by_all(state), engine.directory, device, gen, position):
        _require_no_renewal(engine, state, position)
        return None
    reason = stale(state, engine.directory, position)
    if reason is not None:
        return {"d": "members", "e": "revoked", "f": "age"}[reason[0]]
    since = state.generation.position.authority_size
    # A device of our own node left, for whatever reason: its copy of the key must age out.
    return "revoked" if engine.directory.revoked_since(engine.node, since) else None


def _require_no_renewal(engine: Engine, state: CaseState, position: Position) -> None:
    reason = stale(state, engine.directory, position, node=engine.node)
    if reason is not None:
        # Other nodes do not see who was assigned: they would refuse the key, and all after it.
        raise RefusedError(
            f"(d) the key of {engine.name_of(state)} must be renewed first ({reason}), and this "
            "device, to which the case was assigned, cannot",
            rule="d-renew",
        )


def add_renewal(engine: Engine, parcel: Parcel, state: CaseState, reason: str) -> bytes:
    """Add the next generation to a parcel and return its key."""
    before = state.generation
    return add_generation(
        engine,
        parcel,
        case=state.case,
        form=state.form,
        members=state.members,
        case_version=state.version,
        gen=before.gen + 1,
        prev=before.hash,
        reason=reason,
        before=engine.case_key(state.case, before.gen),
        link=False,
    )


def add_generation(
    engine: Engine,
    parcel: Parcel,
    *,
    case: bytes,
    form: str,
    members: tuple[str, ...],
    case_version: int,
    gen: int,
    prev: bytes,
    reason: str,
    before: bytes | None,
    link: bool,
    key: bytes | None = None,
) -> bytes:
    """Add a ``casekey`` and its wraps to a parcel and return the key.

    Args:
        before: The key of the generation before: members look for the tag under it.
        link: Whether devices that hold ``before`` may walk on alone (members added only).
        key: The key, when it had to be drawn before (the sealed title is under it).
    """
    net = engine.directory.net
    key = key or random_bytes(32)
    key_id = key_commitment(key, net, case, gen)
    # The author may hold no mailbox: what he made is kept before it leaves.
    engine.vault.put(f"made/{key_id.hex()}", key)
    bare = parcel.activity(
        CaseKey,
        "casekey",
        case,
        gen=gen,
        prev=prev,
        case_version=case_version,
        key_id=key_id,
        mailboxes=(),
        devices=(),
        left_out=(),
        link=b"",
        reason=reason,
    )
    mailboxes: list[NodeWrap] = []
    devices: list[DeviceWrap] = []
    left_out: list[LeftOut] = []
    for node in members:
        _wrap_to_node(engine, parcel, bare, key, node, BOX_OF[form], mailboxes, devices, left_out)
    casekey = replace(
        bare,
        mailboxes=tuple(mailboxes),
        devices=tuple(devices),
        left_out=tuple(left_out),
        link=handed.link_next_key(before, key, bare) if link and before else b"",
    )
    parcel.add(casekey, tag_key=before)
    return key


def _wrap_to_node(
    engine: Engine,
    parcel: Parcel,
    casekey: CaseKey,
    key: bytes,
    node: str,
    box: str,
    mailboxes: list[NodeWrap],
    devices: list[DeviceWrap],
    left_out: list[LeftOut],
) -> None:
    directory, author = engine.directory, engine.keys.device
    reason = directory.in_force(node, at=engine.now())
    if reason is not None:
        left_out.append(LeftOut(node, reason))
        return
    mailbox = directory.mailbox(node, box)
    if mailbox is not None and not directory.mailbox_stale(node, box):
        wrap = handed.wrap_case_key(
            key, mailbox.kem, casekey, purpose=handed.CASE_NODE, author=author
        )
        parcel.wraps.append(wrap)
        mailboxes.append(NodeWrap(node, mailbox.version, sha256(wrap)))
        return
    # The mailbox is stale: to each remaining holder, one by one.
    holders = directory.holders(node, box, at=engine.now())
    reached = False
    for holder in holders:
        try:
            wrap = handed.wrap_case_key(
                key, holder.kem, casekey, purpose=handed.CASE_DEVICE, author=author
            )
        except RefusedError:
            continue  # one poisoned key must not silence the others (attack 51)
        parcel.wraps.append(wrap)
        devices.append(DeviceWrap(holder.device, sha256(wrap)))
        reached = True
    if not reached:
        left_out.append(LeftOut(node, "unusable-key" if holders else "no-holder"))


def unix_year(at: int) -> int:
    """Return the calendar year (UTC) of unix seconds."""
    return time.gmtime(at).tm_year
