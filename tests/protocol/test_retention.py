"""How long entries are kept, and which erasures a reader believes."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from seefen.protocol.errors import UntrustedError
from seefen.protocol.ledger.record import Core
from seefen.protocol.retention import check_erased, cutoff, kept_until
from seefen.protocol.statements import Erased

AT = int(datetime(2026, 11, 26, 18, tzinfo=UTC).timestamp())
CORE = Core(
    act="erased", at=AT * 1000, op="erase", node="", device="", officer="", case="", case_n=0,
    device_n=0, object="", n=0, to=(), purpose="", basis="", emergency=0, req="00" * 32,
    under=(), outcome="ok",
)  # fmt: skip
ERASED = Erased(1, bytes(32), "erased", bytes(16), 40, cutoff(AT, 3), 3, 12)


def new_year(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(("years", "first"), [(1, 2025), (3, 2023), (0, 2025)])
def test_an_entry_is_kept_to_the_end_of_a_later_year(years: int, first: int) -> None:
    assert cutoff(AT, years) == new_year(first)
    last = new_year(first) - 1  # the youngest that may go is over its time, by a second or more
    assert kept_until(last, years) < AT
    assert kept_until(new_year(first), years) > AT


def test_an_erasure_of_what_is_over_its_time_is_believed() -> None:
    check_erased(ERASED, CORE, 40)


@pytest.mark.parametrize(
    "erased",
    [
        replace(ERASED, before=ERASED.before + 1),
        replace(ERASED, years=4),
        replace(ERASED, before=AT),
        replace(ERASED, upto=41),
    ],
)
def test_attack_an_erasure_of_what_has_to_be_kept_is_not(erased: Erased) -> None:
    with pytest.raises(UntrustedError) as caught:
        check_erased(erased, CORE, 40)
    assert caught.value.rule == "retention"


def test_an_entry_that_says_something_else_is_no_erasure() -> None:
    for core in (
        replace(CORE, op="alter"),
        replace(CORE, outcome="role"),
        replace(CORE, device="00" * 16),
    ):
        with pytest.raises(UntrustedError):
            check_erased(ERASED, core, 40)
