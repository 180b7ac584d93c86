"""The rules of the chain of a case for stubs: what was not for us still counts."""

from typing import Any

import pytest
from msgspec.structs import replace

from seefen.protocol.case_chain import check_stub, skip
from seefen.protocol.errors import OutOfTurnError, UntrustedError
from seefen.protocol.frames import Stub
from seefen.protocol.suite import new_id
from tests.protocol.builder import here, refused
from tests.protocol.story import AWAY, HOME, THIRD, Story
from tests.support.casework import change_members
from tests.support.network import Machine


@pytest.fixture
def story() -> Story:
    return Story()


def _stub(story: Story, by: Machine, kind: str, **changes: Any) -> Stub:
    case_n = story.state.last(by.device).case_n + 1
    return replace(Stub(story.network.index, kind, story.case, by.device, case_n), **changes)


@pytest.mark.parametrize("kind", ["object", "access", "ack", "assign"])
def test_a_stub_counts_like_its_statement(story: Story, kind: str) -> None:
    after = skip(story.state, _stub(story, story.away, kind), here(story.network))
    assert after.last(story.away.device).case_n == 1
    assert after.object_count == (kind == "object")
    for case_n in (0, 2, 3):
        with refused("number", OutOfTurnError):
            skip(story.state, _stub(story, story.away, kind, case_n=case_n), here(story.network))


@pytest.mark.parametrize("kind", ["case", "casekey", "release", "other"])
def test_what_every_member_gets_is_never_a_stub(story: Story, kind: str) -> None:
    directory = story.network.directory
    for node in (HOME, AWAY, THIRD):
        with refused("withheld", UntrustedError):
            check_stub(story.state, _stub(story, story.home, kind), directory, node)


def test_a_stub_stands_in_its_case_and_place(story: Story) -> None:
    stub = _stub(story, story.home, "ack")
    with refused("unknown-case", UntrustedError):
        skip(story.state, replace(stub, case=new_id()), here(story.network))
    with refused("fork", UntrustedError):
        skip(story.state, stub, here(story.network, authority_size=1))


def test_the_object_after_a_stub_may_name_what_we_do_not_know(story: Story) -> None:
    network, away = story.network, story.away
    network.cases[story.case] = skip(story.state, _stub(story, away, "object"), here(network))
    story.object(away, prev=bytes([1]) * 32)
    with refused("number", OutOfTurnError):
        story.object(away, prev=bytes([1]) * 32)
    # A stub of another kind hides no object.
    home = story.home
    network.cases[story.case] = skip(story.state, _stub(story, home, "ack"), here(network))
    with refused("number", OutOfTurnError):
        story.object(home, prev=bytes([1]) * 32)
    story.object(home)


def test_a_stub_for_what_is_ours_was_withheld(story: Story) -> None:
    """The broker shows a number and hides the object, or an assignment of our node."""
    network, directory = story.network, story.network.directory
    item = _stub(story, story.home, "object")
    for node in (HOME, AWAY):
        with refused("withheld", UntrustedError):
            check_stub(story.state, item, directory, node)
    check_stub(story.state, item, directory, THIRD)
    assigned = _stub(story, story.away, "assign")
    with refused("withheld", UntrustedError):
        check_stub(story.state, assigned, directory, AWAY)
    check_stub(story.state, assigned, directory, HOME)
    check_stub(story.state, _stub(story, story.home, "access"), directory, HOME)
    network.take(change_members(network, story.home, story.case, remove=(AWAY,)))
    check_stub(story.state, _stub(story, story.home, "object"), directory, AWAY)
