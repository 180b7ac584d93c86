"""A function that ends its process: the client is wrapped from outside and knows nothing of it."""

import functools
import importlib
import inspect
import os
import signal
from dataclasses import dataclass
from typing import Any


class PromiseBrokenError(Exception):
    """What a device or the broker said before does not hold any more."""


def demand(holds: bool, text: str) -> None:
    """Raise :class:`PromiseBrokenError` with ``text`` unless it ``holds``."""
    if not holds:
        raise PromiseBrokenError(text)


@dataclass(frozen=True, slots=True)
class Point:
    """A function of the client, and on which side of its ``nth`` call the process dies.

    Attributes:
        module: Where the name is looked up when the client calls it.
        name: ``function`` or ``Class.method`` in there.
        when: ``before`` or ``after``.
    """

    module: str
    name: str
    when: str

    def __str__(self) -> str:
        """Return it as one word, for the command line."""
        return f"{self.module}:{self.name}:{self.when}"

    @classmethod
    def parse(cls, text: str) -> "Point":
        """Return the point that ``str`` made a word of."""
        module, name, when = text.split(":")
        return cls(module, name, when)

    def owner(self) -> tuple[Any, str]:
        """Return what holds the function, and its name in there."""
        owner: Any = importlib.import_module(self.module)
        *path, last = self.name.split(".")
        for part in path:
            owner = getattr(owner, part)
        return owner, last


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
