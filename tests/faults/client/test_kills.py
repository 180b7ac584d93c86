"""A client killed at every step it takes, and started again on what is left.

The invariants of docs/reliability.md: every receipt is found (I1), nothing twice (I2), heads
are consistent (I4), words stand nowhere but in the sealed vault (I5), a revoked device is
silent (I6), numbers in order (I7). The key file always opens.
"""

import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from seefen.client import Client, admitting
from seefen.client.keyfile import NAME, read_key_file
from seefen.protocol.suite import random_bytes
from tests.client.homes import PASSPHRASE, Site, site
from tests.client.scenes import BELGRADE, SKOPJE, channel
from tests.faults.client.doomed import SIZE, Doomed, Launcher, launcher, partner_sends
from tests.faults.client.points import (
    ADMITTED,
    EVERY,
    JOINING,
    LEARNING,
    MAKING_KEYS,
    READING,
    SENDING,
    STORING,
    due,
)
from tests.faults.client.shift import CANARY
from tests.support.broker import running_broker
from tests.support.faultbook import long, note
from tests.support.heard import check_revoked
from tests.support.killpoints import MOMENTS, Point
from tests.support.shadow import database

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


@pytest.fixture
async def launched(tmp_path: Path) -> AsyncIterator[Launcher]:
    async with launcher(tmp_path) as launched:
        yield launched


@pytest.mark.parametrize("point", EVERY, ids=lambda point: point.name)
def test_every_point_is_a_function_of_the_client(point: Point) -> None:
    owner, name, _ = point.find()
    assert callable(getattr(owner, name))
    assert point.moment in MOMENTS


def test_every_point_has_a_name_of_its_own() -> None:
    assert len({point.name for point in EVERY}) == len(EVERY)


def draw(points: list[Point]) -> tuple[str, list[Point]]:
    """Return a seed, and the points of this run under it."""
    seed = random_bytes(4).hex()
    print("seed", seed)  # noqa: T201 - what a failure is repeated from
    return seed, due(points, random.Random(seed))


def photograph(folder: Path) -> Path:
    path = folder / "IMG_0001.jpg"
    path.write_bytes(CANARY.encode() + random_bytes(SIZE))
    return path


@pytest.mark.parametrize(
    ("what", "points"),
    [("vault", STORING), ("outbox and upload", SENDING), ("access and download", READING)],
    ids=["storing", "sending", "reading"],
)
async def test_a_client_killed_at_any_step_has_lost_and_doubled_nothing(
    place: Site, launched: Launcher, tmp_path: Path, what: str, points: list[Point]
) -> None:
    seed, points = draw(points)
    partner = await channel(place, BELGRADE)
    machine, photo = place.network.of(BELGRADE), photograph(tmp_path)
    device = Doomed(place, machine, place.home(machine), launched, tmp_path / "got", photo)
    await device.lives("sync")
    for point in points:
        await partner_sends(partner, photo)
        await device.dies("shift", point)
    await device.lives("shift")
    await device.check()
    assert device.entries
    note(
        "client", f"SIGKILL at each step: {what}", count=len(points),
        held="I1 I2 I4 I5 I7, key file opens", seed=seed,
    )  # fmt: skip


async def test_a_new_device_killed_while_it_learns_knows_all_in_the_end(
    place: Site, launched: Launcher, tmp_path: Path
) -> None:
    photo = photograph(tmp_path)
    seed, points = draw(LEARNING)
    for _ in points:
        await place.broker.take(place.network.enrol(BELGRADE, ("field", "keyholder")))
    partner = await channel(place, BELGRADE)
    await partner_sends(partner, photo)
    for nth, point in enumerate(points, start=1):
        machine = place.network.of(BELGRADE, "keyholder", nth=nth)
        device = Doomed(place, machine, place.home(machine), launched, tmp_path / "got", photo)
        await device.dies("sync", point)
        await device.lives("sync")
        async with Client.open(device.home, PASSPHRASE) as client:
            assert [one.subject for one in client.alerts.list()] == [
                one.subject for one in partner.alerts.list()
            ]
            assert client.alarm is None
    note(
        "client", "SIGKILL at each step: learning keys and cases", count=len(points),
        held="I1 I2 I5 I7, key file opens", seed=seed,
    )  # fmt: skip


@long
async def test_what_a_killed_device_left_is_silent_once_it_is_revoked(
    place: Site, launched: Launcher, tmp_path: Path
) -> None:
    photo = photograph(tmp_path)
    seed, points = draw(SENDING)
    partner = await channel(place, BELGRADE)
    written = set[bytes]()

    async def one_more() -> Doomed:
        await place.broker.take(place.network.enrol(BELGRADE, ("field", "keyholder")))
        machine = place.network.of(BELGRADE, "keyholder", nth=1)
        await partner_sends(partner, photo)  # under a key that no revoked device holds
        return Doomed(place, machine, place.home(machine), launched, tmp_path / "got", photo)

    device = await one_more()
    for point in points:
        await device.lives("sync")
        await device.dies("shift", point)
        await place.broker.take(place.network.revoke(device.machine))
        lost, device = device, await one_more()
        await lost.is_shut_out("shift")
        written |= set(lost.drafts)
    async with database(place.broker.dsn) as connection:
        leaves = await connection.fetch("SELECT * FROM activity_leaf ORDER BY idx")
        authority = await connection.fetch("SELECT * FROM authority_leaf ORDER BY idx")
    check_revoked(leaves, authority)
    assert written - {row["object_id"] for row in leaves}  # what waited, waits for ever
    note(
        "client", "SIGKILL at each step of sending, then revoked", count=len(points),
        held="I5 I6, key file opens", seed=seed,
    )  # fmt: skip


async def test_a_machine_killed_while_it_joins_goes_on_with_the_same_keys(
    launched: Launcher, tmp_path: Path
) -> None:
    seed, making = draw(MAKING_KEYS)
    ground = tmp_path / "ground"
    ground.mkdir()
    async with running_broker(ground) as broker:
        roots = tuple(broker.network.roots[: broker.network.root.threshold])
        file = await broker.invite("sarajevo-lab")

        async def dies(home: Path, point: Point) -> None:
            code = await launched.run("join", home, point, invite=str(file))
            assert code == -signal.SIGKILL, f"{point.name}: ended with {code}: {launched.said}"
            if (home / NAME).exists():
                read_key_file(home / NAME, PASSPHRASE)

        for number, point in enumerate(making):
            await dies(tmp_path / f"home-{number}", point)
        home = tmp_path / "home"
        for point in JOINING:
            await dies(home, point)
        keys = read_key_file(home / NAME, PASSPHRASE)
        request = await admitting.read_request(file, wait_s=60)
        await admitting.admit_node(request, roots)
        for point in ADMITTED:
            await dies(home, point)
        assert await launched.run("join", home, invite=str(file)) == 0, launched.said
        async with Client.open(home, PASSPHRASE) as client:
            assert (client.node, client.device_hex) == ("sarajevo-lab", keys.device.hex())
    note(
        "client", "SIGKILL at each step of joining",
        count=len(making) + len(JOINING) + len(ADMITTED), held="key file opens, one device",
        seed=seed,
    )  # fmt: skip
