"""A case is judged by what stood in the authority log at its place, whatever came after.

Two who read the same log at different times must come to the same case: an officer who was
in force when he wrote stays right, and one who was not does not become so.
"""

import pytest

from seefen.protocol.case import Position, may_read, stale, unreachable
from seefen.protocol.errors import OutOfTurnError, UntrustedError
from tests.protocol.builder import here, twin
from tests.protocol.later import EVENTS, LAB, begun
from tests.protocol.story import AWAY, HOME, THIRD, Story
from tests.support.casework import (
    assign,
    change_members,
    renew_key,
)
from tests.support.network import YEAR, Machine, Network


@pytest.fixture
def story() -> Story:
    return begun()


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
