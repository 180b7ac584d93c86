"""The rules of the authority log: those of every kind, and of root, node and suspend."""

from typing import Any

import pytest
from msgspec.structs import replace

from seefen.protocol.authority_rules import check
from seefen.protocol.encoding import encode
from seefen.protocol.envelope import Envelope, open_envelope, sign
from seefen.protocol.errors import OutOfTurnError, RefusedError, UntrustedError
from seefen.protocol.ledger.tree import EMPTY_ROOT
from seefen.protocol.statements import AUTHORITY_KINDS, NO_HASH, Head, Node
from seefen.protocol.suite import PlainKey, SigningKey, new_id
from tests.protocol.authority import (
    AWAY,
    HOME,
    apply,
    new_device,
    new_node,
    new_root,
    revoke,
    suspend,
)
from tests.protocol.builder import forge, read, refused
from tests.support.casework import open_case
from tests.support.network import EVERY_ROLE, Network


@pytest.fixture
def network() -> Network:
    return Network.founded(HOME, AWAY)


# --- every kind --------------------------------------------------------------


def test_every_kind_follows_its_chain(network: Network) -> None:
    admin = network.admin(HOME).sign
    for fields in ({"version": 1}, {"version": 3}, {"prev": NO_HASH}, {"prev": bytes([1]) * 32}):
        with refused("not-next", OutOfTurnError):
            apply(network, "node", new_node(network, admin, **fields))
    with refused("not-next", OutOfTurnError):
        apply(network, "suspend", suspend(network, admin, version=2))
    apply(network, "node", new_node(network, admin))


def test_every_kind_belongs_to_the_network(network: Network) -> None:
    admin = network.admin(HOME).sign
    for net in (bytes(32), bytes([1]) * 32):
        with refused("net", UntrustedError):
            apply(network, "node", new_node(network, admin, net=net))
    with refused("net", UntrustedError):
        Network().directory.apply("root", network.founding)


def test_every_author_saw_this_log(network: Network) -> None:
    admin, size = network.admin(HOME).sign, network.directory.size
    with refused("fork", UntrustedError):
        apply(network, "node", new_node(network, admin, seen=Head(size, EMPTY_ROOT)))
    with refused("old-authority", OutOfTurnError):
        apply(network, "node", new_node(network, admin, seen=Head(size + 1, EMPTY_ROOT)))
    earlier = Head(2, network.directory.root_at(2))
    apply(network, "node", new_node(network, admin, seen=earlier))


def test_what_is_no_authority_statement_changes_nothing(network: Network) -> None:
    head = network.directory.head()
    leader = network.of(HOME)
    _, bundle = open_case(network, leader)
    for place, kind in enumerate(("case", "casekey")):
        with refused("unknown-kind", UntrustedError):
            apply(network, kind, bundle.statements[place].envelope)
        with refused("unknown-kind", UntrustedError):  # nor by whoever asks for its rules alone
            opened = open_envelope(bundle.statements[place].envelope, kind)
            check(network.directory, opened, at=network.at)
    assert network.directory.head() == head


@pytest.mark.parametrize("kind", AUTHORITY_KINDS)
def test_every_signature_is_verified(network: Network, kind: str) -> None:
    """The right names under the wrong bytes."""
    admin, machine = network.admin(HOME).sign, network.of(HOME)
    good = {
        "root": new_root(network, *network.roots[:1]),
        "node": new_node(network, admin),
        "suspend": suspend(network, admin),
        "device": new_device(network, machine, machine.sign),
        "revoke": revoke(network, machine, admin),
        "mailbox": network.renew(HOME, "case").statements[0].envelope,
        "view": network.view(machine, AWAY)[1],
    }[kind]
    opened = open_envelope(good, kind)
    other = encode(replace(opened.statement, nonce=new_id()))
    with refused("signature", UntrustedError):
        apply(network, kind, encode(Envelope(other, opened.signatures)))
    apply(network, kind, good)


# --- root --------------------------------------------------------------------


def test_fault_26_a_root_is_followed_by_the_thresholds_of_both() -> None:
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
            apply(network, "root", new_root(network, *signers, keys=keys, threshold=2))
    apply(network, "root", new_root(network, *old[:2], *new, keys=keys, threshold=2))
    assert network.directory.root.keys == keys


def test_the_log_is_no_witness_of_itself(network: Network) -> None:
    own, other = network.log_key.public, PlainKey.generate().public
    with refused("witnesses"):
        root = new_root(network, network.roots[0], witnesses=(other, own), quorum=1)
        apply(network, "root", root)
    apply(network, "root", new_root(network, network.roots[0], witnesses=(other,), quorum=1))
    assert network.directory.root.quorum == 1


def test_an_origin_under_which_no_witness_signs_names_none() -> None:
    origin, public = "a blank", PlainKey.generate().public
    network = Network(origin=origin, witnesses=(public,), quorum=1)
    with refused("witnesses", RefusedError):
        network.take(network.found())
    network = Network(origin=origin)
    network.take(network.found())


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
        apply(network, "root", new_root(network, network.roots[0], **changes))


def test_a_root_names_each_key_once(network: Network) -> None:
    keys = (network.roots[0].public,) * 2
    with refused("threshold", RefusedError):
        apply(network, "root", new_root(network, network.roots[0], keys=keys))


def test_without_a_root_nobody_is_admitted() -> None:
    founded = Network.founded(HOME)
    stranger = Network()
    statement = replace(
        read(founded.admit(AWAY), Node), net=stranger.net, seen=stranger.directory.head()
    )
    with refused("no-root", UntrustedError):
        apply(stranger, "node", sign(statement, *founded.roots))


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
            apply(network, "node", forge(bundle, *keys))
    with refused("code-taken", RefusedError):
        code = network.directory.node(HOME).code
        apply(network, "node", forge(bundle, root, admin, code=code))
    with refused("threshold", RefusedError):
        apply(network, "node", forge(bundle, root, admin, threshold=2))
    network.take(bundle)


def test_a_new_admin_of_a_node_signs_too(network: Network) -> None:
    admin, new = network.admin(HOME).sign, SigningKey.generate()
    admins = (admin.public, new.public)
    for keys in ([admin], [new]):
        with refused("quorum", UntrustedError):
            apply(network, "node", new_node(network, *keys, admins=admins))
    with refused("code-taken", RefusedError):
        apply(network, "node", new_node(network, admin, code="ZZZ"))
    apply(network, "node", new_node(network, admin, new, admins=admins, threshold=2))
    with refused("quorum", UntrustedError):
        apply(network, "node", new_node(network, admin))
    # Who goes need not agree.
    apply(network, "node", new_node(network, admin, new, admins=(new.public,), threshold=1))


def test_attack_61_the_root_cannot_put_its_keys_into_a_node(network: Network) -> None:
    thief, roots = SigningKey.generate(), network.roots
    for keys in ([*roots, thief], [thief], [roots[0], thief]):
        with refused("quorum", UntrustedError):
            apply(network, "node", new_node(network, *keys, admins=(thief.public,)))
    with refused("not-next", OutOfTurnError):
        changes: dict[str, Any] = {"version": 1, "prev": NO_HASH, "admins": (thief.public,)}
        apply(network, "node", new_node(network, roots[0], thief, **changes))
    # A name that was suspended stays taken too.
    apply(network, "suspend", suspend(network, roots[0]))
    with refused("not-next", OutOfTurnError):
        changes = {"version": 1, "prev": NO_HASH, "admins": (thief.public,)}
        apply(network, "node", new_node(network, roots[0], thief, **changes))


# --- suspend -----------------------------------------------------------------


def test_a_node_is_suspended_by_the_root_or_by_itself(network: Network) -> None:
    for keys in ([network.admin(AWAY).sign], [SigningKey.generate()], []):
        with refused("wrong-signers", UntrustedError):
            apply(network, "suspend", suspend(network, *keys))
    with refused("wrong-signers", UntrustedError):
        both = (network.roots[0], network.admin(HOME).sign)
        apply(network, "suspend", suspend(network, *both))
    with refused("unknown-node", UntrustedError):
        apply(network, "suspend", suspend(network, network.roots[0], node="tirana-lab"))
    for key in (network.roots[0], network.admin(HOME).sign):
        directory = network.directory.copy()
        directory.apply("suspend", suspend(network, key))
        assert directory.in_force(HOME) == "suspended"
        assert directory.in_force(AWAY) is None


def test_a_key_of_root_and_node_alike_may_suspend_as_either() -> None:
    network = Network(roots=3)
    network.take(network.found())
    machine = network.machine(HOME, EVERY_ROLE)
    machine.sign = network.roots[0]
    bundle = network.admit(HOME)
    admins = (network.roots[0].public,)
    apply(network, "node", forge(bundle, *network.roots[:2], admins=admins))
    apply(network, "suspend", suspend(network, network.roots[0]))
