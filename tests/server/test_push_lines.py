"""Lines of devices: whom they go to, when they end, and what is left of them."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from structlog.testing import capture_logs

from seefen.protocol.directory import Directory
from seefen.protocol.encoding import decode
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.frames import AuthorityPage, Frame
from seefen.protocol.ledger.tree import check_consistency
from seefen.server.broker import Broker
from seefen.server.feed import Feed
from seefen.server.metrics import COUNTED
from tests.protocol.authority import HOME, new_node
from tests.server.test_push import Line, attach, checkpoint_size
from tests.support import casework
from tests.support.network import Machine, Network
from tests.support.served import Served, served
from tests.support.waiting import until

NODES = ("skopje-border", "belgrade-ffp")


@pytest.fixture
async def it() -> AsyncIterator[Served]:
    async with served(*NODES) as it:
        yield it


def running() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "push"]


async def younger(it: Served) -> Machine:
    """Admit a machine a day later: it runs out a day after all others."""
    it.network.at += 86_400
    await it.send(it.network.of(NODES[1]), it.network.enrol(NODES[1], ("field",)))
    return it.network.of(NODES[1], nth=1)


def ends(it: Served, machine: Machine) -> int:
    return it.network.directory.device(machine.device).expires


async def test_a_broker_that_stops_pushes_no_more(it: Served) -> None:
    assert running() == ["push"]
    await it.broker._push.close()
    assert running() == []


async def test_a_line_ends_with_its_certificate_whoever_else_is_on_line(it: Served) -> None:
    push, older, young = it.broker._push, it.network.of(NODES[1]), await younger(it)
    assert ends(it, older) < ends(it, young)
    first = attach(it, young)
    push.cut()  # from now on it is known when the first of them runs out
    second = attach(it, older)
    it.network.at = ends(it, older) - 1
    push.cut()
    assert (first.ended, second.ended) == (False, False)
    it.network.at += 1
    push.cut()
    assert (first.ended, second.ended) == (False, True)
    it.network.at = ends(it, young) - 1
    push.cut()
    assert not first.ended
    it.network.at += 1
    push.cut()
    assert first.ended
    for machine in (older, young):
        with pytest.raises(UntrustedError) as caught:
            attach(it, machine)
        assert caught.value.rule == "expired", "nor does it come back"


async def test_a_line_ends_with_its_node_whatever_its_own_certificate_says(it: Served) -> None:
    """Also where the node ends first: nobody is told anything of it when that time comes."""
    admin = it.network.admin(HOME)
    envelope = new_node(it.network, admin.sign, expires=it.network.at + 100)
    await it.send(admin, Network.bundle("node", envelope))
    lines = [attach(it, it.network.of(node)) for node in NODES]
    assert NODES[0] == HOME
    for seconds, ended in ((99, False), (1, True)):
        it.broker._push.cut()
        it.network.at += seconds
        it.broker._push.cut()
        assert [line.ended for line in lines] == [ended, False]


async def test_a_clock_that_is_set_back_is_looked_at_anew(it: Served) -> None:
    young = await younger(it)
    line = attach(it, young)
    it.broker._push.cut()
    it.network.at -= 3600  # its certificate begins a minute before it was signed
    it.broker._push.cut()
    assert line.ended


async def test_one_line_that_ends_hides_no_other_that_ends_then_or_later(it: Served) -> None:
    older, young = [it.network.of(node) for node in NODES], await younger(it)
    lines = [attach(it, machine) for machine in (*older, young)]
    for at, ended in ((ends(it, older[0]), [True, True, False]), (ends(it, young), [True] * 3)):
        it.network.at = at
        it.broker._push.cut()
        assert [line.ended for line in lines] == ended


async def test_nobody_is_looked_at_again_while_nothing_can_have_ended(
    it: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice a second, for each of thousands of lines: a broker would do nothing else."""
    machines = [it.network.of(node) for node in NODES]
    looked: list[bytes] = []
    is_active = Directory.is_active

    def note(directory: Directory, device: bytes, **other: Any) -> bool:
        looked.append(device)
        return is_active(directory, device, **other)

    monkeypatch.setattr(Directory, "is_active", note)
    for machine in machines:
        attach(it, machine)
    for _ in range(3):
        it.broker._push.cut()
    assert looked == [machine.device for machine in machines]


async def test_whoever_is_cut_is_cut_once_and_forgotten(it: Served) -> None:
    push, lost = it.broker._push, await younger(it)
    ended: list[str] = []
    for name in ("first", "second"):
        it.broker.attach(lost.device, Line(lost).deliver, partial(ended.append, name))
    other = attach(it, it.network.of(NODES[1]))
    push.told(lost.device, 7)
    push.cut()  # all are in force, and that is known as long as no record of keys comes
    await it.send(it.network.of(NODES[1]), it.network.revoke(lost))
    push.cut()
    assert ended == ["first", "second"]
    assert list(push._lines) == [other.machine.device]
    assert push._on_line_of[NODES[1]] == {other.machine.device: None}
    assert push._told.get(lost.device) is None


async def test_a_line_that_hangs_up_leaves_nothing_and_takes_no_other_along(it: Served) -> None:
    push, reader = it.broker._push, it.network.of(NODES[1])
    push.told(reader.device, 9)
    assert push._told == {}, "nothing is kept of whoever is not on line"
    lines = [Line(reader) for _ in range(2)]
    detach = [it.broker.attach(reader.device, one.deliver, one.revoked) for one in lines]
    push.told(reader.device, 5)
    push.told(reader.device, 3)
    assert push._told == {reader.device: 5}
    detach[0]()
    detach[0]()
    assert push._told == {reader.device: 5}
    assert push._lines[reader.device][0].deliver == lines[1].deliver
    detach[1]()
    detach[1]()
    assert (push._told, dict(push._lines)) == ({}, {})
    assert push._on_line_of[NODES[1]] == {}


async def test_who_comes_anew_is_proved_everything_from_the_beginning(it: Served) -> None:
    """What another line of this device was told, this one may not have kept."""
    author, reader = it.network.of(NODES[0]), it.network.of(NODES[1])
    case = await it.open_case(author, NODES[1])
    line = Line(reader)
    detach = it.broker.attach(reader.device, line.deliver, line.revoked)
    await it.message(author, case)
    await until(lambda: line.pushes)
    assert line.pushes[0].consistency == ()
    detach()
    line = attach(it, reader)
    await it.message(author, case)
    await until(lambda: line.pushes)
    assert line.pushes[0].consistency == ()
    old = it.head(line.pushes[0].checkpoint)
    await it.message(author, case)
    await until(lambda: len(line.pushes) == 2)
    new = it.head(line.pushes[1].checkpoint)
    check_consistency(old.size, old.root, new.size, new.root, line.pushes[1].consistency)


async def test_devices_that_stand_at_different_places_get_each_its_own_proof(it: Served) -> None:
    author, reader, other = it.network.of(NODES[0]), it.network.of(NODES[1]), await younger(it)
    case = await it.open_case(author, NODES[1])
    lines = [attach(it, machine) for machine in (reader, other)]
    sizes = [it.head((await it.feed(reader)).checkpoint)]
    await it.message(author, case)
    await until(lambda: all(line.pushes for line in lines))
    sizes.append(it.head(lines[0].pushes[0].checkpoint))
    it.broker._push._told[other.device] = 1
    await it.message(author, case)
    await until(lambda: all(len(line.pushes) == 2 for line in lines))
    new = it.head(lines[0].pushes[1].checkpoint)
    old = sizes[1]
    check_consistency(old.size, old.root, new.size, new.root, lines[0].pushes[1].consistency)
    assert lines[0].pushes[0].consistency != lines[1].pushes[0].consistency == ()
    assert lines[1].pushes[1].consistency == await it.broker._prover.consistency(
        "activity", 1, new.size
    )


async def test_what_fails_at_one_push_is_an_alarm_and_the_next_one_leaves(
    it: Served, alarms: list[str]
) -> None:
    author, line = it.network.of(NODES[0]), attach(it, it.network.of(NODES[1]))
    case = await it.open_case(author, NODES[1])
    await until(lambda: len(line.pushes) == 2)
    for error, said in (
        (RefusedError("no", rule="busy"), "busy"),
        (KeyError("nobody foresaw this"), "KeyError"),
    ):
        before = len(line.pushes)

        async def breaks(*_: object, error: Exception = error) -> Any:
            raise error

        with pytest.MonkeyPatch.context() as patch, capture_logs() as logs:
            patch.setattr(Feed, "parcels", breaks)
            await it.message(author, case)
            await until(lambda: "push-failed" in alarms)
        assert [one["failed"] for one in logs if one.get("rule") == "push-failed"] == [said]
        alarms.clear()
        await it.message(author, case)
        await until(lambda before=before: len(line.pushes) == before + 1)  # type: ignore[misc]


async def test_a_line_that_breaks_is_named_by_its_error_and_dropped(
    it: Served, alarms: list[str]
) -> None:
    author, reader = it.network.of(NODES[0]), it.network.of(NODES[1])
    case = await it.open_case(author, NODES[1])

    def breaks(_: bytes) -> None:
        raise ConnectionResetError

    it.broker.attach(reader.device, breaks, lambda: None)
    pushed = COUNTED.get_sample_value("seefen_pushed_total") or 0
    with capture_logs() as logs:
        await it.message(author, case)
        await until(lambda: alarms)
    assert [one["failed"] for one in logs if one.get("rule") == "line-broken"] == [
        "ConnectionResetError"
    ]
    assert reader.device not in it.broker._push._lines
    line = attach(it, reader)
    await it.message(author, case)
    await until(lambda: line.pushes)
    assert COUNTED.get_sample_value("seefen_pushed_total") == pushed + 1


async def test_a_frame_that_answers_nothing_has_no_number(it: Served) -> None:
    author, reader = it.network.of(NODES[0]), it.network.of(NODES[1])
    frames: list[Frame] = []
    it.broker.attach(reader.device, lambda f: frames.append(decode(f, Frame)), lambda: None)
    await it.open_case(author, NODES[1])
    await it.admit("tirana-lab")
    await until(lambda: len(frames) == 3)
    assert [(frame.id, frame.verb) for frame in frames] == [
        *((0, "push"), (0, "push"), (0, "authority")),
    ]
    page = decode(frames[2].body, AuthorityPage)
    assert checkpoint_size(page.checkpoint) == it.network.directory.size


async def test_what_another_process_has_written_leaves_one_at_a_time(it: Served) -> None:
    """A line that reads is never behind: it has a turn between two pushes."""
    author, reader = it.network.of(NODES[0]), it.network.of(NODES[1])
    case = await it.open_case(author, NODES[1])
    turn, at = 0, list[int]()

    async def turns() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    other = await Broker.open(it.store, log_key=it.network.log_key, clock=lambda: it.network.at)
    counting = asyncio.create_task(turns())
    try:
        it.broker.attach(reader.device, lambda _: at.append(turn), lambda: None)
        for _ in range(8):
            bundle = casework.message(it.network, author, case)
            it.take(bundle, await other.submit(author.device, bundle, 0))
        await until(lambda: len(at) == 8)
    finally:
        counting.cancel()
        await other.close()
    assert len(set(at)) == 8
