"""Comparing: what network auditors say that a node must have been shown, with what it was.

A broker that keeps an entry from a node must keep all manifests from it that name the entry:
then the next one does not begin where the last ended, or they are late.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from seefen.client import alarms
from seefen.client.audit.fetching import Fetching
from seefen.client.audit.lateness import late
from seefen.client.audit.store import Condition, Store
from seefen.client.compared import Compared, entries
from seefen.client.engine import Engine
from seefen.client.evidence import FOLDER, accusation, keep_evidence, proved_entry
from seefen.client.once import opened
from seefen.client.wording import counted
from seefen.protocol.manifest import NETWORK, is_whole, views, visible
from seefen.protocol.statements import Erased, Manifest


@dataclass(slots=True)
class Found:
    """What is found on the way through the manifests, by the device that wrote them."""

    reached: dict[bytes, int] = field(default_factory=dict[bytes, int])
    closed: dict[bytes, int] = field(default_factory=dict[bytes, int])
    unexplained: dict[bytes, int] = field(default_factory=dict[bytes, int])
    hidden: dict[int, list[int]] = field(default_factory=dict[int, list[int]])  # by manifest
    author: dict[int, bytes] = field(default_factory=dict[int, bytes])
    broken: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])
    at: int = 0


def compare(engine: Engine, store: Store) -> Compared:
    """Return what the manifests that are here say, beside what this device was shown."""
    found = _through(engine, store)
    auditors = {
        one.device: _who(engine, one.device)
        for one in views(engine.directory, of=NETWORK, at=engine.now())
        if is_whole(one)
    }
    told = {one: upto for one, upto in found.reached.items() if one in auditors} or found.reached
    answered = [one.sentence for one in alarms.kept(engine.vault) if one.acknowledged]
    hidden, settled, accusers = set[int](), set[int](), dict[str, None]()
    for index, indices in found.hidden.items():
        who = _who(engine, found.author[index])
        if _was_said(answered, who, index):
            settled.update(indices)
            continue
        hidden.update(indices)
        accusers[who] = None
    return Compared(
        auditors=tuple(dict.fromkeys(auditors.values())),
        upto=min(told.values(), default=0),
        at=found.at,
        by=tuple(dict.fromkeys(_who(engine, one) for one in found.reached)),
        hidden=tuple(sorted(hidden)),
        accusers=tuple(accusers),
        settled=tuple(sorted(settled - hidden)),
        broken=tuple(one for one in found.broken if one not in answered),
        notes=tuple(dict.fromkeys(found.notes)),
        closed=tuple(_closed(engine, found)),
        unexplained=sum(found.unexplained.values()),
        late=tuple(
            one
            for device, who in auditors.items()
            if (one := late(engine, store, device, who, found.reached.get(device, 0)))
        ),
    )


async def accuse(engine: Engine, fetching: Fetching) -> None:
    """Ask once more for what manifests name and was not shown, and raise ``manifest-mismatch``.

    An alarm, once raised, is not raised by each look: it stands, or was acknowledged. The
    manifest is kept with its proof.
    """
    named, after = dict[int, list[int]](), _through(engine, fetching.store)
    # A manifest that was hidden, too, names more.
    while new := {one: found for one, found in after.hidden.items() if one not in named}:
        named |= new
        ends = [end for found in new.values() for end in (found[0], found[-1])]
        await fetching.again(min(ends), max(ends) + 1)
        after = _through(engine, fetching.store)
    said = [one.sentence for one in alarms.kept(engine.vault)]
    for sentence in after.broken:
        if sentence not in said:
            engine.alarm(sentence)
    for index, indices in named.items():
        who = _who(engine, after.author[index])
        if _was_said(said, who, index):
            continue
        hidden = after.hidden.get(index, [])
        if tardy := [one for one in indices if one not in hidden]:
            # Else a broker could hide all, and show what happens to be named.
            engine.alarm(
                f"{entries(tardy)} was shown to your node only when asked for once more: {who} "
                f"named it in entry {index} (manifest-mismatch)"
            )
        if hidden:
            sentence = (
                f"{_says(who, index)} {entries(hidden)}, and it was not: telephone {who}, who "
                "can show you the text (manifest-mismatch)"
            )
            engine.alarm(sentence)
            await _keep(engine, fetching, index, hidden, sentence)


def unexplained(engine: Engine, store: Store) -> Iterator[tuple[str, Path | None]]:
    """Yield the alarms about manifests that nobody has acknowledged, each with its evidence."""
    found = _through(engine, store)
    for sentence in alarms.unanswered(engine.vault):
        if sentence in found.broken:
            yield sentence, None
        for index in found.author:
            if f" in entry {index} " in sentence and "(manifest-mismatch)" in sentence:
                path = engine.home / FOLDER / _evidence(index)
                yield sentence, path if path.exists() else None


def _says(who: str, index: int) -> str:
    return f"{who} says in entry {index} that your node must have been shown"


def _was_said(sentences: list[str], who: str, index: int) -> bool:
    """Tell whether an alarm was raised for a manifest; of what it names ever less is missing."""
    return any(one.startswith(_says(who, index)) for one in sentences)


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
    keep_evidence(engine.home / FOLDER, _evidence(index), value)


def _evidence(index: int) -> str:
    return f"manifest-mismatch-{index}.json"


def _through(engine: Engine, store: Store) -> Found:
    found = Found()
    about: tuple[Condition, ...] = (
        (("act", "manifest"),), (("proved", "yes"),), (("recipient", engine.node),),
    )  # fmt: skip
    erased = [*_erased(store)]
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
        found.author[facts.idx] = manifest.device
        found.at = facts.at // 1000
        _count(manifest, erased, found)
        _judge(engine, store, manifest, facts.idx, found)
    return found


def _erased(store: Store) -> Iterator[tuple[int, Erased]]:
    """Yield what the log says was erased, each with the place where it says so."""
    for facts in store.each(((("act", "erased"),), (("proved", "yes"),))):
        item = store.item(facts.idx)
        statement = None if item is None else opened(item.envelope, item.kind).statement
        if isinstance(statement, Erased):
            yield facts.idx, statement


def _count(manifest: Manifest, erased: list[tuple[int, Erased]], found: Found) -> None:
    """Count what a manifest says nothing of, and what of it was not erased when it was made."""
    most = sum(
        min(one.count, max(0, min(manifest.upto, one.upto) - manifest.start))
        for index, one in erased
        if index < manifest.activity.size
    )
    by = manifest.device
    found.closed[by] = found.closed.get(by, 0) + manifest.closed
    found.unexplained[by] = found.unexplained.get(by, 0) + max(0, manifest.closed - most)


def _closed(engine: Engine, found: Found) -> Iterator[str]:
    for device, count in found.closed.items():
        which = counted(count, "entry", "entries")
        said = f"{_who(engine, device)} had no text of {which}"
        if strange := found.unexplained[device]:
            yield f"{said}, {strange} of them NOT ERASED by what the log says: ask what it was"
        elif count:
            yield f"{said}, erased before"


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
    """Tell whether this device was shown, as a member of its case, that an entry is not for it."""
    # A stub is the broker's word alone, and would take whatever it hides out of every manifest.
    sql = "SELECT case_id, device FROM entry WHERE idx = ? AND envelope IS NOT NULL"
    row = engine.vault.one(sql, index)
    state = None if row is None else engine.trust.state(row[0])
    if row is None or state is None:
        return False
    return engine.node not in (state.owner, engine.directory.device(row[1]).node)


def _who(engine: Engine, device: bytes) -> str:
    certificate = engine.directory.device(device)
    return f"{certificate.officer or device.hex()[:8]} of {certificate.node}"
