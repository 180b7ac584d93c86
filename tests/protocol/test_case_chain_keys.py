"""The rules of the chain of a case for its keys: who issues the next one, and what it follows."""

from typing import Any

import pytest
from msgspec.structs import replace

from seefen.protocol.bundle import Bundle
from seefen.protocol.case import ROTATION_OBJECTS, Last, stale
from seefen.protocol.errors import OutOfTurnError, RefusedError, UntrustedError
from seefen.protocol.statements import NO_HASH
from seefen.protocol.suite import new_id
from tests.protocol.builder import forge, here, offer, refused, twin
from tests.protocol.story import AWAY, HOME, THIRD, Story
from tests.support.casework import (
    ack,
    assign,
    change_members,
    message,
    open_case,
    renew_key,
)
from tests.support.network import Machine, Network


@pytest.fixture
def story() -> Story:
    return Story()


def _offer(network: Network, bundle: Bundle, by: Machine, place: int = 0, **changes: Any) -> None:
    """Offer a key with other fields."""
    offer(network, "casekey", forge(bundle, by.sign, place=place, **changes))


def test_a_key_follows_the_newest_one_and_the_newest_version(story: Story) -> None:
    network, away = story.network, story.away
    network.take(renew_key(network, story.home, story.case))
    bundle = renew_key(network, away, story.case)
    first, second = story.state.generations
    bent: list[dict[str, Any]] = [
        {"gen": 1},
        {"gen": 2},
        {"gen": 4},
        {"prev": NO_HASH},
        {"prev": first.hash},
        {"prev": story.state.case_hash},
        {"case_version": 2},
    ]
    for changes in bent:
        with refused("not-next", OutOfTurnError):
            _offer(network, bundle, away, **changes)
    assert second.hash != first.hash
    network.take(bundle)
    assert [g.gen for g in story.state.generations] == [1, 2, 3]


def test_the_first_key_follows_none_and_comes_from_who_opened(story: Story) -> None:
    network, home, lead = story.network, story.home, story.add(HOME, "lead", "keyholder")
    case, bundle = open_case(network, home, AWAY, serial=2)
    network.take_activity("case", bundle.statements[0].envelope, here(network))
    for changes in ({"gen": 2}, {"prev": bytes([1]) * 32}, {"case_version": 2}):
        with refused("not-next", OutOfTurnError):
            _offer(network, bundle, home, place=1, **changes)
    for other in (story.away, story.third, lead):
        changed = {"device": other.device, "node": other.node, "case_n": 1}
        with refused("not-a-reader", UntrustedError):
            _offer(network, bundle, other, place=1, **changed)
    assert not network.cases[case].generations
    _offer(network, bundle, home, place=1)
    assert [g.gen for g in network.cases[case].generations] == [1]


def test_the_key_of_a_new_version_comes_from_who_made_it(story: Story) -> None:
    network, lead = story.network, story.add(HOME, "lead", "keyholder")
    bundle = change_members(network, story.home, story.case, add=(THIRD,))
    network.take_activity("case", bundle.statements[0].envelope, here(network))
    for other in (lead, story.away, story.third):
        changed = {"device": other.device, "node": other.node, "case_n": 1}
        with refused("not-a-reader", UntrustedError):
            _offer(network, bundle, other, place=1, **changed)
    _offer(network, bundle, story.home, place=1)
    # From then on any reader renews it, and nobody else.
    twin(network).take(renew_key(network, story.third, story.case))
    with refused("not-a-reader", RefusedError):
        network.take(renew_key(network, story.add(HOME, "lead"), story.case))


def test_who_cannot_read_renews_nothing(story: Story) -> None:
    network, officer = story.network, story.add(AWAY, "field")
    with refused("not-a-reader", RefusedError):
        network.take(renew_key(network, officer, story.case))
    with refused("not-a-reader", RefusedError):
        network.take(renew_key(network, story.third, story.case))
    network.take(assign(network, story.away, story.case, officer))
    with refused("not-a-reader", RefusedError):  # HOME sees no assign of AWAY
        network.take(renew_key(network, officer, story.case))
    network.take(renew_key(network, story.away, story.case))
    assert story.state.generation.statement.device == story.away.device


def test_a_key_is_made_in_sight_of_the_members(story: Story) -> None:
    network, seen = story.network, story.network.directory.head()
    story.add(THIRD, "field")
    offer_twin = twin(network)
    _offer(offer_twin, renew_key(network, story.away, story.case), story.away, authority=seen)
    story.add(HOME, "field")
    with refused("old-authority", OutOfTurnError):
        _offer(network, renew_key(network, story.away, story.case), story.away, authority=seen)


def test_a_key_covers_the_members_and_has_a_link_only_where_members_were_added(
    story: Story,
) -> None:
    network, away = story.network, story.away
    bundle = renew_key(network, away, story.case)
    with refused("coverage", UntrustedError):
        _offer(network, bundle, away, mailboxes=())
    with refused("link", RefusedError):
        _offer(network, bundle, away, link=bytes(48))
    added = change_members(network, story.home, story.case, add=(THIRD,))
    network.take(added)
    assert story.state.generation.statement.link


def test_volume_is_counted_from_the_key_on(story: Story) -> None:
    network, directory = story.network, story.network.directory

    def ask(count: int) -> str | None:
        return stale(replace(story.state, object_count=count), directory, here(network))

    network.take(message(network, story.home, story.case))
    assert story.state.object_count == 1
    network.cases[story.case] = replace(story.state, object_count=ROTATION_OBJECTS)
    network.take(renew_key(network, story.home, story.case))
    assert story.state.generation.object_count_before == ROTATION_OBJECTS
    assert ask(2 * ROTATION_OBJECTS) is None
    assert ask(2 * ROTATION_OBJECTS + 1) == "f-volume"


def test_what_is_written_down_of_one_stays_when_another_writes(story: Story) -> None:
    """Numbers, assignments and generations are added to, never replaced."""
    network, home, away = story.network, story.home, story.away
    one, two, three = (story.add(AWAY, "field") for _ in range(3))
    network.take(renew_key(network, home, story.case))
    network.take(assign(network, away, story.case, one))
    network.take(assign(network, away, story.case, two))
    network.take(renew_key(network, home, story.case))
    network.take(assign(network, away, story.case, three))
    assert story.state.assigned == {
        2: {one.device, two.device},
        3: {three.device},
    }
    network.take(message(network, three, story.case))
    assert {d: last.case_n for d, last in story.state.numbers.items()} == {
        home.device: 4,
        away.device: 3,
        three.device: 1,
    }
    before = story.state.last(three.device)
    assert before.object_hash is not None
    network.take(ack(network, home, story.case, new_id()))
    assert story.state.last(three.device) == before
    network.take(ack(network, three, story.case, new_id()))
    assert story.state.last(three.device) == Last(2, before.object_hash)


def test_a_late_member_acknowledges(story: Story) -> None:
    network = story.network
    network.take(change_members(network, story.home, story.case, remove=(AWAY,)))
    network.take(change_members(network, story.home, story.case, add=(THIRD,)))
    for machine in (story.away, story.third, story.home):
        network.take(ack(network, machine, story.case, new_id()))
