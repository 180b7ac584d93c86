"""The duty desk of a node that nobody has prepared, on open clients."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from seefen.client import Client
from seefen.client.cli import session
from tests.client.cli.stage import Said, command
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, alert, channel, until


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


async def run(client: Client, *argv: object) -> Said:
    """Run a command on an open client of this loop."""
    session.host(client, asyncio.get_running_loop())
    try:
        return await asyncio.to_thread(command, *argv)
    finally:
        session.host(None, None)


async def desk(place: Site, node: str) -> Client:
    """Return the client of a field device of a node."""
    await place.broker.take(place.network.enrol(node, ("field",)))
    return await place.client(node, nth=1)


async def test_a_duty_desk_rings_its_own_devices_though_nobody_laid_a_paper(place: Site) -> None:
    skopje = await channel(place, BELGRADE)
    await skopje.alerts.send(alert(), CHANNEL)
    lead, field = await place.client(BELGRADE), await desk(place, BELGRADE)
    await until(field.alerts.list, field)
    refused = await run(field, "alert", "ring", f"{CHANNEL}#1")
    assert refused.code == 1
    assert f"a lead's, {lead.officer}: seefen status" in " ".join(refused.err.split())

    assert (await run(lead, "status")).code == 0
    rung = await run(field, "alert", "ring", f"{CHANNEL}#1")
    assert rung.code == 0, rung
    handed = await run(field, "watch", "hand-over", "--text", "Skopje calls back")
    assert handed.code == 0, handed


async def test_what_a_node_loses_with_its_last_admin_is_said_also_with_yes(place: Site) -> None:
    skopje, field = await place.client(SKOPJE), await desk(place, SKOPJE)
    await skopje.sync()
    one = await run(skopje, "device", "revoke", field.officer, "--lost", "--yes")
    assert one.code == 0, one
    assert "the last" not in one.out

    for said in (
        await run(skopje, "--json", "device", "revoke", skopje.officer, "--why", "left", "--yes"),
        await run(skopje, "device", "revoke", skopje.officer, "--lost", "--yes"),
    ):
        told = " ".join((said.out + said.err).split())
        assert f"{skopje.officer} is the last admin: nobody of your node invites" in told
        assert "the holders of the root keys admit" in told
        assert "the last keyholder: no case of your node opens any more" in told
    assert "cut this device off" in told  # it passed all the same


async def test_a_field_officer_is_not_told_to_open_a_case(place: Site) -> None:
    skopje, field = await place.client(SKOPJE), await desk(place, SKOPJE)
    assert "seefen case open" in (await run(skopje, "case", "list")).out
    assert "A lead of your node opens one" in (await run(field, "case", "list")).out
