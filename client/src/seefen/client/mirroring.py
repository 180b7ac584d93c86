"""What an agent asks of the broker: both logs, what opens the own entries, heads to cosign.

Heads come through :mod:`seefen.client.trust` alone; leaves are the caller's to compare
with them before he keeps any.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seefen.client import retaking, unseen
from seefen.client.engine import Engine
from seefen.client.keying import fresh_at
from seefen.client.once import verified
from seefen.client.paging import Place
from seefen.client.tags import Tags
from seefen.client.witnessing import Uncosigned, Witness, watch
from seefen.protocol.errors import SeefenError, UntrustedError
from seefen.protocol.frames import AuditItem, AuditPage, Item, LogFrom, Page, RecordPage
from seefen.protocol.ledger.mirror import Kept
from seefen.protocol.ledger.note import Checkpoint
from seefen.protocol.statements import Root

RECORDS: Final = 4096
PAGE: Final = 200
LOGS: Final = ("authority", "activity")
SEES: Final = {"auditor", "admin"}  # roles that may open what devices of the node did


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest head of a log that was verified here, and the note that says so."""

    log: str
    checkpoint: Checkpoint
    note: str
    at: int


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf of the authority log; ``broken`` names the rule by which it has no effect."""

    index: int
    kind: str
    envelope: bytes
    broken: str


class Logs:
    """Both logs, as this device has verified them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._published: dict[str, Newest] = {}
        self._tags = Tags(engine)
        self._untold: list[str] = []
        self._fed = 0  # up to where the last sync was told what stands in the own cases

    async def sync(self) -> None:
        """Fetch what is new of both logs, and check it.

        Raises:
            UnreachableError: No broker, or rule ``frozen``: it has lost what it had signed.
            LoginError: This device is not let in any more.
            UntrustedError: The broker shows something that cannot be; evidence is kept.
        """
        engine = self._engine
        async with engine.lock:
            if engine.directory.size == 0:
                await engine.sync_authority()
            found: list[Newest] = []
            for log in LOGS:
                # As other tools read it, with the log's plain line too.
                data = await engine.connection.http("GET", f"/v1/log/{log}/checkpoint")
                note = data.decode("utf-8", "replace")
                signed = await engine.trust.accept(log, note, (), engine.prove)
                found.append(Newest(log, signed.checkpoint, note, signed.time))
        await retaking.catch_up(engine, self._look)
        self._published = {one.log: one for one in found}

    async def _look(self) -> None:
        self._fed = self._engine.vault.get_number("cursor")
        await self._tags.look()

    def newest(self, log: str) -> Newest | None:
        """Return the head of a log that the last sync has verified; None before the first."""
        return self._published.get(log)

    def withheld(self) -> list[str]:
        """Return a sentence about each entry of the own cases that the broker keeps back."""
        return [*unseen.sentences(self._engine), *self._untold]

    def verify(self, log: str, note: str) -> Checkpoint:
        """Return the head in a note that was kept, its signature checked again.

        Raises:
            SeefenError: It is not of this log, or nobody signed it.
        """
        trust = self._engine.trust
        return verified(note, trust.origin(log), trust.root.log_key).checkpoint

    @property
    def root(self) -> Root:
        """The newest root statement: it names the witnesses."""
        return self._engine.trust.root

    @property
    def witnessed_at(self) -> int:
        """When the quorum last saw all of both logs, 0 for never; without one, when signed."""
        return min(fresh_at(self._engine).values(), default=0)

    async def cosign(self, witness: Witness) -> list[Uncosigned]:
        """Let a witness have its turn over this device's connection; see :func:`watch`."""
        return await watch(self._engine.connection, witness)

    @property
    def evidence(self) -> Path:
        """Where lies of the broker are kept."""
        return self._engine.home / "evidence"

    def authority(self, start: int, stop: int) -> list[Leaf]:
        """Return leaves of the authority log, which every device holds whole."""
        sql = "SELECT idx, kind, envelope, broken FROM authority WHERE idx >= ? AND idx < ?"
        rows = self._engine.vault.run(f"{sql} ORDER BY idx", start, stop)
        return [Leaf(idx, kind, bytes(envelope), why or "") for idx, kind, envelope, why in rows]

    async def records(self, start: int, stop: int) -> list[bytes]:
        """Return records of the activity log, fewer where the broker shows fewer."""
        found: list[bytes] = []
        while start + len(found) < stop:
            at = start + len(found)
            ask = LogFrom(at, min(RECORDS, stop - at), 0)
            page = await self._engine.connection.request("records", ask, RecordPage)
            if not page.records:
                break
            found += page.records
        return found[: stop - start]

    async def prove(self, log: str, old: int, new: int) -> tuple[bytes, ...]:
        """Return the broker's proof that a log grew from one size to another."""
        return await self._engine.prove(log, old, new)

    async def fed(self, cursor: int) -> tuple[list[Kept], int]:
        """Return entries of the own cases from a cursor on, proved, and the next cursor.

        A backlog comes whole, by as many pages as it takes, and no entry of it twice: it is held
        in memory, and the broker says how often more follows.

        Raises:
            UntrustedError: An entry is not to be believed, or rule ``page``: it came before.
        """
        engine, kept, place, more = self._engine, dict[int, Kept](), Place(cursor), True
        while more:
            ask = place.asked(PAGE, engine.trust.head("activity").size)
            page = await engine.connection.request("feed", ask, Page)
            under = await self._under(page.checkpoint, page.consistency)
            for item in page.items:
                if item.entry.index in kept:
                    raise UntrustedError("the broker shows an entry twice", rule="page")
                kept[item.entry.index] = self._kept(item, item.wraps, item.body, under)
            place, more = place.behind(page, under.size)
            more = more and bool(place.within)
        return list(kept.values()), place.cursor

    async def audited(self, cursor: int) -> tuple[list[Kept], int]:
        """Return what devices of the own node did; nothing where the role sees nothing."""
        engine = self._engine
        device = engine.directory.device(engine.keys.device)
        if not SEES & set(device.roles):
            return [], cursor
        ask = LogFrom(cursor, PAGE, engine.trust.head("activity").size)
        page = await engine.connection.request("audit", ask, AuditPage)
        under = await self._under(page.checkpoint, page.consistency)
        upto = min(page.upto, under.size, self._fed)
        self._compare(cursor, upto, {item.entry.index for item in page.items})
        # What was erased under retention opens nothing any more, and is not kept.
        kept = [self._kept(item, (), b"", under) for item in page.items if item.entry.core]
        return kept, upto

    def _compare(self, start: int, stop: int, given: set[int]) -> None:
        """Compare readings that were given with those of which the members were told (attack 32).

        Members learn that a device has read, its own node and the owner of the case what it said.
        """
        engine = self._engine
        sql = (
            "SELECT idx, case_id, device FROM entry WHERE kind = 'access' AND idx >= ? AND idx < ?"
        )
        for index, case, device in engine.vault.run(sql, start, stop):
            state, node = engine.trust.require_state(case), engine.directory.device(device).node
            if index in given or engine.node not in (state.owner, node):
                continue
            sentence = (
                f"entry {index} is a reading in {engine.name_of(state)} by {node}, and the broker "
                "keeps its text from the auditors of this node"
            )
            engine.alarm(sentence)
            self._untold.append(sentence)

    async def _under(self, note: str, proof: tuple[bytes, ...]) -> Checkpoint:
        engine = self._engine
        async with engine.lock:
            return (await engine.trust.accept("activity", note, proof, engine.prove)).checkpoint

    def _kept(
        self, item: Item | AuditItem, wraps: tuple[bytes, ...], body: bytes, under: Checkpoint
    ) -> Kept:
        try:
            self._engine.trust.take_entry(item.kind, item.entry, item.envelope, under)
        except SeefenError as err:
            raise UntrustedError(
                f"entry {item.entry.index} is not to be believed: {err}", rule=err.rule or "entry"
            ) from None
        entry = item.entry
        opening = (entry.index, item.kind, entry.record, entry.core, entry.salt)
        return Kept(*opening, item.envelope, wraps, body)
