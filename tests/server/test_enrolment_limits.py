"""Joining: the edges of what an invite opens, and for how long."""

from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest
from msgspec.structs import replace as changed

from seefen.protocol.bundle import Bundle, Signed, encode_bundle
from seefen.protocol.encoding import STATEMENT_LIMIT
from seefen.protocol.envelope import sign
from seefen.protocol.errors import MalformedError, OutOfTurnError, RefusedError, UntrustedError
from seefen.protocol.statements import Device, Node
from seefen.server.enrolment import DAY, LONGEST, WAITING, Enrolment, Invite
from seefen.server.store.invites import InviteRows
from tests.protocol.builder import read
from tests.server.test_enrolment import NEW, NODE, OTHER, Desk
from tests.support.access import Clock, access_tables
from tests.support.network import EVERY_ROLE, Network


@pytest.fixture
async def desk() -> AsyncGenerator[Desk, None]:
    network = Network.founded(NODE, OTHER)
    clock = Clock(network.at)
    async with access_tables() as pool:
        enrolment = Enrolment(InviteRows(pool), directory=lambda: network.directory, clock=clock)
        yield Desk(enrolment, network, clock, bytes(range(32)))


def rule(error: BaseException) -> str:
    return str(getattr(error, "rule", ""))


async def asked(desk: Desk, invite: Invite, bundle: Bundle) -> Invite:
    await desk.enrolment.ask(invite, encode_bundle(bundle))
    return await desk.enrolment.open(desk.credential(invite))


# --- how long ----------------------------------------------------------------------------------


async def test_an_invite_opens_to_its_last_second(desk: Desk) -> None:
    invite = await desk.opened()
    desk.clock.now = invite.expires - 1
    assert await desk.enrolment.open(desk.credential(invite)) == invite
    await desk.enrolment.invite_node(invite)  # may still be stored again
    desk.clock.now = invite.expires
    with pytest.raises(UntrustedError) as caught:
        await desk.enrolment.open(desk.credential(invite))
    assert rule(caught.value) == "invite-ended"
    with pytest.raises(RefusedError) as refused:
        await desk.enrolment.invite_node(invite)
    assert rule(refused.value) == "invite-ended"


async def test_an_invite_lives_thirty_days_and_not_a_second_more(desk: Desk) -> None:
    last = desk.clock.now + LONGEST
    assert LONGEST == 30 * DAY
    await desk.enrolment.invite_node(replace(desk.invite(), expires=last))
    with pytest.raises(RefusedError) as caught:
        await desk.enrolment.invite_node(replace(desk.invite(), expires=last + 1))
    assert rule(caught.value) == "invite-long"


async def test_who_asked_is_waited_for_a_week_or_as_long_as_his_invite_is_good(
    desk: Desk,
) -> None:
    short, long = desk.invite(), desk.invite()
    long = replace(long, expires=desk.clock.now + LONGEST)
    for invite, until in ((short, desk.clock.now + WAITING), (long, long.expires)):
        await desk.enrolment.invite_node(invite)
        assert (await asked(desk, invite, desk.network.admit(NEW))).expires == until


# --- who invites --------------------------------------------------------------------------------


async def test_attack_who_is_no_admin_any_more_invites_nobody(desk: Desk) -> None:
    network = desk.network
    admin = network.of(NODE, "admin")
    ends = network.directory.device(admin.device).expires
    desk.clock.now = ends - 1
    await desk.enrolment.invite_device(desk.invite("device", NODE), by=admin.device)
    desk.clock.now = ends
    with pytest.raises(UntrustedError) as caught:
        await desk.enrolment.invite_device(desk.invite("device", NODE), by=admin.device)
    assert rule(caught.value) == "expired"
    desk.clock.now = network.at
    network.take(network.revoke(admin))
    with pytest.raises(UntrustedError) as caught:
        await desk.enrolment.invite_device(desk.invite("device", NODE), by=admin.device)
    assert rule(caught.value) == "revoked"


async def test_who_may_not_invite_hears_why(desk: Desk) -> None:
    desk.network.take(desk.network.enrol(NODE, ("field",)))
    field, other = desk.network.of(NODE, nth=1), desk.network.of(OTHER, "admin")
    for by, expected in ((field, "role"), (other, "other-node")):
        with pytest.raises(UntrustedError) as caught:
            await desk.enrolment.invite_device(desk.invite("device", NODE), by=by.device)
        assert rule(caught.value) == expected


async def test_attack_an_invite_is_stored_as_it_was_and_under_its_id_alone(desk: Desk) -> None:
    """Whoever learns an id might make the invite his: another secret, other roles, more time."""
    invite = desk.invite("device", NODE)
    admin = desk.network.of(NODE, "admin").device
    await desk.enrolment.invite_device(invite, by=admin)
    for other in (
        replace(invite, secret_hash=bytes(32)),
        replace(invite, roles=("admin",)),
        replace(invite, expires=invite.expires + 1),
        replace(invite, kind="node"),
    ):
        with pytest.raises(OutOfTurnError) as caught:
            await desk.enrolment.invite_device(other, by=admin)
        assert rule(caught.value) == "other-invite"
    stored = await asked(
        desk, invite, Bundle(desk.network.enrol(NODE, ("field",)).statements[:1], (), ())
    )
    assert stored.secret_hash == invite.secret_hash
    await desk.enrolment.invite_device(invite, by=admin)  # the same one: a request changes nothing


# --- what is asked with it ------------------------------------------------------------------------


async def test_attack_beside_its_own_an_admission_says_nothing_about_another_node(
    desk: Desk,
) -> None:
    invite, network = await desk.opened(), desk.network
    good, strange = network.admit(NEW), network.enrol(NODE, ("field",))
    node, device = read(good, Node), read(good, Device, 1)
    (root,) = network.roots[: network.root.threshold]
    admin = next(m for m in network.machines.values() if m.device == device.device)
    renamed = sign(changed(node, version=2), root, admin.sign)
    for statements, expected in (
        ((*good.statements, strange.statements[0]), "other-node"),
        ((*good.statements, network.renew(NODE, "case").statements[0]), "other-node"),
        ((*good.statements, *network.revoke(network.of(NODE)).statements), "bundle-shape"),
        ((*good.statements[1:], good.statements[0]), "bundle-shape"),
        ((Signed("node", renamed, b""), *good.statements[1:]), "not-first"),
        ((good.statements[0], *good.statements[2:]), "other-device"),
    ):
        with pytest.raises(MalformedError) as caught:
            desk.enrolment.check_admission(invite, Bundle(statements, (), ()))
        assert rule(caught.value) == expected
    desk.enrolment.check_admission(invite, good)


async def test_attack_with_an_invite_of_a_device_no_node_is_admitted(desk: Desk) -> None:
    invite = await desk.opened("device", NODE)
    own = Bundle(desk.network.enrol(NODE, ("field",)).statements[:1], (), ())
    with pytest.raises(RefusedError) as caught:
        desk.enrolment.check_admission(invite, own)
    assert rule(caught.value) == "invite-kind"
    again = read(desk.network.admit(NEW), Node)
    (root,) = desk.network.roots[: desk.network.root.threshold]
    node = Bundle((Signed("node", sign(changed(again, node=NODE), root), b""),), (), ())
    for bundle in (node, desk.network.admit(NEW)):
        with pytest.raises(MalformedError) as malformed:
            await desk.enrolment.ask(invite, encode_bundle(bundle))
        assert rule(malformed.value) == "bundle-shape"


async def test_who_asked_is_admitted_when_all_his_devices_are(desk: Desk) -> None:
    network, invite = desk.network, await desk.opened("device", NODE)
    first, second = (network.enrol(NODE, ("field",)) for _ in range(2))
    draft = Bundle((first.statements[0], second.statements[0]), (), ())
    invite = await asked(desk, invite, draft)
    assert desk.enrolment.state(invite) == "asked"
    network.take(Bundle(first.statements[:1], (), ()))
    assert desk.enrolment.state(invite) == "asked"
    network.take(Bundle(second.statements[:1], (), ()))
    assert desk.enrolment.state(invite) == "admitted"


async def test_a_node_without_devices_is_admitted_by_none(desk: Desk) -> None:
    bundle = desk.network.admit(NEW, machines=(EVERY_ROLE,))
    invite = await asked(desk, await desk.opened(), Bundle(bundle.statements[:1], (), ()))
    assert desk.enrolment.state(invite) == "asked"
    desk.network.take(Bundle(bundle.statements[:1], (), ()))
    assert desk.enrolment.state(invite) == "asked"


async def test_refusals_of_invites_name_their_rule(desk: Desk) -> None:
    invite = await desk.opened()
    content = encode_bundle(desk.network.revoke(desk.network.of(NODE)))
    with pytest.raises(MalformedError) as malformed:
        await desk.enrolment.ask(invite, content)
    assert rule(malformed.value) == "bundle-shape"
    with pytest.raises(MalformedError) as malformed:
        await desk.enrolment.ask(invite, encode_bundle(desk.network.admit("zagreb-ffp")))
    assert rule(malformed.value) == "other-node"
    with pytest.raises(MalformedError) as malformed:
        await desk.enrolment.ask(invite, bytes(STATEMENT_LIMIT))
    assert rule(malformed.value) != "too-long"  # it is read, and is nothing
    for credential in ("", f"{invite.id.hex()}.{bytes(32).hex()}"):
        with pytest.raises(UntrustedError) as caught:
            await desk.enrolment.open(credential)
        assert rule(caught.value) == "invite"
