"""Names: who is behind a pseudonym, in two halves that two mailboxes open.

The name is split: one half is random, the other is the name xor that half. One is sealed to the
auditors of the node, the other to its keyholders, so neither learns a bit alone. An admin signs
both: else anybody could lay another name under a pseudonym. No name leaves the node.

The format is ``docs/spec/access.md``, section 7.
"""

from typing import Annotated, Final

from msgspec import Meta

from seefen.protocol.encoding import decode, encode
from seefen.protocol.envelope import signing_message
from seefen.protocol.errors import MalformedError, RefusedError, UntrustedError
from seefen.protocol.statements import Count, Hash, Id, Mailbox, NodeName, Number, Part
from seefen.protocol.suite import (
    SUITE,
    KemKey,
    P,
    SigningKey,
    random_bytes,
    sha256,
    unwrap,
    verify,
    wrap,
)

KIND: Final = "name"  # which no statement has: what is signed here counts nowhere else
LENGTH: Final = 256  # of each half, whatever the name: its length tells nothing
NAME_LIMIT: Final = 240  # bytes of UTF-8
BOXES: Final = ("audit", "case")  # whose holders open a half each


class NameEntry(Part, frozen=True):
    """Who is behind a pseudonym, sealed in two halves; ``device`` is the admin who wrote it."""

    suite: Annotated[int, Meta(ge=SUITE, le=SUITE)]
    net: Hash
    kind: Annotated[str, Meta(pattern=r"\Aname\Z")]
    node: NodeName
    officer: Annotated[str, Meta(pattern=r"\Ao-[0-9a-f]{4,8}\Z")]
    device: Id
    made_at: Count
    audit_gen: Number
    audit: Annotated[bytes, Meta(max_length=8192)]
    case_gen: Number
    case: Annotated[bytes, Meta(max_length=8192)]


class SignedName(Part, frozen=True):
    """An entry of the register, and the admin's Ed25519 signature over it."""

    payload: Annotated[bytes, Meta(max_length=32_768)]
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]


def seal_name(
    name: str,
    officer: str,
    mailboxes: tuple[Mailbox, Mailbox],
    *,
    device: bytes,
    key: SigningKey,
    at: int,
) -> SignedName:
    """Return a name sealed to the auditors and to the keyholders of a node, a half each.

    Args:
        name: Of a person, at most 240 bytes of UTF-8.
        officer: The pseudonym.
        mailboxes: ``audit`` and ``case`` of the node.
        device: Of the admin who vouches; ``key`` signs for it.
        key: See there.
        at: Unix seconds.

    Raises:
        RefusedError: rule ``person-name``: none, or too long.
    """
    text = name.strip().encode()
    if not 0 < len(text) <= NAME_LIMIT:
        raise RefusedError(f"a name has 1 to {NAME_LIMIT} bytes", rule="person-name")
    one = random_bytes(LENGTH)
    two = _xor(one, text + bytes(LENGTH - 1 - len(text)) + bytes([len(text)]))
    audit, case = mailboxes
    entry = NameEntry(
        SUITE, audit.net, KIND, audit.node, officer, device, at,
        audit.version, wrap(one, audit.kem, _info(audit, officer)),
        case.version, wrap(two, case.kem, _info(case, officer)),
    )  # fmt: skip
    payload = encode(entry)
    return SignedName(payload, key.sign(signing_message(KIND, audit.net, payload), power=False))


def name_in(signed: SignedName) -> NameEntry:
    """Return the entry in a signed one, its signature unchecked.

    Raises:
        MalformedError: It is none.
    """
    return decode(signed.payload, NameEntry)


def check_name(signed: SignedName, net: bytes, public: bytes) -> None:
    """Check that an admin's key signed an entry of this network.

    Raises:
        UntrustedError: It did not, or rule ``net``.
    """
    if name_in(signed).net != net:
        raise UntrustedError("this name is of another network", rule="net")
    message = signing_message(KIND, net, signed.payload)
    verify(public, message, signed.signature, power=False)


def open_half(entry: NameEntry, mailbox: Mailbox, seed: bytes) -> bytes:
    """Return one half of a name, as a holder of the mailbox.

    Raises:
        UntrustedError: It was not sealed to this mailbox, or not for this pseudonym.
    """
    sealed = {("audit", entry.audit_gen): entry.audit, ("case", entry.case_gen): entry.case}
    half = sealed.get((mailbox.box, mailbox.version))
    if half is None or mailbox.node != entry.node:
        raise UntrustedError("this half is sealed to another mailbox", rule="half")
    return unwrap(half, KemKey.from_secret(seed), _info(mailbox, entry.officer))


def hand_over(half: bytes, about: bytes, mailbox: Mailbox) -> bytes:
    """Return a half sealed to the auditors.

    Args:
        half: As the keyholder opened it.
        about: What it is bound to: entry of the register, pseudonym, entry in the log.
        mailbox: ``audit`` of the node.
    """
    return wrap(half, mailbox.kem, _info(mailbox, "") + about)


def take_over(sealed: bytes, about: bytes, mailbox: Mailbox, seed: bytes) -> bytes:
    """Return the half that a keyholder handed over.

    Raises:
        UntrustedError: It is about something else, or was changed.
    """
    return unwrap(sealed, KemKey.from_secret(seed), _info(mailbox, "") + about)


def join(one: bytes, two: bytes) -> str:
    """Return the name of two halves.

    Raises:
        UntrustedError: rule ``half``: they do not belong together.
    """
    try:
        if not len(one) == len(two) == LENGTH:
            raise MalformedError("a half has another length", rule="half")
        plain = _xor(one, two)
        text, rest = plain[: plain[-1]], plain[plain[-1] : -1]
        if not 0 < len(text) <= NAME_LIMIT or any(rest):
            raise MalformedError("this is no name", rule="half")
        return text.decode()
    except (MalformedError, UnicodeDecodeError):
        raise UntrustedError("these two halves are not of one name", rule="half") from None


def _xor(one: bytes, two: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, two, strict=True))


def _info(mailbox: Mailbox, officer: str) -> bytes:
    bound = [SUITE, mailbox.net, KIND, mailbox.node, mailbox.box, officer, mailbox.version]
    return P + b"wrap\x00" + encode([*bound, sha256(mailbox.kem)])
