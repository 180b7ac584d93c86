"""The directory: what does not follow from the log before it, and questions as of then."""

import pytest
from msgspec.structs import replace

from seefen.protocol.errors import OutOfTurnError, UntrustedError
from seefen.protocol.statements import Head
from seefen.protocol.suite import new_id
from tests.protocol.authority import AWAY, HOME, apply, new_device, new_node, revoke, two_admins
from tests.protocol.builder import refused
from tests.support.casework import open_case
from tests.support.network import Machine, Network


@pytest.fixture
def network() -> Network:
    return Network.founded(HOME, AWAY)


def _certify(network: Network, machine: Machine, **changes: object) -> bytes:
    keys = {key.key_id: key for key in (network.admin(machine.node).sign, machine.sign)}
    return new_device(network, machine, *keys.values(), **changes)


def test_a_statement_is_of_this_network_and_follows_this_log(network: Network) -> None:
    machine, head = network.of(HOME), network.directory.head()
    for changes, rule, error in (
        ({"net": bytes(32)}, "net", UntrustedError),
        ({"seen": Head(head.size, bytes(32))}, "fork", UntrustedError),
        ({"seen": Head(head.size - 1, head.root)}, "fork", UntrustedError),
        ({"seen": replace(head, size=head.size + 1)}, "old-authority", OutOfTurnError),
        ({"version": 1}, "not-next", OutOfTurnError),
        ({"version": 3}, "not-next", OutOfTurnError),
        ({"prev": bytes(32)}, "not-next", OutOfTurnError),
    ):
        with refused(rule, error):
            apply(network, "device", _certify(network, machine, **changes))
    assert network.directory.head() == head
    apply(network, "device", _certify(network, machine))


def test_what_is_no_kind_of_the_authority_log_is_refused(network: Network) -> None:
    _, bundle = open_case(network, network.of(HOME), AWAY)
    with refused("unknown-kind", UntrustedError):
        apply(network, "case", bundle.statements[0].envelope)


def test_dates_are_judged_when_there_is_a_date(network: Network) -> None:
    apply(network, "node", new_node(network, network.admin(HOME).sign, expires=network.at + 50))
    network.at += 60
    late = _certify(network, network.of(HOME))
    with refused("expired", UntrustedError):
        apply(network, "device", late)
    network.directory.apply("device", late)  # a replay knows no dates


def test_the_answers_of_then_are_of_then(network: Network) -> None:
    machine, directory, then = network.of(AWAY), network.directory, network.directory.size
    network.take(network.enrol(AWAY, ("field",)))
    late = network.of(AWAY, "field", nth=1)
    network.take(network.admit("tirana-lab"))
    apply(network, "device", _certify(network, machine, roles=("admin", "field")))
    with refused("unknown-node", UntrustedError):
        directory.node("tirana-lab", size=then)
    for ask in (directory.device, directory.require_active):
        with refused("unknown-device", UntrustedError):
            ask(late.device, size=then)
        assert "keyholder" in ask(machine.device, size=then).roles
        assert "keyholder" not in ask(machine.device).roles
    directory.require_role(machine.device, "keyholder", size=then)
    with refused("role", UntrustedError):
        directory.require_role(machine.device, "keyholder")
    assert [h.device for h in directory.holders(AWAY, "case", size=then)] == [machine.device]
    assert directory.holders(AWAY, "case") == ()


def test_a_device_ends_with_its_date_and_with_that_of_its_node(network: Network) -> None:
    machine, directory, at = network.of(HOME), network.directory, network.at
    end = directory.device(machine.device).expires
    assert directory.is_active(machine.device, at=end - 1)
    assert not directory.is_active(machine.device, at=end)
    assert directory.is_active(machine.device)
    assert directory.holders(HOME, "case", at=end - 1)
    assert not directory.holders(HOME, "case", at=end)
    with refused("expired", UntrustedError):
        directory.require_role(machine.device, "lead", at=end)
    apply(network, "node", new_node(network, network.admin(HOME).sign, expires=at + 50))
    directory.require_active(machine.device, at=at + 49)
    with refused("expired", UntrustedError):
        directory.require_active(machine.device, at=at + 50)


def test_a_mailbox_that_was_renewed_was_stale_before(network: Network) -> None:
    directory = network.directory
    network.take(network.enrol(HOME, ("keyholder",)))
    network.take(network.revoke(network.of(HOME, "keyholder", nth=1)))
    then = directory.size
    network.take(network.renew(HOME, "case"))
    assert directory.mailbox_stale(HOME, "case", size=then)
    assert not directory.mailbox_stale(HOME, "case")
    assert directory.mailbox("nobody", "case", gen=1) is None


def test_a_suspension_is_a_loss_of_its_node(network: Network) -> None:
    before = network.directory.size
    network.take(network.suspend(AWAY))
    assert network.directory.lost_since(AWAY, before)
    assert not network.directory.lost_since(AWAY, before + 1)
    assert not network.directory.lost_since(HOME, before)


def test_an_admin_whose_device_was_revoked_acts_no_more() -> None:
    network, first, second = two_admins()
    assert network.directory.acting_admins(HOME) == (first.sign.public, second.sign.public)
    apply(network, "revoke", revoke(network, second, first.sign))
    assert network.directory.acting_admins(HOME) == (first.sign.public,)
    assert not network.directory.has_sign_key(new_id())
