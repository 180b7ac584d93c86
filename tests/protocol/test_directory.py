"""The directory: replay, copies, leaves without effect, and every question as of then."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from seefen.protocol.directory import BOX_ROLES, Directory
from seefen.protocol.envelope import open_envelope, sign
from seefen.protocol.errors import OutOfTurnError, SeefenError, UntrustedError
from seefen.protocol.ledger.tree import EMPTY_ROOT, leaf_hash, root_of
from seefen.protocol.statements import Device
from seefen.protocol.suite import new_id, sha256
from tests.protocol.builder import read, refused
from tests.support.casework import open_case
from tests.support.network import YEAR, Machine, Network

HOME, AWAY = "skopje-border", "belgrade-ffp"


@pytest.fixture
def network() -> Network:
    return Network.founded(HOME, AWAY)


def _add(network: Network, *roles: str, renew: bool = True) -> Machine:
    """Add a machine to HOME."""
    bundle = network.enrol(HOME, roles, renew=renew)
    network.take(bundle)
    return network.machines[read(bundle, Device).device]


def _leaves(network: Network) -> list[tuple[str, bytes]]:
    """Return what was taken in, by taking it in again on the way."""
    bundles = [network.found()]
    network.take(bundles[0])
    for node in (HOME, AWAY):
        bundles.append(network.admit(node))
        network.take(bundles[-1])
    return [(signed.kind, signed.envelope) for bundle in bundles for signed in bundle.statements]


def test_a_replay_gives_the_same_heads() -> None:
    network = Network()
    leaves = _leaves(network)
    replay = Directory(network.net)
    assert replay.head().root == EMPTY_ROOT
    for kind, envelope in leaves:
        replay.apply(kind, envelope)
    assert replay.size == len(leaves)
    assert replay.head() == network.directory.head()
    for size in range(len(leaves) + 1):
        expected = root_of([leaf_hash(envelope) for _, envelope in leaves[:size]])
        assert replay.root_at(size) == expected
    for size in (-1, len(leaves) + 1):
        with refused("old-authority", OutOfTurnError):
            replay.root_at(size)


def test_what_passed_is_taken_in_once_more_and_comes_to_the_same() -> None:
    network = Network()
    leaves = _leaves(network)
    again = Directory(network.net)
    for kind, envelope in leaves:
        again.retake(kind, envelope)
    assert _ask(again, network.at) == _ask(network.directory, network.at)
    assert again.head() == network.directory.head()
    _, bundle = open_case(network, network.of(HOME), AWAY)
    with refused("unknown-kind", UntrustedError):
        again.retake("case", bundle.statements[0].envelope)
    assert again.head() == network.directory.head()


def test_a_leaf_that_breaks_a_rule_counts_and_has_no_effect(network: Network) -> None:
    machine = network.machine(HOME, ("keyholder",))
    ghost = network.certify(machine, by=machine.sign)
    size = network.directory.size
    with pytest.raises(SeefenError):
        network.directory.apply("device", ghost, at=network.at)
    assert network.directory.size == size
    network.directory.skip(ghost)
    assert network.directory.size == size + 1
    with refused("unknown-device", UntrustedError):
        network.directory.device(machine.device)
    # And the log goes on behind it.
    _add(network, "field")


def test_a_copy_is_independent(network: Network) -> None:
    before = network.directory.head()
    copy = network.directory.copy()
    for signed in network.enrol(HOME, ("field",)).statements:
        copy.apply(signed.kind, signed.envelope, at=network.at)
    assert network.directory.head() == before
    assert len(copy.devices(HOME)) == len(network.directory.devices(HOME)) + 1
    assert copy.last_change((HOME,)) > network.directory.last_change((HOME,))
    network.take(network.suspend(AWAY))
    assert copy.in_force(AWAY) is None


def test_who_is_active_and_who_is_not(network: Network) -> None:
    machine, directory, at = _add(network, "field"), network.directory, network.at
    assert directory.require_active(machine.device, at=at).device == machine.device
    with refused("unknown-device", UntrustedError):
        directory.require_active(new_id(), at=at)
    for wrong in (at - 61, at + YEAR, at + 2 * YEAR):
        with refused("expired", UntrustedError):
            directory.require_active(machine.device, at=wrong)
    directory.require_active(machine.device, at=at - 60)
    directory.require_active(machine.device)
    size = directory.size
    network.take(network.revoke(machine))
    with refused("revoked", UntrustedError):
        directory.require_active(machine.device, at=at)
    assert directory.require_active(machine.device, size=size, at=at)
    other = network.of(AWAY)
    network.take(network.suspend(AWAY))
    with refused("suspended", UntrustedError):
        directory.require_active(other.device, at=at)
    assert not directory.is_active(other.device, at=at)
    assert directory.is_active(other.device, size=size, at=at)


def test_roles(network: Network) -> None:
    machine = _add(network, "field")
    network.directory.require_role(machine.device, "lead", "field", at=network.at)
    with refused("role", UntrustedError):
        network.directory.require_role(machine.device, "lead", "keyholder", at=network.at)


def test_why_a_node_is_not_in_force(network: Network) -> None:
    directory = network.directory
    assert directory.in_force(HOME, at=network.at) is None
    assert directory.in_force("tirana-lab") == "unknown-node"
    assert directory.in_force(HOME, size=1) == "unknown-node"
    assert directory.in_force(HOME, at=network.at + 5 * YEAR) == "expired"
    assert directory.in_force(HOME) is None
    network.take(network.suspend(HOME))
    assert directory.in_force(HOME, at=network.at) == "suspended"
    assert directory.in_force(HOME, size=directory.size - 1, at=network.at) is None


@pytest.mark.parametrize("box", BOX_ROLES)
def test_holders_follow_from_roles(network: Network, box: str) -> None:
    machines = [_add(network, role) for role in ("admin", "auditor", "field", "keyholder", "lead")]
    held_by = {device.device for device in network.directory.holders(HOME, box, at=network.at)}
    for machine in machines:
        assert (machine.device in held_by) == bool(BOX_ROLES[box] & set(machine.roles))
    network.take(network.suspend(HOME))
    assert network.directory.holders(HOME, box, at=network.at) == ()


@pytest.mark.parametrize(
    ("box", "role", "reason", "stale"),
    [
        ("case", "keyholder", "lost", True),
        ("case", "keyholder", "left", True),
        ("case", "field", "lost", False),
        ("alert", "field", "lost", True),
        ("alert", "keyholder", "compromised", True),
        ("alert", "field", "left", False),
        ("alert", "field", "replaced", False),
        ("alert", "auditor", "lost", False),
        ("audit", "auditor", "left", True),
        ("audit", "keyholder", "lost", False),
    ],
)
def test_when_a_mailbox_is_stale(
    network: Network, box: str, role: str, reason: str, stale: bool
) -> None:
    machine, directory = _add(network, role), network.directory
    assert not directory.mailbox_stale(HOME, box)
    size = directory.size
    network.take(network.revoke(machine, reason))
    assert directory.mailbox_stale(HOME, box) == stale
    assert not directory.mailbox_stale(HOME, box, size=size)
    assert not directory.mailbox_stale(AWAY, box)
    assert directory.lost_since(HOME, size) == (reason in ("lost", "compromised"))
    assert directory.revoked_since(HOME, size)
    assert not directory.revoked_since(HOME, size + 1)
    network.take(network.renew(HOME, box))
    assert not directory.mailbox_stale(HOME, box)
    assert not directory.mailbox_stale("tirana-lab", box)


def test_a_role_that_is_taken_makes_the_mailbox_stale(network: Network) -> None:
    machine = _add(network, "field", "keyholder")
    machine.roles = ("field",)
    size = network.directory.size
    envelope = network.certify(machine, by=network.admin(HOME).sign)
    network.directory.apply("device", envelope, at=network.at)
    assert network.directory.mailbox_stale(HOME, "case")
    assert not network.directory.mailbox_stale(HOME, "alert")
    assert network.directory.holder_lost_since(HOME, "case", size)
    assert not network.directory.revoked_since(HOME, size)


def test_a_certificate_that_takes_nothing_makes_nothing_stale(network: Network) -> None:
    machine = _add(network, "field")
    machine.roles = ("field", "lead")
    envelope = network.certify(machine, by=network.admin(HOME).sign)
    network.directory.apply("device", envelope, at=network.at)
    assert not any(network.directory.mailbox_stale(HOME, box) for box in BOX_ROLES)


def test_a_network_does_not_name_itself() -> None:
    network = Network()
    named = sign(replace(network.root, net=bytes([1]) * 32), network.roots[0])
    payload = open_envelope(named, "root").payload
    with refused("net", UntrustedError):
        Directory(sha256(payload)).apply("root", named)
    for other in (bytes(32), sha256(payload)):
        with refused("net", UntrustedError):
            Directory(other).apply("root", network.founding)


def test_generations_of_a_mailbox(network: Network) -> None:
    directory = network.directory
    first = directory.mailbox(HOME, "case")
    assert first is not None
    network.take(network.renew(HOME, "case"))
    size = directory.size
    second = directory.mailbox(HOME, "case")
    assert second is not None
    assert (first.version, second.version) == (1, 2)
    assert directory.mailbox(HOME, "case", gen=1) == first
    assert directory.mailbox(HOME, "case", gen=2) == second
    assert directory.mailbox(HOME, "case", size=size - 1) == first
    assert directory.mailbox(HOME, "case", gen=2, size=size - 1) is None
    for gen in (0, 3, -1):
        assert directory.mailbox(HOME, "case", gen=gen) is None
    assert directory.mailbox("tirana-lab", "case") is None


def test_the_last_change_at_a_node(network: Network) -> None:
    directory = network.directory
    home, away = directory.last_change((HOME,)), directory.last_change((AWAY,))
    assert home < away == directory.size
    assert directory.last_change((HOME, AWAY)) == away
    assert directory.last_change((HOME, AWAY), size=home) == home
    assert directory.last_change((HOME,), size=1) == 0
    assert directory.last_change(("tirana-lab",)) == 0
    for change in ("enrol", "renew", "revoke", "suspend", "node"):
        match change:
            case "enrol":
                network.take(network.enrol(HOME, ("field",), renew=False))
            case "renew":
                network.take(network.renew(HOME, "alert"))
            case "revoke":
                network.take(network.revoke(network.of(HOME, "field", nth=1)))
            case "suspend":
                network.take(network.suspend(HOME))
            case _:
                link = directory.link(("node", HOME))
                assert link is not None
                after = replace(
                    directory.node(HOME), version=2, prev=link.hash, seen=directory.head()
                )
                network.take(network.bundle("node", sign(after, network.admin(HOME).sign)))
        assert directory.last_change((HOME,)) == directory.size


def test_names_codes_and_keys(network: Network) -> None:
    directory = network.directory
    assert directory.nodes() == (AWAY, HOME)
    assert directory.code_owner(directory.node(HOME).code) == HOME
    assert directory.code_owner("ZZZ") is None
    assert directory.has_sign_key(network.of(HOME).sign.public)
    assert not directory.has_sign_key(network.roots[0].public)
    with refused("unknown-node", UntrustedError):
        directory.node("tirana-lab")
    assert directory.devices("tirana-lab") == ()
    with refused("no-root", UntrustedError):
        assert Directory(network.net).root


STEPS = st.lists(
    st.sampled_from(["field", "keyholder", "lost", "left", "renew", "suspend", "bad"]), max_size=8
)


@given(STEPS)
@settings(max_examples=25)
def test_what_was_answered_as_of_then_stays(steps: list[str]) -> None:
    """Every question as of a size gives what it gave when that was the size."""
    network = Network.founded(HOME)
    answers = [_ask(network.directory, network.at)]
    sizes = [network.directory.size]
    for step in steps:
        _do(network, step)
        sizes.append(network.directory.size)
        answers.append(_ask(network.directory, network.at))
    for size, answer in zip(sizes, answers, strict=True):
        assert _ask(network.directory, network.at, size) == answer


def _do(network: Network, step: str) -> None:
    try:
        match step:
            case "field" | "keyholder":
                network.take(network.enrol(HOME, (step,)))
            case "lost" | "left":
                network.take(network.revoke(network.of(HOME, "field", nth=1), step))
            case "renew":
                network.take(network.renew(HOME, "case"))
            case "suspend":
                network.take(network.suspend(HOME))
            case _:
                network.directory.skip(new_id())
    except (SeefenError, IndexError):
        network.directory.skip(new_id())


def _ask(directory: Directory, at: int, size: int | None = None) -> list[object]:
    devices = directory.devices(HOME, size=size)
    size_then = directory.size if size is None else size
    return [
        directory.in_force(HOME, size=size, at=at),
        devices,
        [directory.is_active(device.device, size=size, at=at) for device in devices],
        [directory.holders(HOME, box, size=size, at=at) for box in BOX_ROLES],
        [directory.mailbox(HOME, box, size=size) for box in BOX_ROLES],
        [directory.mailbox_stale(HOME, box, size=size) for box in BOX_ROLES],
        [directory.lost_since(HOME, since, size=size) for since in range(size_then)],
        [directory.revoked_since(HOME, since, size=size) for since in range(size_then)],
        directory.last_change((HOME,), size=size),
        directory.root_at(size_then),
    ]
