"""What the tests of a lying broker have in common: devices that know no other address."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from seefen.client import Client
from seefen.protocol.envelope import open_envelope
from seefen.protocol.frames import Item, Page
from seefen.protocol.ledger.record import Record, decode_core, encode_core
from seefen.protocol.ledger.tree import CompactRange, leaf_hash
from seefen.protocol.suite import commit, random_bytes
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, SKOPJE, WHY
from tests.support.broker import free_port
from tests.support.hostile import Hostile
from tests.support.shadow import Shadow, database


@dataclass
class Siege:
    """A broker that lies, and the devices that know no other."""

    place: Site
    hostile: Hostile
    case: str = ""

    async def shadow(self) -> Shadow:
        """Return both logs as they are now, to be changed and shown."""
        return await Shadow(self.hostile).copy()

    async def story(self, *words: str) -> tuple[Client, Client]:
        """Open a case of Skopje and Belgrade with messages; return both clients in step."""
        skopje, belgrade = await self.place.client(SKOPJE), await self.place.client(BELGRADE)
        self.case = (await skopje.cases.open("Pistols", [BELGRADE])).number
        for word in words:
            await skopje.cases.send(self.case, word)
        await belgrade.sync()
        await skopje.sync()
        assert (skopje.alarm, belgrade.alarm) == (None, None)
        return skopje, belgrade

    def evidence(self, node: str) -> list[dict[str, Any]]:
        """Return what a device of a node has kept about lies."""
        folder = self.place.home(self.place.network.of(node)) / "evidence"
        return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]

    async def plant(self, kind: str, envelope: bytes) -> None:
        """Put a leaf into the authority log as the owner of the database can."""
        async with database(self.place.broker.dsn) as connection:
            head = await connection.fetchrow("SELECT * FROM ledger_head")
            tree = CompactRange.decode(head["authority_range"])
            tree.append(leaf_hash(envelope))
            await connection.execute(
                "INSERT INTO authority_leaf VALUES ($1, $2, sha256($3), $3)",
                *(head["authority_size"], kind, envelope),
            )
            await connection.execute(
                "UPDATE ledger_head"
                " SET authority_size = $1, authority_root = $2, authority_range = $3",
                *(tree.size, tree.root(), tree.encode()),
            )

    def made(
        self,
        like: Any,
        envelope: bytes,
        *,
        authority_size: int | None = None,
        officer: str = "",
        tag: bytes = b"",
        n: int | None = None,
    ) -> dict[str, Any]:
        """Return the row of an entry as the owner of the database and of the log can make it.

        Args:
            like: The row of an entry of the same kind, for all that the statement leaves open.
            authority_size: What the record says of the other log; by default, that of ``like``.
        """
        kind = like["kind"]
        opened = open_envelope(envelope, kind)
        statement: Any = opened.statement
        numbers = {
            name: getattr(statement, name)
            for name in ("device_n", "case_n")
            if hasattr(statement, name)
        }
        old = decode_core(like["core"])
        of = statement.object if kind in ("object", "access", "ack") else None
        to = tuple(sorted(one.node for one in statement.members)) if kind == "case" else old.to
        core = encode_core(
            replace(
                old, **numbers, req=opened.hash.hex(), node=statement.node,
                device=statement.device.hex(), officer=officer or old.officer,
                case=getattr(statement, "case", b"").hex(), n=old.n if n is None else n,
                object=(of or b"").hex(), to=to,
            )
        )  # fmt: skip
        salt, before = random_bytes(32), Record.decode(like["record"])
        size = before.authority_size if authority_size is None else authority_size
        record = Record(
            size, tag or random_bytes(16), commit(salt, core), before.detail_commitment
        ).encode()
        return {
            **dict(like), **numbers, "record": record, "core": core, "salt": salt,
            "hash": opened.hash, "envelope": envelope,
        }  # fmt: skip

    async def plant_entry(self, like: Any, envelope: bytes, **said: Any) -> int:
        """Put a statement into the activity log as the owner of the database can: :meth:`made`."""
        values = self.made(like, envelope, **said)
        async with database(self.place.broker.dsn) as connection:
            head = await connection.fetchrow("SELECT * FROM ledger_head")
            tree = CompactRange.decode(head["activity_range"])
            tree.append(leaf_hash(values["record"]))
            values["idx"] = head["activity_size"]
            places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
            await connection.execute(
                f"INSERT INTO activity_leaf ({', '.join(values)}) VALUES ({places})",
                *values.values(),
            )
            await connection.execute(
                "UPDATE ledger_head"
                " SET activity_size = $1, activity_root = $2, activity_range = $3",
                *(tree.size, tree.root(), tree.encode()),
            )
            index: int = head["activity_size"]
            return index

    async def count(self, table: str, where: str = "true") -> int:
        """Return how many rows the true broker has."""
        async with database(self.place.broker.dsn) as connection:
            sql = f"SELECT count(*) FROM {table} WHERE {where}"
            found: int = await connection.fetchval(sql)
            return found


@asynccontextmanager
async def siege(folder: Path, *nodes: str, **options: Any) -> AsyncGenerator[Siege]:
    """Give a broker that lies on demand, with nodes of one machine each."""
    front = f"127.0.0.1:{free_port()}"
    async with site(folder, *nodes, front=front, **options) as place:
        hostile = Hostile(place.broker)
        async with hostile.listening():
            try:
                yield Siege(place, hostile)
            finally:
                hostile.honest()
                await place.open.aclose()


def numbers(client: Client, case: str) -> list[int]:
    """Return the numbers of what a client shows of a case, in its order."""
    return [one.number for one in client.cases.show(case).objects]


def without(hidden: Callable[[Item], bool]) -> Callable[[Page], Page]:
    """Return the lie that leaves out some items of a page."""

    def lie(page: Page) -> Page:
        kept = tuple(item for item in page.items if not hidden(item))
        return page if len(kept) == len(page.items) else replace(page, items=kept)

    return lie


def later(client: Client, seconds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    now = client._engine.now()
    monkeypatch.setattr(client._engine, "now", lambda: now + seconds)


async def same(place: Siege, one: Client, other: Client) -> None:
    """Check that two members know the same case, call its messages the same and go on."""
    for client in (one, other):
        await client.sync()
    states = [client.find(f"{place.case}#1")[0] for client in (one, other)]
    assert states[0].generation.gen == states[1].generation.gen
    assert states[0].versions == states[1].versions
    shown = numbers(one, place.case)
    assert shown == numbers(other, place.case)
    for n in shown:
        texts = [
            getattr((await client.read(f"{place.case}#{n}", **WHY)).message, "text", "")
            for client in (one, other)
        ]
        assert texts[0] == texts[1], n
    for writer, reader in ((one, other), (other, one)):
        sent = await writer.cases.send(place.case, "and on")
        assert sent.ref is not None, sent.problem
        await reader.sync()
        assert sent.ref == f"{place.case}#{numbers(reader, place.case)[-1]}"
        assert (await reader.read(sent.ref, **WHY)).message is not None
