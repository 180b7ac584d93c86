"""The rules of the authority log for devices: who certifies one, and who revokes it."""

from typing import Any

import pytest

from seefen.protocol.authority_rules import key_encrypts
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.statements import Device
from seefen.protocol.suite import SigningKey, new_id, random_bytes
from tests.protocol.authority import (
    AWAY,
    HOME,
    apply,
    following,
    new_device,
    new_node,
    new_root,
    revoke,
    suspend,
    two_admins,
)
from tests.protocol.builder import forge, read, refused
from tests.support.network import YEAR, Network

ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
SMALL_ORDER = [0, 1, 2**255 - 20, 2**255 - 19, 2**255 - 18, ORDER_8, 2**255 - 19 - ORDER_8]


@pytest.fixture
def network() -> Network:
    return Network.founded(HOME, AWAY)


def _small_order_key(y: int, sign_bit: int) -> bytes:
    return (y | sign_bit << 255).to_bytes(32, "little")


# --- device ------------------------------------------------------------------


def test_a_device_is_certified_by_its_node_and_itself(network: Network) -> None:
    bundle = network.enrol(HOME, ("field",))
    device = network.machines[read(bundle, Device).device]
    admin = network.admin(HOME).sign
    for keys, rule in (
        ([admin], "quorum"),
        ([device.sign], "quorum"),
        ([network.admin(AWAY).sign, device.sign], "quorum"),
        ([network.roots[0], device.sign], "quorum"),
        ([admin, device.sign, network.admin(AWAY).sign], "wrong-signers"),
    ):
        with refused(rule, UntrustedError):
            apply(network, "device", forge(bundle, *keys))
    starts = network.at
    bent: list[tuple[dict[str, Any], str]] = [
        ({"roles": ("lead", "field")}, "roles"),
        ({"roles": ("field", "field")}, "roles"),
        ({"starts": starts, "expires": starts + 367 * 86_400}, "certificate-life"),
        ({"starts": starts, "expires": starts}, "certificate-life"),
        ({"auth": bytes(32)}, "unusable-key"),
        ({"node": "tirana-lab"}, "unknown-node"),
    ]
    for changes, rule in bent:
        with refused(rule):
            apply(network, "device", forge(bundle, admin, device.sign, **changes))
    network.take(bundle)


def test_a_device_keeps_its_node_and_its_key(network: Network) -> None:
    machine, admin = network.of(HOME), network.admin(HOME).sign
    other = SigningKey.generate()
    with refused("device-changed", RefusedError):
        apply(network, "device", new_device(network, machine, admin, other, sign=other.public))
    with refused("device-changed", RefusedError):
        theirs = network.admin(AWAY).sign
        apply(network, "device", new_device(network, machine, theirs, machine.sign, node=AWAY))
    apply(network, "device", new_device(network, machine, machine.sign, roles=("field",)))
    assert network.directory.device(machine.device).roles == ("field",)


def test_nobody_takes_the_key_of_another_device(network: Network) -> None:
    bundle = network.enrol(HOME, ("field",))
    taken = network.of(AWAY)
    with refused("key-taken", RefusedError):
        forged = forge(bundle, network.admin(HOME).sign, taken.sign, sign=taken.sign.public)
        apply(network, "device", forged)


def test_a_node_out_of_force_certifies_nobody(network: Network) -> None:
    bundle = network.enrol(HOME, ("field",))
    with refused("expired", UntrustedError):
        network.directory.copy().apply(
            "device", bundle.statements[0].envelope, at=network.at + 6 * YEAR
        )
    network.take(network.suspend(HOME))
    with refused("suspended", UntrustedError):
        apply(network, "device", bundle.statements[0].envelope)


def test_attack_07_a_small_order_key_is_never_certified(network: Network) -> None:
    bundle = network.enrol(HOME, ("field",))
    admin = network.admin(HOME).sign
    mldsa = random_bytes(1952)
    for y in SMALL_ORDER:
        for bit in (0, 1):
            weak = _small_order_key(y, bit)
            with refused("unusable-key", UntrustedError):
                apply(network, "device", forge(bundle, admin, sign=weak + mldsa))
            with refused("unusable-key", UntrustedError):
                apply(network, "device", forge(bundle, admin, auth=weak))
            with refused("unusable-key", UntrustedError):
                apply(network, "node", new_node(network, admin, admins=(weak + mldsa,)))
            with refused("unusable-key", UntrustedError):
                apply(network, "root", new_root(network, *network.roots, keys=(weak + mldsa,)))


def test_attack_08_an_admin_cannot_certify_somebody_elses_key(network: Network) -> None:
    bundle = network.enrol(HOME, ("field",))
    admin, victim = network.admin(HOME).sign, SigningKey.generate()
    for keys in ([admin], [admin, network.machines[read(bundle, Device).device].sign]):
        with refused("quorum", UntrustedError):
            apply(network, "device", forge(bundle, *keys, sign=victim.public))
    ghost = network.admit("tirana-lab")
    with refused("quorum", UntrustedError):
        apply(network, "node", forge(ghost, network.roots[0], admins=(victim.public,)))


def test_attack_51_a_poisoned_receiving_key_is_never_certified(network: Network) -> None:
    bundle = network.enrol(HOME, ("field",))
    device = network.machines[read(bundle, Device).device]
    admin = network.admin(HOME).sign
    assert key_encrypts(device.kem.public)
    for poisoned in (device.kem.public[:1184] + bytes(32), b"\xff" * 1216):
        assert not key_encrypts(poisoned)
        with refused("unusable-key", RefusedError):
            apply(network, "device", forge(bundle, admin, device.sign, kem=poisoned))
        with refused("unusable-key", RefusedError):
            renewed = network.renew(AWAY, "alert")
            apply(network, "mailbox", forge(renewed, network.of(AWAY).sign, kem=poisoned))
    network.take(bundle)


# --- revoke ------------------------------------------------------------------


@pytest.mark.parametrize("who", ["admin", "itself", "root"])
def test_a_device_is_revoked_by(who: str) -> None:
    network, first, second = two_admins()
    keys = {"admin": second.sign, "itself": first.sign, "root": network.roots[0]}
    apply(network, "revoke", revoke(network, first, keys[who]))
    with refused("revoked", UntrustedError):
        network.directory.require_active(first.device, at=network.at)


def test_an_officer_revokes_his_own_device(network: Network) -> None:
    network.take(network.enrol(HOME, ("field",)))
    machine = network.of(HOME, "field", nth=1)
    apply(network, "revoke", revoke(network, machine, machine.sign, reason="left"))
    assert not network.directory.is_active(machine.device)


def test_a_device_is_not_revoked_by_others(network: Network) -> None:
    machine = network.of(HOME)
    field = network.enrol(HOME, ("field",))
    network.take(field)
    for key in (network.of(AWAY).sign, network.of(HOME, "field", nth=1).sign):
        with refused("wrong-signers", UntrustedError):
            apply(network, "revoke", revoke(network, machine, key))
    with refused("device-changed", RefusedError):
        apply(network, "revoke", revoke(network, machine, machine.sign, node=AWAY))
    with refused("unknown-device", UntrustedError):
        apply(network, "revoke", revoke(network, machine, machine.sign, device=new_id()))


def test_the_last_admin_is_lost_but_does_not_leave(network: Network) -> None:
    machine = network.of(HOME)
    for reason in ("left", "replaced"):
        for key in (machine.sign, network.roots[0]):
            with refused("last-admin", RefusedError):
                apply(network, "revoke", revoke(network, machine, key, reason=reason))
    apply(network, "revoke", revoke(network, machine, network.roots[0], reason="compromised"))
    two, first, second = two_admins()
    apply(two, "revoke", revoke(two, first, second.sign, reason="left"))


def test_a_revoked_device_comes_not_back(network: Network) -> None:
    network.take(network.enrol(HOME, ("field",)))
    machine, admin = network.of(HOME, "field", nth=1), network.admin(HOME).sign
    network.take(network.revoke(machine))
    with refused("revoked", UntrustedError):
        apply(network, "device", new_device(network, machine, admin, machine.sign))
    fresh = network.enrol(HOME, ("field",))
    with refused("key-taken", RefusedError):
        apply(network, "device", forge(fresh, admin, machine.sign, sign=machine.sign.public))


def test_a_thief_does_not_revoke_again_what_is_revoked(network: Network) -> None:
    network.take(network.enrol(HOME, ("field",)))
    machine = network.of(HOME, "field", nth=1)
    network.take(network.revoke(machine, "left"))
    later = following(network, ("revoke", machine.device))
    with refused("wrong-signers", UntrustedError):
        apply(network, "revoke", revoke(network, machine, machine.sign, **later))
    worse = revoke(network, machine, network.admin(HOME).sign, reason="compromised", **later)
    apply(network, "revoke", worse)
    assert network.directory.lost_since(HOME, network.directory.size - 1)


def test_a_stolen_admin_certifies_nobody_after_its_revoke() -> None:
    network, thief, admin = two_admins()
    ghost = network.enrol(HOME, ("keyholder",))
    key = network.machines[read(ghost, Device).device].sign
    network.directory.copy().apply("device", forge(ghost, thief.sign, key))
    apply(network, "revoke", revoke(network, thief, admin.sign))
    with refused("quorum", UntrustedError):
        apply(network, "device", forge(ghost, thief.sign, key))
    with refused("quorum", UntrustedError):
        apply(network, "node", new_node(network, thief.sign, admins=(thief.sign.public,)))
    for envelope in (suspend(network, thief.sign), revoke(network, admin, thief.sign)):
        with refused("wrong-signers", UntrustedError):
            apply(network, "suspend" if b"suspend" in envelope else "revoke", envelope)
    apply(network, "device", forge(ghost, admin.sign, key))


@pytest.mark.parametrize("seconds", [1, 366 * 86_400])
def test_a_certificate_may_last_a_second_and_a_leap_year(seconds: int) -> None:
    network, first, _ = two_admins()
    dates = {"starts": network.at, "expires": network.at + seconds}
    apply(network, "device", new_device(network, first, first.sign, **dates))
