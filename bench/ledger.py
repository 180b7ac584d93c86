"""(l) The ledger in the broker: entries integrated and signed, and how soon.

In this process, without TLS and sockets: those are part (a). An entry counts when the broker
has answered with its place, its proof and a checkpoint signed over it. 64 officers of 64
nodes enter searches, signed beforehand; a search stands in no case, so that what is
measured is the log. Beside it: single rows of the same bytes, each its own commit. Garbage is
collected as ``serve`` has it: by the usual rule, one collection of all that this process holds
stopped everybody for 40 ms, and with 64 who wait that alone was the slowest hundredth.

What the gate adds to a disclosure is in :mod:`bench.disclosing`.
"""

import asyncio
import time
from collections import deque
from statistics import median

from bench.disclosing import disclosures
from bench.rows import Row
from bench.stage import Stage, Workshop
from bench.writes import raw_rate
from seefen.protocol.bundle import Bundle, encode_bundle
from seefen.server.memory import settle
from tests.support import casework
from tests.support.network import Machine, Network

WRITERS = {"tiny": 4, "usual": 64, "full": 64}
ENTRIES = {"tiny": 8, "usual": 60, "full": 200}  # of each writer in each round
RAW, P99 = 0.2, 50.0  # at least, ms

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
            settle()
            seconds, each = await _enter(workshop, lanes)
            took += each
            ours.append(len(each) / seconds)
            limits.append(await raw_rate(stage, count, size))
    ratio = median(mine / limit for mine, limit in zip(ours, limits, strict=True))
    middle = median(ours)
    took.sort()
    return [
        Row("l", f"entries integrated and signed, {count} writers", "1/s", middle, middle / ratio,
            RAW),
        Row("l", f"to integrated and signed, {count} writers, p50", "ms", took[len(took) // 2]),
        Row("l", f"to integrated and signed, {count} writers, p99", "ms",
            took[len(took) * 99 // 100], None, P99, at_most=True),
        *await disclosures(stage),
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
