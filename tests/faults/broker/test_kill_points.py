"""SIGKILL at every step of a broker under load, then a restart: what was promised holds."""

from __future__ import annotations

import inspect
import json
import os
import random
import signal
from contextlib import suppress

import aiohttp
import asyncpg
import pytest

from seefen.protocol.objects import PART_SIZE
from seefen.protocol.suite import random_bytes
from seefen.server.bodies import place
from seefen.server.store.migrations import schema_files
from tests.support.bodies import File
from tests.support.brokerpoints import POINTS
from tests.support.brokers import NODES, Brokers, brokers
from tests.support.canaries import look_for
from tests.support.database import empty_database
from tests.support.devices import WebDevice
from tests.support.faultbook import drawn, note
from tests.support.herd import CANARY, Herd, Writer, grazing, members_of
from tests.support.killpoints import MOMENTS, Point
from tests.support.waiting import until

SEED = os.environ.get("SEEFEN_FAULT_SEED") or random_bytes(4).hex()
LOADED = ("write", "access", "push", "blob", "login")
HELD = "I1 I2 I3 I4 I6 I7"


def points(path: str) -> list[Point]:
    return [point for point in POINTS if point.path == path]


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_every_named_point_exists(point: Point) -> None:
    _, _, function = point.find()
    assert callable(function)
    assert point.moment in MOMENTS
    if point.moment == "during":
        assert inspect.iscoroutinefunction(function)


def test_there_are_as_many_points_as_the_plan_asks_for() -> None:
    assert len({point.name for point in POINTS}) == len(POINTS) >= 60


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("path", LOADED)
async def test_fault_27_a_broker_killed_at_every_step_under_load(path: str) -> None:
    seed = f"{SEED}-{path}"
    print(f"seed {seed}")  # noqa: T201
    dice = random.Random(seed)
    schedule = drawn(points(path), dice)
    async with brokers() as it:
        herd = Herd(it.network, it.case, [it.one.url], it.ca)
        members = members_of(herd, it.writers, it.readers)
        async with grazing(herd, members):
            for point in schedule:
                await it.one.begin(point.name, dice.randint(1, 4))
                await _dies(it, herd, point)
            await it.one.start()
            for kind in ("write", "read", "watch", "upload"):
                await herd.progress(kind, 2)
        await _ask_again(it, herd, [m for m in members if isinstance(m, Writer)])
        await herd.heard.check(it.dsn)
        assert herd.heard.keys
        assert herd.done["push"]
        await it.one.kill()
        await look_for((CANARY.decode(),), NODES[0], it.dsn, it.folder)
    fault = f"SIGKILL at {len({*schedule})} of {len(points(path))} steps of {path}, under load"
    note("broker", fault, count=len(schedule), held=HELD + " I5", seed=seed)


async def _dies(it: Brokers, herd: Herd, point: Point) -> None:
    """Wait for the end that a point stands for; nothing else may end the process."""
    one = it.one
    await until(lambda: one.has_ended or herd.heard.surprises, seconds=60, what=point.name)
    assert herd.heard.surprises == []
    assert await one.end() == -signal.SIGKILL, (point.name, one.out.read_text()[-2000:])


async def _ask_again(it: Brokers, herd: Herd, writers: list[Writer]) -> None:
    """Check I1 as a client sees it: the same bundle again is told the same place."""
    for member in writers:
        async with WebDevice(it.one.url, it.ca, member.machine) as web:
            await web.login()
            socket = await member._connect(web)
            for bundle, index in member.sent[-3:] + member.sent[:1]:
                assert await member.send(socket, bundle) == index


@pytest.mark.timeout(900)
async def test_fault_27_a_broker_killed_while_it_comes_up() -> None:
    schedule = drawn(points("start"), random.Random(SEED))
    async with brokers() as it:
        herd = Herd(it.network, it.case, [it.one.url], it.ca)
        async with grazing(herd, members_of(herd, it.writers, it.readers)):
            for point in schedule:
                await it.one.start()
                await herd.progress("write")
                await it.one.kill()
                await it.one.begin(point.name)
                assert await it.one.end() == -signal.SIGKILL, point.name
            await it.one.start()
            await herd.progress("write")
        await herd.heard.check(it.dsn)
        await it.one.kill()
    note("broker", f"SIGKILL at {len({*schedule})} of {len(points('start'))} steps of coming up",
         count=len(schedule), held=HELD)  # fmt: skip


@pytest.mark.timeout(900)
async def test_fault_27_a_broker_killed_while_a_lost_body_is_begun_anew() -> None:
    file = File(random_bytes(PART_SIZE + 10))
    schedule = drawn(points("lost body"), random.Random(SEED))
    async with brokers() as it:
        for point in schedule:
            await it.one.start()
            await _ask(it, file, "PUT")
            assert (await _ask(it, file, "PUT", "/parts/0", file.body))[0] == 204
            await it.one.kill()
            place(it.one.config.blobs, file.root).unlink()
            await it.one.begin(point.name)
            await until(lambda: b"ready" in it.one.out.read_bytes(), seconds=60)
            with suppress(aiohttp.ClientError, OSError):
                await _ask(it, file, "PUT")
            assert await it.one.end() == -signal.SIGKILL, point.name
            await it.one.start()
            _, answer = await _ask(it, file, "PUT")
            assert json.loads(answer)["missing"] == [0, 1], point.name
            assert (await _ask(it, file, "GET", "/parts/0"))[0] == 404
            await it.one.kill()
    note("broker", f"SIGKILL at {len({*schedule})} steps of beginning a lost file body anew",
         count=len(schedule), held="I5: no hole is given for a part")  # fmt: skip


async def _ask(
    it: Brokers, file: File, method: str, path: str = "", data: bytes | None = None
) -> tuple[int, bytes]:
    """Ask for something of a file body; to begin it, unless a path says more."""
    if method == "PUT" and not path:
        path, data = f"?size={len(file.body)}", file.leaves
    async with WebDevice(it.one.url, it.ca, it.writers[0]) as web:
        await web.login()
        url = f"/v1/blobs/{file.root.hex()}{path}"
        return await web.request(method, url, data, content_type="application/octet-stream")


@pytest.mark.timeout(900)
async def test_fault_27_a_broker_killed_while_it_makes_its_tables() -> None:
    count = 0
    async with brokers() as it:
        for point in points("migration"):
            async with empty_database() as dsn:
                it.one.dsn = dsn
                for nth in range(1, 8):
                    await it.one.begin(point.name, nth)
                    code = await it.one.end()
                    assert code in (-signal.SIGKILL, 1), it.one.out.read_text()[-2000:]
                    count += code == -signal.SIGKILL
                await it.one.begin()
                assert await it.one.end() == 1
                assert "there is no network in this database" in it.one.out.read_text()
                connection = await asyncpg.connect(dsn)
                try:
                    rows = await connection.fetch("SELECT name FROM schema_migration")
                    assert {row["name"] for row in rows} == set(schema_files())
                    assert await connection.fetchval("SELECT count(*) FROM ledger_head") == 1
                finally:
                    await connection.close()
    assert count >= 6
    note("broker", "SIGKILL while the tables are made", count=count, held="all tables or none")
