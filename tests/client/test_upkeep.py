"""Keys that a lost device left stale: the node's agent renews them before anybody writes."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from seefen.client import Client, keying
from seefen.client.agent import Agent
from seefen.client.agent import agent as running
from seefen.client.agent.alarms import WARNING, read
from seefen.client.engine import Engine
from seefen.client.upkeep import Kept
from seefen.protocol.case import CaseState
from seefen.protocol.errors import RefusedError
from tests.client.agent.test_agent import agent_of
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, WHY, alert, until
from tests.client.test_assigning import field, having, request, rule
from tests.client.test_emergencies import cases, night


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


async def agent(place: Site, role: str) -> tuple[Agent, Client]:
    """Return the agent of Belgrade: a device without an officer, with one role."""
    network = place.network
    await place.broker.take(network.enrol(BELGRADE, (role,), renew=role != "auditor", agent=True))
    machines = [one for one in network.machines.values() if one.node == BELGRADE]
    client = await place.client(BELGRADE, nth=len(machines) - 1)
    return agent_of(client, place.folder / f"agent-{role}"), client


def generation(client: Client, name: str) -> int:
    return client._engine.trust.require_state(client._engine.named(name) or b"").generation.gen


async def test_an_agent_with_the_mailboxes_renews_what_a_lost_device_could_read(
    place: Site,
) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    await field(place, 1)
    await skopje.channels.open(CHANNEL, [BELGRADE])
    case = (await skopje.cases.open("Pistols", [BELGRADE])).number
    await skopje.cases.send(case, "one")
    one, client = await agent(place, "keyholder")
    await one.round()
    assert (generation(client, CHANNEL), generation(client, case)) == (1, 1)

    await place.broker.take(place.network.revoke(place.network.of(BELGRADE, nth=1)))
    await one.round()
    for box in ("alert", "case"):
        assert not client._engine.directory.mailbox_stale(BELGRADE, box)
    assert (generation(client, CHANNEL), generation(client, case)) == (2, 2)
    assert {a.kind for a in read(one.folder / "alarms.jsonl")} >= {"key-renewed"}
    await one.round()
    assert generation(client, CHANNEL) == 2  # once
    # The next alert takes the key as it is, and both read it.
    await skopje.sync()
    assert (await skopje.alerts.send(alert(), CHANNEL)).ref
    assert generation(skopje, CHANNEL) == 2
    await until(lambda: belgrade.alerts.list(), belgrade)


async def test_an_agent_without_them_leaves_them_to_whoever_writes_next(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    await field(place, 1)
    await skopje.channels.open(CHANNEL, [BELGRADE])
    one, client = await agent(place, "auditor")
    await one.round()
    await place.broker.take(place.network.revoke(place.network.of(BELGRADE, nth=1)))
    await one.round()
    assert {a.kind for a in read(one.folder / "alarms.jsonl")} <= {
        "watching-keys", "key-changed-mine",
    }  # fmt: skip
    assert client._engine.directory.mailbox_stale(BELGRADE, "alert")
    await skopje.sync()
    await skopje.alerts.send(alert(), CHANNEL)
    assert generation(skopje, CHANNEL) == 2


async def test_an_agent_with_the_mailboxes_assigns_by_the_roster(place: Site) -> None:
    belgrade = await place.client(BELGRADE)
    _, officer = await field(place, 1)
    await belgrade.sync()
    await belgrade.house.lay(rule(officer, types=["TraceRequest"]))
    one, client = await agent(place, "keyholder")
    await one.round()
    skopje = await place.client(SKOPJE)
    number = (await skopje.cases.open("Tabanovce", [BELGRADE])).number
    await skopje.requests.ask(number, request())
    one._client.duty.assigning._rank = lambda: 0  # type: ignore[method-assign] # nobody is before it
    await client.sync()
    await one.round()
    await until(lambda: having(belgrade, number), belgrade)
    [given] = having(belgrade, number)
    assert given.officer == officer
    said = f"{number} to {officer}: by roster or emergency"
    assert read(one.folder / "alarms.jsonl")[-1].text == said


async def test_an_agent_opens_a_case_in_an_emergency_before_its_next_round(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "ROUND_SECONDS", 3600.0)
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    officer = await night(place, belgrade)
    [number] = await cases(skopje, officer)
    one, _ = await agent(place, "keyholder")
    stop = asyncio.Event()
    working = asyncio.create_task(one.run(stop))
    try:
        await until_read(one, "watching-keys")
        await officer.duty.emergencies.ask(number, **WHY)
        assert (await officer.duty.emergencies.wait(number, 60)).state == "opened"
    finally:
        stop.set()
        await working
    await skopje.sync()
    assert skopje.cases.show(number).objects[-1].type == "EmergencyOpened"
    # Nothing was read: the auditors of both nodes see it all the same.
    for auditor in (belgrade, skopje):
        await auditor.sync()
        [named] = (await auditor.audit.verdict()).emergencies
        assert (named.officer, named.node, named.case) == (officer.officer, BELGRADE, number)
        assert (named.readings, named.reason_at) == (1, None)


async def until_read(one: Agent, kind: str) -> None:
    """Wait until an agent that runs has raised something."""
    for _ in range(600):
        if any(a.kind == kind for a in read(one.folder / "alarms.jsonl")):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"it never raised {kind}")


async def test_what_cannot_be_kept_up_is_said_and_the_mirror_goes_on(place: Site) -> None:
    one, client = await agent(place, "keyholder")

    async def broken() -> Kept:
        raise RefusedError("(a) the log is old", rule="a-stale-log")

    client.upkeep.look = broken  # type: ignore[method-assign]
    await one.round()
    last = read(one.folder / "alarms.jsonl")[-1]
    assert (last.kind, last.severity) == ("upkeep-failed", WARNING)
    assert one.mirrors["authority"].size


async def test_one_case_that_cannot_be_renewed_keeps_no_other_waiting(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje = await place.client(SKOPJE)
    await field(place, 1)
    cases = [(await skopje.cases.open(title, [BELGRADE])).number for title in ("one", "two")]
    one, client = await agent(place, "keyholder")
    await one.round()
    await place.broker.take(place.network.revoke(place.network.of(BELGRADE, nth=1)))
    real = keying.require_writer

    def hidden(engine: Engine, state: CaseState) -> bytes:
        if state.number == cases[0]:
            raise RefusedError("(c) a version was withheld", rule="c-hidden")
        return real(engine, state)

    monkeypatch.setattr(keying, "require_writer", hidden)
    await one.round()
    assert [generation(client, name) for name in cases] == [1, 2]
    said = [a.text for a in read(one.folder / "alarms.jsonl") if a.kind == "upkeep-failed"]
    assert said == [f"a key stays as it is: {cases[0]}: (c) a version was withheld"]
