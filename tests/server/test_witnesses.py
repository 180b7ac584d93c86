"""Witnesses at the broker: one head for all, lines that are checked, and what stops without."""

from collections.abc import AsyncGenerator

import pytest

from seefen.protocol.frames import ToCosign
from seefen.protocol.ledger.note import Checkpoint, cosign, decode_checkpoint, parse_note
from seefen.protocol.ledger.quorum import Witnessed, open_witnessed, quorum_of, witness_name
from seefen.protocol.suite import WitnessKey
from seefen.server import witnesses
from tests.server.test_push import attach, watch
from tests.support import casework
from tests.support.network import Network
from tests.support.served import Served, refused, served
from tests.support.waiting import until
from tests.support.witnesses import public_of, witness_key

KEYS = [witness_key(number) for number in range(3)]
HOURS_4 = 14_400
NODES = ("skopje-border", "belgrade-ffp")


def network(needed: int = 2, *, lattice: bool = False) -> Network:
    publics = tuple(public_of(key, lattice=lattice) for key in KEYS)
    return Network(origin="seefen", witnesses=publics, quorum=needed)


@pytest.fixture
async def it(alarms: list[str]) -> AsyncGenerator[Served, None]:
    async with served(*NODES, network=network(), unwitnessed=HOURS_4) as everything:
        yield everything


def lines(it: Served, note: str, key: WitnessKey, *, at: int = 0, text: str = "") -> str:
    """Return a note with the lines of a witness below, which looks at nothing."""
    root = it.network.root
    public = next(p for p in root.witnesses if p[:32] == key.plain.public)
    name, text = witness_name(root.origin, public), text or parse_note(note).text
    return note + cosign(text, name, key, at or it.network.at, lattice=len(public) > 32)


async def shown(it: Served, log: str = "activity", old: int = 0) -> str:
    device = it.network.of(NODES[0]).device
    return (await it.broker.witnesses.to_cosign(device, ToCosign(log, old))).checkpoint


async def sign(it: Served, *keys: WitnessKey, log: str = "activity") -> None:
    device = it.network.of(NODES[0]).device
    for key in keys:
        await it.broker.witnesses.take(device, lines(it, await shown(it, log), key))


async def witnessed(it: Served, log: str = "activity") -> Witnessed | None:
    root, note = it.network.root, await it.broker.witnesses.newest(log)
    quorum = quorum_of(root.origin, root.witnesses, root.quorum)
    return open_witnessed(note, f"{root.origin}/{log}", root.log_key, quorum) if note else None


async def grow(it: Served) -> Checkpoint:
    """Let the activity log grow, and return the head that witnesses are shown then."""
    author = it.network.of(NODES[0])
    await it.open_case(author, NODES[1], serial=await serial(it))
    return decode_checkpoint(parse_note(await shown(it)).text)


async def serial(it: Served) -> int:
    return (await it.sizes())[1] + 1


async def test_a_head_is_witnessed_when_the_quorum_signed_it(it: Served) -> None:
    assert await witnessed(it) is None
    await sign(it, KEYS[0])
    assert await witnessed(it) is None
    await sign(it, KEYS[1])
    found = await witnessed(it)
    assert found is not None
    assert (found.signed.checkpoint.size, len(found.by), found.time) == (0, 2, it.network.at)
    assert await witnessed(it, "authority") is None


async def test_all_are_shown_the_same_head_while_the_log_grows(it: Served) -> None:
    first = await shown(it)
    before = decode_checkpoint(parse_note(first).text)
    assert await grow(it) == before
    await sign(it, KEYS[2], KEYS[0])
    after = decode_checkpoint(parse_note(await shown(it)).text)
    assert after.size == (await it.sizes())[1] > before.size
    await grow(it)
    it.network.at += witnesses.ROUND_SECONDS  # who is slow stops nobody
    late = lines(it, await shown(it), KEYS[0])
    assert decode_checkpoint(parse_note(late).text).size > after.size


async def test_the_last_rounds_are_kept_and_the_newest_witnessed_head(it: Served) -> None:
    await sign(it, *KEYS[:2])
    for _ in range(witnesses.ROUNDS_KEPT + 2):
        await grow(it)
        it.network.at += witnesses.ROUND_SECONDS
    rounds = await it.store.cosignatures.rounds("activity")
    assert len(rounds) == witnesses.ROUNDS_KEPT + 1
    found = await witnessed(it)
    assert found is not None
    assert found.signed.checkpoint.size == rounds[-1].size == 0
    await shown(it)
    await sign(it, *KEYS[1:])
    assert len(await it.store.cosignatures.rounds("activity")) == 1


async def test_a_quiet_log_is_signed_again_and_an_older_line_makes_nothing_fresh(
    it: Served,
) -> None:
    old = [lines(it, await shown(it), key) for key in KEYS[:2]]
    await sign(it, *KEYS)
    it.network.at += 50
    await sign(it, *KEYS[:2])
    it.network.at += 3000
    device = it.network.of(NODES[1]).device
    for note in old:
        await it.broker.witnesses.take(device, note)
    found = await witnessed(it)
    assert found is not None
    assert (found.time, len(found.by)) == (it.network.at - 3000, 3)


async def test_a_line_that_is_wrong_is_not_kept(it: Served) -> None:
    device, note = it.network.of(NODES[0]).device, await shown(it)
    take = it.broker.witnesses.take
    await refused("no-witness", take(device, note))
    other = Checkpoint("seefen/activity", 0, bytes(32)).text()
    await refused("signature", take(device, lines(it, note, KEYS[0], text=other)))
    await refused("note-signature", take(device, lines(it, lines(it, note, KEYS[0]), KEYS[0])))
    ahead = it.network.at + witnesses.CLOCK_SLACK + 1
    await refused("clock", take(device, lines(it, note, KEYS[0], at=ahead)))
    await refused("note", take(device, "no note"))
    # A head of this log that witnesses were not shown, and one of another log.
    note = await it.broker.checkpoint("authority")  # signed, and not what witnesses were shown
    await refused("other-head", it.broker.witnesses.take(device, lines(it, note, KEYS[0])))
    other = note.replace("seefen/authority", "seefen/another")
    await refused("origin", it.broker.witnesses.take(device, lines(it, other, KEYS[0])))
    assert await witnessed(it) is None
    # Who is out of force asks for nothing.
    network = it.network
    gone = network.of(NODES[1])
    note = lines(it, await shown(it), KEYS[0])
    await it.send(network.of(NODES[0]), network.suspend(NODES[1]))
    await refused("suspended", it.broker.witnesses.take(gone.device, note))
    ask = ToCosign("activity", 0)
    await refused("suspended", it.broker.witnesses.to_cosign(gone.device, ask))


async def test_a_network_without_witnesses_shows_nothing() -> None:
    async with served(NODES[0], unwitnessed=1) as it:
        device, ask = it.network.of(NODES[0]).device, ToCosign("activity", 0)
        await refused("no-witnesses", it.broker.witnesses.to_cosign(device, ask))
        assert await it.broker.witnesses.newest("activity") == ""
        assert await it.broker.witnesses.lines("activity", "") == ""
        await it.broker.witnesses.look()
        it.network.at += 10_000
        await it.broker.witnesses.look()
        assert not it.broker.witnesses.closed


async def test_a_published_checkpoint_carries_what_witnesses_signed_of_this_very_head(
    it: Served,
) -> None:
    async def published() -> str:
        note = await it.broker.checkpoint("activity")
        return note + await it.broker.witnesses.lines("activity", note)

    root = it.network.root
    quorum = quorum_of(root.origin, root.witnesses, root.quorum)
    assert "/witness/" not in await published()
    await sign(it, *KEYS[:2])
    it.network.at += 5  # the log signs again; what the witnesses signed is the text
    found = open_witnessed(await published(), f"{root.origin}/activity", root.log_key, quorum)
    assert len(found.by) == 2
    await grow(it)
    assert "/witness/" not in await published()  # nobody has seen this one


async def test_witnesses_with_both_keys_sign_with_both() -> None:
    async with served(NODES[0], network=network(lattice=True)) as it:
        await sign(it, *KEYS[:2])
        found = await witnessed(it)
        assert found is not None
        assert len(found.by) == 2
        assert (await it.broker.witnesses.newest("activity")).count("\n— seefen/witness/") == 4


async def test_fault_43_without_witnesses_there_is_an_alarm_and_then_no_body_of_a_case(
    it: Served, alarms: list[str]
) -> None:
    network, broker = it.network, it.broker
    reader = network.of(NODES[1])
    case = await it.open_case(network.of(NODES[0]), NODES[1])
    channel = await it.open_case(network.of(NODES[0]), NODES[1], form="channel")
    objects = {c: await it.message(network.of(NODES[0]), c) for c in (case, channel)}
    for log in witnesses.LOGS:
        await sign(it, *KEYS[:2], log=log)
    await broker.witnesses.look()
    network.at += witnesses.ALARM_SECONDS
    await broker.witnesses.look()
    assert "no-quorum" not in alarms
    network.at += 1
    await sign(it, KEYS[0])  # one of two is no quorum
    await broker.witnesses.look()
    await broker.witnesses.look()
    assert alarms.count("no-quorum") == 1
    network.at += HOURS_4 - witnesses.ALARM_SECONDS - 1
    await broker.witnesses.look()
    released = await it.ask(reader, casework.access(network, reader, case, objects[case]))
    assert released.keys
    network.at += 1
    await broker.witnesses.look()
    before = await it.sizes()
    ask = casework.access(network, reader, case, objects[case])
    await refused("unwitnessed", broker.ask(reader.device, ask))
    assert await it.sizes() == before
    alert = casework.access(network, reader, channel, objects[channel])
    assert (await it.ask(reader, alert)).keys  # alerts go on
    for log in witnesses.LOGS:
        await shown(it, log)
        await sign(it, *KEYS[1:], log=log)
    await broker.witnesses.look()
    assert (await it.ask(reader, casework.access(network, reader, case, objects[case]))).keys


async def test_another_process_counts_the_same_and_opens_nothing_that_was_closed(
    it: Served,
) -> None:
    note = await shown(it)
    await sign(it, KEYS[0])
    await it.restart()
    assert await shown(it) == note
    await sign(it, KEYS[1])
    assert await witnessed(it) is not None
    await sign(it, *KEYS[:2], log="authority")
    it.network.at += HOURS_4 + 1
    await it.restart()
    await sign(it, *KEYS, log="activity")  # one log that nobody signs is enough
    await it.broker.witnesses.look()
    assert it.broker.witnesses.closed


async def test_fault_43_what_is_closed_is_not_pushed_to_a_watch_either() -> None:
    async with served(*NODES, network=network(), unwitnessed=1) as it:
        author, reader = it.network.of(NODES[0]), it.network.of(NODES[1])
        case = await it.open_case(author, NODES[1])
        channel = await it.open_case(author, NODES[1], form="channel")
        await watch(it, reader, case, scope="case")
        await watch(it, reader, channel)
        line = attach(it, reader)
        await it.broker.witnesses.look()
        it.network.at += 2
        await it.broker.witnesses.look()
        for one in (case, channel):
            await it.message(author, one)
        await until(lambda: len(line.pushes) == 2)
        assert [bool(push.key) for push in line.pushes] == [False, True]
