"""A statement is judged by what stood in the authority log at its place, whatever came after."""

import pytest
from msgspec.structs import replace

from seefen.protocol.case_chain import check_stub, skip
from seefen.protocol.envelope import open_envelope, sign
from seefen.protocol.errors import OutOfTurnError, UntrustedError
from seefen.protocol.frames import Stub
from seefen.protocol.statements import Access
from seefen.protocol.suite import new_id
from tests.protocol.builder import forge, here, offer, refused, twin
from tests.protocol.later import EVENTS, LAB, begun, recertify
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


@pytest.fixture
def story() -> Story:
    return begun()


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
    recertify(network, officer, roles=("keyholder", "lead"))
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
    recertify(network, officer, roles=("field", "keyholder"))
    recertify(network, auditor, roles=("auditor", "field"))
    for kind, bundle, by in (
        ("assign", assign(network, officer, story.case, story.away), officer),
        ("object", message(network, auditor, story.case), auditor),
    ):
        envelope = forge(bundle, by.sign, authority=seen)
        with refused("role", UntrustedError):
            offer(network, kind, envelope, authority_size=place)


def test_nobody_is_assigned_whose_certificate_has_ended(story: Story) -> None:
    network, officer = story.network, story.add(AWAY, "field")
    recertify(network, officer, expires=network.at + 50)
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


def test_a_reader_of_the_own_node_who_left_stops_its_writers_alone(story: Story) -> None:
    network = story.network
    network.take(network.revoke(story.add(AWAY, "keyholder", "field"), "left"))
    offer(twin(network), "object", message(network, story.home, story.case).statements[0].envelope)
    with refused("stale-generation", OutOfTurnError):
        network.take(message(network, story.away, story.case))


def test_a_case_remembers_where_it_was_opened(story: Story) -> None:
    network = story.network
    case, bundle = open_case(network, story.home, AWAY, serial=8)
    place = here(network)
    network.take(bundle)
    network.take(ack(network, story.away, case, new_id()))
    state = network.cases[case]
    assert state.opened_at == place
    assert state.position.index == place.index + 2


def test_a_stub_moves_the_place_on_and_never_back(story: Story) -> None:
    directory = story.network.directory
    place = here(story.network)
    stub = Stub(place.index, "ack", story.case, story.away.device, 1)
    after = skip(story.state, stub, place)
    assert after.position == place
    before = replace(place, index=story.state.position.index - 1)
    before = replace(before, authority_size=story.state.position.authority_size)
    assert skip(story.state, stub, before).position == story.state.position
    assert directory.size == place.authority_size


def test_a_node_that_got_a_key_by_its_devices_acknowledges_and_is_given_no_stub(
    story: Story,
) -> None:
    """Who they are stands in the directory: the key names devices and no node."""
    network = story.network
    network.take(network.admit(LAB, machines=(("admin", "field", "keyholder"),)))
    lost = story.add(LAB, "keyholder")
    network.take(network.revoke(lost))
    network.take(change_members(network, story.home, story.case, add=(LAB,), link=False))
    key = story.state.generation.statement
    assert key.devices
    assert LAB not in {wrap.node for wrap in key.mailboxes}
    network.take(ack(network, network.of(LAB), story.case, new_id()))
    stub = Stub(network.index, "object", story.case, story.home.device, 9)
    with refused("withheld", UntrustedError):
        check_stub(story.state, stub, network.directory, LAB)
