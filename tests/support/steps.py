"""Two small stores, and a real process that ends, or hears EIO, at each step of writing them.

    python -m tests.support.steps STORE FAULT FOLDER FIRST STRIDE

forks a process for each step, or each ``STRIDE``-th from the ``FIRST`` on, until one comes to
its end without the fault, and prints a line of JSON for each: how it ended, and what it told
before. A step is a call that opens, writes, syncs, cuts, renames or deletes a file; who is
killed in a write has done half of it. The product knows nothing of this: for files of the
library the calls of ``os`` are counted, and for those of SQLite the calls of its VFS. Nothing is
really synced: what that does cannot be seen from here.
"""

import errno
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import apsw
from msgspec.structs import replace

from seefen.client.witnessing import Witness
from seefen.protocol.errors import RefusedError
from seefen.protocol.suite import PlainKey
from seefen.server.errors import FrozenError
from seefen.server.high_water import HighWater
from seefen.server.rows import Heads, LogHead
from tests.support.network import Network
from tests.support.witnesses import AT, LOG_KEY, ORIGIN, Leaves

FAULTS: Final = ("kill", "eio")
SIZES: Final = (5, 9)
LIMIT: Final = 300
KEY: Final = PlainKey.from_secret(bytes(32)).public
BASE: Final = apsw.vfs_names()[0]  # before another one is the default
ROOT: Final = Network(origin=ORIGIN).root
TREE: Final = Leaves.of(40)

Tell = Callable[[int], None]


def heads(activity: int) -> Heads:
    """Return heads with that activity log; its root is made of its size."""
    first, second = (LogHead(n, n.to_bytes(32, "big"), b"") for n in (3, activity))
    return Heads(first, second, 0)


def witness_in(folder: Path) -> Witness:
    """Return the witness of a folder, made if it is none yet; the root names it."""
    public = Witness.create(folder)
    root = replace(ROOT, witnesses=(public,), quorum=1, log_key=LOG_KEY.public)
    return Witness.open(folder, root, clock=lambda: AT)


def cosign(witness: Witness, size: int) -> int:
    """Let it cosign a head, from the one it has stored; return the status."""
    old = witness.head("activity").size
    return witness.add_checkpoint(old, TREE.proof(old, size), TREE.note(size)).status


def _cosign_all(folder: Path, tell: Tell) -> None:
    """Tell each size whose lines could leave."""
    try:
        witness = witness_in(folder)
    except (OSError, RefusedError):
        witness = witness_in(folder)  # the disk did not write, and does now
    for size in SIZES:
        with suppress(RefusedError):
            if cosign(witness, size) == 200:
                tell(size)


def _mark_all(folder: Path, tell: Tell) -> None:
    """Tell each size under which could be signed, by two processes of one broker."""
    folder.mkdir(parents=True)
    mark = HighWater(folder / "high-water", KEY)
    try:
        mark.begin(heads(1))
    except (OSError, FrozenError):
        mark.begin(heads(1))
    tell(1)
    other = HighWater(folder / "high-water", KEY)
    for size in SIZES:
        for one, upto in ((mark, size), (other, size + 1)):
            with suppress(OSError, FrozenError):
                one.advance(heads(upto))
                one.require("activity", heads(upto).activity)
                tell(upto)


STORES: Final = {"witness": _cosign_all, "high-water": _mark_all}


class Steps:
    """Counts calls; at the ``nth`` comes the fault."""

    def __init__(self, nth: int, fault: str) -> None:
        self.left = nth
        self._fault = fault

    def take(self, half: Callable[[], object] | None = None) -> None:
        """Count one call; ``half`` does half of what it is to write."""
        self.left -= 1
        if self.left:
            return
        if self._fault == "eio":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if half is not None:
            half()
        os.kill(os.getpid(), signal.SIGKILL)

    def of_os(self) -> None:
        """Count what the library asks of the system."""
        os.fsync = os.fdatasync = self._counted(_at_once)
        # fdopen: the file is there, and what is written into it is not.
        for name in ("open", "fdopen", "ftruncate", "replace", "rename", "link", "unlink"):
            setattr(os, name, self._counted(getattr(os, name)))
        real = os.pwrite

        def pwrite(descriptor: int, data: Any, offset: int) -> int:
            self.take(partial(real, descriptor, data[: len(data) // 2], offset))
            return real(descriptor, data, offset)

        os.pwrite = pwrite

    def _counted(self, real: Any) -> Any:
        def counted(*args: Any, **options: Any) -> Any:
            self.take()
            return real(*args, **options)

        return counted


def _at_once(_: int) -> None:
    pass


class CountedFile(apsw.VFSFile):
    """A file of SQLite whose calls are counted."""

    def __init__(self, steps: Steps, name: Any, flags: Any) -> None:
        self._steps = steps
        super().__init__(BASE, name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - the name in SQLite
        below: Any = super()
        self._take(partial(below.xWrite, bytes(data)[: len(data) // 2], offset))
        below.xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._take()

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self._take()
        super().xTruncate(newsize)

    def _take(self, half: Callable[[], object] | None = None) -> None:
        _as_sqlite(self._steps, half)


class CountedVFS(apsw.VFS):
    """The files of SQLite, counted."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        super().__init__("counted", BASE, makedefault=True)

    def xOpen(self, name: Any, flags: Any) -> Any:  # noqa: N802
        _as_sqlite(self._steps)
        return CountedFile(self._steps, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        _as_sqlite(self._steps)
        super().xDelete(filename, syncdir)


def _as_sqlite(steps: Steps, half: Callable[[], object] | None = None) -> None:
    try:
        steps.take(half)
    except OSError as err:
        raise apsw.IOError(str(err)) from None


def main(store: str, fault: str, folder: Path, first: int, stride: int) -> None:
    """Fork a process for each step, and print how each ended."""
    for nth in range(first, LIMIT, stride):
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            _run(store, fault, folder / str(nth), nth, writing)
        os.close(writing)
        with os.fdopen(reading) as told:
            sizes = [int(line) for line in told]
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        sys.stdout.write(json.dumps({"nth": nth, "code": code, "told": sizes}) + "\n")
        sys.stdout.flush()  # or the next child would print it too
        if code == 1:
            return


def _told(writing: int, size: int) -> None:
    os.write(writing, b"%d\n" % size)


def _run(store: str, fault: str, folder: Path, nth: int, writing: int) -> None:
    code = 70
    try:
        steps, vfs = Steps(nth, fault), None
        steps.of_os()
        if store == "witness":
            vfs = CountedVFS(steps)
        STORES[store](folder, partial(_told, writing))
        code = 1 if steps.left > 0 else 0
        del vfs
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
