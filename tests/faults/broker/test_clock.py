"""A broker whose clock jumps: order is by index, no key goes out without an entry."""

from __future__ import annotations

import time

from tests.support.broker import local_broker
from tests.support.brokers import NODES, WRITER_ROLES
from tests.support.casework import open_case
from tests.support.faultbook import note, times
from tests.support.herd import Herd, grazing, members_of
from tests.support.network import EVERY_ROLE

HOUR, DAY = 3600, 86_400
JUMPS = (-HOUR, HOUR, DAY, -DAY, -DAY, DAY)


class Clock:
    """The broker's clock: runs, jumps or stands still."""

    def __init__(self) -> None:
        self.offset = 0
        self.frozen: int | None = None

    def __call__(self) -> int:
        return int(time.time()) + self.offset if self.frozen is None else self.frozen


async def test_fault_13_the_clock_of_the_broker_jumps_and_stops() -> None:
    clock = Clock()
    clock.offset = -7 * DAY  # certificates are older than any jump back
    async with local_broker(clock=clock, sockets_per_device=100) as broker:
        network = broker.network
        machines = [EVERY_ROLE, *[WRITER_ROLES] * 3]
        await broker.take(network.admit(NODES[0], machines=machines))
        await broker.take(network.admit(NODES[1], machines=machines[:3]))
        case, bundle = open_case(network, network.of(NODES[0]), NODES[1], form="channel")
        await broker.take(bundle)
        clock.offset = 0
        network.at = int(clock())
        herd = Herd(network, case, [broker.config.url], broker.ca, clock=clock)
        herd.expected = {"until"}
        writers = [m for m in network.machines.values() if m.node == NODES[0]][1:]
        readers = [m for m in network.machines.values() if m.node == NODES[1]]
        async with grazing(herd, members_of(herd, writers, readers)):
            for _ in range(times(1)):
                for jump in JUMPS:
                    await _everything(herd)
                    clock.offset += jump
                    # The time in the log never goes back: what ends must end after it.
                    network.at = max(network.at, int(clock()))
                clock.frozen = clock()
                await _everything(herd)
                clock.frozen = None
        await herd.heard.check(broker.dsn)
    note("broker", "clock jumps by 1 h and 1 d, forwards and backwards, and stands",
         count=times(len(JUMPS) + 1), held="I1 I2 I3 I4 I7, nobody is shut out")  # fmt: skip


async def _everything(herd: Herd) -> None:
    for kind in ("write", "read", "watch", "upload"):
        await herd.progress(kind, 2, seconds=60)
