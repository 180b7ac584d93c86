"""Trust: an honest broker's logs are taken in, and each lie about them is refused by its name."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from seefen.client.alarms import kept
from seefen.client.trust import Trust
from seefen.protocol import envelope as envelope_module
from seefen.protocol.encoding import encode
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import SeefenError, UntrustedError
from seefen.protocol.frames import AuthorityItem
from seefen.protocol.statements import Device as DeviceStatement
from tests.client.logbook import LogBook
from tests.client.shown import NODES, Device, founded, open_case, write


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    with founded(tmp_path) as device:
        yield device


# --- the authority log ---------------------------------------------------------------


async def test_the_whole_authority_log_gives_the_directory(device: Device) -> None:
    assert await device.sync_authority() == []

    assert device.trust.directory.head() == device.book.network.directory.head()
    assert device.trust.directory.nodes() == tuple(sorted(NODES))
    assert device.trust.head("authority") == device.trust.directory.head()


async def test_it_is_there_after_a_restart(device: Device) -> None:
    await device.sync_authority()
    again = Trust(device.vault, device.book.network.net, device.evidence)

    assert again.directory.head() == device.book.network.directory.head()


async def test_only_what_is_new_is_replayed(device: Device) -> None:
    await device.sync_authority()
    device.book.take(device.book.network.enrol("belgrade-ffp", ("field",)))

    assert await device.sync_authority() == []
    assert device.trust.directory.head() == device.book.network.directory.head()


async def test_what_was_judged_is_not_verified_again_at_a_restart(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    await device.sync_authority()

    def verify(*_: object, **__: object) -> None:
        raise AssertionError("it was verified when it came in")

    monkeypatch.setattr(envelope_module, "verify", verify)
    again = Trust(device.vault, device.book.network.net, device.evidence)
    assert again.directory.head() == device.trust.directory.head()
    device.vault.put("judged", b"0.0.1")
    with pytest.raises(AssertionError):
        Trust(device.vault, device.book.network.net, device.evidence)


async def test_what_another_version_believed_is_judged_by_the_rules_of_this_one(
    device: Device,
) -> None:
    """A version with a hole let this in: it must not outlive the update that closes it."""
    await device.sync_authority()
    network = device.book.network
    ghost = network.machine("belgrade-ffp", ("keyholder",))
    envelope = network.certify(ghost, by=ghost.sign)
    device.book.authority.append(envelope)
    device.book.leaves.append(AuthorityItem("device", envelope, ()))
    await device.sync_authority()
    device.vault.run("UPDATE authority SET broken = NULL")
    believed = Trust(device.vault, network.net, device.evidence).directory
    assert believed.device(ghost.device).device == ghost.device

    device.vault.put("judged", b"0.0.1")
    again = Trust(device.vault, network.net, device.evidence)
    with pytest.raises(UntrustedError, match="no signed record"):
        again.directory.device(ghost.device)
    assert again.directory.head() == believed.head()
    assert [one.sentence for one in kept(device.vault)] == [
        f"signed record {believed.size - 1} has no effect: 0 of 1 needed signatures"
    ]
    # It is judged once, and said once.
    device.vault.put("alarms", encode([]))
    Trust(device.vault, network.net, device.evidence)
    assert not kept(device.vault)

    # Other rules once more, and what an older program did not know counts: nobody is alarmed.
    (known,) = device.vault.run("SELECT max(idx) FROM authority WHERE kind = 'mailbox'")
    sql = "UPDATE authority SET broken = 'unknown-kind: no kind' WHERE idx = ?"
    device.vault.run(sql, *known)
    lost = Trust(device.vault, network.net, device.evidence).directory
    assert lost.head() == believed.head()
    device.vault.put("judged", b"0.0.1")
    found = Trust(device.vault, network.net, device.evidence).directory
    boxes = [(node, box) for node in NODES for box in ("case", "alert", "audit")]
    assert [found.mailbox(*one) for one in boxes] == [believed.mailbox(*one) for one in boxes]
    assert [lost.mailbox(*one) for one in boxes] != [believed.mailbox(*one) for one in boxes]
    assert not kept(device.vault)


async def test_a_vault_that_holds_another_log_than_was_signed_is_not_believed(
    device: Device,
) -> None:
    await device.sync_authority()
    leaf = device.book.leaves[-1]
    other = device.book.network.certify(
        device.book.network.machine("belgrade-ffp", ("field",)),
        by=device.book.network.admin("belgrade-ffp").sign,
    )
    index = len(device.book.leaves) - 1
    sql = "UPDATE authority SET kind = ?, envelope = ? WHERE idx = ?"
    device.vault.run(sql, "device", other, index)
    judged = device.vault.get("judged")
    assert judged is not None
    for mark in (judged, b"0.0.1"):  # also where all of it is judged again
        device.vault.put("judged", mark)
        with pytest.raises(UntrustedError) as caught:
            Trust(device.vault, device.book.network.net, device.evidence)
        assert caught.value.rule == "fork"
        assert device.vault.get("judged") == mark
    device.vault.run(sql, leaf.kind, leaf.envelope, index)
    Trust(device.vault, device.book.network.net, device.evidence)


async def test_another_network_is_not_ours(device: Device) -> None:
    other = LogBook("tirana-border")
    with pytest.raises(UntrustedError) as caught:
        device.trust.learn_root(other.authority_page())

    assert caught.value.rule == "net"
    assert device.trust.directory.size == 0


async def test_a_leaf_that_breaks_a_rule_has_no_effect_and_is_named(device: Device) -> None:
    # Attack 1: a device that no admin certified stands in the log and means nothing.
    network = device.book.network
    ghost = network.machine("belgrade-ffp", ("keyholder",))
    envelope = network.certify(ghost, by=ghost.sign)
    device.book.authority.append(envelope)
    device.book.leaves.append(AuthorityItem("device", envelope, ()))
    alarms = await device.sync_authority()

    assert len(alarms) == 1
    assert "has no effect" in alarms[0]
    with pytest.raises(UntrustedError, match="no signed record"):
        device.trust.directory.device(ghost.device)
    again = Trust(device.vault, network.net, device.evidence)
    assert again.directory.head() == device.trust.directory.head()


async def test_other_leaves_than_were_signed_are_a_fork(device: Device) -> None:
    page = device.book.authority_page()
    device.trust.learn_root(page)
    signed = await device.trust.accept("authority", page.checkpoint, (), device.prove)
    device.trust.take_authority(replace(page, items=(*page.items[:-1], page.items[-2])))

    with pytest.raises(UntrustedError) as caught:
        device.trust.check_replayed(signed.checkpoint)
    assert caught.value.rule == "fork"


async def test_fault_21_a_key_that_is_swapped_in_an_answer_disagrees_with_the_log(
    device: Device,
) -> None:
    network, page = device.book.network, device.book.authority_page()
    device.trust.learn_root(page)
    signed = await device.trust.accept("authority", page.checkpoint, (), device.prove)
    place = max(n for n, item in enumerate(page.items) if item.kind == "device")
    true = open_envelope(page.items[place].envelope, "device").statement
    assert isinstance(true, DeviceStatement)
    # Its own node vouches for it: without the log nobody could tell the two apart.
    other = network.machine(true.node, true.roles, true.officer)
    other.device = true.device
    swapped = network.certify(other, by=network.admin(true.node).sign)
    items = list(page.items)
    items[place] = replace(items[place], envelope=swapped)

    with pytest.raises(UntrustedError) as caught:
        device.trust.take_page(replace(page, items=tuple(items)), signed.checkpoint)
    assert caught.value.rule == "fork"
    assert device.trust.directory.size == 0
    device.trust.take_page(page, signed.checkpoint)
    assert device.trust.directory.device(true.device).kem == true.kem


# --- heads -----------------------------------------------------------------------------


async def test_a_head_grows_and_the_highest_is_kept(device: Device) -> None:
    await device.sync_authority()
    case, _ = open_case(device)
    assert await device.accept() == 2
    write(device, case)
    assert await device.accept() == 3

    assert device.trust.head("activity").size == 3
    assert not device.evidence.exists()


async def test_a_late_head_of_the_same_log_is_no_lie(device: Device) -> None:
    await device.sync_authority()
    case, _ = open_case(device)
    write(device, case)
    await device.accept()

    assert await device.accept(2) == 2
    assert device.trust.head("activity").size == 3
    assert not device.evidence.exists()


async def test_fault_14_an_old_checkpoint_shown_again_moves_nothing(device: Device) -> None:
    """Neither back nor on: the time that counts is that of the newest head, not of the answer."""
    await device.sync_authority()
    case, _ = open_case(device)
    old = device.book.activity.note(device.book.at)
    await device.trust.accept("activity", old, (), device.prove)
    write(device, case)
    device.book.network.at += 3600
    await device.accept()
    kept = device.vault.head("activity")
    for _ in range(2):
        signed = await device.trust.accept("activity", old, (), device.prove)
        assert signed.checkpoint.size == 2
        assert device.vault.head("activity") == kept
    assert not device.evidence.exists()


async def test_an_answer_that_was_overtaken_is_no_lie(device: Device) -> None:
    # We asked from size 0, a push took us to 3, and the answer still proves 0 to 3, or
    # 2 to 4 after the next entry.
    await device.sync_authority()
    case, _ = open_case(device)
    await device.accept()
    log, at = device.book.activity, device.book.at
    write(device, case)
    from_two = log.consistency(2)
    await device.accept()
    await device.trust.accept("activity", log.note(at), from_two, device.prove)
    write(device, case)
    await device.trust.accept("activity", log.note(at), log.consistency(2), device.prove)

    assert device.trust.head("activity").size == 4
    assert not device.evidence.exists()


async def test_a_log_that_was_rewound_is_named_and_kept_as_evidence(device: Device) -> None:
    # Attack 10. After a restart too: the highest head is in the vault.
    await device.sync_authority()
    case, _ = open_case(device)
    write(device, case)
    await device.accept()
    signed_before = device.book.activity.note(device.book.at)
    del device.book.activity.leaves[2:]
    device.trust = Trust(device.vault, device.book.network.net, device.evidence)

    with pytest.raises(UntrustedError, match="now shows 2 entries, and it had signed 3") as caught:
        await device.accept()
    assert caught.value.rule == "rewind"
    (kept,) = [json.loads(path.read_text()) for path in device.evidence.iterdir()]
    assert kept["heads"][0].splitlines()[:3] == signed_before.splitlines()[:3]
    assert kept["heads"][1].splitlines()[1] == "2"
    assert device.trust.head("activity").size == 3


async def test_other_entries_under_the_same_size_are_a_fork(device: Device) -> None:
    await device.sync_authority()
    open_case(device)
    await device.accept()
    device.book.activity.leaves[1] = bytes(32)

    with pytest.raises(UntrustedError) as caught:
        await device.accept()
    assert caught.value.rule == "fork"
    assert len(list(device.evidence.iterdir())) == 1


async def test_an_entry_changed_under_a_longer_log_is_found(device: Device) -> None:
    await device.sync_authority()
    case, _ = open_case(device)
    await device.accept()
    device.book.activity.leaves[0] = bytes(32)
    write(device, case)

    with pytest.raises(UntrustedError) as caught:
        await device.accept()
    assert caught.value.rule == "consistency"
    assert device.trust.head("activity").size == 2


async def test_the_head_of_one_log_is_not_taken_for_the_other(device: Device) -> None:
    await device.sync_authority()
    note = device.book.authority.note(device.book.at)
    with pytest.raises(UntrustedError) as caught:
        await device.trust.accept("activity", note, (), device.prove)

    assert caught.value.rule == "origin"


async def test_a_line_that_breaks_while_we_ask_is_no_rewind(device: Device) -> None:
    # A bad connection must not accuse the broker: the alarm could never be taken back.
    await device.sync_authority()
    case, _ = open_case(device)
    write(device, case)
    await device.accept()

    async def broken(log: str, old: int, new: int) -> tuple[bytes, ...]:
        raise SeefenError("the broker does not answer", rule="broker")

    note = device.book.activity.note(device.book.at, 2)
    with pytest.raises(SeefenError) as caught:
        await device.trust.accept("activity", note, (), broken)
    assert not isinstance(caught.value, UntrustedError)
    assert not device.evidence.exists()
