"""Requests at a real broker: a clock for each node, the same on both sides, no false move."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from demo import case_a
from seefen.client import Client
from seefen.client.engine import Engine
from seefen.client.lives import Lives
from seefen.client.requests import Requests
from seefen.client.values import AssignedView, LifeView
from seefen.client.views import Row
from seefen.protocol.case import CaseState
from seefen.protocol.errors import OutOfTurnError, RefusedError
from seefen.protocol.messages import (
    Bulletin,
    ControlledDelivery,
    Cover,
    InfoReply,
    InfoRequest,
    Item,
    Message,
    Note,
    TraceReply,
    TraceRequest,
)
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, PRISTINA, SKOPJE, WHY, until
from tests.protocol.messages.samples import SAMPLES

DAY = 86_400
TRACE = TraceRequest(
    to=(BELGRADE, PRISTINA),
    offence="trafficking",
    item=Item(category="pistol", make="Zastava", serial_as_read="\u0421-84417"),
    illicit_nature="seized",
    question=("manufacture",),
)
REPLY = TraceReply(
    offence="trafficking",
    outcome="no_record",
    registers=(case_a.trace_reply(bytes(16)).registers[0],),
)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE, PRISTINA) as place:
        yield place


async def asked(place: Site, message: Any = TRACE) -> tuple[Client, Client, Client, str]:
    """Return the three clients and the request that Skopje has asked the other two."""
    skopje = await place.client(SKOPJE)
    belgrade, pristina = await place.client(BELGRADE), await place.client(PRISTINA)
    case = await skopje.cases.open("Pistols", (BELGRADE, PRISTINA))
    sent = await skopje.requests.ask(case.number, message)
    ref = str(sent.ref)
    await until(lambda: belgrade.requests.list() and pristina.requests.list(), belgrade, pristina)
    await until(lambda: all(one.delivered_at for one in skopje.requests.show(ref).lives), skopje)
    return skopje, belgrade, pristina, ref


def life(client: Client, ref: str, node: str) -> LifeView:
    return next(one for one in client.requests.show(ref).lives if one.node == node)


async def test_one_record_is_asked_of_two_nodes_and_shows_two_clocks(place: Site) -> None:
    skopje, belgrade, pristina, ref = await asked(place)
    for client in (skopje, belgrade, pristina):
        view = client.requests.show(ref)
        assert [one.node for one in view.lives] == [BELGRADE, PRISTINA]
        assert view.due_s == 7 * DAY
        assert view.ours is (client is skopje)
    assert {due.node for due in skopje.requests.due()} == {BELGRADE, PRISTINA}
    assert not any(due.waits_for_us for due in skopje.requests.due())
    (mine,) = belgrade.requests.due()
    assert (mine.ref, mine.waits_for_us, mine.ours) == (ref, True, "free")
    assert mine.due_at == life(skopje, ref, BELGRADE).due_at  # both sides, the same clock


async def test_a_request_from_question_to_close(place: Site) -> None:
    skopje, belgrade, pristina, ref = await asked(place)
    await belgrade.requests.query(ref, "Which frame?")
    await pristina.requests.extend(ref, 14, "paper_register")
    await until(lambda: life(skopje, ref, BELGRADE).state == "unclear", skopje)
    await until(lambda: life(skopje, ref, PRISTINA).state == "taken", skopje)
    assert life(skopje, ref, BELGRADE).due_at is None  # the clock stands
    started = life(skopje, ref, PRISTINA).delivered_at
    assert started is not None
    assert life(skopje, ref, PRISTINA).due_at == started + 14 * DAY
    await skopje.requests.clarify(ref, "The one of photograph 2")
    await until(lambda: life(belgrade, ref, BELGRADE).state == "taken", belgrade)
    assert life(belgrade, ref, BELGRADE).due_at is not None
    await belgrade.requests.interim(ref, "The archive is being searched")
    await belgrade.read(ref, **WHY)
    await belgrade.requests.move(ref, REPLY)
    await pristina.requests.move(
        ref, TraceReply(offence="trafficking", outcome="refused", refusal_ground="ongoing")
    )
    await until(lambda: life(skopje, ref, BELGRADE).state == "answered", skopje)
    await until(lambda: life(skopje, ref, PRISTINA).state == "refused", skopje)
    assert life(skopje, ref, BELGRADE).said == "no record"
    assert life(skopje, ref, PRISTINA).said == "refused, ongoing investigation"
    assert belgrade.requests.due() == []
    assert skopje.requests.due() == []
    await skopje.requests.close(ref, "solved", "3")
    holders = belgrade, pristina
    await until(lambda: all(it.requests.show(ref).lives[0].state == "closed" for it in holders),
                *holders)  # fmt: skip
    with pytest.raises(OutOfTurnError, match="closed"):
        await belgrade.requests.move(ref, REPLY)


async def test_what_is_taken_stays_due_and_what_is_passed_on_says_where(place: Site) -> None:
    skopje, belgrade, pristina, ref = await asked(place)
    await belgrade.requests.answer(ref, "taken")
    await pristina.requests.pass_on(ref, "registry, desk 3")
    (due,) = belgrade.requests.due()
    assert due.ours == "taken"
    assert due.officer == belgrade.officer
    await until(lambda: life(skopje, ref, PRISTINA).state == "passed_on", skopje)
    await belgrade.requests.answer(ref, "not_ours", "ask Sarajevo")
    assert belgrade.requests.due() == []


async def test_a_question_back_is_the_askers_to_answer(place: Site) -> None:
    skopje, belgrade, _, ref = await asked(place, replace(TRACE, to=(BELGRADE,)))
    await belgrade.requests.query(ref, "Which frame?")
    await until(lambda: [due.ours for due in skopje.requests.waiting()] == ["unclear"], skopje)
    assert belgrade.requests.due() == []
    await skopje.requests.clarify(ref, "The one of photograph 2")
    await until(belgrade.requests.waiting, belgrade)
    assert skopje.requests.waiting() == []
    with pytest.raises(RefusedError) as refused:
        await belgrade.requests.extend(ref, 2, "workload")
    assert refused.value.rule == "not-later"
    await belgrade.requests.pass_on(ref, "registry")
    await belgrade.requests.extend(ref, 9, "paper_register")
    assert life(belgrade, ref, BELGRADE).state == "passed_on"


async def test_only_the_newest_version_of_a_request_is_answered(place: Site) -> None:
    skopje, belgrade, _, ref = await asked(place)
    newer = (await skopje.amend.replace(ref, replace(TRACE, question=("import",)))).ref
    await until(lambda: len(belgrade.requests.list()) == 1 and
                belgrade.requests.list()[0].ref == newer, belgrade)  # fmt: skip
    with pytest.raises(OutOfTurnError, match=f"replaced by {newer}"):
        await belgrade.requests.move(ref, REPLY)


async def test_a_controlled_delivery_stays_in_its_closed_group(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    delivery = replace(SAMPLES["ControlledDelivery"], to=(BELGRADE,))
    open_case = await skopje.cases.open("Parcels", (BELGRADE, PRISTINA))
    closed = await skopje.cases.open("Parcels", (BELGRADE,))
    await skopje.channels.open(CHANNEL, (BELGRADE,))
    for place_ in (open_case.number, CHANNEL):
        with pytest.raises(RefusedError) as refused:
            await skopje.requests.ask(place_, delivery)
        assert refused.value.rule == "closed-group"
    assert (await skopje.requests.ask(closed.number, delivery)).ref == f"{closed.number}#1"
    with pytest.raises(RefusedError) as refused:
        await skopje.requests.ask(closed.number, replace(TRACE, to=(SKOPJE,)))
    assert refused.value.rule == "own"


async def test_a_request_under_conditions_of_its_own_is_answered_too(place: Site) -> None:
    conditions = "Only for the laboratory"
    skopje, belgrade, pristina, ref = await asked(
        place, replace(TRACE, handling="H3", conditions=conditions)
    )
    await belgrade.requests.answer(ref, "taken")  # not opened: its conditions are not known
    await pristina.read(ref, **WHY, accept=True)
    await pristina.requests.query(ref, "Which frame?")
    views = belgrade.cases.show(ref.partition("#")[0]).objects
    assert [view.handling for view in views][:2] == ["H3", "H2"]
    own = pristina.cases.show(ref.partition("#")[0]).objects[-1]
    assert own.handling == "H3"
    opened = await pristina.read(own.ref)
    assert opened.message.conditions == conditions
    await until(lambda: len(skopje.cases.show(own.case).objects) == 3, skopje)
    # They are his own, and come back with the answer: nothing is to be accepted.
    assert (await skopje.read(own.ref, **WHY)).message == opened.message


async def test_a_withdrawn_request_is_owed_no_more(place: Site) -> None:
    skopje, belgrade, _, ref = await asked(place)
    await skopje.requests.withdraw(ref, "Found meanwhile")
    await until(lambda: belgrade.requests.due() == [], belgrade)
    with pytest.raises(OutOfTurnError, match="withdrawn"):
        await belgrade.requests.move(ref, REPLY)
    assert skopje.requests.due() == []


FALSE_MOVES: tuple[tuple[Message, str], ...] = (
    (Note(text="x", move="clarify", about=bytes(16)), "no-move"),
    (Note(text="x", move="withdraw", about=bytes(16)), "no-move"),
    (Note(text="x"), "not-a-request"),
    (TRACE, "not-a-request"),
    (InfoReply(outcome="refused", refusal_ground="ongoing"), "not-a-request"),
    (Bulletin(subject="route", description="x", valid_until="2026"), "not-a-request"),
)


async def test_what_a_holder_cannot_do_is_refused_before_it_is_sealed(place: Site) -> None:
    _, belgrade, _, ref = await asked(place)
    for message, rule in FALSE_MOVES:
        with pytest.raises((RefusedError, OutOfTurnError)) as refused:
            await belgrade.requests.move(ref, message)
        assert refused.value.rule == rule
    assert belgrade.queued() == []


async def test_who_was_not_asked_and_who_asked_cannot_answer(place: Site) -> None:
    skopje, _, pristina, ref = await asked(place, replace(TRACE, to=(BELGRADE,)))
    for client, rule in ((pristina, "not-asked"), (skopje, "own")):
        with pytest.raises(RefusedError) as refused:
            await client.requests.move(ref, REPLY)
        assert refused.value.rule == rule
    with pytest.raises(OutOfTurnError):
        await skopje.requests.clarify(ref, "Nobody asked back")
    assert pristina.requests.due() == []
    assert pristina.requests.show(ref).lives[0].node == BELGRADE


async def test_attack_a_member_ends_or_answers_the_request_of_another(place: Site) -> None:
    skopje, belgrade, pristina, ref = await asked(place, replace(TRACE, to=(BELGRADE,)))
    state, _ = pristina.find(ref)
    row = skopje.requests._row(ref)
    forged = (
        Note(text="done", move="close", about=row.object),
        Note(text="done", move="withdraw", about=row.object),
        replace(REPLY, reply_to=row.object),
    )
    for message in forged:
        # Past the check of one's own client, as a member of bad faith would send it.
        await pristina._messaging.send(state, message, reply_to=row.object)
    await until(lambda: len(skopje.cases.show(state.number).objects) == 4, skopje)
    await until(lambda: len(belgrade.cases.show(state.number).objects) == 4, belgrade)
    assert life(skopje, ref, BELGRADE).state == "asked"
    (due,) = belgrade.requests.due()
    assert due.ref == ref


async def test_only_members_are_asked_and_persons_stay_out_of_channels(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    case = await skopje.cases.open("Pistols", (BELGRADE,))
    await skopje.channels.open(CHANNEL, (BELGRADE, PRISTINA))
    with pytest.raises(RefusedError, match="pristina-ffp is no member") as refused:
        await skopje.requests.ask(case.number, TRACE)
    assert refused.value.rule == "outsider"
    info = SAMPLES["InfoRequest"]
    assert isinstance(info, InfoRequest)
    with pytest.raises(RefusedError) as refused:
        await skopje.requests.ask(CHANNEL, replace(info, to=(BELGRADE,)))
    assert refused.value.rule == "persons-in-channel"
    with pytest.raises(RefusedError) as refused:
        await skopje.requests.ask(case.number, Note(text="x"))
    assert refused.value.rule == "not-a-request"
    with pytest.raises(RefusedError) as refused:
        await skopje.cases.publish(case.number, replace(TRACE, to=(BELGRADE,)))
    assert refused.value.rule == "is-a-request"
    sent = await skopje.cases.publish(CHANNEL, SAMPLES["Bulletin"])
    assert sent.ref == f"{CHANNEL}#1"
    assert skopje.queued() == []


async def test_each_threshold_reminds_once(place: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    skopje, belgrade, _, ref = await asked(place, replace(TRACE, to=(BELGRADE,)))
    start = life(belgrade, ref, BELGRADE).delivered_at
    assert start is not None

    def at(share: float) -> None:
        for client in (skopje, belgrade):
            now = start + int(share * 7 * DAY)
            monkeypatch.setattr(client._engine, "now", lambda now=now: now)

    seen: list[tuple[list[int], list[int]]] = []
    for share in (0.1, 0.5, 0.6, 0.85, 1.5, 2.0):
        at(share)
        seen.append((
            [level for level, _ in belgrade.requests.reminders()],
            [level for level, _ in skopje.requests.reminders()],
        ))  # fmt: skip
    assert seen == [([], []), ([50], []), ([], []), ([80], []), ([100], [100]), ([], [])]
    (due,) = belgrade.requests.due()
    assert due.used == 200  # late is shown, and nothing ends by itself
    at(0)
    await belgrade.requests.extend(ref, 30, "workload")  # given more time, reminded of anew
    at(0.6 * 30 / 7)
    assert [level for level, _ in belgrade.requests.reminders()] == [50]


async def test_a_form_without_a_refusal_of_its_own_is_refused_with_its_ground_all_the_same(
    place: Site,
) -> None:
    ballistic = SAMPLES["BallisticRequest"]
    assert isinstance(ballistic, Message)
    question = replace(ballistic, to=(BELGRADE, PRISTINA), exercise=False)
    skopje, belgrade, _, ref = await asked(place, question)
    await belgrade.requests.answer(ref, "rejected", ground="other_authority")
    await until(lambda: skopje.requests.show(ref).lives[0].said, skopje)
    # From the cover alone: the ground is counted, and asks for no opening.
    assert skopje.requests.show(ref).lives[0].said == "rejected, another authority must consent"
    with pytest.raises(RefusedError, match="goes with rejected"):
        await belgrade.requests.answer(ref, "taken", ground="ongoing")


async def test_a_leg_that_nobody_takes_over_is_late_for_who_asked(place: Site) -> None:
    delivery = SAMPLES["ControlledDelivery"]
    assert isinstance(delivery, ControlledDelivery)
    skopje, belgrade, _, ref = await asked(place, replace(delivery, to=(BELGRADE, PRISTINA)))
    step = ControlledDelivery(
        step="handover", of=skopje.cases.object_id(ref), leg=2, to=(BELGRADE, PRISTINA)
    )
    handover = str((await skopje.requests.ask(ref.partition("#")[0], step)).ref)
    await until(lambda: all(x.delivered_at for x in skopje.requests.show(handover).lives), skopje)
    await belgrade.requests.answer(handover, "taken")
    await until(lambda: skopje.requests.show(handover).lives[0].state == "taken", skopje)
    now = skopje._engine.now()
    skopje._engine.now = lambda: now + 11 * 60  # type: ignore[method-assign]
    late = [one for one in skopje.requests.due() if one.ref == handover]
    assert [(one.node, one.used >= 100) for one in late] == [(PRISTINA, True)]
    assert [level for level, due in skopje.requests.reminders() if due.ref == handover] == [100]


async def test_what_is_settled_is_read_no_more_and_what_is_not_stays_due(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade, pristina, ref = await asked(place)
    alert = await skopje.cases.send(ref.partition("#")[0], "no request: it asks nothing")
    assert alert.ref
    await belgrade.read(ref, **WHY)
    await belgrade.requests.move(ref, REPLY)
    await pristina.requests.answer(ref, "not_ours", "ask Sarajevo")
    await until(lambda: skopje.requests.due() == [], skopje)
    assert belgrade.requests.due() == pristina.requests.due() == []
    read = list[bytes]()

    def spied(self: Requests, row: Row, cover: Cover) -> Lives:
        read.append(row.object)
        return lives(self, row, cover)

    lives = Requests._lives
    monkeypatch.setattr(Requests, "_lives", spied)
    assert belgrade.requests.due() == []
    assert read == []  # answered: nothing leads back from there
    # What is not ours may be taken all the same, and then it is due on both sides.
    await pristina.requests.answer(ref, "taken")
    assert [due.ours for due in pristina.requests.due()] == ["taken"]
    await until(lambda: [due.node for due in skopje.requests.due()] == [PRISTINA], skopje)
    await pristina.read(ref, **WHY)
    await pristina.requests.move(ref, REPLY)
    await until(lambda: skopje.requests.due() == [], skopje)
    read.clear()
    assert skopje.requests.due() == []
    assert read == []
    await skopje.requests.close(ref, "solved")  # the list of requests shows all as before
    (shown,) = skopje.requests.list()
    assert {life.state for life in shown.lives} == {"closed"}


async def test_many_requests_of_a_case_ask_once_who_has_it(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    skopje, belgrade, _, ref = await asked(place)
    case = ref.partition("#")[0]
    await skopje.requests.ask(case, replace(TRACE, to=(BELGRADE,), message_id=bytes([1] * 16)))
    await until(lambda: len(belgrade.requests.due()) == 2, belgrade)
    asked_for = list[str]()

    def spied(engine: Engine, state: CaseState) -> tuple[AssignedView, ...]:
        asked_for.append(state.number)
        return ()

    monkeypatch.setattr("seefen.client.requests.holders", spied)
    assert (len(belgrade.requests.due()), asked_for) == (2, [case])
