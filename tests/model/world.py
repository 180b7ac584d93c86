"""A network that lives: what people do, judged by the broker, told to the model.

Every step is tried as a client would do it. The broker may refuse; what it takes, the
readers learn from and the model is told. :meth:`World.check` compares the two.
"""

from collections import Counter
from collections.abc import Callable
from copy import copy
from dataclasses import replace as machine_copy
from typing import Final

from msgspec.structs import replace

from seefen.protocol.bundle import Bundle
from seefen.protocol.case import Position, stale
from seefen.protocol.case_chain import WRITERS
from seefen.protocol.errors import SeefenError
from seefen.protocol.objects import seal_message
from seefen.protocol.statements import (
    Activity,
    Assign,
    Case,
    CaseKey,
    Device,
    Mailbox,
    Object,
    Revoke,
    Suspend,
)
from tests.model.broker import MemoryBroker
from tests.model.policy import Policy
from tests.model.reader import Loot, Readers
from tests.support.casework import (
    _object,  # pyright: ignore[reportPrivateUsage]
    _sign,  # pyright: ignore[reportPrivateUsage]
    access,
    assign,
    change_members,
    open_case,
    renew_key,
)
from tests.support.network import EVERY_ROLE, Machine, Network

NODES: Final = ("skopje-border", "belgrade-ffp", "tirana-lab", "sarajevo-ffp", "zagreb-lab")
FIRST: Final = 3  # nodes that are there from the beginning
MACHINES: Final = (EVERY_ROLE, ("keyholder",), ("field",))
ROLES: Final = (("keyholder",), ("field",), ("lead",), ("field", "keyholder"))
DEVICES_OF_NODE: Final = 6  # more teach nothing and take time


class World:
    """Everybody's machines, the broker, the readers and the model."""

    def __init__(self) -> None:
        self.network = Network()
        self.network.take(self.network.found())
        self.broker = MemoryBroker(self.network.directory, self.network.at, {})
        self.readers, self.policy = Readers(self.broker), Policy()
        self.told: Counter[str] = Counter()
        self.cases: list[bytes] = []
        for node in NODES[:FIRST]:
            self.admit(node)

    def twin(self) -> "World":
        """Return an independent copy of a world without cases: founding one takes a while."""
        assert not self.cases
        other = copy(self)
        network = other.network = copy(self.network)
        network.directory = self.network.directory.copy()
        network.machines = {d: machine_copy(m) for d, m in network.machines.items()}
        network.cases, network.keys = {}, {}
        network.seeds = self.network.seeds.copy()
        other.broker = MemoryBroker(network.directory, network.at, self.broker.wraps.copy())
        other.readers = Readers(other.broker)
        other.readers.mailboxes = self.readers.mailboxes.copy()
        for device, loot in self.readers.loot.items():
            other.readers.loot[device] = Loot(network.machines[device], loot.seeds.copy())
        old = self.policy
        policy = other.policy = Policy()
        policy.node_of, policy.roles = old.node_of.copy(), old.roles.copy()
        policy.boxes, policy.held = old.boxes.copy(), old.held.copy()
        other.cases, other.told = [], Counter()
        return other

    # --- what people do -----------------------------------------------------------

    def admit(self, node: str) -> bool:
        """Let a node in."""
        return self._try("admit", None, lambda: self.network.admit(node, machines=MACHINES))

    def enrol(self, node: str, roles: tuple[str, ...]) -> bool:
        """Give a node one more machine."""
        if len(self._of(node)) >= DEVICES_OF_NODE:
            return False
        admin = self.network.admin(node).device
        return self._try("enrol", admin, lambda: self.network.enrol(node, roles))

    def revoke(self, device: bytes, reason: str) -> bool:
        """Lose a machine, or take one back in good order."""
        machine = self.network.machines[device]
        if "admin" in machine.roles or device in self.policy.gone:
            return False
        admin = self.network.admin(machine.node).device
        return self._try(reason, admin, lambda: self.network.revoke(machine, reason))

    def suspend(self, node: str) -> bool:
        """Take a node out of force for good."""
        return self._try("suspend", None, lambda: self.network.suspend(node))

    def rotate(self, node: str, box: str) -> bool:
        """Renew a mailbox."""
        holders = self.network.directory.holders(node, box)
        if not holders:
            return False
        return self._try("rotate", holders[0].device, lambda: self.network.renew(node, box))

    def open(self, by: bytes, partners: tuple[str, ...], form: str) -> bool:
        """Open a case or a channel."""
        machine, serial = self.network.machines[by], len(self.cases) + 1
        partners = tuple(node for node in partners if node != machine.node)

        def make() -> Bundle:
            return open_case(self.network, machine, *partners, form=form, serial=serial)[1]

        return self._try("open", by, make)

    def change(self, case: bytes, by: bytes, node: str) -> bool:
        """Add a node to a case, or remove it if it is a member."""
        machine, member = self.network.machines[by], node in self.policy.members[case]
        add, remove = ((), (node,)) if member else ((node,), ())

        def make(*, link: bool) -> Bundle:
            return change_members(self.network, machine, case, add=add, remove=remove, link=link)

        what = "remove" if member else "add"
        if self._try(what, by, lambda: make(link=True)):
            return True
        return not member and self._try(what, by, lambda: make(link=False))

    def hand_over(self, case: bytes, by: bytes, to: bytes) -> bool:
        """Assign a machine to a case."""
        machines = self.network.machines
        return self._try(
            "assign", by, lambda: assign(self.network, machines[by], case, machines[to])
        )

    def send(self, case: bytes, by: bytes, *, careless: bool) -> bool:
        """Say something in a case; whoever is careless does not renew the key first."""
        machine, policy = self.network.machines[by], self.policy
        network = self.network
        here = Position(network.directory.size, len(self.broker.rows), network.at)
        old = stale(network.cases[case], network.directory, here, node=machine.node)
        may = (
            policy.active(by)
            and machine.node in policy.members[case]
            and policy.has(by, policy.keys[case])
            and bool(policy.roles[by] & set(WRITERS))
        )
        old_key = policy.keys[case]
        if old is not None and not careless:
            renewed = self._try("renew", by, lambda: renew_key(network, machine, case))
            may = may and policy.renews(by, old_key)
            assert renewed or not may, "a reader could not renew the key"
        sent = self._try("send", by, lambda: self._message(machine, case))
        assert sent or not may or careless, "a reader could not write"
        return sent

    def cheat(self, case: bytes, by: bytes, field: str, by_how_much: int) -> None:
        """Write under an old key, or with a number that was used or left out: never taken."""
        machine = self.network.machines[by]
        honest = _object(self.network, machine, case)
        value = getattr(honest, field) + by_how_much
        if field == "gen" and (case, value) not in self.network.keys:
            return
        bundle = self._sealed(replace(honest, **{field: value}), machine)
        assert not self._try(f"cheat with {field}", by, lambda: bundle)

    def access(self, by: bytes, object_: bytes) -> bool:
        """Ask for a body, and open it with what the broker hands out."""
        machine, case = self.network.machines[by], self.policy.sent[object_][0]
        expected = self.policy.releases(by, object_)
        ask = access(self.network, machine, case, object_)
        keys: dict[bytes, bytes] = {}
        told = "access"
        try:
            keys = self.broker.ask(by, ask)
        except SeefenError as err:
            told = f"access: {err.rule}"
        self.told[told] += 1
        assert bool(keys) == expected, f"{told} against the model: {self._pair(by, object_)}"
        if not keys:
            return False
        self._follow_numbers(by, case)
        assert self.readers.opens_with(by, object_, keys[object_])
        return True

    # --- what must hold -----------------------------------------------------------

    def check(self) -> None:
        """Check every device against every object: it opens exactly what the model says."""
        for object_ in self.policy.sent:
            for device in self.policy.node_of:
                opens = self.readers.opens(device, object_)
                assert opens == self.policy.may(device, object_), self._pair(device, object_)
                assert not (opens and self.policy.never(device, object_)), self._pair(
                    device, object_
                )

    def _pair(self, device: bytes, object_: bytes) -> str:
        machine = self.network.machines[device]
        place = list(self.policy.sent).index(object_)
        return f"{machine.roles} of {machine.node} and object {place}"

    # --- how it is done -----------------------------------------------------------

    def _of(self, node: str) -> list[bytes]:
        return [d for d, n in self.policy.node_of.items() if n == node and self.policy.active(d)]

    def _message(self, by: Machine, case: bytes) -> Bundle:
        return self._sealed(_object(self.network, by, case), by)

    def _sealed(self, bare: Object, by: Machine) -> Bundle:
        # The body is the id: a reader who gets another body is noticed.
        key = self.network.keys[bare.case, bare.gen]
        obj, content = seal_message(bare, key, cover=b"a cover", body=bare.object)
        return Bundle((_sign(self.network, by, obj),), (), (content,))

    def _try(self, what: str, by: bytes | None, make: Callable[[], Bundle]) -> bool:
        try:
            opened = self.broker.send(by, make())
        except SeefenError as err:
            self.told[f"{what}: {err.rule}"] += 1
            return False
        self.told[what] += 1
        self.network.directory = self.broker.known.directory
        statements = [o.statement for o in opened]
        for statement in statements:
            if isinstance(statement, Activity):
                self._follow_numbers(statement.device, statement.case)
            if isinstance(statement, Device):
                self.readers.join(self.network.machines[statement.device])
        for statement in statements:
            self._tell(statement)
        self.readers.learn(opened, self.network.keys)
        return True

    def _follow_numbers(self, device: bytes, case: bytes) -> None:
        state = self.broker.known.case(case)
        assert state is not None
        self.network.cases[case] = state
        self.network.machines[device].device_n = self.broker.known.device_n(device)
        self.network.index = len(self.broker.rows)

    def _tell(self, statement: object) -> None:  # noqa: C901 - a row for each kind
        policy = self.policy
        match statement:
            case Device():
                policy.enrolled(statement.device, statement.node, statement.roles)
            case Mailbox():
                policy.box_renewed(statement.node, statement.box)
            case Revoke():
                policy.revoked(statement.device, statement.reason)
            case Suspend():
                policy.suspended.add(statement.node)
            case Case():
                if statement.version == 1:
                    self.cases.append(statement.case)
                policy.forms[statement.case] = statement.form
                policy.members[statement.case] = frozenset(m.node for m in statement.members)
            case CaseKey():
                linked = bool(statement.link)
                policy.key_issued(statement.case, statement.device, linked=linked)
            case Assign():
                key = policy.keys[statement.case]
                key.handed |= {wrap.device for wrap in statement.devices}
            case Object():
                policy.object_sent(statement.object, statement.case)
            case _:
                pass
