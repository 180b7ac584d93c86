"""Notes: the lines of witnesses, byte by byte, and the lattice key of one."""

import base64
from typing import Any

import pytest

from seefen.protocol.errors import MalformedError, UntrustedError
from seefen.protocol.ledger.note import (
    COSIGNATURE,
    LATTICE,
    VerifierKey,
    check_line,
    cosign,
    decode_checkpoint,
    head_message,
    parse_note,
)
from seefen.protocol.ledger.quorum import open_witnessed, quorum_of
from seefen.protocol.ledger.tree import EMPTY_ROOT
from seefen.protocol.suite import WitnessKey, verify_lattice, verify_plain
from tests.protocol.builder import refused
from tests.support.specs import spec
from tests.support.vectors import own
from tests.support.witnesses import AT, LOG_KEY, Leaves, lines_of, quorum, witness_key

TREE = Leaves.of(9)
KEYS = [witness_key(0)]
TEXT = TREE.head(7).text()
NOTE = TREE.note(7)
VECTORS: list[Any] = own("ledger/cosignature.json")


def by_hand(name: str, time: int, origin: str, size: int, root: bytes) -> bytes:
    """Return the ML-DSA-44 message as the C2SP page lays it out, field by field."""
    message = bytearray(b"subtree/v1\n\x00")
    message += bytes([len(name)]) + name.encode("ascii")
    message += time.to_bytes(8, "big")
    message += bytes([len(origin)]) + origin.encode("ascii")
    message += (0).to_bytes(8, "big") + size.to_bytes(8, "big") + root
    return bytes(message)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["why"]))
def test_the_vectors_of_cosignatures(vector: Any) -> None:
    public, secret = bytes.fromhex(vector["public"]), bytes.fromhex(vector["secret"])
    key, origin = WitnessKey.from_secret(secret), vector["origin"]
    assert public in (key.public, key.public[:32])
    found = open_witnessed(
        vector["note"], f"{origin}/activity", LOG_KEY.public, quorum_of(origin, (public,), 1)
    )
    assert found.by == ((vector["name"], vector["time"]),)
    note = parse_note(vector["note"])
    assert bytes.fromhex(vector["message_04"]) == (
        b"cosignature/v1\ntime 1767225600\n" + note.text.encode()
    )
    ed25519 = note.lines[1].signature
    assert key.plain.sign(bytes.fromhex(vector["message_04"])) == ed25519[8:]
    assert [len(line.signature) for line in note.lines[1:]] == [72, 8 + 2420][: len(note.lines) - 1]
    if vector["message_06"]:
        head = decode_checkpoint(note.text)
        message = by_hand(vector["name"], vector["time"], head.origin, head.size, head.root)
        assert bytes.fromhex(vector["message_06"]) == message
        assert vector["message_06"] in spec("ledger.md")


@pytest.mark.parametrize("lattice", [False, True])
def test_a_witness_signs_name_time_and_head(lattice: bool) -> None:
    name, key, head = "witness.example/w1", KEYS[0], TREE.head(7)
    note = parse_note(NOTE + cosign(TEXT, name, key, AT, lattice=lattice))
    plain, *rest = note.lines[1:]
    stamp = AT.to_bytes(8, "big")
    assert plain.signature[:8] == stamp
    verify_plain(
        key.plain.public, f"cosignature/v1\ntime {AT}\n{TEXT}".encode(), plain.signature[8:]
    )
    assert check_line(note, VerifierKey(name, COSIGNATURE, key.public[:32])) == AT
    assert len(rest) == lattice
    for line in rest:
        assert line.signature[:8] == stamp
        message = by_hand(name, AT, head.origin, 7, head.root)
        verify_lattice(key.public[32:], message, line.signature[8:])
        assert check_line(note, VerifierKey(name, LATTICE, key.public[32:])) == AT


def test_a_key_of_type_06_is_written_as_c2sp_says() -> None:
    key = VerifierKey("witness.example/w1", LATTICE, KEYS[0].public[32:])
    assert VerifierKey.decode(key.encode()) == key
    assert base64.b64decode(key.encode().split("+", 2)[2])[:1] == b"\x06"
    with pytest.raises(ValueError, match=r"1312 bytes"):
        VerifierKey("witness.example/w1", LATTICE, KEYS[0].plain.public)
    with pytest.raises(ValueError, match=r"255 bytes"):
        VerifierKey("w" * 256, LATTICE, KEYS[0].public[32:])
    assert VerifierKey("w" * 255, LATTICE, KEYS[0].public[32:]).name == "w" * 255
    assert VerifierKey("w" * 256, COSIGNATURE, KEYS[0].plain.public).name == "w" * 256


def test_a_line_of_type_06_for_another_head_name_or_time_is_refused() -> None:
    key = quorum(KEYS, 1, lattice=True).witnesses[0].keys[1]
    good = parse_note(NOTE + lines_of(KEYS[0], TEXT, lattice=True))
    assert check_line(good, key) == AT
    line = lines_of(KEYS[0], TEXT, lattice=True).splitlines()[1]
    raw = bytearray(base64.b64decode(line.rpartition(" ")[2]))
    raw[4 + 7] ^= 1
    later = f"— {key.name} {base64.b64encode(raw).decode()}\n"
    for note in (NOTE + later, TREE.note(8) + line + "\n"):
        with pytest.raises(UntrustedError):
            check_line(parse_note(note), key)


def test_a_checkpoint_of_an_endless_origin_is_not_signed_with_type_06() -> None:
    text = f"{'o' * 256}\n0\n{TREE.head(0).text().splitlines()[2]}\n"
    with refused("checkpoint", MalformedError):
        lines_of(KEYS[0], text, lattice=True, name="w")
    assert lines_of(KEYS[0], text, lattice=False, name="w")
    for name, origin, rule in (("w" * 256, "o", "checkpoint"), ("w" * 255, "o" * 255, "")):
        text = f"{origin}\n0\n{TREE.head(0).text().splitlines()[2]}\n"
        if rule:
            with refused(rule, MalformedError):
                head_message(name, text, AT)
        else:
            message = by_hand(name, AT, origin, 0, EMPTY_ROOT)
            assert head_message(name, text, AT) == message
