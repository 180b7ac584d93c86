"""A process that is killed while it drops what waits: all of it is gone, or all of it waits.

And one that is killed when what it sent has its receipt: that has left, and is never dropped.
"""

import signal
from contextlib import suppress
from pathlib import Path

import pytest

from seefen.client import Client
from seefen.client.connection import UnreachableError
from seefen.protocol.errors import OutOfTurnError
from tests.client.homes import PASSPHRASE, site
from tests.client.proxied import proxied
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, alert, channel, until
from tests.client.test_outbox import photo
from tests.faults.client.doomed import launcher
from tests.faults.client.points import BY_NAME, DROPPING
from tests.support.faultbook import note
from tests.support.faultproxy import Bad

pytestmark = pytest.mark.timeout(600)
AFTER_RECEIPT = [
    BY_NAME["sender: after Sender._take_recorded"],
    BY_NAME["outbox: before Outbox._finish"],
]


async def away(*_: object) -> None:
    raise UnreachableError("the line was cut", rule="broker")


async def test_what_is_dropped_under_a_kill_is_whole_or_gone(tmp_path: Path) -> None:
    async with (
        proxied(tmp_path, SKOPJE, BELGRADE) as (place, proxy),
        launcher(tmp_path) as launched,
    ):
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


async def test_what_has_its_receipt_when_the_process_is_killed_is_not_dropped(
    tmp_path: Path,
) -> None:
    """Its draft is still there; an officer who reads "it has not left" sends it a second time."""
    async with site(tmp_path, SKOPJE, BELGRADE) as place, launcher(tmp_path) as launched:
        skopje = await channel(place, BELGRADE)
        home, photograph = skopje._engine.home, photo(tmp_path)
        await place.open.aclose()
        for point in AFTER_RECEIPT:
            code = await launched.run("alert", home, point, photo=str(photograph))
            assert code == -signal.SIGKILL, f"{point.name}: ended with {code}: {launched.said}"
            async with Client.open(home, PASSPHRASE, patience=0) as client:
                ((_, draft, _),) = client._outbox.waiting()
                (file,) = client.queue.list()
                assert (file.what, file.of) == ("FileNote", client.alerts.list()[0].ref)
                with pytest.raises(OutOfTurnError, match=f"it has left, as {file.of}") as refused:
                    await client.queue.drop(draft.object.hex()[:8])
                assert refused.value.rule == "has-left"
            async with Client.open(home, PASSPHRASE) as client:
                await until(lambda: not client.queued(), client)
                assert client.alerts.list()[0].fetched, "its author has his own words"
        objects = 2 * len(AFTER_RECEIPT)
        async with Client.open(home, PASSPHRASE) as client:
            assert client.channels._casework.find(CHANNEL).object_count == objects
            assert client.alarm is None
    note(
        "client", "SIGKILL between a receipt and the end of its draft", count=len(AFTER_RECEIPT),
        held="I1 I2: it is called recorded, and cannot be dropped",
    )  # fmt: skip
