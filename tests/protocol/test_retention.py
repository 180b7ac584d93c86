"""How long entries are kept, and which erasures a reader believes."""

import time
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from seefen.protocol.encoding import decode, encode
from seefen.protocol.errors import SeefenError, UntrustedError
from seefen.protocol.frames import AuditPage
from seefen.protocol.ledger.record import Core, encode_core
from seefen.protocol.retention import CLOCK_SLACK, check_erased, cutoff, kept_until
from seefen.protocol.statements import LATEST, Erased

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
    check_erased(ERASED, CORE, 40, AT)


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
        check_erased(erased, CORE, 40, AT)
    assert caught.value.rule == "retention"


def test_an_entry_that_says_something_else_is_no_erasure() -> None:
    for core in (
        replace(CORE, op="alter"),
        replace(CORE, outcome="role"),
        replace(CORE, device="00" * 16),
        replace(CORE, case="00" * 16),
    ):
        with pytest.raises(UntrustedError) as caught:
            check_erased(ERASED, core, 40, AT)
        assert caught.value.rule == "retention"


def test_attack_an_erasure_that_is_dated_later_than_it_was_entered_is_not() -> None:
    """By a time of its own choice the broker could erase what was read a minute ago."""
    check_erased(ERASED, CORE, 40, AT - CLOCK_SLACK)
    with pytest.raises(UntrustedError) as caught:
        check_erased(ERASED, CORE, 40, AT - CLOCK_SLACK - 1)
    assert caught.value.rule == "retention"


@pytest.mark.parametrize(
    "odd",
    [
        replace(ERASED, years=101),
        replace(ERASED, years=0),
        replace(ERASED, before=LATEST + 1),
        AuditPage((), 0, "", (), 101),
    ],
)
def test_attack_years_and_times_that_no_calendar_has_are_no_message(
    odd: Erased | AuditPage,
) -> None:
    """Else one entry that every node is shown ends each audit, and fsck, for ever."""
    with pytest.raises(SeefenError):
        decode(encode(odd), type(odd))


def test_attack_a_core_of_no_calendar_is_no_core() -> None:
    encode_core(replace(CORE, at=LATEST * 1000))
    with pytest.raises(ValueError, match="core"):
        encode_core(replace(CORE, at=LATEST * 1000 + 1))


def test_the_ends_of_what_can_be_said_are_times() -> None:
    assert kept_until(LATEST, 100) > LATEST
    assert cutoff(0, 100) < 0


def test_the_last_second_for_which_an_entry_is_kept_is_this() -> None:
    for at, years, last in (
        (new_year(2025), 3, new_year(2029) - 1),
        (new_year(2026) - 1, 3, new_year(2029) - 1),
        (new_year(2026), 1, new_year(2028) - 1),
        (new_year(2026), 0, new_year(2028) - 1),
    ):
        assert kept_until(at, years) == last


def test_attack_an_erasure_in_the_last_second_of_a_year_takes_nothing_of_the_next() -> None:
    erased = replace(ERASED, before=new_year(2024))
    at = new_year(2027) * 1000
    check_erased(erased, replace(CORE, at=at), 40, new_year(2027))
    with pytest.raises(UntrustedError) as caught:
        check_erased(erased, replace(CORE, at=at - 1), 40, new_year(2027))
    assert caught.value.rule == "retention"


def test_a_part_of_a_second_makes_no_entry_late() -> None:
    late = replace(CORE, at=(AT + CLOCK_SLACK) * 1000 + 999)
    check_erased(ERASED, late, 40, AT)
    with pytest.raises(UntrustedError):
        check_erased(ERASED, replace(late, at=late.at + 1), 40, AT)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_attack_the_zone_of_a_machine_moves_no_end_of_a_year(
    zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker and an auditor in two zones would else judge the same erasure in two ways."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", zone)
        time.tzset()
        try:
            assert cutoff(new_year(2027) - 1, 3) == new_year(2023)
            assert cutoff(new_year(2027), 3) == new_year(2024)
            assert kept_until(new_year(2026) - 1, 3) == new_year(2029) - 1
            assert kept_until(new_year(2026), 3) == new_year(2030) - 1
        finally:
            patched.undo()
            time.tzset()
