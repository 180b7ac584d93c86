"""The processes of the demo: started here, and all ended here, whatever happens."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from rich.text import Text

from demo.device import SWITCH_ON
from demo.screen import WIDTH, StoryError, failed, has_colours, shown, typed
from seefen.server.embedded import running_process

Process = asyncio.subprocess.Process

T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent
SHORT, LONG = 60, 120  # seconds a command, or one that carries files, may take
LOOK = 0.1  # seconds between two looks whether something has arrived
ENDING = 20  # seconds a process may take to end


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command gave back; ``painted`` is all of it as on a screen."""

    code: int
    out: str
    err: str
    painted: str

    @property
    def text(self) -> str:
        """Everything it printed."""
        return self.out + self.err

    def only(self, *beginnings: str) -> "Answer":
        """Return the same with those lines alone that begin so."""
        kept = [ln for ln in self.text.splitlines() if ln.strip().startswith(beginnings)]
        return Answer(self.code, self.out, self.err, "\n".join(kept))


class Prompt:
    """Somebody's terminal: commands go in, answers come out."""

    def __init__(self, name: str, program: str, process: Process, errors: Path) -> None:
        self.name = name
        self._program = program
        self._process = process
        self._errors = errors

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    async def run(
        self,
        *argv: str,
        typed_in: Sequence[str] = (),
        show: bool = True,
        may_fail: bool = False,
        patience: float = SHORT,
    ) -> Answer:
        """Type a command and show what it prints.

        Args:
            typed_in: The answers to what it asks; without any nobody is there to ask.
            may_fail: The story goes on when the command does not do what it should.
            patience: Seconds it may take.

        Raises:
            StoryError: The command failed and the story needs it to work.
        """
        if show:
            typed(self.name, self._program, *argv)
        answer = await self._ask(list(argv), patience, typed_in)
        if show:
            shown(answer.painted)
        if answer.code != 0 and not may_fail:
            if not show:
                typed(self.name, self._program, *argv)
                shown(answer.painted)
            what = " ".join((self._program, *argv[:2]))
            raise StoryError(f"{self.name}: `{what}` ended with {answer.code}")
        return answer

    def show(self, argv: Iterable[str], answer: Answer) -> None:
        """Show a command that ran unseen before."""
        typed(self.name, self._program, *argv)
        shown(answer.painted)

    async def until(self, *argv: str, words: tuple[str, ...]) -> Answer:
        """Repeat a command, unseen, until its output holds all words.

        Raises:
            StoryError: It does not in time.
        """
        ends = asyncio.get_running_loop().time() + SHORT
        while True:
            answer = await self._ask(list(argv), SHORT)
            if all(word in answer.out for word in words):
                return answer
            if asyncio.get_running_loop().time() > ends:
                shown(answer.painted)
                raise StoryError(f"{self.name} does not see {', '.join(words)}")
            await asyncio.sleep(LOOK)

    async def json(self, *argv: str) -> dict[str, Any]:
        """Run a command with --json, without showing it, and return the object it prints."""
        answer = await self.run("--json", *argv, show=False)
        found = _parsed(answer.out)
        if not isinstance(found, dict):
            raise StoryError(f"{self.name}: `{argv[0]} --json` printed no object")
        return cast("dict[str, Any]", found)

    async def rows(self, *argv: str) -> list[dict[str, Any]]:
        """Run a command with --json, without showing it, and return the rows it prints."""
        answer = await self.run("--json", *argv, show=False)
        found = _parsed(answer.out)
        if not isinstance(found, list):
            raise StoryError(f"{self.name}: `{argv[0]} --json` printed no list")
        return cast("list[dict[str, Any]]", found)

    async def switch_on(self) -> None:
        """Open the vault of a device and keep it open."""
        await self.run(*SWITCH_ON, show=False, patience=LONG)

    async def switch_off(self) -> None:
        """End the process."""
        await _end(self._process)

    async def _ask(self, argv: list[str], patience: float, typed_in: Sequence[str] = ()) -> Answer:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise StoryError(f"{self.name} has no terminal")
        try:
            stdin.write(json.dumps([argv, list(typed_in)]).encode() + b"\n")
            await stdin.drain()
            line = await asyncio.wait_for(stdout.readline(), patience)
        except (BrokenPipeError, ConnectionResetError):
            line = b""
        except TimeoutError:
            what = " ".join(argv[:2])
            raise StoryError(
                f"{self.name} did not answer `{what}` within {patience:.0f} s"
            ) from None
        if not line:
            raise StoryError(f"{self.name} ended in the middle of the story" + self._last_words())
        # Everybody works in the demo's folder: its name on screen would only be in the way.
        fields = json.loads(line.replace(f"{self._errors.parent.parent}/".encode(), b""))
        out, err = _plain(fields["out"]), _plain(fields["err"])
        return Answer(fields["code"], out, err, fields["out"] + fields["err"])

    def _last_words(self) -> str:
        lines = self._errors.read_text(errors="replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _plain(painted: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in Text.from_ansi(painted).plain.splitlines())


class Stage:
    """Starts processes in the demo's folder and ends them in order.

    What stands in ``environment`` is the same for all of them.
    """

    def __init__(self, folder: Path, passphrase: str, **environment: str) -> None:
        self._folder = folder
        self._common = {"SEEFEN_PASSPHRASE": passphrase, **environment}
        self._processes: list[Process] = []
        self._broker: Process | None = None
        self._second: Process | None = None
        self.errors = folder / "stderr"
        self.errors.mkdir()

    async def terminal(self, name: str, program: str) -> Prompt:
        """Start a terminal for ``seefen`` or ``seefen-server``, of somebody without a device."""
        module = {"seefen": "seefen.client.cli", "seefen-server": "seefen.server.cli"}[program]
        return await self._prompt(name, program, "demo.prompt", module)

    async def device(self, name: str, home: Path, module: str = "demo.device") -> Prompt:
        """Start a device; its vault is still closed, and perhaps not there."""
        return await self._prompt(name, "seefen", module, SEEFEN_HOME=str(home))

    async def broker(self, data: Path, log: Path) -> None:
        """Start the broker and return once it says that it is ready."""
        self._broker = await self._start_broker("broker", data, log)

    async def second_broker(self, data: Path, log: Path, **environment: str) -> None:
        """Start another broker, which tells some nodes another story."""
        self._second = await self._start_broker("second broker", data, log, **environment)

    async def end_second(self) -> None:
        """End it."""
        if self._second is not None:
            await _end(self._second)

    async def agent(self, name: str, home: Path) -> int:
        """Start the agent of a node and return its process."""
        environment = {"SEEFEN_HOME": str(home)}
        process, _ = await self._start(f"{name} agent", "demo.agent", **environment)
        return process.pid

    async def _start_broker(self, name: str, data: Path, log: Path, **environment: str) -> Process:
        argv = ("demo.broker", "--data", str(data), "--log", str(log))
        process, errors = await self._start(name, *argv, **environment)
        if process.stdout is None:
            raise StoryError(f"the {name} has no output")
        try:
            line = await asyncio.wait_for(process.stdout.readline(), LONG)
        except TimeoutError:
            raise StoryError(f"the {name} was not ready within {LONG} s") from None
        if not line:
            shown(errors.read_text(errors="replace"))
            raise StoryError(f"the {name} did not start")
        return process

    def require_broker(self) -> None:
        """Check that the broker still runs.

        Raises:
            StoryError: It does not; whatever a device said is only what follows from that.
        """
        if self._broker is not None and self._broker.returncode is not None:
            raise StoryError("the broker ended in the middle of the story")

    async def close_devices(self) -> None:
        """End all but the broker, so that their vaults are free."""
        others = [process for process in self._processes if process is not self._broker]
        await together(*(_end(process) for process in others))

    async def close(self, postgres: Path) -> None:
        """End every process that was started here, the broker last.

        Args:
            postgres: Folder of the embedded database, in case the broker could not end it.
        """
        await self.close_devices()
        if self._broker is not None:
            await _end(self._broker)
        pid = running_process(postgres)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
            for _ in range(ENDING * 10):
                if running_process(postgres) != pid:
                    break
                await asyncio.sleep(0.1)

    async def wait_for_broker(self) -> None:
        """Return when the broker has ended."""
        if self._broker is not None:
            await self._broker.wait()

    async def _prompt(self, name: str, program: str, *argv: str, **environment: str) -> Prompt:
        process, errors = await self._start(name, *argv, **environment)
        return Prompt(name, program, process, errors)

    async def _start(self, name: str, *argv: str, **environment: str) -> tuple[Process, Path]:
        errors = self.errors / f"{name.replace(' ', '-')}.txt"
        with errors.open("ab") as stderr:
            # A session of its own: Ctrl-C reaches the demo alone, which ends all in order.
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *argv,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=stderr,
                limit=1 << 26, start_new_session=True, cwd=self._folder,
                env={**self._environment(), **environment},
            )  # fmt: skip
        self._processes.append(process)
        return process, errors

    def _environment(self) -> dict[str, str]:
        # Settings of a real device or broker of this user must not meet the demo.
        own = {key: value for key, value in os.environ.items() if not key.startswith("SEEFEN_")}
        own |= {"PYTHONPATH": str(ROOT), **self._common}
        own |= {"COLUMNS": str(WIDTH - 2), "LINES": "50", "PYTHONUTF8": "1"}
        return own if has_colours() else own | {"TERM": "dumb"}


async def together(*work: Coroutine[Any, Any, T]) -> list[T]:
    """Do several things at once; when one fails, end the others and raise its error."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _end(process: Process) -> None:
    if process.returncode is not None:
        return
    if process.stdin is not None:
        process.stdin.close()  # the end of its leash: it ends in order
    try:
        await asyncio.wait_for(process.wait(), ENDING)
    except TimeoutError:
        failed(f"Process {process.pid} did not end in time and was killed.")
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
