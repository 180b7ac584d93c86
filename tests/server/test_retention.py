"""What is over its time is erased: its text, and nothing that is proved; what is on hold stays."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from seefen.protocol.errors import RefusedError
from seefen.protocol.frames import LogFrom
from seefen.protocol.ledger.tree import leaf_hash, root_of
from seefen.protocol.retention import READING_KINDS
from seefen.server import retention
from seefen.server.config import SetupError
from seefen.server.fsck import Fsck
from seefen.server.holding import change_holds
from seefen.server.jobs import Done, Job
from seefen.server.retention import EraseJob
from seefen.server.rows import LeafRow
from tests.support import casework
from tests.support.served import Served, served

OWNER, PARTNER = "skopje-border", "belgrade-ffp"
YEAR = 366 * 86_400


@pytest.fixture
async def it() -> AsyncIterator[Served]:
    """A case that a partner has read, and a search; three years have gone by."""
    async with served(OWNER, PARTNER) as it:
        yield it


async def story(it: Served, serial: int = 1) -> bytes:
    author, reader = it.network.of(OWNER), it.network.of(PARTNER)
    case = await it.open_case(author, PARTNER, serial=serial)
    object_ = await it.message(author, case)
    await it.send(reader, casework.search(it.network, reader))
    await it.ask(reader, casework.access(it.network, reader, case, object_))
    return case


async def run(it: Served, years: int) -> int:
    it.broker.retention.years = years
    return await it.broker.retention.run(sure=True)


async def entry(it: Served) -> None:
    """Let the log go on: an entry that erases nothing."""
    await it.broker._sequencer.write(EraseJob(0, 0, 1, 0))


async def leaves(it: Served) -> list[LeafRow]:
    return await it.store.activity(0, 1000)


def readings(rows: list[LeafRow]) -> list[bool]:
    """Return of each reading whether it has its text."""
    return [bool(row.core) for row in rows if row.kind in READING_KINDS]


async def test_fault_51_erasing_leaves_tree_and_proofs_whole(it: Served) -> None:
    case = await story(it)
    before = await leaves(it)
    secret = [row.envelope[40:72] for row in before if row.kind in READING_KINDS]
    head = it.broker.heads.activity
    it.network.at += 3 * YEAR
    assert await run(it, 1) == 2
    after = await leaves(it)
    assert [row.record for row in after[: len(before)]] == [row.record for row in before]
    assert root_of([leaf_hash(row.record) for row in after[: head.size]]) == head.root
    assert readings(after) == [False, False]
    assert [row.kind for row in after[head.size :]] == ["erased"]
    # What the case stands on is as it was, and the broker comes up with it.
    kept = [(row.kind, row.core) for row in before if row.kind not in READING_KINDS]
    assert [(row.kind, row.core) for row in after if row.kind not in READING_KINDS][:-1] == kept
    state = await it.broker._sequencer.case(case)
    await it.restart()
    assert await it.broker._sequencer.case(case) == state
    looked = await Fsck(it.store).whole()
    assert (looked.problems, looked.erased) == ([], 2)
    items, _ = await it.broker._pages.audit(PARTNER, LogFrom(0, 100, 0), len(after))
    assert [(one.kind, bool(one.entry.core)) for one in items] == [
        ("search", False), ("access", False), ("erased", True),
    ]  # fmt: skip
    # No byte of what was erased is left where it stood, once the table was written anew.
    async with it.database() as connection:
        await connection.execute("VACUUM FULL activity_leaf")
        await connection.execute("CHECKPOINT")
        files = await connection.fetch(
            "SELECT pg_relation_filepath(oid) AS path FROM pg_class WHERE relname = 'activity_leaf'"
            " OR oid = (SELECT reltoastrelid FROM pg_class WHERE relname = 'activity_leaf')"
        )
        heap = [
            await connection.fetchval("SELECT pg_read_binary_file($1)", row["path"])
            for row in files
        ]
    assert before[0].envelope[40:72] in b"".join(heap)
    assert not any(one in data for one in secret for data in heap)
    assert await run(it, 1) == 0
    assert len(await leaves(it)) == len(after)


async def test_fault_52_what_is_on_hold_is_not_erased(it: Served) -> None:
    case, _ = await story(it, 1), await story(it, 2)
    for subject, why, lift in (("X Y", "z", False), (OWNER, " ", False), (OWNER, "", True)):
        with pytest.raises(SetupError):
            await change_holds(it.dsn, subject, why, lift=lift)
    for subject in ("skopje-bordr", bytes(15).hex() + "01"):  # a slip of the pen holds nothing
        with pytest.raises(SetupError, match="the ledger has no case and no node"):
            await change_holds(it.dsn, subject, "court", lift=False)
    page = await it.broker.erased(it.network.of(OWNER).device, LogFrom(0, 100, 0))
    assert page.items == ()
    told = await change_holds(it.dsn, case.hex(), "court of Skopje", lift=False)
    assert "1 readings stay" in told[0]
    said = await change_holds(it.dsn, "", "", lift=False)
    assert case.hex() in said[0]
    assert "court of Skopje" in said[0]
    it.network.at += 3 * YEAR
    await change_holds(it.dsn, PARTNER, "an inquiry", lift=False)
    assert await run(it, 1) == 0, "the node that searched and read is on hold, too"
    await change_holds(it.dsn, PARTNER, "", lift=True)
    assert await run(it, 1) == 3  # two searches, one access
    held = [row for row in await leaves(it) if row.case == case and row.kind == "access"]
    assert [bool(row.core) for row in held] == [True]
    assert (await Fsck(it.store).whole()).problems == []
    assert await change_holds(it.dsn, case.hex(), "", lift=True)
    assert await run(it, 1) == 1
    assert not any(readings(await leaves(it)))


async def test_fault_53_a_run_that_dies_half_way_is_brought_to_its_end(
    it: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    for serial in (1, 2):
        await story(it, serial)
    size = len(await leaves(it))
    it.network.at += 3 * YEAR
    monkeypatch.setattr(retention, "AT_ONCE", 3)
    real, calls = it.store.erasures.erase, list[int]()

    async def dies(start: int, stop: int) -> int | None:
        calls.append(start)
        if len(calls) == 3:
            raise ConnectionResetError
        return await real(start, stop)

    with monkeypatch.context() as patched:
        patched.setattr(it.store.erasures, "erase", dies)
        with pytest.raises(ConnectionResetError):
            await run(it, 1)
    half = readings(await leaves(it))
    assert True in half
    assert False in half
    assert (await Fsck(it.store).whole()).problems == []
    await it.restart()
    await run(it, 1)
    assert not any(readings(await leaves(it)))
    assert len(await leaves(it)) == size + 1, "the entry that allowed it stands once"


async def test_nothing_goes_before_its_time(it: Served) -> None:
    await story(it)
    for years, passed in ((1, 0), (3, YEAR), (0, 10 * YEAR)):
        it.network.at += passed
        assert await run(it, years) == 0
    assert all(readings(await leaves(it)))
    assert not [row for row in await leaves(it) if row.kind == "erased"]
    job = EraseJob(3, it.network.at, 1, 1)
    with pytest.raises(RefusedError) as caught:
        await it.broker._sequencer.write(job)
    assert caught.value.rule == "retention"


async def test_attack_an_intruder_erases_a_reading_and_fsck_names_it(it: Served) -> None:
    await story(it)
    async with it.database() as connection:
        await connection.execute("UPDATE activity_leaf SET core = '' WHERE kind = 'access'")
    problems: list[Any] = (await Fsck(it.store).whole()).problems
    assert len(problems) == 1


async def test_what_cannot_be_read_of_the_erasures_is_named_once(
    it: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def damaged() -> list[LeafRow]:
        raise ValueError("a page of the table is unreadable")

    await story(it)
    async with it.database() as connection:
        await connection.execute("UPDATE activity_leaf SET core = '' WHERE kind = 'access'")
    monkeypatch.setattr(it.store, "erased_entries", damaged)
    problems = (await Fsck(it.store).whole()).problems
    assert ["cannot be read" in one for one in problems].count(True) == 1
    assert len(problems) == 2


async def test_a_node_on_hold_holds_what_others_read_of_its_cases(it: Served) -> None:
    await story(it)
    await change_holds(it.dsn, OWNER, "court", lift=False)
    it.network.at += 3 * YEAR
    assert await run(it, 1) == 1  # the search of the partner; what he read of the case stays
    assert [row.kind for row in await leaves(it) if row.kind in READING_KINDS and row.core] == [
        "access"
    ]
    said = await change_holds(it.dsn, PARTNER, "court", lift=False)
    assert said == [f"{PARTNER} is on hold: 1 readings stay until 'hold --lift', and all new ones",
                    "1 were erased before"]  # fmt: skip


async def test_attack_what_is_on_hold_is_blanked_and_fsck_names_it(it: Served) -> None:
    case = await story(it)
    await change_holds(it.dsn, case.hex(), "court", lift=False)
    it.network.at += 3 * YEAR
    await run(it, 1)
    await change_holds(it.dsn, PARTNER, "later than its search was erased", lift=False)
    async with it.database() as connection:
        # The hold was made by the clock of this machine, the erasure by that of the network.
        await connection.execute("UPDATE legal_hold SET since = $1", it.network.at + 1)
        assert (await Fsck(it.store).whole()).problems == []
        await connection.execute("UPDATE activity_leaf SET core = '' WHERE kind = 'access'")
        sql = "UPDATE legal_hold SET since = $1 WHERE subject = $2"
        await connection.execute(sql, it.network.at - YEAR, case.hex())
    (problem,) = (await Fsck(it.store).whole()).problems
    assert problem.endswith("it is on hold, and its text is gone")


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_hold_that_is_lifted_while_the_broker_erases_is_not_lost(
    it: Served, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    case = await story(it)
    await change_holds(it.dsn, case.hex(), "court", lift=False)
    it.network.at += 3 * YEAR
    real = it.store.erasures.erase

    async def meanwhile(start: int, stop: int) -> int | None:
        monkeypatch.setattr(it.store.erasures, "erase", real)
        if when == "after":
            done = await real(start, stop)
            await change_holds(it.dsn, case.hex(), "", lift=True)
            return done
        await change_holds(it.dsn, case.hex(), "", lift=True)
        return await real(start, stop)

    monkeypatch.setattr(it.store.erasures, "erase", meanwhile)
    await run(it, 1)
    await run(it, 1)
    assert readings(await leaves(it)) == [False, False]
    said = [row for row in await leaves(it) if row.kind == "erased"]
    assert len(said) == 2, "readers are told that what was on hold is erased, too"


async def test_a_hold_that_is_lifted_while_another_lift_is_entered_is_entered_too(
    it: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who was shown a reading that was on hold drops it when the log says so, and not before."""
    first, second = await story(it), await story(it, 2)
    for case in (first, second):
        await change_holds(it.dsn, case.hex(), "court", lift=False)
    it.network.at += 3 * YEAR
    await run(it, 1)
    await change_holds(it.dsn, first.hex(), "", lift=True)
    real, lifted = it.broker._sequencer.write, list[int]()

    async def meanwhile(job: Job) -> Done:
        done = await real(job)
        if isinstance(job, EraseJob) and not lifted:
            await change_holds(it.dsn, second.hex(), "", lift=True)
            lifted.append(it.broker.heads.activity.size)
        return done

    monkeypatch.setattr(it.broker._sequencer, "write", meanwhile)
    while not all(shown is False for shown in readings(await leaves(it))):
        await run(it, 1)
    said = [row.idx for row in await leaves(it) if row.kind == "erased"]
    assert max(said) >= lifted[0]


async def test_what_is_erased_while_all_is_hashed_is_no_damage(
    it: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both begin each hour: a false alarm would call out every node."""
    await story(it)
    it.network.at += 3 * YEAR
    real = it.store.activity

    async def meanwhile(*arguments: Any) -> list[LeafRow]:
        monkeypatch.setattr(it.store, "activity", real)
        await run(it, 1)
        return await real(*arguments)

    monkeypatch.setattr(it.store, "activity", meanwhile)
    looked = await Fsck(it.store).whole()
    assert (looked.problems, looked.erased) == ([], 2)


async def test_attack_a_wrong_clock_erases_nothing(it: Served) -> None:
    """What is erased is gone for good: whoever sets the clock must not be whoever erases."""
    await story(it)
    it.network.at += 40 * YEAR
    it.broker.retention.years = 3
    for _ in range(2):  # new entries are dated by the same clock, so they prove nothing
        with pytest.raises(RefusedError, match="the clock is wrong"):
            await it.broker.retention.run()
        await entry(it)
    assert all(readings(await leaves(it)))
    it.network.at += retention.ALIVE + 86_400
    with pytest.raises(RefusedError):
        await it.broker.retention.run()  # nothing since: it may have moved again
    await entry(it)
    assert await it.broker.retention.run() == 2


async def test_the_first_look_is_after_an_hour_and_none_is_the_last(
    it: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    did = list[str]()

    async def sleep(seconds: float) -> None:
        did.append(f"slept {seconds:.0f}")
        if len(did) == 5:
            raise asyncio.CancelledError

    async def odd(*, sure: bool = False) -> int:
        did.append(f"ran {sure}")
        raise ValueError("year -2974 is out of range")

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(it.broker.retention, "run", odd)
    with pytest.raises(asyncio.CancelledError):
        await retention.keep_erasing(it.broker.retention)
    assert did == ["slept 3600", "ran False", "slept 3600", "ran False", "slept 3600"]


async def test_a_hold_waits_for_what_is_being_erased(it: Served) -> None:
    """Else it could say of what goes at this moment that it stays."""
    case = await story(it)
    async with it.database() as connection:
        async with connection.transaction():
            await connection.execute("SELECT done FROM erasure FOR UPDATE")
            holding = asyncio.create_task(change_holds(it.dsn, case.hex(), "court", lift=False))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(holding), 0.3)
        assert (await holding)[0].startswith(case.hex())
