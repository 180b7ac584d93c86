"""Keys of witnesses: Ed25519, and ML-DSA-44 beside it. They sign heads of logs, nothing else.

A public key of 1,344 bytes is Ed25519 (32) and ML-DSA-44 (1,312), in this order. Unlike those of
statements the two signatures stand apart, each in a line of its own (C2SP tlog-cosignature).
"""

from functools import lru_cache
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from seefen.protocol.errors import UntrustedError
from seefen.protocol.suite._hashing import random_bytes
from seefen.protocol.suite._signing import PlainKey

LATTICE_PUBLIC: Final = 1312
LATTICE_SIGNATURE: Final = 2420


class WitnessKey:
    """The key of a witness. The secret is the Ed25519 seed and the ML-DSA-44 seed."""

    __slots__ = ("_mldsa", "plain", "public", "secret")

    def __init__(self, secret: bytes) -> None:
        """Make the key of a secret of 64 bytes."""
        if len(secret) != 64:
            raise ValueError("the secret of a witness has 64 bytes")
        self.plain = PlainKey.from_secret(secret[:32])
        self._mldsa = MLDSA44PrivateKey.from_seed_bytes(secret[32:])
        self.secret = secret
        self.public = self.plain.public + self._mldsa.public_key().public_bytes_raw()

    @classmethod
    def generate(cls) -> Self:
        """Draw a new key."""
        return cls(random_bytes(64))

    @classmethod
    def from_secret(cls, secret: bytes) -> Self:
        """Return the key of a secret of 64 bytes; another length is a ``ValueError``."""
        return cls(secret)

    def sign_lattice(self, message: bytes) -> bytes:
        """Return the ML-DSA-44 signature, 2,420 bytes; the other half is ``plain.sign``."""
        return self._mldsa.sign(message)


def verify_lattice(public: bytes, message: bytes, signature: bytes) -> None:
    """Check an ML-DSA-44 signature.

    Raises:
        UntrustedError: It is not this key's signature of this message, or this is no key.
    """
    if len(public) != LATTICE_PUBLIC:
        raise UntrustedError("this is not a public key that can vouch", rule="unusable-key")
    try:
        _mldsa(public).verify(signature, message)
    except InvalidSignature:
        raise UntrustedError(
            "the signature is not of this key and these bytes", rule="signature"
        ) from None


# Loading costs as much as verifying, and a network has few witnesses.
@lru_cache(maxsize=64)
def _mldsa(public: bytes) -> MLDSA44PublicKey:
    return MLDSA44PublicKey.from_public_bytes(public)
