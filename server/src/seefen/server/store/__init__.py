"""The store: all SQL of the broker, and nothing but SQL.

One write transaction at a time goes through a connection of its own; everything else
reads through the pool.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Final

import asyncpg

from seefen.server.errors import UnreachableError
from seefen.server.gate import Protected
from seefen.server.rows import Changes, Heads
from seefen.server.store.cosignatures import CosignatureRows
from seefen.server.store.erasures import ErasureRows
from seefen.server.store.feed import FeedReads
from seefen.server.store.migrations import migrate
from seefen.server.store.outage import AWAY, UNUSABLE, away, unusable
from seefen.server.store.reads import LedgerReads, Pool, Proxy
from seefen.server.store.writes import LedgerWriting

CONNECTIONS: Final = 10
COMMAND_SECONDS: Final = 10.0
SETTINGS: Final = {
    "application_name": "seefen",
    "synchronous_commit": "on",  # a receipt promises that the entry outlives a power cut
    "lock_timeout": "2s",
    "statement_timeout": "5s",
    "idle_in_transaction_session_timeout": "5s",  # a stuck process must not stop the others
    "jit": "off",
    "timezone": "UTC",
}


class Store(FeedReads):
    """The database of one broker."""

    def __init__(self, pool: Pool) -> None:
        """Use ``pool``; :meth:`open` makes one."""
        super().__init__(pool)
        self.pool = pool
        self.cosignatures = CosignatureRows(pool)
        self.erasures = ErasureRows(pool)
        self._writer: Proxy | None = None
        self._writing = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def open(cls, dsn: str) -> "AsyncGenerator[Store, None]":
        """Connect, bring the tables up to date, and close at the end.

        Raises:
            UnreachableError: The database does not answer.
            SetupError: It lets nobody in who comes so, or does not let him make tables.
        """
        try:
            pool = await asyncpg.create_pool(
                dsn,
                min_size=2,
                max_size=CONNECTIONS,
                command_timeout=COMMAND_SECONDS,
                server_settings=SETTINGS,
                reset=_keep,
            )
        except UNUSABLE as err:
            raise unusable(err) from None
        except AWAY as err:
            raise away(err) from err
        store = cls(pool)
        try:
            await store.prepare()
            yield store
        finally:
            await store.close()

    async def prepare(self) -> None:
        """Bring the tables up to date.

        Raises:
            SetupError: The role may not, or the database holds no UTF-8.
        """
        try:
            async with self.pool.acquire() as connection:
                await migrate(connection)
        except UNUSABLE as err:
            raise unusable(err) from None
        except AWAY as err:
            raise away(err) from err

    async def close(self) -> None:
        """Give every connection back and end."""
        await self._drop_writer()
        try:
            await asyncio.wait_for(self.pool.close(), COMMAND_SECONDS)
        except TimeoutError:
            self.pool.terminate()

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[LedgerWriting, None]:
        """Open a write transaction; it commits at the end of the block.

        Raises:
            UnreachableError: The database is away or slow. Whether it has committed is
                then not known.
        """
        async with self._writer_alone() as connection, connection.transaction():
            yield LedgerWriting(connection)

    @asynccontextmanager
    async def snapshot(self) -> AsyncGenerator[LedgerReads, None]:
        """Read as of one moment, whatever others commit meanwhile."""
        try:
            async with (
                self.pool.acquire(timeout=COMMAND_SECONDS) as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                await connection.execute("SET LOCAL statement_timeout = '60s'")
                yield LedgerReads(connection)
        except AWAY as err:
            raise away(err) from err

    async def swap(
        self, changes: Changes, before: Heads, after: Heads, wanted: Iterable[bytes]
    ) -> dict[bytes, Protected] | None:
        """Commit what commits usually hold in one round trip, if the head is ``before``.

        Returns:
            The content keys of the objects ``wanted`` that stood before, closed; None if the
            head is another and nothing was written.

        Raises:
            TakenError: An id or a number stands already.
            UnreachableError: As for :meth:`transaction`.
        """
        async with self._writer_alone() as connection:
            return await LedgerWriting(connection).swap(changes, before, after, wanted)

    @asynccontextmanager
    async def _writer_alone(self) -> AsyncGenerator[Proxy, None]:
        async with self._writing:
            try:
                yield await self._connection()
            except AWAY as err:
                await self._drop_writer()
                raise away(err) from err
            except (UnreachableError, asyncio.CancelledError):
                await self._drop_writer()
                raise

    async def _connection(self) -> Proxy:
        if self._writer is None or self._writer.is_closed():
            await self._drop_writer()
            self._writer = await self.pool.acquire(timeout=COMMAND_SECONDS)
        return self._writer

    async def _drop_writer(self) -> None:
        """End the writer's connection: a transaction left open would hold the head row."""
        connection, self._writer = self._writer, None
        if connection is not None:
            with suppress(*AWAY):
                connection.terminate()
            with suppress(*AWAY):
                await self.pool.release(connection)


async def _keep(_: object) -> None:
    """Give a connection back as it is: what a session holds is set for one transaction alone.

    asyncpg would ask the database to reset it, one more round trip behind each question. It
    ends a transaction that was left open before it calls this.
    """
