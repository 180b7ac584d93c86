"""Random stories of a case, against what each device can really know.

The model knows nothing of roles in cases: it follows keys. A device knows its own, a
mailbox seed wrapped to it, the seeds before that one, each case key wrapped to any of
these, and the keys that links lead on to. The rules must agree with it: who may read is
exactly who is in force and has the key, and nobody has one after he was shut out.
"""

from collections.abc import Callable
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from seefen.protocol.bundle import Bundle
from seefen.protocol.case import may_read, stale
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import SeefenError
from seefen.protocol.statements import Assign, Case, CaseKey, Mailbox
from tests.protocol.builder import here, twin
from tests.support.casework import assign, change_members, message, open_case, renew_key
from tests.support.network import EVERY_ROLE, Machine, Network

NODES: Final = ("skopje-border", "belgrade-ffp", "tirana-lab")
FOUNDED = Network()
FOUNDED.take(FOUNDED.found())
for _node in NODES:
    FOUNDED.take(FOUNDED.admit(_node, machines=(EVERY_ROLE, ("keyholder",), ("field",))))

STEPS = (
    "enrol",
    "lose",
    "leave",
    "suspend",
    "renew-box",
    "add",
    "remove",
    "renew",
    "assign",
    "send",
)
STEP = st.tuples(st.sampled_from(STEPS), st.integers(0, 2), st.integers(0, 3))


class Knowledge:
    """Which device knows which secret, followed from the wraps alone."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.seeds: set[tuple[bytes, str, str, int]] = set()  # device, node, box, generation
        self.keys: set[tuple[bytes, int]] = set()  # device, generation
        self.lost_before: dict[int, set[bytes]] = {}  # generation: who was lost by then
        self.members: dict[int, frozenset[str]] = {}
        self.head: Case | None = None
        self.lost: set[bytes] = set()
        for node in NODES:
            for box in ("case", "alert"):
                mailbox = network.directory.mailbox(node, box)
                if mailbox is not None:
                    self._take_mailbox(mailbox)

    def take(self, bundle: Bundle) -> None:
        """Take a bundle in with its network, and learn from it."""
        self.network.take(bundle)
        for signed in bundle.statements:
            match open_envelope(signed.envelope, signed.kind).statement:
                case Mailbox() as mailbox:
                    self._take_mailbox(mailbox)
                case Case() as case:
                    self.head = case
                case CaseKey() as key:
                    self._take_key(key)
                case Assign() as assigned:
                    self._learn(assigned.gen, {wrap.device for wrap in assigned.devices})
                case _:
                    pass

    def _take_mailbox(self, mailbox: Mailbox) -> None:
        for wrap in mailbox.wraps:
            for gen in range(1, mailbox.version + 1):  # links lead back to the first
                self.seeds.add((wrap.device, mailbox.node, mailbox.box, gen))
        for gen, key in enumerate(self._issued, start=1):
            self._learn(gen, self._by_mailbox(key))

    @property
    def _issued(self) -> list[CaseKey]:
        states = self.network.cases.values()
        return [g.statement for state in states for g in state.generations]

    def _take_key(self, key: CaseKey) -> None:
        assert self.head is not None
        self.lost_before[key.gen] = set(self.lost)
        self.members[key.gen] = frozenset(member.node for member in self.head.members)
        direct = {wrap.device for wrap in key.devices}
        self._learn(key.gen, self._by_mailbox(key) | direct | {key.device})
        if key.link:
            self._learn(key.gen, {device for device, gen in self.keys if gen == key.gen - 1})

    def _by_mailbox(self, key: CaseKey) -> set[bytes]:
        state = next(iter(self.network.cases.values()))
        opens = {(wrap.node, state.box, wrap.gen) for wrap in key.mailboxes}
        return {device for device, *seed in self.seeds if tuple(seed) in opens}

    def _learn(self, gen: int, devices: set[bytes]) -> None:
        self.keys |= {(device, gen) for device in devices}
        issued = self._issued
        if gen < len(issued) and issued[gen].link:
            self._learn(gen + 1, devices)


def _machine(network: Network, node: str, nth: int) -> Machine:
    """Return one of the machines of a node that is in force, never its admin."""
    others = [
        machine
        for machine in network.machines.values()
        if machine.node == node
        and "admin" not in machine.roles
        and network.directory.is_active(machine.device)
    ]
    return others[nth % len(others)]


def _bundle(network: Network, case: bytes, step: str, node: str, nth: int) -> Bundle:
    """Return what a step would send."""
    owner = network.of(NODES[0])
    makers: dict[str, Callable[[], Bundle]] = {
        "enrol": lambda: network.enrol(node, (("keyholder", "field", "lead", "auditor")[nth],)),
        "lose": lambda: network.revoke(_machine(network, node, nth), "lost"),
        "leave": lambda: network.revoke(_machine(network, node, nth), "left"),
        "suspend": lambda: network.suspend(NODES[2]),
        "renew-box": lambda: network.renew(node, ("case", "alert")[nth % 2]),
        "add": lambda: change_members(network, owner, case, add=(node,), link=nth != 0),
        "remove": lambda: change_members(network, owner, case, remove=(node,)),
        "renew": lambda: renew_key(network, _machine(network, node, nth), case),
        "assign": lambda: assign(network, network.of(node), case, _machine(network, node, nth)),
        "send": lambda: message(network, _machine(network, node, nth), case),
    }
    return makers[step]()


@given(st.sampled_from(["case", "channel"]), st.lists(STEP, min_size=3, max_size=12))
@settings(max_examples=200)
def test_who_may_read_is_who_has_the_key_and_is_in_force(
    form: str, steps: list[tuple[str, int, int]]
) -> None:
    network = twin(FOUNDED)
    known = Knowledge(network)
    case, opening = open_case(network, network.of(NODES[0]), NODES[1], form=form)
    known.take(opening)
    for step, which, nth in steps:
        try:
            bundle = _bundle(network, case, step, NODES[which], nth)
            draft = twin(network)
            draft.take(bundle)
        except (SeefenError, IndexError, ZeroDivisionError):
            continue  # not allowed, or nobody there: all or nothing
        if step == "lose":
            known.lost.add(_machine(network, NODES[which], nth).device)
        if step == "send":
            assert stale(network.cases[case], network.directory, here(network)) is None
        known.take(bundle)
        _check(network, case, known)


def _check(network: Network, case: bytes, known: Knowledge) -> None:
    state, directory, at = network.cases[case], network.directory, here(network)
    for generation in state.generations:
        gen = generation.gen
        for device, machine in network.machines.items():
            knows = (device, gen) in known.keys
            if directory.is_active(device, at=network.at):
                assert may_read(state, directory, device, gen, at) == knows
            else:
                assert not may_read(state, directory, device, gen, at)
            if knows:
                assert machine.node in known.members[gen]
                assert device not in known.lost_before[gen]
