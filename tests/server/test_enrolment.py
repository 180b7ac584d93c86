"""Joining: what an invite opens, and what it never opens."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace

import pytest

from seefen.protocol.bundle import Bundle, Content, Signed, decode_bundle, encode_bundle
from seefen.protocol.encoding import STATEMENT_LIMIT
from seefen.protocol.errors import MalformedError, OutOfTurnError, RefusedError, UntrustedError
from seefen.protocol.suite import new_id, random_bytes, sha256
from seefen.server import enrolment
from seefen.server.enrolment import DAY, Enrolment, Invite
from seefen.server.store.invites import InviteRows
from tests.support.access import Clock, access_tables
from tests.support.network import Network

NODE, OTHER, NEW = "skopje-border", "belgrade-ffp", "tirana-border"


@dataclass
class Desk:
    enrolment: Enrolment
    network: Network
    clock: Clock
    secret: bytes

    def invite(self, kind: str = "node", node: str = NEW) -> Invite:
        expires = self.clock.now + 2 * DAY
        return Invite(new_id(), sha256(self.secret), kind, node, (), expires)

    def credential(self, invite: Invite) -> str:
        return f"{invite.id.hex()}.{self.secret.hex()}"

    async def opened(self, kind: str = "node", node: str = NEW) -> Invite:
        invite = self.invite(kind, node)
        if kind == "node":
            await self.enrolment.invite_node(invite)
        else:
            await self.enrolment.invite_device(invite, by=self.network.of(node, "admin").device)
        return await self.enrolment.open(self.credential(invite))


@pytest.fixture
async def desk() -> AsyncGenerator[Desk, None]:
    network = Network.founded(NODE, OTHER)
    clock = Clock(network.at)
    async with access_tables() as pool:
        enrolment = Enrolment(InviteRows(pool), directory=lambda: network.directory, clock=clock)
        yield Desk(enrolment, network, clock, random_bytes(32))


async def test_a_node_asks_and_is_admitted(desk: Desk) -> None:
    invite = await desk.opened()
    assert desk.enrolment.state(invite) == "waiting"
    bundle = desk.network.admit(NEW)
    await desk.enrolment.ask(invite, encode_bundle(bundle))
    await desk.enrolment.ask(invite, encode_bundle(bundle))
    invite = await desk.enrolment.open(desk.credential(invite))
    assert invite.draft is not None
    assert decode_bundle(invite.draft) == bundle
    assert desk.enrolment.state(invite) == "asked"
    desk.enrolment.check_admission(invite, bundle)
    desk.network.take(bundle)
    assert desk.enrolment.state(invite) == "admitted"


async def test_a_device_asks_and_its_admin_sends_the_bundle(desk: Desk) -> None:
    invite = await desk.opened("device", NODE)
    bundle = desk.network.enrol(NODE, ("auditor",))
    kinds = [signed.kind for signed in bundle.statements]
    assert kinds == ["device", "mailbox"]  # made by a device that is in the network already
    for statements in (bundle.statements, bundle.statements[1:], bundle.statements[::-1]):
        with pytest.raises(MalformedError):
            await desk.enrolment.ask(invite, encode_bundle(Bundle(statements, bundle.wraps, ())))
    draft = Bundle(bundle.statements[:1], (), ())
    await desk.enrolment.ask(invite, encode_bundle(draft))
    with pytest.raises(RefusedError):
        desk.enrolment.check_admission(invite, draft)


async def test_a_second_request_with_one_invite_is_refused(desk: Desk) -> None:
    invite = await desk.opened()
    await desk.enrolment.ask(invite, encode_bundle(desk.network.admit(NEW)))
    with pytest.raises(OutOfTurnError) as caught:
        await desk.enrolment.ask(invite, encode_bundle(desk.network.admit(NEW)))
    assert caught.value.rule == "other-request"


async def test_an_unknown_invite_and_a_wrong_secret_hear_the_same(desk: Desk) -> None:
    invite = await desk.opened()
    answers: set[tuple[str, str]] = set()
    for credential in (
        f"{new_id().hex()}.{desk.secret.hex()}",
        f"{invite.id.hex()}.{bytes(32).hex()}",
        f"{invite.id.hex()}.{desk.secret.hex()[:-2]}",
        "",
        "x.y",
        f"{invite.id.hex()}.{sha256(desk.secret).hex()}",
    ):
        with pytest.raises(UntrustedError) as caught:
            await desk.enrolment.open(credential)
        answers.add((caught.value.rule, str(caught.value)))
    assert len(answers) == 1


async def test_an_invite_ends_but_waits_for_who_asked_in_time(desk: Desk) -> None:
    late, asked = await desk.opened(), await desk.opened()
    desk.clock.now += 2 * DAY - 1
    await desk.enrolment.ask(asked, encode_bundle(desk.network.admit(NEW)))
    desk.clock.now += DAY
    await desk.enrolment.open(desk.credential(asked))
    with pytest.raises(UntrustedError) as caught:
        await desk.enrolment.open(desk.credential(late))
    assert caught.value.rule == "invite-ended"


async def test_with_an_invite_nothing_is_said_about_another_node(desk: Desk) -> None:
    invite = await desk.opened()
    for bundle in (desk.network.admit("zagreb-ffp"), desk.network.renew(NODE, "case")):
        with pytest.raises(MalformedError):
            await desk.enrolment.ask(invite, encode_bundle(bundle))
        with pytest.raises(MalformedError):
            desk.enrolment.check_admission(invite, bundle)


async def test_a_request_carries_no_content_key(desk: Desk) -> None:
    invite = await desk.opened()
    good = desk.network.admit(NEW)
    content = Content(new_id(), bytes(104), b"")
    bad = Bundle(good.statements, good.wraps, (content,))
    with pytest.raises(MalformedError):
        await desk.enrolment.ask(invite, encode_bundle(bad))


async def test_a_revocation_is_no_request(desk: Desk) -> None:
    invite = await desk.opened()
    bundle = desk.network.revoke(desk.network.of(NODE))
    with pytest.raises(MalformedError):
        await desk.enrolment.ask(invite, encode_bundle(bundle))
    with pytest.raises(MalformedError):
        await desk.enrolment.ask(invite, encode_bundle(Bundle((Signed("node", b"", b""),), (), ())))


async def test_only_an_admin_invites_and_only_to_his_node(desk: Desk) -> None:
    desk.network.take(desk.network.enrol(NODE, ("field",)))
    field = next(m for m in desk.network.machines.values() if m.roles == ("field",))
    admin = desk.network.of(OTHER, "admin")
    for by in (field, admin):
        with pytest.raises(UntrustedError):
            await desk.enrolment.invite_device(desk.invite("device", NODE), by=by.device)


async def test_a_node_that_is_in_the_network_is_not_invited(desk: Desk) -> None:
    with pytest.raises(RefusedError) as caught:
        await desk.enrolment.invite_node(desk.invite(node=NODE))
    assert caught.value.rule == "known-node"


async def test_an_invite_may_be_stored_again_but_not_changed(desk: Desk) -> None:
    invite = desk.invite()
    await desk.enrolment.invite_node(invite)
    await desk.enrolment.invite_node(invite)
    with pytest.raises(OutOfTurnError):
        await desk.enrolment.invite_node(replace(invite, node="zagreb-ffp"))
    with pytest.raises(RefusedError):
        await desk.enrolment.invite_node(replace(invite, expires=desk.clock.now + 31 * DAY))


async def test_an_invite_that_has_ended_is_not_stored_again(desk: Desk) -> None:
    """It may have been forgotten meanwhile, and whoever holds the file would come in late."""
    invite = desk.invite()
    await desk.enrolment.invite_node(invite)
    for later in (invite.expires - desk.clock.now, enrolment.REMEMBERED + 1):
        desk.clock.now += later
        with pytest.raises(RefusedError) as caught:
            await desk.enrolment.invite_node(invite)
        assert caught.value.rule == "invite-ended"


async def test_attack_50_a_node_has_so_many_invites_and_no_more(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each may hold a request of 256 KiB, and an admin makes as many as he likes."""
    monkeypatch.setattr(enrolment, "MOST", 3)
    first = await desk.opened("device", NODE)
    for _ in range(2):
        await desk.opened("device", NODE)
    with pytest.raises(RefusedError) as caught:
        await desk.opened("device", NODE)
    assert caught.value.rule == "invites"
    await desk.opened("device", OTHER)
    desk.clock.now += 2 * DAY
    with pytest.raises(UntrustedError, match="has ended"):
        await desk.enrolment.open(desk.credential(first))
    with pytest.raises(RefusedError):
        await desk.opened("device", NODE)
    desk.clock.now += enrolment.REMEMBERED + 1
    await desk.opened("device", NODE)
    with pytest.raises(UntrustedError, match="not known"):
        await desk.enrolment.open(desk.credential(first))


async def test_a_request_begins_with_what_its_invite_is_for_and_is_short(desk: Desk) -> None:
    admission = desk.network.admit(NEW)
    invite = await desk.opened()
    headless = Bundle(admission.statements[1:], admission.wraps, ())
    for draft, rule in (
        (encode_bundle(headless), "bundle-shape"),
        (bytes(STATEMENT_LIMIT + 1), "too-long"),
    ):
        with pytest.raises(MalformedError) as caught:
            await desk.enrolment.ask(invite, draft)
        assert caught.value.rule == rule
    await desk.enrolment.ask(invite, encode_bundle(admission))
