"""A narrow line made of packets: 64 kbit/s, 600 ms there and back, one packet in twenty lost.

Two TUN devices, one of them in a network namespace of its own, and this process carries IP
packets from one to the other: late, no faster than the line, and not all of them. What TCP
and TLS make of it is the kernel's own work. It does what ``tc ... netem delay 300ms loss 5%
rate 64kbit`` does, on kernels that were built without it too.
"""

import asyncio
import contextlib
import fcntl
import os
import random
import shutil
import struct
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE, THERE = "10.86.0.1", "10.86.0.2"
MTU: Final = 1500
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


@dataclass(frozen=True, slots=True)
class Line:
    """What a line is like, each way.

    Attributes:
        rate: Bits a second.
        delay: Seconds.
        loss: How many of all packets are lost, from 0 to 1.
        queue: Packets that wait; more are dropped.
    """

    rate: int = 64_000
    delay: float = 0.3
    loss: float = 0.05
    queue: int = 100


@dataclass(slots=True)
class Count:
    """What passed and what was lost."""

    passed: int = 0
    lost: int = 0


def why_not() -> str:
    """Return why there can be no such line here, or nothing."""
    if os.geteuid() != 0:
        return "needs root, for a network namespace"
    if shutil.which("ip") is None:
        return "needs ip (iproute2)"
    return "" if Path("/dev/net/tun").exists() else "needs /dev/net/tun"


@asynccontextmanager
async def narrow(name: str, line: Line, seed: int) -> AsyncGenerator[Count]:
    """Make the namespace ``name`` and its line; it reaches ``HERE`` and nothing else."""
    inner = f"{name}-in"
    _run("ip", "netns", "add", name)
    near = far = -1
    carriers: list[asyncio.Task[None]] = []
    try:
        near, far = _tun(name), _tun(inner)
        _run("ip", "link", "set", inner, "netns", name)
        within = ("ip", "netns", "exec", name)
        for prefix, device, own, other in ((), name, HERE, THERE), (within, inner, THERE, HERE):
            _run(*prefix, "ip", "addr", "add", own, "peer", other, "dev", device)
            _run(*prefix, "ip", "link", "set", device, "mtu", str(MTU), "up")
        _run(*within, "ip", "link", "set", "lo", "up")
        count, dice = Count(), random.Random(seed)
        carriers = [
            asyncio.create_task(_carry(source, to, line, dice, count))
            for source, to in ((near, far), (far, near))
        ]
        yield count
    finally:
        for carrier in carriers:
            carrier.cancel()
        await asyncio.gather(*carriers, return_exceptions=True)
        for opened in (near, far):
            if opened >= 0:
                os.close(opened)
        _run("ip", "netns", "del", name)


def _tun(name: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return device


async def _carry(source: int, to: int, line: Line, dice: random.Random, count: Count) -> None:
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(line.queue)

    def take() -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                packet = os.read(source, MTU)
                if dice.random() < line.loss or waiting.full():
                    count.lost += 1
                else:
                    waiting.put_nowait((loop.time(), packet))

    loop.add_reader(source, take)
    try:
        free = 0.0
        while True:
            arrived, packet = await waiting.get()
            free = max(free, arrived) + len(packet) * 8 / line.rate  # it is sent bit by bit
            loop.call_at(free + line.delay, _deliver, to, packet)
            count.passed += 1
            # What waits for its turn waits in the queue, where it can be dropped.
            await asyncio.sleep(max(0.0, free - loop.time()))
    finally:
        loop.remove_reader(source)


def _deliver(to: int, packet: bytes) -> None:
    with contextlib.suppress(OSError):  # the line is being taken down
        os.write(to, packet)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
