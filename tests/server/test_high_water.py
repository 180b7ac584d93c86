"""The high-water mark: nothing is signed below it, and nothing before it is written."""

import asyncio
import os
import resource
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from seefen.protocol.bundle import Bundle
from seefen.protocol.frames import LogFrom
from seefen.protocol.suite import PlainKey
from seefen.server.errors import FrozenError, UnreachableError
from seefen.server.high_water import PLACE, HighWater
from seefen.server.rows import Heads, LogHead
from tests.support import casework
from tests.support.served import Served, refused, served

NODES = ("skopje-border", "belgrade-ffp")
KEY = PlainKey.from_secret(bytes(32)).public


def heads(authority: int, activity: int) -> Heads:
    """Return heads of these sizes, each root made of its size."""
    first, second = (LogHead(n, n.to_bytes(32, "big"), b"") for n in (authority, activity))
    return Heads(first, second, 0)


@pytest.fixture
def mark(tmp_path: Path) -> HighWater:
    """Return the mark of a log of three and five entries."""
    found = HighWater(tmp_path / "high-water", KEY)
    found.begin(heads(3, 5))
    return found


def test_the_mark_rises_and_never_falls(mark: HighWater) -> None:
    mark.advance(heads(3, 6))
    mark.advance(heads(2, 4))
    again = HighWater(mark.path, KEY).read()
    assert (again.authority, again.activity) == (3, 6)
    assert again.activity_root == (6).to_bytes(32, "big")
    mark.advance(heads(4, 5))  # each log by itself
    again = HighWater(mark.path, KEY).read()
    assert (again.authority, again.activity) == (4, 6)


def test_only_what_is_marked_may_be_signed(mark: HighWater) -> None:
    with pytest.raises(UnreachableError):
        HighWater(mark.path, KEY).require("activity", heads(3, 5).activity)  # never read
    mark.require("activity", heads(3, 5).activity)
    mark.require("activity", heads(3, 4).activity)  # a receipt of a commit before
    for log, head in (("activity", heads(3, 6).activity), ("authority", heads(4, 5).authority)):
        with pytest.raises(UnreachableError, match=r"not under the high-water mark"):
            mark.require(log, head)
    with pytest.raises(FrozenError, match=r"is not the one that was marked"):
        mark.require("activity", LogHead(5, bytes(32), b""))


def test_two_processes_share_one_mark(mark: HighWater) -> None:
    other = HighWater(mark.path, KEY)
    other.advance(heads(3, 9))
    mark.advance(heads(3, 7))
    assert mark.read().activity == 9
    mark.require("activity", heads(3, 7).activity)


@pytest.mark.parametrize("tick", [False, True])
def test_the_file_of_a_process_that_comes_later_counts(mark: HighWater, *, tick: bool) -> None:
    """Also if it is made within the tick of the clock in which this process looked."""
    mark.advance(heads(3, 6))  # from now on it holds the first file
    folder = mark.path.parent
    then = time.time_ns() - (0 if tick else 3600 * 10**9)
    os.utime(folder, ns=(then, then))
    assert mark.read().activity == 6
    HighWater(mark.path, KEY).advance(heads(3, 9))
    if tick:
        os.utime(folder, ns=(then, then))
    assert mark.read().activity == 9


def test_fault_29_a_process_that_is_stopped_while_it_writes_holds_nobody_up(
    mark: HighWater,
) -> None:
    mark.advance(heads(3, 6))  # from now on it holds its file, whatever becomes of it
    other = HighWater(mark.path, KEY)
    other.advance(heads(3, 9))
    other.require("activity", heads(3, 9).activity)
    third = HighWater(mark.path, KEY)
    third.advance(heads(4, 8))
    assert (third.read().authority, third.read().activity) == (4, 9)
    with pytest.raises(UnreachableError):
        mark.require("activity", heads(3, 9).activity)  # not on the disk by its own hand
    names = sorted(path.name for path in mark.path.parent.iterdir())
    assert names == ["high-water", "high-water-1", "high-water-2"]


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"\xff" * 2 * PLACE, "is spoiled"), (b"\xff" * PLACE, ""), (bytes(2 * PLACE), ""), (b"", "")],
)
def test_fault_33_the_file_of_a_second_process(mark: HighWater, data: bytes, said: str) -> None:
    """Without its first mark in both places nothing was signed under it."""
    mark.path.with_name("high-water-1").write_bytes(data)
    if said:
        with pytest.raises(FrozenError, match=f"high-water-1 {said}"):  # the file at fault
            HighWater(mark.path, KEY).read()
        return
    mark.advance(heads(3, 6))
    other = HighWater(mark.path, KEY)
    other.advance(heads(3, 7))
    assert HighWater(mark.path, KEY).read().activity == 7
    assert len(mark.path.with_name("high-water-1").read_bytes()) == 2 * PLACE


@pytest.mark.parametrize(
    "name", ["high-water-2026.bak", "high-water-old", "high-water-", "high-water-1~"]
)
def test_fault_33_a_copy_beside_the_mark_neither_freezes_nor_counts_nor_goes(
    mark: HighWater, name: str
) -> None:
    copy = mark.path.with_name(name)
    for data in (b"junk" * PLACE, _file_of(heads(9, 9), mark.path.parent)):
        copy.write_bytes(data)
        assert HighWater(mark.path, KEY).read().activity == 5
        mark.begin(heads(3, 5))
        assert copy.read_bytes() == data


def test_fault_33_a_numbered_file_that_cannot_be_read_is_named(mark: HighWater) -> None:
    mark.path.with_name("high-water-9").mkdir()
    with pytest.raises(FrozenError, match=r"/high-water-9 cannot be read \(Is a directory\)"):
        HighWater(mark.path, KEY).read()


def _file_of(marked: Heads, folder: Path) -> bytes:
    other = HighWater(folder / "elsewhere", KEY)
    other.begin(marked)
    return other.path.read_bytes()


def test_a_file_that_was_taken_away_is_noticed(mark: HighWater) -> None:
    mark.advance(heads(3, 6))
    mark.path.unlink()
    with pytest.raises(FrozenError, match=r"cannot be read"):
        mark.advance(heads(3, 7))


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("bytes_there", range(0, PLACE, 37))
def test_fault_33_a_mark_that_was_being_written_falls_back_to_the_one_before(
    mark: HighWater, bytes_there: int, *, first: bool
) -> None:
    if not first:  # else it is the first that is written after the file was made
        mark.advance(heads(3, 6))
    before = mark.path.read_bytes()
    mark.advance(heads(3, 7))
    after = mark.path.read_bytes()
    (place,) = [at for at in (0, PLACE) if before[at : at + PLACE] != after[at : at + PLACE]]
    torn = bytearray(before)
    torn[place : place + bytes_there] = after[place : place + bytes_there]
    mark.path.write_bytes(torn)
    found = HighWater(mark.path, KEY)
    # Behind its checksum a mark is blank, as the one before was: it may be whole by then.
    whole = not first and bytes_there >= len(after[place : place + PLACE].rstrip())
    assert found.read().activity == (7 if whole else 5 if first else 6)
    found.advance(heads(3, 7))
    assert HighWater(mark.path, KEY).read().activity == 7


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "cannot be read"),
        (b"", "is spoiled"),
        (bytes(2 * PLACE), "is spoiled"),
        (b"\xff" * 2 * PLACE, "is spoiled"),
        (b"seefen-high-water/1 1 2 3".ljust(PLACE), "is spoiled"),
    ],
)
def test_fault_33_a_mark_that_is_missing_or_spoiled_shows_nothing(
    mark: HighWater, data: bytes | None, said: str
) -> None:
    mark.path.unlink() if data is None else mark.path.write_bytes(data)
    found = HighWater(mark.path, KEY)
    with pytest.raises(FrozenError, match=said) as caught:
        found.read()
    assert caught.value.rule == "high-water"
    with pytest.raises(FrozenError):
        found.advance(heads(9, 9))


def test_fault_33_a_flipped_digit_is_no_lower_mark(mark: HighWater) -> None:
    mark.advance(heads(3, 6))
    data = mark.path.read_bytes()
    mark.path.write_bytes(data.replace(b" 6 ", b" 4 ").replace(b" 5 ", b" 4 "))
    with pytest.raises(FrozenError, match=r"is spoiled"):
        HighWater(mark.path, KEY).read()


def test_fault_33_a_mark_of_another_log_is_refused(mark: HighWater) -> None:
    with pytest.raises(FrozenError, match=r"belongs to another log"):
        HighWater(mark.path, PlainKey.generate().public).read()


# --- in a broker ---------------------------------------------------------------------------


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Served]:
    """Give a broker with a mark."""
    async with served(*NODES, mark=tmp_path / "high-water") as it:
        yield it


def marked(it: Served) -> int:
    """Return how far the activity log is marked on the disk."""
    assert it.high_water is not None
    return HighWater(it.high_water.path, it.network.log_key.public).read().activity


async def test_what_is_answered_is_marked(it: Served) -> None:
    author = it.network.of(NODES[0])
    case = await it.open_case(author, NODES[1])
    for _ in range(3):
        await it.message(author, case)
        assert marked(it) == it.broker.heads.activity.size
    await it.restart()
    assert it.broker.frozen == ""


async def test_nothing_is_signed_or_told_before_the_mark_is_written(
    it: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash here leaves a commit without a mark; so there must be no signature of it."""
    author = it.network.of(NODES[0])
    case = await it.open_case(author, NODES[1])
    flush, done = asyncio.Event(), asyncio.get_running_loop()

    def slow(descriptor: int) -> None:
        asyncio.run_coroutine_threadsafe(flush.wait(), done).result()
        os.fsync(descriptor)

    monkeypatch.setattr(os, "fdatasync", slow)
    bundle = casework.message(it.network, author, case, b"a body")
    sending = asyncio.create_task(it.broker.submit(author.device, bundle, 0))
    before = marked(it)
    await until(lambda: _size(it), before + 1)
    asking = asyncio.create_task(it.broker.checkpoint("activity"))
    await asyncio.sleep(0.2)
    assert not sending.done()
    assert not asking.done()
    assert it.high_water is not None
    with pytest.raises(UnreachableError):  # whatever another reads from the file meanwhile
        it.high_water.require("activity", (await it.store.heads()).activity)
    flush.set()
    recorded = await sending
    assert f"\n{before + 1}\n" in await asking
    assert f"\n{before + 1}\n" in recorded.checkpoint


async def _tried(it: Served, device: bytes, bundle: Bundle) -> int:
    with suppress(UnreachableError):
        return len((await it.broker.submit(device, bundle, 0)).entries)
    return 0


async def _size(it: Served) -> int:
    return (await it.store.heads()).activity.size


async def until(found: Callable[[], Awaitable[int]], wanted: int) -> None:
    """Wait for what must come to pass within 20 s."""
    for _ in range(400):
        if await found() == wanted:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{wanted} did not come to pass")


async def test_fault_34_a_mark_that_cannot_be_written_stops_answers_and_loses_nothing(
    it: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    author = it.network.of(NODES[0])
    case = await it.open_case(author, NODES[1])

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", full)
        bundle = casework.message(it.network, author, case, b"a body")
        with pytest.raises(UnreachableError) as caught:
            await it.broker.submit(author.device, bundle, 0)
        assert caught.value.rule == "high-water"
        await refused("high-water", it.broker.submit(author.device, bundle, 0))
        await refused("high-water", it.broker.checkpoint("activity"))
    # The very same bytes, as a device sends them again: one entry, and a receipt.
    await until(lambda: _tried(it, author.device, bundle), 1)
    recorded = await it.broker.submit(author.device, bundle, 0)
    assert [entry.index for entry in recorded.entries] == [2]
    assert marked(it) == it.broker.heads.activity.size


async def test_fault_31_an_older_state_is_not_signed_even_while_the_broker_runs(
    it: Served,
) -> None:
    author = it.network.of(NODES[0])
    case = await it.open_case(author, NODES[1])
    async with it.database() as intruder:
        old: Any = await intruder.fetchrow("SELECT * FROM ledger_head")
        await it.message(author, case)
        await intruder.execute("DELETE FROM activity_leaf WHERE idx >= $1", old["activity_size"])
        await intruder.execute("DELETE FROM ledger_head")
        places = ", ".join(f"${n}" for n in range(1, len(old) + 1))
        await intruder.execute(f"INSERT INTO ledger_head VALUES ({places})", *old.values())
    for log in ("activity", "authority"):
        error = await refused("frozen", it.broker.checkpoint(log))
        assert "the database is older than what was signed" in str(error)
        assert "seefen-server recover" in str(error)
    await refused("frozen", it.broker.records(author.device, LogFrom(0, 9, 0)))
    await it.restart()
    assert "activity has 2 entries and had 3" in it.broker.frozen
    await refused("frozen", it.broker.checkpoint("activity"))
    bundle = casework.message(it.network, author, case, b"a body")
    await refused("frozen", it.broker.submit(author.device, bundle, 0))


@pytest.mark.parametrize("how", ["missing", "spoiled", "another"])
async def test_fault_33_a_broker_without_its_mark_starts_frozen(it: Served, how: str) -> None:
    assert it.high_water is not None
    path = it.high_water.path
    if how == "missing":
        path.unlink()
    elif how == "spoiled":
        path.write_bytes(b"\x00" * 1024)
    else:
        HighWater(path, KEY).begin(it.broker.heads)
    await refused("high-water", it.broker.checkpoint("activity"))
    it.high_water = HighWater(path, it.network.log_key.public)
    await it.restart()
    assert "nothing shows that this is the newest" in it.broker.frozen
    await refused("frozen", it.broker.submit(None, it.network.admit("tirana-lab"), 0))


async def test_fault_31_another_tree_than_the_marked_one_is_frozen(it: Served) -> None:
    """The database grew anew from an older state: longer than the mark, and another log."""
    assert it.high_water is not None
    now = it.broker.heads
    other = Heads(now.authority, LogHead(1, bytes(32), b""), 0)
    author = it.network.of(NODES[0])
    await it.open_case(author, NODES[1])
    await it.broker.close()
    it.high_water.begin(other)
    await it.start()
    assert "is another than the one that was signed up to entry 1" in it.broker.frozen


def test_attack_50_who_holds_all_descriptors_makes_nobody_believe_that_entries_are_lost(
    mark: HighWater,
) -> None:
    """Agents would raise `broker-frozen` for it, and operators put backups back."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = [os.dup(2)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (held[0] + 8, before[1]))
    try:
        with suppress(OSError):
            while True:
                held.append(os.dup(2))
        with pytest.raises(UnreachableError) as caught:
            mark.read()
        assert not isinstance(caught.value, FrozenError)
        assert caught.value.rule == "busy"
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert mark.read().activity == 5
