"""Who may read, and when a key must be renewed: the letters of the specification."""

import pytest
from msgspec.structs import replace as position_at

from seefen.protocol.case import (
    ROTATION_AGE,
    CaseState,
    Last,
    Position,
    may_read,
    members_after,
    require_may_read,
    stale,
)
from seefen.protocol.case_chain import skip
from seefen.protocol.errors import OutOfTurnError, RefusedError, UntrustedError
from seefen.protocol.frames import Stub
from seefen.protocol.statements import Member
from seefen.protocol.suite import new_id
from tests.protocol.builder import here, refused, twin
from tests.protocol.story import AWAY, HOME, THIRD, Story
from tests.support.casework import assign, change_members, message, open_case, renew_key
from tests.support.network import YEAR, Machine


@pytest.fixture
def story() -> Story:
    return Story()


def _reads(story: Story, machine: Machine, gen: int) -> bool:
    network = story.network
    return may_read(story.state, network.directory, machine.device, gen, here(network))


def _stale(story: Story, *, node: str = "", **changes: int) -> str | None:
    return stale(story.state, story.network.directory, here(story.network, **changes), node=node)


# --- what a state says -------------------------------------------------------


def test_a_case_as_it_was_opened(story: Story) -> None:
    state = story.state
    assert (state.version, state.form, state.box, state.owner) == (1, "case", "case", HOME)
    assert state.members == (HOME, AWAY)
    assert state.number == f"SF-2026-{story.network.directory.node(HOME).code}-00001"
    assert state.generation.gen == 1
    assert state.covered(1, story.network.directory) == {HOME, AWAY}
    assert state.was_member(AWAY)
    assert not state.was_member(THIRD)
    assert state.last(new_id()) == Last(0, None)
    assert state.position.index == state.opened_at.index + 1
    assert Story("channel").state.box == "alert"


def test_without_a_key_there_is_no_generation(story: Story) -> None:
    network = story.network
    case, bundle = open_case(network, story.home, AWAY, serial=2)
    network.take_activity("case", bundle.statements[0].envelope, here(network))
    with refused("no-key", OutOfTurnError):
        assert network.cases[case].generation


def test_members_after_a_change(story: Story) -> None:
    state = story.state
    home, away = Member(HOME, 1), Member(AWAY, 1)
    assert members_after(state, add=(THIRD,)) == (home, away, Member(THIRD, 2))
    assert members_after(state, remove=(AWAY,)) == (home,)
    assert members_after(state, add=(THIRD,), remove=(AWAY,)) == (home, Member(THIRD, 2))
    for add, remove in (((), (HOME,)), ((), (THIRD,)), ((AWAY,), ()), ((THIRD,), (THIRD,))):
        with refused("members", RefusedError):
            members_after(state, add=add, remove=remove)


def test_a_member_who_comes_back_is_new(story: Story) -> None:
    network, home = story.network, story.home
    network.take(change_members(network, home, story.case, remove=(AWAY,)))
    network.take(change_members(network, home, story.case, add=(AWAY,)))
    assert story.state.head.members[1] == Member(AWAY, 3)
    assert [_reads(story, story.away, gen) for gen in (1, 2, 3)] == [True, False, True]


# --- who may read ------------------------------------------------------------


def test_in_a_case_keyholders_read_and_others_when_assigned(story: Story) -> None:
    network = story.network
    machines = {role: story.add(AWAY, role) for role in ("keyholder", "field", "lead", "auditor")}
    assert {role for role, m in machines.items() if _reads(story, m, 1)} == {"keyholder"}
    network.take(assign(network, story.away, story.case, machines["field"]))
    readers = {role for role, m in machines.items() if _reads(story, m, 1)}
    assert readers == {"keyholder", "field"}
    assert not _reads(story, story.third, 1)


def test_in_a_channel_every_officer_on_duty_reads() -> None:
    story = Story("channel")
    roles = ("keyholder", "field", "lead", "auditor", "admin")
    machines = {role: story.add(AWAY, role) for role in roles}
    readers = {role for role, m in machines.items() if _reads(story, m, 1)}
    assert readers == {"keyholder", "field", "lead"}
    assert not _reads(story, story.third, 1)


def test_the_author_of_a_key_counts_as_assigned(story: Story) -> None:
    leader = story.add(HOME, "lead")
    case, bundle = open_case(story.network, leader, AWAY, serial=2)
    story.network.take(bundle)
    state = story.network.cases[case]
    directory, at = story.network.directory, here(story.network)
    assert may_read(state, directory, leader.device, 1, at)
    assert not _reads(story, leader, 1)


def test_there_is_no_other_generation(story: Story) -> None:
    for gen in (-1, 0, 2):
        with refused("not-a-reader", RefusedError):
            require_may_read(
                story.state, story.network.directory, story.home.device, gen, here(story.network)
            )


def test_a_late_member_reads_from_his_key_on(story: Story) -> None:
    network = story.network
    network.take(change_members(network, story.home, story.case, add=(THIRD,)))
    assert [_reads(story, story.third, gen) for gen in (1, 2)] == [False, True]
    assert [_reads(story, story.away, gen) for gen in (1, 2)] == [True, True]


def test_a_removed_member_keeps_what_he_had_and_gets_no_more(story: Story) -> None:
    network = story.network
    network.take(change_members(network, story.home, story.case, remove=(AWAY,)))
    network.take(renew_key(network, story.home, story.case))
    assert [_reads(story, story.away, gen) for gen in (1, 2, 3)] == [True, False, False]


def test_an_assigned_officer_walks_on_when_members_were_only_added(story: Story) -> None:
    network = story.network
    officer, stranger = story.add(AWAY, "field"), story.add(AWAY, "field")
    network.take(assign(network, story.away, story.case, officer))
    network.take(change_members(network, story.home, story.case, add=(THIRD,)))
    assert [_reads(story, officer, gen) for gen in (1, 2)] == [True, True]
    assert not _reads(story, stranger, 2)
    network.take(renew_key(network, story.home, story.case))
    assert [_reads(story, officer, gen) for gen in (1, 2, 3)] == [True, True, False]
    network.take(assign(network, story.away, story.case, officer))
    assert _reads(story, officer, 3)
    # Nobody walks back: who is assigned the third key has not the first.
    network.take(assign(network, story.away, story.case, stranger))
    assert [_reads(story, stranger, gen) for gen in (1, 2, 3)] == [False, False, True]


@pytest.mark.parametrize("reason", ["lost", "compromised", "left", "replaced"])
def test_a_revoked_device_reads_nothing(story: Story, reason: str) -> None:
    network, machine = story.network, story.add(AWAY, "keyholder")
    assert _reads(story, machine, 1)
    network.take(network.revoke(machine, reason))
    assert not _reads(story, machine, 1)
    with refused("revoked", UntrustedError):
        require_may_read(story.state, network.directory, machine.device, 1, here(network))


def test_a_suspended_node_and_an_expired_device_read_nothing(story: Story) -> None:
    network = story.network
    later = here(network, at=network.at + YEAR)
    assert not may_read(story.state, network.directory, story.away.device, 1, later)
    network.take(network.suspend(AWAY))
    assert not _reads(story, story.away, 1)
    assert _reads(story, story.home, 1)


def test_a_holder_wrapped_to_directly_reads_and_one_who_came_later_does_not(story: Story) -> None:
    network = story.network
    first = story.add(AWAY, "keyholder")
    network.take(network.revoke(story.add(AWAY, "keyholder")))
    network.take(renew_key(network, story.home, story.case, "revoked"))
    assert {w.device for w in story.state.generation.statement.devices} == {
        first.device,
        story.away.device,
    }
    late = story.add(AWAY, "keyholder")
    assert [_reads(story, first, gen) for gen in (1, 2)] == [True, True]
    # He opens the older mailbox through its link; the wraps to devices were not his.
    assert [_reads(story, late, gen) for gen in (1, 2)] == [True, False]


def test_a_role_that_is_taken_ends_reading_by_mailbox(story: Story) -> None:
    network, machine = story.network, story.add(AWAY, "keyholder")
    machine.roles = ("field",)
    envelope = network.certify(machine, by=network.admin(AWAY).sign)
    network.directory.apply("device", envelope, at=network.at)
    assert not _reads(story, machine, 1)


# --- when a key must be renewed ----------------------------------------------


def test_a_key_in_order_is_not_stale(story: Story) -> None:
    assert _stale(story) is None
    story.add(AWAY, "keyholder")
    story.network.take(story.network.renew(AWAY, "case"))
    story.network.take(story.network.suspend(THIRD))
    assert _stale(story, node=AWAY) is None


def test_letter_d_when_members_changed(story: Story) -> None:
    network = story.network
    bundle = change_members(network, story.home, story.case, add=(THIRD,))
    network.take_activity("case", bundle.statements[0].envelope, here(network))
    assert _stale(story) == "d-members-changed"
    network.take_activity("casekey", bundle.statements[1].envelope, here(network))
    assert _stale(story) is None


def test_letter_d_when_a_member_goes_out_of_force_or_comes_back(story: Story) -> None:
    network = story.network
    assert _stale(story, at=network.at + 5 * YEAR) == "d-members-in-force"
    network.take(network.suspend(AWAY))
    assert _stale(story) == "d-members-in-force"
    network.take(renew_key(network, story.home, story.case, "members"))
    assert _stale(story) is None


def test_letter_d_when_a_member_can_be_reached_at_last(story: Story) -> None:
    network, lab = story.network, "podgorica-lab"
    network.take(network.admit(lab, machines=(("admin", "field"),)))
    network.take(change_members(network, story.home, story.case, add=(lab,)))
    assert _stale(story) is None
    story.add(lab, "keyholder")
    assert _stale(story) == "d-members-in-force"
    network.take(renew_key(network, story.home, story.case, "members"))
    assert _stale(story) is None
    assert lab in story.state.covered(3, network.directory)


@pytest.mark.parametrize("reason", ["lost", "compromised"])
@pytest.mark.parametrize("form", ["case", "channel"])
@pytest.mark.parametrize("role", ["keyholder", "field", "auditor", "admin"])
def test_attack_65_a_partners_lost_device_ends_the_key(form: str, role: str, reason: str) -> None:
    """Whatever the device held, and wherever it was: nobody writes under the old key."""
    story = Story(form)
    network, lost = story.network, story.add(AWAY, role)
    assert _stale(story) is None
    network.take(network.revoke(lost, reason))
    assert _stale(story) == "e-device-lost"
    for writer in (story.home, story.away):
        with refused("stale-generation", OutOfTurnError):
            network.take(message(network, writer, story.case))
    network.take(renew_key(network, story.home, story.case, "revoked"))
    assert _stale(story) is None
    network.take(message(network, story.home, story.case))


def test_letter_e_when_a_reader_of_the_own_node_left(story: Story) -> None:
    network = story.network
    officer, other = story.add(AWAY, "field"), story.add(AWAY, "field")
    network.take(assign(network, story.away, story.case, officer))
    network.take(network.revoke(other, "left"))
    assert _stale(story, node=AWAY) is None
    network.take(network.revoke(officer, "left"))
    assert _stale(story, node=AWAY) == "e-reader-left"
    assert _stale(story, node=HOME) is None  # it does not know whom AWAY assigned
    with refused("stale-generation", OutOfTurnError):
        network.take(message(network, story.away, story.case))
    other_story = twin(network)
    other_story.take(message(other_story, story.home, story.case))
    network.take(renew_key(network, story.away, story.case, "revoked"))
    network.take(message(network, story.away, story.case))


@pytest.mark.parametrize(("form", "letter"), [("case", "e-reader-left"), ("channel", None)])
def test_a_keyholder_who_left_ends_the_key_of_a_case(form: str, letter: str | None) -> None:
    story = Story(form)
    holder = story.add(AWAY, "keyholder")
    story.network.take(story.network.revoke(holder, "left"))
    assert _stale(story, node=AWAY) == letter


def test_in_a_channel_who_leaves_ends_no_key() -> None:
    story = Story("channel")
    network, officer = story.network, story.add(AWAY, "field")
    network.take(renew_key(network, officer, story.case))
    network.take(network.revoke(officer, "left"))
    assert _stale(story, node=AWAY) is None


def test_a_role_that_is_taken_ends_no_key(story: Story) -> None:
    """The gate and the mailbox know; the officer is still one of ours."""
    network, machine = story.network, story.add(AWAY, "keyholder")
    machine.roles = ("field",)
    envelope = network.certify(machine, by=network.admin(AWAY).sign)
    network.directory.apply("device", envelope, at=network.at)
    assert _stale(story, node=AWAY) is None


def test_letter_f_by_age(story: Story) -> None:
    at = story.network.at
    assert _stale(story, at=at + ROTATION_AGE) is None
    assert _stale(story, at=at + ROTATION_AGE + 1) == "f-age"


def test_letter_f_by_volume(story: Story) -> None:
    state, position = story.state, here(story.network)
    for n in range(10_000):
        state = _count_one(state, story.home.device, n, position)
    assert _is_stale(story, state) is None
    state = _count_one(state, story.home.device, 10_000, position)
    assert _is_stale(story, state) == "f-volume"


def _count_one(state: CaseState, device: bytes, n: int, position: Position) -> CaseState:
    stub = Stub(0, "object", state.case, device, n + 3)
    return skip(state, stub, position_at(position, index=position.index + n))


def _is_stale(story: Story, state: CaseState) -> str | None:
    return stale(state, story.network.directory, here(story.network))
