"""A shift under a PIN: starts the keeper of a home, asks it for the keys, and ends it.

The keeper (:mod:`seefen.client.keeper`) is a process of its own. Whatever it does, a command
goes on: one that is not there, does not answer or is not ours to trust is as good as none, and
the passphrase opens the key file as ever.
"""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from stat import S_IMODE, S_ISDIR
from typing import IO, Final, Literal

from seefen.client import keeper
from seefen.client.keyfile import NAME, DeviceKeys, device_of, pack_keys, unpack_keys
from seefen.protocol.errors import MalformedError, RefusedError
from seefen.protocol.suite import random_bytes

FOLDER: Final = "keeper"
SHIFT: Final = 12 * 3600.0  # seconds
IDLE: Final = 15 * 60.0  # seconds without a command, after which the PIN is asked for again
DIGITS: Final = range(6, 13)
# What Python needs to start, here and on Windows.
_ENVIRONMENT: Final = frozenset(
    ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")
)
LIMIT: Final = 5.0  # seconds in which a keeper answers, or is said not to

State = Literal["none", "silent", "runs", "pin", "wrong", "forgotten", "keys", "locked"]
_STATES: Final[dict[bytes, State]] = {
    keeper.RUNS: "runs",
    keeper.PIN: "pin",
    keeper.WRONG: "wrong",
    keeper.FORGOTTEN: "forgotten",
    keeper.KEYS: "keys",
    keeper.LOCKED: "locked",
}
_LOOPBACK: Final = not hasattr(socket, "AF_UNIX")  # Windows


@dataclass(frozen=True, slots=True)
class Kept:
    """What the keeper of a home says; ``none``: there is none, ``silent``: it does not answer.

    ``count`` is how many tries are left, with ``keys`` how many wrong ones there were before;
    ``until`` is when it ends, in Unix seconds.
    """

    state: State
    count: int = 0
    until: int = 0
    keys: DeviceKeys | None = None


def pin_problem(pin: str) -> str:
    """Return why a text is no PIN, or nothing.

    Digits alone, so that no layout of a keyboard stands between an officer and his keys. What
    thieves try first would make five tries many.
    """
    if not (pin.isascii() and pin.isdigit() and len(pin) in DIGITS):
        return f"a PIN has {DIGITS[0]} to {DIGITS[-1]} digits"
    steps = {(int(b) - int(a)) % 10 for a, b in pairwise(pin)}
    again = any(pin == pin[:n] * (len(pin) // n) for n in (1, 2, 3))
    if again or steps in ({1}, {9}):
        return "this PIN is among the first that anyone tries"
    return ""


def start(
    home: Path,
    keys: DeviceKeys,
    pin: str,
    *,
    life_s: float = SHIFT,
    idle_s: float = IDLE,
    loopback: bool = _LOOPBACK,
) -> Kept:
    """Start the keeper of a home, and show it the PIN once from here.

    Raises:
        RefusedError: rule ``keeper``: there is one already, or none can be started here.
        ValueError: This is no PIN.
    """
    if pin_problem(pin):
        raise ValueError("no PIN")
    folder = home.absolute() / FOLDER
    salt, kept = random_bytes(16), pack_keys(keys)
    digest = hashlib.sha256(salt + pin.encode()).digest()
    times = (round(life_s * 1000), round(idle_s * 1000))
    handed = keeper.HANDED.pack(*times, salt, digest, len(kept)) + kept
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if not _is_ours(folder):
            raise _refused(f"{folder} is open to others: take it away")
        said = _run(folder, handed, loopback=loopback)
    except OSError as err:
        raise _refused(f"no keeper can be started here ({err.strerror or err})") from None
    if said == keeper.BUSY:
        raise _refused("this device is unlocked already")
    if said != keeper.READY:
        raise _refused("no keeper can be started here: no socket can be made in this folder")
    shown = ask(home, pin)
    if shown.keys is None or shown.keys.device != keys.device:
        raise _refused("another keeper was started at the same time")
    return shown


def _refused(why: str) -> RefusedError:
    return RefusedError(why, rule="keeper")


def _run(folder: Path, handed: bytes, *, loopback: bool) -> bytes:
    # Isolated, and without site-packages: no folder and no variable brings code into it.
    argv = [sys.executable, "-I", "-S", keeper.__file__, str(folder)]
    if loopback:
        argv.append("loopback")
    process = subprocess.Popen(  # noqa: S603
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # Not the passphrase: it would stand in the environment as long as the keeper lives.
        env={name: value for name, value in os.environ.items() if name in _ENVIRONMENT},
        cwd=folder.anchor,
        start_new_session=True,  # it outlives the terminal
        creationflags=getattr(subprocess, "DETACHED_PROCESS", 0),
    )
    # It is to outlive this process, which therefore never waits for it.
    process.returncode = 0
    if process.stdin is None or process.stdout is None:
        raise OSError("no pipes")
    with process.stdin, process.stdout:
        said = process.stdout.readline()
        if said == keeper.READY:
            _hand(process.stdin, handed)
        return said


def _hand(pipe: IO[bytes], handed: bytes) -> None:
    pipe.write(handed)
    pipe.close()


def status(home: Path) -> Kept:
    """Return whether a keeper runs, and until when."""
    return _asked(home, keeper.STATUS)


def lock(home: Path) -> bool:
    """End the keeper of a home; return whether there was one.

    One that does not answer is killed.

    Raises:
        RefusedError: rule ``keeper``: it hangs, and cannot be killed from here.
    """
    told = _asked(home, keeper.LOCK)
    if told.state != "silent":
        return told.state != "none"
    if not (pid := _pid(home.absolute() / FOLDER)):
        raise _refused("the keeper hangs: end its process, or sign off from this machine")
    os.kill(pid, signal.SIGKILL)
    return True


def ask(home: Path, pin: str = "") -> Kept:
    """Ask for the keys, with the PIN or because it was shown in this terminal before."""
    typed = pin.encode()
    told = _asked(home, keeper.OPEN + bytes([len(typed)]) + typed)
    if told.keys is None:
        return told
    try:
        same = told.keys.device == device_of(home / NAME)
    except RefusedError:
        same = False
    return told if same else Kept("none")  # another device moved in here


def _asked(home: Path, request: bytes) -> Kept:
    folder = home.absolute() / FOLDER
    if not _is_ours(folder):
        return Kept("none")
    try:
        with _line(folder) as line:
            line.sendall(request)
            code, count, left, size = keeper.ANSWER.unpack(keeper.exactly(line, keeper.ANSWER.size))
            rest = keeper.exactly(line, size)
        keys = unpack_keys(rest) if rest else None
        return Kept(_STATES[code], count, int(time.time()) + left, keys)
    except TimeoutError:
        return Kept("silent")
    except (OSError, KeyError, MalformedError, ValueError):
        return Kept("none")  # what an earlier one left, or cut off while it ended


@contextmanager
def _line(folder: Path) -> Generator[socket.socket]:
    """Give a line to the keeper, and make sure that it is one of this user."""
    if not _LOOPBACK and (folder / keeper.SOCKET).exists():
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(LIMIT)
            with keeper.reachable(folder, keeper.SOCKET) as path:
                line.connect(path)
            if keeper.peer_of(line)[1] != os.getuid():
                raise ConnectionError("somebody else's")
            yield line
        return
    port, secret = _written(folder / keeper.PORT)
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as line:
        # It proves itself first: after a keeper's end anyone may take its port, and wait for a PIN.
        nonce = random_bytes(32)
        line.sendall(nonce)
        if keeper.exactly(line, 32) != keeper.proof(secret, b"keeper", nonce):
            raise ConnectionError("somebody else's")
        line.sendall(keeper.proof(secret, b"client", keeper.exactly(line, 32)))
        yield line


def _written(path: Path) -> tuple[int, bytes]:
    with path.open("rb") as file:
        port, _, secret = file.read(100).partition(b" ")
    return int(port), bytes.fromhex(secret.decode().strip())


def _pid(folder: Path) -> int:
    """Return the process behind a socket, as the system knows it; 0 where it tells nothing."""
    with suppress(OSError):
        if not _LOOPBACK and (folder / keeper.SOCKET).exists():
            with _line(folder) as line:
                return keeper.peer_of(line)[0]
    return 0


def _is_ours(folder: Path) -> bool:
    """Say whether a folder is one, of this user, and nobody else's to enter."""
    with suppress(OSError):
        found = folder.lstat()
        mine = not hasattr(os, "getuid") or found.st_uid == os.getuid()
        closed = not hasattr(os, "getuid") or S_IMODE(found.st_mode) & 0o077 == 0
        return S_ISDIR(found.st_mode) and mine and closed
    return False
