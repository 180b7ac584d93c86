"""The rules of the chain of a case: those of every kind, and of case and assign."""

from typing import Any

import pytest

from seefen.protocol.case_chain import apply
from seefen.protocol.envelope import open_envelope, sign
from seefen.protocol.errors import OutOfTurnError, RefusedError, UntrustedError
from seefen.protocol.ledger.tree import EMPTY_ROOT
from seefen.protocol.statements import NO_HASH, Case, Head, Member, Release
from seefen.protocol.suite import SigningKey, new_id
from tests.protocol.builder import forge, here, offer, refused, twin
from tests.protocol.story import AWAY, HOME, THIRD, Story
from tests.support.casework import assign, change_members, message, open_case, renew_key
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


def test_a_case_begins_with_its_first_version(story: Story) -> None:
    bundle = change_members(story.network, story.home, story.case, add=(THIRD,))
    opened = open_envelope(bundle.statements[0].envelope, "case")
    assert isinstance(opened.statement, Case)
    with refused("not-next", OutOfTurnError):
        apply(None, opened, story.network.directory, here(story.network))


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
