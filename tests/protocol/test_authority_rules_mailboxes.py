"""The rules of the authority log for mailboxes: who renews one, and for which holders."""

from typing import Any

import pytest

from seefen.protocol.errors import UntrustedError
from seefen.protocol.keys import wrap_mailbox_seed
from seefen.protocol.statements import Device, DeviceWrap, LeftOut, Mailbox
from seefen.protocol.suite import KemKey, SigningKey, random_bytes, sha256
from tests.protocol.authority import AWAY, HOME, apply
from tests.protocol.builder import forge, read, refused
from tests.support.network import Machine, Network


@pytest.fixture
def network() -> Network:
    return Network.founded(HOME, AWAY)


def _mailbox(network: Network, *keys: SigningKey, box: str = "alert", **changes: Any) -> bytes:
    return forge(network.renew(HOME, box), *keys, **changes)


def test_a_mailbox_is_renewed_by_a_holder(network: Network) -> None:
    network.take(network.enrol(HOME, ("field",)))
    network.take(network.enrol(HOME, ("admin",)))
    field = network.of(HOME, "field", nth=1)
    admin = network.of(HOME, "admin", nth=1)
    for machine in (admin, network.of(AWAY)):
        with refused("role", UntrustedError):
            forged = _mailbox(network, machine.sign, device=machine.device)
            apply(network, "mailbox", forged)
    with refused("role", UntrustedError):  # a field officer holds no case mailbox
        forged = _mailbox(network, field.sign, box="case", device=field.device)
        apply(network, "mailbox", forged)
    with refused("wrong-signers", UntrustedError):
        apply(network, "mailbox", _mailbox(network, field.sign))
    network.take(network.renew(HOME, "alert"))


def test_attack_01_ghost_device_gets_no_key(network: Network) -> None:
    """A device the broker made up, or certified itself, is in no list of holders."""
    ghost, holder = network.machine(HOME, ("keyholder",)), network.of(HOME)
    made_up = network.certify(ghost, by=ghost.sign)
    with refused("quorum", UntrustedError):
        apply(network, "device", made_up)
    network.directory.skip(made_up)
    for box in ("case", "alert", "audit"):
        assert [d.device for d in network.directory.holders(HOME, box)] == [holder.device]
        good = read(network.renew(HOME, box), Mailbox)
        wraps = (*good.wraps, DeviceWrap(ghost.device, bytes(32)))
        for planted in (wraps, wraps[1:]):
            with refused("coverage", UntrustedError):
                forged = _mailbox(network, holder.sign, box=box, wraps=planted)
                apply(network, "mailbox", forged)
    with refused("unknown-device", UntrustedError):
        network.directory.require_active(ghost.device, at=network.at)


def test_a_mailbox_covers_exactly_its_holders(network: Network) -> None:
    network.take(network.enrol(HOME, ("keyholder",)))
    holder = network.of(HOME)
    good = read(network.renew(HOME, "case"), Mailbox)
    assert len(good.wraps) == 2
    outsider = DeviceWrap(network.of(AWAY).device, bytes(32))
    second = good.wraps[1].device.hex()
    bent: list[tuple[dict[str, Any], str]] = [
        ({"wraps": good.wraps[:1]}, "coverage"),
        ({"wraps": (*good.wraps, outsider)}, "coverage"),
        ({"wraps": (good.wraps[0],) * 2}, "coverage"),
        ({"left_out": (LeftOut(second, "unusable-key"),)}, "coverage"),
        ({"wraps": good.wraps[:1], "left_out": (LeftOut("x", "expired"),)}, "coverage"),
        ({"wraps": good.wraps[:1], "left_out": (LeftOut(second, "expired"),) * 2}, "coverage"),
        *(
            ({"wraps": good.wraps[:1], "left_out": (LeftOut(second, reason),)}, "left-out")
            for reason in ("unusable-key", "expired", "suspended", "no-holder")
        ),
    ]
    for changes, rule in bent:
        with refused(rule, UntrustedError):
            apply(network, "mailbox", _mailbox(network, holder.sign, box="case", **changes))


def _one_expires(network: Network) -> tuple[Machine, int]:
    """Add a keyholder whose certificate ends early; return it and a time after that."""
    bundle = network.enrol(HOME, ("keyholder",), renew=False)
    machine = network.machines[read(bundle, Device).device]
    changes = {"starts": network.at - 60, "expires": network.at + 60}
    forged = forge(bundle, network.admin(HOME).sign, machine.sign, **changes)
    apply(network, "device", forged)
    return machine, network.at + 61


def test_an_expired_holder_is_listed_so_that_replays_agree(network: Network) -> None:
    machine, later = _one_expires(network)
    bundle = network.renew(HOME, "case")
    with refused("coverage", UntrustedError):
        network.directory.copy().apply("mailbox", bundle.statements[0].envelope, at=later)
    wraps = tuple(w for w in read(bundle, Mailbox).wraps if w.device != machine.device)
    left_out = (LeftOut(machine.device.hex(), "expired"),)
    envelope = forge(bundle, network.of(HOME).sign, wraps=wraps, left_out=left_out)
    with refused("left-out", UntrustedError):
        network.directory.copy().apply("mailbox", envelope, at=network.at)
    broker, replay = network.directory.copy(), network.directory.copy()
    broker.apply("mailbox", envelope, at=later)
    replay.apply("mailbox", envelope)
    assert broker.head() == replay.head()
    assert broker.mailbox(HOME, "case") == replay.mailbox(HOME, "case")


def test_attack_51_a_holder_whose_key_does_not_encrypt_is_left_out(network: Network) -> None:
    """No rule of today lets such a key in; what an older library let in stands in the log."""
    directory, holder = network.directory, network.of(HOME)
    renewed = network.renew(HOME, "case")
    bundle = network.enrol(HOME, ("keyholder",), renew=False)
    machine = network.machines[read(bundle, Device).device]
    poisoned = machine.kem.public[:1184] + bytes(32)
    certificate = forge(bundle, network.admin(HOME).sign, machine.sign, kem=poisoned)
    with refused("unusable-key"):
        apply(network, "device", certificate)
    directory.retake("device", certificate)
    named = machine.device.hex()
    for at in (network.at, None):
        for left_out, rule in (
            ((), "coverage"),
            ((LeftOut(named, "no-holder"),), "left-out"),
            ((LeftOut(holder.device.hex(), "unusable-key"),), "coverage"),
        ):
            with refused(rule, UntrustedError):
                envelope = forge(renewed, holder.sign, left_out=left_out)
                directory.apply("mailbox", envelope, at=at)
        good = forge(renewed, holder.sign, left_out=(LeftOut(named, "unusable-key"),))
        directory.copy().apply("mailbox", good, at=at)


def test_an_expired_device_renews_no_mailbox(network: Network) -> None:
    machine, later = _one_expires(network)
    envelope = _mailbox(network, machine.sign, box="case", device=machine.device)
    with refused("role", UntrustedError):
        network.directory.copy().apply("mailbox", envelope, at=later)
    network.directory.copy().apply("mailbox", envelope, at=network.at)


def test_a_suspended_node_renews_no_mailbox(network: Network) -> None:
    bundle = network.renew(HOME, "case")
    network.take(network.suspend(HOME))
    with refused("role", UntrustedError):
        apply(network, "mailbox", bundle.statements[0].envelope)


def test_attack_03_a_substituted_mailbox_key_counts_for_nothing(network: Network) -> None:
    """The broker swaps the public key, or writes a generation of its own."""
    bundle, thief = network.renew(HOME, "case"), KemKey.from_secret(random_bytes(32))
    good = read(bundle, Mailbox)
    swapped = bundle.statements[0].envelope.replace(good.kem, thief.public)
    with refused("signature", UntrustedError):
        apply(network, "mailbox", swapped)
    own = SigningKey.generate()
    wraps = (
        DeviceWrap(w.device, sha256(wrap_mailbox_seed(bytes(32), thief.public, good)))
        for w in good.wraps
    )
    with refused("wrong-signers", UntrustedError):
        apply(network, "mailbox", forge(bundle, own, kem=thief.public, wraps=tuple(wraps)))
    network.directory.skip(swapped)
    mailbox = network.directory.mailbox(HOME, "case")
    assert mailbox is not None
    assert mailbox.version == 1
