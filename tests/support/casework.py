"""Cases in a network in memory: what officers sign, ready to be sent.

Each function returns what a client would send now and changes nothing but the store of
keys; :meth:`Network.take` (after the broker has recorded it) moves the numbers on.
"""

from typing import Any

from msgspec.structs import replace

from seefen.protocol.access import Reason, commit_reason, seal_reason
from seefen.protocol.bundle import Bundle, Content, Signed
from seefen.protocol.case import BOX_OF, Generation, Last, members_after
from seefen.protocol.envelope import open_envelope, sign
from seefen.protocol.frames import Ask
from seefen.protocol.keys import CASE_DEVICE, CASE_NODE, link_next_key, wrap_case_key
from seefen.protocol.ledger.tree import EMPTY_ROOT
from seefen.protocol.manifest import as_gaps
from seefen.protocol.objects import new_content_key, seal_cover, seal_message, wrap_content_key
from seefen.protocol.search import Account, Sought, seal_account
from seefen.protocol.statements import (
    NO_HASH,
    Access,
    Ack,
    Activity,
    Assign,
    Case,
    CaseKey,
    DeviceWrap,
    Head,
    LeftOut,
    Mailbox,
    Manifest,
    Member,
    NodeWrap,
    Object,
    Search,
)
from seefen.protocol.suite import SUITE, key_commitment, new_id, random_bytes, sha256, tag
from tests.support.network import Machine, Network

EMPTY = Head(0, EMPTY_ROOT)


def open_case(
    network: Network,
    by: Machine,
    *partners: str,
    form: str = "case",
    number: str = "",
    serial: int = 1,
) -> tuple[bytes, Bundle]:
    """Return the id of a new case (or channel) and the bundle that opens it."""
    case = new_id()
    code = network.directory.node(by.node).code
    statement = Case(
        **_numbers(network, by, "case", case),
        version=1,
        prev=NO_HASH,
        form=form,
        number=number or (f"SF-2026-{code}-{serial:05}" if form == "case" else f"channel-{serial}"),
        members=tuple(Member(node, 1) for node in (by.node, *partners)),
        title=b"a sealed title",
        retain_until=0,
    )
    signed = Signed("case", sign(statement, by.sign), b"")
    key, wraps = _case_key(network, by, statement, (), reason="open", ahead=1)
    return case, Bundle((signed, key), wraps, ())


def change_members(
    network: Network,
    by: Machine,
    case: bytes,
    *,
    add: tuple[str, ...] = (),
    remove: tuple[str, ...] = (),
    link: bool = True,
) -> Bundle:
    """Return the bundle with the next version of a case and its key.

    Without ``link`` nobody walks on from the key before, as after any loss.
    """
    state = network.cases[case]
    statement = replace(
        state.head,
        **_numbers(network, by, "case", case),
        version=state.version + 1,
        prev=state.case_hash,
        members=members_after(state, add=add, remove=remove),
    )
    old = network.keys[case, len(state.generations)]
    mark = tag(old, "case", case, b"", statement.version)
    signed = Signed("case", sign(statement, by.sign), mark)
    link = link and not remove
    key, wraps = _case_key(
        network, by, statement, state.generations, reason="members", ahead=1, link=link
    )
    return Bundle((signed, key), wraps, ())


def renew_key(network: Network, by: Machine, case: bytes, reason: str = "age") -> Bundle:
    """Return the bundle with the next generation of the key of a case."""
    state = network.cases[case]
    key, wraps = _case_key(network, by, state.head, state.generations, reason=reason)
    return Bundle((key,), wraps, ())


def assign(network: Network, by: Machine, case: bytes, *to: Machine) -> Bundle:
    """Return the bundle in which a keyholder hands the newest key to machines of his node."""
    generation = network.cases[case].generation
    key = network.keys[case, generation.gen]
    wraps = {
        machine.device: wrap_case_key(
            key,
            machine.kem.public,
            generation.statement,
            purpose=CASE_DEVICE,
            author=by.device,
        )
        for machine in to
    }
    statement = Assign(
        **_numbers(network, by, "assign", case),
        gen=generation.gen,
        devices=tuple(DeviceWrap(device, sha256(wrap)) for device, wrap in wraps.items()),
    )
    return Bundle((_sign(network, by, statement),), tuple(wraps.values()), ())


def message(
    network: Network,
    by: Machine,
    case: bytes,
    body: bytes = b"a body",
    *,
    cover: bytes = b"a cover",
) -> Bundle:
    """Return the bundle with one message."""
    obj = _object(network, by, case)
    key = network.keys[case, obj.gen]
    complete, content = seal_message(obj, key, cover=cover, body=body)
    return Bundle((_sign(network, by, complete),), (), (content,))


def with_object_id(network: Network, by: Machine, case: bytes, object_: bytes) -> Bundle:
    """Return a message whose object has an id that was used before."""
    bare = replace(_object(network, by, case), object=object_)
    complete, content = seal_message(
        bare, network.keys[case, bare.gen], cover=b"a cover", body=b"another body"
    )
    return Bundle((_sign(network, by, complete),), (), (content,))


def count(network: Network, by: Machine, bundle: Bundle) -> None:
    """Move the numbers of a machine on past a message, without what others wrote before.

    For tests in which many write at once: each can go on without waiting for the rest.
    """
    opened = open_envelope(bundle.statements[0].envelope, "object")
    statement = opened.statement
    assert isinstance(statement, Object)
    state = network.cases[statement.case]
    numbers = {**state.numbers, by.device: Last(statement.case_n, opened.hash)}
    network.cases[statement.case] = replace(state, numbers=numbers)
    by.device_n = statement.device_n


def file(network: Network, by: Machine, case: bytes, *, root: bytes, size: int) -> Bundle:
    """Return the bundle of a file whose sealed parts have this root and size."""
    bare = replace(_object(network, by, case), file=True, body_size=size, body_root=root)
    key = network.keys[case, bare.gen]
    obj = replace(bare, cover=seal_cover(bare, key, b"a cover"))
    content = Content(obj.object, wrap_content_key(obj, key, new_content_key()), b"")
    return Bundle((_sign(network, by, obj),), (), (content,))


def access(
    network: Network,
    by: Machine,
    case: bytes,
    *objects: bytes,
    scope: str = "object",
    seconds: int = 3600,
    starts: int = 0,
    seen: int = 0,
    reason: Reason | None = None,
) -> Ask:
    """Return an access that asks for ``objects``."""
    reason = reason or commit_reason("")
    audits = audit_mailboxes(network, by.node, network.cases[case].owner)
    statement = Access(
        **_numbers(network, by, "access", case),
        scope=scope,
        object=objects[0] if scope == "object" else None,
        starts=starts,
        until=network.at + seconds,
        purpose="tracing",
        basis="national-law",
        emergency=False,
        detail=reason.detail,
        reasons=seal_reason(reason, case=case, device=by.device, audits=audits),
    )
    signed = _sign(network, by, statement)
    return Ask(signed.envelope, signed.tag, objects, seen)


def audit_mailboxes(network: Network, *nodes: str) -> tuple[Mailbox, ...]:
    """Return the audit mailboxes to which a reason is sealed."""
    found = (network.directory.mailbox(node, "audit") for node in dict.fromkeys(nodes))
    return tuple(mailbox for mailbox in found if mailbox is not None)


def ack(network: Network, by: Machine, case: bytes, obj: bytes, step: str = "delivered") -> Bundle:
    """Return the bundle that says how far an object got."""
    statement = Ack(**_numbers(network, by, "ack", case), object=obj, step=step)
    return Bundle((_sign(network, by, statement),), (), ())


def _object(network: Network, by: Machine, case: bytes) -> Object:
    state = network.cases[case]
    last = state.last(by.device)
    return Object(
        **_numbers(network, by, "object", case),
        object=new_id(),
        prev=NO_HASH if last.case_n == 0 or last.object_hash is None else last.object_hash,
        case_version=state.version,
        gen=state.generation.gen,
        case_head=state.case_hash,
        created_at=network.at,
        reply_to=None,
        supersedes=None,
        expires=0,
        handling="H1",
        file=False,
        cover=b"",
        body_size=0,
        body_root=bytes(32),
        unwitnessed=False,
    )


def search(
    network: Network, by: Machine, *queries: str, automated: bool = False, **changes: Any
) -> Bundle:
    """Return a bundle with a search, sealed to the auditors of the machine's node."""
    sought = tuple(Sought(network.at, "words", query, 1) for query in queries or ("milosh",))
    audit = network.directory.mailbox(by.node, "audit")
    detail, reasons = seal_account(Account("", sought), device=by.device, audit=audit)
    statement = Search(
        SUITE, network.net, "search", new_id(), by.node, by.device, by.device_n + 1,
        network.directory.head(), EMPTY,
        made_at=network.at,
        automated=automated,
        count=len(sought),
        purpose="cross-check" if automated else "trace",
        basis="pcc-see",
        detail=detail,
        reasons=reasons,
    )  # fmt: skip
    envelope = sign(replace(statement, **changes), by.sign)
    return Bundle((Signed("search", envelope, random_bytes(16)),), (), ())


def manifest(
    network: Network, by: Machine, of: str, upto: int, *indices: int, start: int = 0, **changes: Any
) -> Bundle:
    """Return a bundle with a manifest of a node's entries up to ``upto``."""
    statement = Manifest(
        SUITE, network.net, "manifest", new_id(), by.node, by.device, by.device_n + 1,
        network.directory.head(), Head(max(upto, network.index), EMPTY_ROOT),
        of=of, start=start, upto=upto, visible=as_gaps(start, indices), closed=0,
    )  # fmt: skip
    envelope = sign(replace(statement, **changes), by.sign)
    return Bundle((Signed("manifest", envelope, random_bytes(16)),), (), ())


def _case_key(
    network: Network,
    by: Machine,
    head: Case,
    generations: tuple[Generation, ...],
    *,
    reason: str,
    ahead: int = 0,
    link: bool = False,
) -> tuple[Signed, tuple[bytes, ...]]:
    """Return the next generation, covering the members that are in force."""
    case, gen = head.case, len(generations) + 1
    key = network.keys[case, gen] = random_bytes(32)
    bare = CaseKey(
        **_numbers(network, by, "casekey", case, ahead=ahead),
        gen=gen,
        prev=generations[-1].hash if generations else NO_HASH,
        case_version=head.version,
        key_id=key_commitment(key, network.net, case, gen),
        mailboxes=(),
        devices=(),
        left_out=(),
        link=b"",
        reason=reason,
    )
    if link:
        bare = replace(bare, link=link_next_key(network.keys[case, gen - 1], key, bare))
    wraps, named = _wrap_for_members(network, by, head, bare, key)
    statement = replace(bare, **named)
    before = network.keys.get((case, gen - 1))
    mark = b"" if before is None else tag(before, "casekey", case, b"", gen)
    return Signed("casekey", sign(statement, by.sign), mark), wraps


def _wrap_for_members(
    network: Network, by: Machine, head: Case, bare: CaseKey, key: bytes
) -> tuple[tuple[bytes, ...], dict[str, Any]]:
    directory, box = network.directory, BOX_OF[head.form]
    wraps: list[bytes] = []
    nodes: list[NodeWrap] = []
    devices: list[DeviceWrap] = []
    left_out: list[LeftOut] = []

    def wrap(public: bytes, purpose: str) -> bytes:
        wraps.append(wrap_case_key(key, public, bare, purpose=purpose, author=by.device))
        return sha256(wraps[-1])

    for node in (member.node for member in head.members):
        away = directory.in_force(node, at=network.at)
        mailbox = directory.mailbox(node, box)
        holders = directory.holders(node, box, at=network.at)
        if away is not None:
            left_out.append(LeftOut(node, away))
        elif mailbox is not None and not directory.mailbox_stale(node, box):
            nodes.append(NodeWrap(node, mailbox.version, wrap(mailbox.kem, CASE_NODE)))
        elif holders:
            devices += [DeviceWrap(h.device, wrap(h.kem, CASE_DEVICE)) for h in holders]
        else:
            left_out.append(LeftOut(node, "no-holder"))
    named = {
        "mailboxes": tuple(nodes),
        "devices": tuple(devices),
        "left_out": tuple(left_out),
    }
    return tuple(wraps), named


def _numbers(
    network: Network, by: Machine, kind: str, case: bytes, *, ahead: int = 0
) -> dict[str, Any]:
    """Return the fields that all activity statements begin with."""
    state = network.cases.get(case)
    case_n = 0 if state is None else state.last(by.device).case_n
    values = (
        *(SUITE, network.net, kind, new_id(), case, by.node, by.device),
        *(by.device_n + 1 + ahead, case_n + 1 + ahead, network.directory.head(), EMPTY),
    )
    return dict(zip(Activity.__struct_fields__, values, strict=True))


def _sign(network: Network, by: Machine, statement: Activity) -> Signed:
    key = network.keys[statement.case, network.cases[statement.case].generation.gen]
    mark = tag(key, statement.kind, statement.case, by.device, statement.case_n)
    return Signed(statement.kind, sign(statement, by.sign), mark)
