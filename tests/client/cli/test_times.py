import time
from datetime import UTC, datetime, timedelta, timezone

import pytest

from seefen.client.cli.times import (
    date,
    deadline,
    due,
    entered,
    local,
    moment,
    size,
    span,
    utc,
    written,
)

NOW = datetime(2026, 3, 14, 12, 0).astimezone()


def test_today_needs_no_date() -> None:
    assert moment(NOW.replace(hour=2, minute=47, second=9), NOW) == "02:47"
    assert moment(NOW.replace(hour=2, minute=47, second=9), NOW, seconds=True) == "02:47:09"


def test_another_day_and_another_year_are_said() -> None:
    assert moment(NOW - timedelta(days=3), NOW) == "11 Mar 12:00"
    assert date(NOW - timedelta(days=365), NOW) == "14 Mar 2025"


def test_times_are_shown_where_the_officer_is() -> None:
    there = datetime(2026, 3, 14, 2, 47, tzinfo=timezone(timedelta(hours=5)))
    assert local(there) == there
    assert local(int(there.timestamp())) == there
    assert local(there.astimezone(UTC)).utcoffset() == there.astimezone().utcoffset()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (41, "41 s"),
        (60, "1 min"),
        (3600, "1 h"),
        (21_900, "6 h 5 min"),
        (583_200, "6 d 18 h"),
        (-7200, "2 h"),
    ],
)
def test_a_span_has_two_units(seconds: int, text: str) -> None:
    assert span(seconds) == text


def test_what_is_due() -> None:
    assert due(NOW + timedelta(hours=4, minutes=9), NOW) == "today 16:09"
    assert due(NOW + timedelta(days=6, hours=18), NOW) == "in 6 d 18 h"
    assert due(NOW - timedelta(hours=2), NOW) == "overdue 2 h"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (3100, "3.1 KB"),
        (187_000, "187 KB"),
        (2_100_000, "2.1 MB"),
        (5 * 10**9, "5.0 GB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    "at",
    [
        10**14, -(10**14), datetime.fromisoformat("9999-12-31T23:59-12:00"),
        datetime.fromisoformat("0001-01-01T00:00+12:00"),
    ],
)  # fmt: skip
def test_a_time_beyond_all_calendars_stops_no_list(at: int | datetime) -> None:
    assert moment(at, NOW)
    assert due(at, NOW)
    assert isinstance(at, datetime) or utc(at)


def test_a_column_in_utc_has_its_day_wherever_the_officer_is() -> None:
    new_year = 1_798_761_600 - 1800  # 2026-12-31 23:30 UTC
    there = datetime(2026, 12, 31, 12, 0, tzinfo=timezone(timedelta(hours=1)))
    assert entered(new_year, there) == "31 Dec 23:30"
    assert entered(new_year, there + timedelta(days=1)) == "31 Dec 2026 23:30"


def test_a_deadline_is_said_here_and_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Belgrade")
    time.tzset()
    try:
        said = deadline(1_795_718_626)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert said == "2026-11-26 18:43Z, here 2026-11-26 19:43 (UTC+01:00)"


def test_what_was_recorded_much_later_says_both() -> None:
    at = int(NOW.timestamp())
    assert written(at, at + 299, NOW) == moment(NOW, NOW)
    assert written(at, at + 300, NOW) == f"{moment(NOW, NOW)}, recorded {moment(at + 300, NOW)}"
