"""``make mutants``: change the code in small ways and see that a test notices.

``make mutants ARGS="protocol.envelope server.gate"`` takes some modules only. It ends with
1 if less than nine in ten are noticed.
"""

import os
import sys
import time
from pathlib import Path

import pytest

from tests.mutation.running import Outcome, Runner
from tests.support.database import postgres

ROOT = Path(__file__).resolve().parents[2]
AIM = 90.0
PROTOCOL = (
    *("suite._cosigning", "suite._hashing", "suite._sealing", "suite._signing", "encoding"),
    *("envelope", "bundle", "statements", "keys", "standing", "coverage", "case", "case_chain"),
    *("growing", "directory", "authority_rules", "access", "search", "manifest", "objects"),
    *("receipt", "ledger.mirror", "ledger.note", "ledger.quorum", "ledger.record"),
    *("ledger.tiles", "ledger.tree", "ledger.witness", "login", "words", "padding"),
    *("naming", "onward", "retention"),
)
SERVER = (
    *("gate", "judging", "jobs", "shapes", "releases", "looks", "parcels", "view", "rates"),
    *("enrolment", "tokens", "pages", "feed", "push", "witnesses", "denials", "announcing"),
    *("web.tokens", "web.callers", "web.services"),
)


def main(arguments: list[str]) -> int:
    """Run the mutants of the modules named, or of all."""
    everything = [f"protocol.{m}" for m in PROTOCOL] + [f"server.{m}" for m in SERVER]
    outcomes: list[Outcome] = []
    for part in ("protocol", "server"):
        names = [name for name in arguments or everything if name.startswith(part + ".")]
        if names:
            outcomes += _run(part, names)
    count, killed = (sum(getattr(o, what) for o in outcomes) for what in ("count", "killed"))
    score = 100 * killed / count if count else 0.0
    _say(f"| all | {count} | {killed} | {count - killed} | {score:.1f} % |")
    return 0 if score >= AIM else 1


def _run(part: str, names: list[str]) -> list[Outcome]:
    source = ROOT / part / "src" / "seefen"
    files = {
        f"seefen.{name}": source.joinpath(*name.split(".")).with_suffix(".py") for name in names
    }
    began = time.perf_counter()

    def tell(outcome: Outcome) -> None:
        for mutant in outcome.survivors:
            _say(f"    {outcome.module}:{mutant.line} {mutant.function}: {mutant.after}")
        _say(
            f"| `{outcome.module.removeprefix('seefen.')}` | {outcome.count} | {outcome.killed} | "
            f"{len(outcome.survivors)} | {outcome.score:.1f} % |  "
            f"({time.perf_counter() - began:.0f} s)"
        )

    if part == "server":
        postgres()  # or each fork starts one of its own and leaves it running
    runner = Runner(files, tell)
    options = [
        "-q",
        "-x",
        "-s",
        "--tb=no",  # how each failure looks takes longer than to find it
        "-o",
        "timeout=0",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:faulthandler",
    ]
    code = pytest.main([*options, *_own_tests(names)], plugins=[runner])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise SystemExit(f"the tests could not be run: {code}")
    return runner.outcomes


def _own_tests(names: list[str]) -> list[str]:
    """Return the test files of the modules: what only the tests of others notice, survives."""
    found: set[str] = set()
    for name in names:
        *folders, word = name.split(".")
        if folders[-1] == "suite":
            word = folders.pop()
        found |= {str(path) for path in ROOT.joinpath("tests", *folders).glob(f"test_{word}*.py")}
    return sorted(found)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    os.nice(10)
    sys.exit(main(sys.argv[1:]))
