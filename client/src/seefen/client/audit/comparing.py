"""Comparing: what network auditors say that a node must have been shown, with what it was.

A broker that keeps an entry from a node must keep all manifests from it that name the entry:
then the next one does not begin where the last ended, or they are late.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from seefen.client import alarms
from seefen.client.audit.fetching import Fetching
from seefen.client.audit.store import Condition, Store
from seefen.client.engine import Engine
from seefen.client.evidence import FOLDER, accusation, keep_evidence, proved_entry
from seefen.client.findings import Compared
from seefen.client.once import opened
from seefen.protocol.manifest import NETWORK, is_whole, views, visible
from seefen.protocol.statements import Manifest

LATE: Final = 48 * 3600  # seconds


@dataclass(slots=True)
class Found:
    """What is found on the way through the manifests."""

    reached: dict[bytes, int] = field(default_factory=dict[bytes, int])
    by: dict[str, None] = field(default_factory=dict[str, None])
    hidden: dict[int, list[int]] = field(default_factory=dict[int, list[int]])  # by manifest
    broken: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])
    upto: int = 0
    at: int = 0


def compare(engine: Engine, store: Store) -> Compared:
    """Return what the manifests that are here say, beside what this device was shown."""
    found = _through(engine, store)
    now = engine.now()
    auditors = [one for one in views(engine.directory, of=NETWORK, at=now) if is_whole(one)]
    hidden = sorted({index for indices in found.hidden.values() for index in indices})
    return Compared(
        auditors=tuple(dict.fromkeys(_who(engine, one.device) for one in auditors)),
        upto=found.upto,
        at=found.at,
        by=tuple(found.by),
        hidden=tuple(hidden),
        broken=tuple(found.broken),
        notes=tuple(dict.fromkeys(found.notes)),
        late=_late(store, found.upto, now) if auditors else None,
    )


async def accuse(engine: Engine, fetching: Fetching) -> None:
    """Raise the alarm ``manifest-mismatch``, and keep the manifest with its proof as evidence."""
    for index, hidden in _through(engine, fetching.store).hidden.items():
        item = fetching.store.item(index)
        if item is None:
            continue
        author = opened(item.envelope, item.kind).statement
        who = _who(engine, author.device) if isinstance(author, Manifest) else ""
        named = ", ".join(map(str, hidden))
        sentence = (
            f"entry {named} was kept from your node: {who} was shown it, and says so in entry "
            f"{index} (manifest-mismatch)"
        )
        if sentence in (one.sentence for one in alarms.kept(engine.vault)):
            continue  # it stands, or was acknowledged: it is not raised by each look
        engine.alarm(sentence)
        await _keep(engine, fetching, index, hidden, sentence)


async def _keep(
    engine: Engine, fetching: Fetching, index: int, hidden: list[int], sentence: str
) -> None:
    entry, item = await fetching.proof(index), fetching.store.item(index)
    kept = engine.vault.head("activity")
    if entry is None or item is None or kept is None:
        return  # the broker is away: the alarm stands without
    proved = proved_entry(index, entry.record, entry.proof, kept[1])
    value = accusation(
        "manifest-mismatch", sentence, engine.trust.root.log_key, [kept[1]], [proved]
    )
    sql = "SELECT record FROM record WHERE idx = ?"
    records = {one: engine.vault.one(sql, one) for one in hidden}
    value["manifest"] = item.envelope.hex()
    value["core"] = entry.core.decode()
    value["salt"] = entry.salt.hex()
    value["hidden"] = [
        {"index": one, "record": "" if row is None else row[0].hex()}
        for one, row in records.items()
    ]
    keep_evidence(engine.home / FOLDER, f"manifest-mismatch-{index}.json", value)


def _through(engine: Engine, store: Store) -> Found:
    found = Found()
    about: tuple[Condition, ...] = (
        (("act", "manifest"),), (("proved", "yes"),), (("recipient", engine.node),),
    )  # fmt: skip
    for facts in store.each(about):
        item = store.item(facts.idx)
        manifest = None if item is None else opened(item.envelope, item.kind).statement
        if not isinstance(manifest, Manifest):
            continue
        who = _who(engine, manifest.device)
        expected = found.reached.get(manifest.device, 0)
        if manifest.start != expected:
            found.broken.append(
                f"a manifest of {who} is kept from your node: the one in entry {facts.idx} begins "
                f"at {manifest.start}, and the one before ended at {expected}"
            )
        found.reached[manifest.device] = manifest.upto
        found.by[who] = None
        found.upto, found.at = max(found.upto, manifest.upto), facts.at // 1000
        _judge(engine, store, manifest, facts.idx, found)
    return found


def _judge(engine: Engine, store: Store, manifest: Manifest, index: int, found: Found) -> None:
    sql = "SELECT idx FROM audited WHERE idx >= ? AND idx < ?"
    shown = {row[0] for row in store.run(sql, manifest.start, manifest.upto)}
    for one in visible(manifest):
        if one in shown:
            continue
        if _is_none_of_ours(engine, one):
            found.notes.append(f"entry {index} names entry {one}, which is none of your node's")
        else:
            found.hidden.setdefault(index, []).append(one)


def _is_none_of_ours(engine: Engine, index: int) -> bool:
    """Tell whether this device knows, as a member of its case, that an entry is not for it."""
    row = engine.vault.one("SELECT case_id, device FROM entry WHERE idx = ?", index)
    state = None if row is None else engine.trust.state(row[0])
    if row is None or state is None:
        return False
    return engine.node not in (state.owner, engine.directory.device(row[1]).node)


def _late(store: Store, upto: int, now: int) -> int | None:
    first = next(_from(store, upto), None)
    return None if first is None or first[1] // 1000 > now - LATE else first[0]


def _from(store: Store, index: int) -> Iterator[tuple[int, int]]:
    sql = "SELECT idx, at FROM audited WHERE idx >= ? AND at > 0 ORDER BY idx LIMIT 1"
    yield from store.run(sql, index)


def _who(engine: Engine, device: bytes) -> str:
    certificate = engine.directory.device(device)
    return f"{certificate.officer or device.hex()[:8]} of {certificate.node}"
