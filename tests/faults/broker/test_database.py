"""The database stopped, slow, hung and full under load: refusals, and then it goes on."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import pytest

from demo.wiretap import search
from seefen.server.embedded import running_dsn, running_process
from tests.support.brokers import NODES, Brokers, brokers
from tests.support.faultbook import long, note, times
from tests.support.herd import CANARY, Herd, grazing, members_of
from tests.support.mounts import fill, small_disk
from tests.support.waiting import until

HELD = "503 meanwhile, no key without an entry, goes on by itself; I1 I2 I3 I4 I7"
HUNG_SECONDS = 11.0  # longer than the broker waits for one answer
ENDED = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
pytestmark = pytest.mark.timeout(1800)


@asynccontextmanager
async def loaded(folder: Path | None = None) -> AsyncGenerator[tuple[Brokers, Herd], None]:
    """Give a broker that runs its own PostgreSQL, and a herd on it; check all at the end."""
    async with brokers(embedded=True, folder=folder) as it:
        herd = Herd(it.network, it.case, [it.one.url], it.ca)
        async with grazing(herd, members_of(herd, it.writers, it.readers)):
            await it.one.start()
            await everything(herd)
            yield it, herd
            await everything(herd)
        dsn = running_dsn(it.one.config.postgres)
        assert dsn is not None
        await herd.heard.check(dsn)
        _no_canaries(it)
        it.one.send(signal.SIGTERM)
        assert await it.one.end() == 0


async def everything(herd: Herd) -> None:
    """Wait until every kind of client has got on by two steps."""
    for kind in ("write", "read", "watch", "upload", "release"):
        await herd.progress(kind, 2, seconds=90)


def postmaster(it: Brokers) -> int:
    pid = running_process(it.one.config.postgres)
    assert pid is not None
    return pid


def _no_canaries(it: Brokers) -> None:
    """Check I5: the words that were sealed stand nowhere, those in the open are found."""
    words = (CANARY.decode(), NODES[0])
    place = search("all files", (it.folder,), words)
    assert place.found == (NODES[0],), "I5"
    assert place.size > 20_000_000, "the write-ahead log was not searched"


async def test_fault_27_postgresql_stopped_at_once_under_load() -> None:
    async with loaded() as (it, herd):
        for _ in range(times(1)):
            before = postmaster(it)
            os.kill(before, signal.SIGQUIT)
            await until(lambda: not Path(f"/proc/{before}").exists(), seconds=30)  # noqa: B023
            await everything(herd)
            assert postmaster(it) != before
    note("database", "PostgreSQL stopped (immediate) under load", count=times(1), held=HELD + " I5")


@long
async def test_fault_36_a_slow_database_gives_no_key() -> None:
    """Each insert takes longer than the broker lets a statement take."""
    async with loaded() as (it, herd):
        connection = await asyncpg.connect(running_dsn(it.one.config.postgres))
        for _ in range(times(1)):
            await connection.execute(
                "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN PERFORM pg_sleep(6); RETURN NULL; END $$;"
                "CREATE TRIGGER slow AFTER INSERT ON activity_leaf"
                " FOR EACH STATEMENT EXECUTE FUNCTION slow()"
            )
            await _nothing_leaves(herd)
            await connection.execute("DROP FUNCTION slow CASCADE")
            await everything(herd)
        await connection.close()
    note("database", "PostgreSQL slow: 6 s for each insert", count=times(1), held=HELD)


@long
async def test_fault_36_a_hung_database_gives_no_key() -> None:
    async with loaded() as (it, herd):
        for _ in range(times(1)):
            pids = [postmaster(it), *_children(postmaster(it))]
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            try:
                await _nothing_leaves(herd)
            finally:
                for pid in pids:
                    os.kill(pid, signal.SIGCONT)
            await everything(herd)
    note("database", f"PostgreSQL hung (SIGSTOP) for {HUNG_SECONDS:.0f} s and more",
         count=times(1), held=HELD)  # fmt: skip


async def _nothing_leaves(herd: Herd) -> None:
    """Check that clients are told to ask again, and that no key is handed out meanwhile."""
    await asyncio.sleep(0.5)  # what was committed before may still be on its way
    keys, refused = len(herd.heard.keys), told(herd)
    await until(lambda: told(herd) >= refused + 2, seconds=60, what="a refusal")
    assert len(herd.heard.keys) == keys


def told(herd: Herd) -> int:
    """Return how often a client was told 503."""
    return sum(n for text, n in herd.heard.refusals.items() if "503" in text)


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


@long
async def test_fault_34_the_disk_of_the_database_is_full() -> None:
    """Write-ahead log and tables are on one disk without a free byte; then there is room."""
    disk = Path("/tmp") / f"seefen-small-{os.getpid()}"
    disk.mkdir(mode=0o711)
    try:
        with small_disk(disk, 320):
            async with loaded(disk) as (it, herd):
                for _ in range(times(1)):
                    ballast = fill(disk)
                    await _write_until_full(it, herd)
                    ballast.unlink()
                    await everything(herd)
    finally:
        disk.rmdir()
    note("database", "no byte free for write-ahead log and tables", count=times(1), held=HELD)


async def _write_until_full(it: Brokers, herd: Herd) -> None:
    """Make PostgreSQL ask for more room until it gives up."""
    refused = told(herd)
    before = Path(f"/proc/{postmaster(it)}")
    with pytest.raises(ENDED):
        await _ask_for_room(it)
    await until(lambda: told(herd) >= refused + 5, seconds=90, what="503")

    async def over() -> bool:
        # Once in a while it finds room enough to replay its log, and goes on.
        with suppress(*ENDED):
            await _ask_for_room(it)
        return not before.exists()

    # With no room it cannot even replay its log: the broker has to go on trying.
    await until(over, seconds=60, what="the end")
    await asyncio.sleep(3)


async def _ask_for_room(it: Brokers) -> None:
    connection = await asyncpg.connect(running_dsn(it.one.config.postgres))
    try:
        for _ in range(100):
            await connection.execute("SELECT pg_switch_wal()")
            with suppress(asyncpg.DiskFullError):  # a table has none: what ends it is the log
                await connection.execute("CREATE TABLE ballast AS SELECT 1; DROP TABLE ballast")
    finally:
        connection.terminate()
