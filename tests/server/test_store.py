"""The connections of the store."""

from seefen.server.store import SETTINGS, Store
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
