"""One broker at a time on a data folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seefen.server.config import SetupError
from seefen.server.lock import is_held, only_one

HOLD = """
import sys, time
from pathlib import Path
from seefen.server.lock import only_one
with only_one(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_holder_is_told_who_holds_it(tmp_path: Path) -> None:
    with only_one(tmp_path):
        assert is_held(tmp_path)
        with pytest.raises(SetupError, match=str(os.getpid())), only_one(tmp_path):
            pass
        assert is_held(tmp_path)
    assert not is_held(tmp_path)


def test_the_folder_is_free_again_after_sigkill(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert is_held(tmp_path)
        process.kill()
    with only_one(tmp_path):
        pass


def test_a_folder_that_was_never_held_is_free(tmp_path: Path) -> None:
    assert not is_held(tmp_path)
