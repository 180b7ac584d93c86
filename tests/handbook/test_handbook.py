"""The pages of the handbook, one after the other, as they stand; and what each costs an officer.

One run of real processes is shared by all: each page goes on where the one before ended.
"""

import subprocess
import sys
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from tests.handbook.__main__ import PAGES
from tests.handbook.stage import BOOK, Cast, cast, zone
from tests.handbook.transcript import Names, Page, Step

pytestmark = pytest.mark.timeout(900)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def raised() -> AsyncGenerator[Cast]:
    async with cast() as them:
        yield them


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", PAGES)
async def test_a_page_comes_out_as_it_stands(raised: Cast, name: str) -> None:
    await raised.play(Page.read(BOOK / f"{name}.md"), compare=True)


# --- what it costs an officer: the budgets, counted where they were typed -----------------------


def _steps(name: str, who: str) -> list[Step]:
    return [step for step in Page.read(BOOK / f"{name}.md").steps if step.who == who]


def _step(name: str, command: str) -> Step:
    (found,) = (s for s in Page.read(BOOK / f"{name}.md").steps if command in " ".join(s.words))
    return found


def test_an_alert_is_raised_in_twelve_entries_after_the_photograph() -> None:
    assert 0 < len(_step("duty-officer", "alert send --photo").typed) <= 12


def test_an_alert_is_answered_in_two() -> None:
    opened, answered = [
        step
        for step in _steps("duty-officer", "belgrade-ffp")
        if step.words[:2] in (["alert", "show"], ["alert", "answer"])
    ][:2]
    assert (opened.words[1], answered.words[1]) == ("show", "answer")
    assert opened.typed == answered.typed == []


def test_three_nodes_are_asked_for_a_trace_and_no_field_is_typed_again() -> None:
    asked = _step("investigator", "trace ask")
    assert asked.words.count("--to") == 3
    assert set(asked.typed) == {""}  # Enter, and nothing else


def test_prompts_of_a_shift() -> None:
    """One for the watch; for an investigator one in each case, and one for all his searches."""
    (watch,) = (s for s in _steps("duty-officer", "skopje-duty") if s.words[:2] == ["watch", "on"])
    assert watch.typed == []
    reading = [
        step
        for step in _steps("investigator", "belgrade-ffp")
        if step.words[0] in ("due", "case", "export", "ref")
    ]
    assert len(reading) >= 6
    assert len(_step("investigator", "search").typed) <= 1
    assert sum(len(step.typed) for step in reading) == 1


# --- the pages themselves ------------------------------------------------------------------------


@pytest.mark.parametrize("at", range(0, 86_400, 3599))
def test_every_run_begins_in_the_hour_after_nine(at: int) -> None:
    says = "import sys, time; print(time.strftime('%H', time.localtime(int(sys.argv[1]))))"
    argv = [sys.executable, "-c", says, str(at)]
    told = subprocess.run(argv, env={"TZ": zone(at)}, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "09"


def test_a_page_that_is_wrong_is_noticed() -> None:
    names = Names(year="2026")
    expected = ["read 09:31, taken by o-7f31", "12 pistols"]
    assert names.difference(expected, ["read 10:02, taken by o-0001", "12 pistols"]) == ""
    assert "printed" in names.difference(expected, ["read 10:02, taken by o-0002", expected[1]])
    same = "read 10:03, taken by o-0001"
    assert "11 pistols" in names.difference(expected, [same, "11 pistols"])
    assert "only" in names.difference(expected, [same, "12 pistols", "and one more line"])
    short = ["Drawn: 3 readings", "...", "That is all."]
    assert names.difference(short, [short[0], "#4 opened", "#9 sent", short[2]]) == ""
    assert names.difference(short, [short[0], short[2]]) == ""
    assert "That was" in names.difference(short, [short[0], "#4 opened", "That was all."])
    assert "only" in names.difference(short, [short[0]])
