"""Flags: each rule strikes where it should, names the entries, and stays silent where it should."""

from types import SimpleNamespace
from typing import Any

from msgspec.structs import replace

from seefen.client.audit.facts import AUDIT, Facts
from seefen.client.audit.flags import BEFORE, DAY, Flag, LastRead, flags

SINCE = 200 * DAY
READ = Facts(
    idx=0, at=0, act="access", op="consult", outcome="ok", node="own", officer="o-1", device="ab",
    case_id="", object="", n=0, case_n=1, device_n=1, purpose="trace", basis="x", recipient="",
    emergency=0, reason=0, size=1, problem="",
)  # fmt: skip
NO_CASES: Any = {}
ENGINE: Any = SimpleNamespace(node="own", trust=SimpleNamespace(state=NO_CASES.get))


def nobody(_: str) -> int | None:
    return None


def readings(*at: int, **fields: Any) -> list[Facts]:
    return [replace(READ, at=1000 * moment, **fields) for moment in at]


def found(*entries: Facts, last_read: LastRead = nobody) -> dict[str, Flag]:
    in_order = sorted(entries, key=lambda one: one.at)
    numbered = [replace(one, idx=index) for index, one in enumerate(in_order)]
    assert all(one.at >= 1000 * (SINCE - BEFORE) for one in numbered)
    return {flag.name: flag for flag in flags(ENGINE, numbered, SINCE, last_read)}


def usual(per_day: int = 2, *, days: int = 30, **fields: Any) -> list[Facts]:
    """Return readings at ten and eleven in the morning, on the days before the period."""
    starts = [SINCE - day * DAY + (10 + n % 2) * 3600 for day in range(1, days + 1)
              for n in range(per_day)]  # fmt: skip
    return readings(*starts, **fields)


def test_an_ordinary_month_raises_no_flag() -> None:
    assert found(*usual(), *readings(*(SINCE + day * DAY + 36_000 for day in range(28)))) == {}
    assert flags(ENGINE, [], SINCE, nobody) == ()


def test_a_day_with_many_readings_is_compared_with_his_own_days() -> None:
    day = [SINCE + 36_000 + n for n in range(25)]
    flag = found(*usual(), *readings(*day))["volume"]
    assert (flag.who, flag.count) == ("o-1", 25)
    assert "median 2" in flag.baseline
    assert len(flag.entries) == 10
    # The same day of somebody who always reads that much is none.
    assert "volume" not in found(*usual(8), *readings(*day))


def test_many_readings_on_a_first_day_or_after_a_quiet_month() -> None:
    day = readings(*(SINCE + 36_000 + n for n in range(25)))
    assert found(*day)["volume"].baseline == "median 0 a day, over 0 days with readings"
    assert found(*readings(SINCE - 31 * DAY), *day)["volume"].count == 25
    assert "volume" not in found(*day[:19]), "few are nothing, whoever reads them"


def test_what_an_auditor_reads_is_counted_apart() -> None:
    look: dict[str, Any] = {"act": "search", "purpose": AUDIT}
    day = [SINCE + 36_000 + n for n in range(25)]
    assert set(found(*usual(**look), *readings(*day, **look))) == {"audit-volume"}


def test_an_hour_at_which_he_never_reads() -> None:
    night = readings(SINCE + 3 * 3600)
    flag = found(*usual(), *night)["hours"]
    assert flag.entries == (60,)
    assert "hours" not in found(*usual(1), *night), "too few to know his hours by"


def test_one_reason_many_times() -> None:
    copied = readings(*(SINCE + n * 3600 for n in range(21)), reason=7)
    assert found(*copied)["repeated-reason"].count == 21
    assert "repeated-reason" not in found(*copied[1:])
    assert "repeated-reason" not in found(*readings(*range(SINCE, SINCE + 40)))


def test_one_message_and_many_officers() -> None:
    crowd = [replace(READ, at=1000 * (SINCE + n), officer=f"o-{n}", object="aa") for n in range(8)]
    assert found(*crowd)["many-readers"].who == "own"
    assert "many-readers" not in found(*crowd[1:])
    # What is pushed to eight devices on watch was opened by nobody yet.
    pushed = replace(crowd[0], act="release", officer=" ".join(f"o-{n}" for n in range(8)))
    assert "many-readers" not in found(pushed)


def test_emergencies_are_a_share_of_his_own_readings() -> None:
    urgent = [
        replace(one, case_id=f"c{n}")
        for n, one in enumerate(readings(SINCE, SINCE + 1, SINCE + 2, emergency=1))
    ]
    assert found(*urgent)["emergencies"].count == 3
    assert found(*urgent)["emergencies"].figure == "3 cases, 3 readings"
    one_case = readings(SINCE, SINCE + 1, SINCE + 2, emergency=1)
    assert "emergencies" not in found(*one_case), "each reading of an emergency is marked"
    assert "emergencies" not in found(*urgent[1:])
    others = readings(*range(SINCE + 9, SINCE + 89))
    assert "emergencies" not in found(*urgent, *others)


def test_another_device_and_a_long_silence() -> None:
    late = replace(READ, at=1000 * (SINCE + 5), device="cd")
    names = found(*readings(SINCE - 61 * DAY), late)
    assert {"new-device", "dormant"} <= set(names)
    assert names["dormant"].figure == "61 days"
    assert found(late) == {}, "his first reading of all is neither"


def test_who_was_away_longer_than_all_that_is_looked_at() -> None:
    before = {"o-1": 1000 * (SINCE - 365 * DAY)}.get
    assert found(*readings(SINCE + 5), last_read=before)["dormant"].figure == "365 days"
    assert "dormant" not in found(*readings(SINCE - DAY, SINCE + 5), last_read=before)


def test_a_node_that_was_never_sent_to() -> None:
    sent = {"act": "object", "op": "disclose"}
    before = readings(SINCE - DAY, recipient="own belgrade-ffp", **sent)
    first = readings(SINCE + 1, SINCE + 2, recipient="own tirana-border", **sent)
    flag = found(*before, *first)["new-recipient"]
    assert (flag.figure, flag.entries) == ("tirana-border", (1,))
    assert found(*first) == {}, "nothing was sent before: nothing is unusual"
