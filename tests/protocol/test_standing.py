"""How nodes stand: the kept answers are those that the directory itself would give."""

from seefen.protocol.standing import _GIVEN, KEPT, in_force, mailboxes, standing
from tests.support.network import Network

NODES = ("skopje-border", "belgrade-ffp")
YEAR = 365 * 86400


def test_what_was_asked_before_a_change_is_not_answered_after_it() -> None:
    network = Network.founded(*NODES)
    before = network.directory.size
    first = standing(network.directory, NODES, before)
    assert first.in_force == frozenset(NODES)
    assert first.changed <= before
    boxes = mailboxes(network.directory, NODES, "alert", before)
    assert not any(box.stale for box in boxes.values())
    # Asked about leaves that are still to come: nothing may be kept of that.
    assert standing(network.directory, NODES, before + 2).in_force == frozenset(NODES)
    network.take(network.suspend(NODES[1]))
    network.take(network.revoke(network.of(NODES[0])))
    size = network.directory.size
    assert size == before + 2
    after = standing(network.directory, NODES, size)
    assert after.in_force == {NODES[0]}
    assert after.changed == size
    assert mailboxes(network.directory, NODES, "alert", size)[NODES[0]].stale
    assert standing(network.directory, NODES, before) == first
    assert standing(network.directory.copy(), NODES, before) == first  # asked only afterwards
    assert mailboxes(network.directory, NODES, "alert", before) == boxes


def test_a_certificate_that_runs_out_is_seen_at_any_time() -> None:
    network = Network.founded(*NODES)
    size, now = network.directory.size, network.at
    assert in_force(network.directory, NODES, size, now) == frozenset(NODES)
    assert in_force(network.directory, NODES, size, now + 5 * YEAR) == frozenset()
    assert in_force(network.directory, NODES, size, now) == frozenset(NODES)
    assert standing(network.directory, NODES, size).until <= now + 5 * YEAR


def test_other_directories_nodes_and_boxes_are_other_questions() -> None:
    network, other = Network.founded(*NODES), Network.founded(NODES[0])
    size = network.directory.size
    assert standing(network.directory, NODES, size).in_force == frozenset(NODES)
    assert standing(network.directory, NODES[:1], size).in_force == {NODES[0]}
    assert standing(other.directory, NODES, other.directory.size).in_force == {NODES[0]}
    network.take(network.suspend(NODES[0]))
    copy = network.directory.copy()
    assert standing(copy, NODES, copy.size).in_force == {NODES[1]}
    assert standing(network.directory, (), size).in_force == frozenset()


def test_a_mailbox_is_the_one_of_its_time() -> None:
    network = Network.founded(*NODES)
    before = network.directory.size
    network.take(network.revoke(network.of(NODES[0])))
    lost = network.directory.size
    network.take(network.enrol(NODES[1], ("keyholder",)))
    after = network.directory.size
    for size in (before, lost, after, before):
        found = mailboxes(network.directory, NODES, "alert", size)
        for node in NODES:
            newest = network.directory.mailbox(node, "alert", size=size)
            assert newest is not None
            assert found[node].gen == newest.version
            assert found[node].stale == network.directory.mailbox_stale(node, "alert", size=size)
    assert [
        mailboxes(network.directory, NODES, "alert", s)[NODES[0]].stale for s in (before, lost)
    ] == [False, True]
    assert [
        mailboxes(network.directory, NODES, "alert", s)[NODES[1]].gen for s in (before, after)
    ] == [1, 2]
    assert mailboxes(network.directory, ("nobody-here",), "alert", after) == {}


def test_one_that_runs_out_first_takes_no_other_with_it() -> None:
    network = Network.founded(NODES[0])
    network.at += 1000
    network.take(network.admit(NODES[1]))
    size = network.directory.size
    until = standing(network.directory, NODES, size).until
    assert in_force(network.directory, NODES, size, until - 1) == frozenset(NODES)
    assert in_force(network.directory, NODES, size, until) == {NODES[1]}
    network.take(network.suspend(NODES[1]))
    assert in_force(network.directory, NODES, size, until) == {NODES[1]}


def test_an_answer_is_kept_and_what_is_kept_has_a_bound() -> None:
    network = Network.founded(*NODES)
    size = network.directory.size
    first = standing(network.directory, NODES, size)
    assert standing(network.directory, NODES, size) is first
    for n in range(2 * KEPT):
        names = (*NODES, f"node-{n}")
        assert standing(network.directory, names, size).in_force == frozenset(NODES)
        assert len(_GIVEN[network.directory]) <= KEPT
