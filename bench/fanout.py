"""(c) One alert to many devices on watch, beside a bare fan-out of the same bytes.

The devices are spread over 30 nodes, the alert goes into a channel of all of them, and each
push carries the body's key under a release entry that was committed before. The sender is
this process, the broker another, and all devices live in a third (:mod:`bench.listeners`):
their verification shares one core, as in the floor.

*Pushed*: from sealing to the moment the frame is with the last device. *Opened*: until the
last has verified and opened it. The floor of *opened* sends a frame of the same length, sealed
once (HPKE) and signed once (Ed25519), through the bare server, over the same TLS; its devices
verify and open and do nothing else. *First*: a new generation of the channel's key for all
nodes, and the alert under it, from sealing the first to opening the second.
"""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from statistics import median
from typing import Any

import aiohttp
import asyncpg
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from bench.bare import bare
from bench.listeners import HPKE, Answer, Listener, Order, Task
from bench.rows import Row
from bench.stage import COVER, Stage, note
from seefen.client.connection import tls_context
from seefen.protocol.bundle import Bundle, encode_bundle
from seefen.protocol.frames import Recorded, Send
from seefen.protocol.ledger.record import Record
from seefen.protocol.suite import random_bytes
from tests.support import casework
from tests.support.devices import Socket, WebDevice
from tests.support.network import Machine

COUNTS = {"tiny": (4, 6), "usual": (10, 50, 200, 1000), "full": (10, 50, 200, 1000)}
NODES = {"tiny": 3, "usual": 30, "full": 30}
ROUNDS = {"tiny": 2, "usual": 9, "full": 40}
PUSHED = {200: 4.0, 1000: 2.0}
OPENED = 3.0
FIRST = 2.0
PAUSE = 0.02  # between alerts: the one before is over

SendOne = Callable[[], Coroutine[Any, Any, None]]


class Crowd:
    """The process with the devices."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Talk with a process that was started."""
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the devices have no line to us")
        self.pid = process.pid
        self._in, self._out = process.stdin, process.stdout

    async def begin(self, task: Task) -> None:
        """Tell it who listens."""
        data = msgspec.msgpack.encode(task)
        self._in.write(len(data).to_bytes(8, "big") + data)
        await self._in.drain()

    async def connect(self, count: int, *, bare: bool = False) -> Answer:
        """Have so many lines open."""
        self._in.write(msgspec.json.encode(Order("connect", count, bare)) + b"\n")
        return await self._answer()

    async def time(self, do: str, count: int, send: SendOne) -> tuple[float, Answer]:
        """Send, and return the milliseconds until the last of ``count`` was done."""
        self._in.write(msgspec.json.encode(Order(do, count)) + b"\n")
        await self._out.readline()
        began = time.monotonic()
        await send()
        answer = await self._answer()
        await asyncio.sleep(PAUSE)
        return 1000 * (answer.at - began), answer

    async def _answer(self) -> Answer:
        line = await self._out.readline()
        if not line:
            raise RuntimeError("the devices are gone")
        return msgspec.json.decode(line, type=Answer)


class Author:
    """Who sends the alerts, and what he sends through the bare server."""

    def __init__(self, stage: Stage, by: Machine, case: bytes) -> None:
        """Write in a channel."""
        self._network, self._by, self._case = stage.network, by, case
        self._sign = Ed25519PrivateKey.generate()
        self._seal = X25519PrivateKey.generate()
        self.device: WebDevice | None = None
        self.session: aiohttp.ClientSession | None = None
        self.floor_url = ""
        self.socket: Socket | None = None
        self.bare: aiohttp.ClientWebSocketResponse | None = None
        self.length = 4096

    @property
    def floor(self) -> tuple[bytes, bytes]:
        """With what the devices of the floor open and verify."""
        return self._seal.private_bytes_raw(), self._sign.public_key().public_bytes_raw()

    async def log_in(self) -> None:
        """Open both sockets, anew: nobody answered the broker's pings meanwhile."""
        if self.device is None or self.session is None:
            raise RuntimeError("nobody to log in")
        self.socket = await (await self.device.login()).socket()
        self.bare = await self.session.ws_connect(f"{self.floor_url}/line")

    async def alert(self) -> None:
        """Seal, sign and send one, and wait for its receipt."""
        self._network.at = int(time.time())
        await self._send(casework.message(self._network, self._by, self._case, note(), cover=COVER))

    async def first(self) -> None:
        """Change the key of the channel for everybody, and send one under the new."""
        self._network.at = int(time.time())
        await self._send(casework.renew_key(self._network, self._by, self._case))
        await self.alert()

    async def plain(self) -> None:
        """Send as many bytes as a push has through the bare server."""
        await self._send_bare(random_bytes(self.length))

    async def sealed(self) -> None:
        """Seal and sign as many bytes as a push has, and send them through the bare server."""
        sealed = HPKE.encrypt(
            random_bytes(self.length - 64 - 48), self._seal.public_key(), info=b"floor"
        )
        await self._send_bare(self._sign.sign(sealed) + sealed)

    async def _send(self, bundle: Bundle) -> None:
        if self.socket is None:
            raise RuntimeError("the socket is not open")
        recorded = await self.socket.ask("send", Send(encode_bundle(bundle), 0), Recorded)
        entries = recorded.entries
        sizes = [Record.decode(entry.record).authority_size for entry in entries]
        self._network.take(bundle, indices=[entry.index for entry in entries], sizes=sizes)

    async def _send_bare(self, data: bytes) -> None:
        if self.bare is None:
            raise RuntimeError("the bare socket is not open")
        await self.bare.send_bytes(data)


async def run(stage: Stage) -> list[Row]:
    """Measure each number of devices, ours and bare in turn."""
    scale = stage.scale.name
    rows: list[Row] = []
    counts, rounds = COUNTS[scale], ROUNDS[scale]
    by, case, machines = await set_up(stage, counts[-1], NODES[scale])
    async with crowd(stage, by, case, machines) as (listening, author):
        # All are on line at first, and then fewer: who came later would have missed some.
        for count in reversed(counts):
            await listening.connect(count)
            await listening.connect(count, bare=True)
            await author.log_in()
            rows = await _measure(listening, author, count, rounds) + rows
    return rows


async def _measure(listening: Crowd, author: Author, count: int, rounds: int) -> list[Row]:
    pushed: list[float] = []
    pushed_bare: list[float] = []
    opened: list[float] = []
    opened_bare: list[float] = []
    first: list[float] = []
    for n in range(-2, rounds):  # the first two warm up
        ours, answer = await listening.time("pushed", count, author.alert)
        author.length = answer.frame
        theirs, _ = await listening.time("pushed", count, author.plain)
        whole, _ = await listening.time("opened", count, author.alert)
        floor, _ = await listening.time("opened", count, author.sealed)
        if n >= 0:
            pushed.append(ours)
            pushed_bare.append(theirs)
            opened.append(whole)
            opened_bare.append(floor)
            if n % 3 == 0:
                first.append((await listening.time("opened", count, author.first))[0])
    return [
        _row(f"alert pushed to {count}", pushed, pushed_bare, PUSHED.get(count)),
        _row(f"alert opened by {count}", opened, opened_bare, OPENED),
        _row(f"first alert opened by {count}, beside a warm one", first, opened, FIRST),
    ]


def _row(name: str, ours: list[float], limit: list[float], must: float | None) -> Row:
    return Row("c", name, "ms", median(ours), median(limit), must, at_most=True)


async def set_up(stage: Stage, devices: int, nodes: int) -> tuple[Machine, bytes, list[Machine]]:
    """Admit nodes with devices, and let all of them go on watch in one channel."""
    network = stage.network
    tag = f"{time.monotonic_ns() % 10**9:x}"
    names = [f"crowd-{tag}-{n}" for n in range(nodes)]
    each = -(-devices // nodes)
    async with stage.workshop() as workshop:
        await workshop.admit(f"author-{tag}")
        await workshop.admit(*names, machines=each, roles=("field",))
        by = network.of(f"author-{tag}")
        case = await workshop.open_case(by, *names, form="channel", number=f"crowd-{tag}")
        # Nodes take turns: few devices are of many nodes, as when few officers are awake.
        machines = [network.of(name, nth=n) for n in range(each) for name in names][:devices]
        for machine in machines:
            await workshop.watch(machine, case)
    return by, case, machines


@asynccontextmanager
async def crowd(
    stage: Stage, by: Machine, case: bytes, machines: list[Machine]
) -> AsyncGenerator[tuple[Crowd, Author]]:
    """Give the process with the devices, and the author, with a bare server beside."""
    data = stage.folder / "broker"
    author = Author(stage, by, case)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.listeners",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with (
            bare(stage.folder, data) as floor,
            WebDevice(stage.url, stage.ca, by) as device,
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=tls_context(stage.ca))
            ) as session,
        ):
            listening = Crowd(process)
            await listening.begin(await _task(stage, case, machines, floor, author))
            author.device, author.session, author.floor_url = device, session, floor
            yield listening, author
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _task(
    stage: Stage, case: bytes, machines: list[Machine], floor: str, author: Author
) -> Task:
    network = stage.network
    connection = await asyncpg.connect(stage.dsn)
    try:
        authority = await connection.fetch("SELECT kind, envelope FROM authority_leaf ORDER BY idx")
        chain = await connection.fetch(
            "SELECT idx, kind, record, core, envelope FROM activity_leaf"
            " WHERE case_id = $1 AND kind <> 'release' ORDER BY idx",
            case,
        )
    finally:
        await connection.close()
    gen = network.cases[case].generation.gen
    listeners = [
        Listener(m.node, m.device, m.auth.secret, network.seeds[m.node, "alert", 1])
        for m in machines
    ]
    return Task(
        stage.url, floor, stage.ca,
        f"{network.root.origin}/activity", network.root.log_key, network.net,
        network.keys[case, gen],
        [tuple(row) for row in authority], [tuple(row) for row in chain],
        listeners, *author.floor,
    )  # fmt: skip
