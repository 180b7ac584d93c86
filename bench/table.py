"""The table on the screen, and the JSON by which two runs can be compared."""

import json
import os
import platform
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from bench.rows import Row

FOLDER = Path("build/bench")


def print_table(rows: Iterable[Row]) -> None:
    """Print one line for each row."""
    print(f"\n{'':3}{'what':50}{'ours':>12}{'limit':>12} {'unit':10}{'ratio':>7}{'must':>8}")
    for row in rows:
        print(line(row))


def line(row: Row) -> str:
    """Return the line of a row."""
    limit = "" if row.limit is None else f"{row.limit:,.1f}"
    ratio = "" if row.ratio is None else f"{row.ratio:.3f}"
    must = "" if row.must is None else f"{'<=' if row.at_most else '>='}{row.must:g}"
    verdict = {None: "", True: "  holds", False: "  FAILS"}[row.holds]
    ours = f"{row.ours:,.1f}"
    figures = f"{ours:>12}{limit:>12} {row.unit:10}{ratio:>7}{must:>8}{verdict}"
    return f"({row.section}) {row.name:50}{figures}"


def write_json(rows: Sequence[Row], scale: str) -> Path:
    """Keep a run; ``OUT``, if it is set, gets a line for each row as the peers' bench writes it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{scale}.json"
    machine = {"python": platform.python_version(), "cpus": os.cpu_count(), "load": os.getloadavg()}
    content = {"scale": scale, "machine": machine, "rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(content, indent=1) + "\n")
    if out := os.environ.get("OUT"):
        with Path(out).open("a") as peers:
            peers.writelines(json.dumps(_as_peers(row)) + "\n" for row in rows)
    return path


def compare(before: Path, after: Path) -> None:
    """Print the ratios (or figures) of two runs beside each other."""
    was, now = (_rows(path) for path in (before, after))
    print(f"{'what':54}{before.stem[-20:]:>22}{after.stem[-20:]:>22}{'change':>9}")
    for name in [*was, *(name for name in now if name not in was)]:
        if name not in was or name not in now:
            print(f"{name:54} only in {'the first' if name in was else 'the second'}")
            continue
        one, two = (_figure(found[name]) for found in (was, now))
        print(f"{name:54}{one:22.3f}{two:22.3f}{two / one:8.2f}x")


def _rows(path: Path) -> dict[str, Row]:
    content = json.loads(path.read_text())
    made = [Row(**fields) for fields in content["rows"]]
    return {f"({row.section}) {row.name}": row for row in made}


def _figure(row: Row) -> float:
    return row.ours if row.ratio is None else row.ratio


def _as_peers(row: Row) -> dict[str, object]:
    return {
        "name": f"seefen/{row.section} {row.name}",
        "unit": row.unit,
        "median": row.ours,
        "min": row.ours,
        "max": row.ours,
        "n": 1,
        "t": time.strftime("%H:%M:%S"),
        "load": os.getloadavg()[0],
    }
