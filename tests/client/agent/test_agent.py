"""The agent on a real broker: it keeps what was signed, and says what should not be."""

import io
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from demo.tamper import intruder
from seefen.client import Client
from seefen.client.agent import Agent
from seefen.client.agent.alarms import CRITICAL, NOTICE, read
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import UntrustedError
from seefen.protocol.ledger.record import decode_core
from seefen.protocol.statements import Device
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, SKOPJE, WHY

FUTURE = 700  # seconds


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


def agent_of(client: Client, folder: Path, *, later: int = 0) -> Agent:
    """Return the agent of a client; its lines go nowhere but into its file."""
    witness = folder.with_name("witness")
    agent = Agent(client, folder, witness=witness, clock=lambda: time.time() + later)
    agent.alarms._stream = io.StringIO()
    agent.load()
    return agent


async def watcher(place: Site) -> Client:
    """Return the client of Skopje's agent as it is invited: it holds no mailbox of cases."""
    enrolled = place.network.enrol(SKOPJE, ("auditor",), renew=False, agent=True)
    await place.broker.take(enrolled)
    return await place.client(SKOPJE, nth=1)


def kinds(agent: Agent) -> list[tuple[str, str]]:
    """Return kind and severity of what was raised."""
    return [(one.kind, one.severity) for one in read(agent.folder / "alarms.jsonl")]


async def busy(place: Site) -> tuple[Client, str]:
    """Let Skopje write to Belgrade and Belgrade read; return Skopje and the case."""
    skopje = await place.client(SKOPJE)
    case = (await skopje.cases.open("Pistols", [BELGRADE])).number
    sent = await skopje.cases.send(case, "a Zastava M70")
    assert sent.ref
    async with place.briefly(BELGRADE) as belgrade:
        await belgrade.sync()
        await belgrade.read(sent.ref, **WHY)
    return skopje, case


async def test_the_agent_keeps_both_logs_and_what_opens_the_own_entries(
    place: Site, tmp_path: Path
) -> None:
    skopje, _ = await busy(place)
    agent = agent_of(skopje, tmp_path / "agent")
    await agent.round()
    heads = place.broker.services.broker.heads
    assert agent.mirrors["authority"].size == heads.authority.size
    assert agent.mirrors["activity"].size == heads.activity.size
    shown = [skopje.logs.newest(log) for log in ("authority", "activity")]
    roots = [heads.authority.root, heads.activity.root]
    assert [one and one.checkpoint.root for one in shown] == roots
    kept = agent.openings.block(0)
    acts = [decode_core(one.core).act for one in kept]
    # Skopje owns the case, so it also sees who read it; the object came with its body.
    assert {"case", "casekey", "object", "access"} <= set(acts)
    (obj,) = [one for one in kept if one.kind == "object"]
    assert obj.body
    files = [path for path in (tmp_path / "agent").rglob("*") if path.is_file()]
    assert files
    assert not any(b"Zastava" in path.read_bytes() for path in files)
    assert kinds(agent) == [("watching-keys", NOTICE)]
    again = agent_of(skopje, tmp_path / "agent")
    assert again.mirrors["activity"].size == heads.activity.size


async def test_fault_25_a_device_let_in_with_a_stolen_key_is_an_alarm_within_one_sync(
    place: Site, tmp_path: Path
) -> None:
    skopje = await watcher(place)
    agent = agent_of(skopje, tmp_path / "agent")
    await agent.round()
    await place.broker.take(place.network.enrol(BELGRADE, ("field",)))
    await agent.round()
    assert kinds(agent) == [("watching-keys", NOTICE)]  # another node's affair
    await place.broker.take(place.network.enrol(SKOPJE, ("field",), renew=False))
    await agent.round()
    alarm = read(agent.folder / "alarms.jsonl")[-1]
    thief = place.network.of(SKOPJE, nth=2)
    assert (alarm.kind, alarm.severity) == ("key-changed-mine", CRITICAL)
    assert thief.device.hex()[:8] in alarm.text
    assert "seefen device revoke" in alarm.text
    evidence = json.loads(Path(alarm.evidence).read_text())
    opened = open_envelope(bytes.fromhex(evidence["envelope"]), "device").statement
    assert isinstance(opened, Device)
    assert opened.device == thief.device
    count = len(kinds(agent))
    await agent.round()
    await agent_of(skopje, tmp_path / "agent").round()
    assert len(kinds(agent)) == count  # said once, also after a restart


async def test_what_was_expected_is_a_notice_and_for_a_while_only(
    place: Site, tmp_path: Path
) -> None:
    skopje = await watcher(place)
    agent = agent_of(skopje, tmp_path / "agent")
    await agent.round()
    agent.own_keys.expect(int(time.time()) + 60)
    await place.broker.take(place.network.enrol(SKOPJE, ("field",), renew=False))
    await agent.round()
    assert kinds(agent)[1:] == [("key-changed-mine", NOTICE)]
    agent.own_keys.expect(int(time.time()) - 1)
    await place.broker.take(place.network.revoke(place.network.of(SKOPJE, nth=2)))
    await agent.round()
    assert ("key-changed-mine", CRITICAL) in kinds(agent)
    await place.broker.take(place.network.suspend(SKOPJE))
    await agent._try_round()
    assert kinds(agent)[-1] == ("shut-out", CRITICAL)


async def test_fault_23_a_log_that_stands_still_is_an_alarm(tmp_path: Path) -> None:
    """Whoever withholds a revocation must show old heads: their time tells."""
    at = int(time.time())
    async with site(tmp_path, SKOPJE, clock=lambda: at) as place:
        skopje = await place.client(SKOPJE)
        agent = agent_of(skopje, tmp_path / "agent", later=FUTURE)
        await agent._try_round()
        assert kinds(agent)[-1] == ("stale-head", CRITICAL)
        count = len(kinds(agent))
        await agent._try_round()
        assert len(kinds(agent)) == count
        now = agent_of(skopje, tmp_path / "agent")
        await now._try_round()  # over, by a clock that is right
        assert len(kinds(agent)) == count


async def test_a_rewound_log_is_an_alarm_with_evidence_and_what_helps(
    place: Site, tmp_path: Path
) -> None:
    skopje, case = await busy(place)
    agent = agent_of(skopje, tmp_path / "agent")
    await agent.round()
    size = agent.mirrors["activity"].size
    async with intruder(place.broker.dsn) as villain:
        await villain.rewind(2, place.broker.config.data)
    await agent._try_round()
    alarm = read(agent.folder / "alarms.jsonl")[-1]
    assert (alarm.kind, alarm.severity) == ("rewind", CRITICAL)
    assert "seefen-server recover --from" in alarm.text
    assert f"activity {size}" in alarm.text
    assert json.loads(Path(alarm.evidence).read_text())["rule"] == "rewind"
    assert agent_of(skopje, tmp_path / "agent").mirrors["activity"].size == size
    assert case
    count = len(kinds(agent))
    await agent._try_round()
    assert len(kinds(agent)) == count  # the same lie is said once


async def test_attack_10_a_fork_after_one_that_was_over_is_said_again(
    place: Site, tmp_path: Path
) -> None:
    skopje = await watcher(place)
    agent = agent_of(skopje, tmp_path / "agent")
    fork = UntrustedError("the log has two roots at one size", rule="fork")
    for times in (1, 2):
        agent._accuse(fork)
        agent._accuse(fork)
        assert [kind for kind, _ in kinds(agent)].count("fork") == times
        await agent._try_round()


async def test_a_frozen_broker_is_told_where_its_entries_are(place: Site, tmp_path: Path) -> None:
    skopje, _ = await busy(place)
    agent = agent_of(skopje, tmp_path / "agent")
    await agent.round()
    mark = place.broker.config.high_water_file
    mark.rename(mark.with_name("lost"))
    await agent._try_round()
    alarm = read(agent.folder / "alarms.jsonl")[-1]
    assert (alarm.kind, alarm.severity) == ("broker-frozen", CRITICAL)
    assert "seefen-server recover --from" in alarm.text


async def test_a_damaged_mirror_is_put_aside_and_filled_anew(place: Site, tmp_path: Path) -> None:
    skopje, _ = await busy(place)
    agent = agent_of(skopje, tmp_path / "agent")
    await agent.round()
    size = agent.mirrors["activity"].size
    (bundle,) = (tmp_path / "agent/mirror/activity/tile/entries/000.p").iterdir()
    data = bytearray(bundle.read_bytes())
    data[50] ^= 1
    bundle.write_bytes(data)
    again = agent_of(skopje, tmp_path / "agent")
    assert again.mirrors["activity"].size == 0
    assert again.mirrors["authority"].size
    assert kinds(again)[-1] == ("mirror-damaged", "warning")
    await again.round()
    assert again.mirrors["activity"].size == size
