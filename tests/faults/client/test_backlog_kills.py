"""A client killed inside the history of a case that its node was let into: it goes on there."""

import random
from pathlib import Path

import pytest
from msgspec.structs import replace

from seefen.client import doubts
from seefen.protocol.encoding import decode, encode
from seefen.protocol.frames import FeedFrom, Frame
from seefen.protocol.suite import random_bytes
from tests.client.scenes import BELGRADE, PRISTINA, SKOPJE
from tests.faults.client.doomed import Doomed, launcher
from tests.faults.client.points import COMING_LATE, due
from tests.support.faultbook import note
from tests.system.siege import numbers, siege

pytestmark = pytest.mark.timeout(1800)


async def narrow(frame: Frame) -> Frame:
    """Let every page hold one entry, and one of a backlog."""
    return Frame(frame.id, frame.verb, encode(replace(decode(frame.body, FeedFrom), limit=1)))


async def test_a_client_killed_inside_a_backlog_has_lost_and_doubled_nothing(
    tmp_path: Path,
) -> None:
    seed = random_bytes(4).hex()
    print("seed", seed)  # noqa: T201 - what a failure is repeated from
    points = due(COMING_LATE, random.Random(seed))
    async with (
        siege(tmp_path, SKOPJE, BELGRADE, PRISTINA) as place,
        launcher(tmp_path) as launched,
    ):
        skopje, belgrade = await place.place.client(SKOPJE), await place.place.client(BELGRADE)
        machine, photo = place.place.network.of(PRISTINA), tmp_path / "none.jpg"
        home = place.place.home(machine)
        device = Doomed(place.place, machine, home, launched, tmp_path / "got", photo)
        await device.lives("sync")
        place.hostile.before("feed", narrow)
        for point in points:
            place.case = (await skopje.cases.open("Pistols", [BELGRADE])).number
            await skopje.cases.send(place.case, "one")
            await belgrade.sync()
            await belgrade.cases.send(place.case, "two")
            await skopje.sync()
            await skopje.cases.add(place.case, [PRISTINA])
            await skopje.cases.send(place.case, "three")
            await device.dies("sync", point)
            await device.lives("sync")
            async with place.place.briefly(PRISTINA) as pristina:
                assert numbers(pristina, place.case) == [3]
                assert pristina.alarm is None
                assert not doubts.doubted(pristina._engine.vault)
    note(
        "client", "SIGKILL at each step: a node comes late", count=len(points),
        held="I1 I2 I7", seed=seed,
    )  # fmt: skip
