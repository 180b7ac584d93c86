"""Signatures against published vectors, keys of small order, and whoever changes a bit."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from seefen.protocol.errors import UntrustedError
from seefen.protocol.suite import (
    Claim,
    KemKey,
    PlainKey,
    SigningKey,
    _signing,
    check_plain,
    check_public,
    forget_verified,
    sha256,
    verify,
    verify_ahead,
    verify_plain,
)
from tests.support.specs import spec
from tests.support.vectors import official, own

SIGNING = own("suite/signing.json")
SMALL_ORDER = own("suite/small-order.json")["cases"]
KEY = SigningKey.from_secret(bytes.fromhex(SIGNING["secret"]))
MESSAGE = bytes.fromhex(SIGNING["message"])


def _hex(value: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(value[name])


def _why(case: dict[str, Any]) -> str:
    return str(case["why"])


def flips(data: bytes, every: int = 1) -> list[bytes]:
    """Return ``data`` with one bit changed, for each bit of every so many bytes."""
    return [
        data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
        for at in range(0, len(data), every)
        for bit in range(8)
    ]


def test_a_signing_key_is_this() -> None:
    assert KEY.public.hex() == SIGNING["public"]
    assert KEY.key_id.hex() == SIGNING["key_id"] == sha256(KEY.public).hex()
    assert KEY.sign(MESSAGE, power=False).hex() == SIGNING["signature"]
    assert SIGNING["key_id"] in spec("suite.md")
    assert SIGNING["signature"] in spec("suite.md")
    check_public(KEY.public)


def test_both_signatures_of_the_vector_verify() -> None:
    verify(KEY.public, MESSAGE, _hex(SIGNING, "signature"), power=False)
    verify(KEY.public, MESSAGE, _hex(SIGNING, "power_signature"), power=True)
    assert len(KEY.sign(MESSAGE, power=True)) == 3373


def test_new_keys_sign_for_themselves_alone() -> None:
    one, other = SigningKey.generate(), SigningKey.generate()
    again = SigningKey.from_secret(one.secret)
    assert again.public == one.public != other.public
    for power in (True, False):
        verify(one.public, b"m", one.sign(b"m", power=power), power=power)
        with pytest.raises(UntrustedError):
            verify(other.public, b"m", one.sign(b"m", power=power), power=power)


def test_any_changed_bit_is_noticed() -> None:
    signature = _hex(SIGNING, "signature")
    for changed in flips(signature):
        with pytest.raises(UntrustedError):
            verify(KEY.public, MESSAGE, changed, power=False)
    for changed in flips(MESSAGE):
        with pytest.raises(UntrustedError):
            verify(KEY.public, changed, signature, power=False)
    power = _hex(SIGNING, "power_signature")
    for changed in flips(power[:64], 4) + flips(power[64:], 97):
        whole = changed + power[64:] if len(changed) == 64 else power[:64] + changed
        with pytest.raises(UntrustedError):
            verify(KEY.public, MESSAGE, whole, power=True)


def test_neither_half_can_be_stripped_or_swapped() -> None:
    power, plain = _hex(SIGNING, "power_signature"), _hex(SIGNING, "signature")
    other = SigningKey.generate().sign(MESSAGE, power=True)
    for forged in (
        power[:64],
        power[64:],
        bytes(64) + power[64:],
        power[:64] + bytes(3309),
        power[:64] + other[64:],
        other[:64] + power[64:],
        power[64:] + power[:64],
        power + b"\0",
        b"",
    ):
        with pytest.raises(UntrustedError):
            verify(KEY.public, MESSAGE, forged, power=True)
    for forged in (power, plain[:-1], plain + b"\0", b""):
        with pytest.raises(UntrustedError):
            verify(KEY.public, MESSAGE, forged, power=False)


def test_wycheproof_ed25519() -> None:
    tests = 0
    document = json.loads(official("wycheproof/ed25519_test.json").read_text(encoding="utf-8"))
    for group in document["testGroups"]:
        public = bytes.fromhex(group["publicKey"]["pk"])
        for case in group["tests"]:
            tests += 1
            message, signature = _hex(case, "msg"), _hex(case, "sig")
            if case["result"] == "valid":
                verify_plain(public, message, signature)
            else:
                with pytest.raises(UntrustedError):
                    verify_plain(public, message, signature)
    assert tests == 151


# Edwards arithmetic in affine coordinates, slow and plain: what the list is computed with.
FIELD = 2**255 - 19
D = -121665 * pow(121666, -1, FIELD) % FIELD
Point = tuple[int, int]


def _add(one: Point, other: Point) -> Point:
    (x1, y1), (x2, y2) = one, other
    both = D * x1 * x2 * y1 * y2 % FIELD
    x = (x1 * y2 + x2 * y1) * pow(1 + both, -1, FIELD) % FIELD
    return x, (y1 * y2 + x1 * x2) * pow(1 - both, -1, FIELD) % FIELD


def _x_of(y: int) -> int | None:
    square = (y * y - 1) * pow(D * y * y + 1, -1, FIELD) % FIELD
    x = pow(square, (FIELD + 3) // 8, FIELD)
    if x * x % FIELD != square:
        x = x * pow(2, (FIELD - 1) // 4, FIELD) % FIELD
    return x if x * x % FIELD == square else None


def _small_order_ys() -> set[int]:
    """Multiply points of the whole curve by the prime order: what is left is of small order."""
    prime = 2**252 + 27742317777372353535851937790883648493
    found: set[int] = set()
    for y in range(2, 60):
        x = _x_of(y)
        if x is None:
            continue
        left: Point = (0, 1)
        power, n = (x, y), prime
        while n:
            left = _add(left, power) if n & 1 else left
            power, n = _add(power, power), n >> 1
        found.add(left[1])
    return found


def test_the_small_order_keys_are_those_that_arithmetic_finds() -> None:
    ys = _small_order_ys()
    assert len(ys) == 5
    # y and y + p are the same number, where the second still fits into 255 bits.
    encodings = {y + more for y in ys for more in (0, FIELD) if y + more < 2**255}
    assert len(encodings) == 7
    keys = {(y | sign << 255).to_bytes(32, "little") for y in encodings for sign in (0, 1)}
    assert keys < {_hex(case, "public") for case in SMALL_ORDER}


@pytest.mark.parametrize("case", SMALL_ORDER, ids=_why)
def test_a_key_of_small_order_is_refused_at_every_load(case: dict[str, Any]) -> None:
    public = _hex(case, "public")
    Ed25519PublicKey.from_public_bytes(public)  # a good library takes it: the reason for all this
    whole = public + KEY.public[32:]
    attempts: tuple[Callable[[], object], ...] = (
        lambda: check_plain(public),
        lambda: check_public(whole),
        lambda: verify_plain(public, b"m", bytes(64)),
        lambda: verify(whole, b"m", bytes(64), power=False),
        lambda: verify(whole, b"m", bytes(3373), power=True),
    )
    for load in attempts:
        with pytest.raises(UntrustedError) as raised:
            load()
        assert raised.value.rule == "unusable-key"


def test_one_signature_for_every_message_is_what_they_would_allow() -> None:
    identity = (1).to_bytes(32, "little")
    always = identity + bytes(32)
    library = Ed25519PublicKey.from_public_bytes(identity)
    for message in (b"one", b"another"):
        library.verify(always, message)
        with pytest.raises(UntrustedError):
            verify_plain(identity, message, always)


@pytest.mark.parametrize("length", [0, 32, 1952, 1983, 1985])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    public = (KEY.public + bytes(1))[:length]
    attempts: tuple[Callable[[], object], ...] = (
        lambda: check_public(public),
        lambda: verify(public, b"m", bytes(64), power=False),
        lambda: check_plain(KEY.public[:31]),
    )
    for load in attempts:
        with pytest.raises(UntrustedError):
            load()


def test_a_plain_key_signs() -> None:
    key = PlainKey.generate()
    assert PlainKey.from_secret(key.secret).public == key.public
    verify_plain(key.public, b"m", key.sign(b"m"))
    for signature in (key.sign(b"n"), key.sign(b"m") + b"\0", b""):
        with pytest.raises(UntrustedError) as raised:
            verify_plain(key.public, b"m", signature)
        assert raised.value.rule == "signature"


def test_no_byte_wanders_between_signature_and_message() -> None:
    message = b"seize it"
    signature = KEY.sign(message, power=False)
    public = KEY.public[:32]
    for longer, shorter in (
        (signature + message[:1], message[1:]),
        (signature[:-1], signature[-1:] + message),
    ):
        with pytest.raises(UntrustedError):
            verify_plain(public, shorter, longer)


@pytest.mark.parametrize("make", [SigningKey, PlainKey, KemKey])
def test_a_secret_has_one_length_and_is_not_printed(
    make: type[SigningKey | PlainKey | KemKey],
) -> None:
    for length in (0, 31, 33, 63, 65):
        with pytest.raises(ValueError, match=r".*"):
            make.from_secret(bytes(length))
    key = make.generate()
    assert key.secret.hex() not in repr(key)
    assert repr(key.secret) not in repr(key)


@pytest.mark.parametrize("power", [True, False])
@pytest.mark.parametrize("longer", [1, -1])
def test_a_key_of_another_length_vouches_for_nothing(power: bool, longer: int) -> None:
    # What happens needs the Ed25519 half only: a key with another rest would pass for a second one.
    key = SigningKey.generate()
    signature = key.sign(b"message", power=power)
    other = key.public + b"\0" if longer > 0 else key.public[:-1]
    with pytest.raises(UntrustedError) as refused:
        verify(other, b"message", signature, power=power)
    assert refused.value.rule == "unusable-key"


def test_the_id_of_a_key_is_the_hash_of_its_public_key() -> None:
    key = SigningKey.generate()
    assert key.key_id == sha256(key.public)


@pytest.fixture
def ahead() -> Iterator[Claim]:
    """Give what was verified ahead: one claim, which holds."""
    one = (KEY.public, MESSAGE, _hex(SIGNING, "signature"))
    verify_ahead(one)
    assert one in _signing._holds
    yield one
    forget_verified()
    assert not _signing._holds


@pytest.mark.parametrize("power", [False, True])
def test_what_was_verified_ahead_counts_for_these_bytes_alone(*, power: bool) -> None:
    public, signature = KEY.public, KEY.sign(MESSAGE, power=power)
    verify_ahead((public, MESSAGE, signature))
    assert (public, MESSAGE, signature) in _signing._holds
    verify(public, MESSAGE, signature, power=power)
    other = SigningKey.from_secret(bytes(64)).public
    spoiled = bytes([signature[0] ^ 1]) + signature[1:]
    for false in (
        (other, MESSAGE, signature),
        (public[:32] + other[32:], MESSAGE, spoiled),
        (public, MESSAGE + b"\0", signature),
        (public, MESSAGE[1:], signature + MESSAGE[:1]),
        (public, signature[-1:] + MESSAGE, signature[:-1]),
        (public, MESSAGE, spoiled),
        (public, MESSAGE, signature[:-1] + bytes([signature[-1] ^ 1])),
        (MESSAGE, public, signature),
    ):
        with pytest.raises(UntrustedError):
            verify(*false, power=power)
    forget_verified()


def test_what_was_verified_ahead_needs_the_other_half_of_a_power_signature(ahead: Claim) -> None:
    public, message, signature = ahead
    for stripped in (signature, signature + bytes(3309)):
        with pytest.raises(UntrustedError):
            verify(public, message, stripped, power=True)
    with pytest.raises(UntrustedError):
        verify(public[:32], message, signature, power=False)  # half of a key is no key
    whole = (public, message, KEY.sign(message, power=True))
    verify_ahead(whole)
    with pytest.raises(UntrustedError):  # nor is the whole one a plain one
        verify(*whole, power=False)


def test_a_claim_that_does_not_hold_is_not_kept() -> None:
    signature = _hex(SIGNING, "signature")
    verify_ahead((KEY.public, MESSAGE + b"\0", signature))
    verify_ahead((KEY.public, MESSAGE, signature + bytes(3309)))
    for case in SMALL_ORDER:
        verify_ahead((_hex(case, "public")[:32] + KEY.public[32:], MESSAGE, signature))
    assert not _signing._holds


def test_what_is_verified_ahead_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_signing, "_AHEAD", 1)
    for message in (MESSAGE, b"another"):
        verify_ahead((KEY.public, message, KEY.sign(message, power=False)))
    assert len(_signing._holds) == 1
    forget_verified()
