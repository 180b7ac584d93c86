"""Client processes with a date with death: ``python -m tests.faults.client.launcher``.

One process imports the client once and forks a child for each order, a line of JSON on
stdin; the child does the work (:mod:`tests.faults.client.shift`) and sends itself SIGKILL at
the point that the order names. How it ended is a line on stdout.
"""

import asyncio
import inspect
import json
import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from seefen.client.vault import Vault
from tests.faults.client import shift
from tests.faults.client.doomed import REFUSED
from tests.faults.client.points import BY_NAME
from tests.support.killpoints import Point, Trap


def _arm(point: Point, nth: int) -> None:
    if point.function != "Vault.change":
        Trap(point, nth).install()
        return
    real: Any = inspect.getattr_static(Vault, "change")
    left = nth

    @contextmanager
    def change(self: Vault) -> Generator[None]:
        nonlocal left
        with real(self):
            yield
            left -= 1
            if left == 0 and point.moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)  # all is written, nothing is committed
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    Vault.change = change  # type: ignore[method-assign]


def _child(order: dict[str, Any]) -> int:
    said = os.open(order["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for descriptor in (1, 2):
        os.dup2(said, descriptor)
    if order["point"]:
        _arm(BY_NAME[order["point"]], order["nth"])
    asyncio.run(shift.work(order))
    sys.stdout.flush()
    return 0


def main() -> None:
    """Fork what is asked for, one after the other, until stdin is closed."""
    for line in iter(sys.stdin.readline, ""):
        pid = os.fork()
        if pid == 0:
            code = REFUSED
            try:
                code = _child(json.loads(line))
            except BaseException as err:
                os.write(2, f"{type(err).__name__}: {err}".encode())
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 - the report


if __name__ == "__main__":
    main()
