"""The book of faults: what was injected, how often, what held, under which seed.

Fault tests write to it; ``make faults`` runs them many more times than the ordinary run does
and prints the book as the table of ``docs/reliability.md``.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final, TypeVar

import pytest

FACTOR: Final = int(os.environ.get("SEEFEN_FAULT_FACTOR", "1"))
long: Final = pytest.mark.skipif(FACTOR == 1, reason="takes a minute: it runs in `make faults`")

T = TypeVar("T")

_BOOK: Final = os.environ.get("SEEFEN_FAULT_BOOK")


def times(ordinary: int) -> int:
    """Return how often to inject a fault: ``ordinary``, or more under ``make faults``."""
    return ordinary * FACTOR


def drawn(steps: Sequence[T], dice: Random) -> list[T]:
    """Return the steps to try in a drawn order: a third of them, or under ``make faults`` all."""
    if FACTOR == 1:
        return dice.sample(steps, max(3, len(steps) // 3))
    schedule = [*steps] * FACTOR
    dice.shuffle(schedule)
    return schedule


def note(area: str, fault: str, *, count: int, held: str, seed: str = "") -> None:
    """Write down that a fault was injected ``count`` times, and what held.

    Args:
        area: ``broker``, ``database``, ``client``, ``network``, ``ledger``.
        fault: What was done, in a few words.
        count: How often it was injected in this test.
        held: Invariants (I1 to I7) or the sentence that was checked.
        seed: Of a random schedule; empty for a fixed one.
    """
    if _BOOK is None:
        return
    line = {"area": area, "fault": fault, "count": count, "held": held, "seed": seed}
    with Path(_BOOK).open("a", encoding="utf-8") as book:
        book.write(json.dumps(line) + "\n")
