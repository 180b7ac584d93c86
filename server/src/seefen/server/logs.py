"""The broker's log: JSON lines for an operator, without content.

The text of a line is constant and its values are counts, rules and ids. Whatever is
``bytes`` is an id and is written as a keyed hash: lines about one device can be put
together, but a log read by a stranger names nobody. Everything outside ASCII is escaped,
so a name with control or direction characters cannot forge a line (attack 52).

What the libraries want to log is reduced to where it was: their texts quote requests.
"""

import asyncio
import hmac
import logging
import sys
import time
import traceback
from collections.abc import Callable, Iterable, MutableMapping
from pathlib import Path
from threading import Lock
from typing import Any, TextIO, TypeAlias, cast

import structlog

_FRAMES = 8
REPEAT_SECONDS = 60.0  # between two lines of one kind

Fields: TypeAlias = tuple[tuple[str, object], ...]


def configure(secret: bytes, to: TextIO | None = None) -> None:
    """Send every log line of this process to ``to`` (standard error, if None).

    Args:
        secret: Key for the hashes of ids; the same after a restart.
        to: Where lines go.
    """
    lines = _Lines(sys.stderr if to is None else to)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            _Hashed(secret),
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Library()]
    root.setLevel(logging.WARNING)


def open_file(path: Path) -> TextIO:
    """Return a log file to append to, line by line, readable by its owner alone."""
    path.touch(mode=0o600)
    return path.open("a", buffering=1, encoding="ascii")


def where(error: BaseException) -> list[str]:
    """Return where an exception came from, and not what it says: that may be content."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]


class Repeats:
    """Says when to write a line that comes again and again: at once, then once a minute.

    A flood of wrong logins fills no disk, and what it hides is counted. Kinds are made of what
    stands in our code, never of what a stranger sends, so they are few.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Know of no line; ``clock`` gives seconds."""
        self._clock = clock
        # By kind: until when a minute lasts, how many lines it has, how many came without one.
        self._kinds: dict[str, dict[Fields, tuple[float, int, int]]] = {}

    def due(self, event: str, *, most: int = 1, **fields: object) -> int:
        """Count a line; return how many came since the line before if one is due now, else 0.

        Args:
            event: Its text.
            most: Lines of the kind in a minute, where each of them says something else too.
            fields: What else makes the kind.
        """
        now, kinds = self._clock(), self._kinds.setdefault(event, {})
        kind = tuple(fields.items())
        until, lines, more = kinds.get(kind, (now, 0, 0))
        if now >= until:
            until, lines = now + REPEAT_SECONDS, 0
        if lines >= most:
            kinds[kind] = until, lines, more + 1
            return 0
        kinds[kind] = until, lines + 1, 0
        return more + 1

    def tell(self, *, ending: bool = False) -> None:
        """Write what was counted and has no line after it: its minute is over, or all ends."""
        now = self._clock()
        for event, kinds in self._kinds.items():
            for kind, (until, _, more) in kinds.items():
                if more and (ending or now >= until):
                    kinds[kind] = now + REPEAT_SECONDS, 1, 0
                    structlog.get_logger().info(event, **dict(kind), times=more)

    async def keep_telling(self) -> None:
        """Tell each minute, and once more when this is cancelled."""
        try:
            while True:
                await asyncio.sleep(REPEAT_SECONDS)
                self.tell()
        finally:
            self.tell(ending=True)


class _Lines:
    """Writes lines, and goes on where it cannot: a full disk for the log stops no request.

    Who could fill it would otherwise end every login and every line with 500.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = Lock()
        self._failed = 0

    def msg(self, line: str) -> None:
        try:
            with self._lock:
                self._stream.write(line + "\n")
                self._stream.flush()
        except OSError:
            self._failed += 1
            return
        if self._failed:
            failed, self._failed = self._failed, 0
            # Some may be there all the same: what found no room is tried again with the next.
            structlog.get_logger().warning("log.full", lines=failed)

    debug = info = warning = error = critical = msg


class _Hashed:
    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def __call__(
        self, _: object, __: str, line: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        return {name: self._hashed(value) for name, value in line.items()}

    def _hashed(self, value: object) -> object:
        match value:
            case bytes():
                return hmac.digest(self._secret, value, "sha256").hex()[:12]
            case list() | tuple() | set() | frozenset():
                return [self._hashed(inner) for inner in cast(Iterable[object], value)]
            case str() | int() | float() | None:
                return value
            case _:
                # What a stranger object says of itself may be content.
                return type(value).__name__


class _Library(logging.Handler):
    """Reduces what a library logs to its name, the place and the kind of error."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        structlog.get_logger().warning(
            "library",
            library=record.name,
            place=f"{record.module}:{record.lineno}",
            error=type(error).__name__ if error else None,
            where=where(error) if error else None,
        )
