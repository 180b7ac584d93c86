"""(b) From the call that sends an alert to the moment another officer's client has opened it.

Two real clients, each a process of its own with a vault on the disk: one sends, the other
is on watch. The broker is idle: one alert at a time. Both read the same monotonic clock.
"""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from bench.rows import Row
from bench.stage import Stage, ask_process
from seefen.client import Client
from seefen.protocol.messages import SeizureAlert, message_from_form
from tests.client.homes import PASSPHRASE
from tests.support.network import Machine

WARM = 3
PAUSE = 0.02  # seconds
CHANNEL = "bench-border"
FORM = {
    "occurred_at": "2026-03-14T02:47+01:00",
    "setting": "bcp",
    "place": "Tabanovce",
    "items": [{"category": "pistol", "make": "Zastava", "serial_as_read": "C-84417"}],
}


class Task(Struct):
    """Two homes, and how many alerts go from the first to the second."""

    sender: str
    reader: str
    channel: str
    count: int


async def run(stage: Stage) -> list[Row]:
    """Measure on whatever the database holds now."""
    tag = f"idle-{time.monotonic_ns():x}"[:20]
    return rows(await measure(stage, *await set_up(stage, tag)))


async def set_up(stage: Stage, tag: str) -> tuple[Machine, Machine, str]:
    """Admit two nodes and open a channel between them."""
    names = f"{tag}-a", f"{tag}-b"
    network, channel = stage.network, f"{CHANNEL}-{tag}"
    async with stage.workshop() as workshop:
        await workshop.admit(names[0], machines=2)
        await workshop.admit(names[1])
        opener, sender = (network.of(names[0], nth=n) for n in range(2))
        await workshop.open_case(opener, names[1], form="channel", number=channel)
    return sender, network.of(names[1]), channel


async def measure(stage: Stage, sender: Machine, reader: Machine, channel: str) -> list[float]:
    """Return the milliseconds of each alert."""
    task = Task(str(stage.home(sender)), str(stage.home(reader)), channel, stage.scale.messages)
    answer = await ask_process("bench.latency", msgspec.msgpack.encode(task))
    return msgspec.msgpack.decode(answer, type=list[float])


def rows(latencies: list[float], what: str = "") -> list[Row]:
    """Return the rows of the middle and of the slowest hundredth."""
    ordered = sorted(latencies)
    middle, last = (
        ordered[len(ordered) // 2],
        ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)],
    )
    return [
        Row("b", f"sent to opened{what}, p50", "ms", middle, None, 5.0, at_most=True),
        Row("b", f"sent to opened{what}, p99", "ms", last, None, 15.0, at_most=True),
    ]


# --- the two processes ---------------------------------------------------------------


async def send(task: Task) -> list[float]:
    """Send one alert after the other; each when the one before was opened."""
    reader = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.latency", "--read", task.reader, task.channel,
        stdout=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.PIPE,
    )  # fmt: skip
    if reader.stdout is None or reader.stdin is None:
        raise RuntimeError("the reader has no line to us")
    times: list[float] = []
    async with closed(reader), Client.open(Path(task.sender), PASSPHRASE) as client:
        await reader.stdout.readline()
        for n in range(-WARM, task.count):
            made = alert()
            began = time.monotonic()
            sent = await client.alerts.send(made, task.channel)
            if sent.queued:
                raise RuntimeError(f"an alert was not recorded: {sent.problem}")
            opened = float(await reader.stdout.readline())
            if n >= 0:
                times.append(1000 * (opened - began))
            await asyncio.sleep(PAUSE)  # the broker is idle again
    return times


@asynccontextmanager
async def closed(reader: asyncio.subprocess.Process) -> AsyncGenerator[None]:
    """End the reader at the end of the block, whatever happened in it."""
    try:
        yield
    finally:
        if reader.stdin is not None:
            reader.stdin.close()
        await reader.wait()


async def read(home: str, channel: str) -> None:
    """Be on watch, and say when each alert was opened, until our input ends."""
    async with Client.open(Path(home), PASSPHRASE) as client:
        await client.watch.on((channel,), purpose="detection", basis="pcc-see")
        print("on watch", flush=True)
        saying = asyncio.create_task(_say(client))
        await asyncio.to_thread(sys.stdin.read)
        saying.cancel()


async def _say(client: Client) -> None:
    async for event in client.events():
        if event.what == "opened":
            print(time.monotonic(), flush=True)


def alert() -> SeizureAlert:
    """Return an alert of nothing real."""
    made = message_from_form("SeizureAlert", FORM)
    if not isinstance(made, SeizureAlert):
        raise TypeError("not an alert")
    return made


def main() -> None:
    """Be the sender, or with ``--read`` the reader."""
    if sys.argv[1:2] == ["--read"]:
        asyncio.run(read(*sys.argv[2:4]))
        return
    task = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Task)
    sys.stdout.buffer.write(msgspec.msgpack.encode(asyncio.run(send(task))))


if __name__ == "__main__":
    main()
