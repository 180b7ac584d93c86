"""Fetching: only what is new is asked for and checked; what was not believed is asked for again."""

from collections.abc import Callable
from typing import Final, TypeAlias

from msgspec.structs import replace

from seefen.client.audit import judged, unshown
from seefen.client.audit.checking import Checked, check
from seefen.client.audit.erasing import (
    Erasure,
    erased_upto,
    erasure_of,
    erasures,
    heed,
    learn,
    tell,
    told_end,
    unheeded,
)
from seefen.client.audit.facts import GONE, Facts, facts_of
from seefen.client.audit.granted import tables
from seefen.client.audit.store import OWN, Store
from seefen.client.audit.withheld import cut, hidden_readings, known_readings, require_honest
from seefen.client.compared import entries
from seefen.client.connection import UnreachableError
from seefen.client.engine import Engine
from seefen.protocol.errors import OutOfTurnError, RefusedError, UntrustedError
from seefen.protocol.frames import AuditItem, AuditPage, CaseFrom, LogFrom, ViewFrom
from seefen.protocol.ledger.note import Checkpoint, SignedCheckpoint
from seefen.protocol.receipt import Entry
from seefen.protocol.statements import Erased

PAGE: Final = 200
AGAIN: Final = 50  # entries that were not believed and are asked for once more
SLACK: Final = 60  # seconds by which an entry may be dated after the head that holds it

Progress: TypeAlias = Callable[[str, int, int], None]
Kept: TypeAlias = list[tuple[Facts, AuditItem]]


def silent(_name: str, _done: int, _total: int) -> None:
    """Show nothing."""


class Fetching:
    """Entries of the own node and of its cases, from the broker into the store.

    Or the cores of those of another node, or of all, where this device has a view of them.
    """

    def __init__(self, engine: Engine, of: str | None = None) -> None:
        self._engine = engine
        self.of = of  # whose cores, under a view
        self._store: Store | None = None

    @property
    def store(self) -> Store:
        """What was checked so far; its tables are made when they are first needed."""
        if self._store is None:
            of = self.of
            self._store = Store(self._engine.vault, OWN if of is None else tables(of))
        return self._store

    async def catch_up(self, progress: Progress = silent) -> None:
        """Fetch what is new, and once more what was not believed.

        Raises:
            UntrustedError: No auditor, or the log itself is not what was signed.
            UnreachableError: What is here is as it was.
        """
        async with self._engine.lock:
            for facts in self.store.problems(AGAIN):
                await self._page(facts.idx, 1, mark=False)
            await self._through(self.store.upto, None, progress, mark=True)
            if new := unheeded(self._engine.vault, self.store.name):
                # What was erased there goes here, too; what is on hold is shown as it was. One
                # that reaches no farther than those before it erases what was on hold then.
                before = (one.upto for one in erasures(self._engine.vault))
                start = max((upto for upto in before if upto not in new), default=0)
                start = 0 if any(upto <= start for upto in new) else start
                await self._through(start, max(new), progress, mark=False)
                heed(self._engine.vault, self.store.name)
            await self._engine.fetch_witnessed()

    async def again(self, start: int, stop: int | None) -> None:
        """Fetch a piece of the log once more: a number is missing in it."""
        async with self._engine.lock:
            await self._through(start, stop, silent, mark=False)

    async def of_case(self, case: bytes) -> list[str]:
        """Fetch who read what of a case of the own node; return what is kept from us, if anything.

        Every member is told where an access stands, and no member but its owner who made it: so a
        broker that leaves one out is found.
        """
        engine, start, shown = self._engine, 0, set[int]()
        async with engine.lock:
            await engine.sync()
            size = engine.trust.head("activity").size
            while True:
                indices, upto, under = await self._page(start, PAGE, mark=False, case=case)
                shown |= indices
                if upto >= under.size or upto <= start:
                    break
                start = upto
            await engine.fetch_witnessed()
        known = known_readings(engine, case, size)
        return hidden_readings(engine, case, [index for index in known if index not in shown])

    async def hidden_of_case(self, case: bytes) -> list[str]:
        """Return what of a case of the own node an auditor was not shown, asked for once more."""
        known = known_readings(self._engine, case, self.store.upto)
        missing = [index for index in known if self.store.one(index) is None]
        if missing:
            await self.again(missing[0], missing[-1] + 1)
        hidden = [index for index in missing if self.store.one(index) is None]
        return hidden_readings(self._engine, case, hidden)

    async def whole(self, progress: Progress = silent) -> None:
        """Fetch and check everything once more; keep which entries are not shown any more."""
        async with self._engine.lock:
            start = 0
            while True:
                shown, upto, under = await self._page(start, PAGE, mark=True)
                unshown.compare(self.store, start, upto, shown)
                progress("entries", min(upto, under.size), under.size)
                if upto >= under.size or upto <= start:
                    if next(unshown.places(self.store), None) is None:  # else it was not seen
                        judged.anew(self.store)
                    return
                start = upto

    async def proof(self, index: int) -> Entry | None:
        """Return an entry with a proof under the newest head, and take it in; None: no broker."""
        engine = self._engine
        try:
            async with engine.lock:
                seen = engine.trust.head("activity").size
                page = await self._ask(index, 1, seen)
                signed = await engine.trust.accept(
                    "activity", page.checkpoint, page.consistency, engine.prove
                )
        except UnreachableError:
            return None
        found = next((item for item in page.items if item.entry.index == index), None)
        if found is None:
            return None
        if self._check(found, signed).problem:
            await self.again(index, index + 1)  # what is shown now is what will be listed
        return found.entry

    async def _through(
        self, start: int, stop: int | None, progress: Progress, *, mark: bool
    ) -> None:
        while True:
            _, upto, under = await self._page(start, PAGE, mark=mark)
            progress("entries", min(upto, under.size), under.size)
            if upto <= start or upto >= (under.size if stop is None else min(stop, under.size)):
                return
            start = upto

    async def _page(
        self, start: int, limit: int, *, mark: bool, case: bytes | None = None
    ) -> tuple[set[int], int, Checkpoint]:
        """Take in one page; the engine's lock must be held."""
        engine = self._engine
        seen = engine.trust.head("activity").size
        page = await self._ask(start, limit, seen, case)
        signed = await engine.trust.accept(
            "activity", page.checkpoint, page.consistency, engine.prove
        )
        under = signed.checkpoint
        if limit > 1 and page.upto <= start < under.size:
            raise cut(engine, start, under.size)
        indices = [item.entry.index for item in page.items]
        upto = page.upto if limit > 1 else max([start, *indices]) + 1
        in_order = indices == sorted(set(indices))
        if not in_order or (indices and not start <= indices[0] <= indices[-1] < upto):
            # Else an entry could be laid where nobody looks for it again.
            raise UntrustedError("the broker shows another page than was asked", rule="page")
        if limit == 1:
            indices = indices[:1] if indices[:1] == [start] else []
        gone = (one.entry.index for one in page.items if not one.entry.core)
        said = self.of is not None and any(item.kind == "erased" for item in page.items)
        if said or any(index >= erased_upto(engine.vault) for index in gone):
            await self._learn_erasures()
        kept = self._checked([i for i in page.items if i.entry.index in indices], start, signed)
        self._look_at_dates(kept, signed.time)
        tell(engine.vault, page.years, min(upto, under.size))  # after: it holds from now on
        judged.begin(self.store)
        self.store.keep(kept, min(upto, under.size) if mark else None)
        unshown.shown_again(self.store, indices)
        return set(indices), upto, under

    def _look_at_dates(self, kept: Kept, signed_at: int) -> None:
        """Raise an alarm about entries that are dated ahead of a head that holds them (fault 12).

        An alarm, since it shows this once: under a later head the same date is none of the future.
        """
        ahead = {facts.idx: facts.at // 1000 - signed_at for facts, _ in kept if not facts.problem}
        found = [index for index, seconds in ahead.items() if seconds > SLACK]
        if found:
            most = max(ahead[index] for index in found)
            self._engine.alarm(
                f"dated up to {most} s after the log signed that it was there: {entries(found)}; "
                "a false date, or the broker's clock is wrong"
            )

    async def _ask(self, start: int, limit: int, seen: int, case: bytes | None = None) -> AuditPage:
        asked = self._asked(start, limit, seen, case)
        try:
            return await self._engine.connection.request(*asked, AuditPage)
        except (UntrustedError, RefusedError, OutOfTurnError) as err:
            if self.of is None:
                await require_honest(self._engine, err, of_case=case is not None)
            raise

    def _asked(
        self, start: int, limit: int, seen: int, case: bytes | None = None
    ) -> tuple[str, LogFrom | CaseFrom | ViewFrom]:
        if self.of is not None:
            return "view", ViewFrom(self.of, start, limit, seen)
        if case is not None:
            return "case-audit", CaseFrom(case, start, limit, seen)
        return "audit", LogFrom(start, limit, seen)

    def _check(self, item: AuditItem, signed: SignedCheckpoint) -> Checked:
        return check(self._engine, item, signed, bare=self.of is not None)

    async def _learn_erasures(self) -> None:
        """Learn what the log says was erased: it says so later than where it is missing."""
        engine = self._engine
        seen = engine.trust.head("activity").size
        page = await engine.connection.request("erasures", LogFrom(0, PAGE, seen), AuditPage)
        signed = await engine.trust.accept(
            "activity", page.checkpoint, page.consistency, engine.prove
        )
        for item in page.items:
            self._learn(check(engine, item, signed))

    def _learn(self, one: Checked) -> None:
        statement = None if one.opened is None else one.opened.statement
        if not isinstance(statement, Erased) or one.core is None or one.problem:
            return
        learn(self._engine.vault, statement, one.core, one.item.entry.index)

    def _fits(self, index: int, at: int) -> bool:
        """Tell whether what is proved around a place was made before and after ``at`` (unix s).

        What erases comes by a verb of its own, so the order of a page says nothing of it.
        """
        chosen = "FROM audited WHERE problem = '' AND act <> 'gone' AND idx"
        row = self.store.one_row(
            f"SELECT ifnull((SELECT at {chosen} < ? ORDER BY idx DESC LIMIT 1), 0),"
            f" ifnull((SELECT at {chosen} > ? ORDER BY idx LIMIT 1), ?)",
            *(index, index, at * 1000),
        )
        return row is not None and bool(row[0] // 1000 <= at <= row[1] // 1000)

    def _gone(self, facts: Facts, kind: str, newest: int) -> Facts:
        """Return an erased entry with what is wrong, if it was too young or is not what it was.

        Args:
            facts: Of the entry.
            kind: Which the broker says that it was.
            newest: When the last proved entry before it was made: times never go back.
        """
        known, erasure = self.store.one(facts.idx), erasure_of(self._engine.vault, facts.idx)
        if known is not None and known.act == GONE and known.problem:
            # What it was found by is gone with its text: a second look would find nothing.
            return replace(facts, at=newest, problem=known.problem)
        made, problem = newest, ""
        if known is not None and known.act != GONE and not known.problem:
            made = max(newest, known.at)
            problem = "" if known.act == kind else "it was shown as another kind before"
        if not problem and erasure is not None:
            problem = self._too_early(facts.idx, made, erasure)
        return replace(facts, at=newest, problem=problem and f"entry {facts.idx}: {problem}")

    def _too_early(self, index: int, made: int, erasure: Erasure) -> str:
        """Say what is wrong with the time of what was made at ``made`` (unix ms) or later."""
        if made >= erasure.before * 1000:
            return "its text was erased before its time"
        if not self._fits(erasure.index, erasure.at):
            return "its text was erased by an entry whose time is not true"
        if made and told_end(self._engine.vault, index, made // 1000) > erasure.at:
            return "its text was erased before the end that this device was told"
        return ""

    def _checked(self, items: list[AuditItem], start: int, signed: SignedCheckpoint) -> Kept:
        sql = "SELECT at FROM audited WHERE idx < ? AND problem = '' ORDER BY idx DESC LIMIT 1"
        before = self.store.one_row(sql, start)
        newest = 0 if before is None else int(before[0])
        kept: Kept = []
        for item in items:
            one = self._check(item, signed)
            self._learn(one)
            facts = facts_of(self._engine, one, signed.checkpoint.size)
            if facts.act == GONE:
                facts = self._gone(facts, item.kind, newest)
            if not facts.problem and facts.at < newest:
                late = (newest - facts.at) // 1000
                problem = f"entry {facts.idx}: it is dated {late} s before the one before it"
                facts = replace(facts, problem=problem)
            facts = self._alone(facts, kept)
            if not facts.problem:
                newest = facts.at
            kept.append((facts, item))
        return kept

    def _alone(self, facts: Facts, before: Kept) -> Facts:
        """Return an entry with what is wrong, if another one has its number (fault 20).

        A broker has what a device signed, and could enter it again: he read once, it says twice.
        """
        if facts.problem or not facts.device_n:
            return facts
        number = (facts.device, facts.device_n)
        sql = "SELECT idx FROM audited WHERE device = ? AND device_n = ? AND problem = ''"
        there = {row[0] for row in self.store.run(sql, *number)}
        there |= {
            one.idx for one, _ in before if not one.problem and (one.device, one.device_n) == number
        }
        if not there - {facts.idx}:
            return facts
        other = min(there - {facts.idx})
        said = f"its device gave the number {facts.device_n} once, and entry {other} has it"
        return replace(facts, problem=f"entry {facts.idx}: {said}")
