"""What ties a process to the demo: it hears the demo on a pipe, and ends when the pipe ends.

The demo holds the other end. When it is gone, even by SIGKILL, reading returns nothing,
so no process outlives the demo whatever happens to it.
"""

import os
import queue
import signal
import threading
import time
from collections.abc import Callable

PATIENCE = 3  # seconds a process may take to end in order


def lines(alone: Callable[[], None]) -> "queue.Queue[str]":
    """Return a queue that gets every line of standard input.

    Args:
        alone: Called from another thread when the demo is gone.
    """
    heard = queue.Queue[str]()
    threading.Thread(target=_hear, args=(heard, alone), daemon=True).start()
    return heard


def terminate() -> None:
    """End this process as its operator would: in order."""
    os.kill(os.getpid(), signal.SIGTERM)


def give_up() -> None:
    """End this process at once, should it still be there after a while."""
    time.sleep(PATIENCE)
    os._exit(1)


def _hear(heard: "queue.Queue[str]", alone: Callable[[], None]) -> None:
    # Not sys.stdin: a thread that waits in it makes Python abort at its end.
    rest = b""
    while data := os.read(0, 1 << 16):
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            heard.put(line.decode())
    heard.put("")
    alone()
