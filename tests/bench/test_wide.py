"""The wide parts of the benchmark, small: real processes, and every figure is made."""

import pytest

from bench import fanout, files, memory
from bench.stage import SCALES, stage

SECTIONS = {"c": 6, "d": 11, "f": 6}


@pytest.mark.timeout(300)
async def test_alerts_files_and_memory_are_measured() -> None:
    async with stage(SCALES["tiny"]) as place:
        rows = [row for part in (fanout, files, memory) for row in await part.run(place)]
    counted = dict.fromkeys(SECTIONS, 0)
    for row in rows:
        counted[row.section] += 1
        if "more than for" not in row.name:
            assert row.ours > 0, row
            assert row.limit is None or row.limit > 0, row
    assert counted == SECTIONS
