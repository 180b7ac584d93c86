"""What is computed from hashes, and refusing to start; the rest is in test_suite_*.py."""

import subprocess
import sys
from typing import Any

import pytest

from seefen.protocol.errors import MalformedError
from seefen.protocol.suite import (
    certificate_pin,
    commit,
    derive,
    key_commitment,
    new_id,
    ordered_id,
    passphrase_key,
    random_bytes,
    tag,
)
from tests.support.specs import spec
from tests.support.vectors import own

HASHING = own("suite/hashing.json")


def _hex(value: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(value[name])


def test_the_values_of_the_vector() -> None:
    case = HASHING["derive"]
    context = [bytes.fromhex(item) for item in case["context"]]
    assert derive(_hex(case, "secret"), case["label"], *context).hex() == case["derived"]
    assert case["derived"] in spec("suite.md")
    case = HASHING["key_commitment"]
    made = key_commitment(_hex(case, "key"), _hex(case, "net"), _hex(case, "scope"), case["gen"])
    assert made.hex() == case["commitment"]
    case = HASHING["commit"]
    assert commit(_hex(case, "salt"), _hex(case, "message")).hex() == case["commitment"]
    case = HASHING["tag"]
    subject = (case["kind"], _hex(case, "case"), _hex(case, "device"), case["n"])
    assert tag(_hex(case, "key"), *subject).hex() == case["tag"]
    case = HASHING["passphrase"]
    costs = {name: case[name] for name in ("memory_kib", "passes", "lanes")}
    for typed in (case["passphrase"], case["other_spelling"]):
        assert passphrase_key(typed, _hex(case, "salt"), **costs).hex() == case["key"]


def test_each_input_changes_what_is_derived() -> None:
    made = {
        derive(b"s" * 32, "cover"),
        derive(b"t" * 32, "cover"),
        derive(b"s" * 32, "body"),
        derive(b"s" * 32, "cover", b""),
        derive(b"s" * 32, "cover", b"ab"),
        derive(b"s" * 32, "cover", b"a", b"b"),
        key_commitment(b"s" * 32, bytes(32), b"case", 1),
        key_commitment(b"s" * 32, bytes(32), b"case", 2),
        key_commitment(b"s" * 32, b"n" * 32, b"case", 1),
        commit(bytes(32), b"a"),
        commit(b"s" * 32, b"a"),
        commit(bytes(32), b""),
    }
    assert len(made) == 12
    tags = {
        tag(b"k" * 32, kind, case, device, n)
        for kind in ("case", "object")
        for case in (b"c", b"")
        for device in (b"", b"d")
        for n in (1, 2)
    }
    assert len(tags) == 16


def test_short_salts_are_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="32"):
        commit(bytes(31), b"")
    with pytest.raises(ValueError, match="16"):
        passphrase_key("word", bytes(15))
    assert len(passphrase_key("word", bytes(16), memory_kib=32, passes=1)) == 32


def test_ids() -> None:
    assert len({new_id() for _ in range(100)}) == 100
    assert {len(new_id()), len(random_bytes(16))} == {16}
    ids = [ordered_id(at) for at in (0, 1, 1_780_000_000_000, 2**48 - 1)]
    assert ids == sorted(ids)
    for made in ids:
        assert (made[6] >> 4, made[8] >> 6, len(made)) == (7, 2, 16)


@pytest.mark.parametrize("at", [0, 1_780_000_000_000, 2**48 - 1])
def test_an_ordered_id_is_a_time_and_74_drawn_bits(at: int) -> None:
    made = [ordered_id(at) for _ in range(500)]
    numbers = [int.from_bytes(one, "big") for one in made]
    assert {one[:6] for one in made} == {at.to_bytes(6, "big")}
    assert {(one[6] >> 4, one[8] >> 6) for one in made} == {(7, 2)}
    # Half of the ids have each bit; that not one in 500 has it does not happen.
    seen = {bit for bit in range(80) if 0 < sum(n >> bit & 1 for n in numbers) < len(numbers)}
    assert seen == set(range(80)) - {62, 63, 76, 77, 78, 79}


def test_a_certificate_is_pinned_by_its_key() -> None:
    vector = own("suite/certificate.json")
    assert certificate_pin(_hex(vector, "der")).hex() == vector["pin"]
    assert certificate_pin(_hex(vector, "renewed")).hex() == vector["pin"]
    for der in (b"", b"\x30", _hex(vector, "der")[:-1], bytes(200)):
        with pytest.raises(MalformedError):
            certificate_pin(der)


@pytest.mark.parametrize("missing", ["mlkem_supported", "mldsa_supported"])
def test_without_post_quantum_keys_it_does_not_load(missing: str) -> None:
    program = (
        "from cryptography.hazmat.backends.openssl.backend import backend\n"
        f"backend.{missing} = lambda: False\n"
        "import seefen.protocol.suite\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode != 0
    assert "SeefenError: this Python's cryptography package lacks ML-KEM, ML-DSA" in ran.stderr
