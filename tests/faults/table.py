"""Runs the fault tests many times over and writes the table of docs/reliability.md.

Each file of tests runs by itself, and its part of the table is kept in ``build/faults``: a
run takes long, and what passed need not be run again (``make faults ARGS=--resume``) unless
the product or the fault tests have changed since.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reliability.md"
KEPT = ROOT / "build" / "faults"
MARK = "<!-- table: make faults -->\n"
SOURCES = ("protocol/src", "server/src", "client/src", "tests/faults", "tests/support")
PASSED = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
HEAD = "| area | fault | times | what held | seed |\n|---|---|---|---|---|\n"


def table(lines: Iterable[str]) -> str:
    """Return the table of what a book holds: one row for a fault, its times added up."""
    rows: dict[tuple[str, str, str], tuple[int, set[str]]] = {}
    for line in lines:
        found = json.loads(line)
        place = (found["area"], found["fault"], found["held"])
        count, seeds = rows.get(place, (0, set[str]()))
        rows[place] = (count + found["count"], seeds | {found["seed"]} - {""})
    return HEAD + "".join(
        f"| {area} | {fault} | {count} | {held} | {', '.join(sorted(seeds))} |\n"
        for (area, fault, held), (count, seeds) in sorted(rows.items())
    )


def main(arguments: list[str]) -> int:
    """Run the tests; the page changes only when all of them pass."""
    factor = os.environ.get("SEEFEN_FAULT_FACTOR", "10")
    resume = "--resume" in arguments
    arguments = [argument for argument in arguments if argument != "--resume"]
    folder = KEPT / _state(factor, *arguments)
    folder.mkdir(parents=True, exist_ok=True)
    failed = [test for test in _files() if not _passes(test, folder, factor, arguments, resume)]
    lines = [line for kept in sorted(folder.glob("*.json")) for line in kept.open(encoding="utf-8")]
    found = table(lines)
    sys.stdout.write(found)
    if failed:
        sys.stdout.write(f"failed, so the page stays as it was: {', '.join(failed)}\n")
        return 1
    text = PAGE.read_text(encoding="utf-8").partition(MARK)[0]
    words = f' ARGS="{" ".join(arguments)}"' if arguments else ""
    made = f"Made by `SEEFEN_FAULT_FACTOR={factor} make faults{words}`.\n\n"
    PAGE.write_text(text + MARK + made + found, encoding="utf-8")
    return 0


def _passes(test: str, folder: Path, factor: str, arguments: list[str], resume: bool) -> bool:
    """Run one file of tests; keep what it wrote down once all of it has passed."""
    kept = folder / f"{test.replace('/', '-')}.json"
    if resume and kept.exists():
        return True
    kept.unlink(missing_ok=True)
    book = kept.with_suffix(".book")
    book.write_bytes(b"")
    environment = {**os.environ, "SEEFEN_FAULT_FACTOR": factor, "SEEFEN_FAULT_BOOK": str(book)}
    command = [sys.executable, "-m", "pytest", test, "-q", *arguments]
    code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    if code in PASSED:
        book.rename(kept)
    return code in PASSED


def _files() -> Iterator[str]:
    for test in sorted(ROOT.glob("tests/faults/*/test_*.py")):
        yield str(test.relative_to(ROOT))
    yield "tests/server/test_races.py"


def _state(*words: str) -> str:
    """Return a name for what is run, how often, and on which state of the sources."""
    state = sha256(repr(words).encode())
    found = (path for source in SOURCES for path in (ROOT / source).rglob("*.*"))
    for path in sorted(path for path in found if path.suffix in (".py", ".sql")):
        state.update(repr((str(path.relative_to(ROOT)), path.read_bytes())).encode())
    return state.hexdigest()[:12]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
