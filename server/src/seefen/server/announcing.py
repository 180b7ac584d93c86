"""Between commit and answer: what was committed is told once the high-water mark covers it.

The sequencer goes on with the next group meanwhile, so the flush of the mark costs an
answer its time and no group its turn; groups that are committed during one flush share the
next.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from seefen.protocol.errors import SeefenError
from seefen.server.alarms import alarm
from seefen.server.errors import FrozenError, UnreachableError
from seefen.server.high_water import NO_TIMES, HighWater, Times
from seefen.server.rows import Heads

AGAIN_SECONDS: Final = 0.5


@dataclass(eq=False)
class _Waiting:
    heads: Heads
    tell: Callable[[], None]
    fail: Callable[[SeefenError], None]
    told: "asyncio.Future[None]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Announcer:
    """Tells of commits in their order, never before they are under the mark."""

    def __init__(self, high_water: HighWater | None, times: Callable[[], Times]) -> None:
        """Tell of nothing yet.

        Args:
            high_water: Writes the mark; None: none is kept, and all is told at once.
            times: What the mark is to keep of them now.
        """
        self._high_water = high_water
        self._times = times
        self._waiting: deque[_Waiting] = deque()
        self._resting: Heads | None = None
        self._stands = False  # the time of heads that rest, since none can be reserved
        self._work = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to tell."""
        self._task = asyncio.create_task(self._run(), name="announcer")

    async def close(self) -> None:
        """Stop; who waits for something untold is told to ask again."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        times = self._times()
        # Who signs nothing has reserved nothing: what he gave back would be what others signed.
        if self._high_water is not None and times != NO_TIMES:
            # Else the next start would wait until what is reserved has passed.
            with suppress(OSError, UnreachableError):
                await asyncio.to_thread(self._high_water.release, times.latest)
        for one in self._waiting:  # they stay in it: who asks whether they were told hears no
            one.fail(UnreachableError("the broker stops: ask again", rule="stopping"))
            if not one.told.done():
                one.told.set_result(None)

    def say(
        self, heads: Heads, tell: Callable[[], None], fail: Callable[[SeefenError], None]
    ) -> None:
        """Call ``tell`` when ``heads`` are under the mark; ``fail`` while that cannot be."""
        if self._high_water is None:
            tell()
            return
        self._waiting.append(_Waiting(heads, tell, fail))
        self._work.set()

    def renew(self, heads: Heads) -> None:
        """Reserve time for heads that stand, where nothing is committed that does it."""
        times = self._times()
        short = self._high_water is not None and self._high_water.is_short(times)
        if short and times != NO_TIMES:
            self._resting = heads
            self._work.set()

    async def told(self) -> None:
        """Return when all that is committed up to now was told.

        Raises:
            UnreachableError: rule ``high-water``: it cannot be at the moment.
        """
        if self._waiting:
            last = self._waiting[-1]
            await asyncio.shield(last.told)
            if last in self._waiting:
                raise _unwritten()

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            if self._resting is not None and not self._waiting:
                await self._reserve(self._resting)
            self._resting = None
            while self._waiting:
                group = list(self._waiting)
                try:
                    await self._mark(group[-1].heads)
                except Exception as err:  # also what nobody foresaw: else all wait for ever
                    self._fail(group, err)
                    await asyncio.sleep(AGAIN_SECONDS)
                    continue
                for one in group:
                    self._waiting.popleft()
                    _tell(one)

    async def _reserve(self, heads: Heads) -> None:
        """Reserve time; where it cannot be, times of heads stand still, and nobody waits."""
        try:
            await self._mark(heads)
            self._stands = False
        except (OSError, UnreachableError) as err:
            if not self._stands:
                alarm("high-water", failed=type(err).__name__)
            self._stands = True

    async def _mark(self, heads: Heads) -> None:
        if self._high_water is not None:
            await asyncio.to_thread(self._high_water.advance, heads, self._times())

    def _fail(self, group: list[_Waiting], err: Exception) -> None:
        """Answer those who wait. Others are told later: what is committed stands."""
        alarm("high-water", failed=type(err).__name__)
        said = err if isinstance(err, FrozenError) else _unwritten()
        for one in group:
            one.fail(said)
            if not one.told.done():
                one.told.set_result(None)


def _unwritten() -> UnreachableError:
    return UnreachableError("the high-water mark cannot be written: ask again", rule="high-water")


def _tell(one: _Waiting) -> None:
    try:
        one.tell()
    except Exception as err:  # one that breaks must not keep the others from their answers
        alarm("sequencer-failed", error=type(err).__name__)
        one.fail(UnreachableError("the broker failed: ask again", rule="failed"))
    if not one.told.done():
        one.told.set_result(None)
