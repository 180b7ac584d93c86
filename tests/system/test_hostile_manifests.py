"""A broker that hides one entry from one node, on the line: no number is missing anywhere."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from seefen.client import Client
from seefen.client.agent.alarms import CRITICAL, read
from seefen.protocol.errors import RefusedError
from seefen.protocol.frames import AuditPage, CaseFrom, Page, Stub
from tests.client.agent.test_agent import agent_of, watcher
from tests.client.scenes import BELGRADE, SKOPJE
from tests.client.test_audit_manifests import BOARD, name
from tests.system.siege import Siege, siege


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Siege]:
    async with siege(tmp_path, SKOPJE, BELGRADE, BOARD) as place:
        await name(place.place, place.place.network.of(BOARD))
        yield place


async def refusal(place: Siege, skopje: Client, belgrade: Client) -> int:
    """Let Belgrade ask for what is Skopje's, and return where the refusal stands."""
    engine = skopje._engine
    (case,) = (c for c in engine.vault.cases() if engine.trust.require_state(c).owner == SKOPJE)
    ask = CaseFrom(case, 0, 100, 0)
    with pytest.raises(RefusedError):
        await belgrade._engine.connection.request("case-audit", ask, AuditPage)
    broker = place.place.broker.services.broker
    await broker.denials.settled()
    return broker.heads.activity.size - 1


async def test_fault_18_the_agent_of_a_node_notices_what_its_broker_hides_from_it_alone(
    place: Siege, tmp_path: Path
) -> None:
    """Nor does it help to say to the agent that the place is of a case of Belgrade's."""
    skopje, belgrade = await place.story("one")
    theirs = (await belgrade.cases.open("Rifles", [SKOPJE])).number
    client, board = await watcher(place.place), await place.place.client(BOARD)
    machine = place.place.network.of(SKOPJE, nth=1)
    agent = agent_of(client, tmp_path / "agent")
    await agent.round()
    index = await refusal(place, skopje, belgrade)
    state = next(
        state
        for case in belgrade._engine.vault.cases()
        if (state := belgrade._engine.trust.require_state(case)).number == theirs
    )
    device = belgrade._engine.keys.device
    told = Stub(index, "access", state.case, device, state.last(device).case_n + 1)

    def hide(page: AuditPage) -> AuditPage:
        return replace(page, items=tuple(i for i in page.items if i.entry.index != index))

    def tell(page: Page) -> Page:
        return replace(page, stubs=(*page.stubs, told)) if page.upto > index else page

    place.hostile.lie("audit", hide, to=machine)
    place.hostile.lie("feed", tell, to=machine, times=1)
    await client.sync()
    assert client._engine.vault.has_entry(index)
    await board.audit.manifests.publish()
    agent = agent_of(client, tmp_path / "agent")
    await agent.round()
    found = read(agent.folder / "alarms.jsonl")
    (alarm,) = [one for one in found if one.kind == "manifest-mismatch"]
    assert alarm.severity == CRITICAL
    assert f"must have been shown entry {index}, and it was not" in alarm.text
    assert Path(alarm.evidence).exists()
    assert (await skopje.audit.verdict()).ok, "it was hidden from nobody else"
