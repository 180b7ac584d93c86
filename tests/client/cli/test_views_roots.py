"""What the next root statement would change, as whoever signs it is warned."""

import pytest

from seefen.client.cli.views import roots
from seefen.client.roots import RootView
from tests.client.cli.test_views import printed

HOUR = 3600
WAIT = "nobody sends but alerts"
ALONE = "by themselves"


def view(names: str, quorum: int, hours: int = 24) -> RootView:
    witnesses = tuple(f"seefen.example/witness/{name}" for name in names)
    return RootView("SEE", 1, 3, 2, witnesses, quorum, hours * HOUR)


@pytest.mark.parametrize(
    ("now", "then", "warned"),
    [
        (view("abc", 2), view("abc", 2, 720), {"LONGER THAN NOW"}),
        (view("abc", 2), view("abc", 2, 12), set[str]()),
        (view("abc", 2), view("def", 2), {WAIT, ALONE}),
        (view("abc", 2), view("abd", 2), {WAIT}),
        (view("abc", 2), view("abcdefghi", 2), {WAIT, ALONE, "A SMALLER PART THAN NOW"}),
        (view("abc", 3), view("abc", 2), {WAIT, "FEWER THAN NOW"}),
        (view("", 0), view("ab", 2), {WAIT}),
    ],
)
def test_what_weakens_the_network_is_said(now: RootView, then: RootView, warned: set[str]) -> None:
    said = " ".join(printed(roots.proposed(now, then)).split())
    words = {WAIT, ALONE, "LONGER THAN NOW", "FEWER THAN NOW", "A SMALLER PART THAN NOW"}
    assert {word for word in words if word in said} == warned
