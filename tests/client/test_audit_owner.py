"""Who opened a case sees who read it, without being an auditor; others are refused, and entered."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio
from msgspec.structs import replace

from seefen.client import Client
from seefen.client.audit.filters import Filter
from seefen.client.cli.views import inquiries
from seefen.protocol.errors import RefusedError, SeefenError, UntrustedError
from seefen.protocol.frames import AuditPage, CaseFrom
from tests.client.cli.test_views import printed
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, PRISTINA, SKOPJE, WHY, spoil, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Story(NamedTuple):
    place: Site
    lead: Client
    belgrade: Client
    auditor: Client
    number: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def story(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Story]:
    """A lead of Skopje, no auditor, opened a case; Belgrade has read what he wrote there."""
    folder: Path = tmp_path_factory.mktemp("owner")
    async with site(folder, SKOPJE, BELGRADE, PRISTINA) as place:
        for roles in (("lead", "keyholder"), ("field",)):
            await place.broker.take(place.network.enrol(SKOPJE, roles))
        lead, belgrade = await place.client(SKOPJE, nth=1), await place.client(BELGRADE)
        case = await lead.cases.open("Pistols", [BELGRADE])
        ref = (await lead.cases.send(case.number, "one")).ref or ""
        await until(lambda: belgrade.cases.list(), belgrade)
        await belgrade.read(ref, **WHY, reason="a call")
        yield Story(place, lead, belgrade, await place.client(SKOPJE, "auditor"), case.number)


async def test_a_lead_sees_who_read_the_case_of_his_node_proved(
    story: Story,
) -> None:
    place, lead, _, auditor, number = story
    assert not lead.audit.is_auditor
    found = await lead.audit.case(number)
    reader = place.network.of(BELGRADE)
    assert found.readers == ((BELGRADE, reader.officer, 1),)
    assert found.problems == ()
    (row,) = found.rows
    assert (row.what, row.proved, row.purpose) == ("opened", True, WHY["purpose"])
    assert row.reason is None  # it is sealed to auditors
    assert reader.officer in printed(inquiries.case(found))
    # He is entered himself, and sealed to his own auditors.
    looks = await auditor.audit.list(wanted=Filter(officer=lead.officer))
    assert [one.what for one in looks] == ["looked into the audit"]
    assert looks[0].search is not None
    assert looks[0].search.sought is not None
    assert looks[0].search.sought[0].query == f"case {number}"
    assert [row.index] == [one.index for one in (await lead.audit.case(number)).rows]


async def test_attack_32_a_broker_keeps_a_reading_from_the_owner(
    story: Story,
) -> None:
    lead, number = story.lead, story.number
    (row,) = (await lead.audit.case(number)).rows

    def without(page: AuditPage) -> AuditPage:
        return replace(page, items=())

    spoil(lead, "case-audit", without)
    found = await lead.audit.case(number)
    assert any(f"entry {row.index} is a reading" in text for text in found.problems)
    assert "KEPT FROM YOU" in printed(inquiries.case(found))
    assert (await lead.audit.case(number)).problems == ()


async def test_everybody_else_is_refused_here_and_at_the_broker_and_is_entered(
    story: Story,
) -> None:
    place, lead, belgrade, auditor, number = story
    state = lead._engine.trust.require_state(lead._engine.named(number) or b"")
    field, pristina = await place.client(SKOPJE, nth=2), await place.client(PRISTINA)
    await field.sync()
    for rule, name in (("role", number), ("unknown-case", "SF-2026-SKP-00999")):
        with pytest.raises(RefusedError) as caught:
            await field.audit.case(name)
        assert caught.value.rule == rule
    for case in (state.case, bytes(16)):
        for client in (belgrade, pristina, field):
            rule = "role" if client is field else "not-the-owner"
            ask = CaseFrom(case, 0, 100, 0)
            with pytest.raises(SeefenError) as refused:
                await client._engine.connection.request("case-audit", ask, AuditPage)
            assert refused.value.rule == rule
            assert isinstance(refused.value, UntrustedError if rule == "role" else RefusedError)
    await place.broker.services.broker.denials.settled()
    rows = await auditor.audit.list(wanted=Filter(outcome="denied", case=number))
    assert sorted((row.node, row.outcome) for row in rows) == [
        (BELGRADE, "not-the-owner"), (PRISTINA, "not-the-owner"), (SKOPJE, "role"),
    ]  # fmt: skip
    assert all(row.proved for row in rows)
    seen = (await lead.audit.case(number)).rows
    assert {row.outcome for row in seen} == {"ok", "role", "not-the-owner"}
