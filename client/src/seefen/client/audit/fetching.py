"""Fetching: only what is new is asked for and checked; what was not believed is asked for again."""

from collections.abc import Callable
from typing import Final, TypeAlias

from msgspec.structs import replace

from seefen.client.audit.checking import Checked, check
from seefen.client.audit.erasing import YEARS, erased_upto, erasure_of, learn
from seefen.client.audit.facts import GONE, Facts, facts_of
from seefen.client.audit.store import Store
from seefen.client.connection import UnreachableError
from seefen.client.engine import Engine
from seefen.protocol.errors import UntrustedError
from seefen.protocol.frames import AuditItem, AuditPage, CaseFrom, LogFrom
from seefen.protocol.ledger.note import Checkpoint
from seefen.protocol.receipt import Entry
from seefen.protocol.statements import Erased

PAGE: Final = 200
AGAIN: Final = 50  # entries that were not believed and are asked for once more

Progress: TypeAlias = Callable[[str, int, int], None]
Kept: TypeAlias = list[tuple[Facts, AuditItem]]


def silent(_name: str, _done: int, _total: int) -> None:
    """Show nothing."""


class Fetching:
    """Entries of the own node and of its cases, from the broker into the store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._store: Store | None = None

    @property
    def store(self) -> Store:
        """What was checked so far; its tables are made when they are first needed."""
        if self._store is None:
            self._store = Store(self._engine.vault)
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
            before = erased_upto(self._engine.vault)
            await self._through(self.store.upto, None, progress, mark=True)
            if (upto := erased_upto(self._engine.vault)) > before:
                # What was erased there goes here, too; what is on hold is shown as it was.
                await self._through(before, upto, progress, mark=False)
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
        sql = "SELECT idx FROM entry WHERE case_id = ? AND kind = 'access' AND idx < ? ORDER BY idx"
        known = [index for (index,) in engine.vault.run(sql, case, size)]
        return [
            f"entry {index} is a reading of this case, and the broker does not show it"
            for index in known
            if index not in shown
        ]

    async def whole(self, progress: Progress = silent) -> list[str]:
        """Fetch and check everything once more; return which entries are not shown any more."""
        problems: list[str] = []
        async with self._engine.lock:
            start = 0
            while True:
                shown, upto, under = await self._page(start, PAGE, mark=True)
                missing = [f.idx for f in self.store.between(start, upto) if f.idx not in shown]
                problems += [
                    f"entry {index} was shown before, and the broker does not show it any more"
                    for index in missing
                ]
                progress("entries", min(upto, under.size), under.size)
                if upto >= under.size or upto <= start:
                    return problems
                start = upto

    async def proof(self, index: int) -> Entry | None:
        """Return an entry with a proof under the newest head, and take it in; None: no broker."""
        engine = self._engine
        try:
            async with engine.lock:
                seen = engine.trust.head("activity").size
                page = await engine.connection.request("audit", LogFrom(index, 1, seen), AuditPage)
                signed = await engine.trust.accept(
                    "activity", page.checkpoint, page.consistency, engine.prove
                )
        except UnreachableError:
            return None
        entries = [item.entry for item in page.items if item.entry.index == index]
        if not entries:
            return None
        if check(engine, page.items[0], signed.checkpoint).problem:
            await self.again(index, index + 1)  # what is shown now is what will be listed
        return entries[0]

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
        asked: tuple[str, LogFrom | CaseFrom] = ("audit", LogFrom(start, limit, seen))
        if case is not None:
            asked = ("case-audit", CaseFrom(case, start, limit, seen))
        page = await engine.connection.request(*asked, AuditPage)
        signed = await engine.trust.accept(
            "activity", page.checkpoint, page.consistency, engine.prove
        )
        under = signed.checkpoint
        indices = [item.entry.index for item in page.items]
        upto = page.upto if limit > 1 else max([start, *indices]) + 1
        in_order = indices == sorted(set(indices))
        if not in_order or (indices and not start <= indices[0] <= indices[-1] < upto):
            # Else an entry could be laid where nobody looks for it again.
            raise UntrustedError("the broker shows another page than was asked", rule="page")
        if limit == 1:
            indices = indices[:1] if indices[:1] == [start] else []
        engine.vault.put_number(YEARS, page.years)
        gone = (one.entry.index for one in page.items if not one.entry.core)
        if any(index >= erased_upto(engine.vault) for index in gone):
            await self._learn_erasures()
        kept = self._checked([i for i in page.items if i.entry.index in indices], start, under)
        self.store.keep(kept, min(upto, under.size) if mark else None)
        return set(indices), upto, under

    async def _learn_erasures(self) -> None:
        """Learn what the log says was erased: it says so later than where it is missing."""
        engine = self._engine
        seen = engine.trust.head("activity").size
        page = await engine.connection.request("erasures", LogFrom(0, PAGE, seen), AuditPage)
        signed = await engine.trust.accept(
            "activity", page.checkpoint, page.consistency, engine.prove
        )
        for item in page.items:
            self._learn(check(engine, item, signed.checkpoint))

    def _learn(self, one: Checked) -> None:
        statement = None if one.opened is None else one.opened.statement
        if isinstance(statement, Erased) and one.core is not None and not one.problem:
            learn(self._engine.vault, statement, one.core)

    def _too_early(self, index: int, newest: int) -> str:
        """Say what is wrong when an entry is gone that was too young: seen, or by its neighbours.

        Args:
            index: Its place.
            newest: When the last proved entry before it was made: times never go back.
        """
        facts, erasure = self.store.one(index), erasure_of(self._engine.vault, index)
        if facts is not None and not facts.problem and facts.act != GONE:
            newest = max(newest, facts.at)
        if erasure is None or newest < erasure.before * 1000:
            return ""
        return f"entry {index}: its text was erased before its time"

    def _checked(self, items: list[AuditItem], start: int, under: Checkpoint) -> Kept:
        sql = "SELECT at FROM audited WHERE idx < ? AND problem = '' ORDER BY idx DESC LIMIT 1"
        before = self.store.vault.one(sql, start)
        newest = 0 if before is None else int(before[0])
        kept: Kept = []
        for item in items:
            one = check(self._engine, item, under)
            self._learn(one)
            facts = facts_of(self._engine, one, under.size)
            if facts.act == GONE:
                facts = replace(facts, at=newest, problem=self._too_early(facts.idx, newest))
            if not facts.problem and facts.at < newest:
                late = (newest - facts.at) // 1000
                problem = f"entry {facts.idx}: it is dated {late} s before the one before it"
                facts = replace(facts, problem=problem)
            if not facts.problem:
                newest = facts.at
            kept.append((facts, item))
        return kept
