"""Joining: invites, the requests left with them, and the admission of a node."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from seefen.protocol.bundle import decode_bundle
from seefen.protocol.frames import Recorded
from seefen.protocol.statements import Count, NodeName, Role
from seefen.server.enrolment import Invite
from seefen.server.errors import AbsentError
from seefen.server.web.bundles import read_send
from seefen.server.web.limits import STATEMENTS, read_body, read_json
from seefen.server.web.services import Call

_Hex16 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]
_Hex32 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class _DeviceInvite(Struct, frozen=True, forbid_unknown_fields=True):
    id: _Hex16
    secret_hash: _Hex32
    node: NodeName
    roles: Annotated[tuple[Role, ...], Meta(max_length=5)]
    expires: Count


async def post_invite(call: Call) -> dict[str, Any]:
    """Keep the invite of a device, made by an admin of its node."""
    wanted = await read_json(call.request, _DeviceInvite, limit=STATEMENTS, rule="invite-form")
    invite = Invite(
        id=bytes.fromhex(wanted.id),
        secret_hash=bytes.fromhex(wanted.secret_hash),
        kind="device",
        node=wanted.node,
        roles=tuple(sorted(set(wanted.roles))),
        expires=wanted.expires,
    )
    await call.services.enrolment.invite_device(invite, by=call.device)
    return {"id": wanted.id}


async def put_join(call: Call) -> None:
    """Keep the request of whoever holds the invite."""
    draft = await read_body(call.request, content_type="application/cbor")
    await call.services.enrolment.ask(call.opened_invite, draft)


async def get_join(call: Call) -> dict[str, Any]:
    """Answer how far a request got."""
    invite = call.opened_invite
    return {"state": call.services.enrolment.state(invite), "node": invite.node}


async def get_request(call: Call) -> bytes:
    """Answer with the request that was left, for whoever is to decide about it."""
    draft = call.opened_invite.draft
    if draft is None:
        raise AbsentError("no request was left with this invite yet", rule="not-asked")
    return draft


async def post_admission(call: Call) -> Recorded:
    """Commit the bundle that admits a node, signed by the holders of the root keys."""
    invite = call.opened_invite
    send = await read_send(call)
    bundle = decode_bundle(send.bundle)
    call.services.enrolment.check_admission(invite, bundle)
    return await call.services.broker.submit(None, bundle, send.seen)
