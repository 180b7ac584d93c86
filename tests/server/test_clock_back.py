"""A broker that starts with its clock behind dates nothing before what was signed."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from seefen.client.standalone import verify
from seefen.protocol.suite import PlainKey, sha256
from seefen.server import recovery
from seefen.server.broker import Broker
from seefen.server.high_water import MAGIC, PLACE, RESERVED, HighWater, Times
from seefen.server.proofs import Prover
from seefen.server.store import Store
from seefen.server.view import Known
from tests.server.test_high_water import heads
from tests.server.test_races_processes import against, another, rest
from tests.support import casework
from tests.support.database import empty_database
from tests.support.network import Network
from tests.support.served import Served, served
from tests.support.waiting import until

NODES = ("skopje-border", "belgrade-ffp")
KEY = PlainKey.from_secret(bytes(32)).public
HOUR = 3600


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Served]:
    """Give a broker with a mark."""
    async with served(*NODES, mark=tmp_path / "high-water") as it:
        yield it


def dated(it: Served, note: str) -> int:
    """Return the time in a checkpoint."""
    return verify.open_head(note, it.network.log_key.public).time


async def kill(it: Served) -> None:
    """End a broker so that its mark is as a kill leaves it: what was reserved is not given back."""
    file = mark_of(it).path
    left = {one: one.read_bytes() for one in file.parent.glob(f"{file.name}*")}
    await it.broker.close()
    for one, written in left.items():
        one.write_bytes(written)
    it.high_water = HighWater(file, it.network.log_key.public)


async def rested(it: Served, seconds: int) -> str:
    """Return a head that is signed again after some time in which nothing was written."""
    for _ in range(seconds):
        it.network.at += 1
        await until(lambda: not mark_of(it).is_short(Times(it.network.at)))
    return await it.broker.checkpoint("activity")


def mark_of(it: Served) -> HighWater:
    """Return the mark that a broker writes."""
    assert it.high_water is not None
    return it.high_water


async def grown(it: Served, case: bytes) -> str:
    """Return the head that a message comes under."""
    author = it.network.of(NODES[0])
    return (await it.send(author, casework.message(it.network, author, case))).checkpoint


async def test_what_was_signed_without_an_entry_is_known_to_the_next_process(
    it: Served, alarms: list[str]
) -> None:
    """It was stopped, the clock was set back, and it is started: the log grows from there."""
    it.network.at += 2 * HOUR  # certificates are older than the jump
    case = await it.open_case(it.network.of(NODES[0]), NODES[1])
    it.network.at += 60
    notes = [await it.broker.checkpoint("activity")]
    assert dated(it, notes[0]) < it.network.at  # it was not reserved yet: the time stands still
    notes.append(await rested(it, RESERVED))
    latest = it.network.at
    assert dated(it, notes[1]) == latest
    await it.broker.close()
    it.network.at -= HOUR
    await it.start()
    notes += [await it.broker.checkpoint("activity"), await grown(it, case)]
    assert [dated(it, note) for note in notes[2:]] == [latest, latest]
    assert against(it, notes) == []
    await until(lambda: "clock-back" in alarms)
    it.network.at += HOUR + 60
    await rested(it, 1)
    assert dated(it, await grown(it, case)) == it.network.at


async def test_after_a_kill_nothing_is_dated_before_what_may_have_been_signed(it: Served) -> None:
    it.network.at += 2 * HOUR
    case = await it.open_case(it.network.of(NODES[0]), NODES[1])
    notes = [await rested(it, RESERVED)]
    await kill(it)
    it.network.at -= HOUR
    await it.start()
    notes.append(await grown(it, case))
    assert against(it, notes) == []
    assert 0 <= dated(it, notes[1]) - dated(it, notes[0]) <= RESERVED


async def test_a_broker_that_was_started_twice_meanwhile_knows_it_still(it: Served) -> None:
    """The one between had no time to sign anything; it gives back no more than it had taken."""
    it.network.at += 2 * HOUR
    case = await it.open_case(it.network.of(NODES[0]), NODES[1])
    notes = [await rested(it, RESERVED)]
    await kill(it)
    it.network.at -= HOUR
    await it.start()
    await it.broker.close()
    await it.start()
    notes.append(await grown(it, case))
    assert against(it, notes) == []
    assert dated(it, notes[1]) > dated(it, notes[0])


async def test_after_a_kill_a_broker_waits_for_its_clock_and_signs_nothing_ahead(
    it: Served,
) -> None:
    case = await it.open_case(it.network.of(NODES[0]), NODES[1])
    await kill(it)
    reserved = HighWater(mark_of(it).path, it.network.log_key.public).read().until
    assert reserved == it.network.at + RESERVED
    starting = asyncio.create_task(it.start())
    for _ in range(RESERVED):
        await asyncio.sleep(0.2)
        assert not starting.done()
        it.network.at += 1
    await starting
    assert dated(it, await it.broker.checkpoint("activity")) == it.network.at
    assert dated(it, await grown(it, case)) == it.network.at


async def test_a_broker_that_ended_in_order_is_back_at_once(it: Served) -> None:
    await it.open_case(it.network.of(NODES[0]), NODES[1])
    began = time.monotonic()
    await it.restart()
    assert time.monotonic() - began < RESERVED
    assert dated(it, await it.broker.checkpoint("activity")) == it.network.at


async def test_who_runs_beside_one_that_began_late_dates_nothing_before_it(it: Served) -> None:
    """It stands still at what it signed; the other one knows only until when that may be."""
    it.network.at += 2 * HOUR
    case = await it.open_case(it.network.of(NODES[0]), NODES[1])
    notes = [await rested(it, RESERVED)]
    it.network.at -= HOUR
    await rest(it.broker)
    reserved = mark_of(it).until
    async with another(it, mark_of(it).path) as other:
        notes.append(await other.checkpoint("activity"))
        assert dated(it, notes[1]) == reserved > dated(it, notes[0]) + 1
        notes.append(await grown(it, case))
        notes.append(await other.checkpoint("activity"))
    assert against(it, notes) == []
    assert dated(it, notes[2]) == dated(it, notes[1])


async def test_where_no_time_can_be_reserved_times_stand_still(
    it: Served, monkeypatch: pytest.MonkeyPatch, alarms: list[str]
) -> None:
    """What stands under the mark is answered all the same."""
    await it.open_case(it.network.of(NODES[0]), NODES[1])
    reserved = mark_of(it).until

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", full)
        it.network.at += 60
        await until(lambda: "high-water" in alarms)
        assert dated(it, await it.broker.checkpoint("activity")) == reserved
    await until(lambda: mark_of(it).until >= it.network.at)
    assert dated(it, await it.broker.checkpoint("activity")) == it.network.at


async def test_a_head_is_not_dated_while_nobody_knows_what_others_date(
    it: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rest(it.broker)
    prover: Prover = it.broker._prover
    before, now = prover.times(0).latest, it.broker.heads
    mark_of(it).path.write_bytes(b"")
    prover.see(now, it.network.at + 60)
    assert prover.times(0).latest == before


def test_time_is_reserved_with_each_commit_and_else_each_two_seconds(tmp_path: Path) -> None:
    mark = HighWater(tmp_path / "high-water", KEY)
    assert mark.found(heads(3, 5))
    mark.advance(heads(3, 6), Times(100))
    assert mark.until == 100 + RESERVED
    written = mark.path.read_bytes()
    mark.advance(heads(3, 6), Times(102))
    assert mark.path.read_bytes() == written
    mark.advance(heads(3, 6), Times(103))
    assert mark.until == 103 + RESERVED
    mark.advance(heads(3, 7), Times(50))  # by a clock that went back: what was reserved stays so
    assert mark.until == 103 + RESERVED


def test_what_is_given_back_is_of_this_process_alone(tmp_path: Path) -> None:
    mark, other = (HighWater(tmp_path / "high-water", KEY) for _ in range(2))
    assert mark.found(heads(3, 5))
    mark.advance(heads(3, 5), Times(100))
    other.advance(heads(3, 6), Times(101))
    mark.release(100)
    assert HighWater(mark.path, KEY).read().until == 101 + RESERVED
    other.release(101)
    assert HighWater(mark.path, KEY).read().until == 101
    other.release(200)
    assert HighWater(mark.path, KEY).read().until == 101
    assert HighWater(mark.path, KEY).read().activity == 6


def test_what_others_are_told_to_date_is_not_given_back(tmp_path: Path) -> None:
    """A process that began with its clock behind, and had no time to date anything."""
    mark, late = (HighWater(tmp_path / "high-water", KEY) for _ in range(2))
    assert mark.found(heads(3, 5))
    mark.advance(heads(3, 5), Times(100))
    late.advance(heads(3, 5), Times(50, since=mark.until))
    mark.release(100)
    late.release(50)
    assert HighWater(mark.path, KEY).read().until == 100 + RESERVED


def test_a_mark_from_before_there_were_times_is_read(tmp_path: Path) -> None:
    mark = HighWater(tmp_path / "high-water", KEY)
    assert mark.found(heads(3, 5))
    place = mark.path.read_bytes()[PLACE:].split()
    assert place[0].decode() == MAGIC
    text = b" ".join(place[:-3]) + b" "
    old = (text + sha256(text).hex().encode()).ljust(PLACE)
    mark.path.write_bytes(bytes(PLACE) + old)
    found = HighWater(mark.path, KEY).read()
    assert (found.activity, found.until, found.since) == (5, 0, 0)


def test_two_new_processes_make_one_mark(tmp_path: Path) -> None:
    """The second one saw nothing; meanwhile the first was founded, and signed."""
    mark = tmp_path / "high-water"
    first, second = (HighWater(mark, KEY) for _ in range(2))
    assert first.found(heads(0, 0))
    first.advance(heads(3, 5))
    assert not second.found(heads(0, 0))
    assert HighWater(mark, KEY).read().activity == 5
    assert list(tmp_path.glob(".*")) == []


async def test_a_new_process_beside_one_that_is_just_founded_begins_with_what_that_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, mark = Network(), tmp_path / "high-water"
    key, read = network.log_key, recovery.recover
    others: list[Broker] = []
    async with empty_database() as dsn, Store.open(dsn) as one, Store.open(dsn) as two:

        async def opened(store: Store) -> Broker:
            high_water = HighWater(mark, key.public)
            return await Broker.open(
                store, log_key=key, clock=lambda: network.at, high_water=high_water
            )

        async def late(*arguments: Any) -> Known:
            known = await read(*arguments)
            if not others:
                monkeypatch.undo()
                others.append(await opened(two))
                await others[0].found(network.found())
            return known

        monkeypatch.setattr(recovery, "recover", late)
        broker = await opened(one)
        try:
            assert HighWater(mark, key.public).read().authority == 1
            assert (broker.frozen, broker.heads.authority.size) == ("", 1)
        finally:
            await broker.close()
            await others[0].close()
