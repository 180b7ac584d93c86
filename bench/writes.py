"""(a) Objects recorded per second, end to end, beside raw single-row commits of the same bytes.

64 devices of 64 nodes write, each into a case of its own node with one partner. Nobody
else is on line: what a push costs is part (c).
"""

import asyncio
from collections.abc import Sequence
from statistics import median

import msgspec

from bench import raw
from bench.generator import Done, Task, Writer
from bench.rows import Row
from bench.stage import Stage, Workshop, ask_process
from tests.support import casework
from tests.support.network import Machine

MUST = {1: None, 16: 0.15, 64: 0.15}
GENERATOR = "bench.generator"


async def run(stage: Stage) -> list[Row]:
    """Measure each number of writers, ours and raw in turn."""
    async with stage.workshop() as workshop:
        writers = await make_writers(workshop, max(stage.scale.writers))
    rows: list[Row] = []
    for count in stage.scale.writers:
        ours, limits = await rounds(stage, writers, count)
        rows.append(
            compared("a", f"objects recorded, {count} writers", ours, limits, MUST.get(count))
        )
    return rows


async def rounds(
    stage: Stage, writers: list[Writer], count: int
) -> tuple[list[float], list[float]]:
    """Return the rates of ours and raw, which took turns."""
    ours: list[float] = []
    limits: list[float] = []
    for _ in range(stage.scale.rounds):
        done = await write(stage, writers, count)
        ours.append(done.recorded / done.seconds)
        limits.append(await raw_rate(stage, count, done.bundle))
    return ours, limits


def compared(
    section: str, name: str, ours: Sequence[float], limits: Sequence[float], must: float | None
) -> Row:
    """Return the row whose ratio is the median of the ratios of the rounds."""
    ratio = median(mine / limit for mine, limit in zip(ours, limits, strict=True))
    middle = median(ours)
    return Row(section, name, "1/s", middle, middle / ratio, must)


async def write(stage: Stage, writers: list[Writer], count: int, url: str = "") -> Done:
    """Let the first ``count`` writers write in another process; they go on where they ended."""
    task = Task(
        url or stage.url,
        stage.ca,
        f"{stage.network.root.origin}/activity",
        stage.network.root.log_key,
        writers[:count],
        stage.scale.seconds,
    )
    answer = await ask_process(GENERATOR, msgspec.msgpack.encode(task))
    done = msgspec.msgpack.decode(answer, type=Done)
    writers[:count] = done.writers
    return done


async def raw_rate(stage: Stage, count: int, size: int) -> float:
    """Return the raw rate in the same PostgreSQL."""
    return await asyncio.to_thread(
        raw.rate, stage.dsn, writers=count, size=size, seconds=stage.scale.seconds
    )


async def make_writers(workshop: Workshop, count: int, prefix: str = "writer") -> list[Writer]:
    """Admit nodes and open their cases; each device has written one object."""
    network = workshop.network
    partner = f"{prefix}s-partner"
    await workshop.admit(partner)
    writers: list[Writer] = []
    for n in range(count):
        node = f"{prefix}-n{n:03}"
        await workshop.admit(node)
        machine = network.of(node)
        case = await workshop.open_case(machine, partner)
        writers.append(await first_object(workshop, machine, case))
    return writers


async def first_object(workshop: Workshop, machine: Machine, case: bytes) -> Writer:
    """Record an object of a device in a case; the generator goes on behind it."""
    network = workshop.network
    bundle = casework.message(network, machine, case)
    await workshop.broker.submit(machine.device, bundle, 0)
    casework.count(network, machine, bundle)
    return Writer(
        machine.node,
        machine.device,
        machine.sign.secret,
        machine.auth.secret,
        network.keys[case, 1],
        bundle.statements[0].envelope,
    )
