"""Two and five broker processes on one database, killed, paused and told the same thing twice."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from pathlib import Path

import pytest

from seefen.protocol.bundle import Bundle, encode_bundle
from seefen.protocol.frames import Recorded, Send
from seefen.server.web.sockets import REVOKED
from tests.support import casework
from tests.support.brokerpoints import POINTS
from tests.support.brokers import NODES, Brokers, brokers
from tests.support.devices import RefusedByBrokerError, Socket, WebDevice
from tests.support.faultbook import long, note, times
from tests.support.heard import Heard
from tests.support.herd import Herd, Member, Reader, grazing, members_of
from tests.support.network import Machine
from tests.support.waiting import until

SEED = int(os.environ.get("SEEFEN_FAULT_SEED", "28"))
HELD = "no gap, no duplicate, one order; I1 I2 I3 I4 I7"
PAUSED_SECONDS = 7.0  # longer than the database lets a transaction stand still
pytestmark = pytest.mark.timeout(1800)


def herd_on(it: Brokers) -> Herd:
    return Herd(it.network, it.case, [one.url for one in it.all], it.ca)


@pytest.mark.parametrize("count", [2, pytest.param(5, marks=long)])
async def test_fault_28_broker_processes_on_one_database(count: int) -> None:
    dice = random.Random(SEED)
    print(f"seed {SEED}")  # noqa: T201
    names = [point.name for point in POINTS if point.path in ("write", "access", "neighbour")]
    kills = times(2)
    async with brokers(count) as it:
        herd = herd_on(it)
        for one in it.all:
            await one.start()
        # Bodies lie in the folder of one broker: where several run, they share that folder.
        members = members_of(herd, it.writers, it.readers)[1:]
        async with grazing(herd, members):
            for _ in range(kills):
                victim = dice.choice(it.all)
                await victim.kill()
                await victim.begin(dice.choice(names), dice.randint(1, 3))
                await herd.progress("write", 5)
                # The point may need a neighbour's write: if none comes, it dies anyway.
                await _wait_or_kill(victim)
                await victim.start()
            for kind in ("write", "read", "watch", "release"):
                await herd.progress(kind, 3)
        await herd.heard.check(it.dsn)
    note("broker", f"{count} broker processes on one database, one of them killed",
         count=kills, held=HELD, seed=f"{SEED}")  # fmt: skip


async def _wait_or_kill(victim: object) -> None:
    from tests.support.brokers import Doomed

    assert isinstance(victim, Doomed)
    try:
        await victim.end(seconds=3)
    except AssertionError:
        await victim.kill()


@pytest.mark.parametrize(
    "point",
    [
        "access: after LedgerWriting.lock",
        pytest.param("access: after LedgerWriting.write", marks=long),
    ],
)
async def test_fault_29_a_broker_paused_while_it_holds_the_lock(point: str) -> None:
    """The database ends its transaction; the others go on, and so does it when it wakes."""
    async with brokers(2) as it:
        first, second = it.all
        herd = herd_on(it)
        await first.begin(point, 2, signal.SIGSTOP)
        await second.start()
        async with grazing(herd, _apart(it, herd)):
            await until(lambda: _is_stopped(first.pid), seconds=60, what="the pause")
            began = asyncio.get_running_loop().time()
            await herd.progress("write", 3)
            waited = asyncio.get_running_loop().time() - began
            assert waited < 3 * PAUSED_SECONDS
            await asyncio.sleep(max(0.0, PAUSED_SECONDS - waited))
            first.send(signal.SIGCONT)
            await herd.progress("write", 3)
            async with WebDevice(first.url, it.ca, it.network.of(NODES[0])) as web:
                await web.login()
                assert (await (await web.socket()).ask_raw("ping", b"")).startswith(b"seefen")
        await herd.heard.check(it.dsn)
    note("broker", f"paused {PAUSED_SECONDS:.0f} s with the head row locked", count=1, held=HELD)


async def test_fault_30_a_transaction_that_stays_open_lets_nobody_miss_an_entry() -> None:
    """Readers page on by index while a neighbour's commit hangs with its rows written."""
    rounds = times(2)
    async with brokers(2) as it:
        first, second = it.all
        herd = herd_on(it)
        await second.start()
        await first.start()
        async with grazing(herd, _apart(it, herd)):
            for nth in range(rounds):
                await first.kill()
                await first.begin("access: after LedgerWriting.write", 1 + nth % 3, signal.SIGSTOP)
                await until(lambda: _is_stopped(first.pid), seconds=60, what="the pause")
                await asyncio.sleep(1.0)  # shorter than the time limit: it commits after all
                first.send(signal.SIGCONT)
                await herd.progress("write", 3)
                await herd.progress("watch", 3)
        await herd.heard.check(it.dsn)
        watcher = it.readers[0].device
        fed = herd.heard.fed[watcher]
        assert fed == sorted(fed)
        async with WebDevice(second.url, it.ca, it.readers[0]) as web:
            await web.login()
            assert await _whole_feed(await web.socket()) >= set(fed)
    note("broker", "a commit that hangs while others read on", count=rounds, held=HELD)


async def _whole_feed(socket: Socket) -> set[int]:
    from seefen.protocol.frames import FeedFrom, Page

    found, ask, size = set[int](), FeedFrom(0, 1000, 0), -1
    while size != ask.cursor or ask.within:
        size = ask.cursor
        page = await socket.ask("feed", ask, Page)
        found |= {item.entry.index for item in page.items}
        ask = FeedFrom(page.upto, 1000, 0, page.within)
    return found


def _apart(it: Brokers, herd: Herd) -> list[Member]:
    """Return members of which the readers use the first broker, all others the second."""
    members = members_of(herd, it.writers, it.readers)[1:]
    for member in members:
        member.stay_on(it.all[0 if type(member) is Reader else 1].url)
    return members


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] == "T"


async def test_attack_27_a_line_at_another_process_is_cut_after_a_revocation() -> None:
    """Nobody writes at that process: it sees by itself what the other one has recorded."""
    async with brokers(2, writers=1, readers=2) as it:
        await asyncio.gather(*(one.start() for one in it.all))
        lost, admin = it.readers[1], it.network.admin(NODES[1])
        async with WebDevice(it.all[1].url, it.ca, lost) as there, \
                WebDevice(it.all[1].url, it.ca, it.writers[0]) as beside, \
                WebDevice(it.all[0].url, it.ca, admin) as here:  # fmt: skip
            line, other, own = [await (await web.login()).socket() for web in (there, beside, here)]
            await line.ask_raw("ping", b"")
            revoked = Send(encode_bundle(it.network.revoke(lost)), 0)
            await own.ask("send", revoked, Recorded)
            async with asyncio.timeout(5):  # half a second, on a machine that does other work
                assert await line.closed() == REVOKED
            await other.ask_raw("ping", b"")
    note("broker", "a device revoked at another process than its line", count=1,
         held="the line is cut by itself")  # fmt: skip


async def test_duplicates_and_disorder_end_as_one_entry_each() -> None:
    """Every bundle arrives three times, on two brokers, in any order."""
    dice = random.Random(SEED)
    print(f"seed {SEED}")  # noqa: T201
    count = times(10)
    async with brokers(2) as it:
        for one in it.all:
            await one.start()
        heard = Heard("seefen", it.network.log_key)
        await asyncio.gather(*(_repeat(it, heard, m, count, dice) for m in it.writers))
        await heard.check(it.dsn)
        places = {(r.device, r.envelope): r.index for r in heard.receipts}
        assert len(places) == count * len(it.writers)
        assert len({(r.envelope, r.index) for r in heard.receipts}) == len(places)
    held = "one entry and one receipt each; I2 I7"
    fault = "each bundle three times, reordered, on two brokers"
    note("broker", fault, count=3 * count * 4, held=held, seed=f"{SEED}")


async def _repeat(
    it: Brokers, heard: Heard, machine: Machine, count: int, dice: random.Random
) -> None:
    bundles: list[Bundle] = []
    for _ in range(count):
        bundles.append(casework.message(it.network, machine, it.case))
        casework.count(it.network, machine, bundles[-1])
    deliveries = [bundle for bundle in bundles for _ in range(3)]
    dice.shuffle(deliveries)
    async with WebDevice(it.all[0].url, it.ca, machine) as one, \
            WebDevice(it.all[1].url, it.ca, machine) as two:  # fmt: skip
        sockets = [await (await web.login()).socket() for web in (one, two)]
        while deliveries:
            later: list[Bundle] = []
            for bundle in deliveries:
                socket = dice.choice(sockets)
                try:
                    answer = await socket.ask("send", Send(encode_bundle(bundle), 0), Recorded)
                except RefusedByBrokerError as err:
                    if err.problem.status not in (409, 503):
                        raise
                    later.append(bundle)  # too early: its turn comes
                else:
                    heard.recorded(machine.device, [bundle.statements[0].envelope], answer)
            deliveries = later
