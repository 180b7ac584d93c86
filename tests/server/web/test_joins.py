"""Joining over the wire: a node by its invite, a device by its admin's."""

import json
import time
from typing import Any

from seefen.protocol.bundle import Bundle, encode_bundle
from seefen.protocol.encoding import decode, encode
from seefen.protocol.frames import AuthorityPage, Recorded, Send
from seefen.protocol.suite import new_id, random_bytes, sha256
from seefen.server.enrolment import Invite
from tests.support.broker import LocalBroker
from tests.support.devices import NODE, Connect, WebDevice

NEW = "tirana-border"


class Guest:
    """Somebody with an invite and without a login."""

    def __init__(self, device: WebDevice, invite_id: bytes, secret: bytes) -> None:
        self.device = device
        self.id = invite_id.hex()
        self.headers = {"Authorization": f"Invite {self.id}.{secret.hex()}"}

    async def request(self, method: str, path: str, data: bytes | None = None) -> tuple[int, bytes]:
        return await self.device.request(method, path, data, headers=self.headers)

    async def state(self) -> Any:
        status, body = await self.request("GET", f"/v1/joins/{self.id}")
        assert status == 200
        return json.loads(body)["state"]


async def invited(broker: LocalBroker, connect: Connect) -> Guest:
    secret, invite_id = random_bytes(32), new_id()
    expires = int(time.time()) + 3600
    invite = Invite(invite_id, sha256(secret), "node", NEW, (), expires)
    await broker.services.enrolment.invite_node(invite)
    return Guest(connect(), invite_id, secret)


async def test_a_node_joins(broker: LocalBroker, connect: Connect) -> None:
    guest = await invited(broker, connect)
    join = f"/v1/joins/{guest.id}"
    assert await guest.state() == "waiting"
    assert (await guest.request("GET", f"{join}/request"))[0] == 404
    status, body = await guest.request("GET", "/v1/log/authority?start=0&limit=10")
    assert status == 200
    assert decode(body, AuthorityPage).items[0].kind == "root"
    bundle = broker.network.admit(NEW)
    draft = encode_bundle(bundle)
    assert (await guest.request("PUT", join, draft))[0] == 204
    assert (await guest.request("PUT", join, draft))[0] == 204
    assert await guest.state() == "asked"
    other = encode_bundle(broker.network.admit(NEW))
    assert (await guest.request("PUT", join, other))[0] == 409
    assert await guest.request("GET", f"{join}/request") == (200, draft)
    send = encode(Send(draft, 0))
    status, body = await guest.request("POST", f"/v1/admissions/{guest.id}", send)
    assert status == 200
    first = decode(body, Recorded)
    assert await guest.state() == "admitted"
    status, body = await guest.request("POST", f"/v1/admissions/{guest.id}", send)
    assert decode(body, Recorded).authority == first.authority
    broker.network.take(bundle)
    device = await connect(broker.network.of(NEW)).login()
    assert (await device.request("GET", "/v1/log/authority/checkpoint"))[0] == 200


async def test_an_invite_opens_nothing_else(broker: LocalBroker, connect: Connect) -> None:
    guest, other = await invited(broker, connect), await invited(broker, connect)
    for method, path in (
        ("GET", f"/v1/joins/{other.id}"),
        ("PUT", f"/v1/joins/{other.id}"),
        ("GET", f"/v1/joins/{other.id}/request"),
        ("POST", f"/v1/admissions/{other.id}"),
        ("POST", "/v1/bundles"),
        ("POST", "/v1/invites"),
        ("GET", f"/v1/blobs/{'0' * 64}"),
        ("GET", "/v1/socket"),
    ):
        data = None if method == "GET" else b"x"
        status, _ = await guest.request(method, path, data)
        assert status in (401, 403), path


async def test_with_an_invite_only_its_node_is_admitted(
    broker: LocalBroker, connect: Connect
) -> None:
    guest = await invited(broker, connect)
    for bundle in (broker.network.admit("zagreb-ffp"), broker.network.renew(NODE, "case")):
        send = encode(Send(encode_bundle(bundle), 0))
        status, _ = await guest.request("POST", f"/v1/admissions/{guest.id}", send)
        assert status == 400


async def test_an_officer_joins(broker: LocalBroker, connect: Connect, device: WebDevice) -> None:
    secret, invite_id = random_bytes(32), new_id()
    wanted = {
        "id": invite_id.hex(),
        "secret_hash": sha256(secret).hex(),
        "node": NODE,
        "roles": ["field"],
        "expires": int(time.time()) + 3600,
    }

    async def invite(**changes: Any) -> int:
        sent = json.dumps({**wanted, **changes}).encode()
        status, _ = await device.request(
            "POST", "/v1/invites", sent, content_type="application/json"
        )
        return status

    assert [await invite(), await invite()] == [201, 201]
    assert await invite(roles=["lead"]) == 409
    assert await invite(id=new_id().hex(), node="belgrade-ffp") == 403
    assert await invite(id=new_id().hex(), expires=int(time.time()) + 10**7) == 422
    assert await invite(id="x") == 400
    assert await invite(extra=1) == 400
    guest = Guest(connect(), invite_id, secret)
    bundle = broker.network.enrol(NODE, ("field",))
    draft = encode_bundle(Bundle(bundle.statements[:1], (), ()))
    assert (await guest.request("PUT", f"/v1/joins/{guest.id}", draft))[0] == 204
    send = encode(Send(encode_bundle(bundle), 0))
    assert (await guest.request("POST", f"/v1/admissions/{guest.id}", send))[0] == 422
    assert await guest.state() == "asked"
    assert (await device.request("POST", "/v1/bundles", send))[0] == 200
    assert await guest.state() == "admitted"
