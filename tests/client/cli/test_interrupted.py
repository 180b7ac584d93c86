"""Ctrl-C and Ctrl-D in the places where a command waits; and what a reader of JSON gets."""

import json
import os
import pty
import signal
import subprocess
import time
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.client.cli.stage import PASSPHRASE, SEEFEN, Stage, eventually, stage

pytestmark = pytest.mark.timeout(300)
SKOPJE, BELGRADE = "skopje-border", "belgrade-ffp"
PATIENCE = 60  # seconds
WHY = ("--purpose", "trace", "--basis", "pcc-see")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    """Two nodes in a channel; the first one's device is closed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEEFEN_PASSPHRASE", PASSPHRASE)
        with stage(tmp_path_factory.mktemp("network")) as made:
            invites = {node: made.wait(made.broker.invite(node)) for node in (SKOPJE, BELGRADE)}
            made.join(invites, "--root-key", made.folder / "root" / "root-2.key")
            made.ok(SKOPJE, "channel", "open", "seefen-border", BELGRADE)
            yield made


class Typed:
    """A command at a terminal of its own."""

    def __init__(self, home: Path, *argv: str) -> None:
        self._screen, end = pty.openpty()
        self.shown = ""
        command = [*SEEFEN, "--home", str(home), *argv]
        self._process = subprocess.Popen(
            command, stdin=end, stdout=end, stderr=end, start_new_session=True,
            env={**os.environ, "TERM": "dumb"}, close_fds=True,
        )  # fmt: skip
        os.close(end)

    def sees(self, part: str) -> None:
        """Wait until a part of the screen is there."""
        ends = time.monotonic() + PATIENCE
        while part not in self.shown:
            assert time.monotonic() < ends, self.shown
            self._look()

    def press(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._screen, keys)

    def interrupt(self) -> None:
        """Do what the terminal does at Ctrl-C."""
        os.killpg(self._process.pid, signal.SIGINT)

    def ends(self) -> int:
        """Return the exit code, with all that is on the screen in ``shown``."""
        with suppress(OSError):  # the other end is closed: all was read
            while self._look():
                pass
        code = self._process.wait(PATIENCE)
        os.close(self._screen)
        return code

    def _look(self) -> bytes:
        data = os.read(self._screen, 4096)
        self.shown += data.decode(errors="replace")
        return data


def test_ctrl_c_at_a_question_says_that_the_draft_is_kept(network: Stage) -> None:
    network.close(SKOPJE)
    try:
        asked = Typed(network.home(SKOPJE), "alert", "send")
        asked.sees("Where?")
        asked.press(b"Merdare\n")
        asked.sees("Carrying?")
        asked.interrupt()
        assert asked.ends() == 130
        assert "Draft kept in the vault." in asked.shown
        assert "seefen: error: stopped" in asked.shown
        again = Typed(network.home(SKOPJE), "alert", "send")
        again.sees("Merdare")
        again.press(b"n\n")
        again.sees("Where?")
        again.press(b"\x04")  # Ctrl-D: nobody answers any more
        assert again.ends() == 2
        assert "an answer is needed" in again.shown
    finally:
        network.open(SKOPJE)


def test_ctrl_c_ends_the_live_view_as_it_says(network: Stage) -> None:
    network.close(SKOPJE)
    try:
        live = Typed(network.home(SKOPJE), "tail")
        live.sees("Ctrl-C ends it")
        live.sees("Off watch: no alert opens by itself, and none rings.")
        live.interrupt()
        assert live.ends() == 130
        assert "error" not in live.shown
    finally:
        network.open(SKOPJE)


def test_with_json_an_export_is_json_too(network: Stage, tmp_path: Path) -> None:
    case = network.ok(SKOPJE, "case", "open", "--title", "Makes", "--member", BELGRADE).split()[1]
    network.ok(SKOPJE, "case", "send", case, "--text", "See there")
    eventually(lambda: network.ok(SKOPJE, "case", "show", case), "#1")
    export = ("--json", "export", case, *WHY)
    assert json.loads(network.ok(SKOPJE, *export))["messages"]
    told = json.loads(network.ok(SKOPJE, *export, "-o", tmp_path / "case.csv"))
    assert told == {"file": str(tmp_path / "case.csv"), "open": 1, "covers": 0, "left_out": 0}
    assert (tmp_path / "case.csv").read_text(encoding="utf-8-sig").startswith('"ref"')
    both = network.run(SKOPJE, *export, "--as", "csv")
    assert (both.code, both.out) == (2, "")
    shown = network.run(SKOPJE, "action-day", "show", "seefen-border#1", "-o", tmp_path / "day.csv")
    assert shown.code == 2
    assert "--csv" in shown.err
