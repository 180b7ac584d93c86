"""File bodies: parts in any order, each checked, none marked before it is on the disk."""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import asyncpg
import pytest

from seefen.protocol.errors import MalformedError, OutOfTurnError, UntrustedError
from seefen.protocol.objects import PART_SIZE
from seefen.protocol.suite import random_bytes
from seefen.server import bodies
from seefen.server.blobs import Blobs
from seefen.server.errors import AbsentError, FullError
from seefen.server.store.blobs import BlobRows
from tests.support.access import access_tables
from tests.support.bodies import NODE, File, files_in, get, make, put


@pytest.fixture
async def pool() -> AsyncGenerator["asyncpg.Pool[asyncpg.Record]", None]:
    async with access_tables() as pool:
        yield pool


@pytest.fixture
def blobs(pool: "asyncpg.Pool[asyncpg.Record]", tmp_path: Path) -> Blobs:
    return make(pool, tmp_path)


@pytest.fixture(scope="module")
def file() -> File:
    return File(random_bytes(10 * PART_SIZE + 12_345))


async def test_parts_come_in_any_order_in_parallel_and_again(blobs: Blobs, file: File) -> None:
    begun = await blobs.start(file.root, len(file.body), file.leaves, node=NODE)
    assert begun.missing == list(range(11))
    order = [7, 0, 10, 3, 3, 9, 1, 8, 2, 6, 5]
    await asyncio.gather(*(put(blobs, file, i) for i in order))
    half = await blobs.find(file.root)
    assert (half.missing, half.complete) == ([4], False)
    await put(blobs, file, 4)
    assert (await blobs.find(file.root)).complete
    got = [await get(blobs, file, i) for i in range(11)]
    assert b"".join(got) == file.body


async def test_it_goes_on_where_it_was_cut(
    blobs: Blobs, file: File, pool: "asyncpg.Pool[asyncpg.Record]", tmp_path: Path
) -> None:
    await blobs.start(file.root, len(file.body), file.leaves, node=NODE)
    await put(blobs, file, 2)
    after = make(pool, tmp_path)
    again = await after.start(file.root, len(file.body), file.leaves, node=NODE)
    assert again.missing == [0, 1, 3, 4, 5, 6, 7, 8, 9, 10]
    assert await get(after, file, 2) == file.parts[2]


async def test_other_bytes_are_refused_and_leave_nothing(
    blobs: Blobs, file: File, tmp_path: Path
) -> None:
    await blobs.start(file.root, len(file.body), file.leaves, node=NODE)
    changed = bytes([file.parts[0][0] ^ 1]) + file.parts[0][1:]
    for number, data in ((0, changed), (0, file.parts[1]), (0, b""), (10, file.parts[10] + b"x")):
        with pytest.raises(UntrustedError):
            await put(blobs, file, number, data)
    assert [path.stat().st_blocks for path in files_in(tmp_path)] == [0]
    assert len((await blobs.find(file.root)).missing) == 11


async def test_leaves_must_give_the_root_and_fit_the_size(blobs: Blobs, file: File) -> None:
    with pytest.raises(UntrustedError):
        await blobs.start(bytes(32), len(file.body), file.leaves, node=NODE)
    for size in (0, PART_SIZE, len(file.body) + PART_SIZE):
        with pytest.raises(MalformedError):
            await blobs.start(file.root, size, file.leaves, node=NODE)
    await blobs.start(file.root, len(file.body), file.leaves, node=NODE)
    with pytest.raises(OutOfTurnError):
        await blobs.start(file.root, len(file.body) - 1, file.leaves, node=NODE)


async def test_what_is_not_there_is_absent(blobs: Blobs, file: File) -> None:
    with pytest.raises(AbsentError):
        await blobs.find(file.root)
    await blobs.start(file.root, len(file.body), file.leaves, node=NODE)
    for number in (0, 11, 1 << 40):
        with pytest.raises(AbsentError):
            await get(blobs, file, number)
    with pytest.raises(AbsentError):
        await put(blobs, file, 11, b"x")


async def test_a_part_is_marked_only_after_it_is_on_the_disk(
    blobs: Blobs, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    await blobs.start(file.root, len(file.body), file.leaves, node=NODE)

    def power_cut(*_: object, **__: object) -> None:
        raise OSError(5, "power cut")

    monkeypatch.setattr(bodies, "sync", power_cut)
    with pytest.raises(OSError, match="power cut"):
        await put(blobs, file, 0)
    assert 0 in (await blobs.find(file.root)).missing
    with pytest.raises(AbsentError):
        await get(blobs, file, 0)


async def test_attack_50_a_node_begins_so_many_files_a_day_and_no_more(
    pool: "asyncpg.Pool[asyncpg.Record]", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million of one byte each are a million rows and files, and no quota of bytes says no."""
    monkeypatch.setattr("seefen.server.blobs.BODIES", 3)
    blobs = make(pool, tmp_path)
    files = [File(random_bytes(1) + bytes([number])) for number in range(4)]
    for file in files[:3]:
        for _ in range(2):  # one that is there is not begun again
            await blobs.start(file.root, 2, file.leaves, node=NODE)
    with pytest.raises(FullError) as caught:
        await blobs.start(files[3].root, 2, files[3].leaves, node=NODE)
    assert caught.value.rule == "quota"
    assert len(files_in(tmp_path)) == 3
    await blobs.start(files[3].root, 2, files[3].leaves, node="belgrade-ffp")


@pytest.mark.parametrize("step", ["make", "write_part", "sync"])
async def test_a_full_disk_is_said_and_not_crashed_on(
    blobs: Blobs, file: File, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    await blobs.start(file.root, len(file.body), file.leaves, node=NODE)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bodies, step, full)
    if step == "make":
        with pytest.raises(FullError):
            await blobs.start(file.root, len(file.body), file.leaves, node=NODE)
    else:
        with pytest.raises(FullError):
            await put(blobs, file, 0)


async def test_nothing_is_taken_when_little_is_free(
    pool: "asyncpg.Pool[asyncpg.Record]", tmp_path: Path, file: File
) -> None:
    blobs = Blobs(BlobRows(pool), tmp_path, free_percent=100, quota_mebibytes=64)
    with pytest.raises(FullError) as caught:
        await blobs.start(file.root, len(file.body), file.leaves, node=NODE)
    assert caught.value.rule == "disk"
    # Nor of a body that was begun while there was room.
    roomy = make(pool, tmp_path)
    await roomy.start(file.root, len(file.body), file.leaves, node=NODE)
    with pytest.raises(FullError) as caught:
        await put(blobs, file, 0)
    assert caught.value.rule == "disk"
    assert 0 in (await roomy.find(file.root)).missing


async def test_a_node_fills_its_own_share_only(
    pool: "asyncpg.Pool[asyncpg.Record]", tmp_path: Path, file: File
) -> None:
    blobs = make(pool, tmp_path, quota=11)
    await blobs.start(file.root, len(file.body), file.leaves, node=NODE)
    await blobs.start(file.root, len(file.body), file.leaves, node=NODE)
    second = File(random_bytes(PART_SIZE))
    with pytest.raises(FullError) as caught:
        await blobs.start(second.root, PART_SIZE, second.leaves, node=NODE)
    assert caught.value.rule == "quota"
    await blobs.start(second.root, PART_SIZE, second.leaves, node="belgrade-ffp")


async def test_attack_50_what_is_begun_at_once_is_counted_together(
    pool: "asyncpg.Pool[asyncpg.Record]", tmp_path: Path
) -> None:
    """Ten connections would take ten bodies of eight gibibytes where one has room."""
    many = [File(random_bytes(PART_SIZE)) for _ in range(12)]
    two = [make(pool, tmp_path, quota=2) for _ in range(2)]  # processes
    starts = (
        two[number % 2].start(file.root, PART_SIZE, file.leaves, node=NODE)
        for number, file in enumerate(many)
    )
    results = await asyncio.gather(*starts, return_exceptions=True)
    assert [type(one) for one in results].count(FullError) == 10
    assert await pool.fetchval("SELECT count(*) FROM blob") == 2


async def test_attack_50_who_waits_for_his_turn_holds_no_connection(
    pool: "asyncpg.Pool[asyncpg.Record]", tmp_path: Path
) -> None:
    """Another process has begun a body for that node, and has not come to an end."""
    blobs, first = make(pool, tmp_path, quota=2), File(random_bytes(2 * PART_SIZE))
    waiting = [File(random_bytes(PART_SIZE)) for _ in range(pool.get_max_size() + 2)]
    async with pool.acquire() as other:
        async with other.transaction():
            await other.execute(
                "SELECT pg_advisory_xact_lock(hashtext('blob'), hashtext($1))", NODE
            )
            values = (first.root, 2 * PART_SIZE, 2, first.leaves, bytes(1), NODE)
            await other.execute(
                "INSERT INTO blob (root, size, parts, leaves, present, node)"
                " VALUES ($1, $2, $3, $4, $5, $6)",
                *values,
            )
            starts = [
                asyncio.create_task(blobs.start(f.root, PART_SIZE, f.leaves, node=NODE))
                for f in waiting
            ]
            # Those of another node do not wait for it.
            async with asyncio.timeout(10):
                file = waiting[0]
                await blobs.start(file.root, PART_SIZE, file.leaves, node="belgrade-ffp")
            assert not any(start.done() for start in starts)
        results = await asyncio.gather(*starts, return_exceptions=True)
    # The first of them stands by now, as the other node's: that is no new body.
    assert [type(one) for one in results[1:]] == [FullError] * (len(waiting) - 1)


async def test_a_part_that_a_kill_left_half_written_is_missing(
    pool: "asyncpg.Pool[asyncpg.Record]", tmp_path: Path, file: File
) -> None:
    blobs = make(pool, tmp_path)
    await blobs.start(file.root, len(file.body), file.leaves, node=NODE)
    await put(blobs, file, 0)
    (path,) = files_in(tmp_path)
    with path.open("r+b") as body:
        body.seek(PART_SIZE)
        body.write(file.parts[1][:1000])
    again = make(pool, tmp_path)
    begun = await again.start(file.root, len(file.body), file.leaves, node=NODE)
    assert begun.missing == list(range(1, 11))
    with pytest.raises(AbsentError):
        await get(again, file, 1)
    await put(again, file, 1)
    assert [await get(again, file, i) for i in (0, 1)] == file.parts[:2]


async def test_what_is_written_during_a_sync_is_synced_and_marked_together(
    blobs: Blobs, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No answer before the sync, no mark before it, and one sync for all that waited."""
    await blobs.start(file.root, len(file.body), file.leaves, node=NODE)
    steps: list[object] = []
    written, goes_on = threading.Semaphore(0), threading.Event()
    write, sync, mark = bodies.write_part, bodies.sync, BlobRows.mark

    def writing(
        descriptor: int, number: int, part: Sequence[bodies.Buffer], expected: bytes
    ) -> None:
        write(descriptor, number, part, expected)
        written.release()

    def synced(descriptor: int) -> None:
        goes_on.wait(10)
        sync(descriptor)
        steps.append("sync")

    async def marked(self: BlobRows, root: bytes, numbers: Sequence[int]) -> None:
        steps.append(sorted(numbers))
        await mark(self, root, numbers)

    monkeypatch.setattr(bodies, "write_part", writing)
    monkeypatch.setattr(bodies, "sync", synced)
    monkeypatch.setattr(BlobRows, "mark", marked)
    first = asyncio.create_task(put(blobs, file, 4))
    await asyncio.to_thread(written.acquire)
    others = [asyncio.create_task(put(blobs, file, i)) for i in (9, 0, 2)]
    for _ in others:
        await asyncio.to_thread(written.acquire)
    await asyncio.sleep(0.01)
    assert steps == []
    assert not any(task.done() for task in (first, *others))
    goes_on.set()
    await asyncio.gather(first, *others)
    assert steps == ["sync", [4], "sync", [0, 2, 9]]


async def test_what_a_failed_sync_may_have_lost_is_not_marked_by_the_next(
    blobs: Blobs, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux says once that a disk failed: the sync after it says nothing of what was lost."""
    await blobs.start(file.root, len(file.body), file.leaves, node=NODE)
    syncing, goes_on, written = threading.Event(), threading.Event(), threading.Semaphore(0)
    write, fdatasync = bodies.write_part, os.fdatasync

    def writing(
        descriptor: int, number: int, part: Sequence[bodies.Buffer], expected: bytes
    ) -> None:
        write(descriptor, number, part, expected)
        written.release()

    def fails_once(descriptor: int) -> None:
        if syncing.is_set():
            return fdatasync(descriptor)
        syncing.set()
        goes_on.wait(10)
        raise OSError(5, "the disk failed")

    monkeypatch.setattr(bodies, "write_part", writing)
    monkeypatch.setattr("os.fdatasync", fails_once)
    first = asyncio.create_task(put(blobs, file, 0))
    await asyncio.to_thread(syncing.wait, 10)
    second = asyncio.create_task(put(blobs, file, 1))
    for _ in range(2):
        await asyncio.to_thread(written.acquire)
    await asyncio.sleep(0.01)
    goes_on.set()
    heard = await asyncio.gather(first, second, return_exceptions=True)
    assert [str(err) for err in heard] == ["[Errno 5] the disk failed"] * 2
    assert (await blobs.find(file.root)).missing == list(range(11))
    await put(blobs, file, 1)  # the file is opened again
    assert await get(blobs, file, 1) == file.parts[1]
    assert blobs._filling == {}


async def test_who_goes_away_takes_nobodys_answer_with_him(
    blobs: Blobs, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    await blobs.start(file.root, len(file.body), file.leaves, node=NODE)
    syncing, goes_on = threading.Event(), threading.Event()
    sync = bodies.sync

    def synced(descriptor: int) -> None:
        syncing.set()
        goes_on.wait(10)
        sync(descriptor)

    monkeypatch.setattr(bodies, "sync", synced)
    puts = [asyncio.create_task(put(blobs, file, i)) for i in (0, 1)]
    await asyncio.to_thread(syncing.wait)
    for _ in range(2):
        puts[0].cancel()
        await asyncio.sleep(0)
    goes_on.set()
    await asyncio.gather(*puts, return_exceptions=True)
    assert puts[0].cancelled()
    assert await get(blobs, file, 1) == file.parts[1]
    assert blobs._filling == {}


async def test_a_body_is_begun_durably_each_time(
    blobs: Blobs, file: File, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A kill between making and syncing, begun again, a power cut: the name must be there."""
    await blobs.start(file.root, len(file.body), file.leaves, node=NODE)
    synced: list[Path] = []
    monkeypatch.setattr(bodies, "sync_folder", synced.append)
    await blobs.start(file.root, len(file.body), file.leaves, node=NODE)
    assert synced == list(bodies.place(tmp_path, file.root).parents[:2])
