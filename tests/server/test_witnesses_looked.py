"""Who looks whether there is a quorum: from the start on, whatever happens, until the end."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from structlog.testing import capture_logs

from seefen.protocol.errors import UntrustedError
from seefen.protocol.frames import Cosigned, ToCosign
from seefen.protocol.ledger.note import decode_checkpoint, parse_note
from seefen.protocol.ledger.tree import check_consistency
from seefen.server import witnesses
from seefen.server.errors import UnreachableError
from seefen.server.metrics import COUNTED
from seefen.server.store.cosignatures import CosignatureRows
from seefen.server.witnesses import ALARM_SECONDS, CLOCK_SLACK, Witnesses
from tests.protocol.authority import new_root
from tests.server.test_witnesses import KEYS, NODES, grow, lines, network, shown, sign
from tests.support.network import Network
from tests.support.served import Served, served
from tests.support.waiting import until


@pytest.fixture
async def it(alarms: list[str]) -> AsyncGenerator[Served, None]:
    async with served(*NODES, network=network(), unwitnessed=3600) as everything:
        yield everything


async def ready(it: Served) -> None:
    """Let the quorum sign both logs."""
    for log in witnesses.LOGS:
        await sign(it, *KEYS[:2], log=log)


def unstarted(it: Served, closes_after: int) -> Witnesses:
    """Return what a process has that begins now, before it looks."""
    broker = it.broker
    return Witnesses(
        it.store.cosignatures,
        broker._prover,
        broker._sequencer,
        broker._newest,
        lambda: it.network.at,
        closes_after=closes_after,
    )


def seconds() -> float | None:
    return COUNTED.get_sample_value("seefen_witnessed_seconds")


def running() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "witnesses"]


async def test_a_broker_looks_by_itself_until_it_stops(
    it: Served, alarms: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert running() == ["witnesses"]
    monkeypatch.setattr(witnesses, "LOOK_SECONDS", 0.01)
    await it.restart()
    assert running() == ["witnesses"]
    await it.broker.witnesses.look()
    it.network.at += ALARM_SECONDS + 1
    await until(lambda: "no-quorum" in alarms)
    await it.broker.witnesses.close()
    assert running() == []
    await it.broker.witnesses.close()  # twice is harmless
    await unstarted(it, 0).close()


async def test_nobody_has_ever_signed(it: Served, alarms: list[str]) -> None:
    looks = unstarted(it, 3600)
    assert not looks.closed
    await looks.look()
    it.network.at += ALARM_SECONDS
    await looks.look()
    assert alarms == []
    it.network.at += 1
    with capture_logs() as logs:
        await looks.look()
    (found,) = logs
    assert (found["rule"], found["seconds"]) == ("no-quorum", ALARM_SECONDS + 1)
    it.network.at += 3600 - ALARM_SECONDS - 1
    await looks.look()
    assert not looks.closed
    it.network.at += 1
    await looks.look()
    assert looks.closed


async def test_a_process_that_starts_without_a_quorum_says_so_once(
    it: Served, alarms: list[str]
) -> None:
    await ready(it)
    it.network.at += 10_000
    looks = unstarted(it, 0)
    for _ in range(2):
        await looks.look()
        assert alarms == ["no-quorum"]
        assert not looks.closed, "this one never closes"
    assert unstarted(it, 3600).closed is False
    with capture_logs() as logs:
        await ready(it)
        await looks.look()
        await looks.look()
    assert [one["event"] for one in logs] == ["quorum.back"]
    it.network.at += 10_000
    await looks.look()
    assert alarms == ["no-quorum"] * 2


async def test_a_network_that_asks_for_no_quorum_any_more_has_none_to_miss(
    it: Served, alarms: list[str]
) -> None:
    """When a root asks for one again, the time without begins then."""
    looks = unstarted(it, 3600)
    await looks.look()
    it.network.at += 4000
    await looks.look()
    assert (looks.closed, seconds(), alarms) == (True, 4000, ["no-quorum"])
    for needed, closed in ((0, False), (2, False)):
        root = new_root(it.network, *it.network.roots[:1], quorum=needed)
        await it.send(None, Network.bundle("root", root))
        it.network.at += 10
        await looks.look()
        assert (looks.closed, seconds()) == (closed, 0)
    it.network.at += 3601
    await looks.look()
    assert (looks.closed, seconds(), alarms) == (True, 3601, ["no-quorum"] * 2)


async def test_fault_43_a_database_that_is_away_opens_nothing(
    it: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be asked is no quorum: the time without one goes on."""

    async def away(*_: object) -> Any:
        raise UnreachableError("the database is away", rule="database")

    await ready(it)
    monkeypatch.setattr(witnesses, "LOOK_SECONDS", 1)
    looks = unstarted(it, 2)
    await looks.look()
    assert looks._age == 0
    with monkeypatch.context() as patched:
        patched.setattr(CosignatureRows, "rounds", away)
        looks.start()
        await asyncio.sleep(0.5)
        assert (looks._age, looks.closed) == (1, False)
        await until(lambda: looks.closed)
        assert looks._age == 3
    await until(lambda: not looks.closed)
    await looks.close()


async def test_an_error_that_nobody_foresaw_ends_no_looking(
    it: Served, alarms: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*_: object) -> Any:
        raise KeyError("nobody foresaw this")

    monkeypatch.setattr(witnesses, "LOOK_SECONDS", 0.01)
    looks = unstarted(it, 3600)
    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr(CosignatureRows, "rounds", breaks)
        looks.start()
        await until(lambda: alarms.count("look-failed") > 1)
    assert logs[0]["error"] == "KeyError"
    await looks.look()
    it.network.at += ALARM_SECONDS + 1
    await until(lambda: "no-quorum" in alarms)
    await looks.close()


async def test_a_clock_that_is_set_back_makes_nobody_older(it: Served) -> None:
    await ready(it)
    looks = unstarted(it, 3600)
    it.network.at -= 5000
    await looks.look()
    assert looks._age == 0


async def test_one_witness_whose_clock_is_ahead_makes_no_head_fresh(it: Served) -> None:
    device, looks, ahead = it.network.of(NODES[0]).device, unstarted(it, 3600), CLOCK_SLACK
    first, second, third = KEYS
    for key, seconds, age in (
        (first, -500, 0),  # one of two is no quorum, and nobody has looked before
        (second, -100, 500),
        (third, ahead, 100),
        (second, ahead, 0),
    ):
        for log in witnesses.LOGS:
            note = lines(it, await shown(it, log), key, at=it.network.at + seconds)
            await it.broker.witnesses.take(device, note)
        await looks.look()
        assert looks._age == age, "as old as two of them say"


async def test_witnesses_are_shown_how_each_log_grew(it: Served) -> None:
    device = it.network.of(NODES[0]).device
    await grow(it)
    await ready(it)
    before = decode_checkpoint(parse_note(await shown(it)).text)
    keys = it.network.directory.head()
    await grow(it)
    await it.admit("tirana-lab")
    it.network.at += witnesses.ROUND_SECONDS
    for log, size, root in (
        ("activity", before.size, before.root),
        ("authority", keys.size, keys.root),
    ):
        answer = await it.broker.witnesses.to_cosign(device, ToCosign(log, size))
        head = decode_checkpoint(parse_note(answer.checkpoint).text)
        assert head.size > size
        check_consistency(size, root, head.size, head.root, answer.consistency)


@pytest.mark.parametrize("needed", [0, 1])
async def test_where_none_or_one_is_asked_for_one_makes_a_head_witnessed(needed: int) -> None:
    async with served(*NODES, network=network(needed)) as it:
        assert await it.broker.witnesses.newest("activity") == ""
        first = decode_checkpoint(parse_note(await shown(it)).text)
        assert await grow(it) == first, "nobody has signed it yet"
        await sign(it, KEYS[0])
        newest = await it.broker.witnesses.newest("activity")
        assert newest.count("\n— seefen/witness/") == 1
        assert (await grow(it)).size > first.size


async def test_of_a_quiet_log_all_are_shown_the_same_note_for_as_long_as_it_is(it: Served) -> None:
    await grow(it)
    note = await shown(it)
    it.network.at += 3 * witnesses.ROUND_SECONDS
    assert await shown(it) == note


async def test_a_head_without_the_line_of_its_log_is_none(it: Served) -> None:
    device = it.network.of(NODES[0]).device
    text = parse_note(await shown(it)).text
    bare = lines(it, f"{text}\n", KEYS[0], text=text)
    with pytest.raises(UntrustedError):
        await it.broker.witnesses.take(device, bare)
    assert not await it.store.cosignatures.found("activity", 0)


async def test_who_brings_lines_is_told_how_many_there_are(it: Served) -> None:
    device = it.network.of(NODES[0]).device
    for count, key in enumerate(KEYS, start=1):
        answer = await it.broker.witnesses.take(device, lines(it, await shown(it), key))
        assert answer == Cosigned(count, 2)


async def test_nothing_is_shut_while_there_is_a_quorum_and_what_is_not_at_hand_is_then(
    it: Served,
) -> None:
    author = it.network.of(NODES[0])
    case = await it.open_case(author, NODES[1])
    channel = await it.open_case(author, NODES[1], form="channel")
    looks = unstarted(it, 3600)
    await looks.look()
    assert (looks.shut(case), looks.shut(channel)) == (False, False)
    it.network.at += 3601
    await looks.look()
    assert (looks.shut(case), looks.shut(channel)) == (True, False)
    await it.restart()
    looks = unstarted(it, 3600)
    await looks.look()
    it.network.at += 3601
    await looks.look()
    assert looks.shut(channel), "a restart has it no longer at hand"
    await it.message(author, channel)
    assert not looks.shut(channel)
    none = bytes(16)
    assert looks.shut(none)
    assert await it.broker._sequencer.case(none) is None
    assert looks.shut(none), "nor where it is known that there is no such case"
