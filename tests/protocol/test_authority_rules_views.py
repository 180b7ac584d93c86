"""The rules of the authority log for views: who lets whom see which entries, and for how long."""

from typing import Any

import pytest

from seefen.protocol.authority_rules import CERTIFICATE_LIFE, GUEST_LIFE, VIEW_LIFE
from seefen.protocol.directory import Directory
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.statements import View
from seefen.protocol.suite import SigningKey, new_id
from tests.protocol.authority import AWAY, HOME, apply, new_node, revoke, two_admins
from tests.protocol.builder import refused, twin
from tests.support.network import Machine, Network

BOARD = "oversight-board"
WHOLE = ""
FOUNDED = Network.founded(HOME, AWAY, BOARD)


@pytest.fixture
def network() -> Network:
    return twin(FOUNDED)


def view(network: Network, of: str, *keys: SigningKey, **changes: Any) -> bytes:
    """Return a view that the board's machine gets."""
    return network.view(network.of(BOARD), of, *keys, **changes)[1]


def seen(directory: Directory, of: str, machine: Machine) -> View | None:
    return directory.latest(("view", f"{of}/{machine.device.hex()}"), View)


def test_attack_nobody_but_root_or_the_node_lets_a_guest_look(network: Network) -> None:
    board, root = network.of(BOARD), network.roots[0]
    home, away = network.admin(HOME).sign, network.admin(AWAY).sign
    for of, keys, rule in (
        (WHOLE, [home], "quorum"),
        (WHOLE, [board.sign], "quorum"),
        (WHOLE, [root, home], "wrong-signers"),
        (HOME, [root], "quorum"),
        (HOME, [away], "quorum"),
        (HOME, [board.sign], "quorum"),
        (HOME, [root, home], "wrong-signers"),
    ):
        with refused(rule, UntrustedError):
            apply(network, "view", view(network, of, *keys))
    for of, key in ((WHOLE, root), (HOME, home)):
        apply(network, "view", view(network, of, key))
        assert seen(network.directory, of, board) is not None
    with refused("unknown-node", UntrustedError):
        apply(network, "view", view(network, "nobody", home))
    assert seen(network.directory, AWAY, board) is None
    assert seen(network.directory, HOME, network.of(AWAY)) is None


def test_a_view_needs_the_threshold_of_whoever_gives_it() -> None:
    network = Network(roots=3)
    for bundle in (network.found, lambda: network.admit(BOARD)):
        network.take(bundle())
    with refused("quorum", UntrustedError):
        apply(network, "view", view(network, WHOLE, network.roots[0]))
    apply(network, "view", view(network, WHOLE, *network.roots[1:]))
    network, first, second = two_admins()
    network.take(network.admit(BOARD))
    apply(network, "node", new_node(network, first.sign, threshold=2))
    for key in (first.sign, second.sign):
        with refused("quorum", UntrustedError):
            apply(network, "view", view(network, HOME, key))
    apply(network, "view", view(network, HOME, first.sign, second.sign))


def test_a_stolen_admin_lets_nobody_see_after_its_revoke() -> None:
    network, thief, admin = two_admins()
    network.take(network.admit(BOARD))
    apply(network, "revoke", revoke(network, thief, admin.sign))
    with refused("quorum", UntrustedError):
        apply(network, "view", view(network, HOME, thief.sign))
    apply(network, "view", view(network, HOME, admin.sign))


@pytest.mark.parametrize("of", [WHOLE, HOME])
@pytest.mark.parametrize("back", [False, True])
def test_a_view_names_a_device_and_its_own_node(network: Network, of: str, *, back: bool) -> None:
    changes = {"expires": 0} if back else {}
    with refused("device-changed", RefusedError):
        apply(network, "view", view(network, of, node=AWAY, **changes))
    with refused("unknown-device", UntrustedError):
        apply(network, "view", view(network, of, device=new_id(), **changes))
    apply(network, "view", view(network, of, **changes))


@pytest.mark.parametrize("of", [WHOLE, HOME])
def test_only_an_auditor_in_force_is_let_see(network: Network, of: str) -> None:
    board = network.of(BOARD)
    network.take(network.enrol(BOARD, ("admin", "field", "keyholder", "lead")))
    other = network.of(BOARD, nth=1)
    with refused("role", UntrustedError):
        apply(network, "view", network.view(other, of)[1])
    ends = network.directory.device(board.device).expires
    network.at = ends - 1
    apply(network, "view", view(network, of))
    network.at = ends
    late = view(network, of)
    with refused("expired", UntrustedError):
        apply(network, "view", late)
    network.directory.copy().apply("view", late)  # a replay knows no dates
    network.take(network.suspend(BOARD))
    with refused("suspended", UntrustedError):
        network.directory.apply("view", network.view(board, of)[1])


def test_a_node_out_of_force_lets_nobody_see(network: Network) -> None:
    ends = network.at + 50
    apply(network, "node", new_node(network, network.admin(HOME).sign, expires=ends))
    network.at = ends
    late = view(network, HOME)
    with refused("expired", UntrustedError):
        apply(network, "view", late)
    network.directory.copy().apply("view", late)
    apply(network, "view", view(network, WHOLE))
    network.at = ends - 1
    apply(network, "view", view(network, HOME))
    network.take(network.suspend(HOME))
    with refused("suspended", UntrustedError):
        apply(network, "view", view(network, HOME))


def test_a_view_is_of_a_period(network: Network) -> None:
    at = network.at
    for of, since, upto in ((HOME, 0, 0), (HOME, at, 0), (HOME, at, at), (WHOLE, at, at),
                            (HOME, at + 1, at), (WHOLE, at + 1, at)):  # fmt: skip
        with refused("view-period", RefusedError):
            apply(network, "view", view(network, of, since=since, upto=upto))
    for of, since, upto in ((HOME, 0, 1), (HOME, at, at + 1), (WHOLE, at, at + 1), (WHOLE, at, 0),
                            (WHOLE, 0, 0)):  # fmt: skip
        apply(network, "view", view(network, of, since=since, upto=upto))


@pytest.mark.parametrize(("of", "life"), [(WHOLE, VIEW_LIFE), (HOME, GUEST_LIFE)])
def test_a_view_lasts_a_year_and_that_of_a_guest_a_quarter(
    network: Network, of: str, life: int
) -> None:
    assert (VIEW_LIFE, GUEST_LIFE) == (CERTIFICATE_LIFE, 92 * 86_400)
    long = view(network, of, expires=network.at + life + 1)
    with refused("view-life", RefusedError):
        apply(network, "view", long)
    network.directory.copy().apply("view", long)
    apply(network, "view", view(network, of, expires=network.at + life))


@pytest.mark.parametrize("of", [WHOLE, HOME])
def test_a_view_is_taken_back_whatever_became_of_its_device(network: Network, of: str) -> None:
    board = network.of(BOARD)
    apply(network, "view", view(network, of))
    network.take(network.suspend(BOARD))
    for signer in (board.sign, network.admin(AWAY).sign):
        with refused("quorum", UntrustedError):
            apply(network, "view", network.view(board, of, signer, expires=0)[1])
    back, envelope = network.view(board, of, expires=0, since=0, upto=0)
    apply(network, "view", envelope)
    assert seen(network.directory, of, board) == back
