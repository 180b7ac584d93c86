"""Runs the fault tests many times over and writes the table of docs/reliability.md."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reliability.md"
MARK = "<!-- table: make faults -->\n"
TESTS = ("tests/faults", "tests/server/test_races.py")
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
    with tempfile.TemporaryDirectory() as folder:
        book = Path(folder) / "book"
        book.touch()
        environment = {**os.environ, "SEEFEN_FAULT_FACTOR": factor, "SEEFEN_FAULT_BOOK": str(book)}
        command = [sys.executable, "-m", "pytest", *TESTS, "-q", *arguments]
        code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        found = table(book.read_text(encoding="utf-8").splitlines())
    sys.stdout.write(found)
    if code == 0:
        text = PAGE.read_text(encoding="utf-8").partition(MARK)[0]
        words = f' ARGS="{" ".join(arguments)}"' if arguments else ""
        made = f"Made by `SEEFEN_FAULT_FACTOR={factor} make faults{words}`.\n\n"
        PAGE.write_text(text + MARK + made + found, encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
