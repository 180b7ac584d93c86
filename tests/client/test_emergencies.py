"""Opening a case in an emergency: at once, never unseen, never often."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from seefen.client import Client, assigning
from seefen.client.drafts import Draft
from seefen.client.findings import AuditRow
from seefen.client.values import Sent
from seefen.client.views import rows
from seefen.protocol.case import CaseState
from seefen.protocol.errors import OutOfTurnError, RefusedError, UntrustedError
from seefen.protocol.messages import (
    Emergencies,
    EmergencyAsk,
    EmergencyOpened,
    EmergencyRefused,
    Message,
    Note,
    Recall,
    Roster,
)
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, SKOPJE, WHY, until


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


async def night(place: Site, belgrade: Client, nth: int = 1) -> Client:
    """Return an officer of Belgrade who was assigned nothing; the house is open."""
    await place.broker.take(place.network.enrol(BELGRADE, ("field",)))
    client = await place.client(BELGRADE, nth=nth)
    await belgrade.house.say(Note(text="the house is open"))
    await until(lambda: client.house.said(Note), client)
    return client


async def cases(skopje: Client, officer: Client, count: int = 1) -> list[str]:
    """Let Skopje open cases with Belgrade and write into each; return their numbers."""
    numbers = list[str]()
    for n in range(count):
        view = await skopje.cases.open(f"case {n}", [BELGRADE])
        await skopje.cases.send(view.number, "the annex")
        numbers.append(view.number)
    await until(lambda: len(officer.cases.list()) == count, officer)
    await until(lambda: all(officer.cases.show(n).objects for n in numbers), officer)
    return numbers


async def asked(belgrade: Client, officer: Client, number: str) -> list[tuple[str, str]]:
    """Let an officer ask, and the keyholder's client look; return what was opened."""
    await officer.duty.emergencies.ask(number, **WHY)
    count = len(officer.house.said(EmergencyAsk))
    await until(lambda: len(belgrade.house.said(EmergencyAsk)) >= count, belgrade)
    return await belgrade.duty.assigning.look()


async def test_it_opens_at_once_and_everybody_is_told(place: Site) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    officer = await night(place, belgrade)
    [number] = await cases(skopje, officer)
    with pytest.raises(RefusedError) as sealed:
        await officer.read(f"{number}#1", **WHY)
    assert sealed.value.rule == "d-no-key"
    assert await asked(belgrade, officer, number) == [(number, officer.officer)]
    await until(lambda: officer.duty.emergencies.list()[0].state == "opened", officer)

    await until(lambda: len(skopje.cases.show(number).objects) == 2, skopje)
    assert skopje.cases.show(number).objects[1].subject == "opened in an emergency"
    told = await skopje.read(f"{number}#2", **WHY)
    assert isinstance(told.message, EmergencyOpened)
    assert told.message.officer == officer.officer

    opened = await officer.read(f"{number}#1")
    assert isinstance(opened.message, Note)
    assert opened.message.text == "the annex"
    # A colleague's word is read like any other: only who wrote it has no reading of it.
    assert not (await officer.read(f"{number}#2")).written_here
    assert (await belgrade.read(f"{number}#2", **WHY)).written_here
    assert [row.emergency for row in await readings(belgrade, officer)] == [True, True]
    verdict = await belgrade.audit.verdict()
    assert verdict.emergency == 2
    for auditor in (belgrade, skopje):  # the reader's node, and the owner of the case
        [named] = (await auditor.audit.verdict()).emergencies
        assert (named.officer, named.node, named.case) == (officer.officer, BELGRADE, number)
        assert (named.readings, named.reason_at, named.unknown) == (2, None, "")
        assert named.due_at == named.at + 86_400

    [due] = officer.duty.emergencies.list()
    with pytest.raises(RefusedError):
        await officer.duty.emergencies.reason(number, " ")
    await officer.duty.emergencies.reason(number, "the lorry was at the ramp")
    assert due.case == number
    assert officer.duty.emergencies.list() == []
    for auditor in (belgrade, skopje):  # the reader's node, and the owner of the case
        rows = await readings(auditor, officer)
        assert rows[-1].reason == "the lorry was at the ramp"
        assert rows[-1].type == "EmergencyOpened"
    [named] = (await belgrade.audit.verdict()).emergencies
    assert named.reason_at is not None
    # The reason ends nothing: he reads under the emergency until a keyholder assigns the case.
    await skopje.cases.send(number, "a second annex")
    await until(lambda: len(officer.cases.show(number).objects) == 3, officer)
    await officer.read(f"{number}#3")
    await belgrade.cases.assign(number, officer.officer)
    await until(lambda: officer.cases.show(number).assigned[0].by, officer)
    await skopje.cases.send(number, "a third annex")
    await until(lambda: len(officer.cases.show(number).objects) == 4, officer)
    await officer.read(f"{number}#4")
    marked = [row.emergency for row in await readings(belgrade, officer)]
    assert marked == [True, True, True, True, False]
    with pytest.raises(OutOfTurnError, match="waits for no reason"):
        await officer.duty.emergencies.reason(number, "again")
    with pytest.raises(RefusedError, match="this device has"):
        await officer.duty.emergencies.ask(number, **WHY)


async def test_what_he_read_by_an_older_assignment_does_not_use_the_mark_up(place: Site) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    officer = await night(place, belgrade)
    await place.broker.take(place.network.enrol(BELGRADE, ("field",)))
    [number] = await cases(skopje, officer)
    await belgrade.sync()
    await belgrade.cases.assign(number, officer.officer)
    await until(lambda: officer.cases.show(number).readable, officer)
    lost = place.network.of(BELGRADE, "field", nth=2)
    await belgrade.devices.revoke(lost.device.hex(), "lost")
    await skopje.cases.send(number, "under a new key")  # which nobody has handed him
    await until(lambda: len(officer.cases.show(number).objects) == 2, officer)
    await officer.duty.emergencies.ask(number, **WHY)
    await officer.read(f"{number}#1", **WHY)
    await until(lambda: belgrade.house.said(EmergencyAsk), belgrade)
    # As where nobody has handed the new key on: a look does that first.
    assert await belgrade.duty.assigning._granting.look(0) == [(number, officer.officer)]
    await until(lambda: officer.duty.emergencies.list()[0].state == "opened", officer)
    await officer.read(f"{number}#2")
    assert [row.emergency for row in await readings(belgrade, officer)] == [False, True]


async def test_a_keyholders_client_that_stays_answers_at_once(place: Site) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    officer = await night(place, belgrade)
    [number] = await cases(skopje, officer)
    followed = asyncio.create_task(drained(belgrade))
    try:
        await officer.duty.emergencies.ask(number, **WHY)
        # Far less than the time between two looks of a client to which nothing comes.
        view = await officer.duty.emergencies.wait(number, assigning.LOOK * 0.6)
    finally:
        followed.cancel()
    assert view.state == "opened"


async def test_who_was_given_a_case_and_reads_nothing_is_named_to_both_auditors(
    place: Site,
) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    officer = await night(place, belgrade)
    [number] = await cases(skopje, officer)
    assert await asked(belgrade, officer, number) == [(number, officer.officer)]
    await until(lambda: officer.duty.emergencies.list()[0].state == "opened", officer)
    await officer.sync()  # once, however often his client looks
    for auditor in (belgrade, skopje):
        await auditor.sync()
        [named] = (await auditor.audit.verdict()).emergencies
        assert (named.officer, named.node, named.case) == (officer.officer, BELGRADE, number)
        assert (named.readings, named.reason_at, named.unknown) == (1, None, "")
    [due] = officer.duty.emergencies.list()
    await officer.duty.emergencies.reason(due.case, "the lorry was at the ramp")
    assert (await skopje.audit.verdict()).emergencies[0].reason_at is not None


async def drained(client: Client) -> None:
    async for _ in client.events():
        pass


async def test_who_works_on_no_case_gets_none_and_asks_for_none(place: Site) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    await place.broker.take(place.network.enrol(BELGRADE, ("auditor",)))
    auditor = await place.client(BELGRADE, nth=1)
    [number] = await cases(skopje, belgrade)
    with pytest.raises(RefusedError, match="works on no case") as refused:
        await belgrade.cases.assign(number, auditor.officer)
    assert refused.value.rule == "role"
    await until(lambda: [c.number for c in auditor.cases.list()], auditor)
    with pytest.raises(RefusedError, match="works on no case"):
        await auditor.duty.emergencies.ask(number, **WHY)
    assert auditor.queued() == []


async def readings(auditor: Client, officer: Client) -> list[AuditRow]:
    rows = await auditor.audit.list(officer=officer.officer)
    return [row for row in rows if row.purpose == WHY["purpose"]]


async def test_attack_an_officer_harvests_cases_and_takes_his_questions_back(place: Site) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    officer = await night(place, belgrade)
    await belgrade.house.lay(Roster(zone="Europe/Belgrade", emergencies=Emergencies(a_day=2)))
    numbers = await cases(skopje, officer, 3)
    for number in numbers[:2]:
        assert await asked(belgrade, officer, number) == [(number, officer.officer)]
        await officer.amend.recall(officer.house.said(EmergencyAsk)[0].ref, "wrong_data")
        await until(lambda: not belgrade.house.said(EmergencyAsk), belgrade)
    assert await asked(belgrade, officer, numbers[2]) == []
    await until(lambda: officer.house.said(EmergencyRefused), officer)
    [refused] = [view for view in officer.duty.emergencies.list() if view.state == "refused"]
    assert refused.case == numbers[2]
    assert "more than 2 cases within a day" in refused.why
    assert not officer.cases.show(numbers[2]).readable
    assert await belgrade.duty.assigning.look() == []


async def test_a_roster_forbids_it_for_a_case_an_officer_or_all(place: Site) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    officer = await night(place, belgrade)
    numbers = await cases(skopje, officer, 3)
    for number, rule, why in zip(
        numbers,
        (
            Emergencies(not_cases=(numbers[0],)),
            Emergencies(not_for=(officer.officer,)),
            Emergencies(forbidden=True),
        ),
        ("keeps this case", f"does not let {officer.officer}", "lets nobody"),
        strict=True,
    ):
        await belgrade.house.lay(Roster(zone="Europe/Belgrade", emergencies=rule))
        assert await asked(belgrade, officer, number) == []
        assert why in belgrade.house.said(EmergencyRefused)[0].message.why
    await until(lambda: "lets nobody" in str(officer.duty.emergencies.list()), officer)
    count = len(belgrade.house.said(EmergencyAsk))
    with pytest.raises(OutOfTurnError, match=r"was refused: .*lets nobody"):
        await officer.duty.emergencies.ask(numbers[2], **WHY)  # and not asked for ever
    await officer.duty.emergencies.ask(numbers[2], **WHY, again=True)
    await until(lambda: len(belgrade.house.said(EmergencyAsk)) == count + 1, belgrade)


async def test_attack_a_colleague_stops_an_emergency_or_a_lost_device_asks(place: Site) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    officer = await night(place, belgrade)
    [number] = await cases(skopje, officer)
    await officer.duty.emergencies.ask(number, **WHY)
    await until(lambda: belgrade.house.said(EmergencyAsk), belgrade)
    [question] = belgrade.house.said(EmergencyAsk)
    await officer.house.say(EmergencyRefused(of=question.object, why="no"))
    await until(lambda: belgrade.house.said(EmergencyRefused), belgrade)
    assert officer.duty.emergencies.list()[0].state == "asked"  # he is no keyholder
    with pytest.raises(OutOfTurnError, match="was asked for"):
        await officer.duty.emergencies.ask(number, **WHY)
    await belgrade.devices.revoke(officer.officer, "lost")
    assert await belgrade.duty.assigning.look() == []
    assert len(belgrade.cases.show(number).objects) == 1


async def test_attack_the_key_leaves_while_the_word_to_the_members_waits(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    officer = await night(place, belgrade)
    [number] = await cases(skopje, officer)

    def stuck(draft: Draft) -> None:
        if b"EmergencyOpened" in draft.plain:
            raise RefusedError("a newer policy is closed", rule="paper-unread")

    with monkeypatch.context() as held:
        held.setattr(belgrade._outbox, "permit", stuck)
        assert await asked(belgrade, officer, number) == []
        assert await belgrade.duty.assigning.look() == []
    assert not officer.cases.show(number).readable
    assert len(belgrade.queued()) == 1
    await belgrade.sync()
    assert await belgrade.duty.assigning.look() == [(number, officer.officer)]
    await until(lambda: len(skopje.cases.show(number).objects) == 2, skopje)


async def test_attack_a_colleague_takes_a_question_back_or_an_officer_the_notice(
    place: Site,
) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    officer = await night(place, belgrade)
    await place.broker.take(place.network.enrol(BELGRADE, ("field",)))
    thief = await place.client(BELGRADE, nth=2)
    [number] = await cases(skopje, officer)
    await officer.duty.emergencies.ask(number, **WHY)
    await until(lambda: thief.house.said(EmergencyAsk), thief)
    await thief.amend.recall(thief.house.said(EmergencyAsk)[0].ref, "wrong_data")
    await until(lambda: belgrade.house.said(Recall), belgrade)
    assert await belgrade.duty.assigning.look() == [(number, officer.officer)]

    await until(lambda: officer.duty.emergencies.list()[0].state == "opened", officer)
    with pytest.raises(RefusedError, match="stays") as stays:
        await officer.amend.recall(f"{number}#2", "wrong_data")
    assert stays.value.rule == "stays"
    state = belgrade._engine.trust.require_state(skopje.cases._casework.find(number).case)
    [notice] = rows(belgrade._engine, "case_id = ? AND n = 2", state.case)
    recall = Recall(of=notice.object, recall_reason="wrong_data")
    await belgrade._messaging.send(state, recall, reply_to=notice.object)
    await until(lambda: len(skopje.cases.show(number).objects) == 3, skopje)
    assert skopje.cases.show(number).objects[1].recalled_by == ""
    await skopje.read(f"{number}#2", **WHY)


async def test_attack_an_emergency_is_granted_under_a_roster_that_a_newer_one_ended(
    place: Site,
) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    officer = await night(place, belgrade)
    [number] = await cases(skopje, officer)
    laid = await belgrade.house.lay(
        Roster(zone="Europe/Belgrade", emergencies=Emergencies(forbidden=True))
    )
    vault = belgrade._engine.vault
    sql = "UPDATE object SET body = ? WHERE n = ? AND case_id = ?"
    n, house = int(str(laid.ref).partition("#")[2]), vault.get("house")
    body = vault.one("SELECT body FROM object WHERE n = ? AND case_id = ?", n, house)
    assert body is not None
    await officer.duty.emergencies.ask(number, **WHY)
    await until(lambda: belgrade.house.said(EmergencyAsk), belgrade)
    vault.run(sql, None, n, house)
    assert belgrade.house.paper(Roster) is None
    assert await belgrade.duty.assigning.look() == []
    vault.run(sql, body[0], n, house)
    assert belgrade.house.said(EmergencyRefused) == []
    assert await belgrade.duty.assigning.look() == []
    assert "lets nobody" in belgrade.house.said(EmergencyRefused)[0].message.why


async def test_fault_a_question_that_fails_holds_up_no_other(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    officer = await night(place, belgrade)
    barred, failing, good = await cases(skopje, officer, 3)
    for number in (good, failing, barred):  # the newest is looked at first
        await officer.duty.emergencies.ask(number, **WHY)
    await until(lambda: len(belgrade.house.said(EmergencyAsk)) == 3, belgrade)
    send, find = belgrade._messaging.send, belgrade.cases._casework.find
    lost = {find(barred).case: RefusedError("not to them", rule="pair-policy"),
            find(failing).case: OutOfTurnError("later", rule="number")}  # fmt: skip

    async def sent(state: CaseState, message: Message, **more: Any) -> Sent:
        if state.case in lost:
            raise lost[state.case]
        return await send(state, message, **more)

    with monkeypatch.context() as held:
        held.setattr(belgrade._messaging, "send", sent)
        assert await belgrade.duty.assigning.look() == [(good, officer.officer)]
    [refused] = belgrade.house.said(EmergencyRefused)
    assert "not to them" in refused.message.why
    assert await belgrade.duty.assigning.look() == [(failing, officer.officer)]


async def test_a_first_try_without_a_house_and_a_case_that_was_assigned_by_hand(
    place: Site,
) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    await place.broker.take(place.network.enrol(BELGRADE, ("field",)))
    officer = await place.client(BELGRADE, nth=1)
    [number] = await cases(skopje, officer)
    with pytest.raises(UntrustedError, match="no house yet"):
        await officer.duty.emergencies.ask(number, **WHY)
    assert officer.duty.emergencies.list() == []
    await belgrade.house.say(Note(text="the house is open"))
    await until(lambda: officer.house.said(Note), officer)
    await officer.duty.emergencies.ask(number, **WHY)
    await until(lambda: belgrade.house.said(EmergencyAsk), belgrade)
    await belgrade.cases.assign(number, officer.officer)
    assert await belgrade.duty.assigning.look() == []
    await until(lambda: officer.cases.show(number).readable, officer)
    assert officer.duty.emergencies.list() == []
    await officer.read(f"{number}#1", **WHY)
    assert [row.emergency for row in await readings(belgrade, officer)] == [False]
