"""Statements that follow what a network's authority log has, with other fields or signers."""

from typing import Any

from msgspec.structs import replace

from seefen.protocol.envelope import sign
from seefen.protocol.statements import NO_HASH, Revoke, Suspend
from seefen.protocol.suite import SUITE, SigningKey, new_id
from tests.support.network import EVERY_ROLE, Machine, Network

HOME, AWAY = "skopje-border", "belgrade-ffp"


def following(network: Network, key: tuple[str, Any]) -> dict[str, Any]:
    """Return the fields by which a statement follows the newest of its chain."""
    link = network.directory.link(key)
    assert link is not None
    fields = {"version": link.statement.version + 1, "prev": link.hash}
    return fields | {"seen": network.directory.head(), "nonce": new_id()}


def new_root(network: Network, *keys: SigningKey, **changes: Any) -> bytes:
    """Return the root's next version."""
    return sign(replace(network.directory.root, **_changed(network, ("root", ""), changes)), *keys)


def new_node(network: Network, *keys: SigningKey, **changes: Any) -> bytes:
    """Return the next version of node HOME."""
    before = network.directory.node(HOME)
    return sign(replace(before, **_changed(network, ("node", HOME), changes)), *keys)


def new_device(network: Network, of: Machine, *keys: SigningKey, **changes: Any) -> bytes:
    """Return the next certificate of a device."""
    before = network.directory.device(of.device)
    return sign(replace(before, **_changed(network, ("device", of.device), changes)), *keys)


def _changed(network: Network, key: tuple[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    # A statement is of its network; root version 1 alone cannot name it.
    return following(network, key) | {"net": network.net} | changes


def revoke(network: Network, of: Machine, *keys: SigningKey, **changes: Any) -> bytes:
    """Return the first revoke of a device."""
    statement = Revoke(
        SUITE, network.net, "revoke", new_id(), 1, NO_HASH, network.directory.head(),
        node=of.node, device=of.device, reason="lost", since=None,
    )  # fmt: skip
    return sign(replace(statement, **changes), *keys)


def suspend(network: Network, *keys: SigningKey, **changes: Any) -> bytes:
    """Return the first suspend of node HOME."""
    statement = Suspend(
        SUITE, network.net, "suspend", new_id(), 1, NO_HASH, network.directory.head(),
        node=HOME, reason="left",
    )  # fmt: skip
    return sign(replace(statement, **changes), *keys)


def apply(network: Network, kind: str, envelope: bytes) -> None:
    """Offer a statement to the directory at the network's time."""
    network.directory.apply(kind, envelope, at=network.at)


def two_admins() -> tuple[Network, Machine, Machine]:
    """Return a network whose node HOME has two admins, either of whom suffices."""
    network = Network()
    network.take(network.found())
    network.take(network.admit(HOME))
    network.take(network.enrol(HOME, EVERY_ROLE))
    network.take(network.admit(AWAY))
    first, second = network.of(HOME), network.of(HOME, nth=1)
    admins = (first.sign.public, second.sign.public)
    apply(network, "node", new_node(network, first.sign, second.sign, admins=admins))
    return network, first, second
