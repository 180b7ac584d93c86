"""Starts real broker processes that end themselves at a named point.

One process imports the broker once and forks a child for each start, so that a hundred
kills take seconds. Each child runs the command that an operator types, on its own; nothing
but the wrapped function (:mod:`tests.support.brokerpoints`) tells it from any other.

Commands and reports are lines of JSON on stdin and stdout.
"""

import json
import os
import select
import signal
import sys
from typing import Any

from seefen.server import cli
from tests.support import brokerpoints

TICK_SECONDS = 0.01


def main() -> None:
    """Fork what is asked for, and report every end, until stdin is closed."""
    children: set[int] = set()
    buffer = b""
    while True:
        ready, _, _ = select.select([0], [], [], TICK_SECONDS)
        if ready:
            data = os.read(0, 1 << 16)
            if not data:
                break
            buffer += data
            *lines, buffer = buffer.split(b"\n")
            for line in lines:
                pid = _fork(json.loads(line))
                children.add(pid)
                _report(started=pid)
        _reap(children)
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _reap(children: set[int]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        children.discard(pid)
        _report(ended=pid, code=os.waitstatus_to_exitcode(status))


def _report(**values: int) -> None:
    os.write(1, json.dumps(values).encode() + b"\n")


def _fork(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        os.setsid()
        out = os.open(order["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for descriptor, source in ((0, nothing), (1, out), (2, out)):
            os.dup2(source, descriptor)
        os.environ.update(order["environment"])
        if order["point"]:
            brokerpoints.install(order["point"], order["nth"], order["signal"])
        code = cli.main(order["arguments"])
        sys.stdout.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
