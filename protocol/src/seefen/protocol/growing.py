"""Sequences that only grow and are shared by their copies.

A directory is copied for each bundle that is tried out, and thousands of statements about one
node stand in one sequence: copying it for each of them would be quadratic work.
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Growing(Generic[V]):
    """The first ``len()`` items of a list that its descendants may have made longer.

    It never changes. Not for several threads.
    """

    __slots__ = ("_items", "_length")

    def __init__(self) -> None:
        self._items: list[V] = []
        self._length = 0

    def __len__(self) -> int:
        """Return how many items are its own."""
        return self._length

    def __getitem__(self, index: int) -> V:
        """Return an item; ``index`` is below :func:`len` and not negative."""
        return self._items[index]

    def __iter__(self) -> Iterator[V]:
        """Give its own items."""
        return islice(self._items, self._length)

    def plus(self, item: V) -> "Growing[V]":
        """Return it with one item more, in constant time for the newest of a family."""
        longer = Growing[V]()
        # Another copy has gone on from here: what it added is not ours.
        fresh = len(self._items) == self._length
        longer._items = self._items if fresh else self._items[: self._length]
        longer._items.append(item)
        longer._length = self._length + 1
        return longer


def append(lists: dict[K, Growing[V]], key: K, item: V) -> None:
    """Put an item behind the sequence under a key."""
    lists[key] = lists.get(key, Growing[V]()).plus(item)


def last_before(rising: Growing[int] | None, end: int | None) -> int | None:
    """Return the last of rising numbers that is below ``end`` (None: the last), if any."""
    if rising is None:
        return None
    count = len(rising) if end is None else bisect_left(rising, end)
    return rising[count - 1] if count else None


def any_between(rising: Growing[int] | None, start: int, end: int | None) -> bool:
    """Tell whether any of rising numbers is at least ``start`` and below ``end`` (None: any)."""
    last = last_before(rising, end)
    return last is not None and last >= start
