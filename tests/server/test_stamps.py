"""Times of heads: none is dated after a longer one."""

import asyncio
import itertools
import random
from collections.abc import Iterator
from pathlib import Path

from seefen.client.standalone import verify
from seefen.protocol.frames import LogFrom
from seefen.server.high_water import HighWater
from seefen.server.stamps import Stamps
from tests.support import casework
from tests.support.served import Served, served


def test_what_was_read_before_and_signed_after_is_dated_before() -> None:
    stamps = Stamps()
    stamps.see(10, 5)
    assert stamps.of(10, 6) == 5
    stamps.see(11, 6)
    stamps.see(10, 7)  # it was told of too late
    assert [stamps.of(size, 9) for size in (9, 10, 11)] == [5, 5, 6]
    stamps.see(11, 8)
    assert stamps.of(11, 9) == 8
    assert stamps.of(11, 7) == 7  # the clock went back


def test_a_head_that_was_never_seen_is_dated_when_the_next_longer_was_seen_first() -> None:
    stamps = Stamps()
    stamps.see(3, 10)
    assert stamps.of(3, 11) == 10
    stamps.see(3, 12)
    assert stamps.of(2, 13) == 10


def test_what_was_signed_unseen_bounds_what_is_shorter() -> None:
    stamps = Stamps()
    assert stamps.of(3, 10) == 10
    assert stamps.of(2, 12) == 10


def test_no_order_of_reading_and_signing_makes_a_shorter_head_the_later_one() -> None:
    dice = random.Random(7)
    stamps, size, now = Stamps(), 1, 100
    read: list[int] = []
    signed: list[tuple[int, int]] = []
    for _ in range(5000):
        now += dice.random() < 0.2
        if dice.random() < 0.3:
            size += 1
            if dice.random() < 0.5:  # else another process wrote it
                stamps.see(size, now)
        if dice.random() < 0.5:
            read.append(size)
        if read and dice.random() < 0.5:
            late = read.pop(dice.randrange(len(read)))
            if dice.random() < 0.5:  # else it was read too slowly
                stamps.see(late, now)
            signed.append((late, stamps.of(late, now)))
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
