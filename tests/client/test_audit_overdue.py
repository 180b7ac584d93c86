"""A reason of an emergency that is overdue: not in order, until it is given or explained."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from seefen.client import Client
from seefen.client.audit import emergencies
from seefen.client.audit.filters import this_month
from seefen.client.explained import REASON
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, SKOPJE, until
from tests.client.test_audit_withheld import run
from tests.client.test_emergencies import asked, cases, night

WORDS = "his device was lost in the river; he told the head of his node why"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


async def opened(place: Site) -> tuple[Client, Client, Client, str]:
    """Return Skopje, Belgrade and its officer, who has opened a case of Skopje in an emergency."""
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    officer = await night(place, belgrade)
    [number] = await cases(skopje, officer)
    await asked(belgrade, officer, number)
    await until(lambda: officer.duty.emergencies.list()[0].state == "opened", officer)
    await officer.read(f"{number}#1")
    return skopje, belgrade, officer, number


async def test_an_overdue_reason_is_in_no_order_until_it_is_given(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade, officer, number = await opened(place)
    for auditor in (skopje, belgrade):
        found = await auditor.audit.verdict()
        assert (found.ok, found.findings) == (True, ()), "it is not due yet"
    monkeypatch.setattr(emergencies, "DAY", 0)
    for auditor in (skopje, belgrade):  # the owner of the case, and the reader's node
        found = await auditor.audit.verdict()
        assert (found.ok, found.sentence) == (False, "NOT IN ORDER: 1 overdue reason")
        (late,) = found.findings
        assert late.what == REASON
        assert late.sentence.startswith(
            f"{officer.officer} of {BELGRADE} gave no reason for the emergency in {number}, since "
        )
        assert (await auditor.audit.verify()).ok, "the log is whole"
        said = await run(auditor, "audit")
        assert said.code == 1
        assert f"; {late.name}" in " ".join(said.out.split())
    made = await belgrade.audit.report(this_month(belgrade._engine.now()))
    assert (made.ok, made.verdict) == (False, "NOT IN ORDER: 1 overdue reason")
    await officer.duty.emergencies.reason(number, "the lorry was at the ramp")
    for auditor in (skopje, belgrade):
        found = await auditor.audit.verdict()
        assert (found.ok, found.findings) == (True, ())


async def test_a_month_without_the_emergency_is_not_in_order_either(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, belgrade, officer, number = await opened(place)
    monkeypatch.setattr(emergencies, "DAY", 0)
    found = await belgrade.audit.verdict("2026-01")
    assert not found.ok
    assert [(one.officer, one.case) for one in found.emergencies] == [(officer.officer, number)]


async def test_who_can_give_no_reason_any_more_is_explained_once(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade, officer, number = await opened(place)
    monkeypatch.setattr(emergencies, "DAY", 0)
    (late,) = (await belgrade.audit.verdict()).findings
    await belgrade.audit.acknowledge(late.name, WORDS)
    found = await belgrade.audit.verdict()
    assert (found.ok, found.sentence) == (True, "IN ORDER (1 finding known)")
    said = await run(belgrade, "audit")
    assert said.code == 0
    page = " ".join(said.out.split())
    assert f"KNOWN {late.name}, reason: {late.sentence}; acknowledged" in page
    assert WORDS in page
    made = await belgrade.audit.report(this_month(belgrade._engine.now()))
    lines = {name: text for part in made.sections for name, text in part.lines}
    assert WORDS in lines[f"known reason {late.name}"]
    assert not (await skopje.audit.verdict()).ok, "nobody speaks for another auditor"

    # Who reads on without a reason was never explained.
    await skopje.cases.send(number, "a second annex")
    await until(lambda: len(officer.cases.show(number).objects) == 3, officer)
    await officer.read(f"{number}#3")
    found = await belgrade.audit.verdict()
    assert not found.ok
    assert found.findings[0].subject != late.subject


def sealed(*_: object) -> bool:
    return False


async def test_a_reason_that_is_sealed_to_others_is_not_called_overdue(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, belgrade, _, _ = await opened(place)
    monkeypatch.setattr(emergencies, "DAY", 0)
    monkeypatch.setattr(emergencies, "reads_reason", sealed)
    found = await belgrade.audit.verdict()
    assert (found.ok, [one.readable for one in found.emergencies]) == (True, [False])
