"""The embedded PostgreSQL: started, stopped, killed, and found again."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncpg
import pytest

from seefen.server import embedded
from seefen.server.config import Config, SetupError
from seefen.server.database import any_database, own_database
from seefen.server.embedded import SETTINGS, Embedded, running_dsn, running_process

LEAVE = """
import sys, os, signal
from pathlib import Path
from seefen.server.embedded import Embedded
Embedded(Path(sys.argv[1])).start()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's own folder: as root, PostgreSQL runs as nobody, who may not go there.
    with tempfile.TemporaryDirectory(prefix="seefen-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        yield Path(name) / "postgres"


def until_ended(server: Embedded) -> None:
    while server.is_running:
        time.sleep(0.01)


def ask(dsn: str, query: str) -> object:
    return asyncio.run(_ask(dsn, query))


async def _ask(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def test_it_keeps_what_it_committed_and_commits_safely(folder: Path) -> None:
    first = Embedded(folder)
    first.start()
    try:
        ask(first.dsn, "CREATE TABLE t AS SELECT 7 AS n")
        for name in ("fsync", "full_page_writes", "synchronous_commit", "data_checksums"):
            assert ask(first.dsn, f"SHOW {name}") == "on", name
        assert SETTINGS["fsync"] == "on"
        assert running_dsn(folder) == first.dsn
    finally:
        first.stop()
    assert running_process(folder) is None
    assert running_dsn(folder) is None
    second = Embedded(folder)
    second.start()
    try:
        assert ask(second.dsn, "SELECT n FROM t") == 7
    finally:
        second.stop()
        second.stop()


def test_nobody_else_may_enter_and_there_is_no_tcp(folder: Path) -> None:
    server = Embedded(folder)
    server.start()
    try:
        assert folder.stat().st_mode & 0o077 == 0
        assert ask(server.dsn, "SHOW listen_addresses") == ""
    finally:
        server.stop()


def test_a_server_that_a_killed_broker_left_is_taken_over(folder: Path) -> None:
    command = [sys.executable, "-c", LEAVE, str(folder)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    left = running_process(folder)
    assert left is not None
    server = Embedded(folder)
    server.start()
    try:
        assert running_process(folder) not in (None, left)
        assert ask(server.dsn, "SELECT 1") == 1
    finally:
        server.stop()


def test_it_starts_again_after_sigkill_of_the_server(folder: Path) -> None:
    server = Embedded(folder)
    server.start()
    try:
        ask(server.dsn, "CREATE TABLE t AS SELECT 7 AS n")
        pid = running_process(folder)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        until_ended(server)
        server.start()
        assert ask(server.dsn, "SELECT n FROM t") == 7
    finally:
        server.stop()


@contextmanager
def replaying(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[tuple[Embedded, "Future[None]"]]:
    """Give a server that was killed and stands still in its log, and its start in a thread."""
    server = Embedded(folder)
    server.start()
    try:
        ask(server.dsn, "CREATE TABLE t AS SELECT g FROM generate_series(1, 1000000) AS g")
        pid = running_process(folder)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        until_ended(server)
        monkeypatch.setattr(embedded, "_WAIT_SECONDS", 2)
        with ThreadPoolExecutor(1) as pool:
            starting = pool.submit(server.start)
            at_work = until_replaying(folder)
            os.kill(at_work, signal.SIGSTOP)
            try:
                yield server, starting
            finally:
                with suppress(ProcessLookupError):
                    os.kill(at_work, signal.SIGCONT)
    finally:
        server.stop()


def test_it_waits_for_a_server_that_replays_its_log_for_long(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = list[str]()

    def tell(rule: str, **_: object) -> None:
        told.append(rule)

    monkeypatch.setattr(embedded, "alarm", tell)
    with replaying(folder, monkeypatch) as (_, starting):
        time.sleep(5)  # longer than it waits for one that says nothing
        assert not starting.done()
        assert "database-replays" in told
    assert starting.exception() is None
    other = Embedded(folder)
    other.start()
    try:
        assert ask(other.dsn, "SELECT count(*) FROM t") == 1_000_000
    finally:
        other.stop()


def test_whoever_stops_the_broker_does_not_wait_for_that(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with replaying(folder, monkeypatch) as (server, starting):
        server.give_up()
        # That it does not end either is because it stands still here.
        assert isinstance(starting.exception(30), (SetupError, subprocess.TimeoutExpired))


def until_replaying(folder: Path) -> int:
    """Return the process that replays the log of a server that is starting."""
    while True:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if path.read_bytes().startswith(b"postgres: startup"):
                    status = (path.parent / "status").read_text()
                    parent = int(status.split("PPid:")[1].split()[0])
                    if parent == running_process(folder):
                        return int(path.parent.name)


def test_a_pid_that_belongs_to_a_stranger_now_does_not_stop_a_start(folder: Path) -> None:
    server = Embedded(folder)
    server.start()
    server.stop()
    (folder / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n{folder}/data\n")
    assert running_process(folder) is None
    server.start()
    server.stop()


def test_a_folder_that_was_left_half_made_is_made_again(folder: Path) -> None:
    server = Embedded(folder)
    (folder / "data.new").mkdir()
    (folder / "data.new" / "PG_VERSION").write_text("18\n")
    server.start()
    server.stop()


def test_a_command_uses_the_database_of_the_running_broker(folder: Path) -> None:
    config = Config(folder.parent, "seefen", "https://127.0.0.1:1", "127.0.0.1:1")
    with own_database(config, new=True) as own, any_database(config) as other:
        assert own.dsn == other.dsn
        assert other.embedded is None
    with any_database(config) as alone:
        assert alone.embedded is not None
        assert alone.embedded.is_running


def test_a_named_database_is_used_and_none_is_started(folder: Path) -> None:
    config = Config(folder.parent, "s", "https://b:1", "b:1", database="postgresql://elsewhere")
    with own_database(config) as own, any_database(config) as other:
        assert own.dsn == other.dsn == "postgresql://elsewhere"
    assert not folder.exists()
