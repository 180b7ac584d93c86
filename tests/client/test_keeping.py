"""A shift under a PIN: real keepers, killed, stopped, raced and replaced."""

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from seefen.client import keeper, keeping
from seefen.client.keyfile import NAME, DeviceKeys, write_key_file
from seefen.protocol.errors import RefusedError

CHEAP = 8192  # KiB
PASSPHRASE = "copper lantern violet nine orchard"
PIN, WRONG = "270391", ("100200", "100201", "100202", "100203", "100204", "100205")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the system tells nothing of peers")


@pytest.fixture(scope="module")
def keys() -> DeviceKeys:
    return DeviceKeys.generate()


@pytest.fixture
def home(tmp_path: Path, keys: DeviceKeys) -> Generator[Path]:
    home = tmp_path / "home"
    home.mkdir()
    write_key_file(home / NAME, keys, PASSPHRASE, memory_kib=CHEAP)
    yield home
    if home.exists():
        keeping.lock(home)


def pid_of(home: Path) -> int:
    with keeping._line(home / keeping.FOLDER) as line:
        return keeper.peer_of(line)[0]


def gone(pid: int) -> bool:
    """Say whether a process has ended; what is left for its parent is no process."""
    try:
        return b") Z " in Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return True


def until(good: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not good():
        assert time.monotonic() < end
        time.sleep(0.02)


def guess(home: Path, *pins: str) -> subprocess.Popen[str]:
    """Try PINs in a process of its own, in a terminal session of its own."""
    words = (
        "import sys; from pathlib import Path; from seefen.client import keeping;"
        "[print(keeping.ask(Path(sys.argv[1]), pin.strip()).state) for pin in sys.argv[2:]]"
    )
    return subprocess.Popen(
        [sys.executable, "-c", words, home, *pins],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def out_of_sight(_: int) -> int:
    return 0


def somebody_else(_: socket.socket) -> tuple[int, int]:
    return 1, os.getuid() + 1


def heard(listener: socket.socket) -> bytes:
    """Return what a peer said that came by, if one came."""
    listener.settimeout(0.05)
    try:
        peer, _ = listener.accept()
    except TimeoutError:
        return b""
    with peer:
        return peer.recv(100)


def _try(home: Path, pin: str, answers: list[str]) -> None:
    answers.append(keeping.ask(home, pin).state)


@pytest.mark.parametrize("loopback", [False, True])
def test_the_keys_come_with_the_pin_and_go_with_the_lock(
    home: Path, keys: DeviceKeys, loopback: bool
) -> None:
    begun = keeping.start(home, keys, PIN, loopback=loopback)
    assert begun.until == pytest.approx(time.time() + keeping.SHIFT, abs=60)
    got = keeping.ask(home).keys
    assert got is not None
    assert (got.device, got.vault, got.kem.secret) == (keys.device, keys.vault, keys.kem.secret)
    assert (got.sign.secret, got.auth.secret) == (keys.sign.secret, keys.auth.secret)
    assert keeping.status(home).state == "runs"
    assert keeping.lock(home)
    assert keeping.ask(home, PIN) == keeping.Kept("none")
    assert not keeping.lock(home)
    assert list((home / keeping.FOLDER).iterdir()) == []


def test_after_idle_time_the_pin_is_asked_for(home: Path, keys: DeviceKeys) -> None:
    keeping.start(home, keys, PIN, idle_s=0.2)
    seen = keeper.now()
    until(lambda: keeper.now() > seen + 0.25)
    assert keeping.ask(home).state == "pin"
    assert keeping.ask(home, PIN).state == "keys"


@LINUX
def test_in_another_terminal_the_pin_is_asked_for(home: Path, keys: DeviceKeys) -> None:
    keeping.start(home, keys, PIN)
    said = guess(home, " ", PIN, " ").communicate(timeout=30)[0]
    assert said.split() == ["pin", "keys", "keys"]


@LINUX
def test_a_session_that_began_outside_of_the_container(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system says 0 for a first process that is out of sight: the terminal remains."""
    monkeypatch.setattr(os, "getsid", out_of_sight)
    here, there = socket.socketpair()
    with here, there:
        assert keeper.session_of(there) == (0, int(Path("/proc/self/stat").read_text().split()[6]))


@pytest.mark.parametrize("loopback", [False, True])
def test_attack_five_wrong_pins_and_the_keys_are_forgotten(
    home: Path, keys: DeviceKeys, loopback: bool
) -> None:
    keeping.start(home, keys, PIN, loopback=loopback)
    told = [keeping.ask(home, pin) for pin in WRONG[:4]]
    assert [one.count for one in told] == [4, 3, 2, 1]
    assert keeping.ask(home, PIN).count == 4  # said to the officer: somebody tried
    assert [keeping.ask(home, pin).state for pin in WRONG[:5]] == ["wrong"] * 4 + ["forgotten"]
    assert keeping.ask(home, PIN).state == "none"


@LINUX
def test_attack_wrong_pins_in_parallel_are_five_in_all(home: Path, keys: DeviceKeys) -> None:
    keeping.start(home, keys, PIN)
    both = [guess(home, *WRONG), guess(home, *WRONG)]
    answers: list[str] = []
    threads = [threading.Thread(target=_try, args=(home, pin, answers)) for pin in WRONG]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for process in both:
        answers += process.communicate(timeout=30)[0].split()
    assert len(answers) == 18
    assert sorted(one for one in answers if one != "none") == ["forgotten"] + ["wrong"] * 4


@LINUX
def test_attack_a_try_that_is_cut_off_was_a_try(home: Path, keys: DeviceKeys) -> None:
    keeping.start(home, keys, PIN)
    for pin in WRONG[:4]:
        with keeping._line(home / keeping.FOLDER) as line:
            line.sendall(keeper.OPEN + bytes([len(pin)]) + pin.encode())
    assert keeping.ask(home, WRONG[4]).state == "forgotten"


@LINUX
def test_attack_a_keeper_that_is_killed_gives_no_tries_back(home: Path, keys: DeviceKeys) -> None:
    keeping.start(home, keys, PIN)
    keeping.ask(home, WRONG[0])
    pid = pid_of(home)
    os.kill(pid, signal.SIGKILL)
    until(lambda: gone(pid))
    # Its door is still there, and nobody behind it: only the passphrase makes another.
    assert (home / keeping.FOLDER / keeper.SOCKET).exists()
    assert keeping.ask(home, PIN).state == "none"
    keeping.start(home, keys, PIN)
    assert keeping.ask(home).state == "keys"


def test_a_second_start_says_so(home: Path, keys: DeviceKeys) -> None:
    keeping.start(home, keys, PIN)
    with pytest.raises(RefusedError, match="unlocked already"):
        keeping.start(home, keys, "481516")
    assert keeping.ask(home, PIN).state == "keys"


@LINUX
def test_a_keeper_whose_door_was_taken_over_ends(home: Path, keys: DeviceKeys) -> None:
    keeping.start(home, keys, PIN)
    first = pid_of(home)
    (home / keeping.FOLDER / keeper.SOCKET).unlink()
    keeping.start(home, keys, PIN)
    until(lambda: gone(first))
    assert keeping.ask(home).state == "keys"


@LINUX
@pytest.mark.parametrize("what", ["life", "home", "key file", "moved"])
def test_it_ends_with_the_shift_and_with_its_home(
    home: Path, keys: DeviceKeys, tmp_path: Path, what: str
) -> None:
    keeping.start(home, keys, PIN, life_s=2 if what == "life" else 60)
    pid = pid_of(home)
    if what == "home":
        shutil.rmtree(home)
    elif what == "moved":
        home.rename(tmp_path / "elsewhere")
    elif what == "key file":
        write_key_file(home / NAME, keys, "another passphrase", memory_kib=CHEAP)
    until(lambda: gone(pid))
    assert keeping.ask(home).state == "none"


@LINUX
def test_a_keeper_that_hangs_hangs_no_command(
    home: Path, keys: DeviceKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "LIMIT", 0.3)
    keeping.start(home, keys, PIN)
    pid = pid_of(home)
    os.kill(pid, signal.SIGSTOP)
    assert keeping.ask(home, PIN).state == "silent"
    with pytest.raises(RefusedError, match="unlocked already"):
        keeping.start(home, keys, PIN)
    assert keeping.lock(home)
    until(lambda: gone(pid))
    assert keeping.ask(home).state == "none"


def test_who_says_nothing_does_not_hold_the_others_up(home: Path, keys: DeviceKeys) -> None:
    keeping.start(home, keys, PIN)
    with keeping._line(home / keeping.FOLDER), keeping._line(home / keeping.FOLDER) as line:
        line.sendall(keeper.OPEN + b"\x06" + b"27")
        assert keeping.ask(home).state == "keys"
    assert keeping.ask(home, WRONG[0]).count == 4


@pytest.mark.parametrize("left", ["file", "open", "link", "empty", "foreign"])
def test_attack_what_lies_where_a_keeper_would_gets_no_pin(
    home: Path, keys: DeviceKeys, tmp_path: Path, left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = home / keeping.FOLDER
    listener = socket.socket(socket.AF_UNIX)
    elsewhere = tmp_path / "elsewhere" if left == "link" else folder
    elsewhere.mkdir(mode=0o755 if left == "open" else 0o700)
    if left == "link":
        folder.symlink_to(elsewhere)
    with listener, keeper.reachable(elsewhere, keeper.SOCKET) as path:
        if left == "file":
            Path(path).write_text("nothing")
        elif left != "empty":
            listener.bind(path)
            listener.listen()
        if left == "foreign":
            monkeypatch.setattr(keeper, "peer_of", somebody_else)
        assert keeping.ask(home, PIN) == keeping.Kept("none")
        if left not in ("file", "empty"):
            assert heard(listener) == b""
    monkeypatch.undo()
    if left in ("open", "link"):
        with pytest.raises(RefusedError, match="open to others"):
            keeping.start(home, keys, PIN)
    else:
        assert keeping.start(home, keys, PIN).state == "keys"


@LINUX
def test_attack_another_user_is_not_let_in(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / keeping.FOLDER).mkdir(mode=0o700)
    door = keeper.Door(home / keeping.FOLDER, loopback=False)
    with door.line, keeping._line(home / keeping.FOLDER):
        peer, _ = door.line.accept()
        with peer:
            assert door.admit(peer)
            monkeypatch.setattr(keeper, "peer_of", somebody_else)
            assert not door.admit(peer)


def test_attack_a_port_that_another_took_gets_no_pin(home: Path, keys: DeviceKeys) -> None:
    keeping.start(home, keys, PIN, loopback=True)
    port, secret = keeping._written(home / keeping.FOLDER / keeper.PORT)
    kept = (home / keeping.FOLDER / keeper.PORT).read_bytes()
    with socket.create_connection(("127.0.0.1", port)) as line:  # any user of the machine
        line.sendall(bytes(32))
        assert len(keeper.exactly(line, 64)) == 64
        line.sendall(bytes(32) + keeper.LOCK)
        with pytest.raises(ConnectionError):
            keeper.exactly(line, 1)
    assert keeping.ask(home).state == "keys"
    assert secret
    keeping.lock(home)
    (home / keeping.FOLDER / keeper.PORT).write_bytes(kept)
    with socket.create_server(("127.0.0.1", port)) as listener:
        said: list[bytes] = []

        def listen() -> None:
            peer, _ = listener.accept()
            with peer:
                said.append(peer.recv(100))
                peer.sendall(bytes(64))
                with suppress(ConnectionError):
                    said.append(peer.recv(100))

        thread = threading.Thread(target=listen)
        thread.start()
        assert keeping.ask(home, PIN).state == "none"
        thread.join()
    assert [len(one) for one in said if one] == [32]
    (home / keeping.FOLDER / keeper.PORT).unlink()


@LINUX
def test_attack_neither_keys_nor_pin_lie_anywhere_but_in_its_memory(
    home: Path, keys: DeviceKeys
) -> None:
    keeping.start(home, keys, PIN)
    proc = Path(f"/proc/{pid_of(home)}")
    places = [path for path in home.rglob("*") if path.is_file()] + [proc / "cmdline"]
    if os.getuid() == 0:
        places.append(proc / "environ")
    for secret in (keys.vault, keys.sign.secret[:32], PIN.encode()):
        assert [path for path in places if secret in path.read_bytes()] == []
    locked = [row for row in (proc / "status").read_text().splitlines() if "VmLck" in row]
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] != 0:
        assert [int(row.split()[1]) > 0 for row in locked] == [True]


@LINUX
def test_attack_nobody_dumps_its_memory(home: Path, keys: DeviceKeys) -> None:
    words = (
        "import ctypes, sys; from pathlib import Path; from seefen.client import keeper\n"
        "def look(_): print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), file=sys.stderr)\n"
        "keeper.Keeper.serve = look\n"
        "keeper.main(Path(sys.argv[1]), loopback=False)"
    )
    (home / keeping.FOLDER).mkdir(mode=0o700)
    handed = keeper.HANDED.pack(1000, 1000, bytes(16), bytes(32), 1) + b"k"
    argv = [sys.executable, "-c", words, str(home / keeping.FOLDER)]
    done = subprocess.run(argv, input=handed, capture_output=True, timeout=30, check=True)
    assert (done.stdout, done.stderr.strip()) == (keeper.READY, b"0")


def test_attack_the_folder_a_command_is_typed_in_brings_no_code(
    home: Path, keys: DeviceKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("struct.py", "hmac.py", "secrets.py", "sitecustomize.py"):
        (tmp_path / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert keeping.start(home, keys, PIN).state == "keys"
    assert not (tmp_path / "ran").exists()


def test_a_home_with_a_long_path(keys: DeviceKeys, tmp_path: Path) -> None:
    home = tmp_path / ("полиција-" * 12) / "home"
    home.mkdir(parents=True)
    write_key_file(home / NAME, keys, PASSPHRASE, memory_kib=CHEAP)
    keeping.start(home, keys, PIN)
    assert keeping.ask(home).state == "keys"
    assert keeping.lock(home)


def test_keys_of_another_device_are_not_taken(home: Path, keys: DeviceKeys) -> None:
    with pytest.raises(RefusedError):
        keeping.start(home, replace(keys, device=bytes(16)), PIN)
    assert keeping.ask(home, PIN).state == "none"


@pytest.mark.parametrize("bad", ["", "12345", "1" * 13, "12ab56", "٢٧٠٣٩١", "270 391"])
def test_what_is_no_pin(bad: str) -> None:
    assert keeping.pin_problem(bad) == "a PIN has 6 to 12 digits"


@pytest.mark.parametrize("bad", ["000000", "123456", "654321", "890123", "121212", "123123"])
def test_what_anyone_would_try_first(bad: str, home: Path, keys: DeviceKeys) -> None:
    assert "first" in keeping.pin_problem(bad)
    with pytest.raises(ValueError, match="no PIN"):
        keeping.start(home, keys, bad)


@LINUX
def test_attack_the_passphrase_stands_in_the_environment_of_the_keeper(
    home: Path, keys: DeviceKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEFEN_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("SOMETHING_ELSE", PASSPHRASE)
    keeping.start(home, keys, PIN)
    said = Path(f"/proc/{pid_of(home)}/environ").read_bytes()
    assert b"PATH=" in said
    assert b"SEEFEN_" not in said
    assert PASSPHRASE.encode() not in said
