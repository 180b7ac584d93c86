"""Retention: the text of readings is erased when its time is over; records and proofs stay.

First the log says what will be erased, then it is: a process that dies in between leaves an
entry that allows more than was done, and the next run does the rest. What is on hold stays.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from seefen.protocol.encoding import encode
from seefen.protocol.envelope import Envelope, open_envelope
from seefen.protocol.errors import RefusedError, SeefenError
from seefen.protocol.ledger.record import decode_core
from seefen.protocol.retention import cutoff
from seefen.protocol.statements import Erased
from seefen.protocol.suite import SUITE, new_id
from seefen.server.alarms import alarm
from seefen.server.entries import erased_entry_of
from seefen.server.erasures import LIFTED
from seefen.server.errors import UnreachableError
from seefen.server.jobs import Job
from seefen.server.rows import Storage
from seefen.server.sequencer import Sequencer
from seefen.server.view import Layer, Needs

AT_ONCE: Final = 1000  # leaves that are looked at in one statement
HOUR: Final = 3600
ALIVE: Final = 31 * 86_400  # seconds: a log in use has entries of this time, and of that before


class EraseJob(Job):
    """The entry that says what is erased."""

    def __init__(self, upto: int, before: int, years: int, count: int) -> None:
        """Enter an erasure; see :class:`Erased`."""
        super().__init__(Needs())
        self._said = (upto, before, years, count)

    def judge(self, layer: Layer) -> None:
        """Try it on a layer.

        Raises:
            RefusedError: rule ``retention``: by the time of the log it is too early.
        """
        upto, before, years, count = self._said
        if before > cutoff(layer.at // 1000, years):
            raise RefusedError("this has to be kept longer", rule="retention")
        erased = Erased(SUITE, layer.directory.net, "erased", new_id(), upto, before, years, count)
        envelope = encode(Envelope(encode(erased), ()))
        layer.changes.activity.append(erased_entry_of(layer, envelope))
        layer.activity_size += 1


class Retention:
    """Erases what is over its time, in one database."""

    def __init__(self, storage: Storage, sequencer: Sequencer, clock: Callable[[], float]) -> None:
        self._storage = storage
        self._sequencer = sequencer
        self._clock = clock
        self.years = 0  # for which texts are kept, to the end of the year; 0 is for ever

    async def run(self, *, sure: bool = False) -> int:
        """Erase what is over its time; return how many entries lost their text.

        Args:
            sure: The operator says that the clock is right.

        Raises:
            UnreachableError: The database is away; the next run goes on.
            RefusedError: rule ``clock``: it may be wrong, and what is erased is gone for good.
        """
        await self._take_up_lifted()
        erased = await self._finish()
        if not self.years:
            return erased
        before = cutoff(int(self._clock()), self.years)
        upto = await self._first_since(before)
        count = await self._erasable(upto)
        if not count:
            return erased
        if not sure:
            await self._require_true_clock()
        await self._sequencer.write(EraseJob(upto, before, self.years, count))
        return erased + await self._finish()

    async def _require_true_clock(self) -> None:
        """Refuse when no entry was made within 31 days, or none in the 31 days before them.

        Both times come from this clock: a wrong one that dates new entries, too, is known by the
        time that lies between them and those before.
        """
        now = int(self._clock())
        older = await self._first_since(now - ALIVE)
        newest = (await self._storage.heads()).activity.size
        if older == newest or older == await self._first_since(now - 2 * ALIVE):
            raise RefusedError(
                "the clock is wrong, or the log has no entries of the last two months: look at the "
                "clock, and if it is right: seefen-server erase --yes",
                rule="clock",
            )

    async def _take_up_lifted(self) -> None:
        """Enter anew what a hold has kept until it was lifted: readers drop it then, too."""
        rows = self._storage.erasures
        lifted = await rows.done()
        if lifted > LIFTED:
            return
        last = max(await erasures(self._storage), key=_upto, default=None)
        if last is not None and (count := await self._erasable(last.upto)):
            await self._sequencer.write(EraseJob(last.upto, last.before, last.years, count))
        await rows.begin_again(lifted)

    async def _finish(self) -> int:
        """Erase what the log says is erased, from where an earlier run ended."""
        rows, erased = self._storage.erasures, 0
        upto = await self._allowed()
        start = await rows.done()
        while LIFTED < start < upto:
            stop = min(upto, start + AT_ONCE)
            count = await rows.erase(start, stop)
            if count is None:
                break  # a hold was lifted meanwhile: the next run enters and does the rest
            erased, start = erased + count, stop
            await asyncio.sleep(0)
        if erased:
            structlog.get_logger().info("retention.erased", count=erased, upto=upto)
        return erased

    async def _allowed(self) -> int:
        return max((one.upto for one in await erasures(self._storage)), default=0)

    async def _erasable(self, upto: int) -> int:
        starts = range(max(0, await self._storage.erasures.done()), upto, AT_ONCE)
        found = [
            await self._storage.erasures.erasable(start, min(upto, start + AT_ONCE))
            for start in starts
        ]
        return sum(found)

    async def _first_since(self, before: int) -> int:
        """Return the first index whose entry was made at ``before`` or later.

        The times along the log never go back. What has no text any more is older.
        """
        low, high = 0, (await self._storage.heads()).activity.size
        while low < high:
            middle = (low + high) // 2
            (row,) = await self._storage.activity(middle, middle + 1)
            if row.core and decode_core(row.core).at >= before * 1000:
                high = middle
            else:
                low = middle + 1
        return low


async def erasures(storage: Storage) -> list[Erased]:
    """Return what the log says was erased."""
    rows = await storage.erased_entries()
    found = (open_envelope(row.envelope, "erased").statement for row in rows)
    return [one for one in found if isinstance(one, Erased)]


async def keep_erasing(retention: Retention) -> None:
    """Erase on for ever, each hour; not at the start, when an operator still looks at his work."""
    while True:
        await asyncio.sleep(HOUR)
        try:
            await retention.run()
        except UnreachableError:
            pass  # the database is away: the next hour will do
        except SeefenError as err:
            alarm("retention-failed", failed=err.rule)
        except Exception as err:  # one odd entry must not end the erasing of all others
            alarm("retention-failed", failed=type(err).__name__)


def _upto(one: Erased) -> int:
    return one.upto
