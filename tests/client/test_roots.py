"""The next root statement on a real broker: who may sign it, and what it changes for whom."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from seefen.client import Client
from seefen.client.agent.alarms import CRITICAL, read
from seefen.client.founding import make_witness
from seefen.client.keyfile import write_root_key
from seefen.client.witnessing import Witness, watch
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.suite import SigningKey
from tests.client.agent.test_agent import agent_of
from tests.client.agent.test_process import said
from tests.client.cli.stage import Said
from tests.client.homes import CHEAP, PASSPHRASE, Site, site
from tests.client.scenes import BELGRADE, SKOPJE

THRESHOLD = 2


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    """Give a network of three root keys, of which two must sign, and no witness."""
    async with site(tmp_path, SKOPJE, BELGRADE, roots=THRESHOLD + 1) as place:
        yield place


def cards(folder: Path, count: int = 2) -> list[Path]:
    return [make_witness(folder / f"witness-{number}") for number in range(count)]


async def test_a_threshold_of_root_keys_names_witnesses_and_the_network_asks_for_them(
    place: Site, tmp_path: Path
) -> None:
    skopje, roots = await place.client(SKOPJE), place.network.roots
    made = cards(tmp_path)
    # First named, so that it is seen whether they sign; then asked for.
    proposal = skopje.root.propose(witnesses=made)
    assert (proposal.now.quorum, proposal.then.quorum) == (0, 0)
    named = await skopje.root.change(proposal, roots[:THRESHOLD])
    assert (named.version, len(named.witnesses), named.quorum) == (2, 2, 0)
    assert (await skopje.cases.open("Pistols", [BELGRADE])).number

    await skopje.root.change(skopje.root.propose(quorum=2, max_stale=7200), roots[1:])
    assert (skopje.quorum, skopje.root.show().max_stale) == (2, 7200)
    with pytest.raises(RefusedError) as caught:
        await skopje.cases.open("Rifles", [BELGRADE])
    assert caught.value.rule == "a-unwitnessed"
    belgrade = await place.client(BELGRADE)
    assert belgrade.quorum == 2
    for card in made:
        witness = Witness.open(card.parent, belgrade.logs.root)
        assert await watch(belgrade._engine.connection, witness) == []
        witness.close()
    await skopje.sync()
    assert (await skopje.cases.open("Rifles", [BELGRADE])).number

    # One of them is gone for good. Nobody need see the log for the root to say so.
    gone = skopje.root.show().witnesses[0].rpartition("/")[2]
    with pytest.raises(RefusedError) as caught:
        skopje.root.propose(without=[gone])
    assert caught.value.rule == "witnesses"  # two of one can never sign
    left = await skopje.root.change(skopje.root.propose(without=[gone], quorum=1), roots[:2])
    assert (left.version, len(left.witnesses), left.quorum) == (4, 1, 1)
    assert place.broker.services.broker.directory.root.quorum == 1


async def test_fault_26_a_root_statement_needs_its_keys_enough_of_them_and_the_newest_before(
    place: Site, tmp_path: Path
) -> None:
    skopje, roots = await place.client(SKOPJE), place.network.roots
    proposal = skopje.root.propose(witnesses=cards(tmp_path), quorum=1)
    stranger = SigningKey.generate()
    for keys, rule in (
        ((roots[0], stranger), "root-key"),
        ((roots[0], roots[1], stranger), "root-key"),
        ((roots[0],), "quorum"),
        ((roots[0], roots[0]), "quorum"),
        ((), "quorum"),
    ):
        with pytest.raises((RefusedError, UntrustedError)) as caught:
            await skopje.root.change(proposal, keys)
        assert caught.value.rule == rule
    belgrade = await place.client(BELGRADE)
    await belgrade.root.change(belgrade.root.propose(max_stale=7200), roots[:2])
    with pytest.raises(RefusedError) as stale:
        await skopje.root.change(proposal, roots[:2])
    assert stale.value.rule == "root-changed-since"
    assert place.broker.services.broker.directory.root.version == 2
    with pytest.raises(RefusedError, match="more witnesses than there are"):
        skopje.root.propose(quorum=1)
    with pytest.raises(RefusedError, match="is called '0000'"):
        skopje.root.propose(without=["0000"])
    with pytest.raises(RefusedError, match="says already"):
        skopje.root.propose(max_stale=7200)


async def test_each_agent_says_what_the_root_changed(place: Site, tmp_path: Path) -> None:
    skopje = await place.client(SKOPJE)
    agent = agent_of(skopje, tmp_path / "agent")
    await agent.round()
    agent.own_keys.expect(2**40)  # the node expects its own devices, and no other root
    made = make_witness(tmp_path / "witness")
    await skopje.root.change(
        skopje.root.propose(witnesses=[made], quorum=1), place.network.roots[:2]
    )
    await agent.round()
    alarm = read(agent.folder / "alarms.jsonl")[-1]
    assert (alarm.kind, alarm.severity) == ("root-changed", CRITICAL)
    assert "version 2: 1 of 1 witnesses must sign" in alarm.text
    # The witness that was idle is one from now on.
    assert "authority" in await _witnessed(skopje)
    agent.cosigner.close()


async def _witnessed(client: Client) -> str:
    return await client._engine._ask_witnessed("authority")


async def run(place: Site, *words: object) -> Said:
    return await asyncio.to_thread(said, place.home(place.network.of(SKOPJE)), *map(str, words))


async def test_whoever_signs_sees_first_what_changes(
    place: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEFEN_PASSPHRASE", PASSPHRASE)
    keys: list[object] = []
    for number, key in enumerate(place.network.roots[:2]):
        write_root_key(tmp_path / f"root-{number}.key", key, PASSPHRASE, memory_kib=CHEAP)
        keys += ["--root-key", tmp_path / f"root-{number}.key"]
    one, two = cards(tmp_path)
    assert "version 1; 2 of 3 root keys sign" in (await run(place, "root", "show")).out
    words = ("root", "change", "--witness", one, "--witness", two, "--quorum", 2, *keys)
    asked = await run(place, *words)
    assert asked.code == 2  # nobody is there to look at it
    shown = asked.err + asked.out
    assert "version 2 in place of 1" in shown
    assert shown.count("  comes   ") == 2
    assert "0 of 0 must sign, then 2 of 2 must sign" in shown
    assert "Until 2 of these have signed nobody sends but alerts" in shown
    assert place.broker.services.broker.directory.root.version == 1
    done = await run(place, *words, "--yes")
    assert done.code == 0, done
    assert "version 2" in done.out
    fewer = await run(place, "root", "change", "--quorum", 1, *keys, "--yes")
    assert "FEWER THAN NOW" in fewer.err + fewer.out
