"""The high-water mark: how far both logs were ever signed, kept outside the database.

Whoever puts an older backup of the database back finds a mark that is higher, and the
broker signs nothing: it would be a rewind, and for every device that saw more the end of
the network. The mark is written after COMMIT and before anything is signed: a crash in
between leaves a database that is ahead of it, which is fine, and never a signature that
is.

The file has two places of 512 bytes that are written in turn, each with its own checksum:
a power cut spoils at most the one that was being written, under which nothing was signed
yet. Writing over bytes that are there costs one flush and no change of the folder.

Several processes of one broker have a file each, ``high-water``, ``high-water-1`` and so on,
held by a lock as long as they run; what counts is the highest of all. With one file for all,
a process that was stopped while it wrote would hold the others up until it went on.

A mark says a time as well, ``until``: no head is dated later. It lies some seconds ahead, so
that a log that rests is not written each second. A broker that starts with its clock behind
it dates nothing earlier, and says so to the others: ``since`` (decision 29).
"""

import errno
import fcntl
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Final
from weakref import finalize

from msgspec import Struct
from msgspec.structs import replace

from seefen.protocol.suite import sha256
from seefen.server.errors import FrozenError, UnreachableError
from seefen.server.files import create_durably, sync_folder, write_durably
from seefen.server.rows import Heads, LogHead

PLACE: Final = 512  # bytes
BLANK: Final = bytes(PLACE)
SETTLED_NS: Final = 1_000_000_000  # a folder that did not change for so long was seen whole
NO_DESCRIPTOR: Final = (errno.EMFILE, errno.ENFILE)
PROCESSES: Final = 64  # of one broker that may hold a file each
RESERVED: Final = 4  # seconds that a mark lies ahead of the time that is signed
MAGIC: Final = "seefen-high-water/1"
RECOVER: Final = "see `seefen-server doctor`, then `seefen-server recover`"


class Times(Struct, frozen=True):
    """What a mark is to keep of times, in Unix seconds.

    Attributes:
        now: By the clock; some seconds more are reserved.
        signed: The latest that a head may have been signed with.
        since: Before which no process is to date a head any more, or 0.
    """

    now: int = 0
    signed: int = 0
    since: int = 0

    @property
    def latest(self) -> int:
        """The latest time with which a head may be signed now."""
        return max(self.now, self.signed)


NO_TIMES: Final = Times()


class Mark(Struct, frozen=True):
    """The highest head of each log under which anything may have been signed.

    Attributes:
        turn: Counts how often a mark was written; the higher one is the newer.
        key: Public key of the log: a mark of another network is refused.
        until: No head was dated later, in Unix seconds.
        since: No head is dated earlier from now on: a process began with its clock behind that.
    """

    turn: int
    key: bytes
    authority: int
    authority_root: bytes
    activity: int
    activity_root: bytes
    until: int = 0
    since: int = 0

    def covers(self, heads: Heads) -> bool:
        """Tell whether both logs are at most as long as the mark."""
        return heads.authority.size <= self.authority and heads.activity.size <= self.activity

    def of(self, log: str) -> tuple[int, bytes]:
        """Return size and root of a log."""
        if log == "authority":
            return self.authority, self.authority_root
        return self.activity, self.activity_root

    def risen(self, heads: Heads, until: int, since: int) -> "Mark":
        """Return the mark with what is longer and later; what is not keeps its part."""
        authority, activity = heads.authority, heads.activity
        first = max(self.of("authority"), (authority.size, authority.root), key=_size)
        second = max(self.of("activity"), (activity.size, activity.root), key=_size)
        times = max(self.until, until), max(self.since, since)
        return Mark(self.turn, self.key, *first, *second, *times)


class HighWater:
    """The mark of one broker."""

    def __init__(self, path: Path, log_key: bytes) -> None:
        """Keep the mark at ``path``; it must be of the log with this key."""
        self.path = path
        self.frozen = ""
        self._key = log_key
        self._own = -1  # descriptor of the file of this process: a lock holds it
        self._own_path = path
        self._let_go: Callable[[], object] = _nothing
        self._raw: dict[Path, bytes] = {}
        self._found: list[Path] = []  # files of other processes, as the folder was at _looked
        self._looked = -1
        self._read: Mark | None = None
        self._flushed: Mark | None = None  # what another has written may not be on the disk yet
        self._writing = Lock()

    @property
    def exists(self) -> bool:
        """Whether there is a file."""
        return self.path.exists()

    def read(self) -> Mark:
        """Return the mark as it stands on the disk now: the highest of all processes.

        Raises:
            FrozenError: rule ``high-water``: it is missing, spoiled, or of another log.
            UnreachableError: rule ``busy``: this process has no descriptor for it now.
        """
        try:
            raw = {self.path: _bytes_of(self.path)}
            for path in self._others():
                raw[path] = _bytes_of(path).ljust(2 * PLACE, b"\0")
        except OSError as err:
            if err.errno not in NO_DESCRIPTOR:
                raise
            # Whoever holds thousands of lines must not make the broker say that it lost entries.
            raise UnreachableError("too many lines are open: ask again", rule="busy") from None
        if raw == self._raw and self._read is not None:
            return self._read
        marks = [self._newest(self.path, raw[self.path])]
        for path, data in raw.items():
            # Nothing was signed under a file whose first mark never came to its end.
            if path != self.path and BLANK not in _places(data):
                marks.append(self._newest(path, data))
        first = max((mark.of("authority") for mark in marks), key=_size)
        second = max((mark.of("activity") for mark in marks), key=_size)
        times = max(mark.until for mark in marks), max(mark.since for mark in marks)
        self._raw, self._read = raw, Mark(marks[0].turn, self._key, *first, *second, *times)
        return self._read

    def _others(self) -> list[Path]:
        """Return the files of the other processes. A copy that somebody made beside is none."""
        changed = os.stat(self.path.parent).st_mtime_ns  # noqa: PTH116 - on the way of every answer
        if changed != self._looked:
            # Within one tick of the clock a second change has the time of the first.
            settled = time.time_ns() - changed > SETTLED_NS
            self._looked = changed if settled else -1
            ours = re.compile(re.escape(self.path.name) + "-[0-9]+")
            there = os.listdir(self.path.parent)  # noqa: PTH208 - names are enough
            self._found = sorted(self.path.with_name(n) for n in there if ours.fullmatch(n))
        return self._found

    def _newest(self, path: Path, raw: bytes) -> Mark:
        marks = [mark for mark in map(_parse, _places(raw)) if mark is not None]
        if not marks:
            raise _lost(path, "is spoiled")
        mark = max(marks, key=lambda one: one.turn)
        if mark.key != self._key:
            raise _lost(path, "belongs to another log")
        return mark

    def found(self, heads: Heads) -> bool:
        """Make the file of a broker that has signed nothing yet; tell whether it was not there.

        Another new process may have made it meanwhile, and have signed since: its mark stays.
        """
        if not create_durably(self.path, self._first(heads)):
            return False
        self._flushed = self.read()
        return True

    def begin(self, heads: Heads) -> None:
        """Make the file of a broker that is told to begin anew, in the place of all others."""
        for path in self._others():
            path.unlink()
        write_durably(self.path, self._first(heads))
        self._let_go()
        self._own = -1
        self._flushed = self.read()

    def _first(self, heads: Heads) -> bytes:
        authority, activity = heads.authority, heads.activity
        first = (authority.size, authority.root, activity.size, activity.root)
        return BLANK + _encode(Mark(1, self._key, *first))  # the next is written before it

    @property
    def until(self) -> int:
        """The latest time with which a head may be dated: this process has it on its disk."""
        return 0 if self._flushed is None else self._flushed.until

    def is_short(self, times: Times) -> bool:
        """Tell whether times are to be written anew, so that those of heads do not stand still."""
        kept, least = self._flushed, max(times.signed, times.now + RESERVED // 2)
        return kept is None or kept.until < least or kept.since < times.since

    def advance(self, heads: Heads, times: Times = NO_TIMES) -> None:
        """Return once the mark on the disk covers both heads. It blocks: call it in a thread.

        Nothing is reserved past a time that was signed ahead of the clock: with the clock behind,
        each process that starts would move the times of the log further ahead.

        Raises:
            OSError: It could not be written: nothing may be signed.
            FrozenError: It is gone, or spoiled.
        """
        with self._writing:
            # No head is dated before its newest entry, and none after what is kept here.
            signed = max(times.signed, times.since, heads.at // 1000)
            times, kept = replace(times, signed=signed), self._flushed
            if kept is None or self.is_short(times) or not kept.covers(heads):
                until = max(signed, times.now + RESERVED)
                self._write(self.read().risen(heads, until, times.since))

    def release(self, at: int) -> None:
        """Give back what was reserved past ``at``: nothing is dated later by this process.

        Raises:
            OSError: It could not be written; who starts next waits some seconds.
            FrozenError: It is gone, or spoiled.
        """
        with self._writing:
            if self._flushed is not None and not self.frozen and at < self._flushed.until:
                mark = self.read()
                self._write(replace(mark, until=max(at, mark.since)))

    def _write(self, mark: Mark) -> None:
        if self._own < 0 or not _is_at(self._own, self._own_path):
            self._claim()
        own = self._own
        kept = os.pread(own, 2 * PLACE, 0).ljust(2 * PLACE, b"\0")
        turn = max((one.turn for one in map(_parse, _places(kept)) if one is not None), default=0)
        # What another process wrote may not be on the disk yet: it is written here as well.
        for _ in range(1 + (BLANK in _places(kept) and self._own_path != self.path)):
            turn += 1
            mark = replace(mark, turn=turn)
            os.pwrite(own, _encode(mark), PLACE * (turn % 2))
            os.fdatasync(own)
        self._flushed = mark

    def _claim(self) -> None:
        """Hold the first file that no other process holds, as long as this mark is kept."""
        self._let_go()
        for n in range(PROCESSES):
            path = self.path if n == 0 else self.path.with_name(f"{self.path.name}-{n}")
            flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if n else 0)
            descriptor = os.open(path, flags, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            self._own, self._own_path = descriptor, path
            self._let_go = finalize(self, os.close, descriptor)
            sync_folder(path.parent)
            return
        raise OSError(f"more than {PROCESSES} processes hold a high-water mark")

    def require(self, log: str, head: LogHead) -> None:
        """Refuse to sign what is not under the mark: the last line before the log key.

        Raises:
            FrozenError: The broker is frozen, or another head of this size is marked.
            UnreachableError: The mark is not as far.
        """
        if self.frozen:
            raise FrozenError(self.frozen)
        size, root = (0, b"") if self._flushed is None else self._flushed.of(log)
        if head.size > size:
            raise UnreachableError("this is not under the high-water mark yet", rule="high-water")
        if head.size == size and head.root != root:
            raise FrozenError(f"the {log} log is not the one that was marked: {RECOVER}")

    def require_not_below(self, floor: Mark, heads: Heads) -> None:
        """Refuse heads that are older than a mark read before them.

        Raises:
            FrozenError: The database was put back while the broker ran.
        """
        if heads.authority.size < floor.authority or heads.activity.size < floor.activity:
            raise FrozenError(f"{_behind(floor, heads)}: {RECOVER}")


def _bytes_of(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(descriptor, 2 * PLACE, 0)
        finally:
            os.close(descriptor)
    except OSError as err:
        if err.errno in NO_DESCRIPTOR:
            raise
        raise _lost(path, f"cannot be read ({err.strerror})") from None


def _lost(path: Path, what: str) -> FrozenError:
    text = f"the high-water mark {path} {what}: nothing shows that this is the newest state"
    return FrozenError(f"{text} of the log; {RECOVER}", rule="high-water")


def behind(mark: Mark, heads: Heads) -> str:
    """Return in a sentence what is missing below the mark; empty if nothing is."""
    if heads.authority.size < mark.authority or heads.activity.size < mark.activity:
        return _behind(mark, heads)
    return ""


def _behind(mark: Mark, heads: Heads) -> str:
    parts = [
        f"{log} has {head.size} entries and had {size}"
        for log, head, size in (
            ("authority", heads.authority, mark.authority),
            ("activity", heads.activity, mark.activity),
        )
        if head.size < size
    ]
    return f"the database is older than what was signed ({', '.join(parts)})"


def _encode(mark: Mark) -> bytes:
    text = (
        f"{MAGIC} {mark.turn} {mark.key.hex()} {mark.authority} {mark.authority_root.hex()} "
        f"{mark.activity} {mark.activity_root.hex()} {mark.until} {mark.since} "
    )
    return f"{text}{sha256(text.encode()).hex()}".encode().ljust(PLACE - 1) + b"\n"


def _places(raw: bytes) -> tuple[bytes, bytes]:
    return raw[:PLACE], raw[PLACE : 2 * PLACE]


def _parse(place: bytes) -> Mark | None:
    """Return the mark in one place, None if it is empty, torn or rotten."""
    try:
        text, _, checksum = place.decode("ascii").rstrip().rpartition(" ")
        if sha256(f"{text} ".encode()).hex() != checksum:
            return None
        magic, turn, key, *parts = text.split(" ")
        if magic != MAGIC or len(parts) not in (4, 6):  # older marks have no times
            return None
        logs = (int(parts[0]), bytes.fromhex(parts[1]), int(parts[2]), bytes.fromhex(parts[3]))
        return Mark(int(turn), bytes.fromhex(key), *logs, *map(int, parts[4:]))
    except ValueError:
        return None


def _size(head: tuple[int, bytes]) -> int:
    return head[0]


def _nothing() -> None:
    """Let go of nothing: no file is held yet."""


def _is_at(descriptor: int, path: Path) -> bool:
    """Tell whether an open file is the one at a path: it may have been taken away."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False
