"""The case most tests of cases begin with: two members and a node that is none."""

from typing import Any

from msgspec.structs import replace

from seefen.protocol.case import CaseState
from seefen.protocol.envelope import open_envelope, sign
from seefen.protocol.statements import Device
from tests.protocol.builder import forge, offer, read, twin
from tests.support.casework import access, message, open_case
from tests.support.network import Machine, Network

HOME, AWAY, THIRD = "skopje-border", "belgrade-ffp", "tirana-lab"
FOUNDED = Network.founded(HOME, AWAY, THIRD)


class Story:
    """A network with a case of HOME and AWAY, and an officer of each node."""

    def __init__(self, form: str = "case") -> None:
        self.network = twin(FOUNDED)
        self.home, self.away = self.network.of(HOME), self.network.of(AWAY)
        self.third = self.network.of(THIRD)
        self.case, bundle = open_case(self.network, self.home, AWAY, form=form)
        self.network.take(bundle)

    @property
    def state(self) -> CaseState:
        return self.network.cases[self.case]

    def add(self, node: str, *roles: str) -> Machine:
        """Add a machine to a node."""
        bundle = self.network.enrol(node, roles)
        self.network.take(bundle)
        return self.network.machines[read(bundle, Device).device]

    def object(self, by: Machine, **changes: Any) -> None:
        """Offer an object with other fields."""
        envelope = forge(message(self.network, by, self.case), by.sign, **changes)
        offer(self.network, "object", envelope)

    def access(self, by: Machine, *objects: bytes, **changes: Any) -> None:
        """Offer an access with other fields."""
        scope = "object" if objects else ("case" if self.state.form == "case" else "watch")
        ask = access(self.network, by, self.case, *objects, scope=scope)
        statement = open_envelope(ask.envelope, "access").statement
        offer(self.network, "access", sign(replace(statement, **changes), by.sign))
