"""Part (d) moves real files both ways, and says whose are not there. No time is asserted."""

import pytest

from bench import files
from bench.stage import SCALES, stage
from tests.support.faultbook import long


@pytest.mark.timeout(300)
@long
async def test_files_are_moved_there_and_back_beside_plain_aiohttp() -> None:
    async with stage(SCALES["tiny"]) as place:
        rows = await files.run(place)
        # What came back was taken away; what ours sealed and fetched was not left behind either.
        assert list((place.folder / "fetched").iterdir()) == []
        homes = place.folder.glob("home-*")
        left = [path for home in homes for name in ("outbox", "fetched")
                for path in (home / name).glob("*")]  # fmt: skip
        assert left == []
    rates, memory = rows[:-3], rows[-3:]
    assert [row.name.split(" MiB")[0] for row in rates] == ["1"] * 4 + ["3"] * 4
    assert all(row.ours > 0 and row.limit is not None and row.limit > 0 for row in rates)
    assert [row.must for row in rates] == [None] * 8, "nothing is asked below 100 MiB"
    assert [row.name.split(" for ")[0] for row in memory] == [
        "broker",
        "sending client",
        "fetching client",
    ]
    assert all(row.at_most and row.must == files.GROWTH for row in memory)
    assert all(row.ours < files.GROWTH for row in memory)


async def test_a_file_that_is_not_moved_is_no_measurement() -> None:
    with pytest.raises(RuntimeError, match="failed"):
        await files._ask(files.Task("put", "/nowhere/at/all", url="http://127.0.0.1:1"))
