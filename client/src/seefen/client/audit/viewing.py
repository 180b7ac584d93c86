"""A view: the cores of another node's entries, or of all, for who was let look at them.

Nothing but cores is shown here: no reason, no query, no content. What he asks is entered by this
device, for the auditors of his own node; that he looks by the broker, for those of both. Who is
shown every entry of the log knows one that is kept from him.
"""

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Final

from seefen.client import alarms
from seefen.client.audit.emergencies import Emergency
from seefen.client.audit.explaining import MOST, Explaining, wrong
from seefen.client.audit.filters import LIMIT, Filter, conditions
from seefen.client.audit.granted import begin, granted
from seefen.client.audit.looking import needing_the_broker, once
from seefen.client.audit.rowing import rows_of
from seefen.client.audit.showing import entry_view
from seefen.client.connection import UnreachableError
from seefen.client.engine import Engine
from seefen.client.explained import ENTRY, subject_of
from seefen.client.findings import AuditPage, EntryView, ViewVerdict
from seefen.client.journal import Journal
from seefen.protocol.errors import RefusedError
from seefen.protocol.manifest import is_whole
from seefen.protocol.statements import View

ALL: Final = "all"  # what the whole network is called in commands
LIMITS: Final = (
    "cores only: signatures, reasons and what was searched for are for the node's own auditors",
    "nobody can see a hidden tail or a hidden revocation until the other side speaks",
)
PART: Final = "what the broker leaves out of a part of the log, the node's own auditors find"


class Viewing(Explaining):
    """What a device may see beyond its node, as far as it has checked it."""

    def __init__(self, engine: Engine, journal: Journal, of: str) -> None:
        """Look at the cores of ``of``, a node; empty for all."""
        super().__init__(engine, journal, of)
        self.of = of

    def require_auditor(self) -> None:
        """Check that this device has a view of these entries.

        Raises:
            UntrustedError: rule ``not-a-viewer``, or ``role``.
        """
        self.require()

    def require(self) -> View:
        """Return the view; see :meth:`require_auditor`."""
        return granted(self._engine, self.of)

    @property
    def is_whole(self) -> bool:
        """Whether every entry of the log must be shown here."""
        return is_whole(self.require())

    async def catch_up(self) -> bool:
        """Fetch what is new; tell whether the broker could be asked.

        Where every entry must be shown, one that is not raises the alarm ``missing-opening``.

        Raises:
            UntrustedError: rule ``not-a-viewer``, or the log itself is not what was signed.
            UnreachableError: rule ``audit-away``: nothing is here that could be shown.
        """
        fresh = await self._caught_up()
        if fresh and self.is_whole and (missing := self.store.missing()):
            await self._fetching.again(missing[0], missing[-1] + 1)
        for sentence in self.problems() if self.is_whole else ():
            if sentence not in (one.sentence for one in alarms.kept(self._engine.vault)):
                self._engine.alarm(sentence)
        return fresh

    async def _caught_up(self) -> bool:
        with suppress(UnreachableError):
            async with self._engine.lock:
                await self._engine.sync_authority()  # the period is what the node says now
        while True:
            begun = begin(self._engine, self.of)
            fresh = await super().catch_up()
            if begin(self._engine, self.of) == begun:
                break
        if not fresh and not self.store.upto:
            # Else an empty store would pass for a period without entries.
            with needing_the_broker():
                raise UnreachableError("nothing of this view is here")
        return fresh

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with entries, and which are not opened at all; the first ones."""
        return (sentence for _, sentence, _ in islice(self._found(), MOST))

    def _found(self) -> Iterator[tuple[str, str, str]]:
        # Of a part nobody counts what is missing: what came without its text is told alike.
        yield from wrong(self.store, opened=self.is_whole)
        if self.is_whole:
            yield from self._closed()

    def emergencies(self) -> list[Emergency]:
        """Return none: reasons are sealed to others, whether one was given is not for a view."""
        return []

    def _closed(self) -> Iterator[tuple[str, str, str]]:
        """Yield each entry without an opening that no erasure allows (fault 19)."""
        blank = [facts.idx for facts in self.store.problems(self.head) if not facts.act]
        for index in sorted({*self.store.missing(self.head), *blank}):
            row = self._engine.vault.one("SELECT record FROM record WHERE idx = ?", index)
            sentence = (
                f"entry {index} has no opening, and nothing in the log allows it: it may be "
                "hidden from whom it concerns (missing-opening)"
            )
            yield ENTRY, sentence, subject_of(ENTRY, "closed", index, *(row or ()))

    async def page(self, wanted: Filter, *, after: int = -1, limit: int = LIMIT) -> AuditPage:
        """Return a page of entries that a filter finds, in the order of the log.

        Raises:
            UntrustedError: rule ``not-a-viewer``, or the log itself is not what was signed.
            RefusedError: The filter names what there is not.
        """
        fresh = await self.catch_up()
        store = self.store
        asked = conditions(self._engine, store, wanted)
        start = max(after + 1, 0 if wanted.since is None else store.since(wanted.since))
        stop = None if wanted.until is None else store.since(wanted.until)

        def look() -> AuditPage:
            found, more = store.find(asked, start=start, stop=stop, limit=limit)
            rows = tuple(rows_of(self._engine, store, found, self.head))
            return AuditPage(
                rows, rows[-1].index if more else None, self.head,
                self._engine.directory.root.quorum,
                fresh=fresh, asked=str(wanted), behind=after, of=self.of,
                named=len(self._engine.directory.root.witnesses),
            )  # fmt: skip

        return await self.entered(f"list of {self.of or ALL}: {wanted}", look, _rows)

    async def show(self, index: int) -> EntryView:
        """Return one entry, as far as a view shows it, with its proof.

        Raises:
            UntrustedError: rule ``not-a-viewer``, or the log itself is not what was signed.
            RefusedError: rule ``unknown-entry``.
        """
        await self.catch_up()
        entry = await self._fetching.proof(index)
        if self.store.one(index) is None:
            raise RefusedError(f"entry {index} is none that is shown to you", rule="unknown-entry")

        def look() -> EntryView:
            return entry_view(self._engine, self._fetching, index, entry)

        return await self.entered(f"entry {index} of {self.of or ALL}", look, once)

    async def verdict(self) -> ViewVerdict:
        """Return what is shown here on one page, and what is wrong with it.

        Raises:
            UntrustedError: rule ``not-a-viewer``, or the log itself is not what was signed.
        """
        await self.catch_up()
        engine, store, view = self._engine, self.store, self.require()

        def look() -> ViewVerdict:
            whole = is_whole(view)
            findings = self.findings()
            open_ = (one.sentence for one in findings if not one.acknowledged)
            return ViewVerdict(
                of=self.of,
                since=view.since,
                upto=view.upto,
                expires=view.expires,
                whole=whole,
                entries=store.count[0],
                acts=tuple(store.acts()),
                problems=(*open_, *filter(None, [self.stale])),
                cosigned=engine.witnessed.cosigned(),
                head=self.head,
                at=engine.now(),
                limits=LIMITS if whole else (*LIMITS, PART),
                alarms=alarms.kept(engine.vault),
                findings=findings,
            )

        return await self.entered(f"verdict of {self.of or ALL}", look, once)


def _rows(page: AuditPage) -> int:
    return len(page.rows)
