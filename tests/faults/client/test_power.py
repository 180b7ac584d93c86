"""The power fails: of a vault only that is left which was synced.

A commit that is only written (``Vault.soon``) outlives a kill and not this. The vault is copied
at each commit that is synced; a copy that is put back is the disk as a power cut leaves it.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from seefen.client import Client
from seefen.client.connection import UnreachableError
from seefen.client.vault import NAME
from seefen.protocol.messages import SeizureAlert
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, alert, channel, until
from tests.support.faultbook import note


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


class Disk:
    """Copies of a client's vault: the newest that is synced, and the one when it last spoke."""

    def __init__(self, client: Client, *, cut: bool = False) -> None:
        """Keep copies from now on.

        Args:
            cut: The power fails when the client is about to say something to the broker.
        """
        self.home = client._engine.home
        self.spoke: dict[str, bytes] = {}
        self.asked: list[str] = []
        self._said: list[bytes] = []
        self.newest: dict[str, bytes] = {}
        self._vault: Any = client._engine.vault
        connection: Any = client._engine.connection
        self._cut = cut
        self._grown = self._vault._grown
        self._exchange = connection._exchange
        self._vault._db.set_wal_hook(self._committed)
        connection._exchange = self._ask
        self._vault.put("begin", b"")  # the first copy

    def _committed(self, *about: Any) -> int:
        result: int = self._grown(*about)
        if self._vault.synced:
            self.newest = {file.name: file.read_bytes() for file in self._files()}
        return result

    async def _ask(self, verb: str, body: bytes) -> Any:
        if verb in ("send", "access"):
            pending = self._vault.get("pending")
            on_disk = self._vault.synced or pending in self._said  # the same bytes once more
            assert on_disk, f"{verb} left before what it says was on the disk"
            self._said.append(pending)
            self.asked.append(verb)
            self.spoke = self.newest
            if self._cut:
                raise UnreachableError("the power is off")
        return await self._exchange(verb, body)

    def put_back(self, *, spoke: bool) -> None:
        """Leave on the disk what was synced in the end, or when the client last spoke."""
        for file in self._files():
            file.unlink()
        for name, data in (self.spoke if spoke else self.newest).items():
            (self.home / name).write_bytes(data)

    def _files(self) -> list[Path]:
        return sorted(self.home.glob(f"{NAME}*"))


async def both(place: Site) -> tuple[Client, Client]:
    """Return who sends, and who is on watch."""
    skopje, belgrade = await channel(place, BELGRADE), await place.client(BELGRADE)
    await belgrade.watch.on(**WHY)
    return skopje, belgrade


async def opened(belgrade: Client) -> None:
    async for event in belgrade.events():
        if event.what == "opened":
            return


async def stands_once(place: Site, node: str) -> None:
    """Start a device again on what is left, and look whether the alert is there, once."""
    async with place.briefly(node) as again:
        await until(lambda: not again.queued(), again)
        assert [one.ref for one in again.alerts.list()] == [f"{CHANNEL}#1"]
        shown = await again.alerts.show(f"{CHANNEL}#1", **WHY)
        assert isinstance(shown.message, SeizureAlert)
        assert shown.message.items == alert().items
        assert again.channels._casework.find(CHANNEL).object_count == 1
        assert again.alarm is None


@pytest.mark.parametrize("spoke", [True, False], ids=["waiting for the receipt", "at the end"])
async def test_a_power_cut_while_an_alert_is_sent_loses_and_doubles_nothing(
    place: Site, *, spoke: bool
) -> None:
    skopje, belgrade = await both(place)
    disks = [Disk(client) for client in (skopje, belgrade)]
    sent = await skopje.alerts.send(alert(), CHANNEL)
    assert sent.ref == f"{CHANNEL}#1"
    await opened(belgrade)
    await until(lambda: skopje.alerts.reach(f"{CHANNEL}#1")[0].delivered_at, skopje)
    assert [disk.asked for disk in disks] == [["send"], ["send"]], "the alert, and its ack"
    await place.open.aclose()

    for disk, node in zip(disks, (SKOPJE, BELGRADE), strict=True):
        disk.put_back(spoke=spoke)
        await stands_once(place, node)
    note("client", "power cut between sending and receipt, and after it", count=2, held="I1 I2 I7")


async def test_what_is_said_to_wait_outlives_a_power_cut(place: Site) -> None:
    skopje, _ = await both(place)
    disk = Disk(skopje, cut=True)
    for _ in range(2):  # the second cannot even be signed: the first is on its way
        sent = await skopje.alerts.send(alert(), CHANNEL)
        assert sent.queued
        assert skopje._engine.vault.synced
    await place.open.aclose()
    disk.put_back(spoke=False)
    async with place.briefly(SKOPJE) as again:
        await until(lambda: not again.queued(), again)
        assert again.channels._casework.find(CHANNEL).object_count == 2
        assert again.alarm is None
    note("client", "power cut after a message was said to wait", count=2, held="I1 I2 I7")


async def test_a_photograph_is_let_go_only_once_it_is_synced_that_it_was_sent(
    place: Site, tmp_path: Path
) -> None:
    skopje, _ = await both(place)
    disk = Disk(skopje)
    photo = tmp_path / "IMG_0001.jpg"
    photo.write_bytes(bytes(10_000))
    await skopje.alerts.send(alert(), CHANNEL, [photo])
    assert skopje.queued() == []
    await place.open.aclose()
    disk.put_back(spoke=False)
    async with place.briefly(SKOPJE) as again:
        assert again.queued() == []
        assert again.channels._casework.find(CHANNEL).object_count == 2
        assert again.alarm is None


async def test_an_alert_that_was_shown_and_not_synced_comes_again(place: Site) -> None:
    # It is shown before it is synced. Its entry stands in the log, and nobody was told yet.
    skopje, belgrade = await both(place)
    disk = Disk(belgrade, cut=True)

    async def cut_when_shown() -> bool:
        await opened(belgrade)
        disk.spoke = disk.newest
        return belgrade._engine.vault.synced

    showing = asyncio.create_task(cut_when_shown())
    await skopje.alerts.send(alert(), CHANNEL)
    assert await showing is False
    left = disk.spoke
    await place.open.aclose()
    disk.spoke = left
    disk.put_back(spoke=True)
    await stands_once(place, BELGRADE)
    note("client", "power cut after an alert was shown, before it was synced", count=1, held="I1")
