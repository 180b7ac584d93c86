"""Inquiries: one entry, one case, the register, a sample, flags. Each is entered itself."""

from msgspec.structs import replace

from seefen.client.audit import flags as rules
from seefen.client.audit import sampling
from seefen.client.audit.counting import READ
from seefen.client.audit.facts import AUDIT, Facts
from seefen.client.audit.filters import case_id, or_unproved
from seefen.client.audit.filters import month as months
from seefen.client.audit.looking import Looking, needing_the_broker, once
from seefen.client.audit.own import require_owner
from seefen.client.audit.register import Disclosed, Processing, disclosures, processing
from seefen.client.audit.rowing import rows_of
from seefen.client.audit.sampling import Rule, Sample
from seefen.client.audit.showing import entry_view, proof_of
from seefen.client.audit.store import Condition
from seefen.client.findings import AuditRow, CaseAudit, EntryView
from seefen.protocol.errors import RefusedError
from seefen.protocol.suite import random_bytes

CASE_ROWS = 1000
# Who saw what when, and who was given the means to: no acknowledgements, which say less.
_SEEN: Condition = tuple(
    ("act", act) for act in ("object", "access", "release", "case", "casekey", "assign", "denied")
)


class Inquiries(Looking):
    """What an auditor asks beside the list."""

    async def show(self, index: int) -> EntryView:
        """Return one entry whole, with its proof.

        Raises:
            UntrustedError: No auditor, or the log itself is not what was signed.
            RefusedError: rule ``unknown-entry``.
        """
        await self.catch_up()
        if index >= self.head:
            raise RefusedError(
                f"there is no entry {index}: the log ends at {self.head - 1}", rule="unknown-entry"
            )
        entry = await proof_of(self._fetching, index)

        def look() -> EntryView:
            return entry_view(self._engine, self._fetching, index, entry)

        return await self.entered(f"entry {index}", look, once)

    async def case(self, case: str, *, after: int = -1, limit: int = CASE_ROWS) -> CaseAudit:
        """Return who saw what of a case, and when, in the order of the log.

        Leads and keyholders see it of the cases that their node opened.

        Raises:
            UntrustedError: The log itself is not what was signed.
            RefusedError: rule ``unknown-case``; for others than auditors ``not-the-owner``.
        """
        problems: list[str] = []
        if self.is_auditor:
            fresh = await self.catch_up()
            wanted = case_id(self._engine, self.store, case)
            problems = await self._hidden(bytes.fromhex(wanted)) if fresh else []
        else:
            owned = require_owner(self._engine, case)
            problems, wanted = await self._fetching.of_case(owned), owned.hex()
        conditions = (or_unproved((("case_id", wanted),)), or_unproved(_SEEN))

        def look() -> CaseAudit:
            found, more = self.store.find(conditions, start=after + 1, limit=limit)
            rows = tuple(rows_of(self._engine, self.store, found, self.head))
            state = self._engine.trust.state(bytes.fromhex(wanted))
            return CaseAudit(
                case=case,
                owner=state.owner if state else "",
                members=state.members if state else (),
                rows=rows,
                readers=_readers(found),
                after=found[-1].idx if more else None,
                head=self.head,
                quorum=self._engine.directory.root.quorum,
                named=len(self._engine.directory.root.witnesses),
                problems=tuple(problems),
            )

        return await self.entered(f"case {case}", look, _rows)

    async def _hidden(self, case: bytes) -> list[str]:
        """Return what is kept from the auditors of the node that opened a case."""
        state = self._engine.trust.state(case)
        if state is None or state.owner != self._engine.node:
            return []  # of another's case nobody tells them all
        return await self._fetching.hidden_of_case(case)

    async def register(self, month: str = "") -> tuple[Disclosed, ...]:
        """Return who disclosed to whom, node by node."""
        await self.catch_up()
        start, stop = self.span(month)

        def look() -> tuple[Disclosed, ...]:
            return disclosures(self._engine, self.store, start, stop)

        return await self.entered(f"register {month}".strip(), look, len)

    async def processing(self, month: str = "") -> Processing:
        """Return the record of processing of the own node, as far as the log knows it."""
        await self.catch_up()
        start, stop = self.span(month)

        def look() -> Processing:
            return processing(self._engine, self.store, start, stop)

        return await self.entered("record of processing", look, once)

    async def flags(self, month: str = "") -> tuple[rules.Flag, ...]:
        """Return what is worth a question, of a month or of all."""
        await self.catch_up()
        return await self.entered(f"flags {month}".strip(), lambda: self.flagged(month), len)

    def flagged(self, month: str) -> tuple[rules.Flag, ...]:
        """Return what is worth a question among what is here."""
        since = months(month, self._engine.now())[0] if month else 0
        stop = self.span(month)[1]
        start = self.store.since(max(0, since - rules.BEFORE))
        proved: Condition = (("proved", "yes"),)
        found = self.store.each((proved,), start=start, stop=stop)

        def last_read(officer: str) -> int | None:
            reads: Condition = (("act", "access"), ("purpose", AUDIT))
            last = self.store.last((proved, reads, (("officer", officer),)), start)
            return None if last is None else last.at

        return rules.flags(self._engine, found, since, last_read)

    async def sample(self, count: int, month: str = "", *, anew: bool = False) -> Sample:
        """Return readings drawn by a root of the log that nobody knew when this was asked first.

        The first call fixes the rule, in the log; a later one with the same count and month draws
        the same entries each time.

        Args:
            anew: Fix another rule, over the log as it is now. One that waits for its seed stays:
                who could leave it would choose among seeds.

        Raises:
            RefusedError: rule ``form``: fewer than 1 or more than 500; ``sample-waits``: one with
                another number waits for its seed; ``no-readings``: there is none to draw from.
        """
        if not 1 <= count <= sampling.MOST:
            raise RefusedError(f"a sample has 1 to {sampling.MOST} entries", rule="form")
        await self.catch_up()
        self.span(month)
        made = self._fixed(count, month)
        if made is None or (anew and self.head >= made.size):
            return await self._commit(count, month)
        with needing_the_broker():
            root = await self._root(made.size)
        if root is None:
            return self._sample(made, "", ())
        known = root

        def look() -> list[Facts]:
            drawn = sampling.draw(self.store, made, known)
            return [facts for index in drawn if (facts := self.store.one(index)) is not None]

        asked = f"sample {month or 'all'}/{count}, seed: root at {made.size}"
        found = await self.entered(asked, look, len)
        rows = tuple(rows_of(self._engine, self.store, found, self.head))
        return self._sample(made, known.hex(), rows)

    def _fixed(self, count: int, month: str) -> Rule | None:
        """Return the rule that waits for its seed, else the last one for so many readings."""
        waits = self._waiting(month)
        if waits is None:
            return sampling.rule(self._engine, month, count)
        if waits.count != count:
            raise RefusedError(
                f"a sample of {waits.count} waits for its seed, the root at {waits.size} "
                f"({waits.size - self.head} entries to go): one waits at a time, or seeds could be "
                "chosen",
                rule="sample-waits",
            )
        sampling.keep_rule(self._engine, month, waits)
        return waits

    def _waiting(self, month: str) -> Rule | None:
        """Return the rule of this officer that waits for its seed, made by any device of his."""
        engine, head = self._engine, self.head
        own = engine.directory.device(engine.keys.device)
        who = (("officer", own.officer),) if own.officer else (("device", own.device.hex()),)
        asked: tuple[Condition, ...] = (who, (("act", "search"),), (("purpose", AUDIT),))
        found = self.store.each(asked, start=max(0, head - sampling.AHEAD))
        entered = sampling.rules_in(rows_of(engine, self.store, list(found), head), month)
        # An admin opens no account of his own: what his device keeps is all he has.
        kept = sampling.kept_rules(engine, month)
        return next((made for made in (*entered, *kept) if made.size > head), None)

    async def _commit(self, count: int, month: str) -> Sample:
        self.require_fresh("audit", "the rule of the sample")  # others check that it came first
        start, stop = self.span(month)
        stop = self.head if stop is None else stop
        size = self.head + sampling.AHEAD
        made = Rule(count, start, stop, size, None, random_bytes(sampling.NONCE).hex())
        if not self._readings(made):
            raise RefusedError(
                f"no reading {f'of {month}' if month else 'at all'} is proved here: there is "
                "nothing to draw from",
                rule="no-readings",
            )
        self._journal.enter(AUDIT, sampling.said(made, month), lambda: made, once)
        entry = await self._journal.upload()
        if entry is None or entry >= size:
            raise RefusedError(
                "the rule of the sample must stand in the log before its seed is known: "
                "try again when the broker is back",
                rule="unreachable",
            )
        made = replace(made, entry=entry)
        sampling.keep_rule(self._engine, month, made)
        return self._sample(made, "", ())

    async def _root(self, size: int) -> bytes | None:
        """Return the root of the log at a size; None: it has not grown so far."""
        if self.head < size:
            return None
        async with self._engine.lock:
            await self._whole.compare(anew=False)
        return sampling.root_at(self._engine, size)

    def _sample(self, made: Rule, root: str, rows: tuple[AuditRow, ...]) -> Sample:
        return Sample(
            made.count, made.start, made.stop, made.size, made.entry, root, rows, self.head,
            self._readings(made), made.nonce if root else "",
        )  # fmt: skip

    def _readings(self, made: Rule) -> int:
        return self.store.count_of(READ, start=made.start, stop=made.stop)


def _rows(found: CaseAudit) -> int:
    return len(found.rows)


def _readers(found: list[Facts]) -> tuple[tuple[str, str, int], ...]:
    """Return node, officer and number of readings; what was pushed counts for each on watch."""
    counted: dict[tuple[str, str], int] = {}
    for one in found:
        if one.act in ("access", "release") and not one.problem:
            for officer in one.officer.split() or [""]:
                counted[one.node, officer] = counted.get((one.node, officer), 0) + 1
    return tuple((node, officer, n) for (node, officer), n in sorted(counted.items()))
