"""Between commit and answer: in order, under the mark, and nobody waits for ever."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from seefen.protocol.errors import SeefenError
from seefen.protocol.suite import PlainKey
from seefen.server import announcing
from seefen.server.announcing import Announcer
from seefen.server.errors import FrozenError, UnreachableError
from seefen.server.high_water import NO_TIMES, HighWater, Times
from seefen.server.rows import Heads, LogHead
from tests.support import casework
from tests.support.served import refused, served
from tests.support.waiting import until

KEY = PlainKey.from_secret(bytes(32)).public


def heads(size: int) -> Heads:
    return Heads(LogHead(3, bytes(32), b""), LogHead(size, size.to_bytes(32, "big"), b""), 0)


class Disk(HighWater):
    """A mark on a disk that takes as long, and fails, as it is told to."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, KEY)
        self.begin(heads(0))
        self.turns = threading.Semaphore(0)
        self.asked: list[int] = []
        self.error: Exception | None = None

    def advance(self, heads: Heads, times: Times = NO_TIMES) -> None:
        self.asked.append(heads.activity.size)
        self.turns.acquire()
        if self.error is not None:
            raise self.error
        super().advance(heads, times)

    def go_on(self, error: Exception | None = None) -> None:
        """Let what is being written come to its end."""
        self.error = error
        self.turns.release()


class Said:
    """Says what was committed, and keeps who heard of it, in order."""

    def __init__(self, announcer: Announcer) -> None:
        self._announcer = announcer
        self.told: list[int] = []
        self.failed: list[tuple[int, SeefenError]] = []

    @property
    def rules(self) -> list[tuple[int, str]]:
        return [(size, error.rule) for size, error in self.failed]

    def __call__(self, size: int, tell: Callable[[], None] | None = None) -> None:
        self._announcer.say(
            heads(size),
            tell or (lambda: self.told.append(size)),
            lambda error: self.failed.append((size, error)),
        )


def running() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "announcer"]


@pytest.fixture
async def disk(tmp_path: Path) -> AsyncIterator[Disk]:
    disk = Disk(tmp_path / "high-water")
    yield disk
    for _ in range(100):  # no thread stays behind, whatever the test has left undone
        disk.go_on()


@pytest.fixture
async def announcer(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Announcer]:
    monkeypatch.setattr(announcing, "AGAIN_SECONDS", 0.01)
    announcer = Announcer(disk, Times)
    announcer.start()
    yield announcer
    await announcer.close()


async def test_without_a_mark_all_is_told_at_once() -> None:
    announcer = Announcer(None, Times)
    said = Said(announcer)
    for size in (1, 2):
        said(size)
        assert said.told[-1] == size
        await announcer.told()
    await announcer.close()
    assert said.failed == []


async def test_what_was_committed_during_a_flush_shares_the_next(
    announcer: Announcer, disk: Disk
) -> None:
    said = Said(announcer)
    said(1)
    await until(lambda: disk.asked)
    said(2)
    said(3)
    later = asyncio.create_task(announcer.told())
    await asyncio.sleep(0.05)
    assert (said.told, later.done()) == ([], False)
    disk.go_on()
    await until(lambda: len(disk.asked) == 2)
    assert said.told == [1], "and no farther than the mark is"
    await asyncio.sleep(0.05)
    assert not later.done()
    disk.go_on()
    await later
    assert said.told == [1, 2, 3]
    assert disk.asked == [1, 3]
    assert disk.read().activity == 3
    await announcer.told()  # nothing waits any more
    said(4)
    disk.go_on()
    await announcer.told()
    assert (said.told[-1], said.failed) == (4, [])


async def test_who_waits_no_longer_takes_nothing_from_the_others(
    announcer: Announcer, disk: Disk
) -> None:
    said = Said(announcer)
    said(1)
    waiting = [asyncio.create_task(announcer.told()) for _ in range(2)]
    await until(lambda: disk.asked)
    waiting[0].cancel()
    with suppress(asyncio.CancelledError):
        await waiting[0]
    disk.go_on()
    await waiting[1]
    assert said.told == [1]


async def test_fault_34_while_the_mark_cannot_be_written_all_who_wait_are_answered(
    announcer: Announcer, disk: Disk
) -> None:
    said = Said(announcer)
    said(1)
    await until(lambda: disk.asked)
    said(2)
    waiting = asyncio.create_task(announcer.told())
    with capture_logs() as logs:
        disk.go_on(OSError(28, "No space left on device"))
        await until(lambda: said.failed)
        assert said.rules == [(1, "high-water")]
        assert not waiting.done(), "what came later has its own try"
        disk.go_on(OSError(28, "No space left on device"))
        with pytest.raises(UnreachableError) as caught:
            await waiting
        assert caught.value.rule == "high-water"
        with pytest.raises(UnreachableError):
            await announcer.told()  # nor does who asks then wait for a disk
    assert [(one["rule"], one["failed"]) for one in logs] == [("high-water", "OSError")] * 2
    assert said.rules == [(1, "high-water"), (1, "high-water"), (2, "high-water")]
    assert (said.told, disk.read().activity) == ([], 0)
    disk.go_on()
    await until(lambda: said.told)
    assert said.told == [1, 2], "what is committed stands, and is told later"
    await announcer.told()


async def test_a_mark_that_cannot_be_written_is_tried_again_and_not_without_a_rest(
    disk: Disk,
) -> None:
    assert announcing.AGAIN_SECONDS > 0.2
    announcer = Announcer(disk, Times)
    announcer.start()
    said = Said(announcer)
    said(1)
    for _ in range(20):
        disk.go_on(OSError(5, "Input/output error"))
    await until(lambda: said.failed)
    await asyncio.sleep(0.1)
    assert disk.asked == [1]
    disk.error = None
    await until(lambda: said.told)
    await announcer.close()


async def test_a_frozen_broker_says_so(announcer: Announcer, disk: Disk) -> None:
    said, frozen = Said(announcer), FrozenError("the database is older")
    said(1)
    disk.go_on(frozen)
    await until(lambda: said.failed)
    assert said.failed[0] == (1, frozen)
    other = UnreachableError("too many lines are open", rule="busy")
    disk.go_on(other)
    await until(lambda: len(said.failed) == 2)
    assert said.rules[1] == (1, "high-water")


async def test_an_error_that_nobody_foresaw_strands_nobody(
    announcer: Announcer, disk: Disk
) -> None:
    said = Said(announcer)
    said(1)
    disk.go_on(KeyError("nobody foresaw this"))
    await until(lambda: said.failed, seconds=5)
    assert said.rules == [(1, "high-water")]
    with pytest.raises(UnreachableError):
        await announcer.told()
    disk.go_on()
    await until(lambda: said.told, seconds=5)


async def test_a_broker_that_can_have_no_thread_goes_on_when_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the processes of a machine are all in use; nobody waits for ever."""

    def none(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async with served("skopje-border", mark=tmp_path / "mark") as it:
        author = it.network.of("skopje-border")
        case = await it.open_case(author)
        bundle = casework.message(it.network, author, case)
        with monkeypatch.context() as patch, ThreadPoolExecutor() as executor:
            asyncio.get_running_loop().set_default_executor(executor)
            patch.setattr(threading.Thread, "start", none)
            sending = it.broker.submit(author.device, bundle, 0)
            await refused("high-water", asyncio.wait_for(sending, 5))
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())

        async def recorded() -> bool:
            with suppress(UnreachableError):
                it.take(bundle, await it.broker.submit(author.device, bundle, 0))
                return True
            return False

        await until(recorded)
        assert await it.sizes() == (6, 3)


async def test_who_breaks_at_what_he_is_told_keeps_nobody_from_it(
    announcer: Announcer, disk: Disk
) -> None:
    said = Said(announcer)
    said(1)
    await until(lambda: disk.asked)

    def breaks() -> None:
        raise KeyError("nobody foresaw this")

    said(2, breaks)
    said(3)
    with capture_logs() as logs:
        for _ in range(2):
            disk.go_on()
        await announcer.told()
    assert (said.told, said.rules) == ([1, 3], [(2, "failed")])
    assert [(one["rule"], one["error"]) for one in logs] == [("sequencer-failed", "KeyError")]


async def test_who_waits_when_the_broker_stops_is_told_to_ask_again(disk: Disk) -> None:
    announcer = Announcer(disk, Times)
    announcer.start()
    said = Said(announcer)
    said(1)
    await until(lambda: disk.asked)
    said(2)
    waiting = asyncio.create_task(announcer.told())
    await asyncio.sleep(0)
    assert running() == ["announcer"]
    await announcer.close()
    assert running() == []
    assert (said.told, said.rules) == ([], [(1, "stopping"), (2, "stopping")])
    with pytest.raises(UnreachableError):  # not: it was told
        await asyncio.wait_for(waiting, 5)
    disk.go_on()
    await asyncio.sleep(0.05)
    assert said.told == []


async def test_one_that_never_started_stops_as_well(disk: Disk) -> None:
    announcer = Announcer(disk, Times)
    said = Said(announcer)
    said(1)
    await announcer.close()
    assert said.rules == [(1, "stopping")]
