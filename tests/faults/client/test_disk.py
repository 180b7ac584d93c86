"""A disk without room, a clock that lies, a second process on one home.

Each is a sentence for the officer; nothing is lost or spoiled, and it goes on by itself.
"""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from seefen.client import Client
from seefen.client.engine import Engine
from seefen.protocol.errors import RefusedError
from seefen.protocol.suite import random_bytes
from tests.client.homes import PASSPHRASE, Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, alert, channel, until
from tests.faults.client.doomed import launcher
from tests.support.faultbook import note
from tests.support.mounts import fill, small_disk

MIB = 1 << 20


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


async def moved(place: Site, node: str, disk: Path) -> None:
    """Move the home of a machine to another disk."""
    machine = place.network.of(node)
    home = place.home(machine)
    there = disk / "home"
    there.mkdir()
    for path in home.iterdir():
        (there / path.name).write_bytes(path.read_bytes())
    place.homes[machine.device] = there


async def _send_until_refused(client: Client, scan: Path) -> None:
    for _ in range(200):  # the vault has some room in its own pages
        await client.alerts.send(alert(), CHANNEL, [scan])


def _search_until_refused(client: Client) -> None:
    for _ in range(200):
        client.search("zastava", **WHY)


async def test_a_full_disk_is_said_and_loses_nothing(place: Site, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    scan = tmp_path / "scan.jpg"
    scan.write_bytes(random_bytes(2 * MIB))
    with small_disk(disk, 12):
        await moved(place, SKOPJE, disk)
        skopje, belgrade = await channel(place, BELGRADE), await place.client(BELGRADE)
        await skopje.alerts.send(alert(), CHANNEL)
        ballast = fill(disk)
        with pytest.raises(RefusedError) as caught:
            await _send_until_refused(skopje, scan)
        assert caught.value.rule in ("disk", "file"), caught.value
        with pytest.raises(RefusedError) as caught:  # what is not written down is not shown
            _search_until_refused(skopje)
        assert caught.value.rule == "disk"
        waiting = len(skopje.queued())
        ballast.unlink()
        await until(lambda: not skopje.queued(), skopje)
        recorded = {one.ref for one in skopje.alerts.list()}
        await until(lambda: {one.ref for one in belgrade.alerts.list()} == recorded, belgrade)
        assert belgrade.alarm is None
        await place.open.aclose()  # before its disk is taken away
        async with place.briefly(SKOPJE) as again:
            assert {one.ref for one in again.alerts.list()} == recorded
    note("client", "full disk: vault and outbox", count=1 + waiting, held="a sentence; I1 I2")


async def test_a_disk_too_small_for_a_file_leaves_no_half_of_it(
    place: Site, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    scan = tmp_path / "scan.jpg"
    scan.write_bytes(random_bytes(6 * MIB))
    skopje, belgrade = await channel(place, BELGRADE), await place.client(BELGRADE)
    sent = await skopje.alerts.send(alert(), CHANNEL, [scan])
    ref = sent.files[-1].ref
    assert ref is not None
    await until(lambda: belgrade.channels.list()[0].object_count == 2, belgrade)
    with small_disk(disk, 4):
        with pytest.raises(RefusedError) as caught:
            await belgrade.files.get(ref, disk, **WHY)
        assert caught.value.rule == "file"
        assert list(disk.iterdir()) == []
    path = await belgrade.files.get(ref, tmp_path / "got", **WHY)
    assert path.read_bytes() == scan.read_bytes()
    note("client", "full disk: download", count=1, held="a sentence; no half file")


HOUR, DAY = 3600, 86_400


@pytest.mark.parametrize(
    "shift",
    [HOUR, -HOUR, DAY, -DAY, 3653 * DAY, -3653 * DAY],
    ids=["+1h", "-1h", "+1d", "-1d", "+10y", "-10y"],
)
async def test_a_clock_that_jumps_stops_sending_at_most(
    place: Site, monkeypatch: pytest.MonkeyPatch, shift: int
) -> None:
    skopje, belgrade = await channel(place, BELGRADE), await place.client(BELGRADE)
    await skopje.alerts.send(alert(), CHANNEL)

    def shifted(_: Engine) -> int:
        return int(time.time()) + shift

    with monkeypatch.context() as wrong:
        wrong.setattr(Engine, "now", shifted)
        await skopje.alerts.send(alert(), CHANNEL)
        assert len(skopje.alerts.list()) >= 1  # what is in the vault can be read
        said = [one.problem or "" for one in skopje.queued()]
        # Ten years on, no certificate is in force any more, whatever the log says.
        assert all("clock" in text or "expired" in text for text in said), said
    await until(lambda: not skopje.queued(), skopje)
    await until(lambda: len(belgrade.alerts.list()) == 2, belgrade)
    assert len(skopje.alerts.list()) == 2
    note("client", "clock jumps by an hour, a day, ten years", count=1, held="I1 I2; a sentence")


async def test_a_clock_that_stands_still_stops_nothing(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade = await channel(place, BELGRADE), await place.client(BELGRADE)
    frozen = skopje._engine.now()

    def still(_: Engine) -> int:
        return frozen

    monkeypatch.setattr(Engine, "now", still)
    for _ in range(3):
        await skopje.alerts.send(alert(), CHANNEL)
    await until(lambda: len(belgrade.alerts.list()) == 3, belgrade)
    note("client", "clock frozen", count=1, held="I1 I2")


async def test_a_second_process_on_a_home_is_told_so_and_spoils_nothing(
    place: Site, tmp_path: Path
) -> None:
    skopje, belgrade = await channel(place, BELGRADE), await place.client(BELGRADE)
    home = skopje._engine.home
    before = (home / "device.key").read_bytes()
    async with launcher(tmp_path) as second:
        for _ in range(3):
            code = await second.run("sync", home)
            assert code != 0
            assert "another seefen is running" in second.said
            await skopje.alerts.send(alert(), CHANNEL)
    await until(lambda: len(belgrade.alerts.list()) == 3, belgrade)
    assert (home / "device.key").read_bytes() == before
    assert skopje.alarm is None
    await place.open.aclose()
    async with Client.open(home, PASSPHRASE) as again:
        assert len(again.alerts.list()) == 3
    note("client", "a second process on one home", count=3, held="refused with a sentence")
