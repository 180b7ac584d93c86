"""Keys in pushes: to whom each goes, under which entry, and never without one."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from seefen.protocol.bundle import Bundle
from seefen.protocol.envelope import open_envelope
from seefen.protocol.frames import Push
from seefen.protocol.statements import Object, Release
from seefen.server.announcing import Announcer
from seefen.server.broker import Broker
from seefen.server.errors import UnreachableError
from seefen.server.releases import ReleaseJob
from seefen.server.sequencer import Sequencer
from seefen.server.store import Store
from tests.server.test_push import Line, attach, checkpoint_size, watch
from tests.support import casework
from tests.support.network import Machine
from tests.support.served import Served, served
from tests.support.waiting import until

HOME, AWAY, LAB = "skopje-border", "belgrade-ffp", "tirana-lab"


@pytest.fixture
async def it() -> AsyncIterator[Served]:
    async with served(HOME, AWAY, LAB) as it:
        yield it


@asynccontextmanager
async def beside(it: Served) -> AsyncGenerator[Broker]:
    """Give another process of this broker."""
    other = await Broker.open(it.store, log_key=it.network.log_key, clock=lambda: it.network.at)
    try:
        yield other
    finally:
        await other.close()


async def second(it: Served, node: str) -> Machine:
    await it.send(it.network.of(node), it.network.enrol(node, ("field",)))
    return it.network.of(node, nth=1)


def two(it: Served, by: Machine, case: bytes) -> Bundle:
    """Return a bundle with two objects."""
    parts: list[Bundle] = []
    for _ in range(2):
        parts.append(casework.message(it.network, by, case))
        casework.count(it.network, by, parts[-1])
    statements = tuple(part.statements[0] for part in parts)
    return Bundle(statements, (), tuple(part.contents[0] for part in parts))


def released(push: Push) -> Release:
    statement = open_envelope(push.envelope, "release").statement
    assert isinstance(statement, Release)
    return statement


async def pushed(*lines: Line, count: int = 1) -> list[Push]:
    await until(lambda: all(len(line.pushes) >= count for line in lines))
    return [line.pushes[-1] for line in lines]


async def test_attack_the_key_goes_to_who_is_on_watch_and_not_to_who_sits_beside_him(
    it: Served,
) -> None:
    """Both stand at the same place and get the same item: what differs is the key."""
    author, on_watch, beside_him = it.network.of(HOME), it.network.of(AWAY), await second(it, AWAY)
    case = await it.open_case(author, AWAY, form="channel")
    under = await watch(it, on_watch, case)
    # In both orders: whoever is served first, the other gets no copy of his frame.
    for machines in ((on_watch, beside_him), (beside_him, on_watch)):
        lines: dict[bytes, Line] = {}
        ends: list[Any] = []
        for machine in machines:
            line = lines[machine.device] = Line(machine)
            ends.append(it.broker.attach(machine.device, line.deliver, line.revoked))
        bundle = casework.message(it.network, author, case)
        await it.send(author, bundle)
        first, other = await pushed(lines[on_watch.device], lines[beside_him.device])
        assert first.item == other.item
        assert first.key == bundle.contents[0].key
        assert (other.key, other.release, other.envelope) == (b"", None, b"")
        assert (released(first).devices, released(first).under) == ((on_watch.device,), (under,))
        for end in ends:
            end()


async def test_each_of_several_objects_comes_with_its_own_key(it: Served) -> None:
    """Committed together, and by two authors: no key stands beside another object."""
    home, away, lab = (it.network.of(node) for node in (HOME, AWAY, LAB))
    case = await it.open_case(home, AWAY, LAB, form="channel")
    for machine in (home, away):
        await watch(it, machine, case)
    lines = [attach(it, machine) for machine in (home, away, lab)]
    bundles = [casework.message(it.network, machine, case) for machine in (home, away, lab)]
    size = (await it.sizes())[1]
    devices = (home.device, away.device, lab.device)
    await asyncio.gather(
        *(it.broker.submit(d, b, 0) for d, b in zip(devices, bundles, strict=True))
    )
    await until(lambda: all(len(line.pushes) == 2 for line in lines))
    keys = {b.contents[0].object: b.contents[0].key for b in bundles}
    objects = [b.contents[0].object for b in bundles]
    for line, own in zip(lines, objects, strict=True):
        assert {open_object(push) for push in line.pushes} == {*objects} - {own}
    for line in lines[:2]:
        for push in line.pushes:
            assert push.key == keys[open_object(push)]
            assert released(push).object == open_object(push)
            assert push.release is not None
            it.check(push.release, push.checkpoint)
    assert not any(push.key for push in lines[2].pushes)
    # Three objects; to each node on watch one release of each that is not its own.
    assert (await it.sizes())[1] == size + 3 + 4


def open_object(push: Push) -> bytes:
    statement = open_envelope(push.item.envelope, "object").statement
    assert isinstance(statement, Object)
    return statement.object


async def test_who_writes_is_released_nothing_of_his_own(it: Served) -> None:
    author, colleague = it.network.of(HOME), await second(it, HOME)
    case = await it.open_case(author, AWAY, form="channel")
    for machine in (author, colleague):
        await watch(it, machine, case)
    lines = [attach(it, machine) for machine in (author, colleague)]
    size = (await it.sizes())[1]
    await it.message(author, case)
    (push,) = await pushed(lines[1])
    assert released(push).devices == (colleague.device,)
    assert lines[0].frames == []
    assert (await it.sizes())[1] == size + 2


async def test_who_has_the_key_by_his_device_alone_is_released_it_with_the_object(
    it: Served, alarms: list[str]
) -> None:
    """A holder of the mailbox was lost: the key of the channel names the others one by one."""
    author, reader = it.network.of(HOME), it.network.of(AWAY)
    lost = await second(it, AWAY)
    case = await it.open_case(author, AWAY, form="channel")
    await it.send(reader, it.network.revoke(lost))
    await it.send(author, casework.renew_key(it.network, author, case, "revoked"))
    statement = it.network.cases[case].generation.statement
    assert [wrap.device for wrap in statement.devices] == [reader.device]
    await watch(it, reader, case)
    line = attach(it, reader)
    before = (await it.sizes())[1]
    recorded = await it.send(author, casework.message(it.network, author, case))
    assert checkpoint_size(recorded.checkpoint) == before + 2, "one commit"
    (push,) = await pushed(line)
    assert push.key
    assert alarms == []


async def test_of_a_bundle_with_two_objects_both_are_released_with_it(it: Served) -> None:
    author, reader = it.network.of(HOME), it.network.of(AWAY)
    case = await it.open_case(author, AWAY, form="channel")
    await watch(it, reader, case)
    line = attach(it, reader)
    bundle = two(it, author, case)
    before = (await it.sizes())[1]
    recorded = await it.broker.submit(author.device, bundle, 0)
    assert checkpoint_size(recorded.checkpoint) == before + 4, "one commit"
    await pushed(line, count=2)
    assert [push.key for push in line.pushes] == [content.key for content in bundle.contents]


async def test_without_a_line_nothing_is_released_ahead(it: Served) -> None:
    author, reader = it.network.of(HOME), it.network.of(AWAY)
    case = await it.open_case(author, AWAY, form="channel")
    await watch(it, reader, case)
    size = (await it.sizes())[1]
    await it.message(author, case)
    attach(it, it.network.of(LAB))  # of no member
    await it.message(author, case)
    assert (await it.sizes())[1] == size + 2


async def test_what_another_process_has_written_comes_whole_and_with_its_key(it: Served) -> None:
    """With the wraps and the body out of the database, and released by who holds the line."""
    author, reader, plain = it.network.of(HOME), it.network.of(AWAY), it.network.of(LAB)
    case = await it.open_case(author, AWAY, LAB, form="channel")
    under = await watch(it, reader, case)
    lines = [attach(it, machine) for machine in (reader, plain, author)]
    async with beside(it) as other:
        size = (await it.sizes())[1]
        renewed = casework.renew_key(it.network, author, case)
        it.take(renewed, await other.submit(author.device, renewed, 0))
        bundle = casework.message(it.network, author, case)
        it.take(bundle, await other.submit(author.device, bundle, 0))
        assert (await it.sizes())[1] == size + 2, "it has no line to release anything to"
        pushes = await pushed(*lines[:2], count=2)
        for line in lines[:2]:
            assert [push.item.kind for push in line.pushes] == ["casekey", "object"]
            assert len(line.pushes[0].item.wraps) == 1
            assert line.pushes[1].item.body == bundle.contents[0].body
        assert [push.key for push in pushes] == [bundle.contents[0].key, b""]
        assert (released(pushes[0]).devices, released(pushes[0]).under) == (
            (reader.device,), (under,)
        )  # fmt: skip
        assert (await it.sizes())[1] == size + 3
        assert lines[2].frames == []


async def test_releases_that_come_late_are_one_commit(it: Served) -> None:
    author = it.network.of(HOME)
    readers = [it.network.of(AWAY), it.network.of(LAB)]
    case = await it.open_case(author, AWAY, LAB, form="channel")
    for reader in readers:
        await watch(it, reader, case)
    lines = [attach(it, reader) for reader in readers]
    async with beside(it) as other:
        bundle = two(it, author, case)
        await other.submit(author.device, bundle, 0)
        await pushed(*lines, count=2)
    keys = [content.key for content in bundle.contents]
    assert [[push.key for push in line.pushes] for line in lines] == [keys, keys]
    pushes = [push for line in lines for push in line.pushes]
    assert len({push.checkpoint for push in pushes}) == 1
    assert {released(push).node for push in pushes} == {AWAY, LAB}


async def test_who_comes_on_line_while_a_push_is_prepared_is_released_it_then(it: Served) -> None:
    """Beside one who was released it with the object: each is named once."""
    author, early, late = it.network.of(HOME), it.network.of(AWAY), await second(it, AWAY)
    case = await it.open_case(author, AWAY, form="channel")
    for machine in (early, late):
        await watch(it, machine, case)
    lines = [attach(it, early)]
    size = (await it.sizes())[1]
    others_on_line = it.broker._push._others_on_line

    async def meanwhile(row: Any) -> bool:
        if len(lines) == 1:
            lines.append(attach(it, late))
        return await others_on_line(row)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(it.broker._push, "_others_on_line", meanwhile)
        bundle = casework.message(it.network, author, case)
        await it.send(author, bundle)
        await until(lambda: len(lines) == 2)
        pushes = await pushed(*lines)
    assert [push.key for push in pushes] == [bundle.contents[0].key] * 2
    assert [released(push).devices for push in pushes] == [(early.device,), (late.device,)]
    assert (await it.sizes())[1] == size + 3


@pytest.mark.parametrize("error", [UnreachableError("away", rule="database"), KeyError("what")])
async def test_attack_31_without_a_release_no_key_leaves(
    it: Served, error: Exception, alarms: list[str]
) -> None:
    author, reader = it.network.of(HOME), it.network.of(AWAY)
    case = await it.open_case(author, AWAY, form="channel")
    await watch(it, reader, case)
    line = attach(it, reader)
    write = Sequencer.write

    async def fails(self: Sequencer, job: Any) -> Any:
        if isinstance(job, ReleaseJob):
            raise error
        return await write(self, job)

    async with beside(it) as other:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Sequencer, "write", fails)
            bundle = casework.message(it.network, author, case)
            it.take(bundle, await other.submit(author.device, bundle, 0))
            if isinstance(error, KeyError):
                with capture_logs() as logs:
                    await until(lambda: "push-failed" in alarms)
                assert [one["failed"] for one in logs if "failed" in one] == ["KeyError"]
                assert line.frames == [], "what nobody foresaw pushes nothing"
                return
            (push,) = await pushed(line)
    assert (push.key, push.release, push.envelope) == (b"", None, b"")
    assert alarms == []


async def test_a_late_release_that_is_refused_costs_no_other_node_its_own(it: Served) -> None:
    author = it.network.of(HOME)
    readers = [it.network.of(AWAY), it.network.of(LAB)]
    case = await it.open_case(author, AWAY, LAB, form="channel")
    for reader in readers:
        await watch(it, reader, case)
    lines = [attach(it, reader) for reader in readers]
    write = Sequencer.write

    async def fails(self: Sequencer, job: Any) -> Any:
        if isinstance(job, ReleaseJob) and job._node == AWAY:
            raise UnreachableError("away", rule="database")
        return await write(self, job)

    async with beside(it) as other:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Sequencer, "write", fails)
            bundle = casework.message(it.network, author, case)
            it.take(bundle, await other.submit(author.device, bundle, 0))
            pushes = await pushed(*lines)
    assert [push.key for push in pushes] == [b"", bundle.contents[0].key]


async def test_nothing_is_pushed_before_the_mark_covers_it(it: Served) -> None:
    """The proof of a push is under the newest head, and that may not be told of yet."""
    author, line = it.network.of(HOME), attach(it, it.network.of(AWAY))
    case = await it.open_case(author, AWAY)
    await pushed(line, count=2)
    gate = asyncio.Event()

    async def told(_: Announcer) -> None:
        await gate.wait()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Announcer, "told", told)
        await it.message(author, case)
        await asyncio.sleep(0.1)
        assert len(line.pushes) == 2
        gate.set()
        await pushed(line, count=3)


async def test_what_this_process_wrote_is_not_read_again(
    it: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body is in memory once for all who are on line, and no wrap is fetched."""
    author, line = it.network.of(HOME), attach(it, it.network.of(AWAY))
    read: list[str] = []
    for verb in ("bodies", "wraps"):
        real = getattr(Store, verb)

        async def note(self: Store, ids: Any, *, real: Any = real, verb: str = verb) -> Any:
            read.append(verb)
            return await real(self, ids)

        monkeypatch.setattr(Store, verb, note)
    case = await it.open_case(author, AWAY)
    await it.message(author, case)
    await pushed(line, count=3)
    assert [push.item.kind for push in line.pushes] == ["case", "casekey", "object"]
    assert line.pushes[1].item.wraps
    assert line.pushes[2].item.body
    assert read == []


async def test_what_goes_to_nobody_on_line_is_not_looked_at_again(
    it: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    author, reader = it.network.of(HOME), it.network.of(AWAY)
    case = await it.open_case(author, AWAY)
    obj = await it.message(author, case)
    seen: list[list[str]] = []
    real = it.broker._feed.parcels

    async def parcels(rows: Any, directory: Any) -> Any:
        seen.append([row.kind for row in rows])
        return await real(rows, directory)

    monkeypatch.setattr(it.broker._feed, "parcels", parcels)
    lines = [attach(it, machine) for machine in (author, it.network.of(LAB))]
    await it.message(author, case)  # only its author is on line
    await it.ask(reader, casework.access(it.network, reader, case, obj))
    await it.message(reader, case)
    await pushed(lines[0])
    assert [kinds for kinds in seen if kinds] == [["object"]]
    assert lines[1].frames == []
