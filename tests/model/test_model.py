"""The model test: whatever happens, each device opens exactly what the model says.

Random sequences of what people do, with the real rules and real keys, and a broker in
memory (``tests/model/broker.py``). After each step every device tries every object with
all the keys it ever had and everything the broker holds. ``make soak`` does a million.
"""

import os
from collections.abc import Sequence
from typing import Final, TypeVar

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run

from tests.model.world import FIRST, NODES, ROLES, World

T = TypeVar("T")
STEPS: Final = 10_000  # in the ordinary run
LENGTH: Final = 50  # steps of one sequence
PICK: Final = st.integers(0, 59)  # one of those there are, by its place
CHEATS: Final = (
    ("gen", -1),
    ("gen", -1),
    ("device_n", -1),
    ("device_n", 1),
    ("case_n", -1),
    ("case_n", 1),
)
SLOW: Final = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)
FOUNDED: Final = World()


def _one(of: Sequence[T], pick: int) -> T:
    return of[pick % len(of)]


class Life(RuleBasedStateMachine):
    """A network, step by step."""

    steps = 0
    told = FOUNDED.told

    def __init__(self) -> None:
        super().__init__()
        self.world = FOUNDED.twin()
        self.nodes: list[str] = [*NODES[:FIRST]]

    def teardown(self) -> None:
        Life.told.update(self.world.told)

    @property
    def devices(self) -> list[bytes]:
        return list(self.world.policy.node_of)

    @property
    def objects(self) -> list[bytes]:
        return list(self.world.policy.sent)

    @precondition(lambda self: len(self.nodes) < len(NODES))
    @rule()
    def admit(self) -> None:
        node = NODES[len(self.nodes)]
        assert self.world.admit(node)
        self.nodes.append(node)

    @rule(node=PICK, roles=st.sampled_from(ROLES))
    def enrol(self, node: int, roles: tuple[str, ...]) -> None:
        self.world.enrol(_one(self.nodes, node), roles)

    @rule(device=PICK, reason=st.sampled_from(["lost", "lost", "left"]))
    def revoke(self, device: int, reason: str) -> None:
        self.world.revoke(_one(self.devices, device), reason)

    @rule(node=PICK, box=st.sampled_from(["case", "alert"]))
    def rotate(self, node: int, box: str) -> None:
        self.world.rotate(_one(self.nodes, node), box)

    @precondition(lambda self: len(self.objects) > 3)
    @rule(node=PICK)
    def suspend(self, node: int) -> None:
        self.world.suspend(_one(self.nodes, node))

    @initialize(node=PICK, form=st.sampled_from(["case", "channel"]))
    def begin(self, node: int, form: str) -> None:
        lead = self.world.network.admin(_one(self.nodes, node)).device
        assert self.world.open(lead, (_one(self.nodes, node + 1),), form)

    @precondition(lambda self: len(self.world.cases) < 4)
    @rule(by=PICK, partners=st.sets(PICK, max_size=3), form=st.sampled_from(["case", "channel"]))
    def open(self, by: int, partners: set[int], form: str) -> None:
        others = dict.fromkeys(_one(self.nodes, partner) for partner in sorted(partners))
        self.world.open(_one(self.devices, by), tuple(others), form)

    @precondition(lambda self: bool(self.world.cases))
    @rule(case=PICK, node=PICK)
    def change(self, case: int, node: int) -> None:
        which = _one(self.world.cases, case)
        owner = self.world.network.cases[which].owner
        lead = self.world.network.admin(owner).device
        self.world.change(which, lead, _one(self.nodes, node))

    @precondition(lambda self: bool(self.world.cases))
    @rule(case=PICK, by=PICK, to=PICK)
    def hand_over(self, case: int, by: int, to: int) -> None:
        which, giver = _one(self.world.cases, case), _one(self.devices, by)
        mates = [d for d in self.devices if self._node(d) == self._node(giver)]
        self.world.hand_over(which, giver, _one(mates, to))

    @precondition(lambda self: bool(self.world.cases))
    @rule(case=PICK, by=PICK, careless=st.booleans())
    def send(self, case: int, by: int, careless: bool) -> None:
        which = _one(self.world.cases, case)
        self.world.send(which, _one(self.devices, by), careless=careless)

    @precondition(lambda self: bool(self.world.cases))
    @rule(case=PICK, by=PICK)
    def send_as_member(self, case: int, by: int) -> None:
        which = _one(self.world.cases, case)
        members = self.world.policy.members[which]
        inside = [d for d in self.devices if self._node(d) in members]
        self.world.send(which, _one(inside, by), careless=False)

    @precondition(lambda self: bool(self.world.cases))
    @rule(case=PICK, by=PICK, how=st.sampled_from(CHEATS))
    def cheat(self, case: int, by: int, how: tuple[str, int]) -> None:
        which = _one(self.world.cases, case)
        members = self.world.policy.members[which]
        inside = [d for d in self.devices if self._node(d) in members]
        self.world.cheat(which, _one(inside, by), *how)

    @precondition(lambda self: bool(self.objects))
    @rule(by=PICK, object_=PICK)
    def access(self, by: int, object_: int) -> None:
        self.world.access(_one(self.devices, by), _one(self.objects, object_))

    @precondition(lambda self: bool(self.objects))
    @rule(by=PICK, object_=PICK)
    def access_as_member(self, by: int, object_: int) -> None:
        which = _one(self.objects, object_)
        members = self.world.policy.members[self.world.policy.sent[which][0]]
        inside = [d for d in self.devices if self._node(d) in members]
        self.world.access(_one(inside, by), which)

    @precondition(lambda self: bool(self.objects))
    @rule(by=PICK)
    def send_where_much_was_said(self, by: int) -> None:
        case = self.world.policy.sent[_one(self.objects, by)][0]
        owner = self.world.network.admin(self.world.network.cases[case].owner)
        self.world.send(case, owner.device, careless=False)

    @invariant()
    def opens_what_the_model_says(self) -> None:
        Life.steps += 1
        self.world.check()

    def _node(self, device: bytes) -> str:
        return self.world.policy.node_of[device]


def live(steps: int, number: int) -> None:
    """Run at least so many steps from a seed."""
    options = settings(
        max_examples=max(1, steps // LENGTH),
        stateful_step_count=LENGTH,
        deadline=None,
        database=None,
        suppress_health_check=SLOW,
        print_blob=True,
    )
    run(seed(number)(type("Life", (Life,), {})), settings=options)


@pytest.mark.timeout(900)  # a minute of work, on a machine that does much else
def test_each_device_opens_exactly_what_the_model_says() -> None:
    number = int.from_bytes(os.urandom(4), "big")
    print(f"seed {number}: make soak ARGS='--steps {STEPS} --seed {number}'")
    live(STEPS, number)
    usual = ("access", "add", "admit", "assign", "enrol", "left", "lost", "open", "remove",
             "renew", "rotate", "send", "suspend")  # fmt: skip
    assert all(Life.told[what] >= 5 for what in usual), Life.told
