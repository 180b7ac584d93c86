"""A case is judged by what stood in the authority log at its place, whatever came after.

Two who read the same log at different times must come to the same case: an officer who was
in force when he wrote stays right, and one who was not does not become so.
"""

from collections.abc import Callable
from copy import copy

import pytest
from msgspec.structs import replace

from seefen.protocol.case import Position, may_read, stale, unreachable
from seefen.protocol.envelope import open_envelope, sign
from seefen.protocol.errors import OutOfTurnError, UntrustedError
from seefen.protocol.statements import Access
from seefen.protocol.suite import new_id
from tests.protocol.builder import forge, here, offer, refused, twin
from tests.protocol.story import AWAY, HOME, THIRD, Story
from tests.support.casework import (
    access,
    ack,
    assign,
    change_members,
    message,
    open_case,
    renew_key,
)
from tests.support.network import YEAR, Machine, Network

LAB = "podgorica-lab"
BEGUN = Story()
BEGUN.away = BEGUN.add(AWAY, "auditor", "field", "keyholder", "lead")


def _recertify(network: Network, machine: Machine, **changes: object) -> None:
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
    "role taken": lambda network: _recertify(network, _officer(network), roles=("auditor",)),
    "ended": lambda network: _recertify(network, _officer(network), expires=network.at + 1),
    "joined": lambda network: network.take(network.enrol(AWAY, ("keyholder",), renew=False)),
    "renewed": lambda network: network.take(network.renew(AWAY, "case", "audit")),
    "admitted": lambda network: network.take(network.admit(LAB)),
    "reached": lambda network: network.take(network.enrol(THIRD, ("keyholder",))),
}


@pytest.fixture
def story() -> Story:
    story = copy(BEGUN)  # adding a machine takes a while
    story.network = twin(BEGUN.network)
    story.home, story.away = (story.network.machines[m.device] for m in (BEGUN.home, BEGUN.away))
    return story


def _answers(story: Story, network: Network, place: Position) -> list[object]:
    state, directory = network.cases[story.case], network.directory
    machines = story.network.machines.values()
    return [
        [stale(state, directory, place, node=node) for node in ("", HOME, AWAY)],
        [_may_read(network, story.case, m, place) for m in machines],
        unreachable(state, directory, place, frozenset({HOME, AWAY, THIRD, LAB})),
    ]


def _may_read(network: Network, case: bytes, machine: Machine, place: Position) -> list[bool]:
    state = network.cases[case]
    gens = range(len(state.generations) + 2)
    return [may_read(state, network.directory, machine.device, gen, place) for gen in gens]


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("before", ["", *EVENTS])
def test_what_was_answered_at_a_place_stays(story: Story, before: str, event: str) -> None:
    """Also after something else had happened: an answer must not come from nothing alone."""
    if before == event:
        return
    network = story.network
    officer = story.add(AWAY, "field")
    network.take(assign(network, story.away, story.case, officer))
    if before:
        EVENTS[before](network)
    place = here(network)
    answers = _answers(story, network, place)
    after = twin(network)
    try:
        EVENTS[event](after)
    except (IndexError, OutOfTurnError, UntrustedError):
        return  # there is nobody left for it
    assert after.directory.size > place.authority_size
    assert _answers(story, after, place) == answers


def test_who_leaves_later_ends_no_key_before(story: Story) -> None:
    """Somebody had left by then, so that it is asked who of the readers had."""
    network = story.network
    officer, bystander = story.add(AWAY, "field"), story.add(AWAY, "field")
    network.take(assign(network, story.away, story.case, officer))
    network.take(network.revoke(bystander, "left"))
    place = here(network)
    assert stale(story.state, network.directory, place, node=AWAY) is None
    for reader in (officer, story.away):
        after = twin(network)
        after.take(after.revoke(reader, "left"))
        state, directory = after.cases[story.case], after.directory
        assert stale(state, directory, here(after), node=AWAY) == "e-reader-left"
        assert stale(state, directory, place, node=AWAY) is None


def test_who_was_assigned_the_second_key_keeps_it_beside_those_of_the_first(story: Story) -> None:
    network = story.network
    first, second = story.add(AWAY, "field"), story.add(AWAY, "field")
    network.take(assign(network, story.away, story.case, first))
    network.take(change_members(network, story.home, story.case, add=(THIRD,)))
    network.take(assign(network, story.away, story.case, second))
    reads = [_may_read(network, story.case, m, here(network)) for m in (first, second)]
    assert reads == [[False, True, True, False], [False, False, True, False]]


def test_a_node_that_nobody_can_reach_is_named(story: Story) -> None:
    network = story.network
    nodes = frozenset({HOME, AWAY, LAB})
    network.take(network.admit(LAB, machines=(("admin", "field"),)))
    place = here(network)

    def ask(network: Network, place: Position) -> frozenset[str]:
        return unreachable(story.state, network.directory, place, nodes)

    assert ask(network, place) == {LAB}
    network.take(network.enrol(LAB, ("keyholder",), renew=False))  # a holder, no mailbox yet
    assert ask(network, here(network)) == set()
    assert ask(network, place) == {LAB}
    assert ask(network, here(network, at=network.at + YEAR)) == {LAB}
    network.take(network.renew(LAB, "case"))
    assert ask(network, here(network, at=network.at + YEAR)) == set()  # the mailbox is there
    network.take(network.revoke(network.of(LAB, "keyholder")))
    assert ask(network, here(network)) == {LAB}


def test_a_key_covers_a_node_by_its_mailbox_or_by_its_devices(story: Story) -> None:
    network = story.network
    network.take(network.revoke(story.add(AWAY, "keyholder")))
    network.take(renew_key(network, story.home, story.case))
    first, second = story.state.generations
    assert (len(first.statement.mailboxes), len(first.statement.devices)) == (2, 0)
    assert [wrap.node for wrap in second.statement.mailboxes] == [HOME]
    assert second.statement.devices
    network.take(change_members(network, story.home, story.case, remove=(AWAY,)))
    covered = [story.state.covered(gen, network.directory) for gen in (1, 2, 3)]
    assert covered == [{HOME, AWAY}, {HOME, AWAY}, {HOME}]


def _bundles(story: Story) -> dict[str, tuple[str, bytes]]:
    """Return a statement of each kind by AWAY, or by HOME where it must be."""
    network, away, home = story.network, story.away, story.home
    officer = story.add(AWAY, "field")
    change = change_members(network, home, story.case, add=(THIRD,))
    return {
        "open": ("case", open_case(network, away, HOME, serial=3)[1].statements[0].envelope),
        "change": ("case", change.statements[0].envelope),
        "key": ("casekey", renew_key(network, away, story.case).statements[0].envelope),
        "assign": ("assign", assign(network, away, story.case, officer).statements[0].envelope),
        "object": ("object", message(network, away, story.case).statements[0].envelope),
        "access": ("access", access(network, away, story.case, scope="case").envelope),
        "ack": ("ack", ack(network, away, story.case, new_id()).statements[0].envelope),
    }


@pytest.mark.parametrize("event", EVENTS)
def test_what_was_right_at_its_place_stays_right(story: Story, event: str) -> None:
    bundles = _bundles(story)
    place = story.network.directory.size
    network = twin(story.network)
    EVENTS[event](network)
    for kind, envelope in bundles.values():
        offer(twin(network), kind, envelope, authority_size=place)


def test_what_was_wrong_at_its_place_stays_wrong(story: Story) -> None:
    """A role, a device, a node that comes later makes nothing good that was written before."""
    network, officer = story.network, story.add(AWAY, "keyholder")
    place, seen = network.directory.size, network.directory.head()
    late = story.add(AWAY, "keyholder", "lead")
    _recertify(network, officer, roles=("keyholder", "lead"))
    network.take(network.admit(LAB))
    for by, rule in ((late, "unknown-device"), (officer, "role")):
        _, bundle = open_case(network, by, HOME, serial=4)
        with refused(rule, UntrustedError):
            offer(network, "case", forge(bundle, by.sign, authority=seen), authority_size=place)
    bundle = change_members(network, story.home, story.case, add=(LAB,))
    envelope = forge(bundle, story.home.sign, authority=seen)
    with refused("unknown-node", UntrustedError):
        offer(network, "case", envelope, authority_size=place)
    bundle = assign(network, story.away, story.case, late)
    envelope = forge(bundle, story.away.sign, authority=seen)
    with refused("unknown-device", UntrustedError):
        offer(network, "assign", envelope, authority_size=place)


def test_a_role_that_came_later_assigns_and_writes_nothing_before(story: Story) -> None:
    network = story.network
    officer, auditor = story.add(AWAY, "field"), story.add(AWAY, "auditor")
    network.take(assign(network, story.away, story.case, officer, auditor))
    place, seen = network.directory.size, network.directory.head()
    _recertify(network, officer, roles=("field", "keyholder"))
    _recertify(network, auditor, roles=("auditor", "field"))
    for kind, bundle, by in (
        ("assign", assign(network, officer, story.case, story.away), officer),
        ("object", message(network, auditor, story.case), auditor),
    ):
        envelope = forge(bundle, by.sign, authority=seen)
        with refused("role", UntrustedError):
            offer(network, kind, envelope, authority_size=place)


def test_nobody_is_assigned_whose_certificate_has_ended(story: Story) -> None:
    network, officer = story.network, story.add(AWAY, "field")
    _recertify(network, officer, expires=network.at + 50)
    envelope = assign(network, story.away, story.case, officer).statements[0].envelope
    with refused("expired", UntrustedError):
        offer(twin(network), "assign", envelope, at=network.at + 50)
    offer(network, "assign", envelope, at=network.at + 49)


def test_a_reason_goes_to_the_auditors_of_what_its_author_saw(story: Story) -> None:
    """He cannot know a mailbox that was renewed, or became stale, after the log he names."""
    network, away = story.network, story.away
    seen = network.directory.head()
    old = access(network, away, story.case, scope="case").envelope
    network.take(network.renew(AWAY, "audit"))
    newer = access(network, away, story.case, scope="case").envelope
    statement = open_envelope(newer, "access").statement
    for envelope in (old, newer):
        offer(twin(network), "access", envelope)
    with refused("reasons"):
        offer(twin(network), "access", sign(replace(statement, authority=seen), away.sign))
    network.take(network.revoke(story.add(AWAY, "auditor"), "left"))
    assert isinstance(statement, Access)
    only = tuple(reason for reason in statement.reasons if reason.node == HOME)
    assert len(only) == 1
    with refused("reasons"):  # it was not stale then
        offer(twin(network), "access", sign(replace(statement, reasons=only), away.sign))
    now = replace(statement, reasons=only, authority=network.directory.head())
    offer(twin(network), "access", sign(now, away.sign))


def test_what_comes_in_behind_what_stands_after_it_moves_nothing_back(story: Story) -> None:
    network = story.network
    envelope = ack(network, story.away, story.case, new_id()).statements[0].envelope
    story.object(story.home)
    last = story.state.position
    earlier = last.index - 1
    story.add(THIRD, "field")
    with refused("fork", UntrustedError):
        offer(twin(network), "ack", envelope, index=earlier)
    offer(network, "ack", envelope, index=earlier, authority_size=last.authority_size)
    assert story.state.position == last
    assert story.state.last(story.away.device).case_n == 1


def test_the_author_saw_what_happened_at_each_member(story: Story) -> None:
    """Not only at his own node, and not only at the first."""
    network = story.network
    network.take(change_members(network, story.home, story.case, add=(THIRD,)))
    for node in (HOME, AWAY, THIRD):
        fresh = twin(network)
        seen = fresh.directory.head()
        fresh.take(fresh.enrol(node, ("field",), renew=False))
        for kind, bundle in (
            ("object", message(fresh, story.away, story.case)),
            ("casekey", renew_key(fresh, story.away, story.case)),
        ):
            with refused("old-authority", OutOfTurnError):
                offer(fresh, kind, forge(bundle, story.away.sign, authority=seen))
