"""The lines to devices: what of them stays when they have ended."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from seefen.server.lines import COLLECT_EACH, Lines


class Knot:
    """A line that holds itself, as one does with its tasks."""

    def __init__(self) -> None:
        self.held = self

    def end(self, code: int, rule: str, title: str) -> None:
        """Be told to end."""


@pytest.fixture
def seldom() -> Iterator[None]:
    """Let nobody else collect garbage meanwhile."""
    gc.disable()
    yield
    gc.enable()


def come_and_go(lines: Lines, device: bytes) -> weakref.ref[Knot]:
    """A line of a device that has ended; what is given back does not hold it."""
    line = Knot()
    lines.add(device, line)
    lines.remove(device, line)
    return weakref.ref(line)


@pytest.mark.usefixtures("seldom")
def test_lines_that_have_ended_do_not_stay_in_memory() -> None:
    lines, gone = Lines(4), list[weakref.ref[Knot]]()
    for n in range(COLLECT_EACH):
        gone.append(come_and_go(lines, bytes([n % 7])))
    assert len(lines) == 0
    assert sum(one() is not None for one in gone) <= 1
