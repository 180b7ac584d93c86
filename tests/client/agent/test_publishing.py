"""The agent of a network auditor publishes each day; each agent says who is let look."""

from pathlib import Path

import pytest

from seefen.client.agent.alarms import CRITICAL, NOTICE, read
from seefen.client.audit import manifests
from tests.client.agent.test_agent import agent_of, kinds
from tests.client.homes import site
from tests.client.scenes import BELGRADE, SKOPJE, honest, spoil
from tests.client.test_audit_manifests import hiding
from tests.support.network import Network


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
