"""Runs of the demo, each ended with all that it started, whatever its test does."""

from collections.abc import Callable, Generator

import pytest

from tests.support.broker import free_port
from tests.system.running import Run

# One run takes half a minute on two idle cores; others may use them.
DEMO_SECONDS = 600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.name.startswith("test_demo"):
            item.add_marker(pytest.mark.timeout(DEMO_SECONDS))


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def demo() -> Generator[Callable[..., Run]]:
    """Give a function that starts the demo."""
    runs: list[Run] = []

    def start(*argv: str, terminal: bool = False, **environment: str) -> Run:
        runs.append(Run(*argv, terminal=terminal, **environment))
        return runs[-1]

    yield start
    for run in runs:
        run.close()
