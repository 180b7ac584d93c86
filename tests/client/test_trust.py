"""Trust: what an honest broker shows is taken in, and each lie is refused by its name."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from seefen.client.trust import Trust
from seefen.client.vault import Vault
from seefen.protocol.bundle import Bundle, Signed
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import OutOfTurnError, SeefenError, UntrustedError
from seefen.protocol.frames import AuthorityItem, Item, Stub
from seefen.protocol.statements import Object
from tests.client.logbook import LogBook, Recorded
from tests.support import casework

NODES = ("skopje-border", "belgrade-ffp")


@dataclass
class Device:
    """What is under test, and the broker that it is shown."""

    book: LogBook
    vault: Vault
    trust: Trust
    evidence: Path

    async def prove(self, log: str, old: int, new: int) -> tuple[bytes, ...]:
        shown = self.book.authority if log == "authority" else self.book.activity
        if new > shown.size:
            raise OutOfTurnError("the log is not that long", rule="old-authority")
        return shown.consistency(old, new)

    async def sync_authority(self) -> list[str]:
        """Do what the engine does with one page."""
        seen = self.trust.head("authority").size
        page = self.book.authority_page(self.trust.directory.size, seen=seen)
        self.trust.learn_root(page)
        signed = await self.trust.accept("authority", page.checkpoint, page.consistency, self.prove)
        alarms = self.trust.take_authority(page)
        self.trust.check_replayed(signed.checkpoint)
        return alarms

    async def accept(self, size: int | None = None) -> int:
        """Show the device the activity log's head at a size."""
        seen = self.trust.head("activity").size
        log = self.book.activity
        proof = log.consistency(seen, size) if seen <= (size or log.size) else ()
        signed = await self.trust.accept(
            "activity", log.note(self.book.at, size), proof, self.prove
        )
        return signed.checkpoint.size

    def take(self, recorded: Recorded) -> None:
        """Show the device an entry."""
        self.trust.take_item(self.book.item(recorded), self.book.activity.checkpoint())


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    book = LogBook(*NODES)
    vault = Vault.open(tmp_path / "vault.db", bytes(32))
    evidence = tmp_path / "evidence"
    yield Device(book, vault, Trust(vault, book.network.net, evidence), evidence)
    vault.close()


def open_case(device: Device) -> tuple[bytes, list[Recorded]]:
    by = device.book.network.of("skopje-border", "lead")
    case, bundle = casework.open_case(device.book.network, by, "belgrade-ffp")
    return case, device.book.take(bundle)


def write(device: Device, case: bytes, node: str = "skopje-border") -> Recorded:
    by = device.book.network.of(node, "field")
    return device.book.take(casework.message(device.book.network, by, case))[0]


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
    assert kept["before"].splitlines()[:3] == signed_before.splitlines()[:3]
    assert kept["now"].splitlines()[1] == "2"
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


# --- entries ---------------------------------------------------------------------------


async def test_entries_build_the_state_of_a_case(device: Device) -> None:
    await device.sync_authority()
    case, entries = open_case(device)
    for recorded in (*entries, write(device, case), write(device, case, "belgrade-ffp")):
        device.take(recorded)

    assert device.trust.require_state(case) == device.book.network.cases[case]


async def test_the_state_is_the_same_after_a_restart(device: Device) -> None:
    await device.sync_authority()
    case, entries = open_case(device)
    by = device.book.network.of("skopje-border", "lead")
    entries.append(write(device, case))
    entries += device.book.take(casework.renew_key(device.book.network, by, case))
    entries += device.book.take(casework.assign(device.book.network, by, case, by))
    entries.append(write(device, case, "belgrade-ffp"))
    for recorded in entries:
        device.take(recorded)
    again = Trust(device.vault, device.book.network.net, device.evidence)

    assert again.require_state(case) == device.trust.require_state(case)


async def test_the_same_entry_twice_counts_once(device: Device) -> None:
    await device.sync_authority()
    case, entries = open_case(device)
    for recorded in (*entries, *entries):
        device.take(recorded)

    assert device.trust.require_state(case) == device.book.network.cases[case]


async def test_an_entry_that_is_not_in_the_log_is_refused(device: Device) -> None:
    # Attack 31: no proof, no entry.
    await device.sync_authority()
    case, entries = open_case(device)
    under = device.book.activity.checkpoint(1)

    with pytest.raises(UntrustedError) as caught:
        device.trust.take_item(device.book.item(entries[1]), under)
    assert caught.value.rule == "inclusion"
    assert device.trust.state(case) is None


async def test_another_core_than_the_one_committed_to_is_refused(device: Device) -> None:
    await device.sync_authority()
    _, entries = open_case(device)
    item = device.book.item(entries[0])
    core = item.entry.core.replace(b'"alter"', b'"disclose"')

    assert _refused(device, replace(item, entry=replace(item.entry, core=core))) == (
        "core-commitment"
    )


async def test_the_statement_of_another_entry_is_refused(device: Device) -> None:
    # Attack 17: header of one, content of the other.
    await device.sync_authority()
    case, entries = open_case(device)
    for recorded in entries:
        device.take(recorded)
    one, other = write(device, case), write(device, case)
    item = replace(device.book.item(one), envelope=other.signed.envelope)

    assert _refused(device, item) == "other-statement"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("node", "belgrade-ffp"),
        ("device", "ab" * 16),
        ("case", "ab" * 16),
        ("case_n", 99),
        ("device_n", 99),
        ("object", "ab" * 16),
    ],
)
async def test_a_core_that_says_something_else_than_its_statement_is_refused(
    device: Device, field: str, value: object
) -> None:
    # The broker writes the core. What auditors read must be what the officer signed.
    await device.sync_authority()
    case, entries = open_case(device)
    for recorded in entries:
        device.take(recorded)
    honest = write(device, case)
    lie = replace(honest.core, **{field: value})
    recorded = device.book.write(honest.signed, lie)

    assert _refused(device, device.book.item(recorded)) == "other-statement"


@pytest.mark.parametrize(
    ("field", "value"), [("purpose", "vetting"), ("basis", "consent"), ("emergency", 1)]
)
async def test_a_false_purpose_in_the_log_is_refused(
    device: Device, field: str, value: object
) -> None:
    # Attack 33, by the broker: the auditor must read the purpose that the officer signed.
    await device.sync_authority()
    case, entries = open_case(device)
    for recorded in entries:
        device.take(recorded)
    network = device.book.network
    ask = casework.access(network, network.of("skopje-border"), case, scope="case")
    honest = device.book.take(Bundle((Signed("access", ask.envelope, ask.tag),), (), ()))[0]
    lie = replace(honest.core, **{field: value})
    recorded = device.book.write(honest.signed, lie)

    assert _refused(device, device.book.item(recorded)) == "other-statement"
    device.take(honest)


async def test_a_forged_signature_has_no_effect(device: Device) -> None:
    await device.sync_authority()
    case, entries = open_case(device)
    for recorded in entries:
        device.take(recorded)
    before = device.trust.require_state(case)
    network = device.book.network
    thief, victim = network.of("belgrade-ffp"), network.of("skopje-border")
    honest, victim.sign = victim.sign, thief.sign
    bundle = casework.message(network, victim, case)
    victim.sign = honest
    with pytest.raises(UntrustedError):
        device.book.take(bundle)

    assert device.trust.require_state(case) == before


async def test_a_missing_number_shows(device: Device) -> None:
    # Attack 13: the middle one of three is withheld.
    await device.sync_authority()
    case, entries = open_case(device)
    written = [write(device, case) for _ in range(3)]
    for recorded in (*entries, written[0]):
        device.take(recorded)

    with pytest.raises(OutOfTurnError) as caught:
        device.take(written[2])
    assert caught.value.rule == "number"


async def test_a_stub_keeps_the_numbers_whole(device: Device) -> None:
    await device.sync_authority()
    case, entries = open_case(device)
    first, second = write(device, case), write(device, case)
    for recorded in entries:
        device.take(recorded)
    device.trust.take_stub(device.book.stub(first))
    statement = _object(device, second)

    assert device.trust.require_state(case).last(statement.device).case_n == statement.case_n - 1
    device.take(second)
    assert device.trust.require_state(case).object_count == 2


async def test_a_stub_cannot_hide_another_statement(device: Device) -> None:
    await device.sync_authority()
    case, entries = open_case(device)
    written = [write(device, case) for _ in range(2)]
    for recorded in entries:
        device.take(recorded)

    with pytest.raises(OutOfTurnError) as caught:
        device.trust.take_stub(device.book.stub(written[1]))
    assert caught.value.rule == "number"


async def test_a_stub_of_a_case_nobody_told_us_of_is_refused(device: Device) -> None:
    await device.sync_authority()
    with pytest.raises(UntrustedError) as caught:
        device.trust.take_stub(Stub(0, "object", b"x" * 16, b"d" * 16, 1))

    assert caught.value.rule == "unknown-case"


async def test_an_author_that_is_not_yet_in_our_directory_is_refused(device: Device) -> None:
    await device.sync_authority()
    device.book.take(device.book.network.admit("tirana-border"))
    by = device.book.network.of("tirana-border", "lead")
    _, bundle = casework.open_case(device.book.network, by, "skopje-border")

    with pytest.raises(SeefenError):
        device.take(device.book.take(bundle)[0])


def _refused(device: Device, item: Item) -> str:
    with pytest.raises(UntrustedError) as caught:
        device.trust.take_item(item, device.book.activity.checkpoint())
    assert not device.vault.has_entry(item.entry.index)
    return caught.value.rule


def _object(device: Device, recorded: Recorded) -> Object:
    statement = open_envelope(recorded.signed.envelope, "object").statement
    assert isinstance(statement, Object)
    return statement
