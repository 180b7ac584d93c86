"""Groups: order, atomicity, and what happens when the database or another process interferes."""

import asyncio
from collections.abc import Iterable

import pytest

from seefen.protocol.bundle import Bundle
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import SeefenError
from seefen.protocol.frames import Recorded
from seefen.protocol.ledger.record import Record
from seefen.protocol.ledger.tree import leaf_hash, root_of
from seefen.server.broker import Broker
from seefen.server.errors import UnreachableError
from seefen.server.gate import GateError
from seefen.server.rows import Changes, Heads
from seefen.server.store import Store
from tests.support import casework
from tests.support.network import EVERY_ROLE, Machine
from tests.support.served import Connection, Served, refused, served
from tests.support.waiting import until

WRITERS = 64


async def crowd(it: Served, count: int) -> tuple[list[Machine], bytes]:
    """Admit a node with many machines, and open a channel that all of them write to."""
    machines = [EVERY_ROLE, *[("field", "lead")] * (count - 1)]
    await it.send(None, it.network.admit("skopje-border", machines=machines))
    found = [it.network.of("skopje-border", nth=n) for n in range(count)]
    return found, await it.open_case(found[0], form="channel")


async def check_logs(it: Served) -> None:
    """Check that the whole database is one log, and says what the broker signs."""
    async with it.database() as connection:
        rows = await connection.fetch("SELECT * FROM activity_leaf ORDER BY idx")
        tiles = await connection.fetch("SELECT * FROM log_tile")
    assert [row["idx"] for row in rows] == list(range(len(rows)))
    leaves = [leaf_hash(row["record"]) for row in rows]
    head = it.head(await it.broker.checkpoint("activity"))
    assert (head.size, head.root) == (len(leaves), root_of(leaves))
    sizes = [Record.decode(row["record"]).authority_size for row in rows]
    assert sizes == sorted(sizes)
    for tile in tiles:
        if tile["level"] == 0:
            assert tile["data"] == b"".join(leaves[tile["n"] * 256 : tile["n"] * 256 + 256])
    assert len([t for t in tiles if t["level"] == 0]) == len(leaves) // 256


async def test_64_writers_at_once_make_one_log() -> None:
    async with served() as it:
        machines, case = await crowd(it, WRITERS)
        rounds = 5
        results = await asyncio.gather(*(write_alone(it, m, case, rounds) for m in machines))
        answers = [answer for row in results for answer in row]
        indices = sorted(answer.entries[0].index for answer in answers)
        assert indices == list(range(2, 2 + WRITERS * rounds))
        for answer in answers:
            it.check_receipt(answer)
        await check_logs(it)
        await it.restart()
        await check_logs(it)


async def write_alone(it: Served, machine: Machine, case: bytes, rounds: int) -> list[Recorded]:
    """Write some messages one after the other, without what others write in between."""
    answers: list[Recorded] = []
    for _ in range(rounds):
        bundle = casework.message(it.network, machine, case)
        answers.append(await it.broker.submit(machine.device, bundle, 0))
        casework.count(it.network, machine, bundle)
    return answers


async def test_a_bad_bundle_does_not_stop_its_group() -> None:
    async with served() as it:
        machines, case = await crowd(it, 12)
        bundles = [casework.message(it.network, m, case) for m in machines]
        forged = open_envelope(bundles[5].statements[0].envelope, "object")
        bad = bytearray(forged.envelope)
        bad[-1] ^= 1
        signed = bundles[5].statements[0].__class__("object", bytes(bad), b"")
        bundles[5] = Bundle((signed,), (), bundles[5].contents)
        answers = await asyncio.gather(
            *(it.broker.submit(m.device, b, 0) for m, b in zip(machines, bundles, strict=True)),
            return_exceptions=True,
        )
        failed = [n for n, answer in enumerate(answers) if isinstance(answer, BaseException)]
        assert failed == [5]
        assert getattr(answers[5], "rule", "") == "signature"
        await check_logs(it)


async def test_an_id_that_only_the_database_knows_spoils_its_own_bundle_alone() -> None:
    async with served() as it:
        machines, case = await crowd(it, 8)
        taken = await it.message(machines[0], case)
        await it.restart()  # the broker has forgotten the object
        bundles = [casework.message(it.network, m, case) for m in machines[1:]]
        bundles[3] = casework.with_object_id(it.network, machines[4], case, taken)
        answers = await asyncio.gather(
            *(it.broker.submit(m.device, b, 0) for m, b in zip(machines[1:], bundles, strict=True)),
            return_exceptions=True,
        )
        failed = [n for n, answer in enumerate(answers) if isinstance(answer, BaseException)]
        assert failed == [3]
        assert getattr(answers[3], "rule", "") == "other-bytes"
        await check_logs(it)


async def test_the_same_bundle_twice_at_once_is_one_entry() -> None:
    async with served() as it:
        (machine,), case = await crowd(it, 1)
        bundle = casework.message(it.network, machine, case)
        answers = await asyncio.gather(
            *(it.broker.submit(machine.device, bundle, 0) for _ in range(6))
        )
        assert {answer.entries[0].index for answer in answers} == {2}
        assert len({answer.entries[0].record for answer in answers}) == 1
        assert (await it.sizes())[1] == 3


async def test_statements_that_follow_each_other_may_wait_together() -> None:
    async with served() as it:
        (machine,), case = await crowd(it, 1)
        bundles: list[Bundle] = []
        for _ in range(10):
            bundles.append(casework.message(it.network, machine, case))
            casework.count(it.network, machine, bundles[-1])
        answers = await asyncio.gather(
            *(it.broker.submit(machine.device, bundle, 0) for bundle in bundles)
        )
        assert [answer.entries[0].index for answer in answers] == list(range(2, 12))
        await check_logs(it)


async def test_of_two_who_change_a_case_one_wins_and_the_other_is_told() -> None:
    async with served("tirana-lab", "zagreb-fp") as it:
        (first, second), _ = await crowd(it, 2)
        await it.send(first, it.network.renew("skopje-border", "alert"))
        case = await it.open_case(first, form="channel", serial=2)
        one = casework.change_members(it.network, first, case, add=("tirana-lab",))
        other = casework.change_members(it.network, second, case, add=("zagreb-fp",))
        answers = await asyncio.gather(
            it.broker.submit(first.device, one, 0),
            it.broker.submit(second.device, other, 0),
            return_exceptions=True,
        )
        assert not isinstance(answers[0], BaseException)
        assert getattr(answers[1], "rule", "") == "not-next"
        await check_logs(it)


@pytest.mark.parametrize("moment", ["before", "while waiting"])
async def test_a_database_that_goes_away_is_asked_again(moment: str) -> None:
    async with served() as it:
        (machine,), case = await crowd(it, 1)
        bundle = casework.message(it.network, machine, case)
        async with it.database() as connection:
            if moment == "before":
                await _end_backends(connection)
                answers: list[Recorded | BaseException] = []
            else:
                await connection.execute("BEGIN")
                await connection.execute("SELECT * FROM ledger_head FOR UPDATE")
                task = asyncio.create_task(it.broker.submit(machine.device, bundle, 0))
                await _until_somebody_waits(connection)
                await _end_backends(connection)
                await connection.execute("ROLLBACK")
                answers = list(await asyncio.gather(task, return_exceptions=True))
        for answer in answers:
            assert isinstance(answer, UnreachableError)
        recorded = await _submit_until_recorded(it.broker, machine.device, bundle)
        assert recorded.entries[0].index == 2
        await check_logs(it)


async def test_keys_come_closed_with_a_commit_and_not_at_all_without_one() -> None:
    async with served() as it:
        (machine,), case = await crowd(it, 1)
        before = it.broker.heads
        object_ = await it.message(machine, case)
        heads = it.broker.heads
        assert await it.store.swap(Changes(), before, heads, [object_]) is None
        keys = await it.store.swap(Changes(), heads, heads, [object_, bytes(16)])
        assert keys is not None
        assert keys.keys() == {object_}
        with pytest.raises(GateError):
            keys[object_].reveal(None, device=machine.device)


async def test_an_unknown_commit_is_found_out_by_asking_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The answer to COMMIT is lost: the entry stands, and the same bundle is told where."""
    async with served() as it:
        (machine,), case = await crowd(it, 1)
        bundle = casework.message(it.network, machine, case)
        swap = it.store.swap

        async def lost(
            changes: Changes, before: Heads, after: Heads, wanted: Iterable[bytes]
        ) -> None:
            assert await swap(changes, before, after, wanted) == {}
            raise UnreachableError("the answer was lost", rule="database")

        monkeypatch.setattr(it.store, "swap", lost)
        with pytest.raises(UnreachableError):
            await it.broker.submit(machine.device, bundle, 0)
        monkeypatch.undo()
        again = await it.broker.submit(machine.device, bundle, 0)
        assert again.entries[0].index == 2
        it.check_receipt(again)
        casework.count(it.network, machine, bundle)
        await it.message(machine, case)
        await check_logs(it)


async def test_a_head_row_that_stays_locked_is_given_up_after_two_seconds() -> None:
    async with served() as it:
        (machine,), case = await crowd(it, 1)
        bundle = casework.message(it.network, machine, case)
        async with it.database() as connection:
            await connection.execute("BEGIN")
            await connection.execute("SELECT * FROM ledger_head FOR UPDATE")
            began = asyncio.get_running_loop().time()
            await refused("database", it.broker.submit(machine.device, bundle, 0))
            assert 1.5 < asyncio.get_running_loop().time() - began < 4
            await connection.execute("ROLLBACK")
        await it.send(machine, bundle)


async def test_two_processes_take_turns_on_one_log() -> None:
    async with served() as it, Store.open(it.dsn) as store:
        machines, case = await crowd(it, 16)
        other = await Broker.open(store, log_key=it.network.log_key, clock=lambda: it.network.at)
        try:
            answers = await asyncio.gather(
                *(_write_at(it, [it.broker, other][n % 2], m, case) for n, m in enumerate(machines))
            )
            indices = sorted(i for answer in answers for i in answer)
            assert indices == list(range(2, 2 + 16 * 5))
            await check_logs(it)
            await it.send(machines[0], it.network.revoke(machines[1]))
            await until(lambda: other.directory.revoked(machines[1].device))
        finally:
            await other.close()


async def _write_at(it: Served, broker: Broker, machine: Machine, case: bytes) -> list[int]:
    indices: list[int] = []
    for _ in range(5):
        bundle = casework.message(it.network, machine, case)
        recorded = await _submit_until_recorded(broker, machine.device, bundle)
        casework.count(it.network, machine, bundle)
        indices.append(recorded.entries[0].index)
    return indices


async def _submit_until_recorded(broker: Broker, device: bytes, bundle: Bundle) -> Recorded:
    for _ in range(20):
        try:
            return await broker.submit(device, bundle, 0)
        except UnreachableError:
            await asyncio.sleep(0.05)
    raise AssertionError("never recorded")


async def _end_backends(connection: Connection) -> None:
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )


async def _until_somebody_waits(connection: Connection) -> None:
    await until(lambda: connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))


async def test_proofs_reach_over_many_tiles() -> None:
    async with served() as it:
        machines, case = await crowd(it, 20)
        await asyncio.gather(*(write_alone(it, m, case, 30) for m in machines))
        await check_logs(it)
        await it.restart()
        last = await it.message(machines[0], case)
        page = await it.feed(machines[0], limit=1000)
        assert page.upto == 20 * 30 + 3
        assert len(page.items) == page.upto
        assert page.items[-1].entry.index == page.upto - 1
        assert last


async def test_closing_tells_who_waits_to_ask_again() -> None:
    async with served() as it:
        (machine,), case = await crowd(it, 1)
        bundle = casework.message(it.network, machine, case)
        async with it.database() as connection:
            await connection.execute("BEGIN")
            await connection.execute("SELECT * FROM ledger_head FOR UPDATE")
            task = asyncio.create_task(it.broker.submit(machine.device, bundle, 0))
            await _until_somebody_waits(connection)
            await it.broker.close()
            with pytest.raises(SeefenError) as caught:
                await task
            assert caught.value.status == 503
            await connection.execute("ROLLBACK")
        await it.start()
        await it.send(machine, bundle)
