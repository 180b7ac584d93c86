"""What happens in a network after a case was written: for tests that ask as of before."""

from collections.abc import Callable
from copy import copy
from typing import Final

from msgspec.structs import replace

from seefen.protocol.envelope import open_envelope, sign
from tests.protocol.builder import twin
from tests.protocol.story import AWAY, THIRD, Story
from tests.support.network import Machine, Network

LAB: Final = "podgorica-lab"
_BEGUN: Final = Story()
_BEGUN.away = _BEGUN.add(AWAY, "auditor", "field", "keyholder", "lead")


def begun() -> Story:
    """Return a story whose officer of AWAY is no admin, so that he can be lost."""
    story = copy(_BEGUN)  # adding a machine takes a while
    network = story.network = twin(_BEGUN.network)
    story.home, story.away = (network.machines[m.device] for m in (_BEGUN.home, _BEGUN.away))
    return story


def recertify(network: Network, machine: Machine, **changes: object) -> None:
    """Give a machine its next certificate."""
    envelope = network.certify(machine, by=network.admin(machine.node).sign)
    statement = replace(open_envelope(envelope, "device").statement, **changes)
    keys = {key.key_id: key for key in (network.admin(machine.node).sign, machine.sign)}
    network.directory.apply("device", sign(statement, *keys.values()), at=network.at)


def _officer(network: Network) -> Machine:
    """Return the machine of AWAY that writes in these tests and is no admin's."""
    return next(m for m in network.machines.values() if m.node == AWAY and "admin" not in m.roles)


EVENTS: dict[str, Callable[[Network], None]] = {
    "lost": lambda network: network.take(network.revoke(_officer(network))),
    "left": lambda network: network.take(network.revoke(_officer(network), "left")),
    "suspended": lambda network: network.take(network.suspend(AWAY)),
    "role taken": lambda network: recertify(network, _officer(network), roles=("auditor",)),
    "ended": lambda network: recertify(network, _officer(network), expires=network.at + 1),
    "joined": lambda network: network.take(network.enrol(AWAY, ("keyholder",), renew=False)),
    "renewed": lambda network: network.take(network.renew(AWAY, "case", "audit")),
    "admitted": lambda network: network.take(network.admit(LAB)),
    "reached": lambda network: network.take(network.enrol(THIRD, ("keyholder",))),
}
