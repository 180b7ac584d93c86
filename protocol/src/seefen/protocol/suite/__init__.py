"""Suite 1: every use of cryptography in seefen, and the only suite there is.

No other module imports ``cryptography`` or libsodium (``nacl``). Signatures are Ed25519, for what
grants power Ed25519 and ML-DSA-65 together, for witnesses Ed25519 and ML-DSA-44; keys travel in
HPKE with ML-KEM-768 and X25519; content is sealed with Cobblestone-256; everything is hashed with
SHA-256.

The format is ``docs/spec/suite.md``; its vectors are ``tests/vectors/suite``.
There is nothing to choose: an unknown suite is refused, and where the library lacks
ML-KEM or ML-DSA this module does not load. Falling back would be a downgrade attack
that needs no attacker.
"""

from seefen.protocol.errors import SeefenError

try:
    from seefen.protocol.suite._cosigning import WitnessKey, verify_lattice
    from seefen.protocol.suite._hashing import (
        SUITE,
        P,
        certificate_pin,
        commit,
        derive,
        key_commitment,
        new_id,
        ordered_id,
        passphrase_key,
        random_bytes,
        sha256,
        tag,
        tagger,
    )
    from seefen.protocol.suite._sealing import (
        KemKey,
        Opener,
        Sealer,
        check_kem,
        seal,
        sealed_length,
        unseal,
        unwrap,
        wrap,
    )
    from seefen.protocol.suite._signing import (
        Claim,
        PlainKey,
        SigningKey,
        check_plain,
        check_public,
        forget_verified,
        verify,
        verify_ahead,
        verify_plain,
    )

    KemKey.from_secret(bytes(32))
    SigningKey.from_secret(bytes(64))
    WitnessKey.from_secret(bytes(64))
# UnsupportedAlgorithm, which an older OpenSSL gives, is an Exception of its own kind.
except Exception as _err:
    raise SeefenError(
        "this Python's cryptography package lacks ML-KEM, ML-DSA or Cobblestone: "
        "seefen needs version 50 or newer, built with OpenSSL 3.5 or newer"
    ) from _err

__all__ = [
    "SUITE",
    "Claim",
    "KemKey",
    "Opener",
    "P",
    "PlainKey",
    "Sealer",
    "SigningKey",
    "WitnessKey",
    "certificate_pin",
    "check_kem",
    "check_plain",
    "check_public",
    "commit",
    "derive",
    "forget_verified",
    "key_commitment",
    "new_id",
    "ordered_id",
    "passphrase_key",
    "random_bytes",
    "seal",
    "sealed_length",
    "sha256",
    "tag",
    "tagger",
    "unseal",
    "unwrap",
    "verify",
    "verify_ahead",
    "verify_lattice",
    "verify_plain",
    "wrap",
]
