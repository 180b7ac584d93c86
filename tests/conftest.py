"""Settings for every test: what a machine with two busy cores needs to be fair."""

import os
import signal

import pytest
from hypothesis import settings

# Few tests and minutes each: begun first, they do not leave one core idle at the end.
LONG = ("tests/system/", "tests/faults/", "tests/bench/")

# A shell that begins the tests in the background has its children ignore Ctrl-C, and theirs with
# them; processes that tests end with it would then run for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """Return one more than there are cores: half of the time tests wait for others."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the folders that take longest in front; everything else stays in its order."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


# A deadline per example measures the machine, not us; a failure prints what reproduces it.
settings.register_profile("seefen", deadline=None, print_blob=True)
settings.load_profile("seefen")
