"""An officer's command on a line that is open and carries nothing: real processes, a real proxy.

As after a change of modem: nothing is refused, nothing comes. He hears within seconds that his
alert is kept and acknowledged by nobody; it leaves once, whether the broker had the first copy.
"""

import asyncio
import os
import pty
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from seefen.client.cli import sending
from seefen.client.wire import QUIET
from tests.client.cli.stage import SEEFEN
from tests.client.homes import PASSPHRASE, Site
from tests.client.proxied import proxied
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE
from tests.support.faultbook import note
from tests.support.faultproxy import Bad, FaultProxy

pytestmark = pytest.mark.timeout(300)
PATIENCE = 90  # seconds until something must have come true, on a busy machine
SOON = 20  # seconds in which an officer must have heard, on a busy machine
ANSWERS = ("Merdare, in", "1 rifle", "", "", "", "", "", "")
WORDS = ("alert", "send", "--where", "Merdare, in", "--carrying", "1 rifle")


@dataclass
class Shift:
    """A broker, the line to it, and the home of an officer whose commands are processes."""

    place: Site
    proxy: FaultProxy

    def command(self, *argv: str) -> "Typed":
        return Typed(self.place.home(self.place.network.of(SKOPJE)), *argv)

    async def run(self, *argv: str) -> tuple[int, str, float]:
        """Run a command to its end; return code, screen, and the seconds it took."""
        began = time.monotonic()
        with typed(self.command(*argv)) as command:
            code = await asyncio.to_thread(command.ends)
        return code, command.shown, time.monotonic() - began

    async def objects(self) -> int:
        """Return how many objects stand in the broker's log, none of them twice."""
        db = await asyncpg.connect(self.place.broker.dsn)
        try:
            rows = await db.fetch("SELECT object_id FROM activity_leaf WHERE kind = 'object'")
        finally:
            await db.close()
        assert len(rows) == len({row["object_id"] for row in rows})
        return len(rows)


@pytest.fixture
async def shift(tmp_path: Path) -> AsyncIterator[Shift]:
    async with proxied(tmp_path, SKOPJE, BELGRADE) as (place, proxy):
        async with place.briefly(SKOPJE) as client:
            await client.house.prepare()
            await client.channels.open(CHANNEL, [BELGRADE])
        yield Shift(place, proxy)


class Typed:
    """A command at a terminal of its own, 60 columns wide."""

    def __init__(self, home: Path, *argv: str) -> None:
        self._screen, end = pty.openpty()
        self.shown = ""
        self._process = subprocess.Popen(
            [*SEEFEN, "--home", str(home), *argv], stdin=end, stdout=end, stderr=end,
            start_new_session=True, close_fds=True,
            env={
                **os.environ, "TERM": "dumb", "COLUMNS": "60", "SEEFEN_PASSPHRASE": PASSPHRASE,
                "LINES": "24",  # without it no width counts at a dumb terminal, and a line breaks
            },
        )  # fmt: skip
        os.close(end)

    def sees(self, part: str) -> float:
        """Wait until a part of the screen is there; return how many seconds that took."""
        began = time.monotonic()
        while part not in " ".join(self.shown.split()):
            assert time.monotonic() < began + PATIENCE, self.shown
            self._look()
        return time.monotonic() - began

    def type(self, *lines: str) -> None:
        """Answer questions."""
        os.write(self._screen, "".join(f"{line}\n" for line in lines).encode())

    def interrupt(self) -> None:
        """Do what the terminal does at Ctrl-C."""
        os.killpg(self._process.pid, signal.SIGINT)

    def ends(self) -> int:
        """Return the exit code, with all that is on the screen in ``shown``."""
        with suppress(OSError):  # the other end is closed: all was read
            while self._look():
                pass
        return self._process.wait(PATIENCE)

    def close(self) -> None:
        """End it."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._screen)

    def _look(self) -> bytes:
        data = os.read(self._screen, 4096)
        self.shown += data.decode(errors="replace")
        return data


@contextmanager
def typed(command: Typed) -> Generator[Typed]:
    try:
        yield command
    finally:
        command.close()


async def test_an_alert_on_a_line_open_at_one_end_leaves_on_another(shift: Shift) -> None:
    with typed(shift.command("alert", "send")) as command:
        await asyncio.to_thread(command.sees, "Where?")
        shift.proxy.silence()  # the modem changes while he types: new lines are good
        began = time.monotonic()
        command.type(*ANSWERS)
        await asyncio.to_thread(command.sees, "recorded")
        took = time.monotonic() - began
        assert await asyncio.to_thread(command.ends) == 0, command.shown
    assert f"{CHANNEL}#1" in command.shown
    assert took < SOON
    assert await shift.objects() == 1
    note(
        "network", "line open at one end only while an alert is typed", count=1,
        held=f"recorded on another line after {took:.1f} s (silent for {QUIET} s)",
    )  # fmt: skip


@pytest.mark.parametrize("arrives", [False, True], ids=["nothing arrives", "the alert arrives"])
async def test_on_a_silent_line_he_hears_that_nobody_has_acknowledged(
    shift: Shift, *, arrives: bool
) -> None:
    """Whether the broker has the first copy or not: it stands once, and no draft is left over."""
    with typed(shift.command("alert", "send")) as command:
        await asyncio.to_thread(command.sees, "Where?")
        shift.proxy.bad = Bad(swallow_up=not arrives, swallow_down=True)
        command.type(*ANSWERS)
        began = time.monotonic()
        await asyncio.to_thread(command.sees, "kept on this machine, NOT acknowledged")
        told = time.monotonic() - began
        code = await asyncio.to_thread(command.ends)
        ended = time.monotonic() - began
    assert code == 3, command.shown
    assert told < SOON
    shown = " ".join(command.shown.split())
    assert "Queued, NOT acknowledged" in shown
    assert "recorded" not in shown
    assert "seefen queue list" in shown
    assert await shift.objects() == int(arrives)

    shift.proxy.bad = Bad()
    code, shown, _ = await shift.run("queue", "list")
    assert code == 0, shown
    assert "Nothing waits" in shown
    assert await shift.objects() == 1
    with typed(shift.command("alert", "send")) as command:
        await asyncio.to_thread(command.sees, "Where?")  # what is in the queue is no draft
        assert "Draft of" not in command.shown
    note(
        "network", f"silent line while an alert is sent, {'' if arrives else 'not '}at the broker",
        count=1, held=f"I1 I2: told after {told:.1f} s, queued after {ended:.0f} s",
    )  # fmt: skip


async def test_a_command_that_begins_on_a_silent_line_ends_with_what_holds(shift: Shift) -> None:
    shift.proxy.bad = Bad(swallow_down=True)
    code, shown, took = await shift.run(*WORDS)
    assert code == 3, shown
    assert "NOT acknowledged" in " ".join(shown.split())
    assert took < 2 * SOON
    code, shown, _ = await shift.run("queue", "list")
    assert "the broker cannot be reached" in " ".join(shown.split())
    waiting = shown.split("ID ")[1].split()[0]
    code, shown, took = await shift.run("queue", "drop", waiting, "--yes")
    assert code == 0, shown
    assert took < SOON, "it asks nobody"
    shift.proxy.bad = Bad()
    assert "Nothing waits" in (await shift.run("queue", "list"))[1]
    assert await shift.objects() == 0
    note(
        "network", "silent line before a command: an alert, then its drop", count=1,
        held="I1 I2: NOT acknowledged; dropped without the broker, it never leaves",
    )  # fmt: skip


async def test_a_live_view_on_a_dead_line_gives_way_to_an_alert(shift: Shift) -> None:
    with typed(shift.command("tail")) as live:
        await asyncio.to_thread(live.sees, "Ctrl-C ends it")
        shift.proxy.silence()
        code, shown, took = await shift.run(*WORDS)
        assert code == 0, shown
        assert f"{CHANNEL}#1" in shown
        assert took < SOON
    assert await shift.objects() == 1
    note(
        "network", "line open at one end only under a live view; an alert beside it", count=1,
        held=f"I1 I2: the view gives way, recorded after {took:.1f} s",
    )  # fmt: skip


async def test_ctrl_c_before_the_receipt_keeps_it_once(shift: Shift) -> None:
    with typed(shift.command("alert", "send")) as command:
        await asyncio.to_thread(command.sees, "Where?")
        shift.proxy.bad = Bad(swallow_up=True, swallow_down=True)
        command.type(*ANSWERS)
        await asyncio.to_thread(command.sees, "NOT acknowledged")
        command.interrupt()
        assert await asyncio.to_thread(command.ends) == 130, command.shown
    shift.proxy.bad = Bad()
    assert "Nothing waits" in (await shift.run("queue", "list"))[1]
    assert await shift.objects() == 1
    note(
        "network", "silent line while an alert is sent, ended with Ctrl-C", count=1,
        held="I1 I2: queued once, recorded once",
    )  # fmt: skip


def test_he_is_told_before_another_line_is_tried() -> None:
    assert sending._RECEIPT <= QUIET
