"""A line that cuts, stalls, dribbles or falls silent costs time, and nothing else.

Real clients, the real broker, and a TCP proxy between them (tests/support/faultproxy.py).
"""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from seefen.client import Client, connection, moving
from seefen.client.connection import UnreachableError
from seefen.protocol.errors import RefusedError
from seefen.protocol.frames import Frame
from seefen.protocol.suite import random_bytes
from tests.client.homes import Site
from tests.client.proxied import proxied
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, alert, channel
from tests.support.faultbook import long, note, times
from tests.support.faultproxy import Bad, FaultProxy
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(900)

MIB = 1 << 20
CUTS = 50
PATIENT = 90  # seconds until something must have come true, on a busy machine


@dataclass
class Lines:
    """A broker, and the line that all its devices use."""

    place: Site
    proxy: FaultProxy

    async def both(self) -> tuple[Client, Client]:
        """Return Skopje's client, which opened the channel, and Belgrade's."""
        skopje = await channel(self.place, BELGRADE)
        belgrade = await self.place.client(BELGRADE)
        await belgrade.sync()
        return skopje, belgrade


@pytest.fixture
async def lines(tmp_path: Path) -> AsyncIterator[Lines]:
    async with proxied(tmp_path, SKOPJE, BELGRADE) as (place, proxy):
        yield Lines(place, proxy)


def refs(client: Client) -> list[str]:
    return sorted((one.ref for one in client.alerts.list()), key=lambda ref: int(ref.split("#")[1]))


def expected(count: int, *, every: int = 1) -> list[str]:
    return [f"{CHANNEL}#{n}" for n in range(1, count * every + 1, every)]


async def told(client: Client, count: int) -> None:
    """Wait until a client has all alerts, by itself or at the next look."""

    async def all_there() -> bool:
        if len(refs(client)) < count:
            await client.sync()
        return len(refs(client)) >= count

    await until(all_there, seconds=PATIENT)
    assert refs(client) == expected(count)
    assert client.alarm is None


async def sent(client: Client, *, seconds: float = PATIENT) -> None:
    """Wait until nothing waits in the outbox."""

    async def empty() -> bool:
        await client.sync()
        return not client.queued()

    try:
        await until(empty, seconds=seconds)
    except AssertionError as err:
        raise AssertionError(f"{err}: {client.queued()}, {client.alarm}") from None


async def stands_once(lines: Lines, count: int) -> None:
    """Check in the broker's database that each of ``count`` objects stands once."""
    db = await asyncpg.connect(lines.place.broker.dsn)
    try:
        rows = await db.fetch("SELECT object_id FROM activity_leaf WHERE kind = 'object'")
    finally:
        await db.close()
    assert len(rows) == len({row["object_id"] for row in rows}) == count


async def bodies(lines: Lines, *, complete: bool) -> int:
    """Return how many file bodies the broker has whole, or begun."""
    db = await asyncpg.connect(lines.place.broker.dsn)
    try:
        sql = "SELECT count(*) FROM blob WHERE complete = $1"
        count: int = await db.fetchval(sql, complete)
    finally:
        await db.close()
    return count


async def fetch(client: Client, ref: str, folder: Path) -> Path:
    """Fetch a file, however often it is cut; an officer would press the key again."""
    for _ in range(60):
        await client.sync()
        try:
            return await client.files.get(ref, folder, **WHY)
        except UnreachableError:
            continue
        except RefusedError as err:
            if err.rule != "unknown-object":
                raise  # else its entry has not come in yet
    raise AssertionError("it never came")


async def test_a_file_cut_at_every_mebibyte_is_resumed_both_ways(
    lines: Lines, tmp_path: Path
) -> None:
    skopje, belgrade = await lines.both()
    size = 6 * times(1)
    scan = tmp_path / "scan.jpg"
    scan.write_bytes(random_bytes(size * MIB))
    proxy = lines.proxy
    proxy.bad = Bad(cut_up_after=MIB + 100_000)
    before = proxy.up
    await skopje.alerts.send(alert(), CHANNEL, [scan])
    await sent(skopje)
    cuts_up = proxy.cuts
    assert cuts_up >= size // 2
    assert proxy.up - before < 3 * size * MIB, "it was begun anew"

    proxy.bad = Bad(cut_down_after=MIB + 100_000)
    await told(belgrade, 1)
    before = proxy.down
    path = await fetch(belgrade, f"{CHANNEL}#2", tmp_path / "got")
    assert proxy.cuts - cuts_up >= size // 2
    assert proxy.down - before < 3 * size * MIB, "it was begun anew"
    assert path.read_bytes() == scan.read_bytes()
    assert [p.name for p in (tmp_path / "got").iterdir()] == ["scan.jpg"]
    await stands_once(lines, 2)
    note(
        "network", "cut at every mebibyte of a file, up and down", count=proxy.cuts,
        held="I1 I2: resumed, not restarted; hash equal",
    )  # fmt: skip


@long
async def test_fifty_cuts_in_a_row_lose_nothing(lines: Lines, tmp_path: Path) -> None:
    """Each of them while parts are on their way: a cut after the last part would cut nothing."""
    skopje, belgrade = await lines.both()
    scan = tmp_path / "scan.jpg"
    scan.write_bytes(random_bytes(48 * MIB))

    async def cut() -> None:
        # Not so fast that the file would be there between two looks of this test.
        lines.proxy.bad = Bad(delay=0.005)
        await until(lambda: bodies(lines, complete=False), seconds=PATIENT, what="for the file")
        for number in range(1, CUTS + 1):
            moved = lines.proxy.up
            await until(
                lambda moved=moved: lines.proxy.up >= moved + 30_000,  # type: ignore[misc]
                seconds=PATIENT,
                what=f"for bytes to cut, {number}",
            )
            lines.proxy.cut()
            assert await bodies(lines, complete=False), f"the file was there before cut {number}"
        lines.proxy.bad = Bad()

    cutting = asyncio.create_task(cut())
    await skopje.alerts.send(alert(), CHANNEL, [scan])
    await sent(skopje, seconds=4 * PATIENT)  # each cut costs new connections
    await cutting
    await told(belgrade, 1)
    await sent(skopje)
    path = await fetch(belgrade, f"{CHANNEL}#2", tmp_path / "got")
    assert path.read_bytes() == scan.read_bytes()
    await stands_once(lines, 2)
    note(
        "network", "cut in a row, each time while parts of one file are on their way",
        count=CUTS, held="I1 I2: hash equal",
    )  # fmt: skip


async def test_a_line_open_at_one_end_only_is_given_up(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade = await lines.both()
    monkeypatch.setattr(connection, "TIMEOUT", 2)
    lines.proxy.silence()
    queued = await skopje.alerts.send(alert(), CHANNEL)
    assert queued.queued
    assert "does not answer" in (queued.problem or "")

    await sent(skopje)  # on another line, at once
    await told(belgrade, 1)
    await stands_once(lines, 1)
    note(
        "network",
        "half-open line (no FIN, bytes swallowed)",
        count=1,
        held="I1 I2, next line at once",
    )


async def test_a_device_that_dribbles_slows_nobody(lines: Lines) -> None:
    await lines.place.broker.take(lines.place.network.enrol(BELGRADE, ("field", "keyholder")))
    skopje, belgrade = await lines.both()
    lines.proxy.bad = Bad(rate=1, fresh_only=True)
    slow = asyncio.create_task(lines.place.client(BELGRADE, "keyholder", nth=1))
    await until(lambda: lines.proxy.dribbling > 0, seconds=PATIENT)
    begun = asyncio.get_running_loop().time()
    for count in range(1, times(5) + 1):
        await skopje.alerts.send(alert(), CHANNEL)
        await until(lambda n=count: len(refs(belgrade)) == n, seconds=20)  # type: ignore[misc]
    assert asyncio.get_running_loop().time() - begun < 20 * times(1)
    assert not slow.done()
    slow.cancel()
    lines.proxy.cut()
    await asyncio.gather(slow, return_exceptions=True)
    note("network", "a peer at 1 B/s", count=1, held="others are told by push meanwhile")


async def test_latency_and_lost_packets_cost_time_alone(lines: Lines) -> None:
    skopje, belgrade = await lines.both()
    lines.proxy.bad = Bad(delay=0.02, stall_every=7, stall=0.2)
    count = times(10)
    for _ in range(count):
        await skopje.alerts.send(alert(), CHANNEL)
    await sent(skopje)
    await told(belgrade, count)
    await stands_once(lines, count)
    note("network", "20 ms late, each 7th piece 200 ms more", count=count, held="I1 I2, order")


async def test_a_broker_out_of_reach_is_waited_for(lines: Lines) -> None:
    skopje, belgrade = await lines.both()
    lines.proxy.bad = Bad(down=True)
    lines.proxy.cut()
    for _ in range(3):
        assert (await skopje.alerts.send(alert(), CHANNEL)).queued
    lines.proxy.bad = Bad()

    await until(lambda: not skopje.queued(), seconds=PATIENT)  # by itself
    await until(lambda: len(refs(belgrade)) == 3, seconds=PATIENT)
    assert refs(belgrade) == expected(3)
    await stands_once(lines, 3)
    note("network", "broker out of reach, then back", count=1, held="I1 I2: leaves by itself")


async def test_answers_lost_after_the_commit_are_asked_for_again(lines: Lines) -> None:
    skopje, belgrade = await lines.both()
    seed = random_bytes(4).hex()
    print("seed", seed)  # noqa: T201 - what a failure is repeated from
    drawn = random.Random(seed)
    link: Any = skopje._engine.connection
    real, lost = link._exchange, 0

    async def forgetful(verb: str, body: bytes) -> Frame:
        nonlocal lost
        frame: Frame = await real(verb, body)
        if verb == "send":
            await real(verb, body)  # and once more, as after a reconnect
            if drawn.random() < 0.5:
                lost += 1
                raise UnreachableError("the line was cut", rule="broker")
        return frame

    link._exchange = forgetful
    count = times(20)
    for _ in range(count):
        await skopje.alerts.send(alert(), CHANNEL)
    await sent(skopje)
    assert lost
    await told(belgrade, count)
    await stands_once(lines, count)
    note(
        "network", "the same request twice; answer lost after COMMIT (fault 15)",
        count=count + lost, held="I1 I2: one entry, the same receipt", seed=seed,
    )  # fmt: skip


async def test_pushes_doubled_and_out_of_order_come_in_once_and_in_order(lines: Lines) -> None:
    skopje, belgrade = await lines.both()
    seed = random_bytes(4).hex()
    print("seed", seed)  # noqa: T201 - what a failure is repeated from
    drawn = random.Random(seed)
    link: Any = belgrade._engine.connection
    take, held = link.pushed, list[Frame]()
    link.pushed = held.append
    count, delivered = times(30), 0
    for n in range(1, count + 1):
        await skopje.alerts.send(alert(), CHANNEL)
        if n % 10 == 0:
            await until(lambda: len(held) >= 10, seconds=PATIENT)
            frames = held * 3
            held.clear()
            drawn.shuffle(frames)
            for frame in frames:
                take(frame)
            delivered += len(frames)
            await until(lambda n=n: len(refs(belgrade)) == n, seconds=PATIENT)  # type: ignore[misc]
    assert refs(belgrade) == expected(count)
    assert belgrade.alarm is None
    await until(lambda: _read_once(belgrade, count), seconds=PATIENT)
    await stands_once(lines, count)
    note(
        "network", "pushes tripled and shuffled", count=delivered,
        held="I2 I7: numbers as in the log", seed=seed,
    )  # fmt: skip


def _read_once(client: Client, count: int) -> bool:
    told_ = client._engine.vault.run("SELECT count(*) FROM entry WHERE kind = 'ack'")
    return told_ == [(count,)]


async def test_fault_38_who_is_cut_off_while_he_reads_stands_in_the_log(
    lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry comes before the first byte: that the rest never came takes nothing back."""
    skopje, belgrade = await lines.both()
    scan, folder = tmp_path / "scan.jpg", tmp_path / "got"
    scan.write_bytes(random_bytes(2 * MIB))
    await skopje.alerts.send(alert(), CHANNEL, [scan])
    await sent(skopje)
    await told(belgrade, 1)

    lines.proxy.bad = Bad(cut_down_after=1)
    with pytest.raises(UnreachableError):
        await belgrade.alerts.show(f"{CHANNEL}#1", **WHY)
    (message,) = await accesses(lines)  # its key left the broker and never came
    assert belgrade.alerts.list()[0].fetched is False
    lines.proxy.bad = Bad()
    await belgrade.sync()  # the same access is asked again, and entered once
    assert (await belgrade.alerts.show(f"{CHANNEL}#1", **WHY)).entry_index == message
    assert await accesses(lines) == [message]

    lines.proxy.bad = Bad(cut_down_after=MIB // 2)  # no part of the file is that short
    monkeypatch.setattr(moving, "TRIES", 1)
    with pytest.raises(UnreachableError):
        await belgrade.files.get(f"{CHANNEL}#2", folder, **WHY)
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    _, file = await accesses(lines)
    lines.proxy.bad = Bad()
    path = await fetch(belgrade, f"{CHANNEL}#2", folder)
    assert path.read_bytes() == scan.read_bytes()

    await skopje.sync()
    rows = await skopje.audit.list(node=BELGRADE)
    assert [row.index for row in rows] == await accesses(lines)
    assert [row.index for row in rows][:2] == [message, file]
    assert all(row.proved for row in rows)
    note(
        "network", "cut while a key and a file are on their way", count=2,
        held="I3: the entry stands; the owner's auditor sees it",
    )  # fmt: skip


async def accesses(lines: Lines) -> list[int]:
    """Return where the accesses stand in the log."""
    db = await asyncpg.connect(lines.place.broker.dsn)
    try:
        rows = await db.fetch("SELECT idx FROM activity_leaf WHERE kind = 'access' ORDER BY idx")
    finally:
        await db.close()
    return [row["idx"] for row in rows]
