"""The stage: a real broker process with its PostgreSQL, a network, and homes of devices.

Each part of the benchmark is a module with ``async def run(stage: Stage) -> list[Row]``.

The broker is ``seefen-server serve``, started by the commands an operator types, over
TLS 1.3, with the embedded PostgreSQL. What a part needs to exist beforehand (nodes, cases,
a million objects) is recorded by the broker's own code in this process, with every check,
on the same database, while the other process is stopped::

    async with stage.workshop() as workshop:         # stops the broker
        await workshop.admit("skopje-border", "belgrade-ffp", machines=8)
        by = stage.network.of("skopje-border", "lead")
        channel = await workshop.open_case(by, "belgrade-ffp", form="channel")
        await workshop.watch(stage.network.of("belgrade-ffp"), channel)
    # here the broker runs again
    async with stage.client(machine) as client:      # a real client with a vault of its own
        ...

``stage.url``, ``stage.ca``, ``stage.dsn`` and ``stage.pid`` are the broker's,
``stage.network`` holds everybody's keys, ``stage.folder`` takes files, and ``stage.scale``
says how much to do. Names of nodes must be new: all parts share one network. A device
that wrote in the workshop cannot be a client later: its vault knows nothing of its numbers.
"""

import asyncio
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from seefen.client import Client
from seefen.protocol.bundle import Bundle
from seefen.protocol.case import Position
from seefen.protocol.errors import OutOfTurnError
from seefen.protocol.frames import Recorded
from seefen.protocol.ledger.record import Record
from seefen.protocol.messages import Note, encode_cover, encode_message
from seefen.protocol.suite import PlainKey, new_id
from seefen.server.app import open_services, read_log_key
from seefen.server.broker import Broker
from seefen.server.config import read_config
from seefen.server.database import own_database
from seefen.server.embedded import running_dsn
from seefen.server.errors import UnreachableError
from tests.client.homes import PASSPHRASE, make_home
from tests.support import casework
from tests.support.broker import READY_SECONDS, RunningBroker, running_broker
from tests.support.network import EVERY_ROLE, Machine, Network

OFFICER: Final = ("field", "keyholder", "lead")
GROUP: Final = 1024  # bundles on their way at once
TRIES: Final = 60  # while the database is too slow: another process has the machine
AGAIN_SECONDS: Final = 0.5
WATCH_SECONDS: Final = 4 * 3600
CONNECTIONS: Final = 150  # the raw rounds take one connection for each writer

_ID: Final = new_id()
_SAID: Final = Note(message_id=_ID, text=f"{'A pistol, its number was ground off. ' * 22}")
_NOTE: Final = encode_message(_SAID)
COVER: Final = encode_cover(_SAID.cover())


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is done: the same code for a test of seconds and for a night.

    Attributes:
        name: ``tiny`` (tests), ``usual`` or ``full``.
        rounds: How often ours and raw take turns.
        seconds: Of each round of a rate.
        writers: How many devices write at once, one rate for each.
        messages: Sent one by one to an idle broker.
        away: Objects a device missed.
        sizes: Of the log, for the growth.
    """

    name: str
    rounds: int
    seconds: float
    writers: tuple[int, ...]
    messages: int
    away: int
    sizes: tuple[int, ...]


SCALES: Final = {
    scale.name: scale
    for scale in (
        Scale("tiny", 1, 0.2, (1, 2), 3, 20, (60, 120)),
        Scale("usual", 3, 3.0, (1, 16, 64), 200, 10_000, (1_000, 30_000)),
        Scale("full", 5, 5.0, (1, 16, 64), 400, 10_000, (1_000, 10_000, 100_000, 1_000_000)),
    )
}


class Workshop:
    """The broker's own code in this process, to fill its database quickly."""

    def __init__(self, broker: Broker, network: Network) -> None:
        """Use a broker that is open."""
        self.broker = broker
        self.network = network

    async def admit(self, *nodes: str, machines: int = 1, roles: tuple[str, ...] = OFFICER) -> None:
        """Admit nodes: one machine of every role each, and more with ``roles``."""
        for node in nodes:
            made = (EVERY_ROLE, *[roles] * (machines - 1))
            await self.take(self.network.admit(node, machines=made), by=None)

    async def open_case(self, by: Machine, *partners: str, **options: Any) -> bytes:
        """Open a case (``form="channel"``: a channel) and return its id."""
        fields: dict[str, Any] = {"serial": len(self.network.cases) + 1, **options}
        case, bundle = casework.open_case(self.network, by, *partners, **fields)
        await self.take(bundle, by=by)
        return case

    async def take(self, bundle: Bundle, *, by: Machine | None) -> Recorded:
        """Record a bundle, and let the network take it in where it stands."""
        recorded = await self.broker.submit(None if by is None else by.device, bundle, 0)
        self.network.take(
            bundle,
            indices=[entry.index for entry in recorded.entries],
            sizes=[Record.decode(entry.record).authority_size for entry in recorded.entries],
        )
        return recorded

    async def watch(self, by: Machine, case: bytes) -> None:
        """Let a device go on watch in a channel, for longer than any load lasts.

        A client that is opened later knows nothing of it: its own ``client.watch.on`` does
        both. This is for devices that are only sockets.
        """
        ask = casework.access(self.network, by, case, scope="watch", seconds=WATCH_SECONDS)
        entry = (await self.broker.ask(by.device, ask)).entry
        size = Record.decode(entry.record).authority_size
        place = Position(size, entry.index, self.network.at)
        self.network.take_activity("access", ask.envelope, place)

    async def write(self, writers: Sequence[tuple[Machine, bytes]], count: int) -> None:
        """Record ``count`` messages, by these devices in their cases in turn, many at a time."""
        # One by one until the broker has every case in memory: then order is kept.
        for n in range(min(count, len(writers))):
            await self._next(*writers[n])
        for start in range(len(writers), count, GROUP):
            last: dict[bytes, asyncio.Task[Recorded]] = {}
            async with asyncio.TaskGroup() as group:
                for n in range(start, min(start + GROUP, count)):
                    by, case = writers[n % len(writers)]
                    coming = self._next(by, case, after=last.get(by.device))
                    last[by.device] = group.create_task(coming)

    def _next(
        self, by: Machine, case: bytes, *, after: asyncio.Task[Recorded] | None = None
    ) -> Coroutine[Any, Any, Recorded]:
        bundle = casework.message(self.network, by, case, note(), cover=COVER)
        casework.count(self.network, by, bundle)
        return self._submit(by.device, bundle, after)

    async def _submit(
        self, device: bytes, bundle: Bundle, after: asyncio.Task[Recorded] | None
    ) -> Recorded:
        """Do as a client does: the same bytes again; what came before its turn waits for it."""
        for _ in range(TRIES):
            try:
                return await self.broker.submit(device, bundle, 0)
            except UnreachableError:
                await asyncio.sleep(AGAIN_SECONDS)
            except OutOfTurnError:
                if after is None:
                    raise
                await after
        return await self.broker.submit(device, bundle, 0)


def note() -> bytes:
    """Return the body of a note of its own: a kibibyte before it is sealed."""
    return _NOTE.replace(_ID, new_id())


class Stage:
    """A running broker and everybody who uses it; :func:`stage` makes one."""

    def __init__(self, broker: RunningBroker, scale: Scale) -> None:
        """Use a broker that was founded and is not started."""
        self._broker = broker
        self.scale = scale
        self.network = broker.network
        self.url = broker.url
        self.folder = broker.data.parent
        self._homes: dict[bytes, Path] = {}

    @property
    def ca(self) -> str:
        """What devices believe."""
        return self._broker.ca

    @property
    def pid(self) -> int:
        """The process of the broker."""
        if self._broker.process is None:
            raise RuntimeError("the broker is stopped")
        return self._broker.process.pid

    @property
    def dsn(self) -> str:
        """The PostgreSQL in which the broker keeps everything."""
        dsn = running_dsn(self._broker.data / "postgres")
        if dsn is None:
            raise RuntimeError("the database is stopped")
        return dsn

    @property
    def log_key(self) -> PlainKey:
        """What the broker signs its logs with."""
        return read_log_key(read_config(self._broker.data))

    async def start(self, *without: str) -> None:
        """Start the broker; ``without`` ``"tls"``, ``"pq"`` or ``"gate"`` for a comparison only."""
        data = self._broker.data
        command = ("-m", "bench.variant", str(data), *without)
        if not without:
            log = self._broker.log
            command = ("-m", "seefen.server", "serve", "--data", str(data), "--log", str(log))
        # A session of its own, as a service has: Linux shares the cores between sessions.
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, stdout=asyncio.subprocess.PIPE, start_new_session=True
        )
        self._broker.process = process
        if process.stdout is None:
            raise RuntimeError("no output to wait for")
        async with asyncio.timeout(READY_SECONDS):
            line = await process.stdout.readline()
        if b"ready" not in line:
            raise RuntimeError(f"the broker did not start: {line!r}")

    async def stop(self) -> None:
        """Stop the broker in order; its database stops with it."""
        await self._broker.stop()

    @asynccontextmanager
    async def workshop(self) -> AsyncGenerator[Workshop]:
        """Stop the broker, fill its database with its own code, and start it again."""
        await self.stop()
        config = read_config(self._broker.data)
        with own_database(config) as database:
            async with open_services(config, database.dsn) as services:
                self.network.at = int(time.time())
                yield Workshop(services.broker, self.network)
        await self.start()

    @asynccontextmanager
    async def client(self, machine: Machine) -> AsyncGenerator[Client]:
        """Open the real client of a device, with a vault on the disk."""
        async with Client.open(self.home(machine), PASSPHRASE) as client:
            yield client

    def home(self, machine: Machine) -> Path:
        """Return the folder of a device, as joining leaves it: for ``Client.open``."""
        if machine.device not in self._homes:
            home = self.folder / f"home-{machine.device.hex()}"
            make_home(home, machine, self.network, self.url, self.ca)
            self._homes[machine.device] = home
        return self._homes[machine.device]


@asynccontextmanager
async def stage(scale: Scale) -> AsyncGenerator[Stage]:
    """Give a broker with an empty network, running; everything is gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="seefen-bench-", dir="/tmp"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as nobody, who must pass through
    try:
        async with running_broker(folder, found=False) as broker:
            await broker.found()
            with (broker.data / "postgres" / "data" / "postgresql.conf").open("a") as conf:
                conf.write(f"max_connections = {CONNECTIONS}\n")
            with (broker.data / "seefen.toml").open("a") as settings:
                settings.write("logins_per_hour_per_device = 100000\n")
            made = Stage(broker, scale)
            await made.start()
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def ask_process(module: str, task: bytes, *, seconds: float = 600) -> bytes:
    """Run ``python -m MODULE`` as a process of its own; return what it answers to ``task``.

    Raises:
        RuntimeError: It failed; what it said stands above.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(seconds):
            answer, _ = await process.communicate(task)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
    if process.returncode != 0:
        raise RuntimeError(f"{module} failed ({process.returncode})")
    return answer
