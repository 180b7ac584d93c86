"""The duty desk of a node that nobody has prepared, on open clients."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from seefen.client import Client
from seefen.client.cli import session
from tests.client.cli.stage import Said, command
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, alert, channel, until
from tests.client.test_previews import photograph

WHY = ("--purpose", "detection", "--basis", "pcc-see")


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


async def test_what_is_due_is_one_document_with_each_section(place: Site) -> None:
    skopje = await channel(place, BELGRADE)
    belgrade = await place.client(BELGRADE)
    empty = await run(belgrade, "due", "--json")
    sections = {"waiting", "owed", "expired", "unanswered", "emergencies", "handovers"}
    assert json.loads(empty.out) == {name: [] for name in sections}

    await skopje.alerts.send(alert(), CHANNEL)
    await until(lambda: belgrade.requests.due(), belgrade)
    own = await belgrade.alerts.send(alert(), CHANNEL)
    await belgrade.duty.handover.give(text="Tirana calls back")
    said = await run(belgrade, "due", "--json")
    shown = json.loads(said.out)
    assert (said.code, said.err, set(shown)) == (0, "", sections)
    assert [one["ref"] for one in shown["waiting"]] == [f"{CHANNEL}#1"]
    assert [one["ref"] for one in shown["unanswered"]] == [own.ref]
    assert [one["text"] for one in shown["handovers"]] == ["Tirana calls back"]
    printed = (await run(belgrade, "due")).out
    for part in (f"{CHANNEL}#1", f"Your alert {own.ref}", "Tirana calls back"):
        assert part in printed


async def test_who_takes_over_gets_one_document(place: Site) -> None:
    skopje = await channel(place, BELGRADE)
    day, night = await place.client(BELGRADE), await desk(place, BELGRADE)
    await skopje.alerts.send(alert(), CHANNEL)
    await until(lambda: day.requests.due() and night.requests.due(), day, night)
    await day.duty.handover.give(text="Tirana calls back")
    await until(night.duty.handover.waiting, night)
    said = await run(night, "watch", "take-over", "--json")
    assert (said.code, said.err) == (0, "")
    taken = json.loads(said.out)
    assert set(taken) == {"sent", "taken"}
    assert taken["sent"]["ref"].startswith("house#")
    due = json.loads((await run(night, "due", "--json")).out)
    (view,) = taken["taken"]
    assert [one["ref"] for one in view["waiting"]] == [one["ref"] for one in due["waiting"]]
    assert view["taken_by"] == night.officer


async def test_a_preview_is_no_file_of_its_own(place: Site, tmp_path: Path) -> None:
    skopje, belgrade = await channel(place, BELGRADE), await place.client(BELGRADE)
    picture = photograph(tmp_path / "wheel.jpg")
    words = ("--where", "Merdare, in", "--carrying", "1 rifle", "--photo", picture)
    sent = await run(skopje, "alert", "send", *words)
    assert "files 1/1" in sent.out
    await until(lambda: len(belgrade.cases.show(CHANNEL).objects) == 3, belgrade)
    listed = (await run(belgrade, "channel", "list")).out.splitlines()[1].split()
    assert listed[:3] == [CHANNEL, SKOPJE, "1"], "one alert, and not three"
    shown = await run(belgrade, "alert", "show", f"{CHANNEL}#1", *WHY)
    assert "preview, made small, ahead of its photograph: #2" in shown.out
    assert [line for line in shown.out.splitlines() if line.startswith("  #")] == [
        line for line in shown.out.splitlines() if line.startswith("  #3")
    ]
    got = await run(belgrade, "file", "get", f"{CHANNEL}#1", "-o", tmp_path / "got", *WHY)
    assert "1 files." in got.out
    export = json.loads((await run(belgrade, "--json", "export", CHANNEL)).out)
    assert [one["ref"] for one in export["covers"]] == [f"{CHANNEL}#3"]


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
