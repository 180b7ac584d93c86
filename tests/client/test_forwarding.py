"""Passing on: with its author's leave, whole, and refused before it is sealed without."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from seefen.client import Client
from seefen.protocol.errors import OutOfTurnError, RefusedError
from seefen.protocol.messages import Forwarded, Message, Note, PairPolicy, PairRow, SeizureAlert
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, PRISTINA, SKOPJE, WHY, alert, until
from tests.client.test_pairs import named

BOTH = f"{CHANNEL}#1"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE, PRISTINA) as place:
        yield place


async def scene(place: Site) -> tuple[Client, Client, Client, str]:
    """Skopje alerts Belgrade, which has opened it and has a case with Pristina."""
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    await skopje.channels.open(CHANNEL, [BELGRADE])
    await skopje.alerts.send(alert(), CHANNEL)
    await until(belgrade.alerts.list, belgrade)
    await belgrade.read(BOTH, **WHY)
    case = await belgrade.cases.open("Passed on", [PRISTINA])
    return skopje, belgrade, await place.client(PRISTINA), case.number


async def permitted(skopje: Client, belgrade: Client, case: str, **terms: str) -> None:
    """Belgrade asks, Skopje decides, and Belgrade opens the decision."""
    asked = str((await belgrade.onward.ask(BOTH, case, "The buyer lives there.")).ref)
    await until(lambda: skopje.requests.waiting(), skopje)
    await skopje.read(asked, **WHY)
    given = str((await skopje.onward.permit(asked, **terms)).ref)
    await until(lambda: belgrade.requests.show(asked).lives[0].state in ("answered", "refused"),
                belgrade)  # fmt: skip
    await belgrade.read(given, **WHY, accept=True)


async def rule(client: Client, case: str, ref: str = BOTH) -> str:
    with pytest.raises(RefusedError) as refused:
        await client.onward.forward(ref, case, again=True)
    assert client.queued() == []
    return refused.value.rule


async def test_what_was_permitted_is_forwarded_and_read_as_its_authors(place: Site) -> None:
    skopje, belgrade, pristina, case = await scene(place)
    assert await rule(belgrade, case) == "onward-permission"
    await permitted(skopje, belgrade, case, conditions="Not in court.")

    sent = str((await belgrade.onward.forward(BOTH, case, "As agreed")).ref)
    await until(lambda: [c for c in pristina.cases.list() if c.unread], pristina)
    with pytest.raises(RefusedError, match=f"already, as {sent}") as refused:
        await belgrade.onward.forward(BOTH, case)
    assert refused.value.rule == "done"
    view = pristina.cases.show(f"{case}").objects[0]
    assert (view.type, view.subject, view.handling) == (
        "Forwarded",
        "1 pistol, border crossing, preliminary",
        "H2",
    )
    opened = await pristina.read(sent, **WHY, accept=True)
    original = opened.original
    assert original is not None
    assert (original.node, original.handling) == (SKOPJE, "H2")
    assert isinstance(original.message, SeizureAlert)
    assert original.message.items == alert().items
    assert original.conditions == ("Not in court.",)
    assert pristina.check("\u0421-84417", **WHY).exact
    exported = (await pristina.export.make(sent)).messages[0]
    assert (exported.type, exported.original_of) == ("SeizureAlert", SKOPJE)
    assert exported.conditions == "Not in court."
    assert "original" not in exported.message

    # Further on: by the leave of its author again, and not of whoever passed it on.
    further = await pristina.cases.open("Further", [BELGRADE])
    assert await rule(pristina, further.number, sent) == "onward-permission"
    back = await pristina.cases.open("Back", [SKOPJE])
    assert (await pristina.onward.forward(sent, back.number)).ref == f"{back.number}#1"
    assert await rule(belgrade, case, sent) == "own-case"


async def test_a_refusal_and_what_was_taken_back_are_not_passed_on(place: Site) -> None:
    skopje, belgrade, pristina, case = await scene(place)
    await permitted(skopje, belgrade, case)
    sent = str((await belgrade.onward.forward(BOTH, case)).ref)
    await permitted(skopje, belgrade, case, refused="Not any more.")  # the newest decision counts
    assert await rule(belgrade, case) == "onward-permission"

    recall = str((await skopje.amend.recall(BOTH, "wrong_data")).ref)
    assert skopje.onward.permitted(recall) == (PRISTINA,)
    await until(lambda: belgrade.alerts.list()[0].recalled_by, belgrade)
    assert await rule(belgrade, case) == "recalled"
    await until(lambda: [c for c in pristina.cases.list() if c.unread], pristina)
    assert (await pristina.read(sent, **WHY)).original is not None  # Skopje's recall is not there
    with pytest.raises(RefusedError, match="took seefen-border#1 back") as refused:
        await belgrade.read(sent)
    assert refused.value.rule == "recalled"


async def test_what_was_taken_back_is_not_found_in_a_copy_of_it(place: Site) -> None:
    """The copy stands in a case of which its author is no member: no recall of it comes there."""
    skopje, belgrade, pristina = [await place.client(one) for one in (SKOPJE, BELGRADE, PRISTINA)]
    await skopje.channels.open(CHANNEL, (BELGRADE, PRISTINA))
    await skopje.alerts.send(replace(alert(), handling="H0"), CHANNEL)
    await until(belgrade.alerts.list, belgrade)
    await belgrade.alerts.show(BOTH, **WHY, accept=True)
    case = (await belgrade.cases.open("Passed on", [PRISTINA])).number
    copy = str((await belgrade.onward.forward(BOTH, case)).ref)
    await until(lambda: [c for c in pristina.cases.list() if c.unread], pristina)
    await pristina.read(copy, **WHY, accept=True)
    serial = "\u0421-84417"
    assert [hit.ref for hit in pristina.check(serial, **WHY).exact] == [copy]
    assert [view.ref for view in pristina.search("84417", **WHY).views] == [copy]

    recall = str((await skopje.amend.recall(BOTH, "wrong_data")).ref)
    holders = belgrade, pristina
    await until(lambda: all(it.alerts.list()[0].recalled_by for it in holders), *holders)
    for client in holders:
        with pytest.raises(RefusedError, match=f"took {BOTH} back"):
            await client.read(copy)
        assert client.check(serial, **WHY).exact == ()
        assert client.search("84417", **WHY).views == ()
    await skopje.requests.withdraw(recall, "It was right after all")
    await until(lambda: not pristina.alerts.list()[0].recalled_by, pristina)
    assert copy in [hit.ref for hit in pristina.check(serial).exact]


async def test_a_permission_that_is_over_is_not_given(place: Site) -> None:
    skopje, belgrade, _, case = await scene(place)
    with pytest.raises(RefusedError, match="is over") as refused:
        await permitted(skopje, belgrade, case, until="2025-01-01")
    assert refused.value.rule == "past"
    assert skopje.queued() == []


async def test_attack_a_newer_decision_is_left_closed(place: Site) -> None:
    skopje, belgrade, _, case = await scene(place)
    await permitted(skopje, belgrade, case)
    asked = f"{CHANNEL}#2"
    stricter = str((await skopje.onward.permit(asked, conditions="No press.")).ref)
    await until(lambda: len(belgrade.cases.show(CHANNEL).objects) == 4, belgrade)
    with pytest.raises(RefusedError, match=f"open {stricter} first") as refused:
        await belgrade.onward.forward(BOTH, case)
    assert refused.value.rule == "decision-unread"
    await belgrade.read(stricter, **WHY, accept=True)
    copy = str((await belgrade.onward.forward(BOTH, case)).ref)
    assert (await belgrade.read(copy)).original is not None

    # A request of its own, refused and not opened.
    again = str((await belgrade.onward.ask(BOTH, case, "Once more.")).ref)
    await until(lambda: skopje.requests.waiting(), skopje)
    await skopje.read(again, **WHY)
    with pytest.raises(OutOfTurnError, match="recall"):
        await skopje.onward.permit(asked, refused="No.")
    await skopje.onward.permit(again, refused="No.")
    await until(lambda: belgrade.requests.show(again).lives[0].state == "refused", belgrade)
    other = (await belgrade.cases.open("Another", [PRISTINA])).number
    assert await rule(belgrade, other) == "decision-unread"
    # On another message it says nothing.
    await skopje.cases.publish(CHANNEL, Note(text="free to go", handling="H1"))
    await until(lambda: len(belgrade.cases.show(CHANNEL).objects) == 7, belgrade)
    await belgrade.read(f"{CHANNEL}#7", **WHY)
    assert await rule(belgrade, other, f"{CHANNEL}#7") == "onward-permission"


async def test_a_permission_that_is_taken_back_takes_the_copy_with_it(place: Site) -> None:
    skopje, belgrade, _, case = await scene(place)
    await permitted(skopje, belgrade, case)
    copy = str((await belgrade.onward.forward(BOTH, case)).ref)
    given = f"{CHANNEL}#3"
    await skopje.amend.recall(given, "court")
    await until(lambda: copy in [due.ref for due in belgrade.requests.waiting()], belgrade)
    with pytest.raises(RefusedError, match=copy) as refused:
        await belgrade.amend.erase(given)
    assert refused.value.rule == "passed-on"
    await belgrade.amend.recall(copy, "court")
    await belgrade.amend.erase(given)
    assert copy not in [due.ref for due in belgrade.requests.waiting()]


async def test_what_its_author_corrects_follows_the_copy(place: Site) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    pristina = await place.client(PRISTINA)
    case = (await skopje.cases.open("One", [BELGRADE])).number
    other = (await belgrade.cases.open("Other", [PRISTINA])).number
    await skopje.cases.publish(case, Note(text="headstamp 11", handling="H0"))
    await until(lambda: belgrade.cases.show(case).objects, belgrade)
    await belgrade.read(f"{case}#1", **WHY)
    copy = str((await belgrade.onward.forward(f"{case}#1", other)).ref)

    await skopje.amend.correct(f"{case}#1", "misread", "17", "11")
    # Pristina is in another case: whoever passed it on is told that his copy is wrong now.
    async for event in belgrade.events():
        if event.what == "passed-on":
            assert event.ref == copy
            assert event.text.startswith(f"{SKOPJE} corrected {case}#1")
            break
    await belgrade.read(f"{case}#2", **WHY)
    correction = str((await belgrade.onward.forward(f"{case}#2", other)).ref)
    await until(lambda: len(pristina.cases.show(other).objects) == 2, pristina)
    assert (await pristina.read(copy, **WHY)).corrections == ()  # not opened yet
    await pristina.read(correction, **WHY)
    (said,) = (await pristina.read(copy, **WHY)).corrections
    assert (said.ref, said.was, said.now) == (correction, "11", "17")


async def test_what_may_go_without_asking_and_what_never_goes(place: Site, tmp_path: Path) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    case = (await skopje.cases.open("One", [BELGRADE])).number
    other = (await belgrade.cases.open("Other", [PRISTINA])).number
    channel = await belgrade.channels.open(CHANNEL, [PRISTINA])
    annex = tmp_path / "annex.pdf"
    annex.write_bytes(b"%PDF-1.7")
    await skopje.cases.publish(case, Note(text="free", handling="H0"))
    await skopje.cases.publish(case, named())
    await skopje.cases.send(case, "ours", [annex])
    await until(lambda: len(belgrade.cases.show(case).objects) == 4, belgrade)

    assert await rule(belgrade, other, f"{case}#1") == "not-opened"
    await belgrade.read(f"{case}#1", **WHY)
    assert (await belgrade.onward.forward(f"{case}#1", other)).ref == f"{other}#1"
    assert await rule(belgrade, other, f"{case}#4") == "is-a-file"
    with pytest.raises(RefusedError, match="nobody is to be asked"):
        await skopje.onward.ask(f"{case}#3", case, "mine")

    # Ours needs nobody's leave; a name goes into no channel, and past no pair policy.
    mine = (await skopje.cases.open("Mine", [PRISTINA])).number
    assert (await skopje.onward.forward(f"{case}#2", mine)).ref == f"{mine}#1"
    await skopje.channels.open("skopje-only", [PRISTINA])
    assert await rule(skopje, "skopje-only", f"{case}#2") == "persons-in-channel"
    await skopje.house.lay(PairPolicy(rows=(PairRow(n=7, to="*"),)))
    assert await rule(skopje, mine, f"{case}#2") == "pair-persons"
    long: Message = Note(text="x" * 8000, national_ref="1")
    assert (await skopje.cases.publish(case, long)).ref is not None
    assert (await skopje.onward.forward(f"{case}#5", mine)).ref == f"{mine}#2"
    assert channel.number == CHANNEL
    assert skopje.cases.show(mine).objects[1].type == Forwarded.TYPE


async def test_attack_a_weapon_goes_on_in_a_question_without_leave(place: Site) -> None:
    skopje, belgrade, _, case = await scene(place)
    with pytest.raises(RefusedError, match="has not let it go to pristina-ffp") as refused:
        belgrade.onward.require_about(BOTH, case)
    assert refused.value.rule == "onward-permission"
    back = await belgrade.cases.open("Back", [SKOPJE])
    belgrade.onward.require_about(BOTH, back.number)  # its author has it
    await permitted(skopje, belgrade, case)
    belgrade.onward.require_about(BOTH, case)
    await skopje.amend.correct(BOTH, "misread", "C-84418")
    await until(lambda: belgrade.cases.show(CHANNEL).objects[0].corrected_by, belgrade)
    with pytest.raises(RefusedError, match="was corrected") as refused:
        belgrade.onward.require_about(BOTH, back.number)
    assert refused.value.rule == "corrected"
    correction = str(belgrade.cases.show(CHANNEL).objects[0].corrected_by)
    await belgrade.read(correction, **WHY, accept=True)
    with pytest.raises(RefusedError, match="was corrected"):  # what it was is not said
        belgrade.onward.require_about(BOTH, back.number, "C-84417")


async def test_attack_a_case_opened_from_an_alert_passes_on_what_it_says(place: Site) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    await skopje.channels.open(CHANNEL, [BELGRADE])
    strict = {"handling": "H3", "conditions": "To nobody but you.", "exercise": True}
    for terms in ({}, strict, {"tlp": "TLP:AMBER+STRICT", "conditions": "Not to Pristina."}):
        await skopje.alerts.send(replace(alert(), **terms), CHANNEL)
    await until(lambda: len(belgrade.alerts.list()) == 3, belgrade)
    await belgrade.read(f"{CHANNEL}#3", **WHY, accept=True)
    pristina = await place.client(PRISTINA)
    found: list[Message] = []
    for n in (1, 2, 3):
        case = (await belgrade.cases.open("Audi", [PRISTINA], f"{CHANNEL}#{n}")).number
        await until(lambda: [one for one in pristina.cases.list() if one.unread], pristina)
        found.append((await pristina.read(f"{case}#1", **WHY, accept=True)).message)
    # Where it stands there, and not a word of it; unread as strict as anything is.
    for n, note in enumerate(found, 1):
        assert isinstance(note, Note)
        assert note.text == f"Opened from alert {CHANNEL}#{n}."
    marked = [(one.handling, one.tlp, one.exercise) for one in found]
    assert marked == [
        ("H2", "TLP:RED", False),
        ("H3", "TLP:RED", True),
        ("H2", "TLP:AMBER+STRICT", False),
    ]
    assert [one.conditions for one in found] == ["", *(f"Those of {CHANNEL}#{n}." for n in (2, 3))]

    # Who comes later does not read it at all.
    case = (await belgrade.cases.open("Alone", [], f"{CHANNEL}#1", again=True)).number
    await belgrade.cases.add(case, [PRISTINA])
    await until(lambda: case in [one.number for one in pristina.cases.list()], pristina)
    with pytest.raises(RefusedError) as refused:
        await pristina.read(f"{case}#1", **WHY, accept=True)
    assert refused.value.rule in ("unknown-object", "d-no-key")
