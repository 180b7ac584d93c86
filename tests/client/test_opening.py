"""Opening behind parts that arrive: none before it is there, nothing left when they stop."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from seefen.client import opening
from seefen.client.answers import UnreachableError
from seefen.client.opening import Arrival, MissingError, beside, open_behind
from seefen.protocol.errors import UntrustedError
from seefen.protocol.objects import PART_SIZE, part_count
from seefen.protocol.suite import random_bytes
from tests.client.test_files import KEY, Sealed, make
from tests.support.waiting import until

Bring = Callable[[Arrival], Awaitable[None]]


@pytest.fixture
def sealed(tmp_path: Path) -> Sealed:
    return make(tmp_path, random_bytes(4 * PART_SIZE))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


ME = bytes(16)


async def open_it(sealed: Sealed, target: Path, bring: Bring) -> Path:
    async def brought(arrival: Arrival) -> None:
        await bring(arrival)

    plain = beside(sealed.obj, target, ME)
    path, _ = await open_behind(sealed.obj, KEY, sealed.path, plain, brought)
    return path


def length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("opening")]


async def test_plaintext_follows_the_parts_and_has_no_name_before_the_last(
    sealed: Sealed, target: Path
) -> None:
    count = part_count(sealed.obj.body_size)
    unnamed = beside(sealed.obj, target, ME)

    async def bring(arrival: Arrival) -> None:
        arrival.add(1)  # in any order: it waits for the first
        await until(threads)
        assert length(unnamed) == 0
        arrival.add(0)
        # While the others are on their way, these are open; the last chunk may be held back.
        await until(lambda: length(unnamed) > PART_SIZE + PART_SIZE // 2)
        assert length(unnamed) < 2 * PART_SIZE
        assert list(target.iterdir()) == [unnamed]
        for number in range(2, count):
            arrival.add(number)

    path = await open_it(sealed, target, bring)
    assert list(target.iterdir()) == [path]
    assert path.read_bytes() == sealed.plain
    assert threads() == []


async def test_a_line_that_is_cut_for_good_leaves_no_plaintext(
    sealed: Sealed, target: Path
) -> None:
    async def bring(arrival: Arrival) -> None:
        arrival.add(0)
        await until(lambda: beside(sealed.obj, target, ME).exists())
        raise UnreachableError("the line was cut", rule="broker")

    with pytest.raises(UnreachableError, match="the line was cut"):
        await open_it(sealed, target, bring)
    assert list(target.iterdir()) == []
    assert threads() == []


async def test_who_is_cancelled_leaves_no_plaintext_and_no_thread(
    sealed: Sealed, target: Path
) -> None:
    async def bring(arrival: Arrival) -> None:
        arrival.add(0)
        await asyncio.Event().wait()

    task = asyncio.create_task(open_it(sealed, target, bring))
    await until(lambda: beside(sealed.obj, target, ME).exists())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list(target.iterdir()) == []
    assert threads() == []


async def test_what_does_not_open_is_not_fetched_to_its_end(sealed: Sealed, target: Path) -> None:
    sealed.obj = replace(sealed.obj, node="tirana-border")  # the author stands in the seal
    ended = asyncio.Event()

    async def bring(arrival: Arrival) -> None:
        arrival.add(0)
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(UntrustedError):
        await asyncio.wait_for(open_it(sealed, target, bring), 10)
    assert ended.is_set()
    assert list(target.iterdir()) == []


async def test_a_disk_that_is_full_ends_the_fetching(
    sealed: Sealed, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "no space")

    async def bring(arrival: Arrival) -> None:
        arrival.add(0)
        await asyncio.Event().wait()

    monkeypatch.setattr(opening, "write_all", full)
    with pytest.raises(OSError, match="no space"):
        await asyncio.wait_for(open_it(sealed, target, bring), 10)
    assert list(target.iterdir()) == []


def test_who_waits_for_a_part_hears_of_it_or_of_the_end() -> None:
    arrival = Arrival(2)
    arrival.add(0)
    arrival.wait(0)
    arrival.wait(2)  # there is no such part
    assert arrival.missing() == [1]
    arrival.end()
    for number in range(3):
        with pytest.raises(MissingError):
            arrival.wait(number)
