"""The newest heads: as the database holds them, and never below what was signed."""

from collections.abc import Callable
from contextlib import suppress

from seefen.protocol.errors import SeefenError
from seefen.server.jobs import LookJob
from seefen.server.proofs import Prover
from seefen.server.rows import Heads
from seefen.server.sequencer import Sequencer


class Newest:
    """Reads the heads; call it."""

    def __init__(self, sequencer: Sequencer, prover: Prover, clock: Callable[[], float]) -> None:
        self._sequencer = sequencer
        self._prover = prover
        self._clock = clock

    async def __call__(self) -> Heads:
        """Return the heads in the database, caught up with if another process wrote them.

        Raises:
            FrozenError: They are older than what was signed: the database was put back.
            UnreachableError: They are not under the high-water mark, or this process does not
                know them, and cannot now: a proof that ends before them would show a false log.
        """
        mark = self._prover.high_water
        # Read before: what is committed meanwhile is above it, and what is below was signed.
        floor = None if mark is None else mark.read()
        heads = await self._prover.newest(self._clock)
        known = self._sequencer.known.heads
        if heads.activity.size > known.activity.size or heads.authority.size > known.authority.size:
            with suppress(*(SeefenError,) if mark is None else ()):
                await self._sequencer.write(LookJob())
                if mark is not None:
                    heads = self._sequencer.known.heads
        if mark is not None and floor is not None:
            mark.require_not_below(floor, heads)
            await self._sequencer.announcer.told()
        return heads
