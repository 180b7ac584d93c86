"""A stage for transcripts: a real broker, and devices of several nodes that stay open.

Joining goes through the commands themselves. After that the clients live on one loop in a
thread, as in a long-running device process, and commands run on them through ``main``.
"""

import asyncio
import io
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from PIL import Image

from seefen.client import Client
from seefen.client.cli import main, session
from tests.support.broker import RunningBroker, running_broker

T = TypeVar("T")
SEEFEN = (sys.executable, "-m", "seefen.client")
PASSPHRASE = "five words are many enough"


def photograph(path: Path) -> Path:
    """Write a photograph that says nothing of itself, and is small enough to go as it is."""
    Image.effect_noise((400, 300), 60).save(path, "JPEG", quality=90)
    return path


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


@dataclass
class Stage:
    """A broker and its devices."""

    loop: asyncio.AbstractEventLoop
    broker: RunningBroker
    folder: Path
    stack: AsyncExitStack
    clients: dict[str, Client] = field(default_factory=dict[str, Client])
    _opened: dict[str, AsyncExitStack] = field(default_factory=dict[str, AsyncExitStack])

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on the loop of the devices."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def home(self, device: str) -> Path:
        """Return the home of a device."""
        return self.folder / device

    def alone(self, device: str, *argv: object) -> Said:
        """Run a command as a process of its own would."""
        session.host(None, None)
        return command("--home", self.home(device), *argv)

    def run(self, device: str, *argv: object, typed: list[str] | None = None) -> Said:
        """Run a command on the open client of a device; with ``typed`` on a terminal."""
        session.host(self.clients[device], self.loop)
        try:
            return command(*argv, typed=typed)
        finally:
            session.host(None, None)

    def ok(self, device: str, *argv: object, typed: list[str] | None = None) -> str:
        """Run a command that must succeed and return what it printed."""
        said = self.run(device, *argv, typed=typed)
        assert said.code == 0, said
        return said.out

    def join(self, invites: dict[str, Path], *admit: object, by: str | None = None) -> str:
        """Join devices by commands on both sides and open them; return what joiners saw.

        Each one who joins is a process of its own, as on his machine.
        """
        joiners = [self._joiner(device, invite) for device, invite in invites.items()]
        words = ("admit", *invites.values(), "--wait", 60, "--yes", *admit)
        admitted = self.alone("nobody", *words) if by is None else self.run(by, *words)
        said = "".join(joiner.communicate(timeout=60)[0] for joiner in joiners)
        codes = [admitted.code, *(joiner.returncode for joiner in joiners)]
        assert set(codes) == {0}, (admitted, said)
        for device in invites:
            self.open(device)
        return said

    def _joiner(self, device: str, invite: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*SEEFEN, "--home", self.home(device), "join", invite],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8",
        )  # fmt: skip

    def open(self, device: str) -> None:
        """Open a device on the loop."""
        opened = self.wait(self.stack.enter_async_context(AsyncExitStack()))
        client = Client.open(self.home(device), PASSPHRASE)
        self.clients[device] = self.wait(opened.enter_async_context(client))
        self._opened[device] = opened

    def close(self, device: str) -> None:
        """Close a device, so that a process of its own can open it."""
        self.wait(self._opened.pop(device).aclose())
        del self.clients[device]


def command(*argv: object, typed: list[str] | None = None) -> Said:
    """Run one command line with streams of its own."""
    out, err = (io.StringIO(), io.StringIO()) if typed is None else (Terminal(), Terminal())
    stdin = io.StringIO() if typed is None else Terminal("".join(f"{line}\n" for line in typed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        patch.setattr(sys, "stdin", stdin)
        code = main([str(word) for word in argv])
    return Said(code, out.getvalue(), err.getvalue())


@contextmanager
def stage(folder: Path) -> Generator[Stage]:
    """Give a broker that was founded by ``seefen found``, and no device yet."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    stack = AsyncExitStack()

    def wait(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result(120)

    try:
        broker = wait(stack.enter_async_context(running_broker(found=False)))
        made = Stage(loop, broker, folder, stack)
        card, keys = broker.data / "broker.json", ("--keys", 2, "--threshold", 1)
        said = made.alone("nobody", "found", card, *keys, "-o", folder / "root")
        assert said.code == 0, said
        wait(broker.found(folder / "root" / "root.statement"))
        wait(broker.start())
        yield made
    finally:
        wait(stack.aclose())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def eventually(look: Callable[[], str], *parts: str, seconds: float = 60) -> str:
    """Return what ``look`` shows once all parts are in it."""
    end = time.monotonic() + seconds
    while missing := [part for part in parts if part not in (shown := look())]:
        assert time.monotonic() < end, f"{missing} not in:\n{shown}"
        time.sleep(0.1)
    return shown
