"""The command line of the demo, its signals, and the sentence it ends with.

Usage: ``python -m demo [--stay] [--files DIR] [--data DIR] [--port N]``
"""

import argparse
import asyncio
import os
import shutil
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

from demo.screen import OutputClosedError, StoryError, failed, said
from demo.story import Options, Stop, tell

STOPPED = 130


def run(words: Sequence[str]) -> int:
    """Tell the story; return 0, 1 with a sentence when a step went wrong, 130 when stopped."""
    os.umask(0o022)  # PostgreSQL, which root runs as nobody, must pass through our folder
    try:
        code = asyncio.run(_run(_read(words)))
        sys.stdout.flush()
    except (OutputClosedError, BrokenPipeError):
        # Nobody reads any more; and Python must not complain about that at its end either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the last milliseconds need no answer
    return code


def _read(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make demo", description="The main job of seefen, live, on this machine alone."
    )
    parser.add_argument("--stay", action="store_true", help="leave the broker running at the end")
    parser.add_argument("--files", type=Path, metavar="DIR", help="send the files of this folder")
    parser.add_argument("--data", type=Path, metavar="DIR", help="keep everything in this folder")
    parser.add_argument("--port", type=int, default=8443, help="port of the broker (8443)")
    return parser.parse_args(words)


async def _run(given: argparse.Namespace) -> int:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError
    stop = Stop(task)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.come)
    try:
        await _play(given, stop)
    except asyncio.CancelledError:
        if not stop.expected:
            said("\nStopped. No process is left behind.")
            return STOPPED
        said("\nThe broker has ended. No process is left behind.")
    except OutputClosedError:
        raise
    except Exception as err:  # the last resort of a program: a sentence, never a traceback
        if os.environ.get("SEEFEN_DEBUG"):
            traceback.print_exception(err)
        mistake = (
            "" if isinstance(err, StoryError) else f"by its own mistake, {type(err).__name__}: "
        )
        failed(f"The demo ended: {mistake}{err}.")
        return 1
    return 0


async def _play(given: argparse.Namespace, stop: Stop) -> None:
    _require_port(given.port)
    _require_files(given.files)
    folder = _folder(given.data)
    try:
        await tell(Options(folder, given.port, given.files, given.stay), stop)
    finally:
        if given.data is None:
            shutil.rmtree(folder, ignore_errors=True)


def _folder(given: Path | None) -> Path:
    if given is None:
        # A folder of its own for each run: what a killed run left is never in the way.
        folder = Path(tempfile.mkdtemp(prefix="seefen-demo-"))
    else:
        folder = given.absolute()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise StoryError(
                    f"{given} is not empty (an earlier demo?); delete it or give another folder"
                )
        except OSError as err:
            raise StoryError(f"{given} cannot be used: {err.strerror}") from None
    folder.chmod(0o711)
    return folder


def _require_files(given: Path | None) -> None:
    if given is not None and not given.is_dir():
        raise StoryError(f"{given} is not a folder; give a folder of files to send")


def _require_port(port: int) -> None:
    if not 1024 <= port <= 65535:
        raise StoryError(f"port {port} cannot be used; give one from 1024 to 65535")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            another = port + 1000 if port < 64000 else port - 1000
            raise StoryError(
                f"port {port} is in use (another demo?); take another one: "
                f"make demo ARGS='--port {another}'"
            ) from None
