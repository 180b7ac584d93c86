"""What the doctor must not call well."""

import os
import time
from dataclasses import replace

import asyncpg
import pytest

from seefen.server import doctor
from tests.support.broker import local_broker


async def test_a_clock_behind_the_log_is_not_well() -> None:
    """The database of the same machine has the same wrong clock."""
    async with local_broker("skopje-border") as broker:
        config = replace(broker.config, high_water=str(broker.config.data / "high-water"))
        assert all(one.good for one in await doctor.examine_database(config, broker.dsn))
        connection = await asyncpg.connect(broker.dsn)
        try:
            ahead = int(time.time() + 3600) * 1000
            await connection.execute("UPDATE ledger_head SET at = $1", ahead)
        finally:
            await connection.close()
        found = await doctor.examine_database(config, broker.dsn)
        (bad,) = [one for one in found if not one.good]
        assert bad.text.startswith("clock: 3")
        assert "behind the newest entry of the log" in bad.text


async def test_a_mark_that_cannot_be_written_is_not_well() -> None:
    """Without it nothing is answered, and what stands there reads well."""
    async with local_broker() as broker:
        config = replace(broker.config, high_water="/proc/high-water")
        bad = [one.text for one in doctor.examine_files(config) if not one.good]
        assert len(bad) == 1
        assert bad[0].startswith("high_water: ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
async def test_a_file_of_another_user_is_not_well() -> None:
    async with local_broker() as broker:
        path = broker.config.data / "high-water-1"
        path.touch(mode=0o600)
        assert all(one.good for one in doctor.examine_files(broker.config))
        os.chown(path, 4711, 4711)
        (bad,) = [one for one in doctor.examine_files(broker.config) if not one.good]
        assert "may not read it: high-water-1" in bad.text
