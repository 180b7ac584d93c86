"""The lines to devices that are open now: how many each may have, and how to end all."""

import asyncio
from collections import defaultdict
from typing import Final, Protocol

from seefen.server.memory import give_back

COLLECT_EACH: Final = 250  # lines that have ended
COLLECT_AFTER: Final = (0.25, 1.0, 2.5)  # seconds; at the last, who said goodbye is gone, too


class Line(Protocol):
    """An open line to a device."""

    def end(self, code: int, rule: str, title: str) -> None:
        """End it, with a last word for the device."""
        ...


class Lines:
    """All open lines of this process."""

    def __init__(self, per_device: int) -> None:
        """Allow each device ``per_device`` lines."""
        self._per_device = per_device
        self._open: dict[bytes, list[Line]] = defaultdict(list)
        self._ended = 0  # since the last collection was planned
        self._planned = False

    def __len__(self) -> int:
        """How many lines are open."""
        return sum(len(lines) for lines in self._open.values())

    def of(self, device: bytes) -> tuple[Line, ...]:
        """Return the lines of a device, the oldest first."""
        return tuple(self._open.get(device, ()))

    def add(self, device: bytes, line: Line) -> None:
        """Take a new line; the oldest one too many ends.

        The new one wins: on a bad network the old ones are half-open more often than not,
        and an officer must not wait until the broker has noticed.
        """
        lines = self._open[device]
        lines.append(line)
        if len(lines) > self._per_device:
            lines.pop(0).end(4409, "sockets", "this device has opened too many sockets")

    def remove(self, device: bytes, line: Line) -> None:
        """Forget a line that has ended."""
        lines = self._open.get(device, [])
        if line in lines:
            lines.remove(line)
        if not lines:
            self._open.pop(device, None)
        self._ended += 1
        self._plan()

    def _plan(self) -> None:
        if self._ended < COLLECT_EACH or self._planned:
            return
        self._ended, self._planned = 0, True
        for seconds in COLLECT_AFTER:
            asyncio.get_running_loop().call_later(seconds, self._collect, seconds)

    def _collect(self, seconds: float) -> None:
        # A line ends as a knot of tasks and frames. The broker looks for such knots seldom, and
        # devices that come anew again and again would fill its memory with them meanwhile. When
        # a network breaks, all lines end at once: none of them is garbage yet when it is removed,
        # and what is not given back soon stands beside the new lines. It is given back each time:
        # a line has a piece of 256 KiB and uses a page of it, but would hold all of one that lies
        # in what was written before.
        give_back()
        if seconds == COLLECT_AFTER[-1]:
            self._planned = False
            self._plan()  # those that have ended meanwhile may have come too late for it

    def end_all(self) -> None:
        """End every line, because the broker stops."""
        for lines in list(self._open.values()):
            for line in list(lines):
                line.end(1001, "stopping", "the broker stops: connect again in a moment")
