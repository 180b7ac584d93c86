"""Presets: they fill in what an officer left, and never what he said."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from seefen.client import Client
from seefen.protocol.errors import RefusedError, UntrustedError
from seefen.protocol.messages import (
    EmergencyOpened,
    Flash,
    InfoReply,
    Message,
    Note,
    OnwardDecision,
    Opening,
    Preset,
    Presets,
    Recall,
    TraceRequest,
    message_from_form,
    saying,
)
from tests.client.homes import Site, site
from tests.client.scenes import BELGRADE, CHANNEL, SKOPJE, alert, until
from tests.client.test_actiondays import DAY, FIRST
from tests.protocol.messages.samples import SAMPLES

PRESETS = Presets(
    rows=(
        Preset(form="SeizureAlert", handling="H1", info_eval="2"),
        Preset(form="InfoRequest", basis="pcc-see"),
        Preset(handling="H0", tlp="TLP:GREEN"),
    ),
    opening=(
        Opening(form="SeizureAlert", purpose="detection", basis="national-law"),
        Opening(purpose="investigation", basis="pcc-see"),
    ),
)
QUESTION = {
    "offence": "trafficking", "to": [BELGRADE], "about": ["weapon"], "what_is_asked": "Earlier?",
    "facts": "Twelve pistols.", "why_you": "Made there.",
}  # fmt: skip


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, SKOPJE, BELGRADE) as place:
        yield place


async def enrolled(place: Site, *roles: str) -> Client:
    await place.broker.take(place.network.enrol(SKOPJE, roles))
    return await place.client(SKOPJE, nth=1)


def terms(message: Message) -> tuple[str, str, str, str, str]:
    return message.handling, message.tlp, message.info_eval, message.purpose, message.basis


async def sent_of(client: Client, ref: str | None) -> Message:
    assert ref is not None
    return (await client.read(ref)).message


async def test_what_was_left_is_preset_and_what_was_said_stands(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    await skopje.channels.open(CHANNEL, [BELGRADE])
    assert skopje.presets.fill(note := Note(text="x")) is note
    laid = await skopje.house.lay(PRESETS)
    assert laid.ref == "house#1"

    sent = await skopje.alerts.send(alert(), CHANNEL)
    made = await sent_of(skopje, sent.ref)
    assert terms(made) == ("H1", "TLP:GREEN", "2", "detection", "pcc-see")

    said = saying(alert(), "handling")  # H2 is the form's own, and meant
    made = await sent_of(skopje, (await skopje.alerts.send(said, CHANNEL)).ref)
    assert made.handling == "H2"
    case = await skopje.cases.open("Presets", [BELGRADE])
    form = message_from_form("Note", {"text": "x", "handling": "H2", "tlp": "TLP:AMBER"})
    assert isinstance(form, Note)
    made = await sent_of(skopje, (await skopje.cases.publish(case.number, form)).ref)
    assert (made.handling, made.tlp) == ("H2", "TLP:AMBER")

    asked = message_from_form("InfoRequest", QUESTION)  # its basis is the node's, or it is missed
    assert isinstance(asked, Message)
    made = await sent_of(skopje, (await skopje.requests.ask(case.number, asked)).ref)
    assert (made.basis, made.handling) == ("pcc-see", "H0")


async def test_a_version_and_what_is_about_a_message_keep_its_terms(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    await skopje.channels.open(CHANNEL, [BELGRADE])
    first = str((await skopje.alerts.send(alert(), CHANNEL)).ref)
    await skopje.house.lay(PRESETS)

    newer = await sent_of(skopje, (await skopje.amend.confirm(first)).ref)
    assert terms(newer) == terms(alert())
    note = await sent_of(skopje, (await skopje.cases.refer(str(f"{CHANNEL}#2"), "siena", "1")).ref)
    assert note.handling == "H2"
    back = await sent_of(skopje, (await skopje.amend.recall(f"{CHANNEL}#2", "wrong_data")).ref)
    assert isinstance(back, Recall)
    assert terms(back)[:2] == terms(alert())[:2] == ("H2", "TLP:AMBER+STRICT")


async def test_officers_open_under_what_is_preset(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    await skopje.channels.open(CHANNEL, [BELGRADE])
    sent = await skopje.alerts.send(alert(), CHANNEL)
    assert skopje.presets.opening_of(str(sent.ref)) == ("", "")
    await skopje.house.lay(PRESETS)

    assert skopje.presets.opening_of(str(sent.ref)) == ("detection", "national-law")
    assert skopje.presets.opening_of(CHANNEL) == ("investigation", "pcc-see")
    assert skopje.presets.opening_of("nothing-here#1") == ("investigation", "pcc-see")
    assert skopje.presets.opening(TraceRequest.TYPE) == ("investigation", "pcc-see")


async def test_who_lays_down_presets_and_what_may_stand_in_them(place: Site) -> None:
    skopje, lead = await place.client(SKOPJE), await enrolled(place, "lead")
    with pytest.raises(UntrustedError, match="admin") as role:
        await lead.house.lay(PRESETS)
    assert role.value.rule == "role"
    with pytest.raises(RefusedError, match="no message TraceRequests"):
        await skopje.house.lay(Presets(rows=(Preset(form="TraceRequests", handling="H1"),)))
    case = await skopje.cases.open("Presets", [BELGRADE])
    with pytest.raises(RefusedError, match="house") as paper:
        await skopje.cases.publish(case.number, PRESETS)
    assert paper.value.rule == "paper"
    assert skopje.house.laid(Presets) is None
    for version in (1, 2):
        await skopje.house.lay(PRESETS)
        laid = skopje.house.laid(Presets)
        assert laid is not None
        assert laid.message.version == version


async def test_attack_a_device_that_is_no_admin_takes_a_paper_back_or_replaces_it(
    place: Site,
) -> None:
    skopje, field = await place.client(SKOPJE), await enrolled(place, "field")
    await skopje.house.lay(PRESETS)
    await until(lambda: field.house.laid(Presets), field)
    laid = field.house.laid(Presets)
    assert laid is not None
    await field.house.say(Presets(), supersedes=laid.object)
    await field.house.say(Recall(of=laid.object, recall_reason="wrong_data"), reply_to=laid.object)
    await until(lambda: len(skopje.house.said(Recall)) == 1, skopje)

    for client in (skopje, field):
        assert client.house.paper(Presets) == laid.message
        assert client.presets.fill(alert()).handling == "H1"


async def test_a_paper_is_not_taken_back_but_followed_by_a_newer_one(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    await skopje.house.lay(PRESETS)
    with pytest.raises(RefusedError, match="a newer one") as stays:
        await skopje.amend.recall("house#1", "wrong_data")
    assert stays.value.rule == "stays"
    laid = skopje.house.laid(Presets)
    assert laid is not None
    # An admin's altered client: what is in force is the newest, and never an older one.
    await skopje.house.say(Recall(of=laid.object, recall_reason="wrong_data"), reply_to=laid.object)
    assert skopje.house.laid(Presets) is not None
    assert skopje.presets.fill(alert()).handling == "H1"


async def test_attack_an_answer_is_looser_than_its_question(place: Site) -> None:
    skopje, belgrade = await place.client(SKOPJE), await place.client(BELGRADE)
    case = (await belgrade.cases.open("Strict", [SKOPJE])).number
    asked = saying(
        replace(
            SAMPLES["InfoRequest"], to=(SKOPJE,), persons=(), handling="H3", tlp="TLP:RED",
            conditions="Only for the prosecutor in Nis.",
        ),
        "handling", "tlp", "conditions",
    )  # fmt: skip
    ref = str((await belgrade.requests.ask(case, asked)).ref)
    await until(skopje.requests.waiting, skopje)
    # Closed here: its conditions stand in its body, and without words there is no H3.
    note = await sent_of(skopje, (await skopje.cases.refer(ref, "siena", "1")).ref)
    assert terms(note)[:2] == ("H2", "TLP:AMBER")
    await skopje.read(ref, purpose="trace", basis="pcc-see", accept=True)

    strict = ("H3", "TLP:RED", "Only for the prosecutor in Nis.")
    answer, object_ = InfoReply(outcome="needs_judge", expected="2027-01-02"), b""
    for paper in (None, Presets(rows=(Preset(handling="H0", tlp="TLP:CLEAR"),))):
        if paper is not None:
            await skopje.house.lay(paper)
        object_ = skopje.cases.object_id(ref)
        for sent in (
            await skopje.requests.move(ref, answer),
            await skopje.cases.refer(ref, "siena", "2"),
            await skopje.cases.publish(case, Note(text="about it", about=object_)),
        ):
            made = await sent_of(skopje, sent.ref)
            assert (made.handling, made.tlp, made.conditions) == strict
    # What an officer was shown is what leaves, and what he says stands.
    shown = skopje.presets.fill(answer, object_)
    assert skopje.presets.fill(shown, object_) == shown
    said = saying(replace(answer, handling="H1"), "handling", "conditions")
    made = await sent_of(skopje, (await skopje.requests.move(ref, said)).ref)
    assert (made.handling, made.tlp, made.conditions) == ("H1", "TLP:RED", "")


async def test_the_first_note_of_a_case_keeps_the_terms_of_its_alert(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    await skopje.channels.open(CHANNEL, [BELGRADE])
    strict = replace(alert(), handling="H3", tlp="TLP:RED", conditions="Not before Monday.")
    sent = str((await skopje.alerts.send(strict, CHANNEL)).ref)
    await skopje.house.lay(Presets(rows=(Preset(handling="H0", tlp="TLP:CLEAR"),)))
    case = (await skopje.cases.open("From an alert", [BELGRADE], sent)).number
    note = await sent_of(skopje, f"{case}#1")
    # Its words are for those who have the alert: a member of the case may not.
    assert (*terms(note)[:2], note.conditions) == ("H3", "TLP:RED", f"Those of {sent}.")


async def test_attack_a_preset_loosens_what_a_message_says(place: Site) -> None:
    skopje = await place.client(SKOPJE)
    await skopje.channels.open(CHANNEL, [BELGRADE])
    strict = replace(alert(), tlp="TLP:AMBER+STRICT", conditions="Not before Monday.")
    await skopje.alerts.send(strict, CHANNEL)
    await skopje.duty.action_days.open(CHANNEL, replace(DAY, coordinator=SKOPJE))
    await skopje.house.lay(Presets(rows=(Preset(handling="H0", tlp="TLP:CLEAR"),)))

    days, day = skopje.duty.action_days, f"{CHANNEL}#2"
    for sent in (await days.tally(day, {"firearm": 1}, FIRST), await days.close(day)):
        assert terms(await sent_of(skopje, sent.ref))[:2] == ("H2", "TLP:AMBER")
    made = await sent_of(skopje, (await skopje.amend.correct(f"{CHANNEL}#1", "misread", "CZ")).ref)
    assert terms(made)[:2] == ("H2", "TLP:AMBER+STRICT")
    assert made.conditions == "Not before Monday."
    decided = OnwardDecision(of=bytes(16), decision="permitted", recipient=BELGRADE)
    for message in (
        Flash(of=bytes(16)), decided, EmergencyOpened(officer="o-0000", device=bytes(16))
    ):  # fmt: skip
        assert skopje.presets.fill(message) is message
