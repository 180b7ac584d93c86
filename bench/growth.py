"""(g) How much slower it gets with what the database holds.

One broker for each size, all running at once, so that they can take turns: a machine that
is slow for a minute is slow for all of them. The objects are recorded by the broker's own
code, one bundle each, with every check and in the groups in which they come.
"""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from statistics import median

from bench import catchup, latency, writes
from bench.generator import Writer
from bench.rows import Row
from bench.stage import Stage, Workshop, stage
from seefen.protocol.case import ROTATION_OBJECTS
from tests.support.network import Machine

MUST = 0.8
WRITERS = 16


@dataclass
class _Site:
    """A broker whose log has a size."""

    size: int
    stage: Stage
    writers: list[Writer]
    line: tuple[Machine, Machine, str]
    number: str
    machines: list[Machine]


async def run(other: Stage) -> list[Row]:
    """Compare brokers with more in them with the one that has least."""
    scale = other.scale
    await other.stop()
    async with AsyncExitStack() as stack:
        sites = [
            await _site(size, await stack.enter_async_context(stage(scale))) for size in scale.sizes
        ]
        rates: dict[int, list[float]] = {site.size: [] for site in sites}
        waits: dict[int, list[float]] = {site.size: [] for site in sites}
        synced: dict[int, list[float]] = {site.size: [] for site in sites}
        for turn in range(scale.rounds):
            for site in sites:
                done = await writes.write(site.stage, site.writers, WRITERS)
                rates[site.size].append(done.recorded / done.seconds)
            for site in sites:
                waits[site.size].append(median(await latency.measure(site.stage, *site.line)))
            for site in sites:
                away = scale.away // 5
                last = f"{site.number}#{away}"
                took = await catchup.catch_up(site.stage, site.machines[turn], last)
                synced[site.size].append(away / took)
    await other.start()
    first, *more = scale.sizes
    rows: list[Row] = []
    for size in more:
        what = f"{size} objects, beside {first}"
        rows += [
            writes.compared("g", f"recorded with {what}", rates[size], rates[first], MUST),
            _compared_waits(f"sent to opened with {what}", waits[size], waits[first]),
            writes.compared("g", f"caught up with {what}", synced[size], synced[first], MUST),
        ]
    return rows


async def _site(size: int, place: Stage) -> _Site:
    """Fill a broker up to a size, those included who are to be measured."""
    async with place.workshop() as workshop:
        writers = await writes.make_writers(workshop, WRITERS)
        network = workshop.network
        owners = {state.owner: case for case, state in network.cases.items()}
        filling = [(network.machines[w.device], owners[w.node]) for w in writers]
        left = size - place.scale.away // 5 - network.index
        await _fill(workshop, filling, left)
        writers = [await writes.first_object(workshop, machine, case) for machine, case in filling]
    line = await latency.set_up(place, "grown")
    number, machines = await catchup.leave(
        place, "grown-away", place.scale.rounds, place.scale.away // 5
    )
    return _Site(size, place, writers, line, number, machines)


async def _fill(workshop: Workshop, like: list[tuple[Machine, bytes]], left: int) -> None:
    """Record so many messages, in cases like these: a key is for a number of objects alone."""
    network = workshop.network
    while left > 0:
        some = min(left, len(like) * ROTATION_OBJECTS)
        filling: list[tuple[Machine, bytes]] = []
        for machine, case in like:
            partners = (node for node in network.cases[case].members if node != machine.node)
            filling.append((machine, await workshop.open_case(machine, *partners)))
        await workshop.write(filling, some)
        left -= some


def _compared_waits(name: str, ours: list[float], limits: list[float]) -> Row:
    ratio = median(mine / limit for mine, limit in zip(ours, limits, strict=True))
    middle = median(ours)
    return Row("g", name, "ms", middle, middle / ratio, 1 / MUST, at_most=True)
