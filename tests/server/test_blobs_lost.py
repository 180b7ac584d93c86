"""File bodies that were lost from the disk: begun anew, and no hole is ever given for a part."""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest

from seefen.protocol.objects import PART_SIZE
from seefen.protocol.suite import random_bytes
from seefen.server import bodies, doctor
from seefen.server.blobs import Blobs
from seefen.server.errors import AbsentError, FullError
from seefen.server.store.blobs import BlobRows
from seefen.server.store.soundness import Soundness
from tests.support.access import access_tables
from tests.support.bodies import NODE, File, files_in, get, make, put
from tests.support.waiting import until

PARTS = list(range(4))


@pytest.fixture
async def pool() -> AsyncGenerator["asyncpg.Pool[asyncpg.Record]", None]:
    async with access_tables() as pool:
        yield pool


@pytest.fixture
def blobs(pool: "asyncpg.Pool[asyncpg.Record]", tmp_path: Path) -> Blobs:
    return make(pool, tmp_path)


@pytest.fixture(scope="module")
def file() -> File:
    return File(random_bytes(3 * PART_SIZE + 12_345))


class Slow:
    """The writing of a part, held up."""

    def __init__(self) -> None:
        self.writing, self.goes_on = threading.Event(), threading.Event()
        self._write = bodies.write_part

    def write(
        self, descriptor: int, number: int, part: Sequence[bodies.Buffer], expected: bytes
    ) -> None:
        self.writing.set()
        self.goes_on.wait(10)
        self._write(descriptor, number, part, expected)


async def begin(blobs: Blobs, file: File) -> list[int]:
    """Begin a body; return which parts are missing."""
    return (await blobs.start(file.root, len(file.body), file.leaves, node=NODE)).missing


async def fill(blobs: Blobs, file: File, folder: Path) -> Path:
    """Bring all parts; return where the file lies."""
    await begin(blobs, file)
    await put(blobs, file, 0, *file.parts)
    (path,) = files_in(folder)
    return path


@pytest.mark.parametrize("how", ["deleted", "cut", "emptied"])
async def test_a_body_that_was_lost_from_the_disk_is_taken_again(
    blobs: Blobs, file: File, tmp_path: Path, how: str
) -> None:
    await blobs.start(file.root, len(file.body), file.leaves, node=NODE)
    await asyncio.gather(*(put(blobs, file, i) for i in PARTS))
    (path,) = files_in(tmp_path)
    if how == "deleted":
        path.unlink()
        with pytest.raises(AbsentError, match="begin it again"):
            await put(blobs, file, 0)
    else:
        path.write_bytes(file.parts[0] if how == "cut" else b"")
    with pytest.raises(AbsentError):
        await get(blobs, file, 1)
    again = await blobs.start(file.root, len(file.body), file.leaves, node=NODE)
    assert (again.missing, again.complete) == (PARTS, False)
    await put(blobs, file, 1)
    assert await get(blobs, file, 1) == file.parts[1]
    with pytest.raises(AbsentError):  # and not the zeros of a hole
        await get(blobs, file, 0)


async def test_its_marks_are_gone_before_there_is_a_file_again(
    blobs: Blobs, file: File, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ends the beginning early, the next one does not take holes for parts."""
    path = await fill(blobs, file, tmp_path)
    path.unlink()

    async def away(*_: object) -> None:
        raise ConnectionError("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr(BlobRows, "forget", away)
        with pytest.raises(ConnectionError):
            await begin(blobs, file)
    assert await begin(blobs, file) == PARTS

    await put(blobs, file, 0, *file.parts)
    path.unlink()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(FullError):
            await begin(blobs, file)
    assert await begin(blobs, file) == PARTS


async def test_two_who_begin_it_anew_at_once_are_told_that_all_is_missing(
    pool: "asyncpg.Pool[asyncpg.Record]", file: File, tmp_path: Path
) -> None:
    places = [make(pool, tmp_path) for _ in range(2)]
    (await fill(places[0], file, tmp_path)).unlink()
    told = await asyncio.gather(*(begin(blobs, file) for blobs in places * 4))
    assert told == [PARTS] * 8


async def test_a_folder_of_parts_that_an_older_broker_kept_is_no_body(
    pool: "asyncpg.Pool[asyncpg.Record]", blobs: Blobs, file: File, tmp_path: Path
) -> None:
    name = file.root.hex()
    await begin(blobs, file)
    path = bodies.place(tmp_path, file.root)
    path.unlink()
    (path.parent / name).mkdir()
    (path.parent / name / "0").write_bytes(file.parts[0])
    await BlobRows(pool).mark(file.root, PARTS)
    with pytest.raises(AbsentError):
        await get(blobs, file, 0)
    assert await begin(blobs, file) == PARTS
    await put(blobs, file, 0)
    assert await get(blobs, file, 0) == file.parts[0]


async def test_who_goes_away_closes_no_file_that_is_written_to(
    blobs: Blobs, file: File, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another file would get the number of the descriptor, and then the bytes."""
    await begin(blobs, file)
    slow = Slow()
    monkeypatch.setattr(bodies, "write_part", slow.write)
    putting = asyncio.create_task(put(blobs, file, 0))
    await asyncio.to_thread(slow.writing.wait, 10)
    for _ in range(3):
        putting.cancel()
        await asyncio.sleep(0.01)
    other = tmp_path / "other"
    with other.open("wb"):
        slow.goes_on.set()
        await asyncio.gather(putting, return_exceptions=True)
        await until(lambda: bodies.place(tmp_path, file.root).stat().st_blocks)
    assert other.stat().st_size == 0
    assert blobs._filling == {}


@pytest.mark.parametrize("beginner", [0, 1], ids=["the same broker", "another process"])
async def test_a_part_for_a_file_that_was_deleted_meanwhile_is_not_marked(
    pool: "asyncpg.Pool[asyncpg.Record]",
    file: File,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    beginner: int,
) -> None:
    places = [make(pool, tmp_path) for _ in range(2)]
    path = await fill(places[0], file, tmp_path)
    slow = Slow()
    with monkeypatch.context() as patch:
        patch.setattr(bodies, "write_part", slow.write)
        putting = asyncio.create_task(put(places[0], file, 0))
        await asyncio.to_thread(slow.writing.wait, 10)
    path.unlink()
    assert await begin(places[beginner], file) == PARTS
    slow.goes_on.set()
    with pytest.raises(AbsentError, match="begin it again"):
        await putting
    assert await begin(places[0], file) == PARTS
    await put(places[0], file, 0)  # the new file is opened
    assert await get(places[0], file, 0) == file.parts[0]


async def test_another_process_gives_no_holes_of_a_body_that_was_begun_anew(
    pool: "asyncpg.Pool[asyncpg.Record]", file: File, tmp_path: Path
) -> None:
    places = [make(pool, tmp_path) for _ in range(2)]
    path = await fill(places[0], file, tmp_path)
    assert await get(places[1], file, 0) == file.parts[0]
    path.unlink()
    assert await begin(places[0], file) == PARTS
    with pytest.raises(AbsentError):
        await get(places[1], file, 0)


async def test_the_doctor_sees_a_body_that_is_gone_cut_or_has_holes(
    blobs: Blobs, file: File, tmp_path: Path
) -> None:
    path = await fill(blobs, file, tmp_path)
    config: Any = SimpleNamespace(blobs=tmp_path)
    sound = Soundness((), 0.0, ((file.root, len(file.body)),))
    assert doctor._bodies(config, sound).good
    os.truncate(path, PART_SIZE)
    assert not doctor._bodies(config, sound).good
    os.truncate(path, len(file.body))  # as long as it was
    assert not doctor._bodies(config, sound).good
    path.unlink()
    assert not doctor._bodies(config, sound).good
