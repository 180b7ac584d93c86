"""The raw limit: the same bytes as single rows, each its own commit, in the same PostgreSQL."""

import asyncio
import time
from typing import Any

import asyncpg
import uvloop

from seefen.protocol.suite import random_bytes

NAME = "bench_raw"


async def run(dsn: str, *, writers: int, size: int, seconds: float) -> float:
    """Return rows per second: ``writers`` connections, one row of ``size`` bytes a commit."""
    await _again(dsn)
    address = dsn.replace("/postgres?", f"/{NAME}?")
    connections = [await asyncpg.connect(address) for _ in range(writers)]
    data = random_bytes(size)
    try:
        await connections[0].execute(
            "CREATE TABLE row (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
            " data bytea NOT NULL); ALTER TABLE row ALTER data SET STORAGE EXTERNAL"
        )
        inserts = [await c.prepare("INSERT INTO row (data) VALUES ($1)") for c in connections]
        end = time.perf_counter() + seconds

        async def write(insert: Any) -> int:
            done = 0
            while time.perf_counter() < end:
                await insert.fetch(data)
                done += 1
            return done

        return sum(await asyncio.gather(*map(write, inserts))) / seconds
    finally:
        for connection in connections:
            await connection.close()
        await _drop(dsn)


def rate(dsn: str, *, writers: int, size: int, seconds: float) -> float:
    """Do the same on a loop as fast as the broker's own; to be called in a thread."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run(dsn, writers=writers, size=size, seconds=seconds))


async def _again(dsn: str) -> None:
    await _drop(dsn)
    connection = await asyncpg.connect(dsn)
    await connection.execute(f"CREATE DATABASE {NAME}")
    await connection.close()


async def _drop(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
    await connection.close()
