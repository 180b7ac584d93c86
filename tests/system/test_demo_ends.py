"""However the demo is ended, nothing of it stays: no process, no folder, no traceback."""

import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from tests.support.faultbook import FACTOR
from tests.system.running import MARK, ROOT, Run

Start = Callable[..., Run]
T = TypeVar("T")
# Lines between which the story is stopped once: founding, joining, alert, case, audit.
LINES = (1, 14, 50, 80, 160, 250)
# Each run tries one of several cases, drawn anew; `make faults` tries them all.
SEED = int(os.environ.get("STORY_SEED") or random.SystemRandom().randrange(1 << 32))


BREAKS = (
    (("demo.device", "/belgrade-ffp"), "belgrade-ffp ended in the middle"),
    (("demo.broker",), "the broker ended in the middle"),
    (("postgres -D",), ""),
)

# Each of these raises a demo of its own: one of them in each run, drawn anew.
WAYS = (
    "test_ctrl_c_at_any_point_leaves_nothing",
    "test_killed_it_takes_everything_along",
    "test_terminated_it_ends_in_order",
    "test_a_closed_terminal_ends_it_in_order",
    "test_nobody_reads_on",
    "test_what_breaks_in_the_middle_is_said_in_a_sentence",
)


@pytest.fixture(autouse=True)
def _drawn(request: pytest.FixtureRequest) -> None:
    name = request.function.__name__
    if FACTOR == 1 and name in WAYS and name not in shuffled(WAYS)[:1]:
        pytest.skip("one of six in each run, drawn anew; `make faults` tries them all")


def turns(cases: int) -> range:
    return range(1 if FACTOR == 1 else cases)


def shuffled(cases: Sequence[T]) -> list[T]:
    return random.Random(SEED).sample(cases, len(cases))


def _lines(count: int) -> Callable[[str], bool]:
    return lambda output: output.count("\n") >= count


@pytest.mark.parametrize("turn", turns(len(LINES) - 1))
def test_ctrl_c_at_any_point_leaves_nothing(demo: Start, port: int, turn: int) -> None:
    part = shuffled(range(len(LINES) - 1))[turn]
    chance = random.Random(SEED + part)
    line, more = chance.randrange(*LINES[part : part + 2]), chance.random()
    where = f"STORY_SEED={SEED}: line {line} and {more:.2f} s more"
    terminal = part in (1, 3)  # a real one, with a person at it
    run = demo("--port", str(port), terminal=terminal)
    run.until(_lines(line))
    time.sleep(more)
    if terminal:
        run.press(b"\x03")
        run.press(b"\x03")  # people press it twice: the ending must not be torn
    else:
        run.kill(signal.SIGINT)
        run.kill(signal.SIGINT)
    assert run.ended() == 130, f"{where}\n{run.output}"
    run.assert_nothing_left()
    run.assert_no_folder_left()
    run.assert_no_traceback()
    assert "Stopped. No process is left behind." in run.output, where
    assert ("\x1b[" in run.output) is terminal, where


def _has_loaded(pid: int, what: str) -> Callable[[str], bool]:
    return lambda _: what in Path(f"/proc/{pid}/maps").read_text()


def test_ctrl_c_while_it_loads_is_silent(demo: Start, port: int) -> None:
    for delay in (0.0, 0.1):
        run = demo("--port", str(port))
        # Before a line of ours runs Python has its own words for it; the first library comes later.
        run.until(_has_loaded(run.process.pid, "site-packages"))
        time.sleep(delay)
        run.kill(signal.SIGINT)
        assert run.ended() == 130
        run.assert_nothing_left()
        run.assert_no_folder_left()


@pytest.mark.parametrize("turn", turns(2))
def test_killed_it_takes_everything_along(demo: Start, port: int, turn: int) -> None:
    line = shuffled((3, 60))[turn]
    run = demo("--port", str(port))
    run.until(_lines(line))
    run.until(lambda _: len(run.processes()) >= 3)  # a line may be there before its process
    run.kill(signal.SIGKILL)
    assert run.ended() == -signal.SIGKILL, f"STORY_SEED={SEED}"
    run.assert_nothing_left(seconds=30)


def test_terminated_it_ends_in_order(demo: Start, port: int) -> None:
    run = demo("--port", str(port))
    run.until(lambda output: "The broker runs" in output)
    run.kill(signal.SIGTERM)
    assert run.ended() == 130
    run.assert_nothing_left()
    run.assert_no_folder_left()
    run.assert_no_traceback()


def test_a_closed_terminal_ends_it_in_order(demo: Start, port: int) -> None:
    run = demo("--port", str(port), terminal=True)
    run.until(_lines(12))
    run.hang_up()
    run.ended()
    run.assert_nothing_left(seconds=30)
    run.assert_no_folder_left()


def test_nobody_reads_on(demo: Start, port: int) -> None:
    run = demo("--nothing")  # for its folder and mark alone
    assert run.ended() == 2
    with subprocess.Popen(
        [sys.executable, "-m", "demo", "--port", str(port)],
        cwd=ROOT, env={**os.environ, MARK: run.mark, "TMPDIR": str(run.temporary)},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        lines = [process.stdout.readline() for _ in range(3)]
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1
    assert "invented" in lines[1].decode()
    run.assert_nothing_left()
    run.assert_no_folder_left()


@pytest.mark.parametrize("turn", turns(len(BREAKS)))
def test_what_breaks_in_the_middle_is_said_in_a_sentence(demo: Start, port: int, turn: int) -> None:
    who, sentence = shuffled(BREAKS)[turn]
    run = demo("--port", str(port))
    run.until(lambda output: "\n2 · " in output)
    os.kill(run.find(*who), signal.SIGKILL)
    code = run.ended()
    if who == ("postgres -D",) and code == 0:
        # The broker starts its database again, and the story may go on as if nothing was.
        assert "All steps came out as they should" in run.output
    else:
        assert code == 1, f"STORY_SEED={SEED}\n{run.output}"
        assert re.search(rf"\nThe demo ended: .*{sentence}.*\.\n", run.output), run.output
        assert "its own mistake" not in run.output
    run.assert_no_traceback()
    run.assert_nothing_left()
    run.assert_no_folder_left()


def test_a_busy_port_is_told(demo: Start, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        run = demo("--port", str(port))
        assert run.ended() == 1
    assert f"port {port} is in use (another demo?); take another one: make demo" in run.output
    run.assert_no_traceback()
    run.assert_no_folder_left()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--port", "80"), "port 80 cannot be used; give one from 1024 to 65535"),
        (("--files", "/nowhere"), "/nowhere is not a folder"),
        (("--data", "/proc/nothing"), "/proc/nothing cannot be used: "),
        (("--data", __file__), "cannot be used: "),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(
    demo: Start, port: int, words: tuple[str, ...], sentence: str
) -> None:
    run = demo("--port", str(port), *words)
    assert run.ended() == 1
    assert f"The demo ended: {sentence}" in run.output.replace(str(Path(__file__)) + " ", "")
    run.assert_no_traceback()
    run.assert_no_folder_left()


def test_a_folder_without_files_is_refused(demo: Start, port: int) -> None:
    run = demo("--nothing")
    run.ended()
    (run.folder / "notes").mkdir()
    (run.folder / "notes" / "README.md").write_text("nothing to send")
    run = demo("--port", str(port), "--files", str(run.folder / "notes"))
    assert run.ended() == 1
    assert "there is no file in" in run.output
    run.assert_no_traceback()
    run.assert_no_folder_left()
