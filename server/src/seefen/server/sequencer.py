"""The sequencer: one task takes everything that waits and commits it as one group.

A job is judged when it arrives, on top of what is committed and what is on its way, while
the database is busy with the group before. Then the group locks the head row; if the head
is the one it was judged on, all of it still holds and is written at once. If another
process has written, the group catches up under the lock and is judged again.

Memory is never ahead of the database: layers are folded in after COMMIT. When the outcome
of a COMMIT is unknown, callers are told to ask again, and the next lock shows which it was.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from seefen.protocol.case import CaseState
from seefen.protocol.errors import OutOfTurnError, SeefenError
from seefen.protocol.ledger.tree import leaf_hash
from seefen.server.alarms import alarm
from seefen.server.announcing import Announcer
from seefen.server.errors import UnreachableError
from seefen.server.gate import Gate, Protected
from seefen.server.jobs import Done, Job, LookJob
from seefen.server.loading import load
from seefen.server.metrics import COMMIT_SECONDS, GROUP_JOBS, LEAVES
from seefen.server.proofs import Growth, Prover
from seefen.server.recovery import Missed, catch_up, is_far, leap
from seefen.server.rows import Changes, Heads, Reads, Storage, TakenError
from seefen.server.view import Known, Layer, Needs

Listener = Callable[[Changes, Heads, Sequence[Job]], None]
Companion = Callable[[Layer], Iterable[Job]]


@dataclass
class _Group:
    """What is committed together, and whether it is."""

    layer: Layer
    jobs: list[tuple[Job, Changes]] = field(default_factory=list[tuple[Job, Changes]])
    committed: bool = False
    settled: "asyncio.Future[None]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Sequencer:
    """Orders everything that changes state or releases a key."""

    def __init__(
        self, storage: Storage, known: Known, prover: Prover, clock: Callable[[], float]
    ) -> None:
        self.known = known
        self.announcer = Announcer(prover.high_water, lambda: prover.times(clock()))
        self._storage = storage
        self._prover = prover
        self._clock = clock
        self._gate = Gate()
        self._gate.committed(known.activity_size)
        self._listeners: list[Listener] = []
        self._companions: list[Companion] = []
        self._open = _Group(Layer.on(known))
        self._flying: _Group | None = None
        self._work = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def start(self) -> None:
        """Begin to commit."""
        self.announcer.start()
        self._task = asyncio.create_task(self._run(), name="sequencer")

    async def close(self) -> None:
        """Stop; whoever still waits is told to ask again."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        for group in (self._flying, self._open):
            if group is not None and not group.settled.done():
                self._fail(group, _stopping())
                group.settled.set_result(None)
        await self.announcer.close()

    def listen(self, listener: Listener) -> None:
        """Call ``listener`` with everything that was committed, in order, and by which jobs."""
        self._listeners.append(listener)

    def accompany(self, companion: Companion) -> None:
        """Let ``companion`` say, of the layer of a job that has passed, what to commit with it."""
        self._companions.append(companion)

    async def case(self, case: bytes) -> CaseState | None:
        """Return the committed state of a case, None if there is no such case."""
        await self._load(Needs(cases=frozenset((case,))), self._storage)
        return self.known.case(case)

    async def write(self, job: Job) -> Done:
        """Return what became of a job once it is committed.

        Raises:
            SeefenError: A rule says no, and nothing of the job stands.
            UnreachableError: It may or may not stand: ask again with the same bytes.
        """
        await self._load(job.needs, self._storage)
        try:
            self._add(job)
        except UnreachableError:
            raise
        except SeefenError:
            if not await self._has_moved():
                raise
            await self._load(job.needs, self._storage)
            self._add(job)
        return await job.done

    async def _has_moved(self) -> bool:
        """Tell whether a no may have been about something else than what is committed.

        It may have been judged on what is not committed yet; or another process has written since,
        and who was let into a case there would be refused here, and entered as one who tried.
        """
        uncommitted = self._open if self._open.jobs else self._flying
        if uncommitted is not None:
            await asyncio.shield(uncommitted.settled)
        behind = await self._storage.heads() != self.known.heads
        if behind:
            await self.write(LookJob())
        return behind or uncommitted is not None

    def _add(self, job: Job) -> None:
        if self._closed:
            raise _stopping()
        self._prover.require_thawed()
        trial = self._judge(job, self._open)
        self._work.set()
        for companion in self._companions:
            try:
                others = list(companion(trial))
            except Exception as err:
                alarm("companion-failed", error=type(err).__name__)
                continue  # the job itself stands
            for other in others:
                self._take_along(other)

    def _take_along(self, job: Job) -> None:
        """Judge what goes with a job that stands, whatever becomes of this."""
        job.done.add_done_callback(_heard)
        try:
            self._judge(job, self._open)
        except SeefenError as err:
            _refuse(job, err)
        except Exception as err:
            _refuse(job, _failed(err))

    def _judge(self, job: Job, group: _Group) -> Layer:
        """Judge a job on top of a group and take it in; return its layer."""
        trial = Layer.on(group.layer, at=int(self._clock() * 1000))
        job.judge(trial)
        group.layer.absorb(trial)
        group.jobs.append((job, trial.changes))
        return trial

    async def _load(self, needs: Needs, reads: Reads) -> None:
        while missing := self.known.missing(needs):
            await load(self.known, missing, reads)

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            if not self._open.jobs:
                continue
            group = self._flying = self._open
            self._open = _Group(Layer.on(group.layer))
            try:
                with COMMIT_SECONDS.time():
                    await self._commit(group)
            except SeefenError as err:
                self._fail(group, err)
            except Exception as err:
                self._fail(group, _failed(err))
            await self._rebase(group)
            self._flying = None
            group.settled.set_result(None)

    async def _commit(self, group: _Group) -> None:
        try:
            await self._try_commit(group)
            return
        except TakenError:
            # Somebody brought an id that stands: look at each, then go on without him.
            ids = [row.object for row in group.layer.changes.objects]
            for object_, facts in (await self._storage.objects(ids)).items():
                self.known.learn_object(object_, facts)
            await self._judge_again(group, self._storage)
        with suppress(TakenError):
            await self._try_commit(group)
            return
        for job, _ in group.jobs:
            alone = _Group(Layer.on(self.known), [(job, Changes())])
            await self._judge_again(alone, self._storage)
            try:
                await self._try_commit(alone)
            except TakenError:
                _refuse(job, OutOfTurnError("an id in it stands already", rule="other-bytes"))

    async def _try_commit(self, group: _Group) -> None:
        if not group.jobs or await self._swap(group):
            return
        while (far := await self._commit_locked(group)) is not None:
            missed = await leap(self.known, self._prover, far, self._storage, int(self._clock()))
            self.announcer.say(far, partial(self._tell, missed, far, ()), _nobody)
            await self._judge_again(group, self._storage)

    async def _commit_locked(self, group: _Group) -> Heads | None:
        """Commit a group; or return the heads, if others wrote more than a lock is held for."""
        async with self._storage.transaction() as writing:
            heads = await writing.lock()
            # What was read under the lock was the newest then, however long all else takes.
            self._prover.see(heads, self._clock())
            if is_far(self.known, heads):
                return heads
            if heads != self.known.heads:
                foreign = await catch_up(self.known, self._prover, heads, writing)
                self.announcer.say(heads, partial(self._tell, foreign, heads, ()), _nobody)
                await self._judge_again(group, writing)
            changes = group.layer.changes
            growths = self._growths(changes)
            after = heads
            if changes.authority or changes.activity:
                after = Heads(growths[0].head, growths[1].head, group.layer.at)
                await writing.write(changes, heads, after)
            keys, elsewhere = _wanted(group)
            if elsewhere:
                keys |= await writing.content_keys(elsewhere)
            began = time.monotonic()
        if after is not heads:
            await self._prover.see_committed(after, began, self._clock)
        self._committed(group, after, growths, keys)
        return None

    async def _swap(self, group: _Group) -> bool:
        """Commit a group of the usual kind, if nobody else has written; tell if it stands."""
        changes = group.layer.changes
        growths = self._growths(changes)
        keys, elsewhere = _wanted(group)
        if not changes.usual:
            return False
        after = Heads(growths[0].head, growths[1].head, group.layer.at)
        began = time.monotonic()
        found = await self._storage.swap(changes, self.known.heads, after, elsewhere)
        if found is None:
            return False
        await self._prover.see_committed(after, began, self._clock)
        self._committed(group, after, growths, keys | found)
        return True

    def _growths(self, changes: Changes) -> tuple[Growth, Growth]:
        """Return what both logs become, hashed from the very bytes that are stored."""
        authority = [leaf_hash(row.envelope) for row in changes.authority]
        activity = [leaf_hash(row.record) for row in changes.activity]
        growths = (
            self._prover.authority.preview(authority),
            self._prover.activity.preview(activity),
        )
        changes.tiles = {tile: full.encode() for tile, full in growths[1].full.items()}
        return growths

    def _committed(
        self,
        group: _Group,
        heads: Heads,
        growths: tuple[Growth, Growth],
        keys: dict[bytes, Protected],
    ) -> None:
        for growth in growths:
            growth.commit()
        self.known.absorb(group.layer, heads)
        group.committed = True
        told = partial(self._told, group, heads, keys)
        self.announcer.say(heads, told, partial(self._fail, group))

    def _told(self, group: _Group, heads: Heads, keys: dict[bytes, Protected]) -> None:
        self._gate.committed(heads.activity.size)
        self._tell(group.layer.changes, heads, [job for job, _ in group.jobs])
        _measure(group)
        for job, changes in group.jobs:
            if job.done.done():
                # Who waited was told to ask again; what stands is pushed all the same.
                job.done = asyncio.get_running_loop().create_future()
            job.done.set_result(self._done(job, changes, heads, keys))

    def _done(self, job: Job, changes: Changes, heads: Heads, keys: dict[bytes, Protected]) -> Done:
        disclosure = None
        if job.wanted:
            index = changes.activity[-1].idx if job.opens_under is None else job.opens_under
            disclosure = self._gate.disclose(index, objects=job.wanted, devices=job.readers)
        return Done(
            tuple(row.idx for row in changes.authority),
            tuple(changes.activity),
            heads,
            {o: keys[o] for o in job.wanted if o in keys},
            disclosure,
        )

    def _tell(self, changes: Changes, heads: Heads, jobs: Sequence[Job]) -> None:
        self._prover.make_up()
        if changes.authority or changes.activity or isinstance(changes, Missed):
            for listener in self._listeners:
                listener(changes, heads, jobs)

    async def _judge_again(self, group: _Group, reads: Reads) -> None:
        """Judge every job of a group on what is committed now; those that fail are told."""
        jobs, group.jobs = group.jobs, []
        group.layer = Layer.on(self.known)
        for job, _ in jobs:
            try:
                await self._load(job.needs, reads)
                self._judge(job, group)
            except SeefenError as err:
                _refuse(job, err)
            except Exception as err:
                _refuse(job, _failed(err))  # one job that breaks must not strand the others

    async def _rebase(self, before: _Group) -> None:
        """Put what has arrived meanwhile on the ground that is committed now."""
        if before.committed and self._open.layer.below is before.layer:
            self._open.layer.below = self.known
            return
        waiting, self._open = self._open, _Group(Layer.on(self.known))
        for job, _ in waiting.jobs:
            try:
                await self._load(job.needs, self._storage)
                self._judge(job, self._open)  # its companions are in the list themselves
            except SeefenError as err:
                _refuse(job, err)
            except Exception as err:
                _refuse(job, _failed(err))
        if self._open.jobs:
            self._work.set()
        waiting.settled.set_result(None)

    def _fail(self, group: _Group, error: SeefenError) -> None:
        for job, _ in group.jobs:
            _refuse(job, error)


def _wanted(group: _Group) -> tuple[dict[bytes, Protected], set[bytes]]:
    """Return the content keys that a group brings itself, closed, and which others it wants."""
    wanted = {o for job, _ in group.jobs for o in job.wanted}
    brought = group.layer.changes.objects if wanted else ()
    own = {
        r.object: Protected(r.object, r.content_key)
        for r in brought
        if r.object in wanted and r.content_key is not None
    }
    return own, wanted - own.keys()


def _measure(group: _Group) -> None:
    GROUP_JOBS.observe(len(group.jobs))
    changes = group.layer.changes
    for log, rows in (("authority", changes.authority), ("activity", changes.activity)):
        for kind, count in Counter([row.kind for row in rows]).items():
            LEAVES.labels(log, kind).inc(count)


def _nobody(_: SeefenError) -> None:
    """Answer nobody: another process wrote it, and answers."""


def _heard(done: "asyncio.Future[Done]") -> None:
    """Look at how a companion ended: it may be that nobody waits for it."""
    if not done.cancelled():
        done.exception()


def _failed(err: Exception) -> UnreachableError:
    """Raise an alarm about an error nobody foresaw; return what its caller is told."""
    alarm("sequencer-failed", error=type(err).__name__)
    return UnreachableError("the broker failed: ask again", rule="failed")


def _refuse(job: Job, error: SeefenError) -> None:
    if not job.done.done():
        job.done.set_exception(error)


def _stopping() -> UnreachableError:
    return UnreachableError("the broker stops: ask again", rule="stopping")
