"""Entries of the activity log: the core the broker writes about a statement, and its record.

The broker knows only what stands openly in a statement; what an entry says beyond that,
the detail, is a commitment by the device. The format is ``docs/spec/ledger.md``, 4 and 5.
"""

from typing import Final

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
    Denied,
    Object,
    Release,
    Search,
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
    "ack": "collect",
    "case": "alter",
}
NO_CASE: Final = b""  # of a search, which stands in no case: no node is a member of it
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
    layer: Layer, opened: Opened, statement: Activity | Search, act: Act, *, tag: bytes
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
    text, salt, record, detail_salt = _commit(layer, core, tag, act.detail)
    return LeafRow(
        layer.activity_size,
        record,
        text,
        salt,
        detail_salt,
        statement.kind,
        case,
        statement.node,
        statement.device,
        statement.device_n,
        case_n,
        act.object,
        opened.hash,
        opened.envelope,
    )


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
    text, salt, record, detail_salt = _commit(layer, core, b"", None)
    return LeafRow(
        layer.activity_size,
        record,
        text,
        salt,
        detail_salt,
        "release",
        release.case,
        release.node,
        None,
        None,
        None,
        release.object,
        hash_,
        envelope,
    )


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
    text, salt, record, detail_salt = _commit(layer, core, b"", detail)
    return LeafRow(
        layer.activity_size,
        record,
        text,
        salt,
        detail_salt,
        "denied",
        denied.case or NO_CASE,
        denied.node,
        denied.device,
        None,
        None,
        denied.object,
        hash_,
        envelope,
    )


def erased_entry_of(layer: Layer, envelope: bytes) -> LeafRow:
    """Return the entry that readings are erased, which the broker makes by itself."""
    hash_ = sha256(envelope)
    core = Core(
        act="erased", at=layer.at, op="erase", node="", device="", officer="", case="", case_n=0,
        device_n=0, object="", n=0, to=(), purpose="", basis="", emergency=0, req=hash_.hex(),
        under=(), outcome="ok",
    )  # fmt: skip
    text, salt, record, detail_salt = _commit(layer, core, b"", None)
    opened = (record, text, salt, detail_salt)
    nobody = (None, None, None, None)
    return LeafRow(layer.activity_size, *opened, "erased", NO_CASE, "", *nobody, hash_, envelope)


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


def _commit(
    layer: Layer, core: Core, tag: bytes, detail: bytes | None
) -> tuple[bytes, bytes, bytes, bytes | None]:
    text, salt = encode_core(core), random_bytes(SALT)
    detail_salt = None
    if detail is None:
        # Never zeros: the log must not tell which entries have a reason (attack 34).
        detail_salt = random_bytes(SALT)
        detail = commit(detail_salt, b"")
    record = Record(
        layer.directory.size, tag or random_bytes(TAG), commit(salt, text), detail
    ).encode()
    return text, salt, record, detail_salt
