"""A broker on a database of its own, that is started to die and started again, and its crowd."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from seefen.protocol.ledger.tree import CompactRange, leaf_hash
from seefen.server.app import open_services
from seefen.server.broker import Broker
from seefen.server.config import DATABASE_URL, read_config
from tests.faults.broker.crowd import CANARY, Member, Memory, Reader, Uploader, Watcher, demand
from tests.faults.broker.points import Point
from tests.support import casework
from tests.support.broker import RunningBroker, running_broker
from tests.support.database import empty_database

NODES = ("skopje-border", "belgrade-ffp")
OFFICER = ("field", "keyholder", "lead")
LIFE_SECONDS = 90  # until a kill point must have been met, on a busy machine
LIMITS = "logins_per_hour_per_device = 1000000\nbad_proofs_before_block = 1000000\n"


class Place:
    """The broker, its database, and what the crowd was told."""

    def __init__(self, broker: RunningBroker, dsn: str) -> None:
        """Use a broker that was founded and is not started."""
        self.broker = broker
        self.dsn = dsn
        self.memory = Memory(broker.network)
        self.members: list[Member] = []
        self.processes: list[asyncio.subprocess.Process] = []

    async def populate(self) -> None:
        """Admit two nodes, open a channel, and give everybody something to do."""
        network = self.broker.network
        async with open_services(read_config(self.broker.data), self.dsn) as services:
            for node in NODES:
                bundle = network.admit(node, machines=(*[casework_roles()], *[OFFICER] * 2))
                await services.broker.submit(None, bundle, 0)
                network.take(bundle)
            lead = network.of(NODES[0], "lead")
            channel, opening = casework.open_case(network, lead, NODES[1], form="channel")
            await self._take(services.broker, lead.device, opening)
        url, ca = self.broker.url, self.broker.ca
        skopje, belgrade = (
            [m for m in network.machines.values() if m.node == node] for node in NODES
        )
        plan = [
            (Member, skopje[0]), (Uploader, skopje[1]), (Member, skopje[2]),
            (Reader, belgrade[0]), (Watcher, belgrade[1]), (Reader, belgrade[2]),
        ]  # fmt: skip
        self.members = [kind(url, ca, by, channel, self.memory) for kind, by in plan]

    async def _take(self, broker: Broker, device: bytes, bundle: Any) -> None:
        recorded = await broker.submit(device, bundle, 0)
        self.broker.network.take(bundle, indices=[e.index for e in recorded.entries])

    async def start(self, point: Point | None = None, nth: int = 1) -> asyncio.subprocess.Process:
        """Start a broker process, which dies at ``point`` if there is one."""
        program = ("seefen.server",) if point is None else (
            "tests.faults.broker.launcher", str(point), str(nth),
        )  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *program, "serve",
            "--data", str(self.broker.data), "--log", str(self.broker.log),
            stdout=asyncio.subprocess.DEVNULL,
            env={**os.environ, DATABASE_URL: self.dsn},
        )  # fmt: skip
        self.processes.append(process)
        return process

    async def dies(self, point: Point, nth: int) -> None:
        """Start a broker, and return when it has died where it was to die."""
        process = await self.start(point, nth)
        async with asyncio.timeout(LIFE_SECONDS):
            code = await process.wait()
        demand(code == -signal.SIGKILL, f"{point}: ended with {code}")

    @asynccontextmanager
    async def crowd(self) -> AsyncGenerator[None, None]:
        """Let everybody work; at the end of the block, until nothing is under way."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for member in self.members:
                group.create_task(member.live(stop))
            try:
                yield
            finally:
                stop.set()

    async def close(self) -> None:
        """End every process."""
        for process in self.processes:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def check(self) -> None:
        """Hold everything that was told against what stands in the database."""
        connection: Any = await asyncpg.connect(self.dsn)
        try:
            rows = await connection.fetch("SELECT * FROM activity_leaf ORDER BY idx")
            head = await connection.fetchrow("SELECT * FROM ledger_head")
            objects = await connection.fetch("SELECT object_id, idx FROM object")
        finally:
            await connection.close()
        self._check_log(rows, head)
        self._check_objects(rows, {row["object_id"]: row["idx"] for row in objects})
        self._check_numbers(rows)

    def _check_log(self, rows: Sequence[Any], head: Any) -> None:
        memory, tree = self.memory, CompactRange()
        for n, row in enumerate(rows):
            demand(row["idx"] == n, f"I4: there is no entry {n}")
            tree.append(leaf_hash(row["record"]))
            known = memory.heads.get(n + 1)
            demand(known in (None, tree.root()), f"I4: the head of size {n + 1} does not hold")
        demand((head["activity_size"], head["activity_root"]) == (len(rows), tree.root()), "head")
        for index, record in memory.entries.items():
            demand(index < len(rows), f"I1: entry {index} was receipted and is gone")
            demand(rows[index]["record"] == record, f"I1: entry {index} was changed")

    def _check_objects(self, rows: Sequence[Any], stored: dict[bytes, int]) -> None:
        memory = self.memory
        logged = [row["object_id"] for row in rows if row["kind"] == "object"]
        demand(len(logged) == len(set(logged)), "I2: an object stands in the log twice")
        demand(set(logged) == set(stored), "an object without its entry, or the reverse")
        demand(set(stored) <= set(memory.sent), "an object nobody sent")
        for object_, index in memory.recorded.items():
            demand(stored.get(object_) == index, "I1: a receipt for an object that is not there")
        for _, index in memory.opened:
            demand(rows[index]["kind"] in ("access", "release"), "I3: a key without its entry")

    def _check_numbers(self, rows: Sequence[Any]) -> None:
        numbers: dict[bytes, int] = {}
        for row in rows:
            if row["device_id"] is not None:
                before = numbers.get(row["device_id"], 0)
                demand(row["device_n"] == before + 1, "I7: a device's numbers are out of order")
                numbers[row["device_id"]] = row["device_n"]

    def check_disk(self) -> None:
        """Look for what nobody may read, and for halves of files, on the broker's disk."""
        for path in [self.broker.log, *self.broker.data.rglob("*")]:
            if path.is_file() and "postgres" not in path.parts:
                demand(CANARY not in path.read_bytes(), f"I5: {path.name} holds a canary")


def casework_roles() -> tuple[str, ...]:
    """Return the roles of the first machine of a node."""
    return ("admin", "auditor", "field", "keyholder", "lead")


@asynccontextmanager
async def place(monkeypatch: Any) -> AsyncGenerator[Place, None]:
    """Give a broker with two nodes and a crowd, not started."""
    async with empty_database() as dsn:
        monkeypatch.setenv(DATABASE_URL, dsn)
        async with running_broker(found=False) as broker:
            settings: Path = broker.data / "seefen.toml"
            with settings.open("a") as file:
                file.write(LIMITS)
            await broker.found()
            made = Place(broker, dsn)
            await made.populate()
            try:
                yield made
            finally:
                await made.close()
