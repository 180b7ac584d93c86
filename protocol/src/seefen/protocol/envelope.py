"""Envelopes: a statement's bytes and the signatures under them.

An envelope carries exactly the signatures its kind needs, sorted by key, so that there
is one way to write it. What is hashed (for the next link of a chain, for a leaf of a
log) is the envelope as it was received; nothing is ever rebuilt.

The format is ``docs/spec/envelope.md``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Final

from msgspec import Meta, Struct

from seefen.protocol.encoding import decode, encode
from seefen.protocol.errors import MalformedError, UntrustedError
from seefen.protocol.statements import AUTHORITY_KINDS, Hash, Part, Statement, decode_statement
from seefen.protocol.suite import Claim, P, SigningKey, sha256, verify

# What grants power carries both signatures; else Ed25519, and its place in the log, will do.
POWER_KINDS: Final = frozenset((*AUTHORITY_KINDS, "case", "casekey", "assign"))
POWER_LENGTH: Final = 64 + 3309
PLAIN_LENGTH: Final = 64


class Signature(Part, frozen=True):
    """Who signed (SHA-256 of the public key) and the signature."""

    key_id: Hash
    value: Annotated[bytes, Meta(min_length=PLAIN_LENGTH, max_length=POWER_LENGTH)]


class Envelope(Part, frozen=True):
    """A payload and its signatures, sorted by ``key_id``."""

    payload: bytes
    signatures: Annotated[tuple[Signature, ...], Meta(max_length=32)]


class Opened(Struct, frozen=True):
    """A statement that was read from an envelope. Its signatures are not yet checked."""

    kind: str
    statement: Statement
    payload: bytes
    signatures: tuple[Signature, ...]
    envelope: bytes
    hash: bytes

    @property
    def signers(self) -> frozenset[bytes]:
        """The key ids of those who claim to have signed."""
        return frozenset(s.key_id for s in self.signatures)


@dataclass(frozen=True, slots=True)
class Quorum:
    """Keys of which ``threshold`` must sign."""

    keys: Sequence[bytes]
    threshold: int


def signing_message(kind: str, net: bytes, payload: bytes) -> bytes:
    """Return what is signed: label, kind and network before the payload.

    0xFF in front cannot begin a JWS, a TLS message or a signed note, so no signature
    made elsewhere can count here, nor one of ours there (attacks 21 and 22).
    """
    return P + b"sig/" + kind.encode() + b"\x00" + net + payload


def sign(statement: Statement, *keys: SigningKey) -> bytes:
    """Return the envelope of ``statement``, signed with each of ``keys``."""
    payload = encode(statement)
    message = signing_message(statement.kind, statement.net, payload)
    power = statement.kind in POWER_KINDS
    signatures = sorted(
        (Signature(key.key_id, key.sign(message, power=power)) for key in keys),
        key=lambda s: s.key_id,
    )
    return encode(Envelope(payload, tuple(signatures)))


def add_signature(envelope: bytes, kind: str, key: SigningKey) -> bytes:
    """Return the envelope with one more signature, for what several hands must sign.

    Raises:
        MalformedError: No envelope of this kind, or this key has signed it already.
    """
    opened = open_envelope(envelope, kind)
    if key.key_id in opened.signers:
        raise MalformedError("this key has signed it already", rule="signed-twice")
    statement = opened.statement
    message = signing_message(kind, statement.net, opened.payload)
    added = Signature(key.key_id, key.sign(message, power=kind in POWER_KINDS))
    signatures = sorted((*opened.signatures, added), key=lambda s: s.key_id)
    return encode(Envelope(opened.payload, tuple(signatures)))


def open_envelope(data: bytes, kind: str) -> Opened:
    """Return the statement of ``kind`` in an envelope, its signatures unchecked.

    Raises:
        MalformedError: No envelope, or it holds something else.
    """
    envelope = decode(data, Envelope)
    ids = [s.key_id for s in envelope.signatures]
    if ids != sorted(set(ids)):
        raise MalformedError("signatures are not sorted or not unique", rule="signatures")
    length = POWER_LENGTH if kind in POWER_KINDS else PLAIN_LENGTH
    if any(len(s.value) != length for s in envelope.signatures):
        # Stripping one half of a composite signature ends here (attack 25).
        raise MalformedError("a signature has the wrong length", rule="signatures")
    statement = decode_statement(envelope.payload, kind)
    return Opened(kind, statement, envelope.payload, envelope.signatures, data, sha256(data))


def check_signed_by(opened: Opened, *publics: bytes) -> None:
    """Check that exactly the holders of ``publics`` signed.

    Raises:
        UntrustedError: A signature is missing, wrong, or one too many.
    """
    keys = {key_id(public): public for public in publics}
    if opened.signers != keys.keys():
        raise UntrustedError("not signed by the keys this needs", rule="wrong-signers")
    _verify_all(opened, keys)


def check_signed_by_quorums(opened: Opened, *quorums: Quorum) -> None:
    """Check that each quorum is reached, and that no signature could be left out.

    Raises:
        UntrustedError: A quorum is not reached, a stranger signed, a signature is wrong.
    """
    signers = opened.signers
    keys: dict[bytes, bytes] = {}
    needed: set[bytes] = set()
    for quorum in quorums:
        members = {key_id(public): public for public in quorum.keys}
        present = signers & members.keys()
        if len(present) < quorum.threshold:
            raise UntrustedError(
                f"{len(present)} of {quorum.threshold} needed signatures", rule="quorum"
            )
        if len(present) == quorum.threshold:
            needed |= present
        keys |= members
    if signers != frozenset(needed):
        raise UntrustedError("signed by a key that is not needed", rule="wrong-signers")
    _verify_all(opened, keys)


def claims(opened: Opened, keys: Mapping[bytes, bytes]) -> list[Claim]:
    """Return what :func:`verify` will be asked of an envelope, as far as ``keys`` are known."""
    message = signing_message(opened.kind, opened.statement.net, opened.payload)
    return [
        (keys[signature.key_id], message, signature.value)
        for signature in opened.signatures
        if signature.key_id in keys
    ]


@lru_cache(maxsize=1024)
def key_id(public: bytes) -> bytes:
    """Return the name of a key in signatures: its SHA-256. The same few sign most."""
    return sha256(public)


def _verify_all(opened: Opened, keys: Mapping[bytes, bytes]) -> None:
    message = signing_message(opened.kind, opened.statement.net, opened.payload)
    power = opened.kind in POWER_KINDS
    for signature in opened.signatures:
        verify(keys[signature.key_id], message, signature.value, power=power)
