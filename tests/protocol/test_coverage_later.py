"""A key is judged by what stood in the authority log at its place, whatever came after.

Who reads a log later, a new member or an auditor, knows more of the authority log than the
author of a key did. If that changed the answer, a renewed mailbox would make every old key
a forgery, and a broker could hide a forged one behind what came later.
"""

import pytest
from msgspec.structs import replace

from seefen.protocol.envelope import sign
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.statements import CaseKey, DeviceWrap, LeftOut
from tests.protocol.builder import forge, here, offer, read, refused, twin
from tests.protocol.story import AWAY, HOME, THIRD, Story
from tests.support.casework import change_members, renew_key
from tests.support.network import Machine, Network

LAB = "podgorica-lab"


def _later(story: Story, envelope: bytes, *events: str) -> None:
    """Offer a key at the place of now to readers whose authority log has gone on."""
    place = story.network.directory.size
    offer(twin(story.network), "casekey", envelope, authority_size=place)
    for event in events:
        network = twin(story.network)
        if event == "suspended":
            network.take(network.suspend(AWAY))
        elif event == "renewed":
            network.take(network.renew(AWAY, "case"))
        elif event == "joined":
            network.take(network.enrol(AWAY, ("keyholder",), renew=False))
        else:
            network.take(network.revoke(network.of(AWAY, "keyholder"), event))
        assert network.directory.size > place
        offer(network, "casekey", envelope, authority_size=place)


def _shorten(network: Network, machine: Machine) -> None:
    """Let the certificate of a machine end in 50 seconds."""
    link = network.directory.link(("device", machine.device))
    assert link is not None
    after = replace(
        network.directory.device(machine.device),
        version=link.statement.version + 1,
        prev=link.hash,
        seen=network.directory.head(),
        expires=network.at + 50,
    )
    keys = {key.key_id: key for key in (network.admin(machine.node).sign, machine.sign)}
    network.directory.apply("device", sign(after, *keys.values()), at=network.at)


@pytest.fixture
def story() -> Story:
    return Story()


def test_a_key_by_mailbox_stays_good(story: Story) -> None:
    bundle = renew_key(story.network, story.home, story.case)
    assert len(read(bundle, CaseKey).mailboxes) == 2
    _later(story, bundle.statements[0].envelope, "suspended", "renewed", "joined", "lost")


def test_a_key_device_by_device_stays_good(story: Story) -> None:
    network, lost = story.network, story.add(AWAY, "keyholder")
    network.take(network.revoke(lost))
    bundle = renew_key(network, story.home, story.case)
    assert read(bundle, CaseKey).devices
    _later(story, bundle.statements[0].envelope, "suspended", "renewed", "joined", "lost")


def test_a_key_that_was_forged_stays_forged(story: Story) -> None:
    """What comes later does not mend it: the mailbox that was stale, the device not there yet."""
    network, lost = story.network, story.add(AWAY, "keyholder")
    mailbox = network.directory.mailbox(AWAY, "case")
    assert mailbox is not None
    before = read(renew_key(network, story.home, story.case), CaseKey).mailboxes
    network.take(network.revoke(lost))
    bundle = renew_key(network, story.home, story.case)
    place, late = network.directory.size, twin(network)
    stale = forge(bundle, story.home.sign, mailboxes=before, devices=())
    late.take(late.enrol(AWAY, ("keyholder",)))
    device = DeviceWrap(late.of(AWAY, "keyholder", nth=1).device, bytes(32))
    devices = (*read(bundle, CaseKey).devices, device)
    early = forge(bundle, story.home.sign, devices=devices)
    with refused("stale-mailbox", UntrustedError):
        offer(late, "casekey", stale, authority_size=place)
    with refused("unknown-device", UntrustedError):
        offer(late, "casekey", early, authority_size=place)


@pytest.mark.parametrize("event", ["suspended", "joined"])
def test_who_was_left_out_with_reason_was_so_whatever_came_later(story: Story, event: str) -> None:
    network = story.network
    network.take(network.admit(LAB, machines=(("admin", "field"),)))
    bundle = change_members(network, story.home, story.case, add=(LAB,))
    assert read(bundle, CaseKey, 1).left_out == (LeftOut(LAB, "no-holder"),)
    network.take_activity("case", bundle.statements[0].envelope, here(network))
    place, late = network.directory.size, twin(network)
    if event == "suspended":
        late.take(late.suspend(LAB))
    else:
        late.take(late.enrol(LAB, ("keyholder",), renew=False))
    offer(late, "casekey", bundle.statements[1].envelope, authority_size=place)


def test_a_node_had_no_mailbox_then_and_has_one_now(story: Story) -> None:
    network = story.network
    network.take(network.admit(LAB, machines=(("admin", "field"),)))
    network.take(network.enrol(LAB, ("keyholder",), renew=False))
    bundle = change_members(network, story.home, story.case, add=(LAB,))
    network.take_activity("case", bundle.statements[0].envelope, here(network))
    place, late = network.directory.size, twin(network)
    late.take(late.renew(LAB, "case"))
    offer(late, "casekey", bundle.statements[1].envelope, authority_size=place)


@pytest.mark.parametrize("loss", ["lost", "left", "role"])
def test_a_link_stays_allowed_after_a_later_loss(story: Story, loss: str) -> None:
    network, gone = story.network, story.add(AWAY, "keyholder")
    network.take(renew_key(network, story.home, story.case))
    bundle = change_members(network, story.home, story.case, add=(THIRD,))
    assert read(bundle, CaseKey, 1).link
    network.take_activity("case", bundle.statements[0].envelope, here(network))
    place, late = network.directory.size, twin(network)
    if loss == "role":
        gone.roles = ("field",)
        envelope = late.certify(gone, by=late.admin(AWAY).sign)
        late.directory.apply("device", envelope, at=late.at)
    else:
        late.take(late.revoke(gone, loss))
    offer(late, "casekey", bundle.statements[1].envelope, authority_size=place)


def test_a_link_is_refused_after_any_revoke_of_a_member(story: Story) -> None:
    """Also of a device that held no mailbox: it may have had the key by name."""
    network, gone = story.network, story.add(AWAY, "field")
    network.take(network.revoke(gone, "left"))
    bundle = change_members(network, story.home, story.case, add=(THIRD,))
    network.take_activity("case", bundle.statements[0].envelope, here(network))
    with refused("link", RefusedError):
        offer(network, "casekey", bundle.statements[1].envelope)


def test_a_link_may_follow_a_key_that_went_device_by_device(story: Story) -> None:
    network, lost = story.network, story.add(AWAY, "keyholder")
    network.take(network.revoke(lost))
    network.take(renew_key(network, story.home, story.case))
    assert story.state.generation.statement.devices
    network.take(change_members(network, story.home, story.case, add=(THIRD,)))
    assert story.state.generation.statement.link
    assert story.state.covered(3, network.directory) == {HOME, AWAY, THIRD}


def test_a_holder_whose_certificate_ran_out_gets_no_key(story: Story) -> None:
    network, lost = story.network, story.add(AWAY, "keyholder")
    old = story.add(AWAY, "keyholder")
    network.take(network.revoke(lost))
    _shorten(network, old)
    network.at += 60
    bundle = renew_key(network, story.home, story.case)
    wraps = read(bundle, CaseKey).devices
    assert {wrap.device for wrap in wraps} == {story.away.device}
    with refused("coverage", UntrustedError):
        more = (*wraps, DeviceWrap(old.device, bytes(32)))
        offer(network, "casekey", forge(bundle, story.home.sign, devices=more))
    offer(network, "casekey", bundle.statements[0].envelope)


def test_a_node_whose_last_holder_ran_out_has_none(story: Story) -> None:
    network = story.network
    network.take(network.admit(LAB, machines=(("admin", "field"),)))
    network.take(network.enrol(LAB, ("keyholder",), renew=False))
    _shorten(network, network.of(LAB, "keyholder"))
    network.at += 60
    bundle = change_members(network, story.home, story.case, add=(LAB,))
    assert read(bundle, CaseKey, 1).left_out == (LeftOut(LAB, "no-holder"),)
    network.take(bundle)
