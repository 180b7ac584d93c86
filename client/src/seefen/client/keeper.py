"""The keeper: a small process that holds the keys of an unlocked device until the shift ends.

It is run as a script, isolated and with nothing but the standard library, so that neither the
folder a command was typed in nor the environment brings code into it. Keys and the hash of the
PIN come through its standard input and lie in one page of memory that is not swapped; nothing
of them is ever on a disk. They go out to a peer that proves the PIN, or whose terminal did so
and was not idle since. How many wrong PINs there were is known here alone: a keeper that ends,
however it ends, forgets the keys with it.

:mod:`seefen.client.keeping` is the other side, and ``docs/decisions/0023-*.md`` says why.
"""

import ctypes
import hashlib
import hmac
import math
import mmap
import os
import secrets
import socket
import struct
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Final, TypeAlias

TRIES: Final = 5
LOOK: Final = 1.0  # seconds between two looks whether the home still stands
PATIENCE: Final = 1.0  # seconds for a peer to say what it wants: it says so at once

SOCKET: Final = "socket"
PORT: Final = "port"
KEY_FILE: Final = "device.key"
READY: Final = b"ready\n"
BUSY: Final = b"busy\n"

OPEN, STATUS, LOCK = b"o", b"s", b"l"
KEYS, PIN, WRONG, FORGOTTEN, RUNS, LOCKED = b"K", b"P", b"W", b"F", b"R", b"L"

# What is handed to a new keeper: life and idle time in milliseconds, salt and hash of the PIN,
# length of the keys, and the keys.
HANDED: Final = struct.Struct(">II16s32sH")
# What it answers: the code, tries that are left (wrong ones before a right one), seconds it will
# still live, length of what follows.
ANSWER: Final = struct.Struct(">cBIH")

Session: TypeAlias = tuple[int, ...]
_ROOM: Final = 4096
_SUN_PATH: Final = 100  # bytes: what the path of a socket may have on every system, and a margin
_PR_SET_DUMPABLE: Final = 4
_PARENT, _TERMINAL, _BEGAN = (
    1,
    4,
    19,
)  # in what /proc/PID/stat says after the name (proc_pid_stat(5))


@contextmanager
def reachable(folder: Path, name: str) -> Generator[str]:
    """Give a path of a socket that is short enough, however long the folder's own is."""
    direct = str(folder / name)
    if len(os.fsencode(direct)) <= _SUN_PATH:
        yield direct
        return
    held = os.open(folder, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{held}/{name}"
    finally:
        os.close(held)


def proof(secret: bytes, side: bytes, nonce: bytes) -> bytes:
    """Return what shows to the other side of a loopback line that one knows its secret."""
    return hmac.digest(secret, b"seefen/1/keeper/" + side + nonce, "sha256")


def exactly(line: socket.socket, count: int, ends: float = math.inf) -> bytes:
    """Return so many bytes.

    Args:
        ends: When all of them must be there, by :func:`now`.

    Raises:
        OSError: The other side said less, or took too long.
    """
    data = bytearray()
    while len(data) < count:
        if now() > ends:  # a byte now and then keeps no line
            raise TimeoutError
        piece = line.recv(count - len(data))
        if not piece:
            raise ConnectionError("cut")
        data += piece
    return bytes(data)


class Page:
    """The memory that holds what is secret: one page, not swapped where the system allows."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _ROOM)
        self.keys = self.salt = self.digest = memoryview(b"")
        with suppress(AttributeError, OSError):  # without it the keys are as any memory is
            at = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
            ctypes.CDLL(None).mlock(ctypes.c_void_p(at), ctypes.c_size_t(_ROOM))

    def take(self, source: FileIO) -> tuple[float, float]:
        """Read what the starter hands over; return life and idle time in seconds.

        Raises:
            EOFError: He ended before he had handed it over.
        """
        view = memoryview(self._memory)
        filled = 0
        while count := source.readinto(view[filled:]):
            filled += count
        if filled < HANDED.size:
            raise EOFError
        life, idle, _, _, size = HANDED.unpack_from(view)
        self.salt, self.digest = view[8:24], view[24:56]
        self.keys = view[HANDED.size : HANDED.size + size]
        if size == 0 or filled != HANDED.size + size:
            raise EOFError
        return life / 1000, idle / 1000

    def is_pin(self, pin: bytes) -> bool:
        """Say whether this is the PIN."""
        return hmac.compare_digest(hashlib.sha256(bytes(self.salt) + pin).digest(), self.digest)

    def wipe(self) -> None:
        """Forget everything."""
        self._memory[:] = bytes(_ROOM)


class Door:
    """Where peers come in, as long as it is the door of this home."""

    def __init__(self, folder: Path, *, loopback: bool) -> None:
        self._secret = b""
        own = f"{os.getpid()}.new"
        if loopback:
            self.line = socket.create_server(("127.0.0.1", 0))
            self._secret = secrets.token_bytes(32)
            text = f"{self.line.getsockname()[1]} {self._secret.hex()}\n"
            descriptor = os.open(folder / own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
        else:
            self.line = socket.socket(socket.AF_UNIX)
            with reachable(folder, own) as path:
                self.line.bind(path)
            self.line.listen(16)
        # In one step, whatever an earlier keeper left: between "is it stale?" and an unlink
        # another start could lose its door.
        self._marker = folder / (PORT if loopback else SOCKET)
        (folder / own).replace(self._marker)
        self._key_file = folder.parent / KEY_FILE
        self._seen = self._look()
        self.line.settimeout(LOOK)

    def _look(self) -> tuple[int, ...]:
        marker, key_file = self._marker.lstat(), self._key_file.stat()
        return (marker.st_ino, marker.st_mtime_ns, key_file.st_ino, key_file.st_mtime_ns)

    def stands(self) -> bool:
        """Say whether home, key file and door are what they were: no other keeper took over."""
        try:
            return self._look() == self._seen
        except OSError:
            return False

    def admit(self, peer: socket.socket, ends: float) -> bool:
        """Let the peer show that it is of this user.

        A Unix socket asks the system; a loopback port can be reached by every user of the
        machine, so both sides prove that they know what stands in a file of this user alone.
        """
        if not self._secret:
            return peer_of(peer)[1] == os.getuid()
        mine = secrets.token_bytes(32)
        peer.sendall(proof(self._secret, b"keeper", exactly(peer, 32, ends)) + mine)
        return hmac.compare_digest(exactly(peer, 32, ends), proof(self._secret, b"client", mine))

    def close(self) -> None:
        """Take the door away, unless it is another's by now or was taken away before."""
        self.line.close()
        with suppress(OSError):
            if self._seen and self._marker.lstat().st_ino == self._seen[0]:
                self._marker.unlink()
        self._seen = ()


class Keeper:
    """Hands the keys out, counts wrong PINs, and ends."""

    def __init__(self, page: Page, door: Door, life: float, idle: float) -> None:
        self._page = page
        self._door = door
        self._end = now() + life
        self._idle = idle
        self._left = TRIES
        self._shown: dict[Session, float] = {}
        self._over = False

    def serve(self) -> None:
        """Answer one peer after the other until the end: tries cannot overtake each other."""
        while not self._over and now() < self._end and self._door.stands():
            with suppress(OSError):  # nobody came; who was cut off; who says nothing
                peer, _ = self._door.line.accept()
                with peer:
                    peer.settimeout(PATIENCE)
                    ends = now() + PATIENCE
                    if self._door.admit(peer, ends):
                        self._answer(peer, ends)

    def _answer(self, peer: socket.socket, ends: float) -> None:
        verb = exactly(peer, 1, ends)
        if verb == STATUS:
            self._say(peer, RUNS, self._left)
        elif verb == LOCK:
            self._forget()
            self._say(peer, LOCKED)
        elif verb == OPEN:
            pin = exactly(peer, exactly(peer, 1, ends)[0], ends)
            session = session_of(peer)
            if pin:
                self._try(peer, pin, session)
            elif session in self._shown and now() - self._shown[session] <= self._idle:
                self._give(peer, session)
            else:
                self._say(peer, PIN, self._left)

    def _try(self, peer: socket.socket, pin: bytes, session: Session | None) -> None:
        # Before it is compared: whoever cuts the line off now has had his try.
        self._left -= 1
        if self._page.is_pin(pin):
            wrong, self._left = TRIES - 1 - self._left, TRIES
            self._give(peer, session, wrong)
        elif self._left > 0:
            self._say(peer, WRONG, self._left)
        else:
            self._forget()
            self._say(peer, FORGOTTEN)

    def _give(self, peer: socket.socket, session: Session | None, wrong: int = 0) -> None:
        if session is not None:
            self._shown[session] = now()
        self._say(peer, KEYS, wrong, self._page.keys)

    def _forget(self) -> None:
        """Leave nothing, before anyone is told so: he may unlock anew at once."""
        self._over = True
        self._page.wipe()
        self._door.close()

    def _say(
        self, peer: socket.socket, code: bytes, count: int = 0, rest: memoryview | bytes = b""
    ) -> None:
        seconds = 0 if self._over else max(0, int(self._end - now()))
        peer.sendall(ANSWER.pack(code, count, seconds, len(rest)))
        peer.sendall(rest)


def now() -> float:
    """Return seconds that go on while the machine sleeps: a closed lid is idle time."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def peer_of(peer: socket.socket) -> tuple[int, int]:
    """Return process and user of a peer on a Unix socket, as the system knows them."""
    if sys.platform != "linux":
        return 0, os.getuid()  # the folder lets nobody else in
    told = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, _ = struct.unpack("3i", told)
    return pid, uid


def session_of(peer: socket.socket) -> Session | None:
    """Return the terminal session a peer belongs to, None if nothing is known of it.

    It is named by its first process and when that began: numbers of processes come again. In
    a container that was entered from its host the first process is out of sight: the oldest
    one in sight and the terminal name the session there. Where the system tells nothing, all
    programs of the user are one session.
    """
    if sys.platform != "linux" or peer.family != socket.AF_UNIX:
        return 0, 0
    try:
        pid = peer_of(peer)[0]
        if pid <= 0:
            return None  # a process this one cannot see; 0 would mean itself
        first = os.getsid(pid)
        if first > 0:
            return first, _told(first, _BEGAN)
        return *_oldest(pid), _told(pid, _TERMINAL)
    except (OSError, IndexError, ValueError):
        return None


def _oldest(pid: int) -> tuple[int, int]:
    parent = _told(pid, _PARENT)
    return _oldest(parent) if parent > 0 else (pid, _told(pid, _BEGAN))


def _told(pid: int, number: int) -> int:
    # The name in brackets may hold anything, brackets too.
    return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[number])


def answers(folder: Path) -> bool:
    """Say whether a keeper listens behind a socket that is there."""
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(PATIENCE)
    try:
        with line, reachable(folder, SOCKET) as path:
            line.connect(path)
    except OSError:
        return False
    return True


def main(folder: Path, *, loopback: bool) -> None:
    """Hold what comes through standard input, and hand it out until the end."""
    if sys.platform == "linux":
        # No core dump, and no other process of this user may look into the memory.
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    said, given = open(1, "wb", buffering=0), open(0, "rb", buffering=0)  # noqa: SIM115
    if not loopback and answers(folder):
        said.write(BUSY)
        return
    page = Page()
    door = Door(folder, loopback=loopback)
    try:
        said.write(READY)
        said.close()
        with suppress(EOFError):
            life, idle = page.take(given)
            given.close()
            Keeper(page, door, life, idle).serve()
    finally:
        page.wipe()
        door.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), loopback=sys.argv[2:] == ["loopback"])
