"""Named points in the broker at which a test stops its process, put in from outside.

The product knows nothing of this: the functions it runs anyway are wrapped in the child
process (:mod:`tests.support.doomed`), which then sends itself a signal before, in the
middle of, or after one of its calls.
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
    def name(self) -> str:
        """What a test and the table of faults call it."""
        return f"{self.path}: {self.moment} {self.where.partition(':')[2]}"

    def find(self) -> tuple[Any, str, Callable[..., Any]]:
        """Return the owner, the attribute and the function.

        Raises:
            AttributeError: It was renamed.
        """
        module, _, qualified = self.where.partition(":")
        owner: Any = importlib.import_module(module)
        *outer, attribute = qualified.split(".")
        for part in outer:
            owner = getattr(owner, part)
        return owner, attribute, getattr(owner, attribute)


def _points(path: str, *rows: tuple[str, str], caller: str = "") -> tuple[Point, ...]:
    return tuple(
        Point(path, moment, where, caller) for where, moments in rows for moment in moments.split()
    )


_SEQUENCER: Final = "seefen.server.sequencer:Sequencer"
_BROKER: Final = "seefen.server.broker:Broker"
_WRITING: Final = "seefen.server.store.writes:LedgerWriting"
_PUSH: Final = "seefen.server.push:Push"

POINTS: Final[tuple[Point, ...]] = (
    *_points(
        "write",
        ("seefen.server.jobs:BundleJob.judge", "before after"),
        ("seefen.server.store:Store.swap", "before during after"),
        (f"{_SEQUENCER}._committed", "before"),  # after COMMIT, nothing known in memory yet
        ("seefen.server.view:Known.absorb", "before after"),
        (f"{_SEQUENCER}._tell", "after"),
        (f"{_BROKER}._recorded", "before after"),
        ("seefen.server.web.verbs:run", "after"),  # before the receipt is sent
    ),
    *_points(
        "access",
        ("seefen.server.jobs:AskJob.judge", "before after"),
        (f"{_WRITING}.lock", "before after"),
        (f"{_WRITING}.write", "before after"),
        (f"{_WRITING}.content_keys", "before after"),
        ("asyncpg.transaction:Transaction.__aexit__", "before during after"),  # COMMIT
        ("seefen.server.gate:Gate.disclose", "before after"),
        (f"{_SEQUENCER}._done", "after"),
        ("seefen.server.jobs:AskAgainJob.judge", "after"),
        (f"{_BROKER}._released", "before after"),
    ),
    *_points(
        "push",
        (f"{_PUSH}._committed", "before"),
        (f"{_PUSH}._deliver", "before"),
        ("seefen.server.releases:ReleaseJob.judge", "before after"),
        (f"{_PUSH}._release", "before after"),  # after: the entry stands, nothing is pushed
        (f"{_PUSH}._deliver_parcel", "before"),
        (f"{_PUSH}._hand_over", "before after"),
    ),
    *_points(
        "blob",
        ("seefen.server.store.blobs:BlobRows.start", "before after"),
        ("seefen.server.bodies:make", "before after"),
        ("seefen.server.bodies:make_folder", "after"),
        ("seefen.server.bodies:sync_folder", "before after"),
        ("seefen.server.bodies:write_part", "before after"),
        ("seefen.server.bodies:sync", "before after"),  # after: on the disk and not marked
        ("seefen.server.store.blobs:BlobRows.mark", "before during after"),
    ),
    *_points(
        "blob",
        ("os:ftruncate", "before after"),  # before: the file is there and empty
        ("os:fsync", "before after"),
        ("os:pwrite", "before after"),
        ("os:fdatasync", "before after"),
        caller="seefen.server.bodies",
    ),
    *_points(
        "login",
        ("seefen.server.tokens:Tokens.check_login", "after"),
        ("seefen.server.store.tokens:TokenRows.add", "before during after"),
        ("seefen.server.tokens:Tokens.issue", "after"),
        ("seefen.server.store.tokens:TokenRows.find", "before after"),
    ),
    *_points(
        "start",
        ("seefen.server.tls:renew_certificate", "before after"),
        ("seefen.server.store:migrate", "before after"),
        ("seefen.server.broker:recover", "before after"),
        ("seefen.server.recovery:load_edge", "after"),
        ("seefen.server.recovery:replay", "before after"),
        (f"{_BROKER}._begin", "after"),
        ("seefen.server.app:listen", "before after"),
    ),
    *_points("migration", ("asyncpg.connection:Connection.execute", "before after")),
    *_points("neighbour", ("seefen.server.sequencer:catch_up", "before after")),
)
BY_NAME: Final = {point.name: point for point in POINTS}
# These run before the broker takes requests; all others count from then on.
_EARLY: Final = {"start", "migration"}


class Trap:
    """Sends a signal to this process at the ``nth`` time that a point is passed."""

    def __init__(self, point: Point, nth: int, number: int) -> None:
        self._point = point
        self._left = nth
        self._signal = number
        self._armed = point.path in _EARLY

    def install(self) -> None:
        """Wrap the function; its callers find the wrapped one."""
        owner, attribute, function = self._point.find()
        setattr(owner, attribute, self._wrapped(function))
        if not self._armed:
            self._arm_when_the_broker_begins()

    def _arm_when_the_broker_begins(self) -> None:
        from seefen.server.broker import Broker

        begin = Broker._begin

        def begin_armed(broker: Broker) -> None:
            begin(broker)
            self._armed = True

        setattr(Broker, "_begin", begin_armed)  # noqa: B010 - typed as the method it replaces

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
        if not self._armed or elsewhere or self._point.moment not in moments.split():
            return
        self._left -= 1
        if self._left == 0 and self._point.moment == "during":
            threading.Timer(DURING_SECONDS, self._send).start()
        elif self._left == 0:
            self._send()

    def _send(self) -> None:
        os.kill(os.getpid(), self._signal)


def install(name: str, nth: int, number: int = signal.SIGKILL) -> None:
    """Stop this process with a signal at the ``nth`` passing of a named point."""
    Trap(BY_NAME[name], nth, number).install()
