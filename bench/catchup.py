"""(e) A device that was away: from opening it to the moment its vault holds everything.

The time is that of ``Client.open``: passphrase, vault, login, both logs, every entry proved
and every signature checked, covers opened and listed. Bodies stay closed, as they must: one
is opened at the end, which writes its entry into the log and its marks into the index.
"""

import asyncio
import sys
import time
from pathlib import Path
from statistics import median

import msgspec
from msgspec import Struct

from bench.rows import Row
from bench.stage import Stage, ask_process
from seefen.client import Client
from tests.client.homes import PASSPHRASE
from tests.support.network import Machine

MUST = 2000.0


class Task(Struct):
    """A home, and the message up to which it is to catch up."""

    home: str
    last: str


async def run(stage: Stage) -> list[Row]:
    """Let one device after the other catch up with the same objects."""
    away = stage.scale.away
    number, machines = await leave(stage, "away", stage.scale.rounds, away)
    rates = [away / await catch_up(stage, machine, f"{number}#{away}") for machine in machines]
    name = f"caught up after {away} objects away"
    return [Row("e", name, "objects/s", median(rates), None, MUST)]


async def leave(stage: Stage, tag: str, devices: int, away: int) -> tuple[str, list[Machine]]:
    """Let devices join a case and go away, and others write; return its number and them."""
    here, there = f"{tag}-here", f"{tag}-there"
    network = stage.network
    async with stage.workshop() as workshop:
        await workshop.admit(there)
        await workshop.admit(here, machines=devices)
        by = network.of(there)
        case = await workshop.open_case(by, here)
    machines = [network.of(here, nth=n) for n in range(devices)]
    for machine in machines:
        await catch_up(stage, machine, "")
    async with stage.workshop() as workshop:
        await workshop.write([(by, case)], away)
    return network.cases[case].number, machines


async def catch_up(stage: Stage, machine: Machine, last: str) -> float:
    """Return the seconds in which a device caught up, in a process of its own."""
    task = Task(str(stage.home(machine)), last)
    answer = await ask_process("bench.catchup", msgspec.msgpack.encode(task))
    return msgspec.msgpack.decode(answer, type=float)


async def measure(task: Task) -> float:
    """Catch up, and open the last message to show that all of it is there."""
    began = time.perf_counter()
    async with Client.open(Path(task.home), PASSPHRASE) as client:
        seconds = time.perf_counter() - began
        if not client.online or client.alarm is not None:
            raise RuntimeError(f"it did not catch up: {client.alarm}")
        if task.last:
            await client.read(task.last, purpose="tracing", basis="national-law")
    return seconds


def main() -> None:
    """Do what the input says and say how long it took."""
    task = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Task)
    sys.stdout.buffer.write(msgspec.msgpack.encode(asyncio.run(measure(task))))


if __name__ == "__main__":
    main()
