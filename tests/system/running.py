"""The demo as a real process, with everything that it starts found again in ``/proc``."""

import os
import pty
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from seefen.protocol.suite import random_bytes

ROOT = Path(__file__).resolve().parents[2]
MARK = "STORY_MARK"  # in the environment of a run, and of all that it starts
PATIENCE = 240  # seconds: two cores may be busy with other things


class Run:
    """One run of the demo, in a folder for temporary files of its own."""

    def __init__(self, *argv: str, terminal: bool = False, **environment: str) -> None:
        self.mark = random_bytes(8).hex()
        # Not pytest's folder: under root PostgreSQL runs as nobody, who must pass through.
        self.folder = Path(tempfile.mkdtemp(prefix="sd-", dir="/tmp"))
        self.folder.chmod(0o711)
        self.temporary = self.folder / "t"
        self.temporary.mkdir(mode=0o711)
        self._out, self._err = self.folder / "out.txt", self.folder / "err.txt"
        self.terminal: int | None = None
        own = {**os.environ, MARK: self.mark, "TMPDIR": str(self.temporary), **environment}
        command = [sys.executable, "-m", "demo", *argv]
        with self._out.open("wb") as out, self._err.open("wb") as err:
            if terminal:
                self.terminal, inner = pty.openpty()
                self.process = subprocess.Popen(
                    ["setsid", "--ctty", "--wait", *command],
                    cwd=ROOT, env={**own, "TERM": "xterm-256color", "COLUMNS": "100"},
                    stdin=inner, stdout=inner, stderr=inner,
                )  # fmt: skip
                os.close(inner)
                os.set_blocking(self.terminal, False)
            else:
                self.process = subprocess.Popen(
                    command, cwd=ROOT, env=own, stdin=subprocess.DEVNULL, stdout=out, stderr=err
                )

    @property
    def output(self) -> str:
        """Everything printed so far."""
        if self.terminal is not None:
            self._drain(self.terminal)
        return self._out.read_text(encoding="utf-8", errors="replace")

    @property
    def errors(self) -> str:
        """Everything printed to standard error so far."""
        return self._err.read_text(encoding="utf-8", errors="replace")

    def until(self, condition: Callable[[str], bool], seconds: float = PATIENCE) -> str:
        """Return the output once it is as wanted, or fail with it."""
        ends = time.monotonic() + seconds
        while True:
            ended = self.process.poll() is not None
            output = self.output
            if condition(output):
                return output
            assert not ended, f"ended with {self.process.returncode}:\n{output}\n{self.errors}"
            assert time.monotonic() < ends, f"still waiting after {seconds} s:\n{output}"
            time.sleep(0.02)

    def ended(self, seconds: float = PATIENCE) -> int:
        """Return the exit code once the demo has ended."""
        ends = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < ends, f"not ended after {seconds} s:\n{self.output}"
            _ = self.output  # a full terminal would stop the demo
            time.sleep(0.02)
        return self.process.returncode

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to the demo alone."""
        self.process.send_signal(number)

    def processes(self) -> dict[int, str]:
        """Return every process of this run that is alive, with its command line."""
        found = dict[int, str]()
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                if f"{MARK}={self.mark}".encode() in (folder / "environ").read_bytes():
                    line = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                    found[int(folder.name)] = line.decode(errors="replace")
            except OSError:
                continue  # it has just ended, or is somebody else's
        return found

    def find(self, *words: str) -> int:
        """Return the process whose command line or environment holds all words."""
        for pid, line in self.processes().items():
            environ = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
            if all(word in line or f"{word}\0" in environ for word in words):
                return pid
        raise AssertionError(f"no process {words} in {self.processes()}")

    def assert_nothing_left(self, seconds: float = 0) -> None:
        """Check that no process is alive and no temporary folder is there."""
        ends = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < ends:
            time.sleep(0.05)
        assert left == {}

    def assert_no_folder_left(self) -> None:
        """Check that nothing temporary is there."""
        assert [path.name for path in self.temporary.iterdir()] == []

    def assert_no_traceback(self) -> None:
        """Check that nobody was shown what only a programmer reads."""
        shown = self.output + self.errors
        assert "Traceback" not in shown
        assert self.errors == ""

    def close(self) -> None:
        """End everything that is left of this run."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if self.terminal is not None:
            os.close(self.terminal)
        subprocess.run(["rm", "-rf", str(self.folder)], check=True)

    def hang_up(self) -> None:
        """Close the terminal."""
        assert self.terminal is not None
        os.close(self.terminal)
        self.terminal = None

    def press(self, keys: bytes) -> None:
        """Type at the terminal."""
        assert self.terminal is not None
        os.write(self.terminal, keys)

    def _drain(self, terminal: int) -> None:
        with self._out.open("ab") as out:
            while True:
                try:
                    data = os.read(terminal, 1 << 16)
                except (BlockingIOError, OSError):
                    return
                if not data:
                    return
                out.write(data)


def scene(output: str, number: int) -> str:
    """Return what was printed in one scene."""
    start = output.index(f"\n{number} · ")
    end = output.find(f"\n{number + 1} · ", start)
    return output[start : end if end > 0 else None]


def after(text: str, command: str) -> list[str]:
    """Return the lines that a command printed: all up to the next that is not indented."""
    lines = text.replace("\\\n", " ").splitlines()
    at = next((n for n, line in enumerate(lines) if command in " ".join(line.split())), None)
    assert at is not None, f"{command!r} was not typed in:\n{text}"
    printed: list[str] = []
    for line in lines[at + 1 :]:
        if not line.startswith("  "):
            break
        printed.append(line)
    return printed


def arguments(port: int, *more: str) -> Sequence[str]:
    """Return the words for a run on a port."""
    return ("--port", str(port), *more)
