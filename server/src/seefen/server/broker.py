"""The broker: what it promises to devices, in one place.

It takes bundles and accesses, says where they stand, and shows both logs as the database
has them. It knows neither HTTP nor SQL.
"""

from collections.abc import Callable

from seefen.protocol.bundle import Bundle
from seefen.protocol.directory import Directory
from seefen.protocol.envelope import Opened, open_envelope
from seefen.protocol.errors import MalformedError, OutOfTurnError, SeefenError
from seefen.protocol.frames import (
    Ask,
    AuditPage,
    AuthorityPage,
    CaseFrom,
    ContentKey,
    FeedFrom,
    LogFrom,
    Page,
    Proof,
    Recorded,
    RecordPage,
    Released,
    Span,
    ViewFrom,
)
from seefen.protocol.statements import Device, Root
from seefen.protocol.suite import PlainKey
from seefen.server.alarms import alarm
from seefen.server.denials import STOP_SECONDS, Denials, suspect
from seefen.server.errors import UnreachableError
from seefen.server.feed import Feed
from seefen.server.high_water import HighWater
from seefen.server.jobs import AskAgainJob, AskJob, BundleJob, Done
from seefen.server.keeping_up import KeepingUp
from seefen.server.looks import Looks
from seefen.server.newest import Newest
from seefen.server.pages import Asked, Found, Pages, require_auditing
from seefen.server.proofs import Prover
from seefen.server.push import Deliver, Push
from seefen.server.rates import Records
from seefen.server.recovery import check_log_key, resume
from seefen.server.releases import Watches
from seefen.server.retention import Retention
from seefen.server.rows import Heads, LogHead, Storage
from seefen.server.sequencer import Sequencer
from seefen.server.tiled import Piece, Tiled
from seefen.server.witnesses import Witnesses


class Broker:
    """One broker process. :meth:`open` makes one, :meth:`close` ends it."""

    def __init__(
        self,
        storage: Storage,
        sequencer: Sequencer,
        prover: Prover,
        watches: Watches,
        *,
        log_key: PlainKey,
        clock: Callable[[], float],
        unwitnessed: int,
    ) -> None:
        """Put the parts together."""
        self._storage = storage
        self._sequencer = sequencer
        self._prover = prover
        self._watches = watches
        self._log_key = log_key
        self._clock = clock
        self.denials = Denials(sequencer, clock)
        self._looks, self._records = Looks(sequencer, clock), Records(clock)
        self.retention = Retention(storage, sequencer, clock)
        self._feed = Feed(storage, sequencer, prover)
        self._pages = Pages(storage, prover)
        self._newest = Newest(sequencer, prover, clock)
        self._tiled = Tiled(storage, prover)
        self.witnesses = Witnesses(
            storage.cosignatures, prover, sequencer, self._newest, clock, closes_after=unwitnessed
        )
        shut, sign = self.witnesses.shut, self._sign
        self._push = Push(sequencer, prover, storage, self._feed, watches, clock, sign, shut)
        self._keeping_up = KeepingUp(storage, sequencer, prover, self._push, watches, clock)
        self.look = self._keeping_up.look

    @classmethod
    async def open(
        cls,
        store: Storage,
        *,
        log_key: PlainKey,
        clock: Callable[[], float],
        high_water: HighWater | None = None,
        unwitnessed: int = 0,
        signs: bool = True,
    ) -> "Broker":
        """Check the ledger, and begin to take bundles.

        Args:
            store: Where the ledger is.
            log_key: Signs checkpoints; the root statement names it.
            clock: Unix seconds.
            high_water: How far the logs were signed; below it the broker is frozen.
            unwitnessed: Seconds without a quorum until bodies of cases stay closed, or 0.
            signs: Whether it signs heads; one that does waits, at its start, for the times that
                others may have signed.

        Raises:
            LedgerChangedError: The ledger was changed outside.
            RefusedError: The network names another log key.
        """
        prover = Prover(store, log_key, high_water)
        prover.signs = signs
        known = await resume(store, prover, clock)
        if known.directory.size:
            check_log_key(known.directory.root, log_key)
        at = int(clock())
        watches = Watches(await store.open_accesses(at), at=at)
        sequencer = Sequencer(store, known, prover, clock)
        broker = cls(
            store, sequencer, prover, watches,
            log_key=log_key, clock=clock, unwitnessed=unwitnessed,
        )  # fmt: skip
        broker._begin()
        return broker

    async def close(self) -> None:
        """Stop; whoever still waits is told to ask again."""
        await self._keeping_up.close()
        await self.witnesses.close()
        await self._push.close()
        await self.denials.settled(STOP_SECONDS)  # the sequencer still writes
        await self._sequencer.close()
        await self.denials.settled()

    @property
    def directory(self) -> Directory:
        """The directory as committed; empty (``size`` 0) before the network is founded."""
        return self._sequencer.known.directory

    @property
    def frozen(self) -> str:
        """Why nothing is signed, in a sentence with what to do; empty if all is well."""
        mark = self._prover.high_water
        return "" if mark is None else mark.frozen

    @property
    def heads(self) -> Heads:
        """Both logs as this process last saw them."""
        return self._sequencer.known.heads

    async def found(self, bundle: Bundle) -> Recorded:
        """Found the network with root version 1.

        Raises:
            SeefenError: It is founded already, or the root names another log key.
        """
        job = BundleJob(None, bundle, founding=True)
        root = job.opened[0].statement
        if isinstance(root, Root):
            check_log_key(root, self._log_key)
        return await self._recorded(await self._sequencer.write(job), None, 0)

    async def submit(self, device: bytes | None, bundle: Bundle, seen: int) -> Recorded:
        """Commit a bundle and return where it stands; the same bundle again, the same place.

        Args:
            device: Who is logged in; None for what the root has signed.
            bundle: All of it or nothing.
            seen: Activity size from which growth is proved.

        Raises:
            SeefenError: The rule it breaks; nothing of it stands.
            UnreachableError: It may or may not stand: ask again with the same bytes.
        """
        job = BundleJob(device, bundle)
        with self.denials.of(device, *job.opened):
            try:
                node = "" if device is None else self.directory.device(device).node
                with self._records.of(node, [one.kind for one in job.opened]):
                    await self._require_parts(job)
                    done = await self._sequencer.write(job)
            except UnreachableError:
                raise
            except SeefenError as err:
                done = await self._stands_already(device, job.opened, err)
                await self._check_same_contents(job)
        return await self._recorded(done, device, seen)

    async def ask(self, device: bytes, ask: Ask) -> Released:
        """Log an access and return the content keys it opens.

        The same access again, while it lasts, gives keys again and no second entry.

        Raises:
            SeefenError: The rule that refuses it; nothing is given. An access that there was
                no right to is entered as refused.
        """
        opened = open_envelope(ask.envelope, "access")
        job = AskJob(device, opened, ask.tag, ask.objects)
        await self.witnesses.check(job.access.case)
        with self.denials.of(device, opened):
            try:
                done = await self._sequencer.write(job)
            except UnreachableError:
                raise
            except SeefenError as err:
                before = await self._stands_already(device, (opened,), err)
                again = AskAgainJob(device, before.activity[0].idx, job.access, ask.objects)
                opens = await self._sequencer.write(again)
                done = Done((), before.activity, opens.heads, opens.keys, opens.disclosure)
        return await self._released(done, device, ask)

    async def feed(self, device: bytes, ask: FeedFrom) -> Page:
        """Return what a device's node is to receive from a cursor on."""
        heads = await self._newest()  # first: another process may have taken a right away
        certificate, size = self._active(device), heads.activity.size
        filled = await self._feed.fill(certificate, self.directory, ask, size)
        consistency = await self._grown(device, ask.seen, heads)
        checkpoint = self._sign("activity", heads.activity)
        ends = filled.within, filled.before
        return Page(filled.items, filled.stubs, filled.upto, checkpoint, consistency, *ends)

    async def authority(self, device: bytes | None, ask: LogFrom) -> AuthorityPage:
        """Return leaves of the authority log; ``device`` None: the holder of an invite."""
        head = (await self._newest()).authority
        if device is not None:
            self._active(device)
        stop = min(ask.start + ask.limit, head.size)
        items = await self._pages.authority(device, start=ask.start, stop=stop)
        consistency = await self._prover.consistency("authority", ask.seen, head.size)
        return AuthorityPage(ask.start, items, self._sign("authority", head), consistency)

    async def records(self, device: bytes, ask: LogFrom) -> RecordPage:
        """Return records of the activity log: commitments, open to every node."""
        heads = await self._newest()
        self._active(device)
        stop = min(ask.start + ask.limit, heads.activity.size)
        records = tuple(await self._storage.records(ask.start, stop))
        consistency = await self._grown(device, ask.seen, heads)
        return RecordPage(ask.start, records, self._sign("activity", heads.activity), consistency)

    async def audit(self, device: bytes, ask: Asked) -> AuditPage:
        """Return the entries that a device may look at; see require_auditing."""
        case = ask.case if isinstance(ask, CaseFrom) else None
        of = ask.of if isinstance(ask, ViewFrom) else None
        heads = await self._newest()
        state = None if case is None else await self._sequencer.case(case)
        with self.denials.of(device, audit=True, case=case, of=of):
            who = require_auditing(self.directory, device, ask, state, self._now())
            if of is not None and await self._looks.enter(device, of):
                heads = await self._newest()  # who looks is shown that it was entered
        found = await self._pages.audit(who, ask, heads.activity.size)
        return await self._audited(device, ask.seen, heads, found)

    async def erased(self, device: bytes, ask: LogFrom) -> AuditPage:
        """Return the entries that say which readings have lost their text."""
        heads = await self._newest()
        self._active(device)
        erased = self._pages.erased(heads.activity.size)
        return await self._audited(device, ask.seen, heads, await erased)

    async def _audited(self, device: bytes, seen: int, heads: Heads, found: Found) -> AuditPage:
        grown, note = await self._grown(device, seen, heads), self._sign("activity", heads.activity)
        return AuditPage(*found, note, grown, self.retention.years)

    async def consistency(self, span: Span) -> Proof:
        """Return the proof that a log grew from one size to another; empty if there is none."""
        heads = await self._newest()
        head = heads.authority if span.log == "authority" else heads.activity
        if span.new > head.size:  # of the database: memory must not cover up for a rewind
            return Proof(())
        return Proof(await self._prover.consistency(span.log, span.old, span.new))

    async def checkpoint(self, log: str) -> str:
        """Return the checkpoint of the head that the database holds, signed for everybody."""
        heads = await self._newest()
        if log not in ("authority", "activity"):
            raise MalformedError("there is no such log", rule="unknown-log")
        head = heads.authority if log == "authority" else heads.activity
        return self._prover.published(self.directory.root.origin, log, head)

    async def piece(self, log: str, path: str) -> Piece:
        """Return the tile or the bundle of entries at a C2SP path of a log."""
        heads = await self._newest()
        head = heads.authority if log == "authority" else heads.activity
        return await self._tiled.read(log, path, head.size)

    def attach(
        self,
        device: bytes,
        deliver: Deliver,
        revoked: Callable[[], None],
        missed: Callable[[], None] | None = None,
    ) -> Callable[[], None]:
        """Push to a line of a device from now on; returns what ends that.

        ``deliver`` gets a verb and the body of a frame. ``revoked`` is called once when the
        device is no longer in force, ``missed`` when this process stood still and pushes nothing
        of what it missed; the line has ended then.

        Raises:
            UntrustedError: The device is not in force.
        """
        return self._push.attach(device, deliver, revoked, missed)

    def _begin(self) -> None:
        self._sequencer.start()
        self._push.start()
        self.witnesses.start()
        self._keeping_up.start()

    async def _require_parts(self, job: BundleJob) -> None:
        roots = set(job.files.values())
        if roots and roots - await self._storage.blob_complete(roots):
            raise OutOfTurnError("parts of a file are missing: upload them", rule="parts-missing")

    async def _stands_already(
        self, device: bytes | None, opened: tuple[Opened, ...], error: SeefenError
    ) -> Done:
        """Return where statements stand that were refused because they stand already.

        Raises:
            SeefenError: ``error``, when they do not.
        """
        authority, activity = await self._storage.placed([o.hash for o in opened])
        known = self._sequencer.known
        if len(authority) + len(activity) < len(opened):
            suspect(known, opened, error)
            raise error
        if device is not None:
            known.directory.require_active(device, at=self._now())
        if any(row.device != device for row in activity):
            raise error
        heads = await self._newest()
        return Done(tuple(row.idx for row in authority), tuple(activity), heads, {}, None)

    async def _check_same_contents(self, job: BundleJob) -> None:
        for content in job.contents.values():
            body = None if content.object in job.files else content.body
            if not await self._storage.same_contents(content.object, body, content.key):
                alarm("other-bytes", object=content.object)
                raise OutOfTurnError("this object was sent with other bytes", rule="other-bytes")

    async def _recorded(self, done: Done, device: bytes | None, seen: int) -> Recorded:
        entries = await self._prover.entries(done.activity, done.heads.activity.size)
        grown = await self._grown(device, seen, done.heads)
        return Recorded(done.authority, entries, self._sign("activity", done.heads.activity), grown)

    async def _released(self, done: Done, device: bytes, ask: Ask) -> Released:
        (entry,) = await self._prover.entries(done.activity, done.heads.activity.size)
        keys = tuple(
            ContentKey(o, done.keys[o].reveal(done.disclosure, device=device))
            for o in dict.fromkeys(ask.objects)
            if o in done.keys
        )
        consistency = await self._grown(device, ask.seen, done.heads)
        return Released(entry, keys, self._sign("activity", done.heads.activity), consistency)

    async def _grown(self, device: bytes | None, seen: int, heads: Heads) -> tuple[bytes, ...]:
        size = heads.activity.size
        if device is not None:
            self._push.told(device, size)
        return await self._prover.consistency("activity", seen, size)

    def _sign(self, log: str, head: LogHead) -> str:
        return self._prover.checkpoint(self.directory.root.origin, log, head)

    def _active(self, device: bytes) -> Device:
        return self.directory.require_active(device, at=self._now())

    def _now(self) -> int:
        return int(self._clock())
