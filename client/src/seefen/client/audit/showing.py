"""One entry whole: every field, where it stands, and who may know what of it."""

from collections.abc import Iterator

from seefen.client.audit.erasing import retained
from seefen.client.audit.fetching import Fetching
from seefen.client.audit.rowing import case_name, row_of_entry
from seefen.client.engine import Engine
from seefen.client.findings import EntryView
from seefen.client.once import opened
from seefen.protocol.errors import RefusedError
from seefen.protocol.ledger.record import Core, decode_core
from seefen.protocol.ledger.tree import leaf_hash
from seefen.protocol.manifest import NETWORK, views
from seefen.protocol.receipt import Entry
from seefen.protocol.statements import Access, Search


async def proof_of(fetching: Fetching, index: int) -> Entry | None:
    """Return an entry with a proof under the newest head, checked; None: the broker is away.

    Raises:
        RefusedError: rule ``unknown-entry``: none that this node may see.
    """
    entry = await fetching.proof(index)
    if entry is None and fetching.store.one(index) is None:
        raise RefusedError(
            f"entry {index} is none your node may see: 'seefen audit list --op all' lists those",
            rule="unknown-entry",
        )
    return entry


def entry_view(engine: Engine, fetching: Fetching, index: int, entry: Entry | None) -> EntryView:
    """Return everything this device knows of an entry that is in the store."""
    store, head = fetching.store, engine.trust.head("activity")
    facts, item = store.one(index), store.item(index)
    if facts is None or item is None:
        raise RefusedError(f"entry {index} is not known here", rule="unknown-entry")
    row = row_of_entry(engine, store, facts, head.size)
    core = decode_core(item.entry.core) if item.entry.core and facts.act else None
    witnessed = engine.witnessed.newest("activity") if row.cosigned else None
    return EntryView(
        row=row,
        fields={} if core is None else _fields(core),
        record=item.entry.record.hex(),
        leaf=leaf_hash(item.entry.record).hex(),
        proof=() if entry is None else tuple(one.hex() for one in entry.proof),
        root=head.root.hex(),
        head=head.size,
        knows=()
        if core is None or facts.problem
        else tuple(_knows(engine, core, item.envelope, _owner(engine, fetching, core))),
        quorum=engine.directory.root.quorum,
        named=len(engine.directory.root.witnesses),
        by=() if witnessed is None else witnessed.by,
        kept_until=retained(engine.vault, item.kind, row.at) if core is not None else 0,
    )


def _viewers(engine: Engine, entitled: list[str], at: int) -> list[tuple[str, str]]:
    """Return who is let look at an entry of these nodes that was made at ``at`` (unix s)."""
    found: list[tuple[str, str]] = []
    for view in views(engine.directory, at=engine.now()):
        inside = view.since <= at and (at < view.upto or not view.upto)
        if inside and view.of in (NETWORK, *entitled):
            who = f"{engine.directory.device(view.device).officer} of {view.node}"
            role = "guest" if view.of else "network auditor"
            found.append((f"{who}, {role}", "all fields below"))
    return list(dict.fromkeys(found))


def _fields(core: Core) -> dict[str, str]:
    return {name: _written(getattr(core, name)) for name in core.__struct_fields__}


def _written(value: str | int | tuple[str | int, ...]) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _owner(engine: Engine, fetching: Fetching, core: Core) -> str:
    """Return whose case an entry is about; empty: nobody's, or this device cannot know it."""
    state = engine.trust.state(bytes.fromhex(core.case)) if core.case else None
    if state is not None or not core.case:
        return "" if state is None else state.owner
    if fetching.of and core.node != fetching.of:
        return fetching.of  # a guest is shown what others did because the case is his host's
    changes = fetching.store.each(((("case_id", core.case),), (("act", "case"),)))
    first = next(changes, None)
    return "" if first is None else first.node


def _knows(engine: Engine, core: Core, envelope: bytes, owner: str) -> list[tuple[str, str]]:
    """Return who may know what of an entry: nodes and roles, never persons."""
    entitled = list(dict.fromkeys(filter(None, (core.node, owner))))
    return [
        ("every node", "that there is an entry at this place, and nothing of it"),
        ("the broker", "all fields below; no reason, no query, no content"),
        *((f"auditors and admins of {node}", "all fields below") for node in entitled),
        *_viewers(engine, entitled, core.at // 1000),
        *(_of_case(engine, core, owner) if core.case else ()),
        *_of_reason(core, envelope, entitled),
    ]


def _of_case(engine: Engine, core: Core, owner: str) -> Iterator[tuple[str, str]]:
    """Yield who may know of an entry because of its case; who is no member cannot name them."""
    state = engine.trust.state(bytes.fromhex(core.case))
    whose = owner or "the node"
    if not owner:
        yield "auditors and admins of the node whose case it is", "all fields below"
    members = f" ({', '.join(state.members)})" if state is not None else ""
    yield (
        f"members of {case_name(engine, core.case)}{members}",
        f"that a device of {core.node} made an entry of this kind, and not who",
    )
    if core.act in ("access", "release", "denied"):
        yield (
            f"leads and keyholders of {whose}, whose case it is",
            "all fields below: 'seefen audit case'",
        )


def _of_reason(core: Core, envelope: bytes, entitled: list[str]) -> Iterator[tuple[str, str]]:
    """Yield who may read why, or what for: to whom it was sealed."""
    what = {"access": "the reason", "search": "what was looked for"}.get(core.act)
    if what is None:
        return
    if not envelope:  # under a view nothing but the core is shown
        nodes = entitled if core.act == "access" else [core.node]
        yield from ((f"auditors of {node}", f"{what}, if it was sealed to them") for node in nodes)
        return
    statement = opened(envelope, core.act).statement
    reasons = statement.reasons if isinstance(statement, Access | Search) else ()
    sealed = list(dict.fromkeys(reason.node for reason in reasons))
    yield from ((f"auditors of {node}", what) for node in sealed)
    if not sealed:
        yield "nobody", f"{what}: the node had no auditors"
