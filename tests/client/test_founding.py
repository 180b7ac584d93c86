"""Founding: root keys in files of their own, and a root statement that broker and nodes take."""

import json
from pathlib import Path

import pytest

from seefen.client.founding import Founded, found, make_witness
from seefen.client.keyfile import read_key_file, read_root_key
from seefen.client.witnessing import Witness
from seefen.protocol.directory import Directory
from seefen.protocol.errors import RefusedError
from seefen.protocol.suite import PlainKey

PASSPHRASE = "copper lantern violet nine orchard"
CHEAP = 8192  # KiB
LOG = PlainKey.generate()
CARD = {
    "name": "seefen-test",
    "origin": "seefen-test",
    "address": "127.0.0.1:8443",
    "log_key": LOG.public.hex(),
    "ca": "-----BEGIN CERTIFICATE-----\n",
    "pin": "ab" * 32,
}


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "broker.json"
    path.write_text(json.dumps(CARD))
    return path


def make(card: Path, keys: int = 3, threshold: int = 2) -> Founded:
    return found(
        card, card.parent / "root-keys", PASSPHRASE,
        keys=keys, threshold=threshold, memory_kib=CHEAP,
    )  # fmt: skip


def test_the_root_statement_founds_its_network(card: Path) -> None:
    founded = make(card)
    directory = Directory(bytes.fromhex(founded.net))
    directory.apply("root", founded.statement.read_bytes())
    root = directory.root

    assert (root.name, root.origin) == ("seefen-test", "seefen-test")
    assert (len(root.keys), root.threshold, root.quorum) == (3, 2, 0)
    assert root.log_key == LOG.public
    assert root.tls_pins == (bytes.fromhex(CARD["pin"]),)


def test_each_key_is_in_a_file_of_its_own(card: Path) -> None:
    founded = make(card)
    directory = Directory(bytes.fromhex(founded.net))
    directory.apply("root", founded.statement.read_bytes())
    read = [read_root_key(path, PASSPHRASE).public for path in founded.keys]

    assert tuple(read) == directory.root.keys
    assert [path.name for path in founded.keys] == ["root-1.key", "root-2.key", "root-3.key"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in founded.keys)


def test_a_root_key_opens_with_its_passphrase_only(card: Path) -> None:
    path = make(card, 1, 1).keys[0]
    with pytest.raises(RefusedError) as caught:
        read_root_key(path, "another")

    assert caught.value.rule == "passphrase"


def test_a_root_key_is_not_the_key_of_a_device(card: Path) -> None:
    path = make(card, 1, 1).keys[0]
    with pytest.raises(RefusedError, match="not the key file of a device"):
        read_key_file(path, PASSPHRASE)


@pytest.mark.parametrize(("keys", "threshold"), [(3, 0), (3, 4), (0, 0), (17, 2)])
def test_a_threshold_nobody_can_reach_is_refused(card: Path, keys: int, threshold: int) -> None:
    with pytest.raises(RefusedError) as caught:
        make(card, keys, threshold)

    assert caught.value.rule == "threshold"
    assert not (card.parent / "root-keys").exists()


def test_keys_that_are_there_are_never_overwritten(card: Path) -> None:
    first = make(card, 1, 1)
    kept = first.keys[0].read_bytes()
    with pytest.raises(RefusedError) as caught:
        make(card, 1, 1)

    assert caught.value.rule == "folder"
    assert first.keys[0].read_bytes() == kept


@pytest.mark.parametrize("text", ["", "{}", "[1]", json.dumps({**CARD, "log_key": "00"}), "\xff"])
def test_a_file_that_is_no_card_is_refused(card: Path, text: str) -> None:
    card.write_text(text, encoding="latin-1")
    with pytest.raises(RefusedError) as caught:
        make(card)

    assert caught.value.rule == "broker-card"
    assert not (card.parent / "root-keys").exists()


def test_no_card_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="cannot be read"):
        make(tmp_path / "broker.json")


def witnesses(folder: Path, count: int) -> list[Path]:
    return [make_witness(folder / f"witness-{number}") for number in range(count)]


@pytest.mark.parametrize(("count", "quorum"), [(1, 1), (2, 2), (3, 2), (5, 3)])
def test_more_than_half_of_the_witnesses_must_see_the_log(
    card: Path, count: int, quorum: int
) -> None:
    cards = witnesses(card.parent, count)
    made = found(card, card.parent / "root", PASSPHRASE, witnesses=cards, memory_kib=CHEAP)
    directory = Directory(bytes.fromhex(made.net))
    directory.apply("root", made.statement.read_bytes())
    root = directory.root
    assert (root.quorum, made.quorum, made.witnesses) == (quorum, quorum, count)
    for path, public in zip(cards, root.witnesses, strict=True):
        witness = Witness.open(path.parent, root)
        assert witness.public == public
        witness.close()


@pytest.mark.parametrize("text", ["", "{}", '{"witness": "00"}', '{"witness": 1}'])
def test_what_is_no_card_of_a_witness_is_refused(card: Path, text: str) -> None:
    path = card.parent / "witness.json"
    path.write_text(text)
    with pytest.raises(RefusedError) as caught:
        found(card, card.parent / "root", PASSPHRASE, witnesses=[path], memory_kib=CHEAP)
    assert caught.value.rule == "witness-card"
    assert not (card.parent / "root").exists()


def test_a_witness_is_named_once_and_the_quorum_can_be_met(card: Path) -> None:
    (one,) = witnesses(card.parent, 1)
    for named, quorum in (([one, one], 1), ([one], 2), ([], 1)):
        with pytest.raises(RefusedError) as caught:
            found(
                card, card.parent / "root", PASSPHRASE,
                witnesses=named, quorum=quorum, memory_kib=CHEAP,
            )  # fmt: skip
        assert caught.value.rule == "witnesses"
