"""Admitting: fetch the request, compare six words, sign.

A node is admitted by holders of the root keys, who need no device; an officer's device by
an admin of its node.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from seefen.client.connection import Connection
from seefen.client.engine import Engine
from seefen.client.invites import Invite, read_invite
from seefen.client.joining import ANSWER_LIMIT, fetch_authority, spoken_words
from seefen.client.mailboxes import next_mailbox
from seefen.client.sender import Parcel, Sender
from seefen.client.trust import Trust
from seefen.client.vault import Vault
from seefen.protocol.bundle import Bundle, Signed, decode_bundle, encode_bundle
from seefen.protocol.directory import BOX_ROLES, Directory
from seefen.protocol.encoding import decode, encode
from seefen.protocol.envelope import add_signature, open_envelope, sign
from seefen.protocol.errors import RefusedError, SeefenError, UntrustedError
from seefen.protocol.frames import Recorded, Send
from seefen.protocol.statements import Device, Node, Root
from seefen.protocol.suite import SigningKey

POLL: Final = 0.5  # seconds


@dataclass(frozen=True, slots=True)
class Request:
    """A request to join: compare ``words`` on the telephone before signing."""

    words: tuple[str, ...]
    kind: str
    node: str
    roles: tuple[str, ...]
    invite: Invite
    bundle: Bundle = field(repr=False)


async def read_request(file: Path, *, wait_s: float = 0) -> Request:
    """Fetch the request that was left for an invite.

    Args:
        wait_s: Seconds to wait for somebody to ask with it.

    Raises:
        RefusedError: rule ``no-request``: nobody has asked yet.
        UntrustedError: The request is not for this invite.
    """
    invite = read_invite(file)
    connection = Connection(invite.address, None)
    try:
        data = await _fetch(connection, invite, wait_s)
    finally:
        await connection.close()
    bundle = decode_bundle(data)
    roles = _check(bundle, invite)
    words = spoken_words(bytes.fromhex(invite.net), data)
    return Request(words, invite.kind, invite.node, roles, invite, bundle)


async def admit_node(request: Request, root_keys: tuple[SigningKey, ...]) -> None:
    """Sign a node in with root keys and bring the finished bundle to the broker.

    Raises:
        RefusedError: It is a device's request, or too few keys.
        UntrustedError: The keys are not this network's.
    """
    if request.kind != "node":
        raise RefusedError(
            "this is an officer's device: an admin of its node admits it", rule="kind"
        )
    invite = request.invite
    connection = Connection(invite.address, None)
    vault = Vault.in_memory()
    try:
        trust = Trust(vault, bytes.fromhex(invite.net), Path("evidence"))
        await fetch_authority(connection, trust, invite)
        if _stands(trust.directory, request.bundle):
            return  # the answer to an earlier try was lost
        bundle = _sign_as_root(trust.directory, request.bundle, root_keys)
        data = await connection.http(
            "POST",
            f"/v1/admissions/{invite.id}",
            body=encode(Send(encode_bundle(bundle), 0)),
            invite=invite.credential,
        )
        decode(data, Recorded, limit=ANSWER_LIMIT)
        await fetch_authority(connection, trust, invite)
        if not _stands(trust.directory, request.bundle):
            raise UntrustedError("the broker took the node and does not show it", rule="receipt")
    finally:
        await connection.close()
        vault.close()


async def admit_device(engine: Engine, sender: Sender, request: Request) -> None:
    """Sign an officer's device in, and hand its mailboxes over, in one bundle.

    Raises:
        RefusedError: Another node's device, or this device is no admin.
    """
    if request.kind != "device" or request.node != engine.node:
        raise RefusedError(
            f"this request is for {request.node}: holders of root keys, or its admin, admit it",
            rule="kind",
        )
    engine.directory.require_role(engine.keys.device, "admin", at=engine.now())
    async with engine.lock:
        await engine.sync()
        await sender.send(lambda parcel: _add_device(engine, parcel, request))


async def _fetch(connection: Connection, invite: Invite, wait_s: float) -> bytes:
    rounds = int(wait_s / POLL) + 1
    for left in reversed(range(rounds)):
        try:
            return await connection.http(
                "GET", f"/v1/joins/{invite.id}/request", invite=invite.credential
            )
        except SeefenError:
            if left == 0:
                raise RefusedError(
                    f"nobody has asked to join with the invite of {invite.node} yet",
                    rule="no-request",
                ) from None
            await asyncio.sleep(POLL)
    raise AssertionError


def _check(bundle: Bundle, invite: Invite) -> tuple[str, ...]:
    kinds = [signed.kind for signed in bundle.statements]
    start = ["node", "device"] if invite.kind == "node" else ["device"]
    if kinds[: len(start)] != start or set(kinds[len(start) :]) - {"mailbox"}:
        raise UntrustedError("the request asks for other things than an admission", rule="request")
    roles: tuple[str, ...] = ()
    for signed in bundle.statements:
        statement = open_envelope(signed.envelope, signed.kind).statement
        if getattr(statement, "node", None) != invite.node:
            raise UntrustedError("the request is for another node", rule="request")
        if isinstance(statement, Device):
            roles = statement.roles
    if invite.kind == "device" and set(roles) != set(invite.roles):
        raise UntrustedError("the request asks for other roles than the invite", rule="request")
    return roles


def root_signers(root: Root, keys: Sequence[SigningKey]) -> tuple[SigningKey, ...]:
    """Return exactly as many of the root keys as must sign.

    Raises:
        UntrustedError: rule ``root-key``: one of them is none of this root.
        RefusedError: rule ``quorum``: they are too few.
    """
    if any(key.public not in root.keys for key in keys):
        raise UntrustedError("one of these is no root key of this network", rule="root-key")
    ours = tuple({key.public: key for key in keys}.values())  # a copy of a key is not another
    if len(ours) < root.threshold:
        raise RefusedError(f"{root.threshold} root keys must sign", rule="quorum")
    return ours[: root.threshold]


def _sign_as_root(
    directory: Directory, bundle: Bundle, root_keys: tuple[SigningKey, ...]
) -> Bundle:
    signers = root_signers(directory.root, root_keys)
    first, *rest = bundle.statements
    envelope = first.envelope
    for key in signers:
        envelope = add_signature(envelope, "node", key)
    finished = Bundle((Signed("node", envelope, b""), *rest), bundle.wraps, ())
    trial = directory.copy()
    for signed in finished.statements:
        trial.apply(signed.kind, signed.envelope)
    node = trial.node(_node_of(first))
    if directory.in_force(node.node) != "unknown-node":
        raise RefusedError(f"there is a node {node.node} already", rule="node-taken")
    return finished


def _stands(directory: Directory, bundle: Bundle) -> bool:
    first = bundle.statements[0]
    link = directory.link(("node", _node_of(first)))
    return link is not None and link.statement == open_envelope(first.envelope, "node").statement


def _node_of(signed: Signed) -> str:
    statement = open_envelope(signed.envelope, "node").statement
    if not isinstance(statement, Node):
        raise UntrustedError("the request has no node", rule="request")
    return statement.node


def _check_officer(directory: Directory, device: Device, invite: Invite) -> None:
    """Check that nobody joins as another officer, nor an officer as somebody else, or nobody.

    Where two officers are needed, the pseudonym alone tells them apart.
    """
    taken = device.officer in {known.officer for known in directory.devices(device.node)}
    other = device.officer != invite.officer and (invite.officer or taken)
    if other or invite.agent != (device.officer == ""):
        raise UntrustedError(
            f"the request is for {device.officer or 'nobody'}, who was not invited: "
            "invite once more",
            rule="request",
        )


def _add_device(engine: Engine, parcel: Parcel, request: Request) -> None:
    bundle = request.bundle
    first, *rest = bundle.statements
    envelope = add_signature(first.envelope, "device", engine.keys.sign)
    parcel.signed.append(Signed("device", envelope, b""))
    trial = engine.directory.copy()
    device = trial.apply("device", envelope, at=engine.now()).statement
    if not isinstance(device, Device):
        raise UntrustedError("the request has no device", rule="request")
    _check_officer(engine.directory, device, request.invite)
    for signed in rest:
        trial.apply(signed.kind, signed.envelope, at=engine.now())
        parcel.signed.append(signed)
    parcel.wraps += bundle.wraps
    for box, roles in BOX_ROLES.items():
        if roles & set(device.roles) and trial.mailbox(engine.node, box) is not None:
            add_mailbox(engine, parcel, trial, box)


def add_mailbox(engine: Engine, parcel: Parcel, directory: Directory, box: str) -> bool:
    """Add the next generation of a mailbox of the own node, if this device holds it.

    Args:
        directory: With every holder in it that shall get a wrap.
    """
    if not mailbox_due(engine, directory, box):
        return False
    node = engine.node
    current = directory.mailbox(node, box)
    holders = directory.holders(node, box)
    previous = None if current is None else engine.mailbox_seed(node, box, current.version)
    mailbox, wraps = next_mailbox(
        directory,
        node,
        box,
        engine.keys.device,
        holders=holders,
        previous_seed=previous,
        seen=engine.directory.head(),
        at=engine.now(),
    )
    envelope = sign(mailbox, engine.keys.sign)
    directory.apply("mailbox", envelope, at=engine.now())
    parcel.signed.append(Signed("mailbox", envelope, b""))
    parcel.wraps += wraps
    return True


def mailbox_due(engine: Engine, directory: Directory, box: str) -> bool:
    """Tell whether a mailbox of the own node is to be renewed, and by this device."""
    node, ours, at = engine.node, engine.keys.device, engine.now()
    current = directory.mailbox(node, box)
    holders = {device.device for device in directory.holders(node, box, at=at)}
    if ours not in holders:
        return False
    if current is None:
        return True
    wrapped = {wrap.device for wrap in current.wraps}
    unusable = {left.who for left in current.left_out if left.reason == "unusable-key"}
    lacking = {device for device in holders - wrapped if device.hex() not in unusable}
    if not lacking and not directory.mailbox_stale(node, box):
        return False
    # Who was not handed it cannot lead the others back to what was sent before: they do it.
    known = engine.mailbox_seed(node, box, current.version) is not None
    return known or not (holders & wrapped)
