"""Moving the parts of a file: in runs, several at a time, and on after a cut.

A run is one request with one proof, and its parts are kept as they arrive: a line that is
cut costs the part that was on its way, a broker that is killed the runs that were on theirs.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from seefen.client.answers import UnreachableError
from seefen.client.lines import AT_ONCE, Run
from seefen.protocol.objects import PART_SIZE, RUN

TRIES: Final = 6  # in a row in which nothing arrived
PAUSE: Final = 0.2  # seconds after the first, twice as long after each: a broker starts anew


class _Patience:
    """How often in a row nothing arrived."""

    def __init__(self) -> None:
        self._tries = 0

    def renew(self) -> None:
        """Something arrived."""
        self._tries = 0

    async def spend(self, why: UnreachableError) -> None:
        """Nothing arrived: pause before the next try, or raise ``why`` after the last."""
        self._tries += 1
        if self._tries >= TRIES:
            raise why
        await asyncio.sleep(PAUSE * 2 ** (self._tries - 1))


async def move_all(
    missing: Callable[[], Awaitable[list[int]]],
    move: Callable[[Run], Awaitable[None]],
    size: int,
    progress: Callable[[int], None],
) -> None:
    """Move all parts, a few runs at a time, until none is missing.

    Raises:
        UnreachableError: Nobody answered the first question, or no part arrived in many tries.
    """
    left = await missing()
    patience = _Patience()
    while left:
        cuts = await _move(left, move, lambda length: progress(size - length), size)
        before, left = len(left), await _still_missing(missing, bool(cuts), patience)
        if len(left) < before:
            patience.renew()
        elif cuts:
            await patience.spend(cuts[0])
        else:
            lost = "the broker takes the parts of a file and does not have them"
            await patience.spend(UnreachableError(lost, rule="broker"))
    progress(size)


async def _still_missing(
    missing: Callable[[], Awaitable[list[int]]], cut: bool, patience: _Patience
) -> list[int]:
    """Ask what is missing; who has just cut a line may be starting anew."""
    if cut:
        await asyncio.sleep(PAUSE)
    while True:
        try:
            return await missing()
        except UnreachableError as err:
            await patience.spend(err)


async def _move(
    left: list[int],
    move: Callable[[Run], Awaitable[None]],
    progress: Callable[[int], None],
    size: int,
) -> list[UnreachableError]:
    """Move parts once; return what cut it."""
    runs = _runs(left, size)
    length = sum(run.length for run in runs)
    waiting = iter(runs)
    cuts: list[UnreachableError] = []

    async def work() -> None:
        nonlocal length
        for run in waiting:
            try:
                await move(run)
            except UnreachableError as err:
                cuts.append(err)
                return
            length -= run.length
            progress(length)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(work())
    except BaseExceptionGroup as failed:
        # Whoever calls knows one error by its kind; the others are its echo.
        raise failed.exceptions[0] from None
    return cuts


def _runs(numbers: list[int], size: int) -> list[Run]:
    """Return parts in runs of those that follow each other."""
    runs: list[range] = []
    for number in numbers:
        if runs and runs[-1].stop == number and len(runs[-1]) < RUN:
            runs[-1] = range(runs[-1].start, number + 1)
        else:
            runs.append(range(number, number + 1))
    return [Run(run, min(size, run.stop * PART_SIZE) - run.start * PART_SIZE) for run in runs]
