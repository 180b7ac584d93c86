"""``make fuzz``: each decoder under atheris, coverage-guided, for an hour or as long as said.

What reaches new code is kept in ``tests/fuzz/corpus`` (small inputs only), and the ordinary
tests run it again. A crash leaves its input in ``build/fuzz`` and ends with exit code 1.
"""

import argparse
import importlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

CORPUS: Final = Path(__file__).parent / "corpus"
FOUND: Final = Path(__file__).resolve().parents[2] / "build" / "fuzz"
LONGEST: Final = 4096  # bytes of a kept input: larger ones teach little and weigh much
HOUR: Final = 3600
SLOW: Final = 10  # seconds; a decoder that hangs this long is a find


def main() -> int:
    """Run every decoder, or those that are named; return 1 if one failed."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=HOUR, help="for each decoder")
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    parser.add_argument("--one", help=argparse.SUPPRESS)  # the child process
    options, rest = parser.parse_known_args()
    if options.one:
        return _child(options.one, rest)
    from tests.fuzz.decoders import table

    names = options.only or list(table())
    failed = [name for name in names if not _run(name, options.seconds)]
    print(f"{len(names)} decoders, {options.seconds} s each, {len(failed)} failed: {failed}")
    return 1 if failed else 0


def _run(name: str, seconds: int) -> bool:
    """Fuzz one decoder in a process of its own and keep what was new."""
    kept = CORPUS / name
    FOUND.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as grown:
        begun = [*map(str, kept.glob("*"))]
        limits = [f"-max_total_time={seconds}", f"-timeout={SLOW}", f"-max_len={LONGEST}"]
        marks = [f"-artifact_prefix={FOUND}/{name}-", "-print_final_stats=1"]
        code = _atheris(name, [*limits, *marks, grown, *([str(kept)] if begun else [])])
        if any(Path(grown).iterdir()):
            kept.mkdir(parents=True, exist_ok=True)
            _atheris(name, ["-merge=1", f"-max_len={LONGEST}", str(kept), grown])
    return code == 0


def _atheris(name: str, words: list[str]) -> int:
    command = [sys.executable, "-m", "tests.fuzz", "--one", name, *words]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        check=False,
    )  # fmt: skip
    log = FOUND / f"{name}.log"
    log.write_text(done.stdout)
    told = [line for line in done.stdout.splitlines() if "executed_units" in line]
    if told or done.returncode:
        state = "ok" if done.returncode == 0 else f"exit {done.returncode}, see {log}"
        print(f"{name}: {state} {' '.join(told)}", flush=True)
    return done.returncode


def _child(name: str, words: list[str]) -> int:
    atheris: Any = importlib.import_module("atheris")  # in the deep environment alone
    with atheris.instrument_imports(include=["seefen"]):
        from tests.fuzz.decoders import LIMIT, table
    decoder = table()[name]
    with tempfile.TemporaryDirectory() as seeds:
        for number, seed in enumerate(decoder.seeds):
            (Path(seeds) / str(number)).write_bytes(seed)

        def once(data: bytes) -> None:
            decoder.check(data[:LIMIT])

        folders = [seeds] if "-merge=1" not in words else []
        # A merge starts this line again, through a shell.
        again = f"{sys.executable} -m tests.fuzz --one {name}"
        atheris.Setup([again, *words, *folders], once)
        atheris.Fuzz()
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
