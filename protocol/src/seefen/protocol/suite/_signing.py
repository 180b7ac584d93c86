"""Signatures: Ed25519 for what happens, Ed25519 and ML-DSA-65 for what grants power.

A public key of 1,984 bytes is Ed25519 (32) and ML-DSA-65 (1,952), in this order; a power
signature of 3,373 bytes is Ed25519 (64) and ML-DSA-65 (3,309). Both halves must verify.

Ed25519 is libsodium's: it verifies in half the time, and verifying is most of what a
message costs (decision 18). ML-DSA is that of ``cryptography``.
"""

from contextlib import suppress
from functools import lru_cache
from typing import Final, Self, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey
from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import BadSignatureError

from seefen.protocol.errors import UntrustedError
from seefen.protocol.suite._hashing import random_bytes, sha256

_PLAIN_PUBLIC: Final = 32
_PUBLIC: Final = 32 + 1952
_PLAIN_SIGNATURE: Final = 64
_POWER_SIGNATURE: Final = 64 + 3309

# The y-coordinates of the eight points whose order is 1, 2, 4 or 8 (tests compute them).
_FIELD: Final = 2**255 - 19
_ORDER_8: Final = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER: Final = frozenset({0, 1, _FIELD - 1, _ORDER_8, _FIELD - _ORDER_8})

Claim: TypeAlias = tuple[bytes, bytes, bytes]  # public key, message, signature
_AHEAD: Final = 2048
_holds: Final[set[Claim]] = set()


class PlainKey:
    """An Ed25519 key alone: for login and for the log. The secret is 32 bytes."""

    __slots__ = ("_pair", "public", "secret")

    def __init__(self, secret: bytes) -> None:
        """Make the key of a secret of 32 bytes."""
        self.public, self._pair = crypto_sign_seed_keypair(secret)
        self.secret = secret

    @classmethod
    def generate(cls) -> Self:
        """Draw a new key."""
        return cls(random_bytes(32))

    @classmethod
    def from_secret(cls, secret: bytes) -> Self:
        """Return the key of a secret of 32 bytes; another length is a ``ValueError``."""
        return cls(secret)

    def sign(self, message: bytes) -> bytes:
        """Return a signature of 64 bytes."""
        return crypto_sign(message, self._pair)[:_PLAIN_SIGNATURE]


class SigningKey:
    """A key for statements. The secret is the Ed25519 seed and the ML-DSA-65 seed."""

    __slots__ = ("_mldsa", "_pair", "key_id", "public", "secret")

    def __init__(self, secret: bytes) -> None:
        """Make the key of a secret of 64 bytes."""
        if len(secret) != 64:
            raise ValueError("the secret of a signing key has 64 bytes")
        plain, self._pair = crypto_sign_seed_keypair(secret[:32])
        self._mldsa = MLDSA65PrivateKey.from_seed_bytes(secret[32:])
        self.secret = secret
        self.public = plain + self._mldsa.public_key().public_bytes_raw()
        self.key_id = sha256(self.public)

    @classmethod
    def generate(cls) -> Self:
        """Draw a new key."""
        return cls(random_bytes(64))

    @classmethod
    def from_secret(cls, secret: bytes) -> Self:
        """Return the key of a secret of 64 bytes; another length is a ``ValueError``."""
        return cls(secret)

    def sign(self, message: bytes, *, power: bool) -> bytes:
        """Return a signature: 3,373 bytes for what grants power, else 64."""
        signature = crypto_sign(message, self._pair)[:_PLAIN_SIGNATURE]
        return signature + self._mldsa.sign(message) if power else signature


def verify(public: bytes, message: bytes, signature: bytes, *, power: bool) -> None:
    """Check a signature of a :class:`SigningKey`.

    Raises:
        UntrustedError: It is not this key's signature of this message, or of another
            form than ``power`` asks for, or the key is one that vouches for nothing.
    """
    if len(public) != _PUBLIC:
        raise _unusable()
    # The length decides, not the signature: else a thief could strip a half.
    if len(signature) != (_POWER_SIGNATURE if power else _PLAIN_SIGNATURE):
        raise _forged()
    # What holds for these very bytes holds whoever asks. A part of them, or their hash, is not
    # enough: what was verified for one key or message must never count for another.
    if _holds and (public, message, signature) in _holds:
        return
    verify_plain(public[:_PLAIN_PUBLIC], message, signature[:_PLAIN_SIGNATURE])
    if power:
        try:
            _mldsa(public[_PLAIN_PUBLIC:]).verify(signature[_PLAIN_SIGNATURE:], message)
        except InvalidSignature:
            raise _forged() from None


def verify_plain(public: bytes, message: bytes, signature: bytes) -> None:
    """Check a signature of a :class:`PlainKey`.

    Raises:
        UntrustedError: As for :func:`verify`.
    """
    _require_sound(public)
    # The library takes both in one piece: a byte that wanders from the message to the
    # signature would otherwise give a second message under the same signature.
    if len(signature) != _PLAIN_SIGNATURE:
        raise _forged()
    try:
        crypto_sign_open(signature + message, public)
    except BadSignatureError:
        raise _forged() from None


def verify_ahead(one: Claim) -> None:
    """Verify a signature before anybody asks; it may be called in several threads.

    Only that it holds is kept, of both halves where there are two. A wrong one is found anew
    by :func:`verify`, which says so.
    """
    if len(_holds) < _AHEAD:
        with suppress(UntrustedError):
            verify(*one, power=len(one[2]) == _POWER_SIGNATURE)
            _holds.add(one)


def forget_verified() -> None:
    """Forget what was verified ahead: it will not be asked for again."""
    _holds.clear()


def check_public(public: bytes) -> None:
    """Refuse a public key that must not be certified, whatever it signs.

    Raises:
        UntrustedError: Of the wrong length, of small order, or not in canonical form.
    """
    if len(public) != _PUBLIC:
        raise _unusable()
    _require_sound(public[:_PLAIN_PUBLIC])  # and any 1,952 bytes are an ML-DSA-65 key (FIPS 204)


def check_plain(public: bytes) -> None:
    """Refuse a plain public key that must not be certified; see :func:`check_public`."""
    _require_sound(public)


# The same few devices sign most.
@lru_cache(maxsize=8192)
def _require_sound(public: bytes) -> None:
    if len(public) != _PLAIN_PUBLIC:
        raise _unusable()
    # Libraries differ in which keys they take. Under a key of small order one fixed signature
    # verifies for every message, so its owner could disown whatever was signed; a second
    # encoding of the same key would pass for another device.
    y = int.from_bytes(public, "little") & 2**255 - 1
    if y >= _FIELD or y in _SMALL_ORDER:
        raise _unusable()


def _mldsa(public: bytes) -> MLDSA65PublicKey:
    return MLDSA65PublicKey.from_public_bytes(public)


def _unusable() -> UntrustedError:
    return UntrustedError("this is not a public key that can vouch", rule="unusable-key")


def _forged() -> UntrustedError:
    return UntrustedError("the signature is not of this key and these bytes", rule="signature")
