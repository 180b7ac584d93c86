"""What the broker knows: bounded, and never older than what was committed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from seefen.protocol.bundle import Bundle
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import SeefenError
from seefen.protocol.frames import CaseFrom
from seefen.protocol.statements import Case
from seefen.protocol.suite import new_id
from seefen.server import view
from seefen.server.broker import Broker
from seefen.server.sequencer import Sequencer
from seefen.server.store import Store
from seefen.server.view import Known, Needs
from tests.support import casework
from tests.support.network import EVERY_ROLE, Machine, Network
from tests.support.served import Served, refused, served
from tests.support.waiting import until

OWNER, REMOVED = "skopje-border", "belgrade-ffp"
MOST = 20


def held(known: Known) -> list[int]:
    memories = (known._cases, known._objects, known._device_ns, known._numbers, known._manifests)
    return [len(memory._entries) for memory in memories]


async def test_attack_50_what_nobody_gave_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A member asks for ids that he makes up, while nobody writes."""
    for name in ("CASES", "OBJECTS", "DEVICES", "NUMBERS", "MANIFESTS"):
        monkeypatch.setattr(view, f"{name}_KEPT", MOST)
    async with served(OWNER) as it:
        member = it.network.of(OWNER)
        known = it.broker._sequencer.known
        case = await it.open_case(member)
        obj = await it.message(member, case)
        for serial in range(2, 3 * MOST):
            name = f"node-{serial}"
            asked = [
                it.broker.audit(member.device, CaseFrom(new_id(), 0, 10, 0)),
                it.broker.ask(member.device, casework.access(it.network, member, case, new_id())),
                it.broker.submit(member.device, backwards(it, member, serial), 0),
                it.broker.submit(member.device, casework.manifest(it.network, member, name, 1), 0),
                it.broker.submit(
                    member.device, casework.search(it.network, member, device=new_id()), 0
                ),
            ]
            for one in asked:
                with pytest.raises(SeefenError):
                    await one
        assert max(held(known)) <= MOST
        await it.ask(member, casework.access(it.network, member, case, obj))
        await it.message(member, case)


def backwards(it: Served, by: Machine, serial: int) -> Bundle:
    """Return the opening of a case that is refused, after its number was looked up."""
    _, bundle = casework.open_case(it.network, by, serial=serial)
    case, key = bundle.statements
    return Bundle((key, case), bundle.wraps, ())


class Held:
    """Lets one reading wait, after it was read."""

    def __init__(self, real: Callable[..., Awaitable[Any]]) -> None:
        self.came, self.go = asyncio.Event(), asyncio.Event()
        self._real = real

    async def read(self, *arguments: object) -> Any:
        rows = await self._real(*arguments)
        self.came.set()
        await self.go.wait()
        return rows


@pytest.mark.parametrize("by", ["the same process", "another process"])
async def test_attack_29_what_was_read_before_a_commit_is_not_learned_after_it(
    by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member is removed while the case is read, and the broker forgets it before that ends."""
    async with served(OWNER, REMOVED) as it, Store.open(it.dsn) as store:
        owner = it.network.of(OWNER)
        case = await it.open_case(owner, REMOVED)
        sequencer: Sequencer = it.broker._sequencer
        known = sequencer.known
        known._cases.drop(case)
        late = Held(it.store.case)
        with monkeypatch.context() as patch:
            patch.setattr(it.store, "case", late.read)
            reading = asyncio.create_task(sequencer.case(case))
            await late.came.wait()
        removal = casework.change_members(it.network, owner, case, remove=(REMOVED,))
        if by == "the same process":
            await it.send(owner, removal)
            known._cases.drop(case)  # as where four thousand others were asked for since
        else:
            clock = lambda: it.network.at  # noqa: E731
            other = await Broker.open(store, log_key=it.network.log_key, clock=clock)
            it.take(removal, await other.submit(owner.device, removal, 0))
            await other.close()
            await until(lambda: known.heads.activity.size == it.network.index)  # it caught up
        late.go.set()
        state = await reading
        assert state is not None
        assert [member.node for member in state.head.members] == [OWNER]


@pytest.mark.parametrize("what", ["objects", "last_manifest", "number_taken"])
async def test_what_was_read_before_another_process_wrote_is_not_learned_after_it(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else an alert that stands would not be there for whoever asks for it, for good."""
    async with served(OWNER, REMOVED) as it, Store.open(it.dsn) as store:
        owner, sequencer = it.network.of(OWNER), it.broker._sequencer
        case = await it.open_case(owner, REMOVED)
        await it.send(owner, Network.bundle("view", it.network.view(owner)[1]))
        bundle, needs = wanted(it, owner, case, what)
        late = Held(getattr(it.store, what))
        with monkeypatch.context() as patch:
            patch.setattr(it.store, what, late.read)
            loading = asyncio.create_task(sequencer._load(needs, it.store))
            await late.came.wait()
        clock = lambda: it.network.at  # noqa: E731
        other = await Broker.open(store, log_key=it.network.log_key, clock=clock)
        it.take(bundle, await other.submit(owner.device, bundle, 0))
        await other.close()
        await until(lambda: sequencer.known.heads.activity.size == it.network.index)
        late.go.set()
        await loading
        known = sequencer.known
        if what == "objects":
            assert known.object(bundle.contents[0].object) is not None
        elif what == "last_manifest":
            assert known.manifested(owner.device, REMOVED) == 1
        else:
            assert known.number_taken(*next(iter(needs.numbers)))


def wanted(it: Served, by: Machine, case: bytes, what: str) -> tuple[Bundle, Needs]:
    """Return what another process writes, and what is read of it before."""
    if what == "objects":
        bundle = casework.message(it.network, by, case)
        return bundle, Needs(objects=frozenset((bundle.contents[0].object,)))
    if what == "last_manifest":
        bundle = casework.manifest(it.network, by, REMOVED, 1)
        return bundle, Needs(manifests=frozenset(((by.device, REMOVED),)))
    _, bundle = casework.open_case(it.network, by, serial=7)
    return bundle, Needs(numbers=frozenset((number_of(bundle),)))


def number_of(bundle: Bundle) -> tuple[str, str]:
    signed = bundle.statements[0]
    statement = open_envelope(signed.envelope, signed.kind).statement
    assert isinstance(statement, Case)
    return statement.members[0].node, statement.number


async def test_whoever_is_second_with_a_number_hears_that_it_is_taken(
    alarms: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not that somebody forges: his client takes the next number for the one, and no other."""
    async with served(OWNER) as it:
        await it.send(None, it.network.admit(REMOVED, machines=[EVERY_ROLE, ("lead",)]))
        first, second = (it.network.of(REMOVED, "lead", nth=n) for n in range(2))
        late = Held(it.store.number_taken)
        _, bundle = casework.open_case(it.network, second, serial=7)
        with monkeypatch.context() as patch:
            patch.setattr(it.store, "number_taken", late.read)
            opening = asyncio.create_task(it.broker.submit(second.device, bundle, 0))
            await late.came.wait()
        await it.open_case(first, serial=7)
        late.go.set()
        await refused("case-number", opening)
        assert alarms == []
