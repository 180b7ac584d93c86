"""A broker that gives a key to one device, and writes down that another has it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from seefen.protocol.encoding import encode
from seefen.protocol.envelope import Envelope, open_envelope
from seefen.protocol.frames import Push
from seefen.protocol.statements import Release
from seefen.server import releases
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, alert, channel, until
from tests.support import waiting
from tests.system.siege import Siege, siege


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Siege]:
    async with siege(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


@pytest.mark.parametrize("shown", [False, True], ids=["as it stands", "in other words"])
async def test_attack_31_a_release_that_names_another_device_opens_nothing(
    place: Siege, monkeypatch: pytest.MonkeyPatch, shown: bool
) -> None:
    """Its entry is true and names the watch of this device, and another device as the reader.

    ``shown``: the device is shown a release that names it; the entry is of the other one.
    """
    network = place.place.network
    mine = network.of(BELGRADE)
    await place.place.broker.take(network.enrol(BELGRADE, ("field",)))
    other = next(m for m in network.machines.values() if m.node == BELGRADE and m is not mine)
    skopje, belgrade = await channel(place.place, BELGRADE), await place.place.client(BELGRADE)
    await until(belgrade.channels.list, belgrade)
    await belgrade.watch.on(**WHY)
    told: list[Release] = []

    def in_another_name(*fields: object) -> Release:
        true = Release(*fields)  # type: ignore[arg-type]
        told.append(true)
        return replace(true, devices=(other.device,))

    def as_it_was(push: Push) -> Push:
        if push.release is None:
            return push
        assert open_envelope(push.envelope, "release").statement != told[-1]
        return replace(push, envelope=encode(Envelope(encode(told[-1]), ())))

    def fetched() -> dict[str, bool]:
        return {one.ref: one.fetched for one in belgrade.alerts.list()}

    with monkeypatch.context() as patch:
        patch.setattr(releases, "Release", in_another_name)
        if shown:
            place.hostile.lie("push", as_it_was, to=mine)
        await skopje.alerts.send(alert(), CHANNEL)
        await waiting.until(lambda: belgrade.alarm or any(fetched().values()), seconds=30)
    assert belgrade.alarm is not None
    assert "the release is not about this device" in belgrade.alarm
    assert fetched() == {f"{CHANNEL}#1": False}
    assert told
    place.hostile.honest()
    await skopje.alerts.send(alert(), CHANNEL)
    await waiting.until(lambda: fetched().get(f"{CHANNEL}#2"), seconds=30)
