"""(l) The ledger in the broker: entries integrated and signed, how soon, and what a read costs.

In this process, without TLS and sockets: those are part (a). An entry counts when the broker
has answered with its place, its proof and a checkpoint signed over it. 64 officers of 64
nodes enter searches, signed beforehand; a search stands in no case, so that what is
measured is the log. Beside it: single rows of the same bytes, each its own commit. Garbage is
collected as ``serve`` has it: by the usual rule, one collection of all that this process holds
stopped everybody for 40 ms, and with 64 who wait that alone was the slowest hundredth.

A read through the gate is :meth:`Broker.ask`: judged, entered, integrated, signed, then the key
is opened. Beside it stands what a server does that only keeps a journal: one transaction
that reads the same key and inserts a row of the same length.
"""

import asyncio
import time
from collections import deque
from statistics import median
from typing import Any

import asyncpg

from bench.rows import Row
from bench.stage import Stage, Workshop
from bench.writes import raw_rate
from seefen.protocol.bundle import Bundle, encode_bundle
from seefen.protocol.case import Position
from seefen.protocol.ledger.record import Record
from seefen.server.app import collect_seldom
from tests.support import casework
from tests.support.network import Machine, Network

WRITERS = {"tiny": 4, "usual": 64, "full": 64}
ENTRIES = {"tiny": 8, "usual": 60, "full": 200}  # of each writer in each round
READS = {"tiny": 5, "usual": 200, "full": 1000}
RAW, P99, GATE = 0.2, 50.0, 2.0  # at least, ms, times

Signed = deque[tuple[bytes, Bundle]]


async def run(stage: Stage) -> list[Row]:
    """Measure entries and reads."""
    count = WRITERS[stage.scale.name]
    async with stage.workshop() as workshop:
        machines = await _officers(workshop, count)
        ours: list[float] = []
        limits: list[float] = []
        took: list[float] = []
        for _ in range(stage.scale.rounds):
            lanes = [_signed(workshop.network, by, ENTRIES[stage.scale.name]) for by in machines]
            size = len(encode_bundle(lanes[0][0][1]))
            collect_seldom()
            seconds, each = await _enter(workshop, lanes)
            took += each
            ours.append(len(each) / seconds)
            limits.append(await raw_rate(stage, count, size))
        gate = await _reads(stage, workshop)
    ratio = median(mine / limit for mine, limit in zip(ours, limits, strict=True))
    middle = median(ours)
    took.sort()
    return [
        Row("l", f"entries integrated and signed, {count} writers", "1/s", middle, middle / ratio,
            RAW),
        Row("l", f"to integrated and signed, {count} writers, p50", "ms", took[len(took) // 2]),
        Row("l", f"to integrated and signed, {count} writers, p99", "ms",
            took[len(took) * 99 // 100], None, P99, at_most=True),
        Row("l", "a read through the gate, one at a time, p50", "ms", *gate, GATE, at_most=True),
    ]  # fmt: skip


async def _officers(workshop: Workshop, count: int) -> list[Machine]:
    nodes = [f"ledger-n{n:03}" for n in range(count)]
    await workshop.admit(*nodes)
    return [workshop.network.of(node) for node in nodes]


def _signed(network: Network, by: Machine, count: int) -> Signed:
    made: Signed = deque()
    for _ in range(count):
        made.append((by.device, casework.search(network, by)))
        by.device_n += 1
    return made


async def _enter(workshop: Workshop, lanes: list[Signed]) -> tuple[float, list[float]]:
    """Let each writer enter one after the other; return seconds, and milliseconds of each."""
    took: list[float] = []

    async def write(lane: Signed) -> None:
        for device, bundle in lane:
            began = time.perf_counter()
            await workshop.broker.submit(device, bundle, 0)
            took.append(1000 * (time.perf_counter() - began))

    began = time.perf_counter()
    await asyncio.gather(*map(write, lanes))
    return time.perf_counter() - began, took


async def _reads(stage: Stage, workshop: Workshop) -> tuple[float, float]:
    """Return the median milliseconds of a read through the gate, and of a journalled one."""
    network = workshop.network
    await workshop.admit("ledger-owner", "ledger-reader")
    owner, reader = network.of("ledger-owner"), network.of("ledger-reader")
    case = await workshop.open_case(owner, "ledger-reader")
    sent = casework.message(network, owner, case)
    await workshop.take(sent, by=owner)
    object_ = sent.contents[0].object
    ours: list[float] = []
    plain: list[float] = []
    connection: Any = await asyncpg.connect(stage.dsn)
    try:
        await connection.execute("CREATE TABLE bench_journal (data bytea NOT NULL)")
        for _ in range(READS[stage.scale.name]):
            ask = casework.access(network, reader, case, object_)
            began = time.perf_counter()
            released = await workshop.broker.ask(reader.device, ask)
            ours.append(1000 * (time.perf_counter() - began))
            plain.append(await _journalled(connection, object_, ask.envelope))
            size = Record.decode(released.entry.record).authority_size
            place = Position(size, released.entry.index, network.at)
            network.take_activity("access", ask.envelope, place)
    finally:
        await connection.execute("DROP TABLE IF EXISTS bench_journal")
        await connection.close()
    return median(ours), median(plain)


async def _journalled(connection: Any, object_: bytes, data: bytes) -> float:
    began = time.perf_counter()
    async with connection.transaction():
        await connection.fetchval("SELECT content_key FROM object WHERE object_id = $1", object_)
        await connection.execute("INSERT INTO bench_journal VALUES ($1)", data)
    return 1000 * (time.perf_counter() - began)
