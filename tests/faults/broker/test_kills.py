"""A broker killed at every step it takes, under a crowd that goes on, and started again.

All that any process ever told anybody is held against the database after every death
(invariants I1 to I5 and I7 of docs/reliability.md).
"""

import random
from collections.abc import AsyncGenerator

import pytest

from seefen.protocol.suite import random_bytes
from tests.faults.broker.place import Place, place
from tests.faults.broker.points import ACCESSES, BLOBS, EVERY, PUSHES, STARTS, WRITES, Point
from tests.support.faultbook import note, times

pytestmark = pytest.mark.timeout(1800)

SEVERAL = 6  # calls among which one is drawn to be the last


@pytest.fixture
async def ground(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Place, None]:
    async with place(monkeypatch) as made:
        yield made


@pytest.mark.parametrize("point", EVERY, ids=str)
def test_every_point_is_a_function_of_the_broker(point: Point) -> None:
    owner, name = point.owner()
    assert callable(getattr(owner, name))


@pytest.mark.parametrize(
    ("what", "points"),
    [
        ("write path", WRITES),
        ("access path", ACCESSES),
        ("release and push", PUSHES),
        ("blob path", BLOBS),
    ],
    ids=["writes", "accesses", "pushes", "blobs"],
)
async def test_a_broker_killed_at_any_step_has_lost_and_doubled_nothing(
    ground: Place, what: str, points: list[Point]
) -> None:
    seed = random_bytes(4).hex()
    print("seed", seed)  # noqa: T201 - what a failure is repeated from
    drawn = random.Random(seed)
    async with ground.crowd():
        for point in points * times(1):
            await ground.dies(point, drawn.randint(1, SEVERAL))
            await ground.check()
        await ground.start()
    await ground.check()
    ground.check_disk()
    assert set(ground.memory.sent) == set(ground.memory.recorded)
    assert ground.memory.opened
    assert all(member.turns for member in ground.members)
    note(
        "broker", f"SIGKILL at each step of the {what} ({len(points)} steps)",
        count=len(points) * times(1), held="I1 I2 I3 I4 I5 I7", seed=seed,
    )  # fmt: skip


async def test_a_broker_killed_while_it_starts_comes_up_the_next_time(ground: Place) -> None:
    async with ground.crowd():
        await ground.dies(WRITES[-1], 20)  # so that there is something to come up with
        for point in STARTS * times(1):
            await ground.dies(point, 1)
            await ground.check()
        await ground.start()
    await ground.check()
    assert set(ground.memory.sent) == set(ground.memory.recorded)
    note(
        "broker", f"SIGKILL at each step of a start ({len(STARTS)} steps)",
        count=len(STARTS) * times(1), held="I1 I2 I3 I4 I7",
    )  # fmt: skip
