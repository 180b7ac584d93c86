"""Moving the parts of a file: in runs, several at a time, and on after a cut.

A run is one request with one proof, and its parts are kept as they arrive: a line that is
cut costs the part that was on its way.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from seefen.client.answers import UnreachableError
from seefen.client.lines import AT_ONCE, Run
from seefen.protocol.objects import PART_SIZE, RUN

TRIES: Final = 6  # cuts in a row between which nothing arrived


async def move_all(
    missing: Callable[[], Awaitable[list[int]]],
    move: Callable[[Run], Awaitable[None]],
    size: int,
    progress: Callable[[int], None],
) -> None:
    """Move all parts, a few runs at a time; after a cut, what is still missing, after a pause.

    Raises:
        UnreachableError: Cut many times, and no part arrived between.
    """
    left = await missing()
    tries = TRIES
    while left:
        cuts = await _move(left, move, lambda length: progress(size - length), size)
        before, left = left, await missing()
        tries = TRIES if len(left) < len(before) else tries - 1
        if cuts and left:
            if tries <= 0:
                raise cuts[0]
            await asyncio.sleep(0.2 * (TRIES - tries))
    progress(size)


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
