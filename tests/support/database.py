"""PostgreSQL for tests: one server for all tests of a run, a database for each test."""

import atexit
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import asyncpg

from seefen.protocol.suite import random_bytes
from seefen.server.embedded import Embedded


@cache
def postgres() -> Embedded:
    """Return the PostgreSQL of this test run."""
    folder = Path(tempfile.mkdtemp(prefix="seefen-test-", dir="/tmp"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as nobody, who must pass through
    server = Embedded(folder / "postgres")
    server.start()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(server.stop)
    return server


@asynccontextmanager
async def empty_database() -> AsyncGenerator[str, None]:
    """Give the address of an empty database, and drop it after."""
    name = f"t{random_bytes(8).hex()}"
    await _execute(f"CREATE DATABASE {name}")
    try:
        yield postgres().dsn.replace("/postgres?", f"/{name}?")
    finally:
        await drop_database(name)


async def drop_database(name_or_dsn: str) -> None:
    """Take a database away from whoever uses it; twice is harmless."""
    name = name_or_dsn.split("?")[0].rpartition("/")[2]
    await _execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


async def _execute(query: str) -> None:
    connection = await asyncpg.connect(postgres().dsn)
    try:
        await connection.execute(query)
    finally:
        await connection.close()
