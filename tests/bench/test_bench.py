"""The benchmark measures what it says, at a size that takes seconds. No time is asserted."""

import json
from pathlib import Path

import pytest

from bench import catchup, hashing, latency, ledger, millions, search, table, writes
from bench.rows import Row
from bench.stage import SCALES, stage
from tests.support.faultbook import long


@long
@pytest.mark.timeout(300)
async def test_rates_latency_and_catching_up_are_measured_on_a_real_broker() -> None:
    async with stage(SCALES["tiny"]) as place:
        rows = [row for part in (writes, latency, catchup, search) for row in await part.run(place)]
    assert [row.section for row in rows] == ["a", "a", "b", "b", "e", "h", "h", "h"]
    assert all(row.ours > 0 for row in rows)
    assert all(row.limit is not None and row.limit > row.ours for row in rows[:2])


@long
@pytest.mark.timeout(300)
async def test_the_ledger_is_measured_in_a_real_broker_and_alone() -> None:
    async with stage(SCALES["tiny"]) as place:
        rows = [row for part in (ledger, hashing) for row in await part.run(place)]
    assert [row.section for row in rows] == ["l"] * 4 + ["m"] * 9
    assert all(row.ours > 0 for row in rows)
    assert rows[0].must == ledger.RAW


@long
@pytest.mark.timeout(300)
async def test_filters_and_whole_verifications_are_measured_at_a_size() -> None:
    async with stage(SCALES["tiny"]) as place:
        rows = await millions.filters(place, 1)
    assert len(rows) == 1 + 14 * 3 * 3
    assert all(row.ours > 0 for row in rows)
    async with stage(SCALES["tiny"]) as place:
        rows = await millions.whole(place, 2000)
    smaller, larger = (row for row in rows if row.name.startswith("memory for"))
    assert (smaller.limit, larger.limit) == (None, smaller.ours)


def test_a_run_is_kept_and_handed_to_the_bench_of_the_peers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OUT", str(tmp_path / "peers.jsonl"))
    first = Row("a", "objects", "1/s", 20.0, 100.0, 0.15)
    kept = table.write_json([first], "tiny")
    handed = json.loads((tmp_path / "peers.jsonl").read_text())
    assert (handed["name"], handed["median"]) == ("seefen/a objects", 20.0)
    table.compare(kept, kept)
    assert "1.00x" in capsys.readouterr().out


def test_a_missed_goal_is_called_so() -> None:
    assert table.line(Row("a", "objects", "1/s", 10.0, 100.0, 0.15)).endswith("FAILS")
    assert table.line(Row("b", "p50", "ms", 4.0, None, 5.0, at_most=True)).endswith("holds")
