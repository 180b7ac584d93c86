"""Devices: mailboxes are renewed by who holds them, and newcomers find what waits."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from seefen.protocol.errors import RefusedError
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, alert, channel, until


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


async def test_a_second_auditor_gets_the_mailbox_from_the_first(place: Site) -> None:
    # The admin who let him in may be no auditor: he must not hold the reasons himself.
    await place.broker.take(place.network.enrol(SKOPJE, ("auditor",), renew=False))
    second = await place.client(SKOPJE, "auditor", nth=1)
    assert second._engine.mailbox_seed(SKOPJE, "audit", 1) is None
    await place.client(SKOPJE, "auditor")
    await second.sync()

    assert second._engine.mailbox_seed(SKOPJE, "audit", 2) is not None
    assert second._engine.mailbox_seed(SKOPJE, "audit", 1) is not None
    assert second.alarm is None


async def test_a_mailbox_is_renewed_once(place: Site) -> None:
    await place.broker.take(place.network.enrol(SKOPJE, ("field",), renew=False))
    skopje = await place.client(SKOPJE)
    await skopje.sync()
    size = skopje._engine.directory.size
    for _ in range(3):
        await skopje.sync()

    assert skopje._engine.directory.size == size


async def test_a_newcomer_does_not_cut_the_others_off(place: Site) -> None:
    # He was not handed the mailbox: what he makes could not lead back to earlier keys.
    await place.broker.take(place.network.enrol(SKOPJE, ("field",), renew=False))
    newcomer = await place.client(SKOPJE, "field", nth=1)
    await newcomer.sync()
    mailbox = newcomer._engine.directory.mailbox(SKOPJE, "alert")

    assert mailbox is not None
    assert mailbox.version == 1


async def test_who_gets_the_mailbox_late_reads_what_was_sent_before(place: Site) -> None:
    await place.broker.take(place.network.enrol(BELGRADE, ("field",), renew=False))
    skopje = await channel(place, BELGRADE)
    await skopje.alerts.send(alert(), CHANNEL)
    late = await place.client(BELGRADE, "field", nth=1)
    await late.sync()
    assert late.alerts.list() == []
    belgrade = await place.client(BELGRADE)
    await belgrade.sync()
    await until(late.alerts.list, late)

    assert (await late.alerts.show(f"{CHANNEL}#1", **WHY)).message


async def test_a_device_is_revoked_once(place: Site) -> None:
    await place.broker.take(place.network.enrol(SKOPJE, ("field",)))
    skopje = await place.client(SKOPJE)
    lost = place.network.of(SKOPJE, "field", nth=1)
    view = await skopje.devices.revoke(lost.officer, "lost")
    assert view.revoked == "lost"
    mailbox = skopje._engine.directory.mailbox_stale(SKOPJE, "alert")
    assert mailbox is False

    with pytest.raises(RefusedError) as caught:
        await skopje.devices.revoke(lost.device.hex(), "lost")
    assert caught.value.rule == "revoked"


async def test_who_ends_his_own_device_is_told_who_can_see_that_it_is_recorded(place: Site) -> None:
    await place.broker.take(place.network.enrol(SKOPJE, ("admin", "field")))
    skopje, lost = await place.client(SKOPJE), await place.client(SKOPJE, nth=1)
    with pytest.raises(RefusedError, match="cut this device off") as cut:
        await lost.devices.revoke(lost.officer, "lost")
    assert cut.value.rule == "cut-off"
    await skopje.sync()
    assert [it.revoked for it in skopje.devices.list() if it.officer == lost.officer] == ["lost"]


async def test_the_last_holder_of_the_cases_does_not_leave_in_peace(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    (holder,) = [it for it in skopje.devices.list() if "keyholder" in it.roles]
    for reason in ("left", "replaced"):
        with pytest.raises(RefusedError, match="last device that holds") as refused:
            await skopje.devices.revoke(holder.device, reason)
        assert refused.value.rule == "last-holder"
    # A stolen one goes at once, whatever it costs.
    skopje.devices._require_another_holder(bytes.fromhex(holder.device), "lost")
    await place.broker.take(place.network.enrol(SKOPJE, ("keyholder",)))
    await skopje.sync()
    other = place.network.of(SKOPJE, "keyholder", nth=1)
    assert (await skopje.devices.revoke(other.device.hex(), "left")).revoked == "left"
