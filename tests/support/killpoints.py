"""Named points in broker and client at which a test stops the process, put in from outside.

The product knows nothing of this: the functions it runs anyway are wrapped in a child
process, which then sends itself a signal before, in the middle of, or after one of its
calls. The points are listed in :mod:`tests.support.brokerpoints` and
:mod:`tests.faults.client.points`.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

MOMENTS: Final = {"before", "during", "after"}
DURING_SECONDS: Final = 0.0006  # a commit takes about this long: now before it, now after


@dataclass(frozen=True, slots=True)
class Point:
    """A call of the product, and the moment of it."""

    path: str
    moment: str
    where: str  # module:qualified name, as the product finds it
    caller: str = ""  # of the standard library: only calls from this module count

    @property
    def function(self) -> str:
        """The function or ``Class.method`` that is called."""
        return self.where.partition(":")[2]

    @property
    def name(self) -> str:
        """What a test and the table of faults call it."""
        return f"{self.path}: {self.moment} {self.function}"

    def find(self) -> tuple[Any, str, Any]:
        """Return the owner, the attribute, and the function or class method.

        Raises:
            AttributeError: It was renamed.
        """
        owner: Any = importlib.import_module(self.where.partition(":")[0])
        *outer, attribute = self.function.split(".")
        for part in outer:
            owner = getattr(owner, part)
        return owner, attribute, inspect.getattr_static(owner, attribute)


class Trap:
    """Sends a signal to this process at the ``nth`` time that a point is passed.

    Passings count while it is ``armed``.
    """

    def __init__(self, point: Point, nth: int, number: int = signal.SIGKILL) -> None:
        self.armed = True
        self._point = point
        self._left = nth
        self._signal = number

    def install(self) -> None:
        """Wrap the function; its callers find the wrapped one."""
        owner, attribute, function = self._point.find()
        if type(function).__name__ == "classmethod":
            setattr(owner, attribute, classmethod(self._wrapped(function.__func__)))
        else:
            setattr(owner, attribute, self._wrapped(function))

    def _wrapped(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def run_async(*args: Any, **kwargs: Any) -> Any:
            caller = sys._getframe(1)
            self._pass("before during", caller)
            result = await function(*args, **kwargs)
            self._pass("after", caller)  # a call that raises has not come this far
            return result

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            caller = sys._getframe(1)
            self._pass("before", caller)
            result = function(*args, **kwargs)
            self._pass("after", caller)
            return result

        return run_async if inspect.iscoroutinefunction(function) else run

    def _pass(self, moments: str, frame: Any) -> None:
        caller = self._point.caller
        elsewhere = caller and frame.f_globals.get("__name__") != caller
        if not self.armed or elsewhere or self._point.moment not in moments.split():
            return
        self._left -= 1
        if self._left == 0 and self._point.moment == "during":
            threading.Timer(DURING_SECONDS, self._send).start()
        elif self._left == 0:
            self._send()

    def _send(self) -> None:
        os.kill(os.getpid(), self._signal)
