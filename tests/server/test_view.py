"""What the broker knows: bounded, and never older than what was committed."""

import asyncio

import pytest

from seefen.protocol.bundle import Bundle
from seefen.protocol.errors import SeefenError
from seefen.protocol.frames import CaseFrom
from seefen.protocol.suite import new_id
from seefen.server import view
from seefen.server.broker import Broker
from seefen.server.rows import CaseRows
from seefen.server.sequencer import Sequencer
from seefen.server.store import Store
from seefen.server.view import Known
from tests.support import casework
from tests.support.network import Machine
from tests.support.served import Served, served
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
    """Lets one reading of a case wait, after it was read."""

    def __init__(self, store: Store) -> None:
        self.read, self.go = asyncio.Event(), asyncio.Event()
        self._case = store.case

    async def case(self, case: bytes) -> CaseRows | None:
        rows = await self._case(case)
        self.read.set()
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
        late = Held(it.store)
        with monkeypatch.context() as patch:
            patch.setattr(it.store, "case", late.case)
            reading = asyncio.create_task(sequencer.case(case))
            await late.read.wait()
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
