"""Sealing: keys to a device or mailbox (HPKE), content under a key (Cobblestone-256).

Neither says who sealed: a wrap counts when its hash stands in a signed statement, and
content when its context names a signed core. Both are bound to a context, and opening
under another one fails; Cobblestone-256 also commits to its key, so that nobody can make
one ciphertext with two meanings.
"""

import hashlib
from functools import lru_cache
from typing import Final, Self

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import AlreadyFinalized, InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.suite._hashing import P, random_bytes

_HPKE: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
_MLKEM_PUBLIC: Final = 1184
# The u-coordinates of the points of curve and twist whose order is 1, 2, 4 or 8: with them X25519
# gives zero, and HPKE stops (RFC 9180, 7.1.4).
_FIELD: Final = 2**255 - 19
_ORDER_8: Final = (
    0x00B8495F16056286FDB1329CEB8D09DA6AC49FF1FAE35616AEB8413B7C7AEBE0,
    0x57119FD0DD4E22D8868E1C58C45C44045BEF839C55B1D0B1248C50A3BC959C5F,
)
_SMALL_ORDER: Final = frozenset({0, 1, _FIELD - 1, *_ORDER_8})
_CHUNK: Final = 16 * 1024
_HEADER: Final = 24 + 32  # random salt, commitment
_CHUNK_TAG: Final = 16
_BROKEN: Final = (InvalidTag, AlreadyFinalized)  # a stream that failed stays failed


class KemKey:
    """A receiving key. The secret is 32 bytes; the public key ML-KEM (1,184) || X25519 (32)."""

    __slots__ = ("_key", "public", "secret")

    def __init__(self, secret: bytes) -> None:
        """Make the key of a secret of 32 bytes."""
        if len(secret) != 32:
            raise ValueError("the secret of a receiving key has 32 bytes")
        expanded = hashlib.shake_256(secret).digest(96)
        mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
        self._key = MLKEM768X25519PrivateKey(mlkem, x25519)
        self.secret = secret
        self.public = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()

    @classmethod
    def generate(cls) -> Self:
        """Draw a new key."""
        return cls(random_bytes(32))

    @classmethod
    def from_secret(cls, secret: bytes) -> Self:
        """Return the key of a secret of 32 bytes; another length is a ``ValueError``."""
        return cls(secret)

    def open(self, wrapped: bytes, info: bytes) -> bytes:
        """Return what :func:`wrap` sealed; :func:`unwrap` says what is raised."""
        try:
            return _HPKE.decrypt(wrapped, self._key, info=info)
        except (InvalidTag, ValueError):
            raise UntrustedError(
                "this was not sealed to this key for this purpose", rule="wrap"
            ) from None


def wrap(key: bytes, public: bytes, info: bytes) -> bytes:
    """Return ``key`` sealed to a :class:`KemKey`: 1,136 bytes more than it.

    ``info`` begins with ``P`` and says for what, for whom and by whom: nothing else does.

    Raises:
        RefusedError: Nothing can be sealed to this public key. It is the recipient's
            doing, and one such key must not keep the others from getting theirs.
    """
    _require_prefix(info)
    try:
        return _HPKE.encrypt(key, _load(public), info=info)
    except ValueError:  # a poisoned X25519 half loads well and fails only here
        raise _unsealable() from None


def unwrap(wrapped: bytes, ours: KemKey, info: bytes) -> bytes:
    """Return what was sealed to ``ours`` under the same ``info``.

    Raises:
        UntrustedError: It was sealed to another key, for another purpose, or changed.
    """
    return ours.open(wrapped, info)


@lru_cache(maxsize=256)  # asked again for each key that is handed to it
def check_kem(public: bytes) -> None:
    """Refuse a receiving key that nothing can be sealed to: before it is certified.

    Raises:
        RefusedError: Sealing to it fails.
    """
    # Exactly what :func:`wrap` refuses, for a third of its time: a replay asks for each device.
    try:
        _load(public)
    except ValueError:
        raise _unsealable() from None
    u = int.from_bytes(public[_MLKEM_PUBLIC:], "little") & 2**255 - 1
    if u % _FIELD in _SMALL_ORDER:
        raise _unsealable()


class Sealer:
    """Seals a stream: the pieces of :meth:`update`, then :meth:`finish`, are the result.

    Two seals of the same plaintext differ, for each draws a salt of its own.
    """

    def __init__(self, key: bytes, context: bytes) -> None:
        """Begin a stream under a key of 32 bytes, bound to a context that begins with P."""
        _require_prefix(context)
        self._cobblestone = Cobblestone256Encryptor(key, context)

    def update(self, data: bytes | memoryview) -> bytes:
        """Take plaintext, return ciphertext."""
        return self._cobblestone.update(data)

    def finish(self) -> bytes:
        """Return the last ciphertext."""
        return self._cobblestone.finalize()


class Opener:
    """Opens a stream, and vouches for none of it before :meth:`finish` has returned.

    :meth:`update` returns plaintext of which the end may be missing: write it to a
    temporary file, rename that after ``finish``, and show nothing before.
    """

    def __init__(self, key: bytes, context: bytes) -> None:
        """Begin to open what was sealed under this key and this context."""
        _require_prefix(context)
        self._cobblestone = Cobblestone256Decryptor(key, context)

    def update(self, data: bytes | memoryview) -> bytes:
        """Take ciphertext, return plaintext that is not yet final.

        Raises:
            UntrustedError: Another key or context, or the ciphertext was changed.
        """
        try:
            return self._cobblestone.update(data)
        except _BROKEN:
            raise _changed() from None

    def finish(self) -> bytes:
        """Return the last plaintext: all that was returned is now whole and genuine.

        Raises:
            UntrustedError: The end is missing, or as for :meth:`update`.
        """
        try:
            return self._cobblestone.finalize()
        except _BROKEN:
            raise _changed() from None


def seal(key: bytes, context: bytes, plaintext: bytes) -> bytes:
    """Return a small value sealed under a key of 32 bytes and a context."""
    sealer = Sealer(key, context)
    return sealer.update(plaintext) + sealer.finish()


def unseal(key: bytes, context: bytes, sealed: bytes) -> bytes:
    """Return what :func:`seal` sealed under the same key and context.

    Raises:
        UntrustedError: Another key or context, or the ciphertext was changed.
    """
    opener = Opener(key, context)
    return opener.update(sealed) + opener.finish()


def sealed_length(plain_length: int) -> int:
    """Return how long the ciphertext of so many bytes is."""
    # The last chunk is never full: a plaintext that fills its chunks gets an empty one more.
    return _HEADER + plain_length + (plain_length // _CHUNK + 1) * _CHUNK_TAG


@lru_cache(maxsize=256)  # the members of a case; loaded, a key takes kibibytes
def _load(public: bytes) -> MLKEM768X25519PublicKey:
    return MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(public[:_MLKEM_PUBLIC]),
        X25519PublicKey.from_public_bytes(public[_MLKEM_PUBLIC:]),
    )


def _require_prefix(context: bytes) -> None:
    if not context.startswith(P):
        raise ValueError("a context begins with the prefix of the suite")


def _changed() -> UntrustedError:
    return UntrustedError(
        "this was sealed under another key or for another place, or was changed", rule="seal"
    )


def _unsealable() -> RefusedError:
    return RefusedError("nothing can be sealed to this key", rule="unusable-key")
