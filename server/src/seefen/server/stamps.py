"""Times of heads: when this process last knew that a head was the newest.

The time in a checkpoint says that its head was the newest then (``docs/spec/ledger.md``,
section 3), and two that say otherwise are evidence against the log. Answers take their time: a
head that was read, and is signed after a longer one, must not be dated after it.
"""

from bisect import bisect_left
from typing import Final

READ_SECONDS: Final = 1.0  # what was read more slowly may be old: another process writes, too
_KEPT: Final = 1024  # sizes of one log; an answer is not that far behind


class Stamps:
    """When sizes of one log were first and last known to be the newest."""

    def __init__(self) -> None:
        """Know of none."""
        self._first: dict[int, int] = {}
        self._last: dict[int, int] = {}
        self._sizes: list[int] = []

    def see(self, size: int, at: int) -> None:
        """Take in that a size was the newest at a time, in Unix seconds."""
        if self._sizes and size < self._sizes[-1]:
            return  # read before a longer one was, and told of after it
        if size not in self._last:
            self._sizes.append(size)
            self._first[size] = at
            if len(self._sizes) > _KEPT:
                oldest = self._sizes.pop(0)
                del self._first[oldest], self._last[oldest]
        self._last[size] = at

    def of(self, size: int, now: int) -> int:
        """Return the time to sign a size with: not later than now, nor than any longer one."""
        place = bisect_left(self._sizes, size)
        if place == len(self._sizes):
            self.see(size, now)  # read too slowly to be known, and from now on signed
            return now
        known = self._sizes[place]
        # The longer one may have been signed with its first time, and be seen again since.
        return min(now, self._last[known] if known == size else self._first[known])
