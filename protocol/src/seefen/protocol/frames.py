"""Frames of the socket between a device and the broker.

Each WebSocket message is one frame: a CBOR array ``[id, verb, body]``. A device numbers
its requests from 1; the answer carries the same number and the verb ``ok`` or
``problem``; what the broker sends unasked carries 0. ``body`` is CBOR again, of the
type that the table in ``docs/spec/api.md`` gives for the verb.
"""

from typing import Annotated

from msgspec import Meta

from seefen.protocol.receipt import Entry
from seefen.protocol.statements import Count, Hash, Id, Part


class Frame(Part, frozen=True):
    """One message on the socket."""

    id: Count
    verb: Annotated[str, Meta(max_length=16)]
    body: bytes


class Problem(Part, frozen=True):
    """A refusal: RFC 9457 as an array. ``rule`` is the short name of what failed."""

    status: int
    rule: str
    title: str


class Send(Part, frozen=True):
    """A bundle, and the activity size the device knows (for the consistency proof)."""

    bundle: bytes
    seen: Count


class Recorded(Part, frozen=True):
    """Where the statements of a bundle stand; proofs for those in the activity log."""

    authority: tuple[Count, ...]
    entries: tuple[Entry, ...]
    checkpoint: str
    consistency: tuple[Hash, ...]


class Ask(Part, frozen=True):
    """An access statement and the objects whose content keys it asks for."""

    envelope: bytes
    tag: Id
    objects: Annotated[tuple[Id, ...], Meta(max_length=256)]
    seen: Count


class ContentKey(Part, frozen=True):
    """The wrapped content key of an object."""

    object: Id
    key: bytes


class Released(Part, frozen=True):
    """The receipt of an access and the wrapped content keys it released."""

    entry: Entry
    keys: tuple[ContentKey, ...]
    checkpoint: str
    consistency: tuple[Hash, ...]


class FeedFrom(Part, frozen=True):
    """Asks for what comes at or after an activity index, at most ``limit`` entries.

    ``within``: how far of the backlog that is due at ``cursor`` was shown: an index below it.
    """

    cursor: Count
    limit: Annotated[int, Meta(ge=1, le=1000)]
    seen: Count
    within: Count = 0


class Item(Part, frozen=True):
    """An entry a node is to receive: the statement, its wraps and, if small, the body."""

    kind: str
    entry: Entry
    envelope: bytes
    wraps: tuple[bytes, ...]
    body: bytes


class Stub(Part, frozen=True):
    """A statement that is not for this node: enough to see that no number is missing."""

    index: Count
    kind: str
    case: Id
    device: Id
    case_n: Count


class Before(Part, frozen=True):
    """How many objects stand in a case before its node came, beside those of its stubs."""

    case: Id
    objects: Count


class Page(Part, frozen=True):
    """Everything for this node up to (not including) ``upto``.

    ``within`` is not 0 where the page ends inside the backlog that is due at ``upto``.
    ``before`` stands where a backlog ends.
    """

    items: tuple[Item, ...]
    stubs: tuple[Stub, ...]
    upto: Count
    checkpoint: str
    consistency: tuple[Hash, ...]
    within: Count = 0
    before: tuple[Before, ...] = ()


class Push(Part, frozen=True):
    """An item as it happens. With a watch on: its release entry and content key."""

    item: Item
    release: Entry | None
    envelope: bytes
    key: bytes
    checkpoint: str
    consistency: tuple[Hash, ...]


class LogFrom(Part, frozen=True):
    """Asks for leaves of a log from an index on."""

    start: Count
    limit: Annotated[int, Meta(ge=1, le=4096)]
    seen: Count


class CaseFrom(Part, frozen=True):
    """Asks who read what of a case, from an index on: for the node that opened it."""

    case: Id
    start: Count
    limit: Annotated[int, Meta(ge=1, le=4096)]
    seen: Count


class ViewFrom(Part, frozen=True):
    """Asks for the cores of a node's entries, or of all: for who has a view of them."""

    of: Annotated[str, Meta(max_length=40)]
    start: Count
    limit: Annotated[int, Meta(ge=1, le=4096)]
    seen: Count


class AuthorityItem(Part, frozen=True):
    """A leaf of the authority log, with the wraps that are addressed to this device."""

    kind: str
    envelope: bytes
    wraps: tuple[bytes, ...]


class AuthorityPage(Part, frozen=True):
    """Leaves of the authority log from ``start`` on, under a checkpoint."""

    start: Count
    items: tuple[AuthorityItem, ...]
    checkpoint: str
    consistency: tuple[Hash, ...]


class RecordPage(Part, frozen=True):
    """Records (89 bytes each) of the activity log from ``start`` on, under a checkpoint."""

    start: Count
    records: tuple[bytes, ...]
    checkpoint: str
    consistency: tuple[Hash, ...]


class Span(Part, frozen=True):
    """Asks for the consistency proof of a log between two sizes."""

    log: Annotated[str, Meta(pattern=r"\A(authority|activity)\Z")]
    old: Count
    new: Count


class Proof(Part, frozen=True):
    """A consistency proof."""

    hashes: tuple[Hash, ...]


class AuditItem(Part, frozen=True):
    """An entry opened for an auditor: with the statement it is about; a view shows none."""

    kind: str
    entry: Entry
    envelope: bytes


class AuditPage(Part, frozen=True):
    """The entries a node is entitled to see, up to (not including) ``upto``.

    ``years``: for which the text of readings is kept (``ledger.md``, 5.1); 0 is for ever.
    """

    items: tuple[AuditItem, ...]
    upto: Count
    checkpoint: str
    consistency: tuple[Hash, ...]
    years: Annotated[int, Meta(ge=0, le=100)] = 0


class Renew(Part, frozen=True):
    """A new token and a proof for it, so that the socket may live on."""

    token: str
    proof: str


class LogName(Part, frozen=True):
    """Names a log."""

    log: Annotated[str, Meta(pattern=r"\A(authority|activity)\Z")]


class ToCosign(Part, frozen=True):
    """Asks for the head that all witnesses are to cosign now; ``old`` is what one has stored."""

    log: Annotated[str, Meta(pattern=r"\A(authority|activity)\Z")]
    old: Count


class HeadToCosign(Part, frozen=True):
    """A checkpoint, and the proof that it grew from what the witness has stored."""

    checkpoint: str
    consistency: tuple[Hash, ...]


class Cosignatures(Part, frozen=True):
    """The checkpoint again, with the lines of one or more witnesses below."""

    note: str


class Cosigned(Part, frozen=True):
    """How many witnesses have signed this head by now, and how many must."""

    witnesses: Count
    quorum: Count


class WitnessedHead(Part, frozen=True):
    """The newest checkpoint that the quorum has signed, with its lines; empty if there is none."""

    checkpoint: str
