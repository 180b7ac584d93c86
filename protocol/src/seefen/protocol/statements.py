"""What is signed: the kinds of statement and the fields each must carry.

Every statement is a CBOR array whose first four fields are suite, network, kind and nonce. The
kind a reader expects comes from the place where the bytes were found (a log, a chain, an
endpoint), never from the bytes alone. By the nonce the hash of a statement says nothing of it.

The format is ``docs/spec/statements.md``.
"""

from typing import Annotated, Final, TypeAlias

from msgspec import Meta, Struct

from seefen.protocol.encoding import decode
from seefen.protocol.errors import MalformedError

Id: TypeAlias = Annotated[bytes, Meta(min_length=16, max_length=16)]
Hash: TypeAlias = Annotated[bytes, Meta(min_length=32, max_length=32)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Number: TypeAlias = Annotated[int, Meta(ge=1, le=2**53 - 1)]
LATEST: Final = 221_845_392_000  # 1 January of the year 9000: what a calendar can count beyond
Time: TypeAlias = Annotated[int, Meta(ge=0, le=LATEST)]  # unix seconds
_NAME: Final = "[a-z][a-z0-9]*(-[a-z0-9]+)*"
NodeName: TypeAlias = Annotated[str, Meta(pattern=rf"\A{_NAME}\Z", min_length=3, max_length=40)]
Whose: TypeAlias = Annotated[str, Meta(pattern=rf"\A({_NAME})?\Z", max_length=40)]  # empty: of all
NodeCode: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Z]{3}\Z")]
Code: TypeAlias = Annotated[str, Meta(pattern=r"\A[a-z0-9][a-z0-9._-]*\Z", max_length=40)]
Text: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200)]
SignPublic: TypeAlias = Annotated[bytes, Meta(min_length=1984, max_length=1984)]
KemPublic: TypeAlias = Annotated[bytes, Meta(min_length=1216, max_length=1216)]
PlainPublic: TypeAlias = Annotated[bytes, Meta(min_length=32, max_length=32)]
WitnessPublic: TypeAlias = Annotated[bytes, Meta(min_length=32, max_length=1344)]
Role: TypeAlias = Annotated[str, Meta(pattern=r"\A(admin|auditor|field|keyholder|lead)\Z")]
Box: TypeAlias = Annotated[str, Meta(pattern=r"\A(case|alert|audit)\Z")]
Form: TypeAlias = Annotated[str, Meta(pattern=r"\A(case|channel)\Z")]
Loss: TypeAlias = Annotated[str, Meta(pattern=r"\A(left|lost|compromised|replaced)\Z")]
KeyReason: TypeAlias = Annotated[str, Meta(pattern=r"\A(open|members|revoked|age|wrap)\Z")]
Handling: TypeAlias = Annotated[str, Meta(pattern=r"\AH[0-3]\Z")]
Scope: TypeAlias = Annotated[str, Meta(pattern=r"\A(object|case|watch)\Z")]
Step: TypeAlias = Annotated[str, Meta(pattern=r"\A(delivered|read)\Z")]

NO_HASH: Final = bytes(32)  # what version 1 of a chain names as the one before
NO_NET: Final = bytes(32)  # what root version 1 names: the network is the hash of its payload


class Part(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A piece of a statement: an array of its own."""


class Head(Part, frozen=True):
    """Size and root of a log, as the author of a statement had checked it."""

    size: Count
    root: Hash


class DeviceWrap(Part, frozen=True):
    """Names the wrap that hands a key to one device: only this hash counts."""

    device: Id
    hash: Hash


class NodeWrap(Part, frozen=True):
    """Names the wrap that hands a key to a mailbox of a node, in a generation of it."""

    node: NodeName
    gen: Number
    hash: Hash


class LeftOut(Part, frozen=True):
    """Who gets no wrap and why; each reader checks the reason again."""

    who: Text
    reason: Annotated[str, Meta(pattern=r"\A(suspended|expired|unusable-key|no-holder)\Z")]


class Member(Part, frozen=True):
    """A node of a case and the version of the case that brought it in."""

    node: NodeName
    since: Number


class SealedReason(Part, frozen=True):
    """The salt and text of a reason, sealed to the audit mailbox of a node."""

    node: NodeName
    gen: Number
    sealed: Annotated[bytes, Meta(max_length=8192)]


class Statement(Part, frozen=True):
    """What all kinds begin with."""

    suite: int
    net: Hash
    kind: str
    nonce: Id


class Authority(Statement, frozen=True):
    """A leaf of the authority log. ``prev`` is the SHA-256 of the chain's last envelope."""

    version: Number
    prev: Hash
    seen: Head


class Root(Authority, frozen=True):
    """The rules of the network, by a threshold of independent keys. Times in seconds."""

    name: Text
    origin: Text
    keys: Annotated[tuple[SignPublic, ...], Meta(min_length=1, max_length=16)]
    threshold: Number
    log_key: PlainPublic
    tls_pins: Annotated[tuple[Hash, ...], Meta(min_length=1, max_length=4)]
    witnesses: Annotated[tuple[WitnessPublic, ...], Meta(max_length=32)]
    quorum: Count
    suite_min: Number
    max_stale: Number
    expires: Number


class Node(Authority, frozen=True):
    """A node and its admins' keys. The root admits it and can never replace its keys."""

    node: NodeName
    title: Text
    code: NodeCode
    admins: Annotated[tuple[SignPublic, ...], Meta(min_length=1, max_length=12)]
    threshold: Number
    expires: Number


class Suspend(Authority, frozen=True):
    """Takes a node out of force for good; it comes back under a new name."""

    node: NodeName
    reason: Code


class Device(Authority, frozen=True):
    """One officer on one machine: signed by the admins of the node and by itself."""

    node: NodeName
    device: Id
    officer: Annotated[str, Meta(pattern=r"\A(o-[0-9a-f]{4,8})?\Z")]
    roles: Annotated[tuple[Role, ...], Meta(max_length=5)]
    sign: SignPublic
    auth: PlainPublic
    kem: KemPublic
    starts: Count
    expires: Number


class Revoke(Authority, frozen=True):
    """Ends a device at once. ``since`` is the activity index from which it is doubted."""

    node: NodeName
    device: Id
    reason: Loss
    since: Count | None


class Mailbox(Authority, frozen=True):
    """A generation (``version``) of a receiving key of a node, handed to its holders."""

    node: NodeName
    box: Box
    device: Id
    kem: KemPublic
    key_id: Hash
    wraps: Annotated[tuple[DeviceWrap, ...], Meta(max_length=2000)]
    left_out: Annotated[tuple[LeftOut, ...], Meta(max_length=2000)]
    link: Annotated[bytes, Meta(max_length=256)]


class View(Authority, frozen=True):
    """Lets a device see the cores of entries of a node, or of all (``of`` is empty).

    Those made in ``[since, upto)``; 0 is without end. An ``expires`` of 0 takes it back.
    """

    of: Whose
    node: NodeName
    device: Id
    since: Time
    upto: Time
    expires: Time


class Activity(Statement, frozen=True):
    """What a device does in a case. Both numbers have no gaps, so omissions show."""

    case: Id
    node: NodeName
    device: Id
    device_n: Number
    case_n: Number
    authority: Head
    activity: Head


class Case(Activity, frozen=True):
    """A version of a case: its members, the owner first. The title is sealed."""

    version: Number
    prev: Hash
    form: Form
    number: Text
    members: Annotated[tuple[Member, ...], Meta(min_length=1, max_length=256)]
    title: Annotated[bytes, Meta(max_length=2048)]
    retain_until: Count


class CaseKey(Activity, frozen=True):
    """A generation of the key of a case, covering exactly the members in force."""

    gen: Number
    prev: Hash
    case_version: Number
    key_id: Hash
    mailboxes: Annotated[tuple[NodeWrap, ...], Meta(max_length=256)]
    devices: Annotated[tuple[DeviceWrap, ...], Meta(max_length=2000)]
    left_out: Annotated[tuple[LeftOut, ...], Meta(max_length=256)]
    link: Annotated[bytes, Meta(max_length=256)]
    reason: KeyReason


class Assign(Activity, frozen=True):
    """Hands an existing generation to devices of the keyholder's own node."""

    gen: Number
    devices: Annotated[tuple[DeviceWrap, ...], Meta(min_length=1, max_length=2000)]


class Object(Activity, frozen=True):
    """One sealed thing in a case: a message or a file.

    ``unwitnessed``: an alert whose author had found no log that was seen lately.
    """

    object: Id
    prev: Hash
    case_version: Number
    gen: Number
    case_head: Hash
    created_at: Count
    reply_to: Id | None
    supersedes: Id | None
    expires: Count
    handling: Handling
    file: bool
    cover: Annotated[bytes, Meta(max_length=4096)]
    body_size: Count
    body_root: Hash
    unwitnessed: bool


class Access(Activity, frozen=True):
    """Purpose and legal basis of an officer; what releases content keys.

    One access names one case: a watch over several channels is one entry in each, so
    that the owner of a channel does not learn the others.
    """

    scope: Scope
    object: Id | None
    starts: Count
    until: Count
    purpose: Code
    basis: Code
    emergency: bool
    detail: Hash
    reasons: Annotated[tuple[SealedReason, ...], Meta(max_length=2)]


class Ack(Activity, frozen=True):
    """How far an object got at the node of the author of this statement."""

    object: Id
    step: Step


class Caseless(Statement, frozen=True):
    """What a device does in no case; it counts on in all that the device does."""

    node: NodeName
    device: Id
    device_n: Number
    authority: Head
    activity: Head


class Search(Caseless, frozen=True):
    """What a device looked for in its own vault: in no case, and sealed to its own auditors.

    ``made_at`` is what the device says: it may have been without the broker. An officer's
    search is one statement; automated ones may stand together, ``count`` of them.
    """

    made_at: Count
    automated: bool
    count: Annotated[int, Meta(ge=1, le=64)]
    purpose: Code
    basis: Code
    detail: Hash
    reasons: Annotated[tuple[SealedReason, ...], Meta(max_length=1)]


class Manifest(Caseless, frozen=True):
    """What a node's auditors must have been shown, by one who is shown everything.

    ``visible``: each index in ``[start, upto)`` as how many are left out before it. Nothing is
    said of ``closed`` of these entries: their author was shown no text.
    """

    of: NodeName
    start: Count
    upto: Count
    visible: Annotated[tuple[Count, ...], Meta(max_length=8192)]
    closed: Count


class Release(Statement, frozen=True):
    """Written by the broker before a push: which key went to which devices, and why."""

    case: Id
    object: Id
    node: NodeName
    devices: Annotated[tuple[Id, ...], Meta(min_length=1, max_length=4096)]
    under: Annotated[tuple[Count, ...], Meta(min_length=1, max_length=4096)]


class Denied(Statement, frozen=True):
    """Written by the broker when it refuses for want of a right; ``asked``: what was refused.

    Empty where the request carries no signature: then it is the broker's word.
    """

    node: NodeName
    device: Id
    what: Annotated[str, Meta(pattern=r"\A(access|search|audit)\Z")]
    rule: Code
    case: Id | None
    object: Id | None
    of: Whose | None
    asked: Annotated[bytes, Meta(max_length=32_768)]


class Viewed(Statement, frozen=True):
    """Written by the broker before it shows the cores of ``of``: to which device, of which node."""

    of: Whose
    node: NodeName
    device: Id


class Erased(Statement, frozen=True):
    """Written by the broker before it erases the text of ``count`` readings before ``upto``."""

    upto: Count
    before: Time
    years: Annotated[int, Meta(ge=1, le=100)]
    count: Count


AUTHORITY_KINDS: Final[dict[str, type[Authority]]] = {
    "root": Root, "node": Node, "suspend": Suspend, "device": Device, "revoke": Revoke,
    "mailbox": Mailbox, "view": View,
}  # fmt: skip
ACTIVITY_KINDS: Final[dict[str, type[Activity] | type[Caseless]]] = {
    "case": Case, "casekey": CaseKey, "assign": Assign, "object": Object, "access": Access,
    "ack": Ack, "search": Search, "manifest": Manifest,
}  # fmt: skip
# Written by the broker, unsigned: the checkpoint over the entry is the signature.
BROKER_KINDS: Final[dict[str, type[Statement]]] = {
    "release": Release, "denied": Denied, "erased": Erased, "viewed": Viewed,
}  # fmt: skip
KINDS: Final[dict[str, type[Statement]]] = {**AUTHORITY_KINDS, **ACTIVITY_KINDS, **BROKER_KINDS}


def decode_statement(payload: bytes, kind: str) -> Statement:
    """Return the statement of ``kind`` in ``payload``.

    Raises:
        MalformedError: The bytes are no statement, or one of another kind or suite.
    """
    if kind not in KINDS:
        raise MalformedError(f"there is no statement of the kind {kind!r}", rule="unknown-kind")
    statement = decode(payload, KINDS[kind])
    if statement.kind != kind:
        # A signature for one kind must never count as another (attack 21).
        raise MalformedError(f"expected {kind}, found {statement.kind!r}", rule="wrong-kind")
    if statement.suite != 1:
        raise MalformedError(f"suite {statement.suite} is not known", rule="unknown-suite")
    return statement
