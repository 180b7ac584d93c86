"""A process that is killed while it drops what waits: all of it is gone, or all of it waits."""

import signal
from contextlib import suppress
from pathlib import Path

import pytest

from seefen.client import Client
from seefen.client.connection import UnreachableError
from tests.client.homes import PASSPHRASE, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, alert, channel
from tests.client.test_outbox import photo
from tests.faults.client.doomed import launcher
from tests.faults.client.points import DROPPING
from tests.support.broker import free_port
from tests.support.faultbook import note
from tests.support.faultproxy import Bad, fault_proxy

pytestmark = pytest.mark.timeout(600)


async def away(*_: object) -> None:
    raise UnreachableError("the line was cut", rule="broker")


async def test_what_is_dropped_under_a_kill_is_whole_or_gone(tmp_path: Path) -> None:
    front = free_port()
    async with (
        fault_proxy(front) as proxy,
        site(tmp_path, SKOPJE, BELGRADE, front=f"127.0.0.1:{front}") as place,
        launcher(tmp_path) as launched,
    ):
        proxy.target = place.broker.config.listen
        skopje = await channel(place, BELGRADE)
        home, photograph = skopje._engine.home, photo(tmp_path)
        await place.open.aclose()
        whole = 0
        for point in DROPPING:
            proxy.bad = Bad(down=True)
            async with Client.open(home, PASSPHRASE) as client:
                if point.function == "Vault.many":  # a photograph that is not sealed yet
                    setattr(client._outbox, "_seal_file", away)  # noqa: B010 - a method
                with suppress(UnreachableError):
                    await client.alerts.send(alert(), CHANNEL, [photograph])
                (waiting,) = client.queue.list()
                assert waiting.files == 1
            code = await launched.run("drop", home, point, id=waiting.id)
            assert code == -signal.SIGKILL, f"{point.name}: ended with {code}: {launched.said}"
            async with Client.open(home, PASSPHRASE, patience=0) as client:
                left = client.queue.list()
                assert left in ([], [waiting]), f"{point.name}: {left}"
                sealed = list((home / "outbox").iterdir())
                assert left or not sealed, f"{point.name}: {sealed}"
            whole += len(left)
            proxy.bad = Bad()
            async with Client.open(home, PASSPHRASE) as client:
                assert client.queued() == []
                assert len(client.alerts.list()) == whole
                assert client.channels._casework.find(CHANNEL).object_count == 2 * whole
                assert client.alarm is None
        assert 0 < whole < len(DROPPING), "killed before it was gone, and after"
    note(
        "client", "SIGKILL at each step of dropping what waits", count=len(DROPPING),
        held="I1 I2: whole or gone, and what is gone never leaves",
    )  # fmt: skip
