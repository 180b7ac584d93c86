"""A process that stood still for hours catches up in pieces, and believes nothing unchecked."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from seefen.protocol.frames import Span
from seefen.protocol.ledger.tree import check_consistency
from seefen.server import recovery
from seefen.server.broker import Broker
from seefen.server.loading import load
from seefen.server.store.reads import LedgerReads
from seefen.server.view import Needs
from tests.server.test_races_processes import another, rest
from tests.support import casework
from tests.support.served import Served, refused, served
from tests.support.waiting import until

NODES = ("skopje-border", "belgrade-ffp")
MOST = 8  # rows that one statement may read


@pytest.fixture
async def it() -> AsyncIterator[Served]:
    """Give a broker that stands still."""
    async with served(*NODES) as it:
        await rest(it.broker)
        yield it


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let few entries be many, and return how many rows each statement read."""
    monkeypatch.setattr(recovery, "FAR", MOST)
    monkeypatch.setattr(recovery, "PIECE", MOST)
    monkeypatch.setattr(recovery, "BLOCK", MOST)
    read = list[int]()

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        async def ask(*arguments: Any) -> Any:
            rows = await real(*arguments)
            read.append(len(rows))
            return rows

        return ask

    for name in ("authority", "activity"):
        monkeypatch.setattr(LedgerReads, name, counted(getattr(LedgerReads, name)))
    return read


async def write(it: Served, by: Broker, case: bytes, count: int) -> list[bytes]:
    """Write messages at a process; return their content keys."""
    author, keys = it.network.of(NODES[0]), list[bytes]()
    for _ in range(count):
        bundle = casework.message(it.network, author, case)
        it.take(bundle, await by.submit(author.device, bundle, 0))
        keys.append(bundle.contents[0].key)
    return keys


async def test_fault_28_what_others_wrote_in_hours_is_read_in_pieces(
    it: Served, small: list[int]
) -> None:
    author, reader = it.network.of(NODES[0]), it.network.of(NODES[1])
    async with another(it) as other:
        case = await it.open_case(author, NODES[1], form="channel")
        await it.message(author, case)
        old = it.head(await it.broker.checkpoint("activity"))
        names = [f"lab-{number}" for number in range(MOST + 3)]
        for name in names:
            bundle = it.network.admit(name)
            it.take(bundle, await other.submit(None, bundle, 0))
        await write(it, other, case, 270)  # past a full tile of the log
        change = casework.change_members(it.network, author, case, add=(names[0],))
        it.take(change, await other.submit(author.device, change, 0))
        small.clear()
        await it.broker.look()
        assert it.broker.heads == other.heads == await it.store.heads()
        assert it.broker.directory.head() == it.network.directory.head()
        assert max(small, default=0) <= MOST
        note = await it.broker.checkpoint("activity")
        new = it.head(note)
        proof = (await it.broker.consistency(Span("activity", old.size, new.size))).hashes
        check_consistency(old.size, old.root, new.size, new.root, proof)
        # It judges by what is committed now, and what it writes others take in.
        await it.message(author, case)
        ask = casework.access(it.network, it.network.of(names[0]), case, scope="watch")
        await it.ask(it.network.of(names[0]), ask)
        await it.send(reader, casework.message(it.network, reader, case))
        await write(it, other, case, 1)
        assert other.heads == await it.store.heads()


async def test_what_was_missed_is_not_pushed_and_lines_end_so_that_the_feed_is_asked(
    it: Served, small: list[int]
) -> None:
    """Behind hundreds of old entries an alert of now would wait; nothing is released twice."""
    author, reader = it.network.of(NODES[0]), it.network.of(NODES[1])
    async with another(it) as other:
        case = await it.open_case(author, NODES[1], form="channel")
        await it.broker.look()
        before, after, ended = list[bytes](), list[bytes](), list[str]()
        for _ in range(2):
            it.broker.attach(
                reader.device,
                before.append,
                lambda: ended.append("revoked"),
                lambda: ended.append("missed"),
            )
        await rest(other)
        ask = casework.access(it.network, reader, case, scope="watch")
        released = await other.ask(reader.device, ask)
        it.take_access(ask, released.entry, released.checkpoint)
        await write(it, other, case, 3 * MOST)
        small.clear()
        await it.broker.look()
        assert ended == ["missed"] * 2
        it.broker.attach(reader.device, after.append, lambda: None)
        bundle = casework.message(it.network, author, case)
        await it.send(author, bundle)
        await until(lambda: after)
        # The first is the newest, with its key: the watch was begun at the other process.
        assert bundle.contents[0].key in after[0]
        assert max(small, default=0) <= MOST
        assert before == []
        async with it.database() as db:
            kinds = await db.fetch("SELECT count(*) FROM activity_leaf WHERE kind = 'release'")
        assert kinds[0][0] == 1


async def test_who_was_revoked_meanwhile_is_told_so(it: Served) -> None:
    reader, ended = it.network.of(NODES[1]), list[str]()
    async with another(it) as other:
        it.broker.attach(
            reader.device,
            lambda _: None,
            lambda: ended.append("revoked"),
            lambda: ended.append("missed"),
        )
        bundle = it.network.revoke(reader)
        it.take(bundle, await other.submit(reader.device, bundle, 0))
        for number in range(MOST + 1):
            bundle = it.network.admit(f"lab-{number}")
            it.take(bundle, await other.submit(None, bundle, 0))
        await it.broker.look()
        assert ended == ["revoked"]


@pytest.mark.parametrize("log", ["activity", "authority", "tile", "gap"])
async def test_attack_nothing_is_taken_in_that_does_not_give_the_roots(
    it: Served, log: str
) -> None:
    author = it.network.of(NODES[0])
    async with another(it) as other, it.database() as intruder:
        case = await it.open_case(author, NODES[1])
        before = it.broker.heads
        sizes = it.broker._prover.activity.size, it.broker._prover.authority.size
        for number in range(MOST + 1):
            bundle = it.network.admit(f"lab-{number}")
            it.take(bundle, await other.submit(None, bundle, 0))
        await write(it, other, case, 260)
        undo = await _spoil(intruder, log)
        await refused("ledger-changed", it.broker.look())
        assert it.broker.heads == before
        after = it.broker._prover.activity.size, it.broker._prover.authority.size
        assert after == sizes
        assert "lab-0" not in it.broker.directory.nodes()
        await intruder.execute(undo)
        await it.broker.look()
        assert it.broker.heads == other.heads
        await it.message(author, case)


async def _spoil(intruder: Any, what: str) -> str:
    """Change what stands, and return how to put it back."""
    table, column, where = {
        "activity": ("activity_leaf", "record", "idx = 150"),
        "authority": ("authority_leaf", "envelope", "idx = 40"),
        "tile": ("log_tile", "data", "level = 0 AND n = 0"),
        "gap": ("activity_leaf", "", "idx >= 100"),
    }[what]
    await intruder.execute(f"CREATE TABLE kept AS SELECT * FROM {table} WHERE {where}")
    if column:
        change = f"{column} = set_byte({column}, 40, get_byte({column}, 40) # 1)"
        await intruder.execute(f"UPDATE {table} SET {change} WHERE {where}")
    else:
        await intruder.execute(f"DELETE FROM {table} WHERE {where}")
    return f"DELETE FROM {table} WHERE {where}; INSERT INTO {table} SELECT * FROM kept"


async def test_what_was_read_before_is_not_kept_after_it(it: Served) -> None:
    """Numbers of a device as they were before: its next message would be called a forged one."""
    author = it.network.of(NODES[0])
    async with another(it) as other:
        case = await it.open_case(author, NODES[1])
        known, needs = it.broker._sequencer.known, Needs(devices=frozenset((author.device,)))
        real = it.store.device_numbers

        class Late:
            async def device_numbers(self, devices: Any) -> dict[bytes, int]:
                numbers = await real(devices)
                await write(it, other, case, MOST + 1)
                await it.broker.look()
                return numbers

        known.forget_all()
        await load(known, needs, Late())  # type: ignore[arg-type]
        assert known.missing(needs).devices
        await it.message(author, case)
