"""Trust: entries build the state of a case, and each false one is refused by its name."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from seefen.client.trust import Trust
from seefen.protocol.bundle import Bundle, Signed
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import OutOfTurnError, SeefenError, UntrustedError
from seefen.protocol.frames import Item, Stub
from seefen.protocol.ledger.record import Core
from seefen.protocol.statements import Object, Search
from seefen.protocol.suite import sha256
from tests.client.logbook import Recorded
from tests.client.shown import Device, founded, open_case, write
from tests.support import casework


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    with founded(tmp_path) as device:
        yield device


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


async def test_fault_06_an_entry_that_is_not_in_the_log_is_refused(device: Device) -> None:
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


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("", ""),
        ("node", "belgrade-ffp"),
        ("device", "ab" * 16),
        ("device_n", 99),
        ("purpose", "vetting"),
        ("basis", "consent"),
        ("emergency", 1),
        ("case", "ab" * 16),
        ("case_n", 1),
        ("object", "ab" * 16),
        ("n", 1),
    ],
)
async def test_attack_33_the_broker_writes_something_else_about_a_search(
    device: Device, field: str, value: object
) -> None:
    await device.sync_authority()
    network = device.book.network
    by = network.of("skopje-border")
    signed = casework.search(network, by).statements[0]
    search = open_envelope(signed.envelope, "search").statement
    assert isinstance(search, Search)
    core = Core(
        act="search", at=network.at * 1000, op="consult", node=by.node, device=by.device.hex(),
        officer=by.officer, case="", case_n=0, device_n=search.device_n, object="", n=0, to=(),
        purpose=search.purpose, basis=search.basis, emergency=0, req=sha256(signed.envelope).hex(),
        under=(), outcome="ok",
    )  # fmt: skip
    lie = replace(core, **{field: value}) if field else core
    item = device.book.item(device.book.write(signed, lie))
    under = device.book.activity.checkpoint()
    if not field:
        assert device.trust.take_entry("search", item.entry, item.envelope, under).core == core
        # It is for auditors: in a feed it has no place, whosever it is.
        assert _refused(device, item) == "unknown-kind"
        return
    with pytest.raises(UntrustedError) as caught:
        device.trust.take_entry("search", item.entry, item.envelope, under)
    assert caught.value.rule == "other-statement"


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
