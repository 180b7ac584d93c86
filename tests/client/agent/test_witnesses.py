"""Agents as witnesses: processes of their own that are killed, and one that is lied to."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import apsw
import pytest

from seefen.client import Client
from seefen.client.agent import Agent
from seefen.client.agent.alarms import CRITICAL, NOTICE, WARNING, read
from seefen.client.witnessing import FOLDER, HEADS, Uncosigned, Witness
from seefen.protocol.errors import UntrustedError
from seefen.protocol.frames import HeadToCosign
from seefen.protocol.ledger.note import decode_checkpoint, parse_note, sign_checkpoint
from seefen.protocol.ledger.quorum import witness_name
from seefen.protocol.suite import sha256
from seefen.server import witnesses
from tests.client.agent.test_agent import agent_of
from tests.client.agent.test_process import said, until
from tests.client.homes import PASSPHRASE, Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, alert, honest, spoil

NODES = (SKOPJE, BELGRADE)
# The command line as it is, with turns in quick succession.
QUICK = """
import sys
from seefen.client.agent import agent
from seefen.client.cli import main
agent.ROUND_SECONDS = 0.3
sys.exit(main(sys.argv[1:]))
"""


@dataclass
class Post:
    """Two agents that are witnesses, on a broker whose clock can be put forward."""

    folder: Path
    secret: Path
    ahead: int = 0
    site: Site = field(init=False)
    running: dict[str, asyncio.subprocess.Process] = field(
        default_factory=dict[str, asyncio.subprocess.Process]
    )

    def clock(self) -> int:
        return int(time.time()) + self.ahead

    def home(self, node: str) -> Path:
        return self.site.home(self.site.network.of(node, nth=1))

    def size(self, node: str) -> int:
        """Return the size of the activity log that a node's witness has signed last."""
        db: Any = apsw.Connection(str(self.home(node) / FOLDER / HEADS))
        sizes = [size for origin, size in db.execute("SELECT origin, size FROM head")
                 if origin.endswith("activity")]  # fmt: skip
        db.close()
        return max(sizes, default=0)

    async def start(self, node: str) -> None:
        self.running[node] = await asyncio.create_subprocess_exec(
            sys.executable, "-c", QUICK,
            "--home", str(self.home(node)), "--passphrase-file", str(self.secret), "agent", "run",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "SEEFEN_PASSPHRASE": ""},
        )  # fmt: skip

    async def end(self, node: str, number: signal.Signals = signal.SIGTERM) -> str:
        process = self.running.pop(node)
        process.send_signal(number)
        _, err = await process.communicate()
        return err.decode()


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    secret = tmp_path / "secret"
    secret.write_text(PASSPHRASE + "\n")
    made = Post(tmp_path, secret)
    for node in NODES:
        shown = said(tmp_path / node, "witness")
        name = witness_name("", Witness.create(tmp_path / node / FOLDER))
        assert (shown.code, f"{name}: let it be written down" in shown.out) == (0, True)
    publics = tuple(Witness.create(tmp_path / node / FOLDER) for node in NODES)
    async with site(tmp_path, *NODES, clock=made.clock, witnesses=publics, quorum=2) as place:
        made.site = place
        for node in NODES:
            await place.broker.take(place.network.enrol(node, ("auditor",), renew=False))
            (tmp_path / node / FOLDER).rename(made.home(node) / FOLDER)
        try:
            yield made
        finally:
            for node in tuple(made.running):
                await made.end(node, signal.SIGKILL)


async def until_seen(skopje: Client, seen: Callable[[], bool]) -> None:
    """Wait until what a device is shown is so."""
    for _ in range(300):
        await skopje.sync()
        if seen():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("it was not seen")


async def test_two_agents_are_a_quorum_until_both_are_away(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[str] = []

    def note(rule: str, **_: object) -> None:
        raised.append(rule)

    monkeypatch.setattr(witnesses, "alarm", note)
    broker, skopje = post.site.broker.services.broker, await post.site.client(SKOPJE)
    await post.start(SKOPJE)
    await until(lambda: (post.home(SKOPJE) / "agent/mirror/authority/checkpoint").exists())
    await skopje.sync()
    assert skopje.checkpoint_at == 0  # one of two is no quorum
    await post.start(BELGRADE)
    await until_seen(skopje, lambda: skopje.checkpoint_at > 0)

    published = await skopje._engine.connection.http("GET", "/v1/log/activity/checkpoint")
    assert published.count(b"/witness/") == 4  # two keys each
    await skopje.channels.open(CHANNEL, [BELGRADE])
    first = await skopje.alerts.send(alert(), CHANNEL)
    assert not first.queued

    def states() -> set[str]:
        return {row.state for row in skopje.cases.show(CHANNEL).objects}

    await until_seen(skopje, lambda: states() == {"witnessed"})

    # Killed in the middle of its turns: it goes on from what it has signed.
    signed = post.size(BELGRADE)
    assert signed > 0
    await post.end(BELGRADE, signal.SIGKILL)
    await skopje.alerts.send(alert(), CHANNEL)
    assert post.size(BELGRADE) == signed
    await post.start(BELGRADE)
    await until_seen(skopje, lambda: states() == {"witnessed"})
    assert post.size(BELGRADE) > signed
    assert not raised

    for node in NODES:
        assert "witness-" not in await post.end(node)
    post.ahead = witnesses.ALARM_SECONDS + 20
    await broker.witnesses.look()
    assert raised == ["no-quorum"]


@pytest.fixture
async def agent(post: Post) -> AsyncIterator[tuple[Agent, Client]]:
    """Give the agent of Skopje in this process, and its client."""
    client = await post.site.client(SKOPJE, nth=1)
    agent = agent_of(client, post.home(SKOPJE) / "agent")
    yield agent, client
    agent.cosigner.close()


def last(agent: Agent) -> tuple[str, str]:
    found = read(agent.folder / "alarms.jsonl")[-1]
    return found.kind, found.severity


async def test_attack_10_an_agent_refuses_a_fork_keeps_both_heads_and_says_so(
    post: Post, agent: tuple[Agent, Client]
) -> None:
    one, client = agent
    await one.round()
    before = len(read(one.folder / "alarms.jsonl"))
    key = post.site.network.log_key

    def forked(head: HeadToCosign) -> HeadToCosign:
        shown = decode_checkpoint(parse_note(head.checkpoint).text)
        other = replace(shown, root=sha256(b"another log"))
        return HeadToCosign(sign_checkpoint(other, key, post.clock()), head.consistency)

    size = one.mirrors["authority"].size
    spoil(client, "witness", forked, once=False)
    await one.round()
    alarms = read(one.folder / "alarms.jsonl")[before:]
    assert {(a.kind, a.severity) for a in alarms} == {("witness-refused", CRITICAL)}
    assert "other entries" in alarms[0].text
    await one.round()
    assert len(read(one.folder / "alarms.jsonl")) == before + len(alarms)  # one lie, said once
    assert alarms[0].evidence
    assert Path(alarms[0].evidence).parent == post.home(SKOPJE) / FOLDER / "evidence"
    assert one.mirrors["authority"].size == size  # what the device itself was shown is true
    honest(client)
    await one.round()
    assert len(read(one.folder / "alarms.jsonl")) == before + len(alarms)
    spoil(client, "witness", forked, once=False)
    await one.round()
    # The next lie is another one, whatever was said of the first.
    assert len(read(one.folder / "alarms.jsonl")) == before + 2 * len(alarms)


async def test_attack_10_a_fork_after_a_restart_is_said_whatever_was_said_before(
    post: Post, agent: tuple[Agent, Client]
) -> None:
    _, client = agent
    for times in (1, 2):
        one = agent_of(client, post.home(SKOPJE) / "agent")
        refused = Uncosigned("fork", "the activity log is not cosigned after 9 entries", None)
        one.cosigner._refuse(refused)
        one.cosigner._refuse(refused)
        one._accuse(UntrustedError("the log has two roots at one size", rule="fork"))
        kinds = [alarm.kind for alarm in read(one.folder / "alarms.jsonl")]
        assert kinds == ["witness-refused", "fork"] * times
        one.cosigner.close()


async def test_a_witness_that_cannot_remember_signs_nothing_and_says_so(
    post: Post, agent: tuple[Agent, Client]
) -> None:
    one, _ = agent
    await one.round()
    heads = post.home(SKOPJE) / FOLDER / HEADS
    blocked: Any = apsw.Connection(str(heads))
    blocked.execute("BEGIN IMMEDIATE")
    witness = one.cosigner._witness
    assert witness is not None
    witness._db.set_busy_timeout(0)
    await one.round()
    assert last(one) == ("witness-failed", WARNING)
    assert "nothing is signed" in read(one.folder / "alarms.jsonl")[-1].text
    blocked.execute("ROLLBACK")
    blocked.close()
    count = len(read(one.folder / "alarms.jsonl"))
    await one.round()
    assert len(read(one.folder / "alarms.jsonl")) == count


async def test_a_witness_whom_the_root_does_not_name_waits(
    post: Post, agent: tuple[Agent, Client]
) -> None:
    one, _ = agent
    other = post.folder / "other"
    Witness.create(other)
    one.cosigner.folder = other
    await one.round()
    alarms = read(one.folder / "alarms.jsonl")
    assert ("witness-unnamed", NOTICE) in {(a.kind, a.severity) for a in alarms}
    assert one.mirrors["authority"].size > 0


async def test_an_agent_says_that_the_quorum_is_away(
    post: Post, agent: tuple[Agent, Client]
) -> None:
    one, _ = agent
    await one._try_round()
    assert last(one) == ("watching-keys", NOTICE)
    one._began -= 601  # Belgrade has not come for ten minutes
    await one._try_round()
    assert last(one) == ("no-quorum", CRITICAL)
