"""The rules of each kind of the authority log: what passes, and each refusal."""

from typing import Any

import pytest
from msgspec.structs import replace

from seefen.protocol.authority_rules import key_encrypts
from seefen.protocol.encoding import encode
from seefen.protocol.envelope import Envelope, open_envelope, sign
from seefen.protocol.errors import OutOfTurnError, RefusedError, UntrustedError
from seefen.protocol.keys import wrap_mailbox_seed
from seefen.protocol.ledger.tree import EMPTY_ROOT
from seefen.protocol.statements import (
    AUTHORITY_KINDS,
    NO_HASH,
    Device,
    DeviceWrap,
    Head,
    LeftOut,
    Mailbox,
    Node,
    Revoke,
    Suspend,
)
from seefen.protocol.suite import SUITE, KemKey, SigningKey, new_id, random_bytes, sha256
from tests.protocol.builder import forge, read, refused
from tests.support.casework import open_case
from tests.support.network import EVERY_ROLE, YEAR, Machine, Network

HOME, AWAY = "skopje-border", "belgrade-ffp"
ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
SMALL_ORDER = [0, 1, 2**255 - 20, 2**255 - 19, 2**255 - 18, ORDER_8, 2**255 - 19 - ORDER_8]


@pytest.fixture
def network() -> Network:
    return Network.founded(HOME, AWAY)


def _next(network: Network, key: tuple[str, Any]) -> dict[str, Any]:
    """Return the fields by which a statement follows the newest of its chain."""
    link = network.directory.link(key)
    assert link is not None
    fields = {"version": link.statement.version + 1, "prev": link.hash}
    return fields | {"seen": network.directory.head(), "nonce": new_id()}


def _root(network: Network, *keys: SigningKey, **changes: Any) -> bytes:
    return sign(replace(network.directory.root, **_changed(network, ("root", ""), changes)), *keys)


def _node(network: Network, *keys: SigningKey, **changes: Any) -> bytes:
    before = network.directory.node(HOME)
    return sign(replace(before, **_changed(network, ("node", HOME), changes)), *keys)


def _device(network: Network, of: Machine, *keys: SigningKey, **changes: Any) -> bytes:
    before = network.directory.device(of.device)
    return sign(replace(before, **_changed(network, ("device", of.device), changes)), *keys)


def _changed(network: Network, key: tuple[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    # A statement is of its network; root version 1 alone cannot name it.
    return _next(network, key) | {"net": network.net} | changes


def _revoke(network: Network, of: Machine, *keys: SigningKey, **changes: Any) -> bytes:
    statement = Revoke(
        SUITE, network.net, "revoke", new_id(), 1, NO_HASH, network.directory.head(),
        node=of.node, device=of.device, reason="lost", since=None,
    )  # fmt: skip
    return sign(replace(statement, **changes), *keys)


def _suspend(network: Network, *keys: SigningKey, **changes: Any) -> bytes:
    statement = Suspend(
        SUITE, network.net, "suspend", new_id(), 1, NO_HASH, network.directory.head(),
        node=HOME, reason="left",
    )  # fmt: skip
    return sign(replace(statement, **changes), *keys)


def _apply(network: Network, kind: str, envelope: bytes) -> None:
    network.directory.apply(kind, envelope, at=network.at)


def _small_order_key(y: int, sign_bit: int) -> bytes:
    return (y | sign_bit << 255).to_bytes(32, "little")


# --- every kind --------------------------------------------------------------


def test_every_kind_follows_its_chain(network: Network) -> None:
    admin = network.admin(HOME).sign
    for fields in ({"version": 1}, {"version": 3}, {"prev": NO_HASH}, {"prev": bytes([1]) * 32}):
        with refused("not-next", OutOfTurnError):
            _apply(network, "node", _node(network, admin, **fields))
    with refused("not-next", OutOfTurnError):
        _apply(network, "suspend", _suspend(network, admin, version=2))
    _apply(network, "node", _node(network, admin))


def test_every_kind_belongs_to_the_network(network: Network) -> None:
    admin = network.admin(HOME).sign
    for net in (bytes(32), bytes([1]) * 32):
        with refused("net", UntrustedError):
            _apply(network, "node", _node(network, admin, net=net))
    with refused("net", UntrustedError):
        Network().directory.apply("root", network.founding)


def test_every_author_saw_this_log(network: Network) -> None:
    admin, size = network.admin(HOME).sign, network.directory.size
    with refused("fork", UntrustedError):
        _apply(network, "node", _node(network, admin, seen=Head(size, EMPTY_ROOT)))
    with refused("old-authority", OutOfTurnError):
        _apply(network, "node", _node(network, admin, seen=Head(size + 1, EMPTY_ROOT)))
    earlier = Head(2, network.directory.root_at(2))
    _apply(network, "node", _node(network, admin, seen=earlier))


def test_what_is_no_authority_statement_changes_nothing(network: Network) -> None:
    head = network.directory.head()
    leader = network.of(HOME)
    _, bundle = open_case(network, leader)
    for place, kind in enumerate(("case", "casekey")):
        with refused("unknown-kind", UntrustedError):
            _apply(network, kind, bundle.statements[place].envelope)
    assert network.directory.head() == head


@pytest.mark.parametrize("kind", AUTHORITY_KINDS)
def test_every_signature_is_verified(network: Network, kind: str) -> None:
    """The right names under the wrong bytes."""
    admin, machine = network.admin(HOME).sign, network.of(HOME)
    good = {
        "root": _root(network, *network.roots[:1]),
        "node": _node(network, admin),
        "suspend": _suspend(network, admin),
        "device": _device(network, machine, machine.sign),
        "revoke": _revoke(network, machine, admin),
        "mailbox": network.renew(HOME, "case").statements[0].envelope,
    }[kind]
    opened = open_envelope(good, kind)
    other = encode(replace(opened.statement, nonce=new_id()))
    with refused("signature", UntrustedError):
        _apply(network, kind, encode(Envelope(other, opened.signatures)))
    _apply(network, kind, good)


# --- root --------------------------------------------------------------------


def test_a_root_is_followed_by_the_thresholds_of_both() -> None:
    network = Network.founded(HOME)
    network = Network(roots=3)
    network.take(network.found())
    old, new = network.roots, [SigningKey.generate() for _ in range(2)]
    keys = tuple(key.public for key in new)
    for signers, rule in (
        (old[:2], "quorum"),
        (new, "quorum"),
        ([old[0], *new], "quorum"),
        ([*old[:2], new[0]], "quorum"),
        ([*old, *new], "wrong-signers"),
    ):
        with refused(rule, UntrustedError):
            _apply(network, "root", _root(network, *signers, keys=keys, threshold=2))
    _apply(network, "root", _root(network, *old[:2], *new, keys=keys, threshold=2))
    assert network.directory.root.keys == keys


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"threshold": 3}, "threshold"),
        ({"suite_min": 2}, "suite-min"),
        ({"quorum": 1}, "witnesses"),
        ({"origin": "other.example"}, "root-changed"),
        ({"log_key": bytes(32)}, "unusable-key"),
    ],
)
def test_a_root_that_is_refused(network: Network, changes: dict[str, Any], rule: str) -> None:
    with refused(rule):
        _apply(network, "root", _root(network, network.roots[0], **changes))


def test_a_root_names_each_key_once(network: Network) -> None:
    keys = (network.roots[0].public,) * 2
    with refused("threshold", RefusedError):
        _apply(network, "root", _root(network, network.roots[0], keys=keys))


def test_without_a_root_nobody_is_admitted() -> None:
    founded = Network.founded(HOME)
    stranger = Network()
    statement = replace(
        read(founded.admit(AWAY), Node), net=stranger.net, seen=stranger.directory.head()
    )
    with refused("no-root", UntrustedError):
        _apply(stranger, "node", sign(statement, *founded.roots))


# --- node --------------------------------------------------------------------


def test_a_node_is_admitted_by_the_root_and_its_own_admins(network: Network) -> None:
    bundle = network.admit("tirana-lab")
    admin = next(m for m in network.machines.values() if m.node == "tirana-lab").sign
    root = network.roots[0]
    for keys, rule in (
        ([root], "quorum"),
        ([admin], "quorum"),
        ([network.admin(HOME).sign, admin], "quorum"),
        ([root, admin, network.admin(HOME).sign], "wrong-signers"),
    ):
        with refused(rule, UntrustedError):
            _apply(network, "node", forge(bundle, *keys))
    with refused("code-taken", RefusedError):
        code = network.directory.node(HOME).code
        _apply(network, "node", forge(bundle, root, admin, code=code))
    with refused("threshold", RefusedError):
        _apply(network, "node", forge(bundle, root, admin, threshold=2))
    network.take(bundle)


def test_a_new_admin_of_a_node_signs_too(network: Network) -> None:
    admin, new = network.admin(HOME).sign, SigningKey.generate()
    admins = (admin.public, new.public)
    for keys in ([admin], [new]):
        with refused("quorum", UntrustedError):
            _apply(network, "node", _node(network, *keys, admins=admins))
    with refused("code-taken", RefusedError):
        _apply(network, "node", _node(network, admin, code="ZZZ"))
    _apply(network, "node", _node(network, admin, new, admins=admins, threshold=2))
    with refused("quorum", UntrustedError):
        _apply(network, "node", _node(network, admin))
    # Who goes need not agree.
    _apply(network, "node", _node(network, admin, new, admins=(new.public,), threshold=1))


def test_attack_61_the_root_cannot_put_its_keys_into_a_node(network: Network) -> None:
    thief, roots = SigningKey.generate(), network.roots
    for keys in ([*roots, thief], [thief], [roots[0], thief]):
        with refused("quorum", UntrustedError):
            _apply(network, "node", _node(network, *keys, admins=(thief.public,)))
    with refused("not-next", OutOfTurnError):
        changes: dict[str, Any] = {"version": 1, "prev": NO_HASH, "admins": (thief.public,)}
        _apply(network, "node", _node(network, roots[0], thief, **changes))
    # A name that was suspended stays taken too.
    _apply(network, "suspend", _suspend(network, roots[0]))
    with refused("not-next", OutOfTurnError):
        changes = {"version": 1, "prev": NO_HASH, "admins": (thief.public,)}
        _apply(network, "node", _node(network, roots[0], thief, **changes))


# --- suspend -----------------------------------------------------------------


def test_a_node_is_suspended_by_the_root_or_by_itself(network: Network) -> None:
    for keys in ([network.admin(AWAY).sign], [SigningKey.generate()], []):
        with refused("wrong-signers", UntrustedError):
            _apply(network, "suspend", _suspend(network, *keys))
    with refused("wrong-signers", UntrustedError):
        both = (network.roots[0], network.admin(HOME).sign)
        _apply(network, "suspend", _suspend(network, *both))
    with refused("unknown-node", UntrustedError):
        _apply(network, "suspend", _suspend(network, network.roots[0], node="tirana-lab"))
    for key in (network.roots[0], network.admin(HOME).sign):
        directory = network.directory.copy()
        directory.apply("suspend", _suspend(network, key))
        assert directory.in_force(HOME) == "suspended"
        assert directory.in_force(AWAY) is None


def test_a_key_of_root_and_node_alike_may_suspend_as_either() -> None:
    network = Network(roots=3)
    network.take(network.found())
    machine = network.machine(HOME, EVERY_ROLE)
    machine.sign = network.roots[0]
    bundle = network.admit(HOME)
    admins = (network.roots[0].public,)
    _apply(network, "node", forge(bundle, *network.roots[:2], admins=admins))
    _apply(network, "suspend", _suspend(network, network.roots[0]))


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
            _apply(network, "device", forge(bundle, *keys))
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
            _apply(network, "device", forge(bundle, admin, device.sign, **changes))
    network.take(bundle)


def test_a_device_keeps_its_node_and_its_key(network: Network) -> None:
    machine, admin = network.of(HOME), network.admin(HOME).sign
    other = SigningKey.generate()
    with refused("device-changed", RefusedError):
        _apply(network, "device", _device(network, machine, admin, other, sign=other.public))
    with refused("device-changed", RefusedError):
        theirs = network.admin(AWAY).sign
        _apply(network, "device", _device(network, machine, theirs, machine.sign, node=AWAY))
    _apply(network, "device", _device(network, machine, machine.sign, roles=("field",)))
    assert network.directory.device(machine.device).roles == ("field",)


def test_nobody_takes_the_key_of_another_device(network: Network) -> None:
    bundle = network.enrol(HOME, ("field",))
    taken = network.of(AWAY)
    with refused("key-taken", RefusedError):
        forged = forge(bundle, network.admin(HOME).sign, taken.sign, sign=taken.sign.public)
        _apply(network, "device", forged)


def test_a_node_out_of_force_certifies_nobody(network: Network) -> None:
    bundle = network.enrol(HOME, ("field",))
    with refused("expired", UntrustedError):
        network.directory.copy().apply(
            "device", bundle.statements[0].envelope, at=network.at + 6 * YEAR
        )
    network.take(network.suspend(HOME))
    with refused("suspended", UntrustedError):
        _apply(network, "device", bundle.statements[0].envelope)


def test_attack_07_a_small_order_key_is_never_certified(network: Network) -> None:
    bundle = network.enrol(HOME, ("field",))
    admin = network.admin(HOME).sign
    mldsa = random_bytes(1952)
    for y in SMALL_ORDER:
        for bit in (0, 1):
            weak = _small_order_key(y, bit)
            with refused("unusable-key", UntrustedError):
                _apply(network, "device", forge(bundle, admin, sign=weak + mldsa))
            with refused("unusable-key", UntrustedError):
                _apply(network, "device", forge(bundle, admin, auth=weak))
            with refused("unusable-key", UntrustedError):
                _apply(network, "node", _node(network, admin, admins=(weak + mldsa,)))
            with refused("unusable-key", UntrustedError):
                _apply(network, "root", _root(network, *network.roots, keys=(weak + mldsa,)))


def test_attack_08_an_admin_cannot_certify_somebody_elses_key(network: Network) -> None:
    bundle = network.enrol(HOME, ("field",))
    admin, victim = network.admin(HOME).sign, SigningKey.generate()
    for keys in ([admin], [admin, network.machines[read(bundle, Device).device].sign]):
        with refused("quorum", UntrustedError):
            _apply(network, "device", forge(bundle, *keys, sign=victim.public))
    ghost = network.admit("tirana-lab")
    with refused("quorum", UntrustedError):
        _apply(network, "node", forge(ghost, network.roots[0], admins=(victim.public,)))


def test_attack_51_a_poisoned_receiving_key_is_never_certified(network: Network) -> None:
    bundle = network.enrol(HOME, ("field",))
    device = network.machines[read(bundle, Device).device]
    admin = network.admin(HOME).sign
    assert key_encrypts(device.kem.public)
    for poisoned in (device.kem.public[:1184] + bytes(32), b"\xff" * 1216):
        assert not key_encrypts(poisoned)
        with refused("unusable-key", RefusedError):
            _apply(network, "device", forge(bundle, admin, device.sign, kem=poisoned))
        with refused("unusable-key", RefusedError):
            renewed = network.renew(AWAY, "alert")
            _apply(network, "mailbox", forge(renewed, network.of(AWAY).sign, kem=poisoned))
    network.take(bundle)


# --- revoke ------------------------------------------------------------------


def _two_admins() -> tuple[Network, Machine, Machine]:
    """Return a network whose node HOME has two admins, either of whom suffices."""
    network = Network()
    network.take(network.found())
    network.take(network.admit(HOME))
    network.take(network.enrol(HOME, EVERY_ROLE))
    network.take(network.admit(AWAY))
    first, second = network.of(HOME), network.of(HOME, nth=1)
    admins = (first.sign.public, second.sign.public)
    _apply(network, "node", _node(network, first.sign, second.sign, admins=admins))
    return network, first, second


@pytest.mark.parametrize("who", ["admin", "itself", "root"])
def test_a_device_is_revoked_by(who: str) -> None:
    network, first, second = _two_admins()
    keys = {"admin": second.sign, "itself": first.sign, "root": network.roots[0]}
    _apply(network, "revoke", _revoke(network, first, keys[who]))
    with refused("revoked", UntrustedError):
        network.directory.require_active(first.device, at=network.at)


def test_an_officer_revokes_his_own_device(network: Network) -> None:
    network.take(network.enrol(HOME, ("field",)))
    machine = network.of(HOME, "field", nth=1)
    _apply(network, "revoke", _revoke(network, machine, machine.sign, reason="left"))
    assert not network.directory.is_active(machine.device)


def test_a_device_is_not_revoked_by_others(network: Network) -> None:
    machine = network.of(HOME)
    field = network.enrol(HOME, ("field",))
    network.take(field)
    for key in (network.of(AWAY).sign, network.of(HOME, "field", nth=1).sign):
        with refused("wrong-signers", UntrustedError):
            _apply(network, "revoke", _revoke(network, machine, key))
    with refused("device-changed", RefusedError):
        _apply(network, "revoke", _revoke(network, machine, machine.sign, node=AWAY))
    with refused("unknown-device", UntrustedError):
        _apply(network, "revoke", _revoke(network, machine, machine.sign, device=new_id()))


def test_the_last_admin_is_lost_but_does_not_leave(network: Network) -> None:
    machine = network.of(HOME)
    for reason in ("left", "replaced"):
        for key in (machine.sign, network.roots[0]):
            with refused("last-admin", RefusedError):
                _apply(network, "revoke", _revoke(network, machine, key, reason=reason))
    _apply(network, "revoke", _revoke(network, machine, network.roots[0], reason="compromised"))
    two, first, second = _two_admins()
    _apply(two, "revoke", _revoke(two, first, second.sign, reason="left"))


def test_a_revoked_device_comes_not_back(network: Network) -> None:
    network.take(network.enrol(HOME, ("field",)))
    machine, admin = network.of(HOME, "field", nth=1), network.admin(HOME).sign
    network.take(network.revoke(machine))
    with refused("revoked", UntrustedError):
        _apply(network, "device", _device(network, machine, admin, machine.sign))
    fresh = network.enrol(HOME, ("field",))
    with refused("key-taken", RefusedError):
        _apply(network, "device", forge(fresh, admin, machine.sign, sign=machine.sign.public))


def test_a_thief_does_not_revoke_again_what_is_revoked(network: Network) -> None:
    network.take(network.enrol(HOME, ("field",)))
    machine = network.of(HOME, "field", nth=1)
    network.take(network.revoke(machine, "left"))
    later = _next(network, ("revoke", machine.device))
    with refused("wrong-signers", UntrustedError):
        _apply(network, "revoke", _revoke(network, machine, machine.sign, **later))
    worse = _revoke(network, machine, network.admin(HOME).sign, reason="compromised", **later)
    _apply(network, "revoke", worse)
    assert network.directory.lost_since(HOME, network.directory.size - 1)


def test_a_stolen_admin_certifies_nobody_after_its_revoke() -> None:
    network, thief, admin = _two_admins()
    ghost = network.enrol(HOME, ("keyholder",))
    key = network.machines[read(ghost, Device).device].sign
    network.directory.copy().apply("device", forge(ghost, thief.sign, key))
    _apply(network, "revoke", _revoke(network, thief, admin.sign))
    with refused("quorum", UntrustedError):
        _apply(network, "device", forge(ghost, thief.sign, key))
    with refused("quorum", UntrustedError):
        _apply(network, "node", _node(network, thief.sign, admins=(thief.sign.public,)))
    for envelope in (_suspend(network, thief.sign), _revoke(network, admin, thief.sign)):
        with refused("wrong-signers", UntrustedError):
            _apply(network, "suspend" if b"suspend" in envelope else "revoke", envelope)
    _apply(network, "device", forge(ghost, admin.sign, key))


# --- mailbox -----------------------------------------------------------------


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
            _apply(network, "mailbox", forged)
    with refused("role", UntrustedError):  # a field officer holds no case mailbox
        forged = _mailbox(network, field.sign, box="case", device=field.device)
        _apply(network, "mailbox", forged)
    with refused("wrong-signers", UntrustedError):
        _apply(network, "mailbox", _mailbox(network, field.sign))
    network.take(network.renew(HOME, "alert"))


def test_attack_01_ghost_device_gets_no_key(network: Network) -> None:
    """A device the broker made up, or certified itself, is in no list of holders."""
    ghost, holder = network.machine(HOME, ("keyholder",)), network.of(HOME)
    made_up = network.certify(ghost, by=ghost.sign)
    with refused("quorum", UntrustedError):
        _apply(network, "device", made_up)
    network.directory.skip(made_up)
    for box in ("case", "alert", "audit"):
        assert [d.device for d in network.directory.holders(HOME, box)] == [holder.device]
        good = read(network.renew(HOME, box), Mailbox)
        wraps = (*good.wraps, DeviceWrap(ghost.device, bytes(32)))
        for planted in (wraps, wraps[1:]):
            with refused("coverage", UntrustedError):
                forged = _mailbox(network, holder.sign, box=box, wraps=planted)
                _apply(network, "mailbox", forged)
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
            _apply(network, "mailbox", _mailbox(network, holder.sign, box="case", **changes))


def _one_expires(network: Network) -> tuple[Machine, int]:
    """Add a keyholder whose certificate ends early; return it and a time after that."""
    bundle = network.enrol(HOME, ("keyholder",), renew=False)
    machine = network.machines[read(bundle, Device).device]
    changes = {"starts": network.at - 60, "expires": network.at + 60}
    forged = forge(bundle, network.admin(HOME).sign, machine.sign, **changes)
    _apply(network, "device", forged)
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
        _apply(network, "mailbox", bundle.statements[0].envelope)


def test_attack_03_a_substituted_mailbox_key_counts_for_nothing(network: Network) -> None:
    """The broker swaps the public key, or writes a generation of its own."""
    bundle, thief = network.renew(HOME, "case"), KemKey.from_secret(random_bytes(32))
    good = read(bundle, Mailbox)
    swapped = bundle.statements[0].envelope.replace(good.kem, thief.public)
    with refused("signature", UntrustedError):
        _apply(network, "mailbox", swapped)
    own = SigningKey.generate()
    wraps = (
        DeviceWrap(w.device, sha256(wrap_mailbox_seed(bytes(32), thief.public, good)))
        for w in good.wraps
    )
    with refused("wrong-signers", UntrustedError):
        _apply(network, "mailbox", forge(bundle, own, kem=thief.public, wraps=tuple(wraps)))
    network.directory.skip(swapped)
    mailbox = network.directory.mailbox(HOME, "case")
    assert mailbox is not None
    assert mailbox.version == 1
