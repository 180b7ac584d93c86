"""The lines to devices: what of them stays when they have ended."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from seefen.server import lines
from seefen.server.lines import COLLECT_AFTER, COLLECT_EACH, Lines
from seefen.server.web.sockets import GOODBYE
from tests.support.waiting import until


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


async def come_and_go(open_: Lines) -> list[weakref.ref[Knot]]:
    """All come, and all end at once, as when a network breaks; each says goodbye first."""
    knots = [Knot() for _ in range(COLLECT_EACH + 5)]
    for n, line in enumerate(knots):
        open_.add(n.to_bytes(2, "big"), line)
    for n, line in enumerate(knots):
        open_.remove(n.to_bytes(2, "big"), line)
    await asyncio.sleep(GOODBYE)
    return [weakref.ref(line) for line in knots]


async def test_memory_is_given_back_while_the_new_lines_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Given back at the end alone, it is in the new lines by then: five MiB each time."""
    given: list[int] = []
    monkeypatch.setattr(lines, "give_back", lambda: given.append(1))
    await come_and_go(Lines(4))
    await until(lambda: len(given) == len(COLLECT_AFTER), seconds=COLLECT_AFTER[-1] + 10)


@pytest.mark.usefixtures("seldom")
async def test_lines_that_have_ended_do_not_stay_in_memory() -> None:
    open_, gone = Lines(4), list[weakref.ref[Knot]]()
    for _ in range(2):
        gone.extend(await come_and_go(open_))
        assert len(open_) == 0
        await until(lambda: not any(one() for one in gone), seconds=COLLECT_AFTER[-1] + 10)
