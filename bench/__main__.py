"""``make bench``: one table, measured in one run. ``python -m bench --help`` says the rest."""

import argparse
import asyncio
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import uvloop

from bench import millions
from bench.rows import Row
from bench.stage import SCALES, Scale, stage
from bench.table import compare, line, print_table, write_json

PARTS = {
    "a": "writes",
    "b": "latency",
    "c": "fanout",
    "d": "files",
    "e": "catchup",
    "f": "memory",
    "g": "growth",
    "h": "search",
    "j": "audits",
    "l": "ledger",
    "m": "hashing",
    "p": "protections",
}


async def measure(parts: str, scale: Scale) -> list[Row]:
    """Run parts one after the other, each on a broker of its own."""
    rows: list[Row] = []
    for part in _known(parts):
        async with stage(scale) as place:
            for row in await import_module(f"bench.{PARTS[part]}").run(place):
                print(line(row), flush=True)
                rows.append(row)
    return rows


async def measure_at(entries: int, whole: int, scale: Scale) -> list[Row]:
    """Measure the auditor's side of (j) at sizes that are named."""
    rows: list[Row] = []
    for run, count in ((millions.filters, entries), (millions.whole, whole)):
        if count:
            async with stage(scale) as place:
                rows += await run(place, count)
    return rows


def _known(parts: str) -> Iterator[str]:
    for part in parts:
        if part not in PARTS or find_spec(f"bench.{PARTS[part]}") is None:
            print(f"({part}) there is no such part", file=sys.stderr)
            continue
        yield part


def main() -> int:
    """Measure or compare; 1 when something fails its goal."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure the exchange.")
    parser.add_argument("--parts", default="".join(PARTS), help="letters, as in abe")
    parser.add_argument("--full", action="store_true", help="a million objects; more rounds")
    parser.add_argument("--tiny", action="store_true", help="seconds; the figures say nothing")
    parser.add_argument("--hour", action="store_true", help="load for an hour in (f)")
    parser.add_argument(
        "--entries", type=int, default=0, metavar="N", help="filters of (j) alone, among N entries"
    )
    parser.add_argument(
        "--whole", type=int, default=0, metavar="N", help="(j): verify logs of N and N/10 entries"
    )
    parser.add_argument("--compare", nargs=2, type=Path, metavar="JSON", help="two runs")
    options = parser.parse_args()
    if options.compare:
        compare(*options.compare)
        return 0
    scale = SCALES["full" if options.full else "tiny" if options.tiny else "usual"]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rows = runner.run(
            measure_at(options.entries, options.whole, scale)
            if options.entries or options.whole
            else measure(options.parts, scale)
        )
    print_table(rows)
    print(f"\nkept as {write_json(rows, scale.name)}")
    return int(any(row.holds is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
