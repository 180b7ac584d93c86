"""What is a PIN, and which session a program belongs to that shows none."""

import os
import socket
import sys
from pathlib import Path

import pytest

from seefen.client import keeper, keeping
from seefen.client.keyfile import DeviceKeys


def out_of_sight(_: int) -> int:
    return 0


@pytest.mark.skipif(sys.platform != "linux", reason="the system tells nothing of peers")
def test_a_session_that_began_outside_of_the_container(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system says 0 for a first process that is out of sight: the terminal remains."""
    monkeypatch.setattr(os, "getsid", out_of_sight)
    here, there = socket.socketpair()
    with here, there:
        found = keeper.session_of(there)
    assert found is not None
    oldest, _, terminal = found
    assert Path(f"/proc/{oldest}/stat").read_text().rpartition(")")[2].split()[1] == "0"
    assert terminal == int(Path("/proc/self/stat").read_text().split()[6])


@pytest.mark.parametrize("bad", ["", "12345", "1" * 13, "12ab56", "٢٧٠٣٩١", "270 391"])
def test_what_is_no_pin(bad: str) -> None:
    assert keeping.pin_problem(bad) == "a PIN has 6 to 12 digits"


@pytest.mark.parametrize("bad", ["000000", "123456", "654321", "890123", "121212", "123123"])
def test_what_anyone_would_try_first(bad: str, tmp_path: Path) -> None:
    assert "first" in keeping.pin_problem(bad)
    with pytest.raises(ValueError, match="no PIN"):
        keeping.start(tmp_path, DeviceKeys.generate(), bad)
