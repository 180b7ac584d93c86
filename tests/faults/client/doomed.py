"""A device whose processes are killed, and what is held against its disk and the broker.

The vault of a dead process is opened from outside: what it promised (a draft, an own entry,
a head) must stand when the device has come up again.
"""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from seefen.client import Client
from seefen.client.drafts import Draft
from seefen.client.keyfile import NAME, read_key_file
from seefen.client.vault import NAME as VAULT
from seefen.client.vault import Vault
from seefen.protocol.encoding import decode
from seefen.protocol.ledger.tree import CompactRange, leaf_hash
from seefen.protocol.suite import random_bytes
from tests.client.homes import PASSPHRASE, Site
from tests.client.scenes import CHANNEL
from tests.faults.client.points import OFTEN
from tests.faults.client.shift import CANARY, seizure
from tests.support.canaries import look_for
from tests.support.killpoints import Point
from tests.support.network import Machine

LIFE_SECONDS = 90  # until a kill point must have been met, on a busy machine
SIZE = (1 << 20) + 1000  # bytes of a photograph: two parts
REFUSED = 70  # what a process ends with that was stopped by an error


class PromiseBrokenError(Exception):
    """What a device or the broker said before does not hold any more."""


def demand(holds: bool, text: str) -> None:
    """Raise :class:`PromiseBrokenError` with ``text`` unless it ``holds``."""
    if not holds:
        raise PromiseBrokenError(text)


class Launcher:
    """The process that forks clients."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self._process = process
        self._said = folder / "said"

    async def run(self, task: str, home: Path, point: Point | None = None, **rest: str) -> int:
        """Return how a client process ended that did ``task``; 0 if it did it to the end."""
        nth = 1
        if point is not None and point.function in OFTEN and task != "join":
            nth = 1 + random_bytes(1)[0] % 2  # a join that goes on takes some steps once
        order = {
            "task": task, "home": str(home), "point": "" if point is None else point.name,
            "nth": nth, "said": str(self._said), **rest,
        }  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        async with asyncio.timeout(LIFE_SECONDS):
            line = await self._process.stdout.readline()
        return int(line)

    @property
    def said(self) -> str:
        """What the last process wrote to its terminal."""
        return self._said.read_text(errors="replace")


@asynccontextmanager
async def launcher(folder: Path) -> AsyncGenerator[Launcher, None]:
    """Give a launcher, and end it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.client.launcher",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Launcher(process, folder)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


@dataclass
class Doomed:
    """A device, and everything its dead processes promised."""

    place: Site
    machine: Machine
    home: Path
    launcher: Launcher
    got: Path
    photo: Path
    drafts: dict[bytes, bool] = field(default_factory=dict[bytes, bool])
    entries: dict[int, bytes] = field(default_factory=dict[int, bytes])
    heads: dict[int, bytes] = field(default_factory=dict[int, bytes])

    async def dies(self, task: str, point: Point) -> None:
        """Let a process work until it is killed at a point, and look at what it left."""
        code = await self._run(task, point)
        demand(code == -signal.SIGKILL, f"{point.name}: ended with {code}: {self.launcher.said}")
        self.look()

    async def lives(self, task: str) -> None:
        """Let a process work to its end."""
        code = await self._run(task, None)
        demand(code == 0, f"{task}: ended with {code}: {self.launcher.said}")
        self.look()

    async def is_shut_out(self, task: str) -> None:
        """Let a process of the revoked device try: it is not let in and learns nothing (I6)."""
        known = set(self.entries)
        code = await self._run(task, None)
        told = "LoginError" in self.launcher.said
        demand(code == REFUSED and told, f"I6: ended with {code}: {self.launcher.said}")
        self.look()
        demand(set(self.entries) == known, "I6: a revoked device was given an entry")

    async def _run(self, task: str, point: Point | None) -> int:
        paths = {"photo": str(self.photo), "got": str(self.got)}
        return await self.launcher.run(task, self.home, point, **paths)

    def look(self) -> None:
        """Open key file and vault from outside, and note what they promise."""
        self.look_at_disk()
        keys = read_key_file(self.home / NAME, PASSPHRASE)
        vault = Vault.open(self.home / VAULT, keys.vault)
        try:
            demand(vault.one("PRAGMA integrity_check") == ("ok",), "the vault is damaged")
            for (fields,) in vault.run("SELECT fields FROM draft"):
                draft = decode(fields, Draft, limit=1 << 22)
                self.drafts[draft.object] = bool(draft.file)
            sql = "SELECT idx, envelope FROM entry WHERE envelope IS NOT NULL"
            for index, envelope in vault.run(sql):
                same = self.entries.setdefault(index, envelope) == envelope
                demand(same, f"I1: entry {index} was changed")
            demand(
                set(self.entries)
                <= {
                    row[0] for row in vault.run("SELECT idx FROM entry WHERE envelope IS NOT NULL")
                },
                "I1: an entry is gone",
            )
            head = vault.head("activity")
            if head is not None:
                demand(head[0].size >= max(self.heads, default=0), "a head went back")
                self.heads[head[0].size] = head[0].root
        finally:
            vault.close()

    def look_at_disk(self) -> None:
        """Look for words and halves of files outside the sealed vault (I5)."""
        demand(CANARY not in self.launcher.said, "I5: a dead process has said a canary")
        for path in self.home.rglob("*"):
            if path.is_file():
                demand(CANARY.encode() not in path.read_bytes(), f"I5: {path} holds a canary")
        for path in self.got.rglob("*.jpg"):
            whole = path.read_bytes() == self.photo.read_bytes()
            demand(whole, f"{path} is not the whole file")

    async def check(self) -> None:
        """Hold everything against the broker's database, when the device is up again."""
        connection = await asyncpg.connect(self.place.broker.dsn)
        try:
            rows = await connection.fetch("SELECT * FROM activity_leaf ORDER BY idx")
        finally:
            await connection.close()
        objects = [row["object_id"] for row in rows if row["kind"] == "object"]
        demand(len(objects) == len(set(objects)), "I2: an object stands twice")
        demand(set(self.drafts) <= set(objects), "a draft was lost")
        numbers = [row["device_n"] for row in rows if row["device_id"] == self.machine.device]
        demand(numbers == list(range(1, len(numbers) + 1)), "I7: numbers are out of order")
        tree = CompactRange()
        for size, row in enumerate(rows, start=1):
            tree.append(leaf_hash(row["record"]))
            demand(self.heads.get(size) in (None, tree.root()), f"I4: head {size} does not hold")
        demand(max(self.heads, default=0) <= len(rows), "I4: a head of a longer log")
        left = [path for path in self.got.rglob("*") if path.is_file() and path.suffix != ".jpg"]
        demand(left == [], f"plaintext was left: {left}")
        left = list((self.home / "outbox").glob("*"))
        demand(left == [], f"sealed files were left: {left}")
        await look_for(
            (CANARY,), self.machine.node, self.place.broker.dsn, self.place.broker.config.data
        )
        await self._check_messages()

    async def _check_messages(self) -> None:
        async with self.place.briefly(self.machine.node) as client:
            demand(client.queued() == [], "something still waits")
            demand(client.alarm is None, f"an alarm: {client.alarm}")
            sql = "SELECT object, file, reply_to FROM object WHERE node = ?"
            own = client._engine.vault.run(sql, client.node)
        messages = [object_ for object_, file, _ in own if not file]
        parents = sorted(parent for _, file, parent in own if file)
        demand(parents == sorted(messages), "I2: a message has no photograph, or two")


async def partner_sends(client: Client, photo: Path) -> None:
    """Let a partner send an alert with a photograph, for the device to take in."""
    sent = await client.alerts.send(seizure(), CHANNEL, [photo])
    demand(not sent.queued, f"the partner's alert waits: {sent.problem}")
