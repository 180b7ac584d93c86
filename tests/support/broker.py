"""Brokers for tests: one in this process, and one that is the real ``seefen-server``.

Both are founded with the keys of a :class:`tests.support.network.Network`, listen on a
free port of the loopback address, speak TLS 1.3 and keep everything in PostgreSQL.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from seefen.protocol.bundle import Bundle
from seefen.protocol.directory import Directory
from seefen.protocol.envelope import open_envelope, sign
from seefen.protocol.frames import Recorded
from seefen.protocol.statements import Activity, Device, Mailbox, Revoke, View
from seefen.protocol.suite import sha256
from seefen.server import tls
from seefen.server.app import listening, open_services
from seefen.server.config import Config
from seefen.server.web.services import Services
from tests.support.database import empty_database
from tests.support.network import Network

SERVER = (sys.executable, "-m", "seefen.server")
READY_SECONDS = 60


# --- a broker in this process ----------------------------------------------------------


@dataclass
class LocalBroker:
    """A broker that runs in this process, on a real socket with real TLS."""

    config: Config
    services: Services
    network: Network
    dsn: str

    @property
    def ca(self) -> str:
        """What devices believe."""
        return tls.ca_pem(self.config.data)

    async def take(self, bundle: Bundle) -> Recorded:
        """Let the broker record a bundle without a login, and the network take it in."""
        recorded = await self.services.broker.submit(self._sender(bundle), bundle, 0)
        self.network.take(bundle)
        return recorded

    def _sender(self, bundle: Bundle) -> bytes | None:
        first = bundle.statements[0]
        statement = open_envelope(first.envelope, first.kind).statement
        if isinstance(statement, Activity):
            return statement.device
        if isinstance(statement, Device | Revoke | Mailbox | View):
            return self.network.admin(statement.node).device
        return None  # what the root has signed needs no login


@asynccontextmanager
async def local_broker(
    *nodes: str,
    clock: Callable[[], int] | None = None,
    dsn: str | None = None,
    front: str = "",
    roots: int = 2,
    witnesses: tuple[bytes, ...] = (),
    quorum: int = 0,
    **settings: Any,
) -> AsyncGenerator[LocalBroker, None]:
    """Give a founded broker with ``nodes``, each with one machine of every role.

    Args:
        front: The address that devices are told, where something stands before the broker.
    """
    at = int(time.time()) if clock is None else clock()
    network = Network(at=at, origin="seefen", roots=roots, witnesses=witnesses, quorum=quorum)
    folder = Path(tempfile.mkdtemp(prefix="seefen-local-", dir="/tmp"))
    address = f"127.0.0.1:{free_port()}"
    many: dict[str, Any] = {
        "logins_per_minute_per_address": 10_000,
        "free_disk_percent": 0,
        **settings,
    }
    config = Config(folder, "seefen", f"https://{front or address}", address, **many)
    prepare(config, network, at)
    try:
        async with empty_database() as fresh:
            options: dict[str, Any] = {} if clock is None else {"clock": clock}
            async with open_services(config, dsn or fresh, **options) as services:
                await services.broker.found(network.found())
                network.take(network.found())
                broker = LocalBroker(config, services, network, dsn or fresh)
                for node in nodes:
                    await broker.take(network.admit(node))
                async with listening(config, services):
                    yield broker
    finally:
        shutil.rmtree(folder)


def prepare(config: Config, network: Network, at: int) -> None:
    """Put the log key and the certificates of a broker into its data folder."""
    config.log_key.touch(mode=0o600)
    config.log_key.write_text(network.log_key.secret.hex())
    tls.make_authority(config.data, config.name, datetime.fromtimestamp(at, UTC))
    tls.make_certificate(config.data, config.host, datetime.fromtimestamp(at, UTC))


# --- the real process --------------------------------------------------------------------


class RunningBroker:
    """A ``seefen-server`` of its own process on its own data folder."""

    def __init__(self, data: Path, address: str, listen: str = "") -> None:
        self.data = data
        self.address = address
        self.listen = listen or address
        self.url = f"https://{address}"
        self.network = Network(at=int(time.time()), origin="seefen")
        self.log = data.parent / "broker.log"
        self.process: asyncio.subprocess.Process | None = None

    @property
    def about(self) -> dict[str, str]:
        """The content of ``broker.json``."""
        content: dict[str, str] = json.loads((self.data / "broker.json").read_text())
        return content

    @property
    def ca(self) -> str:
        """What devices believe."""
        return self.about["ca"]

    async def init(self) -> None:
        """Make the data folder, and set no limits that many clients on one machine would meet."""
        await run_server(
            "init", "--data", self.data, "--address", self.address, "--listen", self.listen
        )
        with (self.data / "seefen.toml").open("a") as settings:
            settings.write("logins_per_minute_per_address = 100000\nfree_disk_percent = 0\n")

    async def found(self, root_file: Path | None = None) -> None:
        """Open the network, with the keys of :attr:`network` or with a file of another's."""
        if root_file is None:
            root_file = self.data.parent / "root-1.seefen"
            root_file.write_bytes(self.root_envelope())
        await run_server("init", "--data", self.data, "--root", root_file)
        if not self.network.directory.size:
            self.network.take(self.network.found())

    def root_envelope(self) -> bytes:
        """Return root version 1 for this broker, signed with the keys of :attr:`network`."""
        network, about = self.network, self.about
        network.root = msgspec.structs.replace(
            network.root,
            log_key=bytes.fromhex(about["log_key"]),
            tls_pins=(bytes.fromhex(about["pin"]),),
            origin=about["origin"],
        )
        network.founding = sign(network.root, *network.roots[: network.root.threshold])
        network.net = sha256(open_envelope(network.founding, "root").payload)
        network.directory = Directory(network.net)
        return network.founding

    async def start(self) -> None:
        """Return once it says that it is ready."""
        self.process = await asyncio.create_subprocess_exec(
            *SERVER, "serve", "--data", self.data, "--log", self.log,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stdout is not None
        async with asyncio.timeout(READY_SECONDS):
            line = await self.process.stdout.readline()
        assert b"ready" in line, f"the broker did not start: {line!r}"

    async def stop(self) -> int:
        """Stop it in order and return its exit code."""
        return await self._end(signal.SIGTERM)

    async def kill(self) -> int:
        """Kill it as a power cut would; its PostgreSQL goes on until the next start."""
        return await self._end(signal.SIGKILL)

    async def restart(self) -> None:
        """Start it again after :meth:`stop` or :meth:`kill`."""
        await self.start()

    async def invite(self, node: str) -> Path:
        """Return the invite of a node, made while the broker runs."""
        path = self.data.parent / f"{node}.invite"
        await run_server("invite", node, "--data", self.data, "--out", path)
        return path

    async def _end(self, number: signal.Signals) -> int:
        if self.process is None:
            return 0
        if self.process.returncode is None:
            self.process.send_signal(number)
        await self.process.communicate()
        code = self.process.returncode
        self.process = None
        return 0 if code is None else code


@asynccontextmanager
async def running_broker(
    tmp_path: Path | None = None, *, found: bool = True, address: str = "", listen: str = ""
) -> AsyncGenerator[RunningBroker, None]:
    """Give a broker that was made, founded and started by the commands an operator types.

    Args:
        tmp_path: Where its folders go, if nobody (as whom root runs PostgreSQL) may go
            there; another folder in /tmp otherwise.
        found: False leaves the network closed and the broker stopped, for a test that
            founds with its own keys: ``await broker.found(file); await broker.start()``.
        address: Where devices reach it; a free port of the loopback address if empty.
        listen: Where it waits, if that is another place: behind a relay.
    """
    usable = tmp_path is not None and _passable(tmp_path)
    outer = tmp_path if usable and tmp_path else Path(tempfile.mkdtemp(prefix="seefen-run-"))
    if not usable:
        outer.chmod(0o711)
    broker = RunningBroker(outer / "broker", address or f"127.0.0.1:{free_port()}", listen)
    try:
        await broker.init()
        if found:
            await broker.found()
            await broker.start()
        yield broker
    finally:
        await broker.stop()
        if not usable:
            shutil.rmtree(outer, ignore_errors=True)


async def run_server(*arguments: object, code: int = 0) -> str:
    """Run a command of ``seefen-server`` and return what it printed, both ways."""
    process = await asyncio.create_subprocess_exec(
        *SERVER, *map(str, arguments),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said = (await process.communicate())[0].decode()
    assert process.returncode == code, f"{arguments}: {process.returncode}\n{said}"
    return said


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on.

    Not one that the system gives away: before a broker listens on it, a line of another test
    could have it. Each worker has ports of its own.
    """
    for port in _PORTS:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("the ports of this worker do not end")


def _own_ports() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw10").removeprefix("gw"))
    first, begin = 10_000 + worker % 11 * 2_000, random.randrange(2_000)
    return (first + (begin + n) % 2_000 for n in itertools.count())


_PORTS: Final = _own_ports()


def _passable(folder: Path) -> bool:
    return os.geteuid() != 0 or all(p.stat().st_mode & 1 for p in (folder, *folder.parents))
