"""What a second thread verifies ahead decides nothing: each page is judged as without it."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from seefen.client import ahead
from seefen.client.alarms import kept
from seefen.client.engine import Engine
from seefen.client.keyfile import DeviceKeys
from seefen.client.once import opened
from seefen.client.paging import Place
from seefen.client.trust import Trust
from seefen.client.vault import Vault
from seefen.protocol.bundle import Signed
from seefen.protocol.encoding import decode, encode
from seefen.protocol.envelope import Envelope, open_envelope
from seefen.protocol.frames import AuthorityItem, Page
from seefen.protocol.messages import Note, encode_cover
from seefen.protocol.suite import SigningKey, _signing, random_bytes
from tests.client.logbook import LogBook, Recorded
from tests.client.shown import Device, founded, open_case
from tests.support import casework

COUNT = 3 * ahead.BATCH  # messages: more than are handed to the thread before the first is judged
COVER = encode_cover(Note(message_id=bytes(16), text="a note").cover())
PLACES = (2, 2 + ahead.BATCH // 2, COUNT - 1)


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    with founded(tmp_path) as device:
        yield device


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[bytes]]:
    """Return the signed messages that were verified by each thread."""
    library: Any = _signing
    real: Callable[[bytes, bytes], bytes] = library.crypto_sign_open
    seen: dict[str, list[bytes]] = {}

    def told(signed: bytes, public: bytes) -> bytes:
        seen.setdefault(threading.current_thread().name, []).append(signed)
        return real(signed, public)

    monkeypatch.setattr(_signing, "crypto_sign_open", told)
    return seen


def honest(book: LogBook, case: bytes, by: str) -> Recorded:
    """Let a device write a message."""
    machine = book.network.of(by, "field")
    return book.take(casework.message(book.network, machine, case, cover=COVER))[0]


def forged(book: LogBook, case: bytes, by: str) -> Recorded:
    """Let a broker record a message whose signature is of another message."""
    network = book.network
    machine = network.of(by, "field")
    bundle = casework.message(network, machine, case, cover=COVER)
    casework.count(network, machine, bundle)
    (signed,) = bundle.statements
    envelope = decode(signed.envelope, Envelope)
    (signature,) = envelope.signatures
    other = machine.sign.sign(b"another message", power=False)
    spoiled = encode(replace(envelope, signatures=(replace(signature, value=other),)))
    read = open_envelope(spoiled, "object")
    statement: Any = read.statement
    like = book.entries[-1].core
    core = replace(
        like,
        node=machine.node,
        device=machine.device.hex(),
        case_n=statement.case_n,
        device_n=statement.device_n,
        object=statement.object.hex(),
        req=read.hash.hex(),
        n=book.next_number(case),
    )
    return book.write(Signed("object", spoiled, signed.tag), core)


async def taken_in(device: Device, folder: Path, entries: list[Recorded]) -> tuple[Any, ...]:
    """Return what a device of the other node makes of one page with these entries."""
    folder.mkdir()
    book = device.book
    vault = Vault.open(folder / "vault.db", bytes(32))
    trust = Trust(vault, book.network.net, folder / "evidence")
    machine = book.network.of("belgrade-ffp")
    keys = DeviceKeys(machine.device, machine.sign, machine.auth, machine.kem, random_bytes(32))
    await Device(book, vault, trust, folder / "evidence").sync_authority()
    nobody: Any = None  # what is shown is here already
    engine = Engine(folder, keys, vault, trust, nobody)
    items = tuple(book.item(recorded) for recorded in entries)
    checkpoint = book.activity.checkpoint()
    page = Page(items, (), checkpoint.size, "", ())
    taken, wrong = engine._take_page(page, checkpoint, Place(page.upto))
    tables = [
        vault.run(f"SELECT * FROM {table} ORDER BY 1, 2") for table in ("entry", "object", "number")
    ]
    tables.append(vault.run("SELECT * FROM setting WHERE name <> 'alarms' ORDER BY 1, 2"))
    told = [one.sentence for one in kept(vault)]  # without the time
    state = trust.require_state(book.network.cases.copy().popitem()[0])
    vault.close()
    return [one.index for one in taken], wrong, engine.alarms, tables, told, state


def page_of(device: Device, bad: tuple[int, ...]) -> list[Recorded]:
    case, entries = open_case(device)
    for n in range(COUNT):
        by = ("skopje-border", "belgrade-ffp")[n % 2]
        entries.append(forged(device.book, case, by) if n in bad else honest(device.book, case, by))
    return entries


async def test_a_page_is_verified_by_the_second_thread(
    device: Device, tmp_path: Path, verified: dict[str, list[bytes]]
) -> None:
    entries = page_of(device, ())
    verified.clear()
    opened.cache_clear()
    taken, wrong, alarms, *_ = await taken_in(device, tmp_path / "there", entries)

    assert (taken, wrong, alarms) == ([one.index for one in entries], None, [])
    # Nothing is opened twice for it.
    assert opened.cache_info().misses <= len(entries) + len(device.book.leaves)
    assert verified["verify"]
    assert not _signing._holds


@pytest.mark.parametrize("place", PLACES)
async def test_a_bad_signature_is_refused_whatever_was_verified_ahead(
    device: Device,
    tmp_path: Path,
    verified: dict[str, list[bytes]],
    monkeypatch: pytest.MonkeyPatch,
    place: int,
) -> None:
    entries = page_of(device, (place,))
    bad = entries[place + len(entries) - COUNT]
    verified.clear()
    with_it = await taken_in(device, tmp_path / "with", entries)
    assert "verify" in verified
    monkeypatch.setattr(ahead, "LEAST", len(entries) + 1)
    verified.clear()
    without = await taken_in(device, tmp_path / "without", entries)
    assert "verify" not in verified

    assert with_it == without
    taken, _, alarms, _, told, _ = with_it
    assert taken == [one.index for one in entries if one is not bad]
    assert [alarm for alarm in alarms if f"entry {bad.index} was refused" in alarm] == [
        f"entry {bad.index} was refused: the signature is not of this key and these bytes"
        " [signature]"
    ]
    assert told == alarms


# --- leaves of the authority log ---------------------------------------------------------

HALVES = {"the first half": slice(0, 64), "the second half": slice(64, None)}


def leaves(device: Device, bad: int | None = None, half: slice = HALVES["the first half"]) -> None:
    """Let a broker show certificates; in one a half of the admin's signature is of another."""
    book = device.book
    network, admin = book.network, book.network.admin("belgrade-ffp").sign
    for n in range(COUNT):
        machine = network.machine("belgrade-ffp", ("field",))
        envelope = network.certify(machine, by=admin)
        if n == bad:
            envelope = spoiled(envelope, admin, half)
            network.directory.skip(envelope)
        else:
            network.directory.apply("device", envelope)
        book.authority.append(envelope)
        book.leaves.append(AuthorityItem("device", envelope, ()))


def spoiled(envelope: bytes, by: SigningKey, half: slice) -> bytes:
    read = decode(envelope, Envelope)
    other = by.sign(b"another message", power=True)
    signatures = list(read.signatures)
    for n, signature in enumerate(signatures):
        if signature.key_id == by.key_id:
            value = bytearray(signature.value)
            value[half] = other[half]
            signatures[n] = replace(signature, value=bytes(value))
    return encode(replace(read, signatures=tuple(signatures)))


async def replayed(device: Device, folder: Path) -> tuple[Any, ...]:
    """Return what a device that knows nothing makes of the whole log in one page."""
    folder.mkdir()
    vault = Vault.open(folder / "vault.db", bytes(32))
    trust = Trust(vault, device.book.network.net, folder / "evidence")
    alarms = await Device(device.book, vault, trust, folder / "evidence").sync_authority()
    rows = vault.run("SELECT * FROM authority ORDER BY idx")
    devices = [one.device for one in trust.directory.devices("belgrade-ffp")]
    vault.close()
    return alarms, rows, devices, trust.directory.head()


async def test_leaves_are_verified_on_both_cores_and_none_twice(
    device: Device, tmp_path: Path, verified: dict[str, list[bytes]]
) -> None:
    leaves(device)
    verified.clear()
    alarms, _, devices, head = await replayed(device, tmp_path / "there")
    assert (alarms, head) == ([], device.book.network.directory.head())
    assert len(devices) == COUNT + 1
    assert verified["verify"]
    signatures = sum(
        len(open_envelope(leaf.envelope, leaf.kind).signatures) for leaf in device.book.leaves
    )
    done = sum(map(len, verified.values()))
    # The root is learned once by itself; a batch may end while its last is still verified.
    assert signatures <= done <= signatures + 1 + len(device.book.leaves) // ahead.BATCH + 1
    assert not _signing._holds


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("place", PLACES)
async def test_a_leaf_with_a_wrong_signature_has_no_effect_whatever_was_verified_ahead(
    device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int, half: str
) -> None:
    before = len(device.book.leaves)
    leaves(device, place, HALVES[half])
    with_it = await replayed(device, tmp_path / "with")
    monkeypatch.setattr(ahead, "LEAST", len(device.book.leaves) + 1)
    without = await replayed(device, tmp_path / "without")

    assert with_it == without
    alarms, rows, devices, head = with_it
    broken = [(index, why) for index, _, _, why in rows if why is not None]
    why = "the signature is not of this key and these bytes"
    assert broken == [(before + place, f"signature: {why}")]
    assert alarms == [f"signed record {before + place} has no effect: {why}"]
    assert len(devices) == COUNT  # and the one of the beginning
    assert head == device.book.network.directory.head()
