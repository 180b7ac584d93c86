"""Whom a key covers and how: every member in the one way that is open."""

from typing import Any

import pytest
from msgspec.structs import replace

from seefen.protocol.authority_rules import key_encrypts
from seefen.protocol.envelope import sign
from seefen.protocol.errors import OutOfTurnError, RefusedError, UntrustedError
from seefen.protocol.statements import (
    NO_HASH,
    CaseKey,
    DeviceWrap,
    LeftOut,
    NodeWrap,
)
from tests.protocol.builder import forge, here, offer, read, refused, twin
from tests.protocol.story import AWAY, HOME, THIRD, Story
from tests.support.casework import assign, change_members, open_case, renew_key
from tests.support.network import Machine, Network


@pytest.fixture
def story() -> Story:
    return Story()


def _renew(story: Story, by: Machine, **changes: Any) -> None:
    """Offer the next generation with other fields."""
    bundle = renew_key(story.network, by, story.case)
    offer(story.network, "casekey", forge(bundle, by.sign, **changes))


def _changed(story: Story, *, link: bool = True, **changes: Any) -> None:
    """Take a change of members, and offer its key with other fields."""
    network, home = story.network, story.home
    bundle = change_members(network, home, story.case, add=(THIRD,), link=link)
    network.take_activity("case", bundle.statements[0].envelope, here(network))
    offer(network, "casekey", forge(bundle, home.sign, place=1, **changes))


# --- its place in the chain --------------------------------------------------


def test_one_generation_follows_the_other(story: Story) -> None:
    for changes in ({"gen": 1}, {"gen": 3}, {"prev": NO_HASH}, {"case_version": 2}):
        with refused("not-next", OutOfTurnError):
            _renew(story, story.home, **changes)
    _renew(story, story.away)
    assert story.state.generation.gen == 2


def test_two_desks_renew_and_one_is_first(story: Story) -> None:
    first = renew_key(story.network, story.home, story.case)
    second = renew_key(story.network, story.away, story.case)
    story.network.take(first)
    with refused("not-next", OutOfTurnError):
        story.network.take(second)


def test_who_all_see_to_read_may_renew(story: Story) -> None:
    network = story.network
    officer = story.add(AWAY, "field")
    for stranger in (story.third, officer):
        with refused("not-a-reader", RefusedError):
            _renew(story, stranger)
    network.take(assign(network, story.away, story.case, officer))
    with refused("not-a-reader", RefusedError):
        _renew(story, officer)
    _renew(story, story.add(AWAY, "keyholder"))


def test_the_first_key_and_the_key_of_a_change_are_of_who_made_it(story: Story) -> None:
    network = story.network
    other = story.add(HOME, "keyholder", "lead")
    case, bundle = open_case(network, story.home, AWAY, serial=3)
    network.take_activity("case", bundle.statements[0].envelope, here(network))
    stolen = replace(read(bundle, CaseKey, 1), device=other.device, case_n=1)
    with refused("not-a-reader", UntrustedError):
        offer(network, "casekey", sign(stolen, other.sign))
    offer(network, "casekey", bundle.statements[1].envelope)
    assert network.cases[case].generation.gen == 1
    with refused("not-a-reader", UntrustedError):
        envelope = sign(
            replace(_next_key(story), device=other.device, case_n=1, case_version=2), other.sign
        )
        offer(network, "casekey", envelope)


def _next_key(story: Story) -> CaseKey:
    """Take a change of members and return the key that should follow it."""
    network = story.network
    bundle = change_members(network, story.home, story.case, add=(THIRD,))
    network.take_activity("case", bundle.statements[0].envelope, here(network))
    return read(bundle, CaseKey, 1)


def test_a_key_is_issued_in_sight_of_the_members(story: Story) -> None:
    seen = story.network.directory.head()
    story.add(AWAY, "field")
    with refused("old-authority", OutOfTurnError):
        _renew(story, story.home, authority=seen)


# --- coverage ----------------------------------------------------------------


def test_a_key_covers_exactly_the_members(story: Story) -> None:
    good = read(renew_key(story.network, story.home, story.case), CaseKey)
    home, away = good.mailboxes
    ghost = NodeWrap(THIRD, 1, bytes(32))
    device = DeviceWrap(story.third.device, bytes(32))
    bent: list[tuple[dict[str, Any], str]] = [
        ({"mailboxes": (home,)}, "coverage"),
        ({"mailboxes": (home, away, ghost)}, "coverage"),
        ({"mailboxes": (home, ghost)}, "coverage"),
        ({"mailboxes": (home, home)}, "coverage"),
        ({"mailboxes": (home, away, away)}, "coverage"),
        ({"devices": (device,)}, "coverage"),
        ({"devices": (DeviceWrap(story.away.device, bytes(32)),)}, "coverage"),
        ({"left_out": (LeftOut(AWAY, "no-holder"),)}, "coverage"),
        ({"left_out": (LeftOut("nobody", "expired"),)}, "coverage"),
        ({"devices": (DeviceWrap(bytes(16), bytes(32)),)}, "unknown-device"),
        ({"mailboxes": (home, replace(away, gen=2))}, "old-authority"),
    ]
    for changes, rule in bent:
        with refused(rule):
            _renew(story, story.home, **changes)
    _renew(story, story.home)


@pytest.mark.parametrize("reason", ["suspended", "expired", "unusable-key", "no-holder"])
def test_nobody_is_left_out_without_a_true_reason(story: Story, reason: str) -> None:
    good = read(renew_key(story.network, story.home, story.case), CaseKey)
    mailboxes = good.mailboxes[:1]
    with refused("left-out", UntrustedError):
        _renew(story, story.home, mailboxes=mailboxes, left_out=(LeftOut(AWAY, reason),))


def test_who_is_out_of_force_is_left_out_with_the_reason(story: Story) -> None:
    network = story.network
    wrap = read(renew_key(network, story.home, story.case), CaseKey).mailboxes[1]
    network.take(network.suspend(AWAY))
    kept = read(renew_key(network, story.home, story.case), CaseKey).mailboxes
    with refused("coverage", UntrustedError):
        _renew(story, story.home, mailboxes=(*kept, wrap), left_out=())
    for reason in ("expired", "no-holder", "unusable-key"):
        with refused("left-out", UntrustedError):
            _renew(story, story.home, left_out=(LeftOut(AWAY, reason),))
    _renew(story, story.home)
    assert story.state.generation.statement.left_out == (LeftOut(AWAY, "suspended"),)


def test_a_node_that_expired_is_left_out_by_date(story: Story) -> None:
    network = story.network
    _shorten(network, AWAY, network.at + 50)
    good = renew_key(network, story.home, story.case)
    network.at += 60
    with refused("coverage", UntrustedError):
        offer(twin(network), "casekey", good.statements[0].envelope)
    network.take(renew_key(network, story.home, story.case))
    assert story.state.generation.statement.left_out == (LeftOut(AWAY, "expired"),)


def _shorten(network: Network, node: str, expires: int) -> None:
    link = network.directory.link(("node", node))
    assert link is not None
    before = network.directory.node(node)
    seen = network.directory.head()
    after = replace(before, version=2, prev=link.hash, seen=seen, expires=expires)
    network.directory.apply("node", sign(after, network.admin(node).sign), at=network.at)


def test_attack_28_a_stale_mailbox_gets_no_key(story: Story) -> None:
    """Its lost holder and the broker together would read on."""
    network, lost = story.network, story.add(AWAY, "keyholder")
    other = story.add(AWAY, "keyholder")
    network.take(network.revoke(lost))
    mailbox = network.directory.mailbox(AWAY, "case")
    assert mailbox is not None
    good = read(renew_key(network, story.home, story.case), CaseKey)
    stale = (*good.mailboxes, NodeWrap(AWAY, mailbox.version, bytes(32)))
    with refused("stale-mailbox", UntrustedError):
        _renew(story, story.home, mailboxes=stale, devices=())
    assert {wrap.device for wrap in good.devices} == {story.away.device, other.device}
    for devices in (
        good.devices[:1],
        (*good.devices, DeviceWrap(lost.device, bytes(32))),
        (*good.devices, good.devices[0]),
    ):
        with refused("coverage", UntrustedError):
            _renew(story, story.home, devices=devices)
    network.take(renew_key(network, story.home, story.case))
    with refused("revoked", UntrustedError):
        _renew(story, lost)


def test_a_mailbox_in_order_is_used(story: Story) -> None:
    """Else a sender could pick which officers of a partner read, past its desk."""
    story.add(AWAY, "keyholder")
    good = read(renew_key(story.network, story.home, story.case), CaseKey)
    holders = story.network.directory.holders(AWAY, "case", at=story.network.at)
    devices = tuple(DeviceWrap(holder.device, bytes(32)) for holder in holders)
    for chosen in (devices, devices[:1]):
        with refused("coverage", UntrustedError):
            _renew(story, story.home, mailboxes=good.mailboxes[:1], devices=chosen)


def test_a_node_without_holders_is_named(story: Story) -> None:
    network = story.network
    network.take(network.admit("podgorica-lab", machines=(("admin", "field"),)))
    bundle = change_members(network, story.home, story.case, add=("podgorica-lab",))
    key = read(bundle, CaseKey, 1)
    assert key.left_out == (LeftOut("podgorica-lab", "no-holder"),)
    network.take(bundle)
    assert story.state.covered(2, network.directory) == {HOME, AWAY}


def test_a_node_that_has_holders_and_no_mailbox_yet(story: Story) -> None:
    network, lab = story.network, "podgorica-lab"
    network.take(network.admit(lab, machines=(("admin", "field"),)))
    network.take(network.enrol(lab, ("keyholder",), renew=False))
    bundle = change_members(network, story.home, story.case, add=(lab,))
    key = read(bundle, CaseKey, 1)
    assert [wrap.device for wrap in key.devices] == [network.of(lab, "keyholder").device]
    network.take_activity("case", bundle.statements[0].envelope, here(network))
    planted = (*key.mailboxes, NodeWrap(lab, 1, bytes(32)))
    with refused("old-authority", OutOfTurnError):
        envelope = forge(bundle, story.home.sign, place=1, mailboxes=planted, devices=())
        offer(network, "casekey", envelope)
    offer(network, "casekey", bundle.statements[1].envelope)


def test_attack_51_one_poisoned_key_silences_nobody(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that an older library let pass: its node is named, the others get theirs."""
    network, poisoned = story.network, story.add(AWAY, "keyholder")
    lost = story.add(AWAY, "keyholder")
    network.take(network.revoke(lost))
    good = read(renew_key(network, story.home, story.case), CaseKey)
    without = tuple(w for w in good.devices if w.device != poisoned.device)
    with refused("coverage", UntrustedError):
        _renew(story, story.home, devices=without)
    bad = {poisoned.kem.public}

    def encrypts(public: bytes) -> bool:
        return public not in bad and key_encrypts(public)

    for module in ("coverage", "case"):
        monkeypatch.setattr(f"seefen.protocol.{module}.key_encrypts", encrypts)
    _renew(story, story.home, devices=without)
    bad.add(story.away.kem.public)
    nobody = (LeftOut(AWAY, "unusable-key"),)
    with refused("left-out", UntrustedError):
        _renew(story, story.home, devices=(), left_out=(LeftOut(AWAY, "no-holder"),))
    _renew(story, story.home, devices=(), left_out=nobody)
    assert story.state.covered(3, network.directory) == {HOME}


# --- links -------------------------------------------------------------------


def test_a_link_is_allowed_when_members_were_only_added(story: Story) -> None:
    _changed(story)
    assert story.state.generation.statement.link


def test_a_link_is_refused_otherwise(story: Story) -> None:
    link = b"x" * 104
    for reason in ("members", "age", "revoked"):
        with refused("link", RefusedError):
            _renew(story, story.home, link=link, reason=reason)
    with refused("link", RefusedError):
        _changed(twin_story(story), reason="age")
    network = story.network
    bundle = change_members(network, story.home, story.case, remove=(AWAY,))
    network.take_activity("case", bundle.statements[0].envelope, here(network))
    with refused("link", RefusedError):
        offer(network, "casekey", forge(bundle, story.home.sign, place=1, link=link))


def twin_story(story: Story) -> Story:
    """Return a copy that goes its own way."""
    other = Story.__new__(Story)
    other.network, other.case = twin(story.network), story.case
    other.home, other.away, other.third = story.home, story.away, story.third
    return other


@pytest.mark.parametrize("loss", ["lost", "left", "role", "suspended"])
def test_a_link_is_refused_after_a_loss(story: Story, loss: str) -> None:
    """Whoever lost his place has the key before, and would walk on with the rest."""
    network, gone = story.network, story.add(AWAY, "keyholder")
    if loss == "role":
        gone.roles = ("field",)
        envelope = network.certify(gone, by=network.admin(AWAY).sign)
        network.directory.apply("device", envelope, at=network.at)
    elif loss == "suspended":
        network.take(network.suspend(AWAY))
    else:
        network.take(network.revoke(gone, loss))
    with refused("link", RefusedError):
        _changed(twin_story(story))
    _changed(story, link=False)
    assert not story.state.generation.statement.link


def test_the_first_key_has_no_link(story: Story) -> None:
    network = story.network
    _, bundle = open_case(network, story.home, AWAY, serial=4)
    network.take_activity("case", bundle.statements[0].envelope, here(network))
    for reason in ("open", "members"):
        envelope = forge(bundle, story.home.sign, place=1, link=b"x" * 104, reason=reason)
        with refused("link", RefusedError):
            offer(network, "casekey", envelope)
    offer(network, "casekey", bundle.statements[1].envelope)
