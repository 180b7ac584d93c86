"""The connections of the store, and what its questions read."""

import asyncio
import json

import asyncpg
import pytest

from seefen.server import store as stores
from seefen.server.store import SETTINGS, Store, feed, migrations, reads
from seefen.server.store.reads import Proxy
from tests.support.database import empty_database


async def test_a_connection_comes_back_as_it_was_and_in_no_transaction() -> None:
    """Nothing is asked of the database when one is given back: nothing may be left in it."""
    async with empty_database() as dsn, Store.open(dsn) as store:
        async with store.pool.acquire() as connection:
            first = await connection.fetchval("SELECT pg_backend_pid()")
            await connection.execute("BEGIN; CREATE TABLE left_open (n int)")
        async with store.pool.acquire() as connection:
            assert await connection.fetchval("SELECT pg_backend_pid()") == first
            assert not connection.is_in_transaction()
            assert await connection.fetchval("SELECT to_regclass('left_open')") is None
            for name, value in SETTINGS.items():
                assert await connection.fetchval("SELECT current_setting($1)", name) == value


async def test_an_index_of_a_long_log_may_take_longer_than_any_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The pool gives up on a question: a broker that gave up here would never start again."""
    monkeypatch.setattr(stores, "COMMAND_SECONDS", 0.5)
    slow = migrations.schema_files() | {"9999-slow.sql": "SELECT pg_sleep(1.5)"}
    monkeypatch.setattr(migrations, "schema_files", lambda: slow)
    async with empty_database() as dsn:

        async def start() -> None:
            async with Store.open(dsn):
                pass

        await asyncio.gather(start(), start())  # one does it, and the other one waits for it
        connection = await asyncpg.connect(dsn)
        try:
            names = await connection.fetch("SELECT name FROM schema_migration")
        finally:
            await connection.close()
        assert {row["name"] for row in names} == set(slow)


CASE, LATE = bytes(16), b"\1" * 16
ROWS, DEVICES = 40_000, 7
FEW = 400  # blocks of 8 KiB; the table below has three thousand


async def test_what_is_asked_of_one_case_or_node_does_not_read_the_whole_log() -> None:
    """A channel gets a hundred entries an alert: a question that reads all ends in a time-out."""
    async with empty_database() as dsn, Store.open(dsn) as store:
        async with store.pool.acquire() as connection:
            await connection.execute(_LONG, ROWS, CASE, LATE)
            await connection.execute(
                "INSERT INTO object SELECT object_id, idx, case_id, 1, idx / 50 + 1, node, 0, '',"
                " decode(repeat('00', 104), 'hex') FROM activity_leaf WHERE kind = 'object'"
            )
            await connection.execute(
                "INSERT INTO case_member VALUES ($1, 'skopje-border', 0), ($2, 'late', $3)",
                CASE, LATE, ROWS,
            )  # fmt: skip
            await connection.execute("ANALYZE")
        near = ROWS - 100
        for name, query, *values in (
            ("case", reads._CASE, CASE),
            ("devices of a case", reads._CASE_DEVICES, CASE),
            ("feed", feed._FEED, "late", near, ROWS, 256),
            ("audit", feed._ENTITLED, "late", near, ROWS, 256),
            ("readings", feed._READINGS, CASE, near, ROWS, 256),
            ("lost", reads._LOST),
            ("blank though on hold", reads._HELD_BLANK),
            ("handed over", reads._HANDING),
        ):
            async with store.pool.acquire() as connection:
                blocks = await _blocks(connection, query, *values)
            assert blocks < FEW, (name, blocks)
        rows = await store.case(CASE)
        assert rows is not None
        assert (rows.objects, rows.last.idx) == (ROWS // 50, ROWS - 1)
        keys = [row for row in rows.chain if row.kind == "casekey"]
        assert [row.objects_before for row in keys] == [0, ROWS // 100]
        assert len(rows.devices) == DEVICES
        assert max(device.case_n for device in rows.devices) == (ROWS - 1) // DEVICES + 1
        assert all(device.object_hash for device in rows.devices)
        # A member who does nothing but read must not make his case too long to be read.
        async with store.pool.acquire() as connection:
            await connection.execute("DELETE FROM object WHERE idx > $1", ROWS // 2)
            await connection.execute(
                "UPDATE activity_leaf SET kind = 'access' WHERE kind = 'object' AND idx > $1",
                ROWS // 2,
            )
            await connection.execute("VACUUM ANALYZE activity_leaf")
            assert await _blocks(connection, reads._CASE, CASE) < FEW
        rows = await store.case(CASE)
        assert rows is not None
        assert (rows.objects, rows.last.idx) == (ROWS // 100, ROWS - 1)


async def _blocks(connection: Proxy, query: str, *values: object) -> int:
    """Return how many blocks a question reads."""
    explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}"
    (plan,) = await connection.fetch(explain, *values)
    top = json.loads(plan[0])[0]["Plan"]
    return int(top["Shared Hit Blocks"] + top["Shared Read Blocks"])


# One case: opened, with a key, fifty entries for each object, and another key half way.
_LONG = """
    INSERT INTO activity_leaf
    SELECT i, decode(repeat('00', 89), 'hex'), convert_to(repeat('core', 60), 'utf8'), '', NULL,
           CASE WHEN i = 0 THEN 'case' WHEN i IN (1, $1::bigint / 2) THEN 'casekey'
                WHEN i % 50 = 2 THEN 'object' ELSE 'access' END,
           $2, 'skopje-border', decode(lpad(to_hex(i % 7), 32, 'a'), 'hex'), i, i / 7 + 1,
           CASE WHEN i % 50 = 2 THEN decode(lpad(to_hex(i), 32, 'b'), 'hex') END,
           sha256(int8send(i)), decode(repeat('22', 300), 'hex')
      FROM generate_series(0, $1::bigint - 1) AS i WHERE $3::bytea IS NOT NULL
"""
