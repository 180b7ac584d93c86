"""The agent of a network auditor publishes each day; each agent says who is let look.

The agent of a node compares what others say that it must have been shown.
"""

from pathlib import Path

import pytest
from msgspec.structs import replace

from seefen.client.agent import Agent
from seefen.client.agent import agent as running
from seefen.client.agent.alarms import CRITICAL, NOTICE, WARNING, Alarm, read
from seefen.client.audit import lateness, manifests
from seefen.protocol.errors import UntrustedError
from seefen.protocol.frames import AuditPage
from tests.client.agent.test_agent import agent_of, kinds, watcher
from tests.client.homes import site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, alert, channel, honest, spoil
from tests.client.test_audit_manifests import BOARD, Story, hiding, name, refusal, story
from tests.client.test_audit_withheld import later
from tests.support.network import Network

__all__ = ["story"]


async def test_manifests_are_published_each_day_and_a_hidden_leaf_is_critical(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        network = place.network
        board, skopje = await place.client(BELGRADE), await place.client(SKOPJE)
        case = (await skopje.cases.open("Pistols", [BELGRADE])).number
        await skopje.cases.send(case, "a Zastava M70")
        own, agent = agent_of(skopje, tmp_path / "own"), agent_of(board, tmp_path / "agent")
        for one in (own, agent):
            await one.round()
        size = place.broker.services.broker.heads.activity.size
        await place.broker.take(Network.bundle("view", network.view(network.of(BELGRADE))[1]))
        spoil(board, "view", hiding(0), once=False)
        for one in (own, agent):
            await one.round()
        assert place.broker.services.broker.heads.activity.size == size + 3  # and its look
        assert ("missing-opening", CRITICAL) in kinds(agent)
        assert ("manifests", NOTICE) in kinds(agent)
        honest(board)
        await agent.round()  # once a day, and no more
        assert place.broker.services.broker.heads.activity.size == size + 3
        monkeypatch.setattr(manifests, "DAY", 0)
        await agent.round()
        assert place.broker.services.broker.heads.activity.size == size + 5
        # Every agent says that somebody is shown every core.
        for one in (own, agent):
            (told,) = [a for a in read(one.folder / "alarms.jsonl") if a.kind == "root-changed"]
            assert told.severity == CRITICAL
            assert "may look at the entries of the whole network until 2" in told.text
        # A guest is the node's own: announced, it is a notice, and its end is said, too.
        own.own_keys.expect(network.at + 10**6)
        for change in ({}, {"expires": 0}):
            view = network.view(network.of(BELGRADE), SKOPJE, **change)[1]
            await place.broker.take(Network.bundle("view", view))
        await own.round()
        said = [a for a in read(own.folder / "alarms.jsonl") if "entries of skopje" in a.text]
        assert [(a.kind, a.severity) for a in said] == [("key-changed-mine", NOTICE)] * 2
        assert said[0].text.endswith("as expected")
        assert "no more" in said[1].text
        # One that nobody announced: what the node does about it.
        own.own_keys.expect(0)
        made = network.view(network.of(BELGRADE), SKOPJE)[1]
        await place.broker.take(Network.bundle("view", made))
        await own.round()
        told = read(own.folder / "alarms.jsonl")[-1]
        device = network.of(BELGRADE).device.hex()[:8]
        assert f"`seefen guest remove {BELGRADE}/{device}` at once" in told.text
        # Its end: nothing is to be removed any more.
        gone = network.view(network.of(BELGRADE), SKOPJE, expires=0)[1]
        await place.broker.take(Network.bundle("view", gone))
        await own.round()
        told = read(own.folder / "alarms.jsonl")[-1]
        assert "no more: its view was taken back" in told.text
        assert f"If nobody of {SKOPJE} ended it" in told.text
        assert "guest remove" not in told.text
        await agent.round()
        assert ("key-changed-mine", CRITICAL) in kinds(agent), "its device is let look"


def said(agent: Agent, kind: str) -> list[Alarm]:
    return [one for one in read(agent.folder / "alarms.jsonl") if one.kind == kind]


async def test_fault_18_the_agent_of_a_node_says_once_what_a_manifest_names_and_was_hidden(
    story: Story, tmp_path: Path
) -> None:
    """Nobody of Skopje has typed 'seefen audit': its agent notices, within a day."""
    place, board, _, _ = story
    client = await watcher(place)
    agent = agent_of(client, tmp_path / "agent")
    await agent.round()
    index = await refusal(story)
    spoil(client, "audit", hiding(index), once=False)
    made = {one.of: one for one in await board.audit.manifests.publish()}
    size = place.broker.services.broker.heads.activity.size
    await agent.round()
    assert said(agent, "manifest-mismatch") == [], "once a day"

    agent = agent_of(client, tmp_path / "agent")  # and when it starts
    for _ in range(2):
        await agent.round()
    (alarm,) = said(agent, "manifest-mismatch")
    assert alarm.severity == CRITICAL
    assert f"must have been shown entry {index}, and it was not" in alarm.text
    assert f"telephone {board.officer} of {BOARD}" in alarm.text
    assert alarm.evidence.endswith(f"manifest-mismatch-{made[SKOPJE].entry}.json")
    assert Path(alarm.evidence).exists()
    assert place.broker.services.broker.heads.activity.size == size, "nobody has looked"

    # A day later, and after a restart: it was said. What is hidden next is said, too.
    again = await refusal(story._replace(belgrade=board))
    spoil(client, "audit", hiding(index, again), once=False)
    await board.audit.manifests.publish()
    later = agent_of(client, tmp_path / "agent")
    await later.round()
    await board.audit.manifests.publish()
    begun = later._clock
    later._clock = lambda: begun() + running.COMPARE_SECONDS
    await later.round()
    first, second = said(later, "manifest-mismatch")
    assert first == alarm
    assert f"shown entry {again}, and" in second.text


async def test_fault_18_an_agent_says_that_manifests_stay_away_for_a_week(
    story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever hides an entry for good must hide all manifests that would name it."""
    agent = agent_of(await watcher(story.place), tmp_path / "agent")
    for limit in ("LATE", "OVERDUE"):
        monkeypatch.setattr(lateness, limit, -1)
    await agent.round()
    (late,) = said(agent, "manifest-late")
    assert late.severity == WARNING
    assert f"no manifest of {story.board.officer} of {BOARD} covers entry 0" in late.text


async def test_attack_an_agent_that_is_shown_nothing_any_more_says_that_manifests_are_late(
    tmp_path: Path,
) -> None:
    """Everything is hidden from it since the network auditor was named: no entry says how late."""
    async with site(tmp_path, SKOPJE, BELGRADE, BOARD) as place:
        skopje, client = await channel(place, BELGRADE), await watcher(place)
        before = place.broker.services.broker.heads.activity.size

        def nothing_new(page: AuditPage) -> AuditPage:
            return replace(page, items=tuple(i for i in page.items if i.entry.index < before))

        spoil(client, "audit", nothing_new, once=False)
        await name(place, place.network.of(BOARD))
        await skopje.alerts.send(alert(), CHANNEL)
        await (await place.client(BOARD)).audit.manifests.publish()
        agent = agent_of(client, tmp_path / "agent")
        await agent.round()
        assert said(agent, "manifest-late") == []
        with later(client, 8 * running.COMPARE_SECONDS):
            agent = agent_of(client, tmp_path / "agent", later=8 * running.COMPARE_SECONDS)
            await agent.round()
        (late,) = said(agent, "manifest-late")
        assert f"of {BOARD} covers entry 0, over 7 days old" in late.text


async def test_an_agent_that_is_no_auditor_is_shown_no_manifest(
    story: Story, tmp_path: Path
) -> None:
    place, board, _, _ = story
    await place.broker.take(place.network.enrol(SKOPJE, ("keyholder",), agent=True))
    client = await place.client(SKOPJE, nth=1)
    await board.audit.manifests.publish()
    agent = agent_of(client, tmp_path / "agent")
    await agent.round()
    assert not {kind for kind, _ in kinds(agent)} & {"manifest-mismatch", "role"}
    with pytest.raises(UntrustedError) as caught:
        await client.audit.compare()
    assert caught.value.rule == "not-an-auditor"
