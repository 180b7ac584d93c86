"""``make demo``: the main job of seefen, live, on this machine alone.

Usage: ``python -m demo [--stay] [--files DIR] [--data DIR] [--port N]``
"""

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from demo.screen import StoryError, console
from demo.story import Options, tell


def main() -> int:
    """Tell the story; return 0, or 1 with a sentence when a step went wrong."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--stay", action="store_true", help="leave the broker running at the end")
    parser.add_argument(
        "--files", type=Path, help="folder of real files to send instead of samples"
    )
    parser.add_argument("--data", type=Path, help="folder for the demo's data (default: a new one)")
    parser.add_argument("--port", type=int, default=8443, help="port of the broker (default 8443)")
    given = parser.parse_args()
    try:
        options = _options(given)
        return asyncio.run(_run(options))
    except StoryError as err:
        console.print(f"\nThe demo ended: {err}", style="bold red", markup=False)
        return 1


def _options(given: argparse.Namespace) -> Options:
    if given.files is not None and not given.files.is_dir():
        raise StoryError(f"{given.files} is not a folder; give a folder of files to send")
    if not 1024 <= given.port <= 65534:
        raise StoryError(f"port {given.port} cannot be used; give one from 1024 to 65534")
    if given.data is None:
        # A folder of its own for each run: a leftover of a killed run is never in the way.
        folder = Path(tempfile.mkdtemp(prefix="seefen-demo-"))
        folder.chmod(0o711)  # under root PostgreSQL runs as nobody, and must get through
        return Options(folder, given)
    if given.data.exists() and any(given.data.iterdir()):
        raise StoryError(f"{given.data} is not empty; give a new folder, or delete it first")
    given.data.mkdir(parents=True, exist_ok=True)
    return Options(given.data.resolve(), given)


async def _run(options: Options) -> int:
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    if task is not None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
    try:
        await tell(options)
    except asyncio.CancelledError:
        console.print("\nStopped. No process is left behind.")
        return 130
    finally:
        if options.own_folder:
            shutil.rmtree(options.folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
