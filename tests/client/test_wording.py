"""Numbers and times in words: one of something, times with their zone, and no calendar's end."""

import pytest

from seefen.client.compared import Compared
from seefen.client.findings import Cosigned, Verdict
from seefen.client.wording import counted, day, stamp
from tests.client.cli.test_views import one


def test_one_officer_and_two_officers() -> None:
    assert [counted(n, "officer") for n in (0, 1, 2)] == ["0 officers", "1 officer", "2 officers"]
    assert [counted(n, "entry", "entries") for n in (1, 2)] == ["1 entry", "2 entries"]


def test_a_time_says_its_day_and_its_zone() -> None:
    assert stamp(1_795_718_626) == "2026-11-26 18:43Z"
    assert stamp(1_795_718_626, seconds=True) == "2026-11-26 18:43:46Z"
    assert day(1_795_718_626) == "2026-11-26"


@pytest.mark.parametrize("at", [2**63, -(2**63), 10**40])
def test_no_number_is_beyond_the_calendar(at: int) -> None:
    assert stamp(at).endswith("Z")


@pytest.mark.parametrize(
    ("size", "by", "needed", "said"),
    [
        (0, 0, 0, "3 witnesses named, none required: split views possible"),
        (0, 0, 2, "cosigned by nobody yet: 2 of 3 witnesses must sign"),
        (15, 2, 2, "cosigned up to 15 by 2 of 3 witnesses, 2026-11-26 18:43Z"),
        (14, 3, 2, "cosigned up to 14 by 3 of 3 witnesses, 2026-11-26 18:43Z; "
                   "entry 14 by nobody yet"),
        (9, 2, 2, "cosigned up to 9 by 2 of 3 witnesses, 2026-11-26 18:43Z; "
                  "entries 9 to 14 by nobody yet"),
    ],
)  # fmt: skip
def test_who_cosigned_is_said_of_the_head_that_was_signed(
    size: int, by: int, needed: int, said: str
) -> None:
    assert Cosigned(size, by, 3, 1_795_718_626 if size else 0, needed, 15).sentence == said


def test_a_network_without_witnesses_names_none() -> None:
    assert Cosigned(0, 0, 0, 0, 0, 15).sentence == "one broker, no witness: split views possible"
    one_alone = "1 witness named, none required: split views possible"
    assert Cosigned(0, 0, 1, 0, 0, 15).sentence == one_alone


def test_what_is_not_in_order_is_counted_beside_the_word() -> None:
    found = {"problems": ("p",), "gaps": ("g", "h"), "manifests": Compared()}
    against = one(Verdict, ok=False, alarms=(), findings=(), **found)
    assert against.sentence == "NOT IN ORDER: 1 problem, 2 gaps"
    assert one(Verdict, ok=True, findings=()).sentence == "IN ORDER"
    assert one(Verdict, ok=True).sentence == "IN ORDER (2 findings known)"
