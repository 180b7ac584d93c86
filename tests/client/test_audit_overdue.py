"""A reason of an emergency that is overdue: not in order, until it is given or explained."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from seefen.client import Client, reading
from seefen.client.audit import emergencies, rowing
from seefen.client.audit.emergencies import CLOSED, ERASED, SEALED, Emergency
from seefen.client.audit.explaining import Explaining
from seefen.client.audit.filters import this_month
from seefen.client.engine import Engine
from seefen.client.explained import REASON
from seefen.protocol.messages import EmergencyAsk, EmergencyOpened
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, SKOPJE, WHY, until
from tests.client.test_audit_erased import erase, over
from tests.client.test_audit_withheld import run
from tests.client.test_emergencies import asked, cases, night

__all__ = ["over"]

WORDS = "his device was lost in the river; he told the head of his node why"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


async def opened(place: Site, nth: int = 1) -> tuple[Client, Client, Client, str]:
    """Return Skopje, Belgrade and its officer, who has opened a case of Skopje in an emergency."""
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    officer = await night(place, belgrade, nth)
    [number] = await cases(skopje, officer)
    await asked(belgrade, officer, number)
    await until(lambda: officer.duty.emergencies.list()[0].state == "opened", officer)
    await officer.read(f"{number}#1")
    await officer.sync()  # his client enters the notice, if it has not yet
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


def stale(_: object) -> bool:
    """Say that no witness has seen the log lately."""
    return True


async def test_a_reason_that_is_sealed_to_others_is_not_called_overdue(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, belgrade, _, _ = await opened(place)
    monkeypatch.setattr(emergencies, "DAY", 0)
    monkeypatch.setattr(emergencies, "reads_reason", sealed)
    found = await belgrade.audit.verdict()
    assert (found.ok, [one.unknown for one in found.emergencies]) == (True, [SEALED])


async def test_a_reading_past_a_stale_log_is_no_emergency(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is marked there, and nobody is asked why: no reason could be given."""
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    officer = await night(place, belgrade)
    [number] = await cases(skopje, officer)
    await belgrade.cases.assign(number, officer.officer)
    # Another node's word, at that, which makes nobody owe one.
    state = skopje.cases._casework.find(number)
    device = officer._engine.keys.device
    notice = EmergencyOpened(officer=officer.officer, device=device, **WHY)
    await skopje._messaging.send(state, notice)
    await until(lambda: len(officer.cases.show(number).objects) == 2, officer)
    with monkeypatch.context() as old:
        old.setattr(reading, "stale", stale)
        for n in (1, 2):
            await officer.read(f"{number}#{n}", **WHY)
    monkeypatch.setattr(emergencies, "DAY", 0)
    for auditor in (skopje, belgrade):
        found = await auditor.audit.verdict()
        assert (found.ok, found.emergency, found.emergencies) == (True, 2, ())
    assert officer.duty.emergencies.list() == []


async def test_who_has_no_key_of_a_case_names_what_he_cannot_judge(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An auditor alone sees no cover: whether a reading was of a notice is not known to him."""
    await place.broker.take(place.network.enrol(BELGRADE, ("auditor",)))
    alone = await place.client(BELGRADE, "auditor", nth=1)
    _, _, officer, number = await opened(place, nth=2)
    monkeypatch.setattr(emergencies, "DAY", 0)
    found = await alone.audit.verdict()
    assert found.ok
    [named] = found.emergencies
    assert (named.officer, named.case) == (officer.officer, number)
    assert (named.readings, named.unknown) == (2, CLOSED)


async def test_a_colleague_who_opens_the_notice_past_a_stale_log_owes_no_reason(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its body is closed to Skopje, where whom it names is not known yet."""
    skopje, belgrade, officer, number = await opened(place)
    await officer.duty.emergencies.reason(number, "the lorry was at the ramp")
    await place.broker.take(place.network.enrol(BELGRADE, ("field",)))
    colleague = await place.client(BELGRADE, nth=2)
    await belgrade.sync()
    await belgrade.cases.assign(number, colleague.officer)
    await until(lambda: colleague.cases.show(number).readable, colleague)
    with monkeypatch.context() as old:
        old.setattr(reading, "stale", stale)
        await colleague.read(f"{number}#2", **WHY)
    monkeypatch.setattr(emergencies, "DAY", 0)
    found = await belgrade.audit.verdict()  # who wrote it knows whom it names
    assert (found.ok, len(found.emergencies)) == (True, 1)
    found = await skopje.audit.verdict()
    assert (found.ok, [one.unknown for one in found.emergencies]) == (True, ["", CLOSED])
    await skopje.read(f"{number}#2", **WHY)
    assert len((await skopje.audit.verdict()).emergencies) == 1


async def test_a_reason_that_came_before_the_seed_that_opens_it_is_not_missing(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, _, officer, number = await opened(place)
    await officer.duty.emergencies.reason(number, "the lorry was at the ramp")
    with monkeypatch.context() as before:
        before.setattr(Engine, "mailbox_seed", no_seed)
        [named] = (await skopje.audit.verdict()).emergencies
        assert named.reason_at is None
        before.setattr(emergencies, "DAY", 0)
        found = await skopje.audit.verdict()
        assert (found.ok, [one.unknown for one in found.emergencies]) == (True, [SEALED])
    monkeypatch.setattr(emergencies, "DAY", 0)
    found = await skopje.audit.verdict()
    assert (found.ok, found.findings) == (True, ())
    assert found.emergencies[0].reason_at is not None


def no_seed(*_: object) -> None:
    """Hold no seed of any mailbox."""


@pytest.mark.usefixtures("over")
async def test_what_was_erased_is_not_called_missing(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """His reason is gone with the readings of last year; those of this year are still there."""
    skopje, belgrade, officer, number = await opened(place)
    await officer.duty.emergencies.reason(number, "the lorry was at the ramp")
    place.broker.services.broker.retention.years = 3
    assert await erase(place) > 0
    await skopje.cases.send(number, "a second annex")
    await until(lambda: len(officer.cases.show(number).objects) == 3, officer)
    await officer.read(f"{number}#3", **WHY)  # in another shift, for which no reason was stated
    monkeypatch.setattr(emergencies, "DAY", 0)
    found = await belgrade.audit.verdict()
    assert (found.ok, [one.unknown for one in found.emergencies]) == (True, [ERASED])
    assert (await skopje.audit.verdict()).ok


@pytest.mark.parametrize("given", [True, False])
async def test_a_reason_is_for_one_emergency_and_not_for_the_next(
    place: Site, monkeypatch: pytest.MonkeyPatch, *, given: bool
) -> None:
    """One that comes late is for both: his client asks once for all that wait."""
    skopje, belgrade, officer, number = await opened(place)
    if given:
        await officer.duty.emergencies.reason(number, "the lorry was at the ramp")
    await place.broker.take(place.network.enrol(BELGRADE, ("field",)))
    await belgrade.sync()
    lost = place.network.of(BELGRADE, "field", nth=2)
    await belgrade.devices.revoke(lost.device.hex(), "lost")
    await skopje.cases.send(number, "under a new key")  # which nobody has handed him
    await until(lambda: len(officer.cases.show(number).objects) == 3, officer)
    await officer.duty.emergencies.ask(number, **WHY)
    await until(lambda: belgrade.house.said(EmergencyAsk)[1:], belgrade)
    assert await belgrade.duty.assigning._granting.look(0) == [(number, officer.officer)]
    await until(lambda: officer.duty.emergencies.list()[0].state == "opened", officer)
    await officer.sync()
    monkeypatch.setattr(emergencies, "DAY", 0)
    for auditor in (skopje, belgrade):
        found = await auditor.audit.verdict()
        assert not found.ok
        assert [one.reason_at is None for one in found.emergencies] == [not given, True]
    await officer.duty.emergencies.reason(number, "another lorry")
    assert (await skopje.audit.verdict()).ok


async def test_emergencies_are_looked_through_once_for_a_verdict(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no reason is opened anew where one was given, or none is due."""
    skopje, _, officer, number = await opened(place)
    walks, asked = list[int](), list[int]()
    real, reads = Explaining.emergencies, rowing.reads_reason

    def walked(self: Explaining) -> list[Emergency]:
        walks.append(1)
        return real(self)

    def read(*args: Any) -> bool:
        asked.append(1)
        return reads(*args)

    monkeypatch.setattr(Explaining, "emergencies", walked)
    monkeypatch.setattr(emergencies, "reads_reason", read)
    await skopje.audit.verdict()
    assert (len(walks), len(asked)) == (1, 0), "it is not due yet"
    monkeypatch.setattr(emergencies, "DAY", 0)
    await skopje.audit.verdict()
    assert (len(walks), len(asked)) == (2, 1)
    await officer.duty.emergencies.reason(number, "the lorry was at the ramp")
    await skopje.audit.verdict()
    assert (len(walks), len(asked)) == (3, 1), "it was given"


async def test_two_keyholders_who_answered_one_question_began_one_emergency(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The notice of the second waited in his queue; nobody is asked for a reason once more."""
    skopje, belgrade, officer, number = await opened(place)
    await officer.duty.emergencies.reason(number, "the lorry was at the ramp")
    state, device = belgrade.cases._casework.find(number), officer._engine.keys.device
    notice = EmergencyOpened(officer=officer.officer, device=device, **WHY)
    await belgrade._messaging.send(state, notice)
    await skopje.cases.send(number, "a second annex")
    await until(lambda: len(officer.cases.show(number).objects) == 4, officer)
    await officer.read(f"{number}#4", **WHY)
    monkeypatch.setattr(emergencies, "DAY", 0)
    for auditor in (belgrade, skopje):
        verdict = await auditor.audit.verdict()
        assert verdict.ok, verdict.sentence
