"""An older backup put back under a network that went on, as an operator would do it.

The copy is the one of docs/operating.md: the whole data folder of a stopped broker.
"""

from __future__ import annotations

import signal
import subprocess
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from seefen.client import Client
from seefen.client.agent import Agent
from seefen.protocol.errors import UntrustedError
from seefen.server.embedded import running_dsn
from tests.client.homes import PASSPHRASE, make_home
from tests.client.scenes import CHANNEL, WHY, alert, until
from tests.support.broker import run_server
from tests.support.brokers import NODES, Brokers, brokers
from tests.support.faultbook import long, note
from tests.support.network import Machine
from tests.support.shadow import database

ONE, TWO, THREE, FOUR = (f"{CHANNEL}#{n}" for n in range(1, 5))


class Depot:
    """A stopped broker's data folder, copied away and put back."""

    def __init__(self, it: Brokers, folder: Path) -> None:
        self.it = it
        self.data = it.one.config.data
        self.copy = it.folder / "backup.tar"
        self.homes = folder

    def at_home(self, machine: Machine) -> AbstractAsyncContextManager[Client]:
        """Open the client of a machine."""
        home = self.homes / machine.device.hex()
        if not home.exists():
            make_home(home, machine, self.it.network, self.it.one.url, self.it.ca)
        return Client.open(home, PASSPHRASE)

    def evidence(self, machine: Machine) -> list[str]:
        """Return the names of what a device has kept about lies."""
        folder = self.homes / machine.device.hex() / "evidence"
        return sorted(path.name for path in folder.glob("*.json"))

    async def stop(self) -> None:
        """Stop the broker in order."""
        self.it.one.send(signal.SIGTERM)
        assert await self.it.one.end() == 0

    def back_up(self) -> None:
        """Copy the data folder away, as an operator does."""
        self._tar("-cpf", self.copy, self.data.name)

    def restore(self, aside: str = "newer") -> None:
        """Put the copy back; what stands is put aside."""
        self.data.rename(self.data.with_name(aside))
        self._tar("-xpf", self.copy)

    def _tar(self, *arguments: object) -> None:
        subprocess.run(["tar", "-C", str(self.data.parent), *map(str, arguments)], check=True)

    async def objects(self) -> int:
        """Return how many objects stand in the log."""
        async with database(running_dsn(self.it.one.config.postgres) or "") as connection:
            sql = "SELECT count(*) FROM activity_leaf WHERE kind = 'object'"
            found: int = await connection.fetchval(sql)
            return found


@long
async def test_fault_31_an_older_backup_is_refused_until_the_newest_state_is_back(
    tmp_path: Path,
) -> None:
    """Frozen, while the mark stands; and devices that saw more refuse for good, if it does not."""
    async with brokers(embedded=True, writers=1, readers=2) as it:
        depot = Depot(it, tmp_path)
        (writer,), (reader, absent) = it.writers, it.readers
        mark = it.one.config.high_water_file
        await it.one.start()
        async with depot.at_home(writer) as skopje, depot.at_home(absent) as late:
            await skopje.channels.open(CHANNEL, [NODES[1]])
            await skopje.alerts.send(alert(), CHANNEL)
            await until(lambda: len(late.alerts.list()) == 1, late)
        await depot.stop()
        depot.back_up()

        await it.one.start()
        async with depot.at_home(writer) as skopje, depot.at_home(reader) as belgrade:
            await skopje.alerts.send(alert(), CHANNEL)
            await until(lambda: len(belgrade.alerts.list()) == 2, belgrade)
            await belgrade.alerts.show(TWO, **WHY)
            agent = Agent(belgrade, tmp_path / "agent", witness=tmp_path / "witness")
            await agent.round()
        await depot.stop()
        depot.restore()

        await it.one.start("is FROZEN")
        for machine in (writer, reader):
            await _waits(depot, machine)
        await depot.stop()
        lowered = mark.rename(mark.with_name("mark-of-the-newest-state"))
        await run_server("recover", "--data", depot.data, "--this-is-the-newest")

        await it.one.start()
        await _refused(depot, writer, "rewind")
        await _refused(depot, reader, "rewind")
        # Who saw no more than stands there goes on, and the log of lost entries grows anew.
        async with depot.at_home(absent) as late:
            for _ in range(8):
                assert (await late.alerts.send(alert(), CHANNEL)).ref
        await _refused(depot, reader, "consistency", "fork")
        await depot.stop()

        # The backup once more, and what the agent of one node holds.
        depot.restore("older")
        lowered.rename(mark)
        mirror = tmp_path / "agent" / "mirror"
        said = await run_server("recover", "--data", depot.data, "--from", mirror)
        assert "the roots are those that were signed" in said
        await it.one.start()
        assert await depot.objects() == 2
        async with depot.at_home(writer) as skopje, depot.at_home(reader) as belgrade:
            # What both wrote meanwhile was kept, and leaves now.
            await until(lambda: len(belgrade.alerts.list()) == 4, skopje, belgrade)
            assert skopje.queued() == belgrade.queued() == []
            refs = sorted(one.ref for one in belgrade.alerts.list())
            assert refs == [ONE, TWO, THREE, FOUR]
            assert await depot.objects() == 4
        await _refused(depot, absent, "rewind", "consistency", "fork")
        await depot.stop()
    note(
        "broker", "an older backup put back, then a mirror", count=1,
        held="frozen; devices refuse what grew anew; the mirror gives the same root; I1 I4",
    )  # fmt: skip


async def _waits(depot: Depot, machine: Machine) -> None:
    """Check that a device takes a frozen broker for one that is away: no alarm, nothing lost."""
    async with depot.at_home(machine) as client:
        kept = [one.ref for one in client.alerts.list()]
        await client.sync()
        assert not client.online
        assert client.alarm is None
        assert [one.ref for one in client.alerts.list()] == kept


async def _refused(depot: Depot, machine: Machine, *rules: str) -> None:
    """Check that a device believes nothing, sends nothing and keeps what it has."""
    before = await depot.objects()
    async with depot.at_home(machine) as client:
        kept = [one.ref for one in client.alerts.list()]
        assert kept
        with pytest.raises(UntrustedError) as caught:
            await client.sync()
        assert caught.value.rule in rules
        if not client.queued():
            sent = await client.alerts.send(alert(), CHANNEL)
            assert sent.queued
            assert sent.problem
        assert [one.ref for one in client.alerts.list()] == kept
    assert any(f"activity-{caught.value.rule}-" in name for name in depot.evidence(machine))
    assert await depot.objects() == before
