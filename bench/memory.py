"""(f) Memory: the broker idle, with a thousand devices, and after load; the client.

The load is alerts to all devices on watch, one after the other, and growth is what is kept
at its end beyond what was kept after its first fifth. ``python -m bench --hour`` (or
``make bench ARGS=--hour``) loads for an hour; otherwise it is a short time, which the name
of the row says, and which shows a leak of a kilobyte an alert and nothing slower. Then all lines
break at once and all devices log in anew, several times.
"""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from bench.fanout import COUNTS, NODES, Crowd, crowd, set_up
from bench.rows import Row
from bench.stage import Stage, ask_process
from seefen.client import Client
from tests.client.homes import PASSPHRASE

MIB: Final = 1 << 20
MUST: Final = 150.0  # MiB with all devices on line
GROWN: Final = 1.10  # of what there was after the first fifth
SECONDS: Final = {"tiny": 1.0, "usual": 60.0, "full": 300.0}
HOUR: Final = 3600.0
ANEW: Final = 5  # times that all devices come anew
LOGIN: Final = 480.0  # seconds after which all lines are opened anew: a login lasts ten minutes


async def run(stage: Stage) -> list[Row]:
    """Measure the broker from idle to loaded, and a client of its own."""
    scale = stage.scale.name
    devices = COUNTS[scale][-1]
    by, case, machines = await set_up(stage, devices, NODES[scale])
    idle = resident(stage.pid)
    seconds = HOUR if "--hour" in sys.argv else SECONDS[scale]
    async with crowd(stage, by, case, machines) as (listening, author):
        await listening.connect(devices)
        await author.log_in()
        connected = resident(stage.pid)
        began, early, alerts = time.monotonic(), 0.0, 0
        ends = began + LOGIN
        while (spent := time.monotonic() - began) < seconds:
            if time.monotonic() > ends:
                await listening.connect(0)
                await listening.connect(devices)
                await author.log_in()
                ends = time.monotonic() + LOGIN
            await listening.time("opened", devices, author.alert)
            alerts += 1
            if not early and spent > seconds / 5:
                early = resident(stage.pid)
        late = resident(stage.pid)
        anew = [await _come_anew(stage, listening, devices) for _ in range(ANEW)]
    client = await ask_process("bench.memory", str(stage.home(machines[0])).encode())
    what = "an hour" if seconds == HOUR else f"{seconds:.0f} s, not an hour,"
    return [
        Row("f", "broker, idle", "MiB", idle),
        Row("f", f"broker, {devices} devices", "MiB", connected, None, MUST, at_most=True),
        Row("f", f"broker, {devices} devices, after load", "MiB", late, None, MUST, at_most=True),
        Row("f", f"after {what} of load", "MiB", late, early or late, GROWN, at_most=True),
        Row("f", "once all came anew", "MiB", anew[0]),
        Row("f", f"{ANEW} times, beside once", "MiB", anew[-1], anew[0], GROWN, at_most=True),
        Row("f", "alerts in that time", "alerts", alerts),
        Row("f", "client", "MiB", msgspec.msgpack.decode(client, type=float)),
    ]


async def _come_anew(stage: Stage, listening: Crowd, devices: int) -> float:
    """Return the MiB when all lines have broken at once and all devices logged in again."""
    await listening.connect(0)
    await listening.connect(devices)
    return resident(stage.pid)


def resident(pid: int) -> float:
    """Return the MiB that a process holds in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


async def measure(home: Path) -> float:
    """Open a client, let it catch up, and return what it holds."""
    async with Client.open(home, PASSPHRASE):
        return resident(os.getpid())


def main() -> None:
    """Be the client."""
    home = Path(sys.stdin.buffer.read().decode())
    sys.stdout.buffer.write(msgspec.msgpack.encode(asyncio.run(measure(home))))


if __name__ == "__main__":
    main()
