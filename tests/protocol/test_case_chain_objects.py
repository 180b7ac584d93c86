"""The rules of the chain of a case for what is written and read: object, access and ack."""

from typing import Any

import pytest
from msgspec.structs import replace

from seefen.protocol.case_chain import apply
from seefen.protocol.envelope import open_envelope, sign
from seefen.protocol.errors import OutOfTurnError, RefusedError, UntrustedError
from seefen.protocol.statements import NO_HASH, Access, Object, SealedReason
from seefen.protocol.suite import new_id
from tests.protocol.builder import here, offer, read, refused
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
    return Story()


# --- object ------------------------------------------------------------------


def test_an_object_is_under_the_newest_key_and_version(story: Story) -> None:
    network, home = story.network, story.home
    for changes, rule in (
        ({"gen": 2}, "stale-generation"),
        ({"case_version": 2}, "not-next"),
        ({"case_head": NO_HASH}, "not-next"),
    ):
        with refused(rule, OutOfTurnError):
            story.object(home, **changes)
    network.take(renew_key(network, story.away, story.case))
    with refused("stale-generation", OutOfTurnError):
        story.object(home, gen=1)
    story.object(home)


def test_only_an_alert_leaves_on_a_log_nobody_has_seen(story: Story) -> None:
    with refused("unwitnessed", RefusedError):
        story.object(story.home, unwitnessed=True)
    story.object(story.home)
    channel = Story("channel")
    channel.object(channel.home, unwitnessed=True)


def test_an_object_names_the_one_before(story: Story) -> None:
    network, home = story.network, story.home
    with refused("number", OutOfTurnError):
        story.object(home, prev=bytes([1]) * 32)
    story.object(home)
    first = story.state.last(home.device).object_hash
    assert first is not None
    network.take(ack(network, home, story.case, new_id()))
    for prev in (NO_HASH, bytes([1]) * 32):
        with refused("number", OutOfTurnError):
            story.object(home, prev=prev)
    story.object(home, prev=first)
    with refused("number", OutOfTurnError):
        story.object(home, prev=first)


def test_who_writes_is_who_reads_in_a_writing_role(story: Story) -> None:
    network = story.network
    with refused("not-a-reader", RefusedError):
        story.object(story.third)
    officer, auditor = story.add(AWAY, "field"), story.add(AWAY, "auditor")
    with refused("not-a-reader", RefusedError):
        story.object(officer)
    with refused("role", UntrustedError):
        story.object(auditor)
    network.take(assign(network, story.away, story.case, officer, auditor))
    story.object(officer)
    with refused("role", UntrustedError):
        story.object(auditor)


def test_whom_another_node_assigned_is_its_own_affair(story: Story) -> None:
    network = story.network
    officer, auditor = story.add(AWAY, "field"), story.add(AWAY, "auditor")
    word = open_envelope(message(network, officer, story.case).statements[0].envelope, "object")
    at = here(network)
    for strict in ("", AWAY):  # the broker and the own node see all assigns that matter
        with refused("not-a-reader", RefusedError):
            apply(story.state, word, network.directory, at, reader=strict)
    taken = apply(story.state, word, network.directory, at, reader=HOME)
    assert taken.last(officer.device).object_hash == word.hash
    for writer, rule in ((auditor, "role"), (story.third, "not-a-reader")):
        bundle = message(network, writer, story.case)
        other = open_envelope(bundle.statements[0].envelope, "object")
        with refused(rule):
            apply(story.state, other, network.directory, at, reader=HOME)
    network.take(network.revoke(officer))
    with refused("revoked"):
        apply(story.state, word, network.directory, here(network), reader=HOME)


def test_a_node_that_got_its_key_device_by_device_has_writers_all_the_same(story: Story) -> None:
    network = story.network
    officer, lost = story.add(AWAY, "field"), story.add(AWAY, "keyholder")
    network.take(network.revoke(lost))
    network.take(renew_key(network, story.home, story.case, "members"))
    assert story.state.generation.statement.devices  # the mailbox is stale
    word = open_envelope(message(network, officer, story.case).statements[0].envelope, "object")
    taken = apply(story.state, word, network.directory, here(network), reader=HOME)
    assert taken.last(officer.device).object_hash == word.hash


def test_a_node_that_got_no_key_has_nobody_who_writes(story: Story) -> None:
    network = story.network
    officer = story.add(AWAY, "field")
    network.take(network.suspend(AWAY))
    network.take(renew_key(network, story.home, story.case, "members"))
    assert AWAY not in story.state.covered(2, network.directory)
    word = open_envelope(message(network, officer, story.case).statements[0].envelope, "object")
    with refused("suspended"):
        apply(story.state, word, network.directory, here(network), reader=HOME)


def test_attack_67_an_assigned_officers_key_is_refused_by_every_reader(story: Story) -> None:
    network, officer = story.network, story.add(AWAY, "field")
    network.take(assign(network, story.away, story.case, officer))
    key = open_envelope(renew_key(network, officer, story.case).statements[0].envelope, "casekey")
    for reader in ("", HOME, AWAY):
        with refused("not-a-reader", RefusedError):
            apply(story.state, key, network.directory, here(network), reader=reader)


def test_an_object_is_written_in_sight_of_the_members(story: Story) -> None:
    seen = story.network.directory.head()
    story.add(THIRD, "field")
    story.object(story.home, authority=seen)  # no member, no matter
    story.add(AWAY, "field")
    with refused("old-authority", OutOfTurnError):
        story.object(story.home, authority=seen)


def test_a_message_needs_a_key_in_order(story: Story) -> None:
    network = story.network
    lost = story.add(AWAY, "keyholder")
    network.take(network.revoke(lost))
    with refused("stale-generation", OutOfTurnError):
        story.object(story.home)
    network.take(renew_key(network, story.home, story.case, "revoked"))
    story.object(story.home)


def test_before_the_first_key_nothing_is_written(story: Story) -> None:
    network = story.network
    case, bundle = open_case(network, story.home, AWAY, serial=5)
    template = read(message(network, story.home, story.case), Object)
    network.take_activity("case", bundle.statements[0].envelope, here(network))
    envelope = sign(replace(template, case=case, case_n=2), story.home.sign)
    with refused("no-key", OutOfTurnError):
        offer(network, "object", envelope)


# --- access and ack ----------------------------------------------------------


def test_the_shape_of_an_access(story: Story) -> None:
    network, away = story.network, story.away
    hours = 3600
    bent: list[tuple[dict[str, Any], str]] = [
        ({"object": new_id()}, "scope"),
        ({"scope": "object"}, "scope"),
        ({"scope": "watch"}, "scope"),
        ({"until": network.at + 12 * hours + 301}, "until"),
        ({"until": network.at - 300}, "until"),
        ({"starts": network.index + 1}, "scope"),
    ]
    for changes, rule in bent:
        with refused(rule, RefusedError):
            story.access(away, **changes)
    with refused("not-a-reader", RefusedError):
        story.access(story.third)
    story.access(away, until=network.at + 12 * hours + 300)
    story.access(away, until=network.at - 299, starts=network.index)
    story.access(away, new_id())


def test_a_shift_is_for_cases_and_a_watch_for_channels() -> None:
    story = Story("channel")
    story.access(story.away)
    story.access(story.away, new_id())
    with refused("scope", RefusedError):
        story.access(story.away, scope="case")


def test_a_reason_goes_to_both_sides_auditors(story: Story) -> None:
    network, away = story.network, story.away
    good = open_envelope(access(network, away, story.case, scope="case").envelope, "access")
    assert isinstance(good.statement, Access)
    reasons = good.statement.reasons
    assert {reason.node for reason in reasons} == {HOME, AWAY}
    stranger = SealedReason(THIRD, 1, reasons[0].sealed)
    for other in (
        (),
        reasons[:1],
        (reasons[0], reasons[0]),
        (reasons[0], stranger),
        (reasons[0], replace(reasons[1], gen=2)),
    ):
        with refused("reasons", RefusedError):
            story.access(away, reasons=other)
    story.access(away)
    story.access(story.home)


def test_a_reason_is_given_once_and_to_auditors_that_exist(story: Story) -> None:
    network, lab = story.network, "podgorica-lab"
    own = open_envelope(access(network, story.home, story.case, scope="case").envelope, "access")
    assert isinstance(own.statement, Access)
    assert [reason.node for reason in own.statement.reasons] == [HOME]
    with refused("reasons", RefusedError):
        story.access(story.home, reasons=own.statement.reasons * 2)
    network.take(network.admit(lab, machines=(("admin", "keyholder"),)))
    network.take(change_members(network, story.home, story.case, add=(lab,)))
    story.access(network.of(lab))  # it has no auditors: the owner's alone


def test_a_stale_audit_mailbox_may_be_left_out(story: Story) -> None:
    network, away = story.network, story.away
    auditor = story.add(AWAY, "auditor")
    network.take(network.revoke(auditor))
    story.access(away)
    only_home = open_envelope(access(network, away, story.case, scope="case").envelope, "access")
    assert isinstance(only_home.statement, Access)
    story.access(away, reasons=tuple(r for r in only_home.statement.reasons if r.node == HOME))


def test_a_former_member_still_accounts_for_what_he_has(story: Story) -> None:
    network = story.network
    network.take(change_members(network, story.home, story.case, remove=(AWAY,)))
    story.access(story.away)
    network.take(ack(network, story.away, story.case, new_id()))
    with refused("not-a-reader", RefusedError):
        network.take(ack(network, story.third, story.case, new_id()))
