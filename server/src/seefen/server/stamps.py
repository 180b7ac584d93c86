"""Times of heads: when this process last knew that a head was the newest.

The time in a checkpoint says that its head was the newest then (``docs/spec/ledger.md``,
section 3), and two that say otherwise are evidence against the log. Answers take their time: a
head that was read, and is signed after a longer one, must not be dated after it. Of a head
that was never known to be the newest no time is known: it is not signed.
"""

from bisect import bisect_left
from typing import Final

KEPT: Final = 8192  # sizes of one log; an answer is not that far behind


class Stamps:
    """When sizes of one log were first and last known to be the newest."""

    def __init__(self) -> None:
        """Know of none."""
        self._first: dict[int, int] = {}
        self._last: dict[int, int] = {}
        self._sizes: list[int] = []

    def see(self, size: int, at: int, floor: int = 0) -> None:
        """Take in that a size was the newest at a time, in Unix seconds.

        Args:
            size: How many leaves.
            at: When, by the clock.
            floor: What the clock was before; times do not go back where it does.
        """
        place = bisect_left(self._sizes, size)
        if place == len(self._sizes):
            self._take(place, size, max(at, floor))
        elif self._sizes[place] != size:
            # Read before a longer one was, and told of after it.
            longer = self._first[self._sizes[place]]
            shorter = self._last[self._sizes[place - 1]] if place else 0
            self._take(place, size, max(shorter, min(at, longer)))
        elif place + 1 == len(self._sizes):
            self._last[size] = max(at, floor)

    def of(self, size: int) -> int | None:
        """Return the time to sign a size with, which is not later than that of any longer one.

        None: it is not known to have been the newest at any time.
        """
        return self._last.get(size)

    def _take(self, place: int, size: int, at: int) -> None:
        self._sizes.insert(place, size)
        self._first[size] = self._last[size] = at
        if len(self._sizes) > KEPT:
            oldest = self._sizes.pop(0)
            del self._first[oldest], self._last[oldest]
