"""Times of heads: none is dated after a longer one."""

import asyncio
import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from seefen.client.standalone import verify
from seefen.protocol.frames import LogFrom
from seefen.server import stamps as stamps_of
from seefen.server.high_water import HighWater
from seefen.server.stamps import Stamps
from tests.support import casework
from tests.support.served import Served, served


def test_what_was_read_before_and_signed_after_is_dated_before() -> None:
    stamps = Stamps()
    stamps.see(10, 5)
    assert stamps.of(10) == 5
    stamps.see(11, 6)
    stamps.see(10, 7)  # it was told of too late
    assert [stamps.of(size) for size in (9, 10, 11, 12)] == [None, 5, 6, None]
    stamps.see(11, 8)
    assert stamps.of(11) == 8


def test_a_head_that_is_told_of_late_is_dated_between_those_beside_it() -> None:
    stamps = Stamps()
    stamps.see(1, 9)
    stamps.see(3, 10)
    stamps.see(3, 12)
    stamps.see(2, 13)
    assert stamps.of(2) == 10
    stamps.see(5, 14)
    stamps.see(4, 8)  # by a clock that went back
    assert stamps.of(4) == 12


def test_what_is_long_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamps_of, "KEPT", 3)
    stamps = Stamps()
    for size in (2, 3, 4, 5, 1):
        stamps.see(size, size)
    assert [stamps.of(size) for size in range(1, 6)] == [None, None, 3, 4, 5]


def test_no_order_of_reading_and_signing_makes_a_shorter_head_the_later_one() -> None:
    dice = random.Random(7)
    stamps, size, clock, latest = Stamps(), 1, 100, 0
    stamps.see(size, clock)
    read: list[int] = []
    signed: list[tuple[int, int]] = []
    for _ in range(5000):
        clock += dice.random() < 0.2
        clock -= 5 * (dice.random() < 0.01)  # it is set back
        latest = max(latest, clock)
        if dice.random() < 0.3:
            size += 1
            if dice.random() < 0.5:  # else another process wrote it
                stamps.see(size, clock, latest)
        if dice.random() < 0.5:
            read.append(size)
        if read and dice.random() < 0.5:
            late = read.pop(dice.randrange(len(read)))
            if dice.random() < 0.5:  # else it was read too slowly
                stamps.see(late, clock, latest)
            at = stamps.of(late)
            if at is not None:
                signed.append((late, at))
    assert len(signed) > 1000
    assert not any(one < two and at > then for (one, at), (two, then) in pairs(signed))


def pairs(
    signed: list[tuple[int, int]],
) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    return itertools.permutations(sorted(set(signed)), 2)


async def test_an_honest_broker_signs_no_evidence_against_itself(tmp_path: Path) -> None:
    async with served("skopje-border", "belgrade-ffp") as it:
        case = await it.open_case(it.network.of("skopje-border"), "belgrade-ffp")
        await it.broker.close()
        it.high_water = HighWater(tmp_path / "mark", it.network.log_key.public)
        it.high_water.begin(await it.store.heads())
        await it.start()
        notes: set[str] = set()
        writing = asyncio.create_task(write(it, case, notes))
        await asyncio.gather(tick(it, writing), *(look(it, writing, notes) for _ in range(6)))
        await writing
        public = it.network.log_key.public
        heads = sorted({verify.open_head(note, public) for note in notes}, key=lambda h: h.time)
        assert len({head.size for head in heads}) > 20
        assert [
            (one.size, two.size)
            for one, two in itertools.combinations(heads, 2)
            if one.time < two.time and one.size > two.size
        ] == []


async def write(it: Served, case: bytes, notes: set[str]) -> None:
    author = it.network.of("skopje-border")
    for _ in range(40):
        bundle = casework.message(it.network, author, case)
        notes.add((await it.send(author, bundle)).checkpoint)


async def look(it: Served, writing: asyncio.Task[None], notes: set[str]) -> None:
    device = it.network.of("belgrade-ffp").device
    while not writing.done():
        notes.add((await it.broker.records(device, LogFrom(0, 4096, 1))).checkpoint)


async def tick(it: Served, writing: asyncio.Task[None]) -> None:
    """Let seconds go by so quickly that each answer takes some."""
    while not writing.done():
        it.network.at += 1
        await asyncio.sleep(0.001)
