"""Running the tests against mutants: each in a fork of a process that has collected them.

A mutant changes one function, and only its code is exchanged, so that every module that
has imported it sees the mutant. The tests that reach the function run, the fastest first,
up to the first that fails.
"""

import contextlib
import gc
import json
import os
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import pytest

from tests.mutation.operators import Mutant, mutants

PATIENCE = 10  # times as long as without it may a test take with a mutant,
AT_LEAST = 10  # and these seconds more


@dataclass
class Outcome:
    """What became of the mutants of one module."""

    module: str
    killed: int = 0
    survivors: list[Mutant] = field(default_factory=list[Mutant])

    @property
    def count(self) -> int:
        """How many mutants there were."""
        return self.killed + len(self.survivors)

    @property
    def score(self) -> float:
        """The part that was killed, in percent."""
        return 100 * self.killed / self.count if self.count else 100.0


@dataclass(frozen=True)
class Reach:
    """One test: how long it takes and which functions it enters, as ``module:function``."""

    index: int
    seconds: float
    functions: frozenset[str]


class Runner:
    """A pytest plugin that runs the collected tests against mutants instead of once."""

    def __init__(self, modules: dict[str, Path], told: Callable[[Outcome], None]) -> None:
        """Mutate ``modules`` (name and file) and tell each outcome when it is known."""
        self.modules = modules
        self.told = told
        self.outcomes: list[Outcome] = []
        self.killers: defaultdict[int, set[str]] = defaultdict(set)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Measure the unchanged tests, then run them against each mutant."""
        # pytest wants to be the first that imports it.
        from hypothesis import Phase, settings

        # A failure needs neither its smallest example nor a place in the database.
        quick = settings(
            settings.default, phases=(Phase.explicit, Phase.generate), database=None,
            derandomize=True,
        )  # fmt: skip
        settings.register_profile("mutants", quick)
        settings.load_profile("mutants")
        for name in self.modules:
            import_module(name)
        gc.freeze()  # or each fork copies what it merely counts
        reaches = list(_measured(session, self.modules))
        for name, path in self.modules.items():
            outcome = Outcome(name)
            for mutant in mutants(path):
                key = f"{name}:{mutant.function}"
                tests = sorted(
                    (reach for reach in reaches if key in reach.functions),
                    key=lambda reach: reach.seconds,
                )
                # What noticed one change of a function is likely to notice the next.
                tests.sort(key=lambda reach: key not in self.killers[reach.index])
                killer = _killer(session, name, mutant, tests)
                if killer is None:
                    outcome.survivors.append(mutant)
                else:
                    outcome.killed += 1
                    self.killers[killer].add(key)
            self.outcomes.append(outcome)
            self.told(outcome)
        return True


def _measured(session: pytest.Session, modules: dict[str, Path]) -> Iterator[Reach]:
    """Run every test once, unchanged, in one fork, and yield what each reaches."""
    names = {str(path): name for name, path in modules.items()}
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        with os.fdopen(writer, "w", encoding="utf-8") as out, _silence():
            for index, item in enumerate(session.items):
                seconds, entered = _entered(item, names)
                passed = not session.testsfailed
                out.write(json.dumps([index, seconds, sorted(entered), passed, item.nodeid]) + "\n")
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as lines:
        for line in lines:
            index, seconds, entered, passed, nodeid = json.loads(line)
            if not passed:
                raise pytest.UsageError(f"{nodeid} fails without any mutant")
            yield Reach(index, seconds, frozenset(entered))
    os.waitpid(child, 0)


def _entered(item: pytest.Item, names: dict[str, str]) -> tuple[float, set[str]]:
    entered: set[str] = set()
    seen: set[CodeType] = set()

    def note(frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if event == "call" and code not in seen:
            seen.add(code)
            if code.co_filename in names:
                function = code.co_qualname.split(".<locals>")[0]
                entered.add(f"{names[code.co_filename]}:{function}")

    began = time.perf_counter()
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        _run(item)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return time.perf_counter() - began, entered


def _run(item: pytest.Item) -> None:
    # Without a next item, everything it set up is taken down again.
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)


def _killer(session: pytest.Session, module: str, mutant: Mutant, tests: list[Reach]) -> int | None:
    """Return which test fails with the mutant in its place; None if all of them pass.

    A mutant that ends the process or hangs is killed by the test that was running.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _exchange(module, mutant)  # if this fails, it is the runner that is wrong: it shows
        with _silence():
            for test in tests:
                os.write(writer, test.index.to_bytes(4, "big"))
                _end_after(AT_LEAST + int(PATIENCE * test.seconds))
                _run(session.items[test.index])
                if session.testsfailed:
                    os._exit(1)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as begun:
        last = begun.read()[-4:]
    _, status = os.waitpid(child, 0)
    if status == 0:
        return None
    if not last:
        raise pytest.UsageError(f"{module}.{mutant.function} cannot be exchanged: {mutant.after}")
    return int.from_bytes(last, "big")


def _end_after(seconds: int) -> None:
    """End this process when it has waited or worked so long; time in which it is stopped is free.

    A mutant would pass for killed if somebody merely stopped the machine for a while.
    """
    left = iter(range(seconds))

    def tick(*_: object) -> None:
        if next(left, None) is None:
            os._exit(1)

    signal.signal(signal.SIGALRM, tick)
    signal.setitimer(signal.ITIMER_REAL, 1, 1)
    # A loop in C never comes to the tick; this ends it.
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds)


def _exchange(module: str, mutant: Mutant) -> None:
    """Put the code of the mutant into the function that everybody has already imported."""
    loaded = import_module(module)
    function = _function(vars(loaded), mutant.function)
    code, free = mutant.code, function.__code__.co_freevars
    # A change that drops `super()` drops the cell of its class, too; the function keeps it.
    function.__code__ = code if code.co_freevars else code.replace(co_freevars=free)


def _function(names: Mapping[str, Any], path: str) -> FunctionType:
    """Return the function behind class, property, class method and decorators."""
    first, _, rest = path.partition(".")
    found: Any = names[first]
    if rest:
        return _function(found.__dict__, rest)
    for inner in ("__func__", "fget", "func"):
        found = getattr(found, inner, found)
    while hasattr(found, "__wrapped__"):
        found = found.__wrapped__
    if not isinstance(found, FunctionType):
        raise LookupError(f"{path} is no function")
    return found


@contextlib.contextmanager
def _silence() -> Generator[None]:
    """Send what tests and pytest print nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    yield
