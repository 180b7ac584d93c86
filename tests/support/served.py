"""A broker on a real database, with a network of officers who use it: no HTTP in between."""

from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest

from seefen.protocol.bundle import Bundle
from seefen.protocol.case import Position
from seefen.protocol.errors import SeefenError
from seefen.protocol.frames import Ask, FeedFrom, LogFrom, Page, Recorded, Released
from seefen.protocol.ledger.note import Checkpoint, open_checkpoint
from seefen.protocol.ledger.record import Core, Record
from seefen.protocol.ledger.tree import EMPTY_ROOT
from seefen.protocol.receipt import Entry, Receipt, check_entry, check_receipt
from seefen.protocol.statements import Head
from seefen.server.broker import Broker
from seefen.server.high_water import HighWater
from seefen.server.store import Store
from tests.support import casework
from tests.support.database import empty_database
from tests.support.network import Machine, Network

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

NOTHING = Head(0, EMPTY_ROOT)


class Served:
    """A broker, its database, and everybody who uses it."""

    def __init__(self, dsn: str, store: Store, network: Network) -> None:
        self.dsn = dsn
        self.store = store
        self.network = network
        self.high_water: HighWater | None = None
        self.broker: Broker
        self.unwitnessed = 0

    async def start(self) -> None:
        """Open the broker on what is stored."""
        self.broker = await Broker.open(
            self.store,
            log_key=self.network.log_key,
            clock=lambda: self.network.at,
            high_water=self.high_water,
            unwitnessed=self.unwitnessed,
        )

    async def restart(self) -> None:
        """Close the broker and open it again: nothing is remembered but the database."""
        await self.broker.close()
        await self.start()

    async def send(self, by: Machine | None, bundle: Bundle, *, seen: int = 0) -> Recorded:
        """Submit a bundle, check its receipts, and let the network take it in."""
        device = None if by is None else by.device
        recorded = await self.broker.submit(device, bundle, seen)
        self.take(bundle, recorded)
        return recorded

    def take(self, bundle: Bundle, recorded: Recorded) -> None:
        """Let the network take in what was recorded, where it was recorded."""
        for entry in recorded.entries:
            self.check(entry, recorded.checkpoint)
        sizes = [Record.decode(entry.record).authority_size for entry in recorded.entries]
        self.network.take(bundle, indices=[e.index for e in recorded.entries], sizes=sizes)

    async def admit(self, *nodes: str) -> None:
        """Admit nodes, each with one machine of every role."""
        for node in nodes:
            await self.send(None, self.network.admit(node))

    async def open_case(self, by: Machine, *partners: str, **options: Any) -> bytes:
        """Open a case and return its id."""
        case, bundle = casework.open_case(self.network, by, *partners, **options)
        await self.send(by, bundle)
        return case

    async def message(self, by: Machine, case: bytes, body: bytes = b"a body") -> bytes:
        """Send a message and return its object id."""
        bundle = casework.message(self.network, by, case, body)
        await self.send(by, bundle)
        return bundle.contents[0].object

    async def ask(self, by: Machine, ask: Ask) -> Released:
        """Ask for content keys, check the receipt, and let the network take the access in."""
        released = await self.broker.ask(by.device, ask)
        self.take_access(ask, released.entry, released.checkpoint)
        return released

    def take_access(self, ask: Ask, entry: Entry, checkpoint: str) -> None:
        """Let the network take in an access that was recorded."""
        self.check(entry, checkpoint)
        size = Record.decode(entry.record).authority_size
        place = Position(size, entry.index, self.network.at)
        self.network.take_activity("access", ask.envelope, place)

    def head(self, checkpoint: str, log: str = "activity") -> Checkpoint:
        """Return the head in a checkpoint, checked as every device does."""
        origin = f"{self.network.root.origin}/{log}"
        return open_checkpoint(checkpoint, origin, self.network.log_key.public).checkpoint

    def check(self, entry: Entry, checkpoint: str) -> Core:
        """Return the core of an entry, proved to stand in the log."""
        return check_entry(entry, self.head(checkpoint))

    def check_receipt(self, recorded: Recorded | Released, *, seen: Any = NOTHING) -> Core:
        """Return the core of the first entry of a receipt, checked in full."""
        entry = recorded.entry if isinstance(recorded, Released) else recorded.entries[0]
        receipt = Receipt(entry, recorded.checkpoint, recorded.consistency)
        core, _ = check_receipt(
            receipt,
            origin=f"{self.network.root.origin}/activity",
            log_public=self.network.log_key.public,
            seen=seen,
        )
        return core

    async def feed(self, by: Machine, cursor: int = 0, limit: int = 1000, within: int = 0) -> Page:
        """Return a page of the feed, every entry of it proved."""
        page = await self.broker.feed(by.device, FeedFrom(cursor, limit, 0, within))
        for item in page.items:
            self.check(item.entry, page.checkpoint)
        return page

    async def sizes(self) -> tuple[int, int]:
        """Return how many leaves stand in both logs."""
        return await self.store.leaf_count()

    async def records(self, by: Machine, start: int = 0) -> tuple[bytes, ...]:
        """Return the records of the activity log."""
        return (await self.broker.records(by.device, LogFrom(start, 4096, 0))).records

    @asynccontextmanager
    async def database(self) -> AsyncGenerator[Connection, None]:
        """Give a connection with every right: what an intruder has."""
        connection = await asyncpg.connect(self.dsn)
        try:
            yield connection
        finally:
            await connection.close()


@asynccontextmanager
async def served(
    *nodes: str, network: Network | None = None, unwitnessed: int = 0, mark: Path | None = None
) -> AsyncGenerator[Served, None]:
    """Give a founded broker with ``nodes``, each with one machine of every role.

    Args:
        nodes: Their names.
        network: Whose keys; new ones by default.
        unwitnessed: See :meth:`Broker.open`.
        mark: Where its high-water mark is; None keeps none.
    """
    async with empty_database() as dsn, Store.open(dsn) as store:
        everything = Served(dsn, store, network or Network())
        everything.unwitnessed = unwitnessed
        if mark is not None:
            everything.high_water = HighWater(mark, everything.network.log_key.public)
        await everything.start()
        try:
            await everything.broker.found(everything.network.found())
            everything.network.take(everything.network.found())
            await everything.admit(*nodes)
            yield everything
        finally:
            await everything.broker.close()


async def refused(rule: str, awaitable: Awaitable[object]) -> SeefenError:
    """Check that something is refused by a rule, and return the error."""
    with pytest.raises(SeefenError) as caught:
        await awaitable
    assert caught.value.rule == rule, repr(caught.value)
    return caught.value
