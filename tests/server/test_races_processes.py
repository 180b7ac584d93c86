"""Two honest brokers on one log, slow answers, a clock that goes back: no word against itself."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from seefen.client.evidence import accusation, proved_entry
from seefen.client.standalone import verify
from seefen.protocol.frames import Span, ToCosign
from seefen.protocol.ledger.tree import check_consistency
from seefen.server import proofs
from seefen.server.broker import Broker
from seefen.server.errors import UnreachableError
from seefen.server.high_water import HighWater
from seefen.server.store import Store
from seefen.server.store.writes import LedgerWriting
from tests.support import casework
from tests.support.network import Network
from tests.support.served import Served, refused, served
from tests.support.waiting import until
from tests.support.witnesses import public_of, witness_key

NODES = ("skopje-border", "belgrade-ffp")
SLOW = -1.0  # seconds: each answer takes longer


class Held:
    """Lets the first answer of the database wait on its way."""

    def __init__(self, real: Callable[..., Awaitable[Any]]) -> None:
        self.came, self.go = asyncio.Event(), asyncio.Event()
        self._real = real

    async def __call__(self, *arguments: object) -> Any:
        answer = await self._real(*arguments)
        if not self.came.is_set():
            self.came.set()
            await self.go.wait()
        return answer


@asynccontextmanager
async def another(it: Served, mark: Path | None = None) -> AsyncGenerator[Broker, None]:
    """Give a second process on the same database."""
    async with Store.open(it.dsn) as store:
        key = it.network.log_key
        high_water = None if mark is None else HighWater(mark, key.public)
        broker = await Broker.open(
            store, log_key=key, clock=lambda: it.network.at, high_water=high_water
        )
        try:
            yield broker
        finally:
            await broker.close()


async def rest(broker: Broker) -> None:
    """Let a broker look at nothing by itself."""
    await broker._keeping_up.close()


def against(it: Served, notes: list[str], entries: tuple[object, ...] = ()) -> list[str]:
    """Return what heads prove against the log."""
    key = it.network.log_key.public
    return verify.proved([accusation("", "", key, notes, entries)])


async def test_a_head_that_was_slowly_read_is_not_dated_after_a_longer_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While the answer is on its way another process commits a longer one, and signs it."""
    async with served(*NODES) as it, another(it) as other:
        author = it.network.of(NODES[0])
        case = await it.open_case(author, NODES[1])
        await it.restart()
        await rest(it.broker)
        monkeypatch.setattr(proofs, "READ_SECONDS", SLOW)
        held = Held(it.store.heads)
        monkeypatch.setattr(it.store, "heads", held)
        asking = asyncio.create_task(it.broker.checkpoint("activity"))
        await held.came.wait()
        bundle = casework.message(it.network, author, case)
        longer = (await other.submit(author.device, bundle, 0)).checkpoint
        it.network.at += 10
        held.go.set()
        notes = [longer, await asking]
        assert against(it, notes) == []
        assert it.head(notes[1]) == it.head(longer)


async def test_a_head_that_was_slowly_committed_is_not_dated_after_a_longer_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with served(*NODES) as it, another(it) as other:
        author, partner = it.network.of(NODES[0]), it.network.of(NODES[1])
        case = await it.open_case(author, NODES[1])
        monkeypatch.setattr(proofs, "READ_SECONDS", SLOW)
        await it.message(author, case)  # of which nobody has written a longer one
        await rest(it.broker)
        held = Held(it.store.swap)
        monkeypatch.setattr(it.store, "swap", held)
        bundle = casework.message(it.network, author, case)
        sending = asyncio.create_task(it.broker.submit(author.device, bundle, 0))
        await held.came.wait()
        theirs = casework.message(it.network, partner, case)
        longer = await other.submit(partner.device, theirs, 0)
        it.network.at += 10
        held.go.set()
        await refused("busy", sending)
        # The very same bytes, as a device sends them again: one entry, under the newest head.
        again = await it.broker.submit(author.device, bundle, 0)
        assert again.entries[0].index + 1 == longer.entries[0].index
        assert it.head(again.checkpoint) == it.head(longer.checkpoint)
        assert against(it, [longer.checkpoint, again.checkpoint]) == []


async def test_what_another_wrote_is_pushed_while_the_next_commit_is_on_its_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was the newest while the lock was held, and is signed as that."""
    async with served(*NODES) as it, another(it) as other:
        author, partner = it.network.of(NODES[0]), it.network.of(NODES[1])
        case = await it.open_case(author, NODES[1])
        await rest(it.broker)
        got = list[bytes]()
        it.broker.attach(partner.device, got.append, lambda: None)
        bundle = casework.message(it.network, author, case)
        it.take(bundle, await other.submit(author.device, bundle, 0))
        go, real = asyncio.Event(), LedgerWriting.write

        async def late(self: LedgerWriting, *arguments: Any) -> None:
            await real(self, *arguments)
            await go.wait()

        monkeypatch.setattr(LedgerWriting, "write", late)
        bundle = casework.message(it.network, partner, case)
        sending = asyncio.create_task(it.broker.submit(partner.device, bundle, 0))
        await until(lambda: got)
        go.set()
        await asyncio.wait([sending])  # on a busy machine the database has ended it by then


@pytest.mark.parametrize("more", [0, 5])
async def test_a_clock_that_is_set_back_makes_no_evidence(alarms: list[str], more: int) -> None:
    """An hour back, by hand or by NTP, and the log grows: none of its heads says that it shrank."""
    async with served(*NODES) as it:
        author = it.network.of(NODES[0])
        it.network.at += 7200  # certificates are older than the jump
        case = await it.open_case(author, NODES[1])
        notes = [await it.broker.checkpoint("activity")]
        it.network.at += more
        notes.append(await it.broker.checkpoint("authority"))
        latest = it.network.at
        it.network.at -= 3600
        await it.admit("tirana-lab")
        bundle = casework.message(it.network, author, case)
        recorded = await it.send(author, bundle)
        entry = recorded.entries[0]
        proved = proved_entry(entry.index, entry.record, entry.proof, recorded.checkpoint)
        notes += [recorded.checkpoint, await it.broker.checkpoint("authority")]
        assert against(it, notes, (proved,)) == []
        key = it.network.log_key.public
        assert verify.open_head(notes[-1], key).time == latest
        await until(lambda: "clock-back" in alarms)
        assert alarms.count("clock-back") == 1
        it.network.at += 3600 + 60
        assert verify.open_head(await it.broker.checkpoint("activity"), key).time == it.network.at
        await until(lambda: not it.broker._prover._is_behind)


async def test_after_a_start_no_head_is_older_than_its_newest_entry() -> None:
    """Else every export of that hour has entries that are younger than the log."""
    async with served(*NODES) as it:
        it.network.at += 7200
        case = await it.open_case(it.network.of(NODES[0]), NODES[1])
        at = it.network.at
        it.network.at -= 3600
        await it.restart()
        key = it.network.log_key.public
        assert verify.open_head(await it.broker.checkpoint("activity"), key).time == at
        recorded = await it.send(
            it.network.of(NODES[0]), casework.message(it.network, it.network.of(NODES[0]), case)
        )
        assert it.check_receipt(recorded).at == at * 1000
        assert verify.open_head(recorded.checkpoint, key).time == at


async def test_a_broker_that_cannot_catch_up_shows_no_false_log(tmp_path: Path) -> None:
    """It has read a longer head, and knows no proof that leads there: an empty one is a lie."""
    keys = tuple(public_of(witness_key(number)) for number in range(2))
    network = Network(origin="seefen", witnesses=keys, quorum=2)
    mark = tmp_path / "high-water"
    async with (
        served(*NODES, network=network, mark=mark) as it,
        another(it, mark) as other,
        it.database() as connection,
    ):
        author = it.network.of(NODES[0])
        case = await it.open_case(author, NODES[1])
        before = it.head(await it.broker.checkpoint("activity"))
        await rest(it.broker)
        bundle = casework.message(it.network, author, case)
        recorded = await other.submit(author.device, bundle, 0)
        after = it.head(recorded.checkpoint)
        ask, span = ToCosign("activity", before.size), Span("activity", before.size, after.size)
        await other.witnesses.to_cosign(author.device, ask)
        async with connection.transaction():
            await connection.execute("SELECT FROM ledger_head FOR UPDATE")
            answers = await asyncio.gather(
                it.broker.consistency(span),
                it.broker.witnesses.to_cosign(author.device, ask),
                it.broker.piece("activity", f"tile/0/000.p/{after.size}"),
                return_exceptions=True,
            )
            assert [type(one) for one in answers] == [UnreachableError] * 3
        proof = (await it.broker.consistency(span)).hashes
        check_consistency(before.size, before.root, after.size, after.root, proof)
        shown = await it.broker.witnesses.to_cosign(author.device, ask)
        assert (it.head(shown.checkpoint), shown.consistency) == (after, proof)


async def test_no_no_is_said_of_what_another_process_has_changed() -> None:
    """One who was let in there would be refused here, and stand in the log as one who tried."""
    async with served(*NODES, "tirana-lab") as it, another(it) as other:
        author, reader = it.network.of(NODES[0]), it.network.of("tirana-lab")
        case = await it.open_case(author, NODES[1])
        await it.message(author, case)
        await rest(it.broker)
        bundle = casework.change_members(it.network, author, case, add=("tirana-lab",))
        it.take(bundle, await other.submit(author.device, bundle, 0))
        bundle = casework.message(it.network, author, case)
        it.take(bundle, await other.submit(author.device, bundle, 0))
        ask = casework.access(it.network, reader, case, bundle.contents[0].object)
        assert (await it.ask(reader, ask)).keys
        bundle = casework.message(it.network, author, case)
        it.take(bundle, await other.submit(author.device, bundle, 0))
        await it.message(author, case)
        kinds = [row.kind for row in await it.store.activity(0, 100)]
        assert "denied" not in kinds


async def test_what_stands_is_pushed_although_the_mark_was_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its author is told to ask again; who is on watch is not, and would wait for his next look."""
    async with served(*NODES, mark=tmp_path / "high-water") as it:
        author, reader = it.network.of(NODES[0]), it.network.of(NODES[1])
        case = await it.open_case(author, NODES[1], form="channel")
        await it.ask(reader, casework.access(it.network, reader, case, scope="watch"))
        got = list[bytes]()
        it.broker.attach(reader.device, got.append, lambda: None)
        bundle = casework.message(it.network, author, case)

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", full)
            await refused("high-water", it.broker.submit(author.device, bundle, 0))
        await until(lambda: got)
        assert bundle.contents[0].key in got[0]
        kinds = [row.kind for row in await it.store.activity(0, 100)]
        assert kinds.count("release") == 1
