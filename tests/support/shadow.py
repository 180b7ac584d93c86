"""A second pair of logs, for a broker that shows another history than the true one.

Leaves are taken from the true broker's database and may be dropped, changed, swapped and
planted; heads are signed with the true log key, and every proof is true of what is shown.
So a client can only find out by what it remembers, by what others tell it, or by signatures
that the log key cannot make.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from msgspec.structs import replace

from seefen.protocol.encoding import decode, encode
from seefen.protocol.frames import (
    Ask,
    AuditPage,
    AuthorityItem,
    AuthorityPage,
    FeedFrom,
    Frame,
    Item,
    LogFrom,
    Page,
    Proof,
    Push,
    Recorded,
    RecordPage,
    Released,
    Send,
    Span,
)
from seefen.protocol.receipt import Entry
from tests.support.hostile import LIMIT, Change, Hostile
from tests.support.network import Machine
from tests.support.trees import Log

TAKES: dict[str, type[Any]] = {
    "send": Send,
    "access": Ask,
    "feed": FeedFrom,
    "authority": LogFrom,
    "records": LogFrom,
    "audit": LogFrom,
}


@asynccontextmanager
async def database(dsn: str) -> AsyncGenerator[Any]:
    """Open a connection with all rights, as the owner of the database has."""
    connection: Any = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


class Shadow:
    """Both logs as somebody with the log key would rather have them."""

    def __init__(self, hostile: Hostile) -> None:
        self._hostile = hostile
        self._network = hostile.broker.network
        self.authority: list[AuthorityItem] = []
        self.records: list[tuple[int | None, bytes]] = []  # true place, what is shown there
        self.extra: list[Item] = []  # shown in the feed, though the true broker has none
        self._true = [0, 0]
        self._seen = 0
        self.grows = True  # what is truly recorded later is shown as well

    async def copy(self) -> "Shadow":
        """Take in what the true broker has recorded since."""
        async with database(self._hostile.broker.dsn) as connection:
            for row in await connection.fetch(
                "SELECT kind, envelope FROM authority_leaf WHERE idx >= $1 ORDER BY idx",
                self._true[0],
            ):
                self.authority.append(AuthorityItem(row["kind"], row["envelope"], ()))
                self._true[0] += 1
            for row in await connection.fetch(
                "SELECT idx, record FROM activity_leaf WHERE idx >= $1 ORDER BY idx",
                self._true[1],
            ):
                self.records.append((row["idx"], row["record"]))
                self._true[1] += 1
        return self

    def repeat(self, item: Item, place: int) -> None:
        """Show an item a second time, at another place."""
        self.extra.append(replace(item, entry=replace(item.entry, index=place)))

    def show(self, to: Machine | None = None) -> None:
        """Show these logs from now on, to one device or to everybody."""
        told: dict[str, Change] = {
            "authority": self._authority,
            "feed": self._feed,
            "send": self._recorded,
            "access": self._released,
            "records": self._records,
            "audit": self._audit,
            "push": self._push,
        }
        for verb, change in told.items():
            self._hostile.lie(verb, change, to=to)
        self._hostile.lie("consistency", self._consistency, to=to, instead=True)
        for verb in TAKES:
            self._hostile.before(verb, self._hear)

    # --- what is shown ----------------------------------------------------------------------

    def _log(self, name: str) -> Log:
        log = Log(f"{self._network.root.origin}/{name}", self._network.log_key)
        shown = (
            [item.envelope for item in self.authority]
            if name == "authority"
            else [record for _, record in self.records]
        )
        for leaf in shown:
            log.append(leaf)
        return log

    async def _hear(self, frame: Frame) -> Frame:
        # The true broker knows no head of ours, and counts its own way.
        asked = decode(frame.body, TAKES[frame.verb], limit=LIMIT)
        self._seen = asked.seen
        changed: Any = replace(asked, seen=0)
        if frame.verb == "feed":
            before = [true for true, _ in self.records[asked.cursor :] if true is not None]
            changed = replace(changed, cursor=min(before, default=self._true[1]))
        if frame.verb == "authority":
            changed = replace(changed, start=min(asked.start, self._true[0]))
        return Frame(frame.id, frame.verb, encode(changed))

    async def _head(self, name: str) -> tuple[Log, dict[str, Any]]:
        if self.grows:
            await self.copy()
        log = self._log(name)
        proof = log.consistency(self._seen) if 0 < self._seen < log.size else ()
        return log, {"checkpoint": log.note(self._hostile.broker.services.clock()),
                     "consistency": proof}  # fmt: skip

    async def _authority(self, page: AuthorityPage) -> AuthorityPage:
        _, head = await self._head("authority")
        asked = page.start
        wraps = {item.envelope: item.wraps for item in page.items}
        items = tuple(
            replace(item, wraps=item.wraps or wraps.get(item.envelope, ()))
            for item in self.authority[asked:]
        )
        return replace(page, items=items, **head)

    def _place(self, true: int) -> int | None:
        return next((n for n, (at, _) in enumerate(self.records) if at == true), None)

    def _entry(self, entry: Entry, log: Log) -> Entry | None:
        place = self._place(entry.index)
        if place is None:
            return None
        record = self.records[place][1]
        return replace(entry, index=place, record=record, proof=log.inclusion(place))

    def _items(self, items: tuple[Any, ...], log: Log) -> tuple[Any, ...]:
        shown = [(item, self._entry(item.entry, log)) for item in items]
        return tuple(replace(item, entry=entry) for item, entry in shown if entry is not None)

    async def _feed(self, page: Page) -> Page:
        log, head = await self._head("activity")
        stubs = tuple(
            replace(stub, index=place)
            for stub in page.stubs
            if (place := self._place(stub.index)) is not None
        )
        extra = tuple(
            replace(item, entry=replace(item.entry, proof=log.inclusion(item.entry.index)))
            for item in self.extra
        )
        items = (*self._items(page.items, log), *extra)
        return replace(page, items=items, stubs=stubs, upto=log.size, **head)

    async def _recorded(self, answer: Recorded) -> Recorded:
        log, head = await self._head("activity")
        entries = tuple(e for one in answer.entries if (e := self._entry(one, log)) is not None)
        return replace(answer, entries=entries, **head)

    async def _released(self, answer: Released) -> Released:
        log, head = await self._head("activity")
        return replace(answer, entry=self._entry(answer.entry, log) or answer.entry, **head)

    async def _records(self, page: RecordPage) -> RecordPage:
        _, head = await self._head("activity")
        shown = tuple(record for _, record in self.records)[page.start :]
        return replace(page, records=shown, **head)

    async def _audit(self, page: AuditPage) -> AuditPage:
        log, head = await self._head("activity")
        return replace(page, items=self._items(page.items, log), upto=log.size, **head)

    async def _push(self, push: Push) -> Push | None:
        log, head = await self._head("activity")
        entry = self._entry(push.item.entry, log)
        if entry is None:
            return None
        release = None if push.release is None else self._entry(push.release, log)
        item = replace(push.item, entry=entry)
        return replace(push, item=item, release=release, **{**head, "consistency": ()})

    def _consistency(self, _: Proof | None) -> Proof:
        span = decode(self._hostile.asked.body, Span)
        log = self._log(span.log)
        return Proof(log.consistency(span.old, min(span.new, log.size)))
