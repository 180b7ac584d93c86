"""A shift under a PIN, typed at a real terminal."""

import os
import select
import signal
import time
from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from seefen.client import keeping
from seefen.client.keyfile import NAME, read_key_file
from seefen.server.tls import ca_pem, make_authority
from tests.client.cli.stage import SEEFEN, command
from tests.client.homes import PASSPHRASE, make_home
from tests.support.network import Network

pty = pytest.importorskip("pty")
PIN = "270391"


@dataclass
class Typist:
    """Types into a pseudo-terminal, and reads what stands on it."""

    line: int
    shown: str = ""

    def until(self, text: str) -> str:
        """Return all that was shown up to a text."""
        end = time.monotonic() + 60
        while text not in self.shown:
            assert time.monotonic() < end, self.shown
            if select.select([self.line], [], [], 0.2)[0]:
                self.shown += os.read(self.line, 4096).decode()
        before, _, self.shown = self.shown.partition(text)
        return before + text

    def answer(self, question: str, typed: str = "") -> str:
        """Wait for a question, answer it, and return what stood before."""
        before = self.until(question)
        self.type(typed)
        return before

    def type(self, words: str) -> None:
        """Type a line."""
        os.write(self.line, f"{words}\n".encode())


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """A device whose broker is away; nothing here needs one."""
    monkeypatch.delenv("SEEFEN_PASSPHRASE", raising=False)
    home, network = tmp_path / "home", Network.founded("skopje-border")
    make_authority(tmp_path, "seefen", datetime.now(UTC))
    make_home(home, network.of("skopje-border"), network, "https://127.0.0.1:9", ca_pem(tmp_path))
    yield home
    keeping.lock(home)


@pytest.fixture
def terminal(home: Path) -> Generator[Typist]:
    child, line = pty.fork()
    if child == 0:
        os.environ.update(SEEFEN_HOME=str(home), COLUMNS="100", PS1="$ ")
        os.execvp("sh", ["sh", "-c", "while read -r words; do $0 -m seefen.client $words; done",
                         SEEFEN[0]])  # fmt: skip
    yield Typist(line)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(line)


def test_the_passphrase_once_and_then_nothing(home: Path, terminal: Typist) -> None:
    terminal.type("unlock")
    terminal.answer("Passphrase: ", PASSPHRASE)
    terminal.answer("(6 digits or more): ", "123456")
    assert "among the first" in terminal.answer("(6 digits or more): ", PIN)
    terminal.answer("The same again: ", PIN)
    assert PIN not in terminal.until("Unlocked until")
    terminal.answer("before you leave the machine", "watch list")
    assert "PIN" not in terminal.until("Off watch").partition("watch list")[2]
    terminal.type("unlock")
    terminal.until("Unlocked already, until")
    # In another window, at another terminal, the PIN: and there somebody is wrong with it.
    assert [keeping.ask(home, pin).count for pin in ("100200", "100201")] == [4, 3]
    terminal.type("lock")
    terminal.until("Locked: the passphrase is asked for again.")
    terminal.type("lock")
    terminal.until("It was locked")
    terminal.type("watch list")
    terminal.answer("once a shift): ", "not the passphrase")
    terminal.until("wrong passphrase, or the file is damaged")


def test_the_pin_is_asked_for_until_it_is_right(home: Path, terminal: Typist) -> None:
    keeping.start(home, read_key_file(home / NAME, PASSPHRASE), PIN)
    terminal.type("watch list")
    terminal.answer("PIN (Enter = passphrase): ", "1")
    assert "6 to 12 digits" in terminal.answer("PIN (Enter = passphrase): ", "100200")
    assert "wrong PIN, 4 tries left" in terminal.answer("PIN (Enter = passphrase): ")
    terminal.answer("once a shift): ")
    terminal.answer("hint:", "watch list")
    for pin in ("100201", "100202", "100203", "100204"):
        terminal.answer("PIN (Enter = passphrase): ", pin)
    assert "the keys are forgotten" in terminal.until("once a shift): ")


def test_what_cannot_be_unlocked_is_told_first(tmp_path: Path) -> None:
    said = command("--home", tmp_path, "unlock")
    assert said.code == 1
    assert "there is no device" in said.err
    said = command("--home", tmp_path, "lock", "--json")
    assert (said.code, said.out.split()) == (0, ["{", '"until":', "0,", '"already":', "true", "}"])


def test_a_script_gives_the_passphrase_as_ever(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEFEN_PASSPHRASE", PASSPHRASE)
    assert command("--home", home, "watch", "list").code == 0
    said = command("--home", home, "unlock")  # nobody is there to choose a PIN
    assert said.code != 0
    assert keeping.status(home).state == "none"
