"""Wraps and sealed content against published vectors and whoever changes a bit."""

import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.bindings._rust import openssl
from hypothesis import given
from hypothesis import strategies as st

from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.suite import (
    KemKey,
    Opener,
    P,
    Sealer,
    _sealing,
    check_kem,
    random_bytes,
    seal,
    sealed_length,
    sha256,
    unseal,
    unwrap,
    wrap,
)
from tests.support.specs import spec
from tests.support.vectors import official, own

WRAP = own("suite/wrap.json")
SEALED = own("suite/seal.json")
SMALL_ORDER = {case["why"]: case for case in own("suite/small-order.json")["cases"]}
CONTEXT = P + b"test\0"


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


def test_the_published_hpke_vector() -> None:
    vector = own("suite/hpke-mlkem768-x25519.json")
    ours = KemKey.from_secret(_hex(vector, "skRm"))
    assert ours.public.hex() == vector["pkRm"]
    first = vector["encryptions"][0]
    opened = openssl.hpke._decrypt_with_aad(
        _sealing._HPKE,
        _hex(vector, "enc") + _hex(first, "ct"),
        ours._key,
        info=_hex(vector, "info"),
        aad=_hex(first, "aad"),
    )
    assert opened.hex() == first["pt"]


def test_the_wrap_of_the_vector_opens() -> None:
    ours = KemKey.from_secret(_hex(WRAP, "secret"))
    assert ours.public.hex() == WRAP["public"]
    assert unwrap(_hex(WRAP, "wrapped"), ours, _hex(WRAP, "info")).hex() == WRAP["key"]
    assert len(_hex(WRAP, "wrapped")) == 1168
    assert sha256(ours.public).hex() in spec("suite.md")


def test_a_wrap_is_for_one_key_and_one_purpose() -> None:
    ours, info, wrapped = KemKey.from_secret(_hex(WRAP, "secret")), _hex(WRAP, "info"), WRAP
    good = _hex(wrapped, "wrapped")
    attempts = [(changed, ours, info) for changed in [*flips(good, 31), *flips(good[-32:])]]
    attempts += [(good, ours, changed) for changed in flips(info)]
    attempts += [(good, KemKey.generate(), info), (good, ours, b"")]
    attempts += [(good[:cut], ours, info) for cut in (0, 1, 1119, 1120, 1136, 1167)]
    for data, key, about in attempts:
        with pytest.raises(UntrustedError) as caught:
            unwrap(data, key, about)
        assert caught.value.rule == "wrap"


@pytest.mark.parametrize("case", WRAP["refused"], ids=_why)
def test_a_poisoned_key_is_refused_when_sealing_to_it(case: dict[str, Any]) -> None:
    public = _hex(case, "public")
    attempts: tuple[Callable[[], object], ...] = (
        lambda: check_kem(public),
        lambda: wrap(bytes(32), public, CONTEXT),
    )
    for use in attempts:
        with pytest.raises(RefusedError) as raised:
            use()
        assert raised.value.rule == "unusable-key"


def _is_sealed_to(public: bytes) -> bool:
    try:
        wrap(bytes(32), public, CONTEXT)
    except RefusedError:
        return False
    return True


def test_what_is_certified_is_what_can_be_sealed_to() -> None:
    """The check tells by the coordinate what sealing finds out: each must refuse the same."""
    field, high = 2**255 - 19, 2**255
    # From the Edwards points of order 8, y and -y, by RFC 7748, 4.1.
    y = int.from_bytes(_hex(SMALL_ORDER["order 8"], "public"), "little") % high
    order_8 = [(1 + e) * pow(1 - e, -1, field) % field for e in (y, field - y)]
    small = [0, 1, field - 1, field, field + 1, *order_8]
    near = [2, 9, field - 2, field + 2, *(u + d for u in order_8 for d in (-1, 1))]
    mlkem = KemKey.generate().public[:1184]
    for good, numbers in ((False, small), (True, near)):
        for u in (*numbers, *(u + high for u in numbers)):
            public = mlkem + u.to_bytes(32, "little")
            assert _is_sealed_to(public) is good, u
            assert _is_certified(public) is good, u
    whole = KemKey.generate().public
    for broken in (whole[:-1], whole + b"\0", b"", b"\xff" * 1216, b"\xff\xff\xff" + whole[3:]):
        assert not _is_sealed_to(broken)
        assert not _is_certified(broken)


def _is_certified(public: bytes) -> bool:
    try:
        check_kem(public)
    except RefusedError:
        return False
    return True


def test_one_poisoned_key_does_not_stop_the_others() -> None:
    good = KemKey.generate()
    wraps: list[bytes] = []
    for public in (_hex(WRAP["refused"][0], "public"), good.public):
        try:
            wraps.append(wrap(b"k" * 32, public, CONTEXT))
        except RefusedError:
            continue
    assert [unwrap(data, good, CONTEXT) for data in wraps] == [b"k" * 32]


def test_a_context_begins_with_the_prefix() -> None:
    attempts: tuple[Callable[[], object], ...] = (
        lambda: wrap(bytes(32), KemKey.generate().public, b"seefen/1/"),
        lambda: seal(bytes(32), b"", b"x"),
        lambda: unseal(bytes(32), b"\xffseefen/2/", b"x"),
    )
    for use in attempts:
        with pytest.raises(ValueError, match="prefix"):
            use()


def test_wycheproof_chunked_encryption(monkeypatch: pytest.MonkeyPatch) -> None:
    # Its contexts do not begin with our prefix; everything else is the shipped code.
    monkeypatch.setattr(_sealing, "P", b"")
    path = official("wycheproof/c2sp_chunked_encryption_aes_256_gcm_test.json")
    tests = 0
    for group in json.loads(path.read_text(encoding="utf-8"))["testGroups"]:
        for case in group["tests"]:
            tests += 1
            sealed = zlib.decompress(_hex(case, "ct"))
            if case["result"] == "valid":
                opener = Opener(_hex(case, "key"), _hex(case, "ctx"))
                plain = opener.update(sealed) + opener.finish()
                assert len(plain) == case["msgLength"]
                assert len(sealed) == sealed_length(len(plain))
            else:
                # A key of 31 bytes is a mistake of the caller, anything else an attack.
                whole = len(_hex(case, "key")) == 32
                with pytest.raises(UntrustedError if whole else ValueError):
                    unseal(_hex(case, "key"), _hex(case, "ctx"), sealed)
    assert tests == 35


def test_the_sealed_value_of_the_vector_opens() -> None:
    plain = unseal(_hex(SEALED, "key"), _hex(SEALED, "context"), _hex(SEALED, "sealed"))
    assert plain.hex() == SEALED["plain"]
    assert SEALED["sealed"] in spec("suite.md")


def test_any_change_to_a_sealed_value_is_noticed() -> None:
    key, context, sealed = (_hex(SEALED, name) for name in ("key", "context", "sealed"))
    attempts = [(key, context, changed) for changed in flips(sealed)]
    attempts += [(key, context, sealed[:cut]) for cut in range(len(sealed))]
    attempts += [(changed, context, sealed) for changed in flips(key)]
    attempts += [(key, context + b"\0", sealed), (key, P, sealed), (key, context, sealed + b"\0")]
    for attempt in attempts:
        with pytest.raises(UntrustedError) as caught:
            unseal(*attempt)
        assert caught.value.rule == "seal"


@pytest.mark.parametrize("length", [0, 1, 16383, 16384, 16385, 32768, 100_000])
def test_a_stream_opens_in_pieces_of_any_size(length: int) -> None:
    plain = random_bytes(length)
    sealer = Sealer(b"k" * 32, CONTEXT)
    pieces = [sealer.update(plain[at : at + 777]) for at in range(0, length, 777)]
    sealed = b"".join(pieces) + sealer.finish()
    assert len(sealed) == sealed_length(length)
    opener = Opener(b"k" * 32, CONTEXT)
    opened = [opener.update(sealed[at : at + 1001]) for at in range(0, len(sealed), 1001)]
    assert b"".join(opened) + opener.finish() == plain
    assert seal(b"k" * 32, CONTEXT, plain) != sealed


def test_chunks_cannot_be_swapped_repeated_or_cut() -> None:
    chunk = 16 * 1024 + 16
    sealed = seal(b"k" * 32, CONTEXT, bytes(50_000))
    head, body = sealed[:56], sealed[56:]
    parts = [body[at : at + chunk] for at in range(0, len(body), chunk)]
    for order in ([1, 0, 2, 3], [0, 0, 1, 2, 3], [0, 1, 2], [1, 2, 3], [3], [0, 1, 2, 3, 3], []):
        with pytest.raises(UntrustedError):
            unseal(b"k" * 32, CONTEXT, head + b"".join(parts[n] for n in order))


def test_a_cut_stream_gives_plaintext_that_finish_disowns() -> None:
    sealed = seal(b"k" * 32, CONTEXT, b"x" * 50_000)
    opener = Opener(b"k" * 32, CONTEXT)
    assert opener.update(sealed[:40_000]) != b""  # why nobody may show it before finish
    with pytest.raises(UntrustedError):
        opener.finish()


def test_a_failed_stream_stays_failed() -> None:
    sealed = bytearray(seal(b"k" * 32, CONTEXT, b"x" * 50_000))
    sealed[20_000] ^= 1
    opener = Opener(b"k" * 32, CONTEXT)
    with pytest.raises(UntrustedError):
        opener.update(bytes(sealed))
    with pytest.raises(UntrustedError):
        opener.update(b"x")
    with pytest.raises(UntrustedError):
        opener.finish()


@given(st.binary(max_size=200), st.binary(max_size=40))
def test_what_is_sealed_unseals(plain: bytes, context: bytes) -> None:
    assert unseal(b"k" * 32, P + context, seal(b"k" * 32, P + context, plain)) == plain
