"""What a start knows of signed times where the mark keeps none, or where others have theirs."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from seefen.protocol.suite import sha256
from seefen.server.broker import Broker
from seefen.server.errors import UnreachableError
from seefen.server.high_water import MAGIC, PLACE, RESERVED, HighWater, Times
from seefen.server.proofs import Prover
from seefen.server.rebuilding import Rebuilder
from seefen.server.store import Store
from tests.server.test_clock_back import HOUR, NODES, dated, grown, kill, mark_of, rested
from tests.server.test_high_water import KEY, heads
from tests.server.test_races_processes import against, another, rest
from tests.support import casework
from tests.support.database import empty_database
from tests.support.network import Network
from tests.support.served import Served, refused, served
from tests.support.waiting import until


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Served]:
    """Give a broker with a mark."""
    async with served(*NODES, mark=tmp_path / "high-water") as it:
        yield it


def forget_times(path: Path) -> None:
    """Write a mark as an older version wrote it: without times."""
    kept = HighWater(path, _key_in(path)).read()
    text = (
        f"{MAGIC} {kept.turn} {kept.key.hex()} {kept.authority} {kept.authority_root.hex()} "
        f"{kept.activity} {kept.activity_root.hex()} "
    )
    line = (text + sha256(text.encode()).hex()).encode()
    path.write_bytes(bytes(PLACE) + line.ljust(PLACE - 1) + b"\n")


def _key_in(path: Path) -> bytes:
    return bytes.fromhex(path.read_bytes().strip(b"\0").split()[2].decode())


@pytest.mark.parametrize("made", ["older", "anew"])
@pytest.mark.parametrize("rests", [True, False])
async def test_attack_without_a_kept_time_nothing_is_dated_before_the_newest_entry(
    it: Served, made: str, rests: bool
) -> None:
    """A mark of an older version, or one that `recover` made, and the clock is behind."""
    it.network.at += 2 * HOUR
    case = await it.open_case(it.network.of(NODES[0]), NODES[1])
    notes = [await rested(it, RESERVED)]
    it.network.at += 60
    await grown(it, case)
    newest = it.network.at
    await kill(it)
    if made == "older":
        forget_times(mark_of(it).path)
    else:
        mark_of(it).path.unlink()
        mark = HighWater(mark_of(it).path, it.network.log_key.public)
        prover = Prover(it.store, it.network.log_key)
        root = it.network.root.origin
        await Rebuilder(it.store, prover, mark, root, it.network.log_key.public).run([])
        it.high_water = HighWater(mark.path, it.network.log_key.public)
    it.network.at -= HOUR
    await it.start()
    assert mark_of(it).read().since == newest  # for those who run beside it
    notes.append(await (it.broker.checkpoint("activity") if rests else grown(it, case)))
    assert dated(it, notes[1]) == newest
    assert against(it, notes) == []


async def test_with_the_clock_behind_no_start_moves_the_time_further_ahead(it: Served) -> None:
    """Nor does a process beside it, as `invite` is one."""
    it.network.at += 2 * HOUR
    await it.open_case(it.network.of(NODES[0]), NODES[1])
    await rested(it, RESERVED)
    latest = mark_of(it).until
    await kill(it)
    it.network.at -= HOUR
    for _ in range(3):
        await it.start()
        async with another(it, mark_of(it).path):
            await asyncio.sleep(0.7)  # it has looked, and reserved what is short
            assert dated(it, await it.broker.checkpoint("activity")) == latest
        await kill(it)
    await it.start()
    assert dated(it, await it.broker.checkpoint("activity")) == latest


async def test_a_jump_of_the_clock_that_a_process_did_not_see_is_known_to_it(it: Served) -> None:
    """It stood still while the clock went ahead, the other one signed, and the clock came back."""
    it.network.at += 2 * HOUR
    author = it.network.of(NODES[0])
    case = await it.open_case(author, NODES[1])
    async with another(it, mark_of(it).path) as other:
        await rest(other)
        it.network.at += HOUR
        notes = [await rested(it, RESERVED)]
        it.network.at -= HOUR
        await until(lambda: mark_of(it).read().since >= dated(it, notes[0]))
        bundle = casework.message(it.network, author, case)
        notes.append((await other.submit(author.device, bundle, 0)).checkpoint)
        it.take(bundle, await it.broker.submit(author.device, bundle, 0))
    assert dated(it, notes[1]) == dated(it, notes[0])
    assert against(it, notes) == []


async def test_who_signs_nothing_does_not_wait_and_tells_nobody_a_time(it: Served) -> None:
    """`invite` and `erase` beside a broker that runs: who does not wait may not sign."""
    await it.open_case(it.network.of(NODES[0]), NODES[1])
    mark = HighWater(mark_of(it).path, it.network.log_key.public)
    began = time.monotonic()
    async with Store.open(it.dsn) as store:
        other = await Broker.open(
            store,
            log_key=it.network.log_key,
            clock=lambda: it.network.at,
            high_water=mark,
            signs=False,
        )
        try:
            assert time.monotonic() - began < RESERVED / 2
            assert mark_of(it).read().since == 0
            await refused("busy", other.checkpoint("activity"))
            found = it.broker.heads.activity
            with pytest.raises(UnreachableError):
                other._prover.checkpoint("log", "activity", found)
        finally:
            await other.close()


async def test_a_new_broker_keeps_a_time_before_it_signs(tmp_path: Path) -> None:
    network = Network()
    path, key = tmp_path / "high-water", network.log_key
    async with empty_database() as dsn, Store.open(dsn) as store:
        mark = HighWater(path, key.public)
        broker = await Broker.open(store, log_key=key, clock=lambda: network.at, high_water=mark)
        try:
            assert HighWater(path, key.public).read().until == network.at + RESERVED
        finally:
            await broker.close()


def test_no_mark_keeps_a_time_before_that_of_the_newest_entry(tmp_path: Path) -> None:
    mark = HighWater(tmp_path / "high-water", KEY)
    assert mark.found(heads(3, 5))
    mark.advance(replace(heads(3, 6), at=500_999), Times(100))
    assert mark.until == 500


def test_with_the_clock_behind_nothing_is_written_but_for_new_entries(tmp_path: Path) -> None:
    mark = HighWater(tmp_path / "high-water", KEY)
    assert mark.found(heads(3, 5))
    mark.advance(heads(3, 6), Times(100))
    behind = Times(50, signed=mark.until)
    assert not mark.is_short(behind)
    mark.advance(heads(3, 7), behind)
    assert mark.until == 100 + RESERVED
    assert mark.is_short(Times(100 + RESERVED // 2 + 1))


async def test_who_signs_nothing_gives_back_nothing_that_others_signed(it: Served) -> None:
    """`erase` on a stopped broker, after its clock was ahead: the next start must know it."""
    it.network.at += 2 * HOUR
    case = await it.open_case(it.network.of(NODES[0]), NODES[1])
    it.network.at += HOUR
    await asyncio.sleep(0.7)
    notes = [await rested(it, RESERVED)]
    await it.broker.close()
    it.network.at -= HOUR
    mark = mark_of(it)
    mark._let_go()
    kept = HighWater(mark.path, it.network.log_key.public)
    before = kept.read().until
    async with Store.open(it.dsn) as store:
        silent = await Broker.open(
            store,
            log_key=it.network.log_key,
            clock=lambda: it.network.at,
            high_water=kept,
            signs=False,
        )
        await asyncio.sleep(0.8)  # it looks at the database meanwhile, as every process
        await silent.close()
    kept._let_go()
    it.high_water = HighWater(mark.path, it.network.log_key.public)
    assert it.high_water.read().until == before
    await it.start()
    notes.append(await grown(it, case))
    assert against(it, notes) == []
