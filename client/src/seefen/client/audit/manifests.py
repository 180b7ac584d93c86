"""Manifests: a network auditor's word, node by node, of what each must have been shown.

Made from the cores alone, by the one rule of who is shown what (``protocol/manifest.py``).
Where the last one of a node ended stands in the log: nothing else is remembered.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from seefen.client import alarms
from seefen.client.audit.store import Conditions, Store
from seefen.client.audit.viewing import Viewing
from seefen.client.engine import Engine
from seefen.client.findings import Published
from seefen.client.journal import Journal
from seefen.client.sender import Parcel, Sender
from seefen.protocol.envelope import check_signed_by
from seefen.protocol.errors import UntrustedError
from seefen.protocol.frames import AuditPage, LogFrom
from seefen.protocol.ledger.record import Core, decode_core
from seefen.protocol.manifest import MOST, NETWORK, Owners, as_gaps, is_whole, must_see
from seefen.protocol.statements import Manifest

DAY: Final = 86_400  # seconds: each node hears at least once a day
LAST: Final = "manifests/at"
TOGETHER: Final = 16  # in a bundle: one that names 8,192 places has up to 40 KB
_PIECE: Final = 4096  # entries that are looked through at once


class Part(NamedTuple):
    """What one manifest is to say."""

    of: str
    start: int
    upto: int
    indices: Sequence[int]
    closed: int


class Publishing:
    """Publishes manifests, for a device that is shown every entry of the log."""

    def __init__(self, engine: Engine, journal: Journal, sender: Sender) -> None:
        self._engine = engine
        self._sender = sender
        self.view = Viewing(engine, journal, NETWORK)
        self._orphans: tuple[str, ...] = ()

    def is_due(self) -> bool:
        """Tell whether this device is a network auditor, and has not published for a day."""
        engine = self._engine
        try:
            whole = is_whole(self.view.require())
        except UntrustedError:
            return False
        return whole and not 0 <= engine.now() - engine.vault.get_number(LAST) < DAY

    async def publish(self) -> tuple[Published, ...]:
        """Check all that is new, and enter for each node what it must have been shown of it.

        Raises:
            UntrustedError: rule ``not-a-viewer``: this device is not shown every entry; or the
                log itself is not what was signed.
            UnreachableError: No broker, nothing to say.
        """
        engine, view = self._engine, self.view
        if not is_whole(view.require()):
            raise UntrustedError(
                "only who is shown every entry of the log, without end, says what others must see",
                rule="not-a-viewer",
            )
        async with engine.lock:
            await engine.sync()
            await self._sender.settle()  # one that is on its way counts, too
        await view.catch_up()
        upto, at = view.store.upto, engine.now()
        nodes = [one for one in engine.directory.nodes() if not engine.directory.in_force(one)]
        starts = {node: await self._reached(node) for node in nodes}
        owners, orphans = _owners(view.store, upto), dict[str, None]()
        parts = [*_parts(view.store, owners, starts, upto, orphans)]
        self._orphans = tuple(map(_orphaned, orphans))
        known = {one.sentence for one in alarms.kept(engine.vault)}
        for sentence in self._orphans:
            if sentence not in known:
                engine.alarm(sentence)
        done: list[Published] = []
        for start in range(0, len(parts), TOGETHER):
            done += await self._send(parts[start : start + TOGETHER])
        engine.vault.put_number(LAST, at)
        return tuple(done)

    def problems(self) -> Iterator[str]:
        """Yield what this device has no text of, by its view and by its last manifests."""
        yield from self.view.problems()
        yield from self._orphans

    async def _reached(self, node: str) -> int:
        """Return where the last manifest of this device about a node ended, by the log itself."""
        engine, store = self._engine, self.view.store
        own: Conditions = (
            (("act", "manifest"),), (("device", engine.keys.device.hex()),), (("recipient", node),),
            (("proved", "yes"),),
        )  # fmt: skip
        last = store.last(own, store.upto)
        if last is None:
            return 0
        seen = engine.trust.head("activity").size
        async with engine.lock:
            # As an auditor of its own node this device is shown its statement, too.
            page = await engine.connection.request("audit", LogFrom(last.idx, 1, seen), AuditPage)
            signed = await engine.trust.accept(
                "activity", page.checkpoint, page.consistency, engine.prove
            )
        for item in page.items:
            taken = engine.trust.take_entry(item.kind, item.entry, item.envelope, signed.checkpoint)
            statement = taken.opened.statement
            if taken.index == last.idx and isinstance(statement, Manifest):
                check_signed_by(taken.opened, engine.keys.sign.public)
                return statement.upto
        raise UntrustedError(f"the broker does not show entry {last.idx}", rule="withheld")

    async def _send(self, parts: Sequence[Part]) -> list[Published]:
        engine = self._engine

        def make(parcel: Parcel) -> None:
            for part in parts:
                visible = as_gaps(part.start, part.indices)
                manifest = parcel.caseless(
                    Manifest, "manifest", of=part.of, start=part.start, upto=part.upto,
                    visible=visible, closed=part.closed,
                )  # fmt: skip
                parcel.add(manifest)

        async with engine.lock:
            taken = await self._sender.send(make)
        return [
            Published(part.of, part.start, part.upto, len(part.indices), part.closed, one.index)
            for part, one in zip(parts, taken, strict=True)
        ]


def _parts(
    store: Store, owners: Owners, starts: dict[str, int], upto: int, orphans: dict[str, None]
) -> Iterator[Part]:
    """Yield what is to be said to each node of the entries from where it was told before.

    Args:
        store: What is here.
        owners: Of the cases that stand there.
        starts: By node.
        upto: Of entries before this place.
        orphans: Filled with the cases whose owner nobody can tell.
    """
    first = min(starts.values(), default=upto)
    named = defaultdict[str, list[int]](list)
    closed: list[int] = []
    expected = first
    for index, core in _cores(store, first, upto):
        closed += range(expected, index)
        expected = index + 1
        if core is None:
            closed.append(index)
            continue
        owner = owners.of(core)
        if _is_orphan(core, owner):
            orphans[core.case] = None
            closed.append(index)  # for all but its author's node
        nodes = must_see(core, owner)
        for node in starts if nodes is None else nodes:
            if index >= starts.get(node, upto):
                named[node].append(index)
    closed += range(expected, upto)
    for node, start in starts.items():
        told = frozenset(named[node])
        yield from _split(
            node, start, upto, named[node], [one for one in closed if one not in told]
        )


def _is_orphan(core: Core, owner: str) -> bool:
    """Tell whether an entry is of a case whose owner is not known; a refusal names any id."""
    return bool(core.case) and not owner and core.act != "denied"


def _orphaned(case: str) -> str:
    # Openings never lose their text. Most likely it was shown as an erased reading: of a leaf
    # without a text the kind is nobody's word but the broker's.
    return (
        f"who opened case {case} was kept from this device, and entries of it follow: they may be "
        "hidden from its owner (missing-opening)"
    )


def _split(
    node: str, start: int, upto: int, indices: list[int], closed: list[int]
) -> Iterator[Part]:
    while start < upto:
        chosen, indices = indices[:MOST], indices[MOST:]
        end = chosen[-1] + 1 if indices else upto
        yield Part(node, start, end, chosen, sum(1 for one in closed if start <= one < end))
        start = end


def _owners(store: Store, upto: int) -> Owners:
    owners = Owners()
    opens: Conditions = ((("act", "case"),), (("proved", "yes"),))
    for index in store.indices(opens, start=0, stop=upto):
        item = store.item(index)
        if item is not None:
            owners.learn(decode_core(item.entry.core))
    return owners


def _cores(store: Store, start: int, upto: int) -> Iterator[tuple[int, Core | None]]:
    """Yield each entry that is here with its core, None where that is not proved or has gone."""
    sql = (
        "SELECT idx, core, problem FROM audited JOIN audited_bytes USING (idx)"
        " WHERE idx >= ? AND idx < ? ORDER BY idx"
    )
    for low in range(start, upto, _PIECE):
        for index, core, problem in store.run(sql, low, min(upto, low + _PIECE)):
            yield index, None if problem or not core else decode_core(core)
