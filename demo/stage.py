"""The processes of the demo: started here, and all ended here, whatever happens."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from demo.screen import StoryError, console, shown, typed

SHORT, LONG = 30, 90  # seconds a command, or a start, may take


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command gave back."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Everything it printed."""
        return self.out + self.err

    def data(self) -> object:
        """Return what a command with --json printed."""
        return json.loads(self.out)


class Device:
    """A running device: commands go in, answers come out."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._process = process

    async def run(self, *argv: str, show: bool = True, may_fail: bool = False) -> Answer:
        """Type a command at this device and show what it prints.

        Raises:
            StoryError: The command failed and the story needs it to work.
        """
        if show:
            typed(self.name, "seefen " + " ".join(_quoted(word) for word in argv))
        answer = await self._ask(list(argv))
        if show:
            shown(answer.text)
        if answer.code != 0 and not may_fail:
            if not show:
                shown(answer.text)
            raise StoryError(f"{self.name}: `seefen {argv[0]}` ended with {answer.code}")
        return answer

    async def until(self, *argv: str, words: tuple[str, ...]) -> None:
        """Repeat a command, unseen, until its output holds all words.

        Raises:
            StoryError: It does not within half a minute.
        """
        for _ in range(SHORT * 5):
            answer = await self._ask(list(argv))
            if all(word in answer.out for word in words):
                return
            await asyncio.sleep(0.2)
        shown(answer.text)
        raise StoryError(f"{self.name} does not see {', '.join(words)}")

    async def json(self, *argv: str) -> object:
        """Run a command with --json, without showing it, and return its answer."""
        return (await self.run("--json", *argv, show=False)).data()

    async def ready(self) -> None:
        """Wait until the vault is open."""
        await self._read(LONG)

    async def _ask(self, argv: list[str]) -> Answer:
        if self._process.stdin is None:
            raise StoryError(f"{self.name} has ended")
        self._process.stdin.write(json.dumps(argv).encode() + b"\n")
        await self._process.stdin.drain()
        return await self._read(SHORT)

    async def _read(self, seconds: float) -> Answer:
        if self._process.stdout is None:
            raise StoryError(f"{self.name} has ended")
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), seconds)
        except TimeoutError:
            raise StoryError(f"{self.name} did not answer within {seconds} s") from None
        if not line:
            raise StoryError(f"{self.name} ended unexpectedly")
        fields = json.loads(line)
        return Answer(fields["code"], fields["out"], fields["err"])


class Stage:
    """Starts processes in the demo's folder and ends them in reverse order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._processes: list[asyncio.subprocess.Process] = []
        self._broker: asyncio.subprocess.Process | None = None

    async def command(self, *argv: str, passphrase: str = "") -> Answer:
        """Run a command to its end and return what it printed.

        Raises:
            StoryError: It did not end with 0, or not in time.
        """
        environment = {**os.environ, "SEEFEN_PASSPHRASE": passphrase}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=environment, start_new_session=True,
        )  # fmt: skip
        self._processes.append(process)
        try:
            out, err = await asyncio.wait_for(process.communicate(), LONG)
        except TimeoutError:
            raise StoryError(f"`{' '.join(argv)}` did not end within {LONG} s") from None
        answer = Answer(process.returncode or 0, out.decode(), err.decode())
        if answer.code != 0:
            shown(answer.text)
            raise StoryError(f"`{' '.join(argv)}` ended with {answer.code}")
        return answer

    async def device(self, name: str, home: Path, passphrase: str) -> Device:
        """Start a device on its vault; it ends with the demo."""
        process = await self._start("demo.device", str(home), passphrase)
        device = Device(name, process)
        await device.ready()
        return device

    async def broker(self, data: Path, log: Path) -> None:
        """Start the broker and return once it says that it is ready."""
        process = await self._start("demo.broker", "--data", str(data), "--log", str(log))
        if process.stdout is None:
            raise StoryError("the broker has ended")
        try:
            line = await asyncio.wait_for(process.stdout.readline(), LONG)
        except TimeoutError:
            raise StoryError(f"the broker was not ready within {LONG} s") from None
        if not line:
            raise StoryError(f"the broker did not start; see {log}")
        self._broker = process

    async def close(self) -> None:
        """End every process that was started here, the youngest first."""
        for process in reversed(self._processes):
            await _end(process)

    async def close_devices(self) -> None:
        """End all but the broker, so that their vaults are free."""
        for process in reversed(self._processes):
            if process is not self._broker:
                await _end(process)

    async def wait_for_broker(self) -> None:
        """Return when the broker has ended."""
        if self._broker is not None:
            await self._broker.wait()

    async def _start(self, *argv: str) -> asyncio.subprocess.Process:
        # A session of its own: Ctrl-C reaches the demo alone, which ends all in order.
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *argv,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            limit=1 << 24, start_new_session=True,
        )  # fmt: skip
        self._processes.append(process)
        return process


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), 15)
    except TimeoutError:
        console.print(f"process {process.pid} did not end in time and was killed")
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _quoted(word: str) -> str:
    return f'"{word}"' if " " in word else word
