"""Hashes, commitments, derived keys, and what is drawn at random."""

import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Callable
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from seefen.protocol.encoding import encode
from seefen.protocol.errors import MalformedError

SUITE: Final = 1

# Before everything signed, derived or sealed. No JWS, TLS handshake or signed note starts
# with 0xFF, so a signature made here is worth nothing there, and the reverse.
P: Final = b"\xffseefen/1/"

_COMMITMENT_KEY: Final = hashlib.sha256(b"seefen/1/audit-commit").digest()
# HMAC-SHA-256 with this key, begun (RFC 2104): every entry of the log asks for one, and the
# library needs longer to set an HMAC up than to compute it.
_INNER: Final = hashlib.sha256(bytes(byte ^ 0x36 for byte in _COMMITMENT_KEY.ljust(64, b"\0")))
_OUTER: Final = hashlib.sha256(bytes(byte ^ 0x5C for byte in _COMMITMENT_KEY.ljust(64, b"\0")))


def sha256(data: bytes) -> bytes:
    """Return the SHA-256 hash, 32 bytes."""
    return hashlib.sha256(data).digest()


def derive(secret: bytes, label: str, *context: bytes) -> bytes:
    """Return 32 bytes derived from ``secret`` for one purpose and no other."""
    info = P + label.encode("ascii") + b"\0" + encode(list(context))
    return _hkdf(secret, salt=None, info=info)


def key_commitment(key: bytes, net: bytes, scope: bytes, gen: int) -> bytes:
    """Return the 32 bytes that fix a key before it is seen, and say nothing about it.

    ``scope`` is whose key it is (a case, a mailbox) and ``gen`` its generation. Who opens
    a wrap compares: else two members could be given two keys under one name.
    """
    info = P + b"key-id\0" + scope + gen.to_bytes(8, "big")
    return _hkdf(key, salt=net, info=info)


def commit(salt: bytes, message: bytes) -> bytes:
    """Return the commitment to a message: 32 bytes that hide it until the salt is shown.

    Raises:
        ValueError: The salt is not 32 bytes: a shorter one lets short messages be guessed.
    """
    if len(salt) != 32:
        raise ValueError("a salt has 32 bytes")
    inner, outer = _INNER.copy(), _OUTER.copy()
    inner.update(salt)
    inner.update(message)
    outer.update(inner.digest())
    return outer.digest()


def tag(gen_key: bytes, kind: str, case: bytes, device: bytes, n: int) -> bytes:
    """Return the 16 bytes by which holders of ``gen_key`` find a record in the open tree.

    ``device`` is empty for kinds that count by case. To everyone else it is noise.
    """
    return tagger(gen_key)(kind, case, device, n)


def tagger(gen_key: bytes) -> Callable[[str, bytes, bytes, int], bytes]:
    """Return what makes :func:`tag` for one key: for whoever looks for thousands of them."""
    key = derive(gen_key, "tag")

    def made(kind: str, case: bytes, device: bytes, n: int) -> bytes:
        return hmac.digest(key, encode([kind, case, device, n]), "sha256")[:16]

    return made


def passphrase_key(
    passphrase: str, salt: bytes, *, memory_kib: int = 262144, passes: int = 3, lanes: int = 4
) -> bytes:
    """Return 32 bytes from what an officer types, by Argon2id: 0.6 s and 256 MiB a guess.

    The costs are arguments because a key file names the ones it was made with.

    Raises:
        ValueError: The salt is shorter than 16 bytes, or a cost is below Argon2's least.
    """
    if len(salt) < 16:
        raise ValueError("a salt has at least 16 bytes")
    # The same letters typed on another keyboard or system must give the same bytes.
    typed = unicodedata.normalize("NFKC", passphrase).encode()
    function = Argon2id(
        salt=salt, length=32, iterations=passes, lanes=lanes, memory_cost=memory_kib
    )
    return function.derive(typed)


def certificate_pin(der: bytes) -> bytes:
    """Return the SHA-256 of the public key (SPKI) in an X.509 certificate.

    The key is pinned and not the certificate, so that renewing it needs no new root.

    Raises:
        MalformedError: This is no certificate, or its key is of an unknown kind.
    """
    try:
        key = x509.load_der_x509_certificate(der).public_key()
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm) as err:
        raise MalformedError("this is not a certificate") from err
    return sha256(spki)


def random_bytes(count: int) -> bytes:
    """Return ``count`` bytes from the operating system's generator."""
    return secrets.token_bytes(count)


def new_id() -> bytes:
    """Return a new id: 16 random bytes."""
    return secrets.token_bytes(16)


def ordered_id(at_ms: int) -> bytes:
    """Return a new UUIDv7: 16 bytes that sort by the Unix time in milliseconds."""
    drawn = int.from_bytes(secrets.token_bytes(10), "big")
    high, low = drawn >> 62 & 0xFFF, drawn & (1 << 62) - 1
    number = at_ms << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low
    return number.to_bytes(16, "big")


def _hkdf(secret: bytes, *, salt: bytes | None, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=info).derive(secret)
