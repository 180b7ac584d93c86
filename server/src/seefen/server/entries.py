"""Entries of the activity log: the core the broker writes about a statement, and its record.

The broker knows only what stands openly in a statement; what an entry says beyond that,
the detail, is a commitment by the device. The format is ``docs/spec/ledger.md``, 4 and 5.
"""

from typing import Final, TypeAlias

from msgspec import Struct

from seefen.protocol.case import CaseState
from seefen.protocol.envelope import Opened
from seefen.protocol.ledger.record import Core, Record, encode_core
from seefen.protocol.statements import (
    Access,
    Ack,
    Activity,
    Assign,
    Case,
    CaseKey,
    Caseless,
    Denied,
    Object,
    Release,
    Search,
    Viewed,
)
from seefen.protocol.suite import commit, random_bytes, sha256
from seefen.server.rows import AccessRow, LeafRow, ObjectFacts
from seefen.server.view import Layer

OPERATIONS: Final = {
    "object": "disclose",
    "casekey": "disclose",
    "assign": "disclose",
    "release": "disclose",
    "access": "consult",
    "search": "consult",
    "manifest": "consult",
    "ack": "collect",
    "case": "alter",
}
NO_CASE: Final = b""  # of what stands in no case: no node is a member of it
Numbers: TypeAlias = tuple[bytes | None, int | None, int | None]
NOBODY: Final[Numbers] = (None, None, None)  # device, its number, its number in the case
SALT: Final = 32
TAG: Final = 16


class Act(Struct, frozen=True, gc=False):
    """What differs from kind to kind in a core."""

    to: tuple[str, ...] = ()
    object: bytes | None = None
    n: int = 0
    purpose: str = ""
    basis: str = ""
    emergency: bool = False
    detail: bytes | None = None


def entry_of(
    layer: Layer, opened: Opened, statement: Activity | Caseless, act: Act, *, tag: bytes
) -> LeafRow:
    """Return the entry of a device's statement, at the end of the log."""
    case, case_n = NO_CASE, None
    if isinstance(statement, Activity):
        case, case_n = statement.case, statement.case_n
    core = Core(
        act=statement.kind,
        at=layer.at,
        op=OPERATIONS[statement.kind],
        node=statement.node,
        device=statement.device.hex(),
        officer=layer.directory.device(statement.device).officer,
        case=case.hex(),
        case_n=case_n or 0,
        device_n=statement.device_n,
        object=act.object.hex() if act.object is not None else "",
        n=act.n,
        to=act.to,
        purpose=act.purpose,
        basis=act.basis,
        emergency=int(act.emergency),
        req=opened.hash.hex(),
        under=(),
        outcome="ok",
    )
    numbers = (statement.device, statement.device_n, case_n)
    signed = (opened.hash, opened.envelope)
    return _leaf(layer, core, signed, case, numbers, act.object, tag=tag, detail=act.detail)


def release_entry_of(layer: Layer, release: Release, envelope: bytes, n: int) -> LeafRow:
    """Return the entry of a release, which the broker makes by itself."""
    hash_ = sha256(envelope)
    core = Core(
        act="release",
        at=layer.at,
        op=OPERATIONS["release"],
        node=release.node,
        device="",
        officer="",
        case=release.case.hex(),
        case_n=0,
        device_n=0,
        object=release.object.hex(),
        n=n,
        to=(release.node,),
        purpose="",
        basis="",
        emergency=0,
        req=hash_.hex(),
        under=release.under,
        outcome="ok",
    )
    return _leaf(layer, core, (hash_, envelope), release.case, NOBODY, release.object)


def denied_entry_of(
    layer: Layer, denied: Denied, envelope: bytes, asked: Access | Search | None
) -> LeafRow:
    """Return the entry of a refusal. It says no more than the refused one knew himself."""
    hash_ = sha256(envelope)
    core = Core(
        act="denied",
        at=layer.at,
        op="consult",
        node=denied.node,
        device=denied.device.hex(),
        officer=layer.directory.device(denied.device).officer,
        case=(denied.case or b"").hex(),
        case_n=0,
        device_n=0,
        object=(denied.object or b"").hex(),
        n=0,
        to=(),
        purpose=asked.purpose if asked is not None else "",
        basis=asked.basis if asked is not None else "",
        emergency=int(isinstance(asked, Access) and asked.emergency),
        req=hash_.hex(),
        under=(),
        outcome=denied.rule,
    )
    detail = None if asked is None else asked.detail
    case, whose = denied.case or NO_CASE, (denied.device, None, None)
    return _leaf(layer, core, (hash_, envelope), case, whose, denied.object, detail=detail)


def viewed_entry_of(layer: Layer, viewed: Viewed, envelope: bytes) -> LeafRow:
    """Return the entry of a look at cores, which the broker makes by itself."""
    hash_, device = sha256(envelope), viewed.device
    core = Core(
        act="viewed", at=layer.at, op="consult", node=viewed.node, device=device.hex(),
        officer=layer.directory.device(device).officer, case="", case_n=0, device_n=0, object="",
        n=0, to=(viewed.of,) if viewed.of else (), purpose="", basis="", emergency=0,
        req=hash_.hex(), under=(), outcome="ok",
    )  # fmt: skip
    return _leaf(layer, core, (hash_, envelope), NO_CASE, (device, None, None), None)


def erased_entry_of(layer: Layer, envelope: bytes) -> LeafRow:
    """Return the entry that readings are erased, which the broker makes by itself."""
    hash_ = sha256(envelope)
    core = Core(
        act="erased", at=layer.at, op="erase", node="", device="", officer="", case="", case_n=0,
        device_n=0, object="", n=0, to=(), purpose="", basis="", emergency=0, req=hash_.hex(),
        under=(), outcome="ok",
    )  # fmt: skip
    return _leaf(layer, core, (hash_, envelope), NO_CASE, NOBODY, None)


def access_row(access: Access, index: int) -> AccessRow:
    """Return what the push needs to know of an access to a whole case."""
    place = (index, access.device, access.case)
    return AccessRow(*place, access.scope, access.starts, access.until)


def act_of(statement: Activity, state: CaseState, layer: Layer, facts: ObjectFacts | None) -> Act:
    """Return what the core says of a statement.

    Args:
        statement: It has passed, and ``state`` is the case after it.
        state: The case after it.
        layer: For the directory.
        facts: Of the object that an access or an ack names.
    """
    match statement:
        case Object():
            readers = state.covered(statement.gen, layer.directory)
            past = statement.unwitnessed
            place = (statement.object, state.object_count)
            return Act(tuple(sorted(readers)), *place, emergency=past)
        case Case():
            return Act(to=tuple(sorted(state.members)))
        case CaseKey():
            return Act(to=tuple(sorted(state.covered_by(statement, layer.directory))))
        case Assign():
            return Act(to=(statement.node,))
        case Access():
            return Act(
                object=statement.object,
                n=facts.n if facts is not None else 0,
                purpose=statement.purpose,
                basis=statement.basis,
                emergency=statement.emergency,
                detail=statement.detail,
            )
        case Ack() if facts is not None:
            return Act((facts.node,), statement.object, facts.n)
        case _:
            raise ValueError(f"no core for {statement.kind}")


def _leaf(
    layer: Layer,
    core: Core,
    signed: tuple[bytes, bytes],
    case: bytes,
    numbers: Numbers,
    object_: bytes | None,
    *,
    tag: bytes = b"",
    detail: bytes | None = None,
) -> LeafRow:
    """Return an entry as it is stored, at the end of the log.

    Args:
        layer: On which it stands.
        core: What it says.
        signed: Hash and bytes of the envelope.
        case: Its id, or :data:`NO_CASE`.
        numbers: Whose it is, with its numbers; :data:`NOBODY` for what no device has made.
        object_: Its id, where it is about one.
        tag: By the author, or drawn.
        detail: The commitment to the reason; of none where there is none.
    """
    text, salt = encode_core(core), random_bytes(SALT)
    detail_salt = None
    if detail is None:
        # Never zeros: the log must not tell which entries have a reason (attack 34).
        detail_salt = random_bytes(SALT)
        detail = commit(detail_salt, b"")
    tag = tag or random_bytes(TAG)
    record = Record(layer.directory.size, tag, commit(salt, text), detail).encode()
    opened = (record, text, salt, detail_salt)
    place = (core.act, case, core.node)
    return LeafRow(layer.activity_size, *opened, *place, *numbers, object_, *signed)
