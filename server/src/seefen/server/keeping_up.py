"""Keeping up: what other processes write is seen here within half a second, or when asked.

The same look ends the lines of devices whose certificates have run out, forgets watches that
are over, and keeps a time reserved for heads that are signed while nothing is written.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from seefen.server.alarms import alarm
from seefen.server.errors import UnreachableError
from seefen.server.jobs import LookJob
from seefen.server.proofs import Prover
from seefen.server.push import Push
from seefen.server.recovery import LedgerChangedError
from seefen.server.releases import Watches
from seefen.server.rows import Heads, Storage
from seefen.server.sequencer import Sequencer

LOOK_SECONDS: Final = 0.5
APART_SECONDS: Final = 0.05  # between two looks that strangers can ask for


class KeepingUp:
    """Looks at the database again and again, and at once for whoever needs to know."""

    def __init__(
        self,
        storage: Storage,
        sequencer: Sequencer,
        prover: Prover,
        push: Push,
        watches: Watches,
        clock: Callable[[], float],
    ) -> None:
        self._storage = storage
        self._sequencer = sequencer
        self._prover = prover
        self._push = push
        self._watches = watches
        self._clock = clock
        self._warned: Heads | None = None
        self._began = -APART_SECONDS
        self._next: asyncio.Task[None] | None = None
        self._asked: set[asyncio.Task[None]] = set()
        self._looking = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._run(), name="look")

    async def close(self) -> None:
        """Stop."""
        running = [*self._asked] if self._task is None else [self._task, *self._asked]
        for task in running:
            task.cancel()
            with suppress(asyncio.CancelledError, UnreachableError):
                await task

    async def look(self) -> None:
        """Return when all that stood in the database when this was called is known here.

        One look is for all who wait for it. There is one at a time, and it is begun twenty times a
        second at most: whoever sends wrong logins by the thousand has the database, slow or not,
        read one row for all of them.

        Raises:
            UnreachableError: The database does not answer, or is another one.
        """
        if self._next is None:
            self._next = asyncio.create_task(self._look_soon(), name="look asked for")
            self._asked.add(self._next)
            self._next.add_done_callback(self._heard)
        await asyncio.shield(self._next)

    async def _look_soon(self) -> None:
        async with self._looking:
            await asyncio.sleep(self._began + APART_SECONDS - time.monotonic())
            # From here on the answer may be older than a question: who comes now gets the next.
            self._began, self._next = time.monotonic(), None
            if await self._prover.newest(self._clock) != self._sequencer.known.heads:
                await self._sequencer.write(LookJob())

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                self._push.cut()
                await self._look_once()
                await self._prune()
            except UnreachableError:
                continue
            except Exception as err:  # the next look may do better; without it nobody looks
                alarm("look-failed", error=type(err).__name__)

    async def _prune(self) -> None:
        at = int(self._clock())
        if self._watches.prune(at):
            self._watches.restore(await self._storage.open_accesses(at), at=at)

    async def _look_once(self) -> None:
        heads = await self._prover.newest(self._clock)
        self._prover.check_clock(self._clock())
        known = self._sequencer.known
        if heads != known.heads and heads != self._warned:
            try:
                await self._sequencer.write(LookJob())
            except LedgerChangedError as err:
                alarm("ledger-changed", text=str(err))
                self._warned = heads
                return
            self._warned = None
        self._prover.require_thawed()
        self._sequencer.announcer.renew(known.heads)

    def _heard(self, task: "asyncio.Task[None]") -> None:
        """Look at how it ended: it may be that nobody waits any more."""
        self._asked.discard(task)
        if not task.cancelled():
            task.exception()
