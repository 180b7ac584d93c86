"""Keys of witnesses: which halves a secret gives, and what their lattice signature is of."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from seefen.protocol.errors import UntrustedError
from seefen.protocol.suite import PlainKey, WitnessKey, verify_lattice, verify_plain
from seefen.protocol.suite._cosigning import LATTICE_PUBLIC, LATTICE_SIGNATURE
from tests.protocol.builder import refused
from tests.support.vectors import own

PAIR: Any = own("ledger/cosignature.json")[-1]
SECRET = bytes(range(64))
KEY = WitnessKey.from_secret(SECRET)
LATTICE = KEY.public[32:]
MESSAGE = b"a head of a log"
SIGNATURE = KEY.sign_lattice(MESSAGE)


def test_a_witness_has_two_keys_of_two_secrets() -> None:
    assert KEY.secret == SECRET
    assert KEY.plain.public == KEY.public[:32] == PlainKey.from_secret(SECRET[:32]).public
    lattice = MLDSA44PrivateKey.from_seed_bytes(SECRET[32:]).public_key()
    assert lattice.public_bytes_raw() == LATTICE
    assert len(LATTICE) == LATTICE_PUBLIC
    assert WitnessKey.from_secret(bytes.fromhex(PAIR["secret"])).public.hex() == PAIR["public"]
    verify_plain(KEY.public[:32], MESSAGE, KEY.plain.sign(MESSAGE))


@pytest.mark.parametrize("length", [0, 32, 63, 65, 96])
def test_a_secret_of_another_length_is_none(length: int) -> None:
    with pytest.raises(ValueError, match="64 bytes"):
        WitnessKey.from_secret(bytes(length))


def test_each_key_that_is_drawn_is_another_one() -> None:
    one, other = WitnessKey.generate(), WitnessKey.generate()
    assert one.secret[:32] not in (other.secret[:32], one.secret[32:])
    assert one.secret[32:] != other.secret[32:]
    assert WitnessKey.from_secret(one.secret).public == one.public


def test_a_lattice_signature_is_of_one_key_and_these_bytes() -> None:
    assert len(SIGNATURE) == LATTICE_SIGNATURE
    verify_lattice(LATTICE, MESSAGE, SIGNATURE)
    other = WitnessKey.from_secret(SECRET[32:] + SECRET[:32])
    for public, message, signature in (
        (other.public[32:], MESSAGE, SIGNATURE),
        (LATTICE, MESSAGE + b"!", SIGNATURE),
        (LATTICE, MESSAGE, other.sign_lattice(MESSAGE)),
        (LATTICE, MESSAGE, SIGNATURE[:-1] + bytes([SIGNATURE[-1] ^ 1])),
        (LATTICE, MESSAGE, bytes(LATTICE_SIGNATURE)),
        (LATTICE, MESSAGE, SIGNATURE[:-1]),
        (LATTICE, MESSAGE, SIGNATURE + b"\0"),
        (LATTICE, MESSAGE, b""),
    ):
        with refused("signature", UntrustedError):
            verify_lattice(public, message, signature)


@pytest.mark.parametrize(
    "public", [b"", LATTICE[:-1], LATTICE + b"\0", KEY.public, KEY.public[:32]]
)
def test_a_lattice_key_of_another_length_vouches_for_nothing(public: bytes) -> None:
    with refused("unusable-key", UntrustedError):
        verify_lattice(public, MESSAGE, SIGNATURE)
