"""What a witness and a broker must not forget: a real process ends at each step of writing it.

Fault 35 for the heads that a witness has signed and for the high-water mark: SIGKILL at each
step, or EIO in place of it, after which the process goes on. What was told had left: no head
below it may be signed again, whatever is found there.
"""

import json
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

from seefen.client.witnessing import Witness
from seefen.server.errors import FrozenError
from seefen.server.high_water import HighWater
from tests.support import steps
from tests.support.faultbook import FACTOR, note
from tests.support.steps import FAULTS, KEY, TREE, heads
from tests.support.vectors import ROOT

STRIDE = 3 if FACTOR == 1 else 1  # of the steps a third, drawn anew; `make faults` takes all


def runs(store: str, fault: str, folder: Path) -> list[dict[str, Any]]:
    """Return how each process ended and what it had told; the last one came to its end."""
    first = str(Random().randrange(STRIDE) + 1)
    command = [sys.executable, "-m", "tests.support.steps", store, fault, str(folder)]
    command += [first, str(STRIDE)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    wanted = 0 if fault == "eio" else -9
    assert {one["code"] for one in found[:-1]} == {wanted}, done.stderr
    assert (found[-1]["code"], done.stderr) == (1, "")
    return found


def signed(witness: Witness, old: int, size: int) -> int:
    return witness.add_checkpoint(old, TREE.proof(old, size), TREE.note(size)).status


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_35_a_witness_has_what_it_signed_wherever_its_writing_ends(
    tmp_path: Path, fault: str
) -> None:
    found = runs("witness", fault, tmp_path)
    assert len(found) > 40 // STRIDE
    assert found[-1]["told"] == [*steps.SIZES]
    for one in found:
        witness = steps.witness_in(tmp_path / str(one["nth"]))  # it always opens
        stored = witness.head("activity").size
        assert stored >= max(one["told"], default=0), one
        assert stored in (0, *steps.SIZES), one
        if stored:
            assert signed(witness, 0, stored - 1) == 409, one
            assert signed(witness, stored, stored - 1) == 400, one
        assert signed(witness, stored, 20) == 200, one
        witness.close()
    held = "no line left before its head was stored; it opens and goes on"
    note("client", f"a witness: {_SAID[fault]}", count=len(found) - 1, held=held)


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_35_the_mark_covers_what_was_signed_wherever_its_writing_ends(
    tmp_path: Path, fault: str
) -> None:
    found = runs("high-water", fault, tmp_path)
    assert len(found) > 25 // STRIDE
    assert found[-1]["told"] == [1, *(size + more for size in steps.SIZES for more in (0, 1))]
    for one in found:
        mark = HighWater(tmp_path / str(one["nth"]) / "high-water", KEY)
        try:
            marked = mark.read()
        except FrozenError:
            assert one["told"] == [], one  # it never came to its first mark: begin again
            mark.begin(heads(1))
            marked = mark.read()
        assert marked.activity >= max(one["told"], default=0), one
        assert marked.activity_root == heads(marked.activity).activity.root, one
        mark.advance(heads(20))
        assert HighWater(mark.path, KEY).read().activity == 20, one
    held = "nothing was signed that the mark does not cover; it rises again"
    note("broker", f"the high-water mark: {_SAID[fault]}", count=len(found) - 1, held=held)


_SAID = {
    "kill": "SIGKILL at each step of its store",
    "eio": "EIO at each step of its store",
}
