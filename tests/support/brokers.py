"""Several real broker processes on one database, which can be told where to die."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from seefen.server import tls
from seefen.server.app import open_services
from seefen.server.config import DATABASE_URL, FILE, Config, write_config
from seefen.server.embedded import Embedded
from tests.support.broker import free_port, prepare
from tests.support.casework import open_case
from tests.support.database import empty_database
from tests.support.network import EVERY_ROLE, Machine, Network
from tests.support.waiting import until

NODES = ("skopje-border", "belgrade-ffp")
WRITER_ROLES = ("field", "lead")
SECONDS = 60.0  # for what takes one on an idle machine


class Maker:
    """The process that forks brokers."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._started: asyncio.Queue[int] = asyncio.Queue()
        self.ended: dict[int, int] = {}

    async def open(self) -> None:
        """Start it."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.support.doomed",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self._reading = asyncio.create_task(self._read())

    async def close(self) -> None:
        """End it, and every broker that it has made."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        if self._reading is not None:
            await self._reading

    async def fork(self, **order: object) -> int:
        """Return the number of a new process."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        async with asyncio.timeout(SECONDS):
            return await self._started.get()

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            report = json.loads(line)
            if "started" in report:
                self._started.put_nowait(report["started"])
            else:
                self.ended[report["ended"]] = report["code"]


@dataclass
class Doomed:
    """One broker: a data folder, an address, and the process that runs on it, if any."""

    maker: Maker
    config: Config
    dsn: str
    pid: int = 0

    @property
    def url(self) -> str:
        return self.config.url

    @property
    def log(self) -> Path:
        return self.config.data.with_suffix(".log")

    @property
    def out(self) -> Path:
        return self.config.data.with_suffix(".out")

    async def begin(self, point: str = "", nth: int = 1, number: int = signal.SIGKILL) -> None:
        """Start the process; at the ``nth`` passing of ``point`` it gets the signal."""
        self.out.write_bytes(b"")  # or the "ready" of the process before would be read
        self.pid = await self.maker.fork(
            point=point,
            nth=nth,
            signal=int(number),
            out=str(self.out),
            environment={DATABASE_URL: self.dsn} if self.dsn else {},
            arguments=["serve", "--data", str(self.config.data), "--log", str(self.log)],
        )

    async def start(self, says: str = "ready") -> None:
        """Start the process and return once it says that it is ready, or something else."""
        await self.begin()
        word = says.encode()
        await until(lambda: word in self.out.read_bytes() or self.has_ended, seconds=SECONDS)
        assert not self.has_ended, self.out.read_text()

    @property
    def has_ended(self) -> bool:
        return self.pid in self.maker.ended

    async def end(self, *, seconds: float = SECONDS) -> int:
        """Wait until the process has ended, and return its code."""
        await until(lambda: self.has_ended, seconds=seconds)
        return self.maker.ended[self.pid]

    def send(self, number: signal.Signals) -> None:
        """Send the process a signal, unless it has ended."""
        if not self.has_ended:
            os.kill(self.pid, number)

    async def kill(self) -> None:
        """Kill the process as a power cut would."""
        self.send(signal.SIGKILL)
        await self.end()


@dataclass
class Brokers:
    """The brokers of one network on one database, and the case that everybody uses."""

    network: Network
    dsn: str
    folder: Path
    maker: Maker
    ca: str
    case: bytes = b""
    all: list[Doomed] = field(default_factory=list[Doomed])

    @property
    def writers(self) -> list[Machine]:
        machines = self.network.machines.values()
        return [m for m in machines if m.node == NODES[0] and m.roles == WRITER_ROLES]

    @property
    def readers(self) -> list[Machine]:
        return [m for m in self.network.machines.values() if m.node == NODES[1]]

    @property
    def one(self) -> Doomed:
        return self.all[0]


@asynccontextmanager
async def brokers(
    count: int = 1,
    *,
    embedded: bool = False,
    writers: int = 4,
    readers: int = 3,
    folder: Path | None = None,
) -> AsyncGenerator[Brokers, None]:
    """Give founded brokers that are not started yet, with a channel of two nodes."""
    outer = Path(tempfile.mkdtemp(prefix="seefen-doomed-", dir=folder or "/tmp"))
    outer.chmod(0o711)
    network = Network(at=int(time.time()), origin="seefen")
    maker = Maker()
    await maker.open()
    try:
        configs = _configs(outer, count, network)
        async with AsyncExitStack() as stack:
            own = Embedded(configs[0].postgres) if embedded else None
            if own is None:
                dsn = await stack.enter_async_context(empty_database())
            else:
                await asyncio.to_thread(own.start)
                stack.callback(own.stop)
                dsn = own.dsn
            it = Brokers(network, dsn, outer, maker, tls.ca_pem(configs[0].data))
            await _found(it, configs[0], writers, readers)
            if own is not None:
                await asyncio.to_thread(own.stop)  # from here on its broker runs it
            it.all = [Doomed(maker, config, "" if embedded else dsn) for config in configs]
            try:
                yield it
            finally:
                await maker.close()
                if own is not None:
                    own._end_leftover()
    finally:
        if maker._process is not None and maker._process.returncode is None:
            await maker.close()
        shutil.rmtree(outer, ignore_errors=True)


def _configs(outer: Path, count: int, network: Network) -> list[Config]:
    """Return one data folder for each broker, all with the same keys."""
    configs: list[Config] = []
    for number in range(count):
        address = f"127.0.0.1:{free_port()}"
        config = Config(
            outer / f"broker-{number}", "seefen", f"https://{address}", address,
            logins_per_minute_per_address=1_000_000,
            logins_per_hour_per_device=1_000_000,
            bad_proofs_before_block=1_000_000,
            free_disk_percent=0,
            sockets_per_device=100,
            high_water=str(outer / "high-water"),
        )  # fmt: skip
        if number == 0:
            config.data.mkdir(mode=0o711)  # nobody, who runs PostgreSQL, passes through
            prepare(config, network, network.at)
        else:
            shutil.copytree(configs[0].data, config.data)
        (config.data / FILE).write_text(write_config(config))
        configs.append(config)
    return configs


async def _found(it: Brokers, config: Config, writers: int, readers: int) -> None:
    network = it.network
    many = [EVERY_ROLE, *[WRITER_ROLES] * writers]
    async with open_services(replace(config, database=it.dsn), it.dsn) as services:
        submit = services.broker.submit
        await services.broker.found(network.found())
        network.take(network.found())
        for node, machines in (
            (NODES[0], many),
            (NODES[1], [EVERY_ROLE, *[WRITER_ROLES] * (readers - 1)]),
        ):
            bundle = network.admit(node, machines=machines)
            await submit(None, bundle, 0)
            network.take(bundle)
        author = network.of(NODES[0])
        it.case, bundle = open_case(network, author, NODES[1], form="channel")
        await submit(author.device, bundle, 0)
        network.take(bundle)
