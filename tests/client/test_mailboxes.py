"""Mailboxes: every holder opens the new generation, and walks back to the older ones."""

import pytest

from seefen.client.mailboxes import next_mailbox
from seefen.protocol.bundle import Bundle, Signed
from seefen.protocol.envelope import sign
from seefen.protocol.errors import SeefenError, UntrustedError
from seefen.protocol.keys import previous_seed, unwrap_mailbox_seed
from seefen.protocol.statements import Mailbox
from tests.support.network import AT, Machine, Network

NODE = "belgrade-ffp"


@pytest.fixture
def network() -> Network:
    network = Network.founded(NODE)
    network.take(network.enrol(NODE, ("field",), renew=False))
    return network


def make(network: Network, by: Machine, box: str, old: bytes | None) -> tuple[Mailbox, list[bytes]]:
    directory = network.directory
    return next_mailbox(
        directory, NODE, box, by.device, holders=directory.holders(NODE, box),
        previous_seed=old, seen=directory.head(), at=AT,
    )  # fmt: skip


def record(network: Network, by: Machine, mailbox: Mailbox, wraps: list[bytes]) -> None:
    signed = Signed("mailbox", sign(mailbox, by.sign), b"")
    network.take(Bundle((signed,), tuple(wraps), ()))


def open_by(machine: Machine, mailbox: Mailbox, wraps: list[bytes]) -> bytes:
    place = [wrap.device for wrap in mailbox.wraps].index(machine.device)
    return unwrap_mailbox_seed(wraps[place], machine.kem, mailbox)


def test_all_holders_and_nobody_else_get_the_next_generation(network: Network) -> None:
    by, field = network.of(NODE, "keyholder"), network.of(NODE, "field", nth=1)
    old = network.seeds[NODE, "alert", 1]
    mailbox, wraps = make(network, by, "alert", old)
    record(network, by, mailbox, wraps)

    assert mailbox.version == 2
    assert [wrap.device for wrap in mailbox.wraps] == [by.device, field.device]
    assert open_by(by, mailbox, wraps) == open_by(field, mailbox, wraps)
    assert network.directory.mailbox(NODE, "alert") == mailbox
    with pytest.raises(UntrustedError):
        unwrap_mailbox_seed(wraps[0], field.kem, mailbox)


def test_a_new_holder_walks_back_to_what_came_before(network: Network) -> None:
    by, field = network.of(NODE, "keyholder"), network.of(NODE, "field", nth=1)
    old = network.seeds[NODE, "alert", 1]
    first = network.directory.mailbox(NODE, "alert")
    mailbox, wraps = make(network, by, "alert", old)
    assert first is not None

    assert previous_seed(open_by(field, mailbox, wraps), mailbox, first) == old


def test_without_the_old_seed_there_is_no_way_back(network: Network) -> None:
    mailbox, _ = make(network, network.of(NODE, "keyholder"), "alert", None)

    assert mailbox.link == b""


def test_the_lost_device_is_not_among_the_holders(network: Network) -> None:
    by, field = network.of(NODE, "keyholder"), network.of(NODE, "field", nth=1)
    network.take(network.revoke(field))
    assert network.directory.mailbox_stale(NODE, "alert")
    mailbox, wraps = make(network, by, "alert", network.seeds[NODE, "alert", 1])
    record(network, by, mailbox, wraps)

    assert [wrap.device for wrap in mailbox.wraps] == [by.device]
    assert not network.directory.mailbox_stale(NODE, "alert")
    for wrap in wraps:
        with pytest.raises(SeefenError):
            unwrap_mailbox_seed(wrap, field.kem, mailbox)


def test_each_generation_has_a_key_of_its_own(network: Network) -> None:
    by = network.of(NODE, "keyholder")
    one, _ = make(network, by, "case", network.seeds[NODE, "case", 1])
    other, _ = make(network, by, "case", network.seeds[NODE, "case", 1])

    assert one.kem != other.kem
    assert one.key_id != other.key_id


def test_the_first_generation_of_a_mailbox_names_no_other(network: Network) -> None:
    fresh = Network.founded()
    fresh.take(fresh.admit(NODE, machines=(("admin", "field"),)))
    directory, by = fresh.directory, fresh.of(NODE)
    fresh.take(fresh.enrol(NODE, ("auditor",), renew=False))
    auditor = fresh.of(NODE, "auditor")
    assert directory.mailbox(NODE, "audit") is None
    mailbox, wraps = next_mailbox(
        directory, NODE, "audit", auditor.device, holders=directory.holders(NODE, "audit"),
        previous_seed=None, seen=directory.head(), at=AT,
    )  # fmt: skip
    record(fresh, auditor, mailbox, wraps)

    assert mailbox.version == 1
    assert directory.mailbox(NODE, "audit") == mailbox
    with pytest.raises(UntrustedError):
        record(fresh, by, *next_mailbox(
            directory, NODE, "audit", by.device, holders=directory.holders(NODE, "audit"),
            previous_seed=None, seen=directory.head(), at=AT,
        ))  # fmt: skip
