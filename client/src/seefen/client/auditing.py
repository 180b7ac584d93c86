"""The audit: who opened what and looked for what, when and why, each line checked on this machine.

The broker's word counts for nothing here. An entry is proved when its text matches the
commitment in the signed log, the signed record is the one it names, and the device that
signed was in force. What nobody can see without witnesses is printed with each verdict.

Who looks here is entered himself, before he is shown anything: as a search with the purpose
``audit``, what he asked for sealed to the auditors of his own node (fault 57).
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeAlias

from seefen.client import alarms
from seefen.client.alarms import Kept
from seefen.client.audit.breach import Breaches
from seefen.client.audit.comparing import accuse, compare, unexplained
from seefen.client.audit.counting import counts
from seefen.client.audit.explaining import Explaining
from seefen.client.audit.facts import GONE
from seefen.client.audit.fetching import Progress, silent
from seefen.client.audit.filters import LIMIT, Filter, conditions
from seefen.client.audit.filters import month as months
from seefen.client.audit.flags import Flag
from seefen.client.audit.gaps import gaps
from seefen.client.audit.inquiries import Inquiries
from seefen.client.audit.judged import older
from seefen.client.audit.lateness import note
from seefen.client.audit.looking import needing_the_broker, once
from seefen.client.audit.manifests import Publishing
from seefen.client.audit.naming import Naming
from seefen.client.audit.own import own_rows
from seefen.client.audit.persons import Persons
from seefen.client.audit.reporting import Statement, statement
from seefen.client.audit.rowing import rows_of
from seefen.client.audit.store import Store
from seefen.client.audit.unshown import places
from seefen.client.audit.viewing import ALL, Viewing
from seefen.client.audit.vouching import Vouching
from seefen.client.bundling import Bundling, Exported
from seefen.client.compared import Compared
from seefen.client.differing import settle
from seefen.client.engine import Engine
from seefen.client.explained import GAP, Finding, explained
from seefen.client.findings import AuditPage, AuditRow, Verdict, VerifyReport, without_quorum
from seefen.client.journal import Journal
from seefen.client.sender import Sender
from seefen.protocol.errors import MalformedError, RefusedError, SeefenError, UntrustedError
from seefen.protocol.ledger.quorum import INDEPENDENT
from seefen.protocol.manifest import NETWORK

LIMITS: Final = (
    "nobody can see a hidden tail or a hidden revocation until the other side speaks",
    "the last number of a device is known only when it speaks again",
    "all times are the broker's",
)

LIES: Final = (UntrustedError, MalformedError)  # what no honest broker shows

Rows: TypeAlias = list[AuditRow]
Sentences: TypeAlias = list[str]


class Audit(Inquiries, Breaches, Persons, Naming, Vouching, Explaining):
    """For auditors and admins, over the entries of their node and of its cases."""

    def __init__(self, engine: Engine, journal: Journal, sender: Sender) -> None:
        """Look at the entries of the own node; others are looked at by :meth:`view`."""
        super().__init__(engine, journal)
        self.manifests = Publishing(engine, journal, sender)

    def view(self, of: str) -> Viewing:
        """Return what this device is let see of another node's entries, or of all (``all``)."""
        return Viewing(self._engine, self._journal, NETWORK if of == ALL else of)

    async def list(
        self,
        *,
        case: str | None = None,
        node: str | None = None,
        officer: str | None = None,
        wanted: Filter | None = None,
    ) -> Rows:
        """Return all entries a filter finds, in the order of the log; see :meth:`page`."""
        chosen = wanted or Filter(case=case, node=node, officer=officer)
        return [*(await self.page(chosen, limit=sys.maxsize)).rows]

    async def page(
        self, wanted: Filter | None = None, *, after: int = -1, limit: int = LIMIT
    ) -> AuditPage:
        """Return a page of entries that a filter finds, in the order of the log.

        Args:
            after: The last index of the log that was seen.
            limit: At most so many.

        Raises:
            UntrustedError: No auditor, or the log itself is not what was signed.
            RefusedError: The filter names what there is not.
        """
        wanted = wanted or Filter()
        if not self.is_auditor:
            return self._own(wanted, after, limit)
        fresh = await self.catch_up()
        store, head = self.store, self._engine.trust.head("activity").size
        asked = conditions(self._engine, store, wanted)
        start = max(after + 1, 0 if wanted.since is None else store.since(wanted.since))
        stop = None if wanted.until is None else store.since(wanted.until)

        def look() -> AuditPage:
            found, more = store.find(asked, start=start, stop=stop, limit=limit)
            rows = tuple(rows_of(self._engine, store, found, head))
            next_ = rows[-1].index if more else None
            root = self._engine.directory.root
            return AuditPage(
                rows, next_, head, root.quorum, fresh=fresh, asked=str(wanted), behind=after,
                named=len(root.witnesses),
            )  # fmt: skip

        return await self.entered(f"list: {wanted}", look, _rows)

    async def export(self, *, case: str | None = None) -> Exported:
        """Return entries as a ZIP that verifies without any of this, of one case or all.

        Raises:
            UntrustedError: rule ``not-an-auditor``, or the log itself is not what was signed.
        """
        self.require_auditor()
        with needing_the_broker():
            made = await Bundling(self._engine).make(case=case)
            await self._fetching.catch_up()
        # Who exports knows more than the file can show: whether a device was in force, say.
        wrong = (facts.problem for facts in self.store.problems())
        made = _with(made, (*wrong, *_not_erased(self.store, made.erased)))
        return await self.entered(f"export {case or ''}".strip(), lambda: made, _exported)

    async def export_view(self, of: str) -> Exported:
        """Return the cores that a view shows, as a ZIP that verifies without any of this.

        Args:
            of: A node, or ``all``; see :meth:`view`.

        Raises:
            UntrustedError: rule ``not-a-viewer``, or the log itself is not what was signed.
            RefusedError: rule ``no-entry``: none was made in the period.
        """
        view = self.view(of)
        with needing_the_broker():
            await view.catch_up()
            made = await Bundling(self._engine, view.require()).make()
            made = _with(made, (*view.problems(), *_not_erased(view.store, made.erased)))
        return await view.entered(f"export of {of}", lambda: made, _exported)

    async def acknowledge(self, name: str, why: str) -> Kept | Finding:
        """Say why an alarm or a finding is none any more; see :class:`Explaining`."""
        self.require_auditor()
        with suppress(SeefenError):  # who cannot be asked, or lies, keeps nobody from saying it
            # One's own last look would pass for a gap: its number is known, and its entry not.
            await self._fetching.catch_up()
        return await super().acknowledge(name, why)

    async def compare(self) -> Compared:
        """Fetch what is new, and compare it with the manifests about the own node.

        Nobody is shown an entry by it, so it is not entered, as :meth:`verify` is not.

        Raises:
            UntrustedError: rule ``not-an-auditor``, or the log itself is not what was signed.
            UnreachableError: No broker, nothing to compare with.
        """
        self.require_auditor()
        await self._fetching.catch_up()
        note(self._engine)
        await accuse(self._engine, self._fetching)
        return compare(self._engine, self.store)

    def unexplained(self) -> Iterator[tuple[str, Path | None]]:
        """Yield what :meth:`compare` found and nobody acknowledged, each with its evidence."""
        return unexplained(self._engine, self.store)

    async def shown(self, size: int | None = None) -> dict[str, object]:
        """Return what the log has signed for this device, for others to compare."""
        return await Bundling(self._engine).shown(size)

    async def verdict(self, month: str = "") -> Verdict:
        """Return the audit on one page.

        Args:
            month: ``2026-03``: what is counted was made in it. What is proved, and what is
                missing, is always said of the whole log.
        """
        engine = self._engine
        self.require_auditor()
        with needing_the_broker():
            report = await self._report(anew=False, progress=silent)
        store, compared = self.store, compare(engine, self.store)
        start, stop = self.span(month)

        def look() -> Verdict:
            missing = tuple(
                one.sentence for one in report.findings if one.what == GAP and not one.acknowledged
            )
            flagged = tuple((flag.name, _sentence(flag)) for flag in self.flagged(month))
            found = (*report.problems, *filter(None, [report.stale]))
            problems = tuple(text for text in found if text not in missing)
            total, wrong = store.count
            first, last = store.ends
            alarm = alarms.kept(engine.vault)
            urgent = self.emergencies()
            reasons = self.reasons(urgent)
            answered = all(one.acknowledged for one in alarm)
            settled = all(one.acknowledged for one in reasons)
            return Verdict(
                ok=not problems and not missing and answered and settled and compared.ok,
                entries=total,
                proved=total - wrong,
                first=first,
                last=last,
                **counts(store, start, stop),
                gaps=missing,
                flags=flagged,
                problems=problems,
                limits=(*report.limits, *older(store)),
                cosigned=engine.witnessed.cosigned(),
                head=engine.trust.head("activity").size,
                at=engine.now(),
                node=engine.node,
                network=engine.directory.root.name,
                month=month,
                emergencies=tuple(filter(None, (one.in_period(start, stop) for one in urgent))),
                alarms=alarm,
                manifests=compared,
                findings=(*report.findings, *reasons),
            )

        return await self.entered(f"verdict {month}".strip(), look, once)

    async def report(self, month: str) -> Statement:
        """Return the statement of a month (Article 25).

        Raises:
            UntrustedError: rule ``not-an-auditor``.
            RefusedError: rule ``month``: no month, or it has not begun.
            UnreachableError: rule ``audit-away``.
        """
        self.require_auditor()
        months(month, self._engine.now())
        verdict = await self.verdict(month)
        return statement(self, self._engine, verdict, self.flagged(month))

    async def verify(self, progress: Progress = silent) -> VerifyReport:
        """Fetch every record and entry anew, compare with what was seen before and with the root.

        A problem is a sentence that says which entry, and what is wrong with it. Who is no auditor
        checks the records, which are open to every node, and asks for no entry: a request that
        must be refused would stand in the log as an attempt.
        """
        with needing_the_broker():
            report = await self._report(anew=True, progress=progress)
        if not self.is_auditor:
            return report
        differs = compare(self._engine, self.store).problems
        return replace(report, problems=(*report.problems, *differs))

    async def _report(self, *, anew: bool, progress: Progress) -> VerifyReport:
        engine = self._engine
        problems: Sentences = []
        checked = 0
        async with engine.lock:
            # One lie must not keep the other checks from being made.
            try:
                await engine.sync()
            except LIES as err:
                problems.append(str(err))
            try:
                checked, found = await self._whole.compare(progress, anew=anew)
                problems += found
            except LIES as err:
                problems.append(str(err))
            await settle(engine, whole=not problems)
        problems += await self._entries(anew=anew, progress=progress)
        findings = self.findings()
        problems += [one.sentence for one in findings if not one.acknowledged]
        quorum = engine.directory.root.quorum
        named = len(engine.directory.root.witnesses)
        limits = LIMITS[0 if quorum < INDEPENDENT else 1 :]
        if not quorum:
            limits = (without_quorum(named), *limits)
        cosigned = engine.witnessed.cosigned()
        limits += tuple(f"cosigned: {text}" for text in cosigned.unseen)
        return VerifyReport(
            problems=tuple(dict.fromkeys(problems)),
            checked=checked,
            head=engine.trust.head("activity").size,
            limits=limits,
            cosigned=cosigned,
            entries=self.store.count[0] if self.is_auditor else None,
            stale=self.stale,
            findings=findings,
        )

    async def _entries(self, *, anew: bool, progress: Progress) -> Sentences:
        """Fetch what there is; return what is wrong beside what has a name."""
        if not self.is_auditor:
            return []
        try:
            await self._fetched(anew=anew, progress=progress)
        except LIES as err:
            return [str(err)]
        return []

    async def _fetched(self, *, anew: bool, progress: Progress) -> None:
        """Fetch what is new, or all, and once more where something is missing."""
        if anew:
            await self._fetching.whole(progress)
        else:
            await self._fetching.catch_up(progress)
        said = explained(self._engine.vault)
        # What was explained is not asked for each morning anew: a check of the whole log does so.
        missing = [
            (gap.start, gap.stop) for gap in gaps(self._engine, self.store)
            if gap.subject not in said
        ]  # fmt: skip
        if not anew:
            missing += [
                (index, index + 1) for index, subject in places(self.store) if subject not in said
            ]
        if missing:  # what was kept from us may be shown now
            stops = [stop for _, stop in missing]
            stop = None if None in stops else max(one for one in stops if one is not None)
            await self._fetching.again(min(start for start, _ in missing), stop)
        note(self._engine)
        await accuse(self._engine, self._fetching)

    def _own(self, wanted: Filter, after: int, limit: int) -> AuditPage:
        """Return what this device opened itself; it is asked of nobody and entered nowhere."""
        engine, asked = self._engine, wanted
        if asked.beyond_own:
            raise RefusedError(
                "your device lists what it opened itself, by period and case: "
                "all else is for the auditors of your node",
                rule="not-an-auditor",
            )
        found, more = own_rows(engine, asked, after, limit)
        head = engine.trust.head("activity").size
        next_ = found[-1].index if more else None
        root = engine.directory.root
        return AuditPage(
            tuple(found), next_, head, root.quorum, own=True, named=len(root.witnesses)
        )


def _rows(page: AuditPage) -> int:
    return len(page.rows)


def _exported(made: Exported) -> int:
    return made.entries


def _sentence(flag: Flag) -> str:
    return ", ".join(filter(None, (flag.who, flag.figure)))


def _with(made: Exported, findings: Iterable[str]) -> Exported:
    return replace(made, findings=tuple(dict.fromkeys((*made.findings, *findings))))


def _not_erased(store: Store, indices: Iterable[int]) -> Iterator[str]:
    """Yield why texts are missing that should be there; nothing of what was erased in order.

    Else a broker that blanks a reading takes it out of every export without a word.
    """
    for index in indices:
        facts = store.one(index)
        if facts is None or (facts.act != GONE and not facts.problem):
            yield f"entry {index}: its text is gone, and nothing in the log allows it"
        elif facts.problem:
            yield facts.problem
