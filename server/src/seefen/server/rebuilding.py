"""Making the broker whole again after an older backup: to the very same root, or not at all.

The leaves come from mirrors and give a root that was signed before anything is written.
What opens an entry comes from the mirror of a node that may see it; where none has it the
record stands without its text, marked ``lost``: the tree has no hole, and a later mirror can
still fill it. Content keys are in no mirror: they left the broker only for who had stated why.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Final

from seefen.protocol.bundle import named_wraps
from seefen.protocol.encoding import decode, peek_kind
from seefen.protocol.envelope import Envelope, open_envelope
from seefen.protocol.ledger.mirror import Kept
from seefen.protocol.ledger.note import Checkpoint
from seefen.protocol.ledger.record import Core, decode_core
from seefen.protocol.ledger.tree import EMPTY_ROOT, CompactRange, leaf_hash
from seefen.protocol.statements import Access, Ack, Case, Object
from seefen.protocol.suite import sha256
from seefen.server.config import SetupError
from seefen.server.entries import access_row
from seefen.server.errors import FrozenError
from seefen.server.high_water import HighWater, Mark
from seefen.server.mirrors import Mirror
from seefen.server.openings import BLOCK, openings, statement_of
from seefen.server.proofs import Prover
from seefen.server.recovery import recover, require_grown
from seefen.server.rows import AuthorityRow, ChainRow, Changes, Heads, LeafRow, ObjectRow, Storage

LOST: Final = "lost"
AT_ONCE: Final = 2048  # leaves in one transaction
NOTHING: Final = Mark(0, b"", 0, EMPTY_ROOT, 0, EMPTY_ROOT)


@dataclass(slots=True)
class Rebuilt:
    """What was put back, and what is missing still.

    Attributes:
        filled: Entries that an earlier run had to mark as lost, and ``healed`` those that stood
            without their sealed body, or without a wrapped key that they name.
        lost: Entries without their text now; ``bodiless`` and ``wrapless`` as for ``healed``.
    """

    heads: Heads
    authority: int = 0
    activity: int = 0
    filled: int = 0
    healed: int = 0
    lost: list[int] = field(default_factory=list[int])
    keyless: int = 0
    bodiless: int = 0
    wrapless: int = 0
    marked: bool = False  # there was no mark to compare with


class Rebuilder:
    """Puts back what mirrors hold."""

    def __init__(
        self, storage: Storage, prover: Prover, high_water: HighWater, origin: str, key: bytes
    ) -> None:
        self._storage = storage
        self._prover = prover
        self._high_water = high_water
        self._origin = origin
        self._key = key
        self._members: dict[bytes, set[str]] = {}

    async def run(self, mirrors: Sequence[Mirror]) -> Rebuilt:
        """Put back what is missing; with no mirror, only mark what stands as the newest.

        Raises:
            SetupError: The mirrors do not reach what was signed, or what stands is no part
                of it. Nothing is changed then.
        """
        known = await recover(self._storage, self._prover)
        mark = self._mark()
        rebuilt = Rebuilt(known.heads, marked=mark is None)
        targets = {
            log: self._target(log, known.heads, mark, mirrors) for log in ("authority", "activity")
        }
        for log, (mirror, head) in targets.items():
            if mirror is not None:
                self._require_same(log, mirror, head, mark, mirrors)
        await self._require_part(known.heads, mark, mirrors)
        await self._put_authority(rebuilt, *targets["authority"])
        await self._put_activity(rebuilt, *targets["activity"], mirrors)
        await self._fill(rebuilt, mirrors)
        await self._heal(rebuilt, mirrors)
        if mark is None:
            self._high_water.begin(rebuilt.heads)
        else:
            self._high_water.advance(rebuilt.heads)
        return rebuilt

    def _mark(self) -> Mark | None:
        try:
            return self._high_water.read()
        except FrozenError:
            return None  # lost or spoiled: then the mirrors say how far the logs were

    def _target(
        self, log: str, heads: Heads, mark: Mark | None, mirrors: Sequence[Mirror]
    ) -> tuple[Mirror | None, Checkpoint]:
        """Return the mirror that reaches furthest, None if nothing is missing of this log."""
        head = heads.authority if log == "authority" else heads.activity
        best: Mirror | None = None
        furthest = Checkpoint(f"{self._origin}/{log}", head.size, head.root)
        for mirror in mirrors:
            found = mirror.head(log, self._origin, self._key)
            if found.size > furthest.size:
                best, furthest = mirror, found
        if mark is not None and furthest.size < mark.of(log)[0]:
            raise SetupError(
                f"of the {log} log {mark.of(log)[0]} entries were signed, and the mirrors reach "
                f"{furthest.size}",
                hint="bring the mirror of another node's agent: --from may stand several times",
            )
        return best, furthest

    def _require_same(
        self,
        log: str,
        mirror: Mirror,
        head: Checkpoint,
        mark: Mark | None,
        mirrors: Sequence[Mirror],
    ) -> None:
        """Compare the roots of all that was signed, before anything is written."""
        kept = self._prover.authority if log == "authority" else self._prover.activity
        signed = [other.head(log, self._origin, self._key) for other in mirrors]
        roots = {one.size: one.root for one in signed}
        if mark is not None:
            roots[mark.of(log)[0]] = mark.of(log)[1]
        tree = CompactRange(kept.range.size, kept.range.hashes)
        for leaf in mirror.leaves(log, tree.size, head.size):
            tree.append(leaf_hash(leaf))
            if roots.get(tree.size, root := tree.root() if tree.size in roots else b"") != root:
                raise _other(log, tree.size)
        if tree.root() != head.root:
            raise _other(log, head.size)

    async def _require_part(
        self, heads: Heads, mark: Mark | None, mirrors: Sequence[Mirror]
    ) -> None:
        """Compare what stands with every head that is not longer than it."""
        logs = (("authority", heads.authority), ("activity", heads.activity))
        for log, head in logs:
            signed = [
                (one.size, one.root)
                for one in (mirror.head(log, self._origin, self._key) for mirror in mirrors)
            ]
            if mark is not None:
                signed.append(mark.of(log))
            for size, root in signed:
                if size > head.size:
                    continue
                one = _with(NOTHING, log, size, root)
                try:
                    await require_grown(self._prover, one, heads)
                except FrozenError:
                    raise _other(log, size) from None

    async def _put_authority(
        self, rebuilt: Rebuilt, mirror: Mirror | None, head: Checkpoint
    ) -> None:
        start = rebuilt.heads.authority.size
        leaves = iter(()) if mirror is None else mirror.leaves("authority", start, head.size)
        for group in _groups(leaves):
            at = rebuilt.heads.authority.size
            rows = [_authority_row(at + place, leaf) for place, leaf in enumerate(group)]
            await self._write(rebuilt, Changes(authority=rows))
            rebuilt.authority += len(rows)

    async def _put_activity(
        self,
        rebuilt: Rebuilt,
        mirror: Mirror | None,
        head: Checkpoint,
        mirrors: Sequence[Mirror],
    ) -> None:
        start = rebuilt.heads.activity.size
        records = iter(()) if mirror is None else mirror.leaves("activity", start, head.size)
        for group in _groups(records):
            at = rebuilt.heads.activity.size
            kept = openings(mirrors, dict(enumerate(group, start=at)))
            changes = Changes()
            for index, record in enumerate(group, start=at):
                if (found := kept.get(index)) is None:
                    changes.activity.append(_lost(index, record))
                else:
                    await self._add(rebuilt, changes, found)
            await self._write(rebuilt, changes)
            rebuilt.activity += len(group)

    async def _fill(self, rebuilt: Rebuilt, mirrors: Sequence[Mirror]) -> None:
        """Fill what an earlier run had to mark as lost."""
        for records in _blocks(await self._storage.lost()):
            changes = Changes()
            for found in openings(mirrors, records).values():
                await self._add(rebuilt, changes, found)
            if changes.activity:
                instead = [row.idx for row in changes.activity]
                await self._write(rebuilt, changes, instead=instead)
                rebuilt.filled += len(instead)
        rebuilt.lost = sorted(await self._storage.lost())

    async def _heal(self, rebuilt: Rebuilt, mirrors: Sequence[Mirror]) -> None:
        """Give bodies and wrapped keys to entries that an earlier run wrote without them."""
        bodiless, wrapless = await self._storage.bodiless(), await self._wrapless()
        for records in _blocks(bodiless | wrapless):
            found = openings(mirrors, records)
            bodies = {index: kept.body for index, kept in found.items() if kept.body}
            changes = Changes(wraps=_wraps(found.values()))
            await self._write(rebuilt, changes, bodies=bodies)
        now = (await self._storage.bodiless(), await self._wrapless())
        rebuilt.healed = len(bodiless | wrapless) - len(now[0] | now[1])
        rebuilt.bodiless, rebuilt.wrapless = map(len, now)

    async def _wrapless(self) -> dict[int, bytes]:
        """Return the records of entries that name a wrapped key which is not here."""
        found: dict[int, bytes] = {}
        for row in await self._storage.handing():
            named = named_wraps(open_envelope(row.envelope, row.kind).statement)
            if set(named) - (await self._storage.wraps(named)).keys():
                found[row.idx] = row.record
        return found

    async def _write(
        self,
        rebuilt: Rebuilt,
        changes: Changes,
        *,
        instead: Sequence[int] = (),
        bodies: Mapping[int, bytes] | None = None,
    ) -> None:
        new = () if instead else changes.activity
        growths = (
            self._prover.authority.preview([leaf_hash(r.envelope) for r in changes.authority]),
            self._prover.activity.preview([leaf_hash(row.record) for row in new]),
        )
        changes.tiles = {tile: full.encode() for tile, full in growths[1].full.items()}
        times = [decode_core(row.core).at for row in changes.activity if row.core]
        at = max([rebuilt.heads.at, *times])
        after = Heads(growths[0].head, growths[1].head, at)
        async with self._storage.transaction() as writing:
            if await writing.lock() != rebuilt.heads:
                raise SetupError("another broker writes to this database: stop it first")
            await writing.drop_lost(instead)
            await writing.put_bodies(bodies or {})
            await writing.write(changes, rebuilt.heads, after)
        for growth in growths:
            growth.commit()
        rebuilt.heads = after

    async def _add(self, rebuilt: Rebuilt, changes: Changes, kept: Kept) -> None:
        core, index, statement = decode_core(kept.core), kept.index, statement_of(kept)
        changes.activity.append(_leaf_row(kept, core))
        changes.wraps |= _wraps([kept])
        match statement:
            case Object():
                place = (statement.object, index, statement.case, statement.gen, core.n)
                body = None if statement.file else kept.body
                changes.objects.append(
                    ObjectRow(*place, statement.node, statement.expires, body, None)
                )
                rebuilt.keyless += 1
            case Access() if statement.scope != "object":
                changes.accesses.append(access_row(statement, index))
            case Ack():
                changes.acks.append((statement.object, statement.node, statement.step))
            case Case():
                await self._add_case(changes, statement, index)
            case _:
                pass

    async def _add_case(self, changes: Changes, case: Case, index: int) -> None:
        if case.version == 1:
            changes.numbers.append((case.members[0].node, case.number, case.case))
        if case.case not in self._members:
            rows = await self._storage.case(case.case)
            self._members[case.case] = set() if rows is None else _members(rows.chain)
        known = self._members[case.case]
        for member in case.members:
            if member.node not in known:
                known.add(member.node)
                changes.members.append((case.case, member.node, index))


def _leaf_row(kept: Kept, core: Core) -> LeafRow:
    return LeafRow(
        kept.index,
        kept.record,
        kept.core,
        kept.salt,
        None,  # it opened that there was no reason; what it is for is done
        kept.kind,
        bytes.fromhex(core.case),
        core.node,
        bytes.fromhex(core.device) or None,
        core.device_n or None,
        core.case_n or None,
        bytes.fromhex(core.object) or None,
        sha256(kept.envelope),
        kept.envelope,
    )


def _lost(index: int, record: bytes) -> LeafRow:
    nobody = (None, None, None, None)
    return LeafRow(index, record, b"", b"", None, LOST, b"", "", *nobody, leaf_hash(record), b"")


def _authority_row(index: int, envelope: bytes) -> AuthorityRow:
    kind = peek_kind(decode(envelope, Envelope).payload)
    return AuthorityRow(index, kind, sha256(envelope), envelope)


def _members(chain: Iterable[ChainRow]) -> set[str]:
    found: set[str] = set()
    for row in chain:
        statement = open_envelope(row.envelope, row.kind).statement
        if isinstance(statement, Case):
            found |= {member.node for member in statement.members}
    return found


def _groups(leaves: Iterator[bytes]) -> Iterator[list[bytes]]:
    while group := list(islice(leaves, AT_ONCE)):
        yield group


def _blocks(records: Mapping[int, bytes]) -> Iterator[dict[int, bytes]]:
    """Yield what is missing block by block: a mirror's file is read once."""
    for _, group in groupby(sorted(records), lambda index: index // BLOCK):
        yield {index: records[index] for index in group}


def _wraps(found: Iterable[Kept]) -> dict[bytes, bytes]:
    return {sha256(wrap): wrap for kept in found for wrap in kept.wraps}


def _with(mark: Mark, log: str, size: int, root: bytes) -> Mark:
    if log == "authority":
        return Mark(0, b"", size, root, mark.activity, mark.activity_root)
    return Mark(0, b"", mark.authority, mark.authority_root, size, root)


def _other(log: str, size: int) -> SetupError:
    return SetupError(
        f"the {log} log up to entry {size} is not the one that was signed: the database grew on "
        "after an older backup, or somebody shows two logs",
        hint="keep both states, put the backup back once more, and tell all nodes",
    )
