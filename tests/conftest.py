"""Settings for every test: what a machine with two busy cores needs to be fair."""

import pytest
from hypothesis import settings

# Few tests and minutes each: begun first, they do not leave one core idle at the end.
LONG = ("tests/system/", "tests/faults/", "tests/bench/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the folders that take longest in front; everything else stays in its order."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


# A deadline per example measures the machine, not us; a failure prints what reproduces it.
settings.register_profile("seefen", deadline=None, print_blob=True)
settings.load_profile("seefen")
