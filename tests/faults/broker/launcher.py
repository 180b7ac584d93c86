"""``seefen-server`` with a date with death: ``python -m tests.faults.broker.launcher``.

The first two arguments are a point (:mod:`tests.faults.broker.points`) and at which call of
it this process sends itself SIGKILL; the rest is what ``seefen-server`` takes.
"""

import functools
import inspect
import os
import signal
import sys
from typing import Any

from seefen.server.cli import main
from tests.faults.broker.points import Point


class _Fuse:
    """Counts calls, and kills at the right one."""

    def __init__(self, point: Point, nth: int) -> None:
        self.point = point
        self.left = nth

    def call(self) -> bool:
        """Count a call; tell whether it is the last one of this process."""
        self.left -= 1
        return self.left == 0

    def burn(self, *, here: str) -> None:
        if self.point.when == here:
            os.kill(os.getpid(), signal.SIGKILL)


def arm(point: Point, nth: int) -> None:
    """Wrap the function of a point."""
    owner, name = point.owner()
    own: Any = inspect.getattr_static(owner, name)
    fuse = _Fuse(point, nth)
    if type(own).__name__ == "classmethod":
        setattr(owner, name, classmethod(_around(own.__func__, fuse)))
    else:
        setattr(owner, name, _around(own, fuse))


def _around(function: Any, fuse: _Fuse) -> Any:
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def waited(*args: Any, **kwargs: Any) -> Any:
            last = fuse.call()
            if last:
                fuse.burn(here="before")
            result = await function(*args, **kwargs)
            if last:
                fuse.burn(here="after")
            return result

        return waited

    def called(*args: Any, **kwargs: Any) -> Any:
        last = fuse.call()
        if last:
            fuse.burn(here="before")
        result = function(*args, **kwargs)
        if last:
            fuse.burn(here="after")
        return result

    return called


if __name__ == "__main__":
    arm(Point.parse(sys.argv[1]), int(sys.argv[2]))
    sys.exit(main(sys.argv[3:]))
