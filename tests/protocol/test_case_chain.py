"""The rules of each kind in the chain of a case: what passes, and each refusal."""

from typing import Any

import pytest
from msgspec.structs import replace

from seefen.protocol.case_chain import apply, check_stub, skip
from seefen.protocol.envelope import open_envelope, sign
from seefen.protocol.errors import OutOfTurnError, RefusedError, UntrustedError
from seefen.protocol.frames import Stub
from seefen.protocol.ledger.tree import EMPTY_ROOT
from seefen.protocol.statements import (
    NO_HASH,
    Access,
    Case,
    Head,
    Member,
    Object,
    Release,
    SealedReason,
)
from seefen.protocol.suite import SigningKey, new_id
from tests.protocol.builder import forge, here, offer, read, refused, twin
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


@pytest.fixture
def story() -> Story:
    return Story()


# --- every kind --------------------------------------------------------------


def test_who_signs_and_what_he_had_seen(story: Story) -> None:
    network, home = story.network, story.home
    size = network.directory.size
    stranger = SigningKey.generate()
    bent: list[tuple[dict[str, Any], str]] = [
        ({"net": bytes(32)}, "net"),
        ({"device": new_id()}, "unknown-device"),
        ({"device": story.away.device}, "wrong-node"),
        ({"node": AWAY}, "wrong-node"),
        ({"authority": Head(size, EMPTY_ROOT)}, "fork"),
        ({"authority": Head(size + 1, EMPTY_ROOT)}, "fork"),
        ({"activity": Head(network.index + 1, EMPTY_ROOT)}, "fork"),
        ({"case": new_id()}, "unknown-case"),
    ]
    for changes, rule in bent:
        with refused(rule, UntrustedError):
            story.object(home, **changes)
    bundle = message(network, home, story.case)
    for keys in ([stranger], [], [home.sign, stranger], [story.away.sign]):
        with refused("wrong-signers", UntrustedError):
            offer(network, "object", forge(bundle, *keys))
    offer(network, "object", bundle.statements[0].envelope)


def test_every_number_is_the_next(story: Story) -> None:
    """A gap hides a statement, a repeat is a second machine with the same key."""
    for case_n in (1, 2, 4, 5):
        with refused("number", OutOfTurnError):
            story.object(story.home, case_n=case_n)
    story.object(story.home, case_n=3)
    with refused("number", OutOfTurnError):
        story.object(story.away, case_n=2)
    story.object(story.away)


def test_attack_36_a_cloned_device_is_told_by_its_numbers(story: Story) -> None:
    """Two machines with one key: the second statement with a number is refused."""
    first = message(story.network, story.home, story.case, b"from one")
    second = message(story.network, story.home, story.case, b"from the other")
    story.network.take(first)
    for bundle in (second, first):
        with refused("number", OutOfTurnError):
            story.network.take(bundle)


def test_a_statement_stands_in_its_own_case(story: Story) -> None:
    other, bundle = open_case(story.network, story.home, AWAY, serial=2)
    story.network.take(bundle)
    opened = open_envelope(
        message(story.network, story.away, story.case).statements[0].envelope, "object"
    )
    with refused("unknown-case", UntrustedError):
        apply(story.network.cases[other], opened, story.network.directory, here(story.network))
    with refused("unknown-case", UntrustedError):
        apply(None, opened, story.network.directory, here(story.network))


def test_the_log_never_goes_back_to_an_older_authority_log(story: Story) -> None:
    network = story.network
    early = network.directory.size
    network.take(network.enrol(THIRD, ("field",)))
    story.object(story.home)
    bundle = message(network, story.away, story.case)
    envelope = forge(
        bundle, story.away.sign, authority=Head(early, network.directory.root_at(early))
    )
    with refused("fork", UntrustedError):
        offer(network, "object", envelope, authority_size=early)
    with refused("old-authority", OutOfTurnError):
        offer(network, "object", envelope, authority_size=network.directory.size + 1)
    offer(network, "object", envelope)


def test_kinds_of_other_logs_are_refused(story: Story) -> None:
    release = Release(1, story.network.net, "release", new_id(), story.case, new_id(), HOME,
                      (story.home.device,), (1,))  # fmt: skip
    directory, at = story.network.directory, here(story.network)
    suspend = story.network.suspend(THIRD).statements[0].envelope
    for kind, envelope in (("release", sign(release, story.home.sign)), ("suspend", suspend)):
        with refused("unknown-kind", UntrustedError):
            apply(story.state, open_envelope(envelope, kind), directory, at)


def test_a_device_out_of_force_does_nothing(story: Story) -> None:
    network = story.network
    field = story.add(AWAY, "keyholder")
    bundle = message(network, field, story.case)
    envelope = bundle.statements[0].envelope
    for at in (network.at - 61, network.at + YEAR):
        with refused("expired", UntrustedError):
            offer(twin(network), "object", envelope, at=at)
    suspended = twin(network)
    suspended.take(suspended.suspend(AWAY))
    with refused("suspended", UntrustedError):
        offer(suspended, "object", envelope)
    network.take(network.revoke(field, "left"))
    with refused("revoked", UntrustedError):
        offer(network, "object", envelope)


def test_attack_26_a_thief_backdates_in_vain(story: Story) -> None:
    """A stolen device signs, after its revoke, what claims to be of last year."""
    network, thief = story.network, story.add(AWAY, "keyholder")
    before = network.directory.size
    story.object(story.home)
    network.take(network.revoke(thief))
    last_year = network.at - YEAR
    early = Head(before, network.directory.root_at(before))
    backdated = forge(
        message(network, thief, story.case), thief.sign, created_at=last_year, authority=early
    )
    with refused("revoked", UntrustedError):
        offer(network, "object", backdated)
    # The broker helps: it claims a place before the revoke, behind what stands after it.
    network.take(renew_key(network, story.home, story.case, "revoked"))
    with refused("fork", UntrustedError):
        offer(network, "object", backdated, authority_size=before)


# --- case --------------------------------------------------------------------


def _open(network: Network, by: Machine, **changes: Any) -> None:
    form = changes.pop("form", "case")
    _, bundle = open_case(network, by, AWAY, form=form, serial=7)
    offer(network, "case", forge(bundle, by.sign, **changes))


def test_who_opens_a_case_and_how(story: Story) -> None:
    network, home = story.network, story.home
    code = network.directory.node(AWAY).code
    members = (Member(HOME, 1), Member(AWAY, 1))
    bent: list[tuple[dict[str, Any], str]] = [
        ({"version": 2}, "not-next"),
        ({"prev": bytes([1]) * 32}, "not-next"),
        ({"case_n": 2}, "not-next"),
        ({"members": members[::-1]}, "owner"),
        ({"members": (members[0], Member(AWAY, 2))}, "members"),
        ({"members": (*members, members[1])}, "members"),
        ({"members": (*members, Member("nobody", 1))}, "unknown-node"),
        ({"number": f"SF-2026-{code}-00007"}, "case-number"),
        ({"number": "SF-2026-00007"}, "case-number"),
        ({"number": "kilo"}, "case-number"),
        ({"form": "channel", "number": "Not a name"}, "case-number"),
        ({"form": "channel", "number": "-x"}, "case-number"),
    ]
    for changes, rule in bent:
        with refused(rule):
            _open(network, home, **changes)
    for role in ("admin", "auditor", "field", "keyholder"):
        with refused("role", UntrustedError):
            _open(network, story.add(HOME, role))
    _open(network, home)
    _open(network, home, form="channel")


def test_a_case_is_opened_in_sight_of_its_members(story: Story) -> None:
    network = story.network
    seen = network.directory.head()
    network.take(network.enrol(AWAY, ("field",)))
    with refused("old-authority", OutOfTurnError):
        _open(network, story.home, authority=seen)
    network.take(network.enrol(THIRD, ("field",)))
    before = network.directory.last_change((HOME, AWAY))
    _open(network, story.home, authority=Head(before, network.directory.root_at(before)))


def _change(story: Story, by: Machine, *keys: SigningKey, **changes: Any) -> None:
    bundle = change_members(story.network, by, story.case, add=(THIRD,))
    offer(story.network, "case", forge(bundle, *(keys or (by.sign,)), **changes))


def test_who_changes_a_case_and_how(story: Story) -> None:
    home = story.home
    first, second = Member(HOME, 1), Member(AWAY, 1)
    bent: list[tuple[dict[str, Any], str]] = [
        ({"version": 1}, "not-next"),
        ({"version": 3}, "not-next"),
        ({"prev": NO_HASH}, "not-next"),
        ({"form": "channel"}, "case-changed"),
        ({"number": "SF-2026-ABC-00002"}, "case-changed"),
        ({"members": (second, first)}, "owner"),
        ({"members": (Member(HOME, 2), second)}, "owner"),
        ({"members": (first, second, Member(THIRD, 1))}, "members"),
        ({"members": (first, Member(AWAY, 2))}, "members"),
        ({"members": (first, second, second)}, "members"),
        ({"members": (first, second, Member("nobody", 2))}, "unknown-node"),
    ]
    for changes, rule in bent:
        with refused(rule):
            _change(story, home, **changes)
    with refused("role", UntrustedError):
        _change(story, story.add(HOME, "keyholder"))
    _change(story, story.add(HOME, "lead"))
    assert story.state.members == (HOME, AWAY, THIRD)


def test_a_change_is_made_in_sight_of_the_members(story: Story) -> None:
    seen = story.network.directory.head()
    story.add(THIRD, "field")
    with refused("old-authority", OutOfTurnError):
        _change(story, story.home, authority=seen)


def test_a_title_may_change_alone(story: Story) -> None:
    members = (Member(HOME, 1), Member(AWAY, 1))
    _change(story, story.home, title=b"another", members=members)
    assert (story.state.version, story.state.members) == (2, (HOME, AWAY))


def test_attack_02_a_ghost_node_comes_into_no_case(story: Story) -> None:
    """A version signed by the root, by a partner, by the ghost; or under another name."""
    network, ghost = story.network, story.third
    for by, keys in (
        (story.home, network.roots[:1]),
        (story.home, [ghost.sign]),
        (story.home, [story.away.sign]),
        (story.home, [story.home.sign, network.roots[0]]),
    ):
        with refused("wrong-signers", UntrustedError):
            _change(story, by, *keys)
    for by in (ghost, story.away):
        with refused("owner", UntrustedError):
            _change(story, by)
        with refused("wrong-node", UntrustedError):
            _change(story, by, node=HOME)
    assert story.state.members == (HOME, AWAY)


# --- assign ------------------------------------------------------------------


def test_a_keyholder_hands_the_key_to_his_own_node(story: Story) -> None:
    network = story.network
    officer, lead = story.add(AWAY, "field"), story.add(AWAY, "lead")
    keyholder = story.add(AWAY, "keyholder")
    with refused("role", UntrustedError):
        network.take(assign(network, lead, story.case, officer))
    with refused("wrong-node", UntrustedError):
        network.take(assign(network, keyholder, story.case, story.third))
    with refused("not-a-reader", RefusedError):
        network.take(assign(network, story.third, story.case, story.third))
    gone = story.add(AWAY, "field")
    network.take(network.revoke(gone, "left"))
    with refused("revoked", UntrustedError):
        network.take(assign(network, keyholder, story.case, gone))
    for gen in (2, 9):
        with refused("not-a-reader", RefusedError):
            bundle = assign(network, keyholder, story.case, officer)
            offer(network, "assign", forge(bundle, keyholder.sign, gen=gen))
    network.take(assign(network, keyholder, story.case, officer, lead))
    assert story.state.assigned == {1: {officer.device, lead.device}}


def test_an_assignment_is_made_in_sight_of_the_own_node(story: Story) -> None:
    network, seen = story.network, story.network.directory.head()
    officer = story.add(AWAY, "field")
    bundle = assign(network, story.away, story.case, officer)
    with refused("old-authority", OutOfTurnError):
        offer(network, "assign", forge(bundle, story.away.sign, authority=seen))
    network.take(bundle)


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


# --- what was not for us -----------------------------------------------------


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


def test_a_case_begins_with_its_first_version(story: Story) -> None:
    bundle = change_members(story.network, story.home, story.case, add=(THIRD,))
    opened = open_envelope(bundle.statements[0].envelope, "case")
    assert isinstance(opened.statement, Case)
    with refused("not-next", OutOfTurnError):
        apply(None, opened, story.network.directory, here(story.network))
