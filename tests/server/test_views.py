"""Views and manifests at the broker: cores for who may see them, and nothing else of an entry."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import pytest

from seefen.protocol.bundle import Bundle, Signed
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import UntrustedError
from seefen.protocol.frames import AuditPage, CaseFrom, FeedFrom, LogFrom, ViewFrom
from seefen.protocol.ledger.record import Core, decode_core
from seefen.protocol.manifest import Owners, must_see
from seefen.protocol.statements import Denied
from seefen.server import retention
from seefen.server.broker import Broker
from seefen.server.errors import UnreachableError
from seefen.server.fsck import Fsck
from seefen.server.retention import EraseJob
from tests.support import casework
from tests.support.judge import LAB, OWNER, PARTNER
from tests.support.network import Machine, Network
from tests.support.served import Served, refused, served
from tests.support.waiting import until

BOARD = "oversight-board"
DAY = 86_400
NODES = (OWNER, PARTNER, LAB, BOARD)


@pytest.fixture
async def it() -> AsyncIterator[Served]:
    async with served(*NODES) as it:
        yield it


async def name(it: Served, by: Machine, of: str = "", **changes: int) -> None:
    """Let a machine look."""
    envelope = it.network.view(by, of, **changes)[1]
    await it.send(it.network.of(LAB), Network.bundle("view", envelope))


async def look(
    it: Served, by: Machine, of: str = "", start: int = 0, limit: int = 4096
) -> AuditPage:
    return await it.broker.audit(by.device, ViewFrom(of, start, limit, 0))


def shown(it: Served, page: AuditPage) -> dict[int, Core]:
    """Return the cores on a page by index, each proved, and nothing but cores."""
    assert all(item.envelope == b"" for item in page.items)
    return {item.entry.index: it.check(item.entry, page.checkpoint) for item in page.items}


async def story(it: Served) -> bytes:
    """Two cases, readings by both sides, a search, refusals, an erasure, and manifests."""
    owner, partner, lab = (it.network.of(node) for node in (OWNER, PARTNER, LAB))
    board = it.network.of(BOARD)
    await name(it, board)
    case = await it.open_case(owner, PARTNER)
    other = await it.open_case(partner, OWNER, LAB)
    object_ = await it.message(owner, case)
    await it.message(lab, other)
    await it.send(partner, casework.search(it.network, partner))
    await it.ask(partner, casework.access(it.network, partner, case, object_))
    await refused(
        "not-a-reader", it.broker.ask(lab.device, casework.access(it.network, lab, case, object_))
    )
    await it.broker.denials.settled()
    await it.send(partner, casework.ack(it.network, partner, case, object_))
    await it.send(partner, casework.assign(it.network, partner, case, partner))
    await it.broker._sequencer.write(EraseJob(0, 0, 1, 0))
    size = it.broker.heads.activity.size
    it.network.index = size
    for node in (OWNER, PARTNER):
        await it.send(board, casework.manifest(it.network, board, node, size, 0))
    return case


async def test_what_the_broker_shows_to_whom_follows_from_the_cores(it: Served) -> None:
    """The very function by which a network auditor says what each node must have been shown."""
    case, partner = await story(it), it.network.of(PARTNER)
    await name(it, it.network.of(BOARD), LAB)
    for of in ("", LAB):
        await look(it, it.network.of(BOARD), of)  # entered, each
    await it.ask(partner, casework.access(it.network, partner, case, scope="case"))
    pushed: list[bytes] = []
    it.broker.attach(partner.device, pushed.append, lambda: None)
    await it.message(it.network.of(OWNER), case)
    await until(lambda: pushed)
    rows = await it.store.activity(0, 1000)
    owners, must = Owners(), defaultdict[str, set[int]](set)
    cores = [decode_core(row.core) for row in rows]
    for core in cores:
        owners.learn(core)
    assert {core.act for core in cores} == {
        "case", "casekey", "assign", "object", "ack", "search", "access", "release", "denied",
        "erased", "manifest", "viewed",
    }  # fmt: skip
    for row, core in zip(rows, cores, strict=True):
        nodes = must_see(core, owners.of(core))
        for node in NODES if nodes is None else nodes:
            must[node].add(row.idx)
    for node in NODES:
        entitled = await it.store.entitled(node, 0, 1000, 1000)
        assert {row.idx for row in entitled} == must[node], node
        assert entitled
        assert len(entitled) < len(rows)
    for machine in (it.network.of(OWNER), it.network.of(BOARD)):
        feed = await it.feed(machine)
        kinds = [item.kind for item in feed.items] + [stub.kind for stub in feed.stubs]
        assert not {"manifest", "viewed"} & {*kinds}


async def test_a_network_auditor_is_shown_every_core_and_no_statement(it: Served) -> None:
    await story(it)
    board = it.network.of(BOARD)
    await look(it, board)  # the first of an hour is entered
    found, start, size = dict[int, Core](), 0, it.broker.heads.activity.size
    while start < size:
        page = await look(it, board, start=start, limit=3)
        found |= shown(it, page)
        start = page.upto
    assert [*found] == [*range(size)]
    assert (await look(it, board, start=size + 5)).items == ()


async def test_a_guest_is_shown_what_the_auditors_of_one_node_see_in_his_period(
    it: Served,
) -> None:
    guest, at = it.network.of(BOARD), it.network.at
    await story(it)
    before = it.broker.heads.activity.size
    it.network.at = at + 10 * DAY
    owner = it.network.of(OWNER)
    case = await it.open_case(owner, PARTNER, serial=7)
    during = it.broker.heads.activity.size
    it.network.at = at + 20 * DAY
    await it.message(owner, case)
    await name(it, guest, OWNER, since=at + DAY, upto=at + 20 * DAY)
    page = await look(it, guest, OWNER)  # its own entry is not of the period
    assert [*shown(it, page)] == [*range(before, during)]
    assert page.upto == it.broker.heads.activity.size, "there is no more to be asked for"
    assert (await look(it, guest, OWNER, start=during)).items == ()
    await name(it, guest, PARTNER, since=at + 20 * DAY, upto=at + 21 * DAY)
    cores = shown(it, await look(it, guest, PARTNER)).values()
    assert [core.act for core in cores] == ["viewed"], "that he looks, and nothing else"


def _soon(now: int, years: int) -> int:
    return now + years


async def test_what_was_erased_is_shown_as_that_and_hides_nothing_beside_it(
    it: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The times of what has no text are unknown: the period is found by what is around it."""
    at = it.network.at
    await story(it)
    monkeypatch.setattr(retention, "cutoff", _soon)
    it.broker.retention.years = 1
    assert await it.broker.retention.run(sure=True) == 3
    board = it.network.of(BOARD)
    await name(it, board, OWNER, since=at, upto=at + DAY)
    await look(it, board, OWNER)
    page = await look(it, board)
    assert [item.entry.index for item in page.items] == [*range(it.broker.heads.activity.size)]
    blank = [item for item in page.items if not item.entry.core]
    assert {item.kind for item in blank} == {"search", "access", "denied"}
    rows = {row.idx for row in await it.store.entitled(OWNER, 0, 1000, 1000)}
    page = await look(it, board, OWNER)
    assert {item.entry.index for item in page.items} == rows
    await name(it, board, OWNER, since=at + 1, upto=at + DAY)
    assert (await look(it, board, OWNER)).items == ()


async def test_attack_nobody_looks_without_a_view_and_each_try_is_entered(it: Served) -> None:
    await story(it)
    board, partner, at = it.network.of(BOARD), it.network.of(PARTNER), it.network.at
    await refused("not-a-viewer", look(it, partner))
    await refused("not-a-viewer", look(it, board, OWNER))
    await refused("not-a-viewer", look(it, board, "no-such-node"))
    await it.broker.denials.settled()
    page = await it.broker.audit(partner.device, LogFrom(0, 4096, 0))
    cores = [it.check(item.entry, page.checkpoint) for item in page.items]
    assert [core.device for core in cores if core.outcome == "not-a-viewer"] == [
        partner.device.hex()
    ]
    await look(it, board)
    it.network.at = at + 30 * DAY
    await refused("not-a-viewer", look(it, board))  # it is over
    await name(it, board)
    await look(it, board)
    await name(it, board, expires=0)
    await refused("not-a-viewer", look(it, board))  # taken back
    await name(it, board)
    await it.send(it.network.admin(BOARD), it.network.revoke(board))
    await refused("revoked", look(it, board))


async def entered(it: Served, by: Machine) -> list[tuple[str, tuple[str, ...]]]:
    """Return the looks at cores that a node's auditors are shown: who, and whose."""
    page = await it.broker.audit(by.device, LogFrom(0, 4096, 0))
    cores = [it.check(item.entry, page.checkpoint) for item in page.items if item.entry.core]
    return [(core.officer, core.to) for core in cores if core.act == "viewed"]


async def test_attack_whoever_is_shown_cores_leaves_no_entry_of_his_own(it: Served) -> None:
    """Asked with the bare verb: the broker enters it first, for the auditors of both nodes."""
    board, owner, lab = (it.network.of(node) for node in (BOARD, OWNER, LAB))
    await it.open_case(owner, PARTNER)
    await name(it, board, OWNER)
    before, officer = it.broker.heads.activity.size, it.network.directory.device(board.device)
    one = (officer.officer, (OWNER,))
    await asyncio.gather(*(look(it, board, OWNER, limit=1) for _ in range(4)))
    assert it.broker.heads.activity.size == before + 1, "once, however many pages"
    assert await entered(it, owner) == await entered(it, board) == [one]
    assert await entered(it, lab) == []
    it.network.at += 3599
    await look(it, board, OWNER)
    assert it.broker.heads.activity.size == before + 1
    it.network.at += 1
    await name(it, board)
    await look(it, board, OWNER)
    await look(it, board)  # of all: every node is told
    assert await entered(it, lab) == [(officer.officer, ())]
    assert await entered(it, owner) == [one, one, (officer.officer, ())]
    assert (await Fsck(it.store).whole()).problems == []


async def test_attack_what_cannot_be_entered_shows_no_core(
    it: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = it.network.of(BOARD)
    await it.open_case(it.network.of(OWNER), PARTNER)
    await name(it, board, OWNER)

    async def away(_: object) -> None:
        raise UnreachableError("the database is away", rule="database")

    with monkeypatch.context() as patched:
        patched.setattr(it.broker._sequencer, "write", away)
        for _ in range(2):
            with pytest.raises(UnreachableError):
                await look(it, board, OWNER)
    assert (await look(it, board, OWNER)).items[-1].kind == "viewed"


async def test_refused_looks_say_whose_cores_they_were(it: Served) -> None:
    partner = it.network.of(PARTNER)
    for of in (OWNER, LAB, OWNER, "", "no-such-node", "nor-this", "Nor \x00 this"):
        await refused("not-a-viewer", look(it, partner, of))
    await it.broker.denials.settled()
    page = await it.broker.audit(partner.device, LogFrom(0, 4096, 0))
    said = [open_envelope(i.envelope, i.kind).statement for i in page.items if i.kind == "denied"]
    assert sorted(str(one.of) for one in said if isinstance(one, Denied)) == [
        "", "None", OWNER, LAB
    ]  # fmt: skip


async def test_manifests_of_a_node_join_also_after_a_restart(it: Served) -> None:
    await story(it)
    board, size = it.network.of(BOARD), it.broker.heads.activity.size
    for start in (0, size - 3, size):
        bundle = casework.manifest(it.network, board, OWNER, size, start=start)
        await refused("not-next" if start < size else "manifest-range", it.send(board, bundle))
    await it.restart()
    bundle = casework.manifest(it.network, board, OWNER, size, start=size - 3)
    await refused("not-next", it.send(board, bundle))
    last = await it.store.last_manifest(board.device, OWNER)
    assert last is not None
    await it.send(board, casework.manifest(it.network, board, OWNER, size, start=last.idx))
    await it.send(board, casework.manifest(it.network, board, LAB, size))  # the first about it
    parts = [
        casework.manifest(it.network, board, OWNER, size + 1, start=size),
        casework.manifest(
            it.network, board, OWNER, size + 2, start=size + 1, device_n=board.device_n + 2
        ),
    ]
    statements: tuple[Signed, ...] = tuple(one.statements[0] for one in parts)
    await it.send(board, Bundle(statements, (), ()))
    assert (await Fsck(it.store).whole()).problems == []


Asks: TypeAlias = Callable[[Broker, bytes, bytes], Awaitable[object]]
WAYS: dict[str, Asks] = {
    "audit": lambda other, device, _: other.audit(device, LogFrom(0, 4, 0)),
    "case-audit": lambda other, device, case: other.audit(device, CaseFrom(case, 0, 4, 0)),
    "feed": lambda other, device, _: other.feed(device, FeedFrom(0, 4, 0)),
    "records": lambda other, device, _: other.records(device, LogFrom(0, 4, 0)),
    "authority": lambda other, device, _: other.authority(device, LogFrom(0, 4, 0)),
    "erasures": lambda other, device, _: other.erased(device, LogFrom(0, 4, 0)),
}


async def test_attack_what_was_taken_away_at_one_process_gives_no_page_at_another(
    it: Served,
) -> None:
    """Each asks the database before it asks who has a right."""
    board = it.network.of(BOARD)
    await name(it, board, OWNER)
    case = await it.open_case(it.network.of(OWNER), PARTNER)
    clock = lambda: it.network.at  # noqa: E731 - of the other process
    other = await Broker.open(it.store, log_key=it.network.log_key, clock=clock)
    try:
        assert (await other.audit(board.device, ViewFrom(OWNER, 0, 4, 0))).items
        await name(it, board, OWNER, expires=0)
        await refused("not-a-viewer", other.audit(board.device, ViewFrom(OWNER, 0, 4, 0)))
        for verb, ask in WAYS.items():
            await it.send(it.network.of(LAB), it.network.enrol(OWNER, ("auditor",)))
            lost = it.network.of(OWNER, nth=1)
            await ask(other, lost.device, case)
            await it.send(it.network.admin(OWNER), it.network.revoke(lost))
            with pytest.raises(UntrustedError) as caught:
                await ask(other, lost.device, case)
            assert caught.value.rule == "revoked", verb
    finally:
        await other.close()
