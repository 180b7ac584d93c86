"""The rules of the forms beyond alert, trace and note: what each needs, and what it shows."""

from typing import Any, cast

import pytest
from msgspec import inspect
from msgspec.structs import replace

from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import (
    CATALOGUE,
    Bulletin,
    CourtOutcome,
    Cover,
    FirearmNotice,
    IdDocument,
    IncidentReport,
    Item,
    Message,
    Name,
    NodeStatus,
    PairPolicy,
    PairRow,
    Person,
    Preset,
    SeizureAlert,
    Trace,
    decode_cover,
    decode_message,
    encode_cover,
    encode_message,
)
from seefen.protocol.requests import CLOCKS, Act
from tests.protocol.messages.samples import CASES, LEG, NAME, OF, SAMPLES, SUBJECTS

DAY = 86_400
BROADCAST = (SeizureAlert, IncidentReport, FirearmNotice, Bulletin, CourtOutcome, NodeStatus)
BALLISTIC = ("BallisticRequest", "BallisticResult")


def _refused(name: str, **change: Any) -> str:
    with pytest.raises(RefusedError) as refused:
        encode_message(replace(SAMPLES[name], **change))
    return refused.value.rule


def test_the_catalogue_has_the_twelve_messages_and_those_that_steer() -> None:
    assert {type_.TYPE for type_ in CATALOGUE} == {
        *("SeizureAlert", "TraceRequest", "TraceReply", "BallisticRequest", "BallisticResult"),
        *("InfoRequest", "InfoReply", "FirearmNotice", "HitNotice", "IncidentReport"),
        *("ControlledDelivery", "Bulletin"),
        *("Answer", "Note", "Extension", "Correction", "Recall", "ErasureConfirm"),
        *("OnwardRequest", "OnwardDecision", "Closing", "CourtOutcome", "NodeStatus"),
        *("CodelistUpdate", "FileNote", "CaseTitle", "Presets", "PairPolicy", "Forwarded"),
        *("Flash",),
        *("ActionDay", "Tally", "ActionReport"),
        *("Handover", "Roster", "EmergencyAsk", "EmergencyOpened", "EmergencyRefused"),
    }


@pytest.mark.parametrize("name", SAMPLES)
def test_the_subject_of_each(name: str) -> None:
    cover = SAMPLES[name].cover()
    assert cover.subject == SUBJECTS[name]
    assert decode_cover(encode_cover(cover)) == cover


@pytest.mark.parametrize("name", SAMPLES)
def test_an_exercise_says_so_before_everything_else(name: str) -> None:
    drill = replace(SAMPLES[name], exercise=True)
    cover = decode_cover(encode_cover(drill.cover()))
    assert cover.exercise
    assert cover.subject.split(", ")[0] == "EXERCISE"
    assert not SAMPLES[name].cover().exercise
    # Lists show what is counted in place of the subject: they must say it, too.
    assert not cover.items or cover.items.startswith("EXERCISE, ")


def test_no_name_and_no_word_of_a_form_reaches_its_cover() -> None:
    for message in SAMPLES.values():
        cover = encode_cover(message.cover())
        for secret in (NAME, "Damir", "M48-10077", "Prut", "+000", "PDG-77", "8x57", "Evofinder,"):
            assert secret.encode() not in cover


@pytest.mark.parametrize("type_", [*BROADCAST, *(type(SAMPLES[name]) for name in BALLISTIC)])
def test_what_goes_to_all_and_to_laboratories_has_no_field_for_a_name(type_: type[Message]) -> None:
    assert not _groups(inspect.type_info(type_)) & {Person, Name, IdDocument}


def _groups(info: inspect.Type) -> set[type]:
    if isinstance(info, inspect.Metadata):
        return _groups(info.type)
    if isinstance(info, inspect.VarTupleType):
        return _groups(info.item_type)
    if isinstance(info, inspect.UnionType):
        return set[type]().union(*(_groups(inner) for inner in info.types))
    if isinstance(info, inspect.StructType):
        return {cast("type", info.cls)}.union(*(_groups(field.type) for field in info.fields))
    return set[type]()


@pytest.mark.parametrize(
    ("name", "change", "rule"),
    [
        ("BallisticRequest", {"items": ()}, "missing"),
        ("BallisticRequest", {"ask": ()}, "missing"),
        ("BallisticRequest", {"ask": ("",)}, "missing"),
        ("BallisticRequest", {"items": (Trace(kind="bullet"),)}, "missing"),
        ("BallisticRequest", {"items": (replace(CASES, kind="hit"),)}, "unknown-code"),
        ("BallisticResult", {"verifier": ""}, "one-examiner"),
        ("BallisticResult", {"wording": " "}, "missing"),
        ("BallisticResult", {"examiner": ""}, "missing"),
        ("BallisticResult", {"lr_from": 4, "lr_to": 3}, "form"),
        ("BallisticResult", {"level": "searched_no_candidate", "searched": ""}, "missing"),
        ("BallisticResult", {"level": "not_searched", "wording": ""}, "missing"),
        ("Bulletin", {"valid_until": ""}, "missing"),
        ("Bulletin", {"description": " "}, "missing"),
        ("Closing", {"closing": ""}, "missing"),
        ("CodelistUpdate", {"rows": ()}, "form"),
        ("ControlledDelivery", {"to": ()}, "missing"),
        ("ControlledDelivery", {"legs": ()}, "missing"),
        ("ControlledDelivery", {"legs": (replace(LEG, telephone=" "),)}, "missing"),
        ("ControlledDelivery", {"stop_rule": ""}, "missing"),
        ("ControlledDelivery", {"abort_word": ""}, "missing"),
        ("ControlledDelivery", {"basis": ""}, "no-basis"),
        ("ControlledDelivery", {"step": "handover", "leg": 1}, "missing"),
        ("ControlledDelivery", {"step": "handover", "of": OF}, "missing"),
        ("ControlledDelivery", {"step": "approval", "of": OF, "authorities": ()}, "missing"),
        ("ControlledDelivery", {"step": "result", "of": OF}, "missing"),
        ("Correction", {"now": ""}, "missing"),
        ("Correction", {"wrong": ""}, "missing"),
        ("CourtOutcome", {"counts": {}}, "missing"),
        ("CourtOutcome", {"counts": {"hanged": 1}}, "unknown-code"),
        ("ErasureConfirm", {"erased": "restricted"}, "missing"),
        ("ErasureConfirm", {"erased": "passed_on"}, "missing"),
        ("Extension", {"delay": "other"}, "no-cause"),
        ("Extension", {"answer_in_s": 0}, "form"),
        ("FirearmNotice", {"item": Item(category="rifle")}, "missing"),
        ("FirearmNotice", {"notice": "withdrawn"}, "missing"),
        ("HitNotice", {"to": ()}, "missing"),
        ("HitNotice", {"exactness": ""}, "missing"),
        ("HitNotice", {"disclosed": "full"}, "missing"),
        ("IncidentReport", {"place": ""}, "missing"),
        ("IncidentReport", {"occurred_at": ""}, "missing"),
        ("IncidentReport", {"kinds": ()}, "missing"),
        ("InfoReply", {"searched": ()}, "no-scope"),
        ("InfoReply", {"outcome": "refused"}, "missing"),
        ("InfoReply", {"outcome": "needs_judge"}, "missing"),
        ("InfoReply", {"outcome": "full"}, "missing"),
        ("InfoRequest", {"to": ()}, "missing"),
        ("InfoRequest", {"about": ()}, "missing"),
        ("InfoRequest", {"what_is_asked": " "}, "missing"),
        ("InfoRequest", {"facts": ""}, "missing"),
        ("InfoRequest", {"why_you": ""}, "missing"),
        ("InfoRequest", {"link": ""}, "missing"),
        ("InfoRequest", {"basis": ""}, "no-basis"),
        ("InfoRequest", {"handling": "H0"}, "persons-h0"),
        ("NodeStatus", {"until": ""}, "missing"),
        ("OnwardDecision", {"conditions": ""}, "form"),
        ("OnwardDecision", {"decision": "refused"}, "missing"),
        ("OnwardRequest", {"why": ""}, "missing"),
        ("OnwardRequest", {"to": ()}, "missing"),
        ("OnwardRequest", {"purpose": ""}, "missing"),
        ("OnwardRequest", {"basis": ""}, "missing"),
        ("PairPolicy", {"rows": ()}, "form"),
        ("PairPolicy", {"rows": (PairRow(n=1, to="*", persons=True),)}, "no-basis"),
        ("PairPolicy", {"rows": (PairRow(n=1, to="*", until="2026-12"),)}, "form"),
        ("PairPolicy", {"rows": (PairRow(n=1, to="Belgrade"),)}, "form"),
        ("Recall", {"recall_reason": ""}, "missing"),
        ("Recall", {"recall_reason": "other"}, "no-cause"),
    ],
)
def test_what_says_too_little_is_refused(name: str, change: dict[str, Any], rule: str) -> None:
    encode_message(SAMPLES[name])
    assert _refused(name, **change) == rule


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("CodelistUpdate", "rows"),
        ("Presets", "rows"),
        ("Presets", "opening"),
        ("PairPolicy", "rows"),
    ],
)
def test_a_row_of_a_list_stands_once(name: str, field: str) -> None:
    rows = getattr(SAMPLES[name], field)
    assert _refused(name, **{field: (*rows, *rows)}) == "double"


@pytest.mark.parametrize("name", ["InfoRequest", "IncidentReport", "BallisticRequest"])
def test_a_number_names_one_item_of_a_message(name: str) -> None:
    one = CASES if name == "BallisticRequest" else Item(category="pistol")
    for numbers in ((1, 1), (2, 0), (0, 1)):
        assert _refused(name, items=tuple(replace(one, n=n) for n in numbers)) == "number-twice"
    for numbers in ((0, 0), (2, 1), (10, 0)):
        items = tuple(replace(one, n=n) for n in numbers)
        message = replace(SAMPLES[name], items=items)
        assert decode_message(encode_message(message)) == message


def test_what_needs_words_is_not_preset() -> None:
    assert _refused("Presets", rows=(Preset(handling="H3"),)) == "conditions"


def test_a_paper_shows_in_a_list_only_that_it_is_one() -> None:
    for name in ("Presets", "PairPolicy"):
        bare = Cover(type=name, urgency="ROUTINE")
        assert encode_cover(SAMPLES[name].cover()) == encode_cover(bare)


@pytest.mark.parametrize(
    ("node", "form", "persons", "day", "why"),
    [
        ("a-b", "", False, "2026-03-01", None),
        ("a-b", "Note", False, "2026-03-01", None),
        ("a-b", "Note", True, "2026-03-01", "has no basis for person data (row 2)"),
        ("a-b", "TraceRequest", True, "2026-03-01", None),
        ("a-b", "TraceRequest", True, "2026-03-31", None),  # the last day counts
        ("a-b", "TraceRequest", False, "2026-04-01", "ran out on 2026-03-31 (row 1)"),
        ("c-d", "Note", False, "2026-03-01", None),
        ("c-d", "Note", True, "2026-03-01", None),  # one row that lets it pass is enough
        ("e-f", "Bulletin", False, "2026-03-01", None),
        ("e-f", "Note", False, "2026-03-01", "has no row for Note"),
        ("e-f", "", True, "2026-03-01", "has no basis for person data (row 5)"),
    ],
)
def test_the_row_that_decides(
    node: str, form: str, persons: bool, day: str, why: str | None
) -> None:
    policy = PairPolicy(rows=(
        PairRow(n=1, to="a-b", forms=("TraceRequest",), persons=True, basis="pcc-see",
                until="2026-03-31", normal_h=24),
        PairRow(n=2, to="a-b", normal_h=48),
        PairRow(n=3, to="c-d"), PairRow(n=4, to="c-d", persons=True, ground="LED 38"),
        PairRow(n=5, to="*", forms=("Bulletin",)),
    ))  # fmt: skip
    assert policy.refusal(node, form, persons=persons, day=day) == why


def test_the_hours_of_a_pair() -> None:
    policy = PairPolicy(rows=(
        PairRow(n=1, to="a-b", forms=("TraceRequest",), until="2026-03-31", normal_h=24),
        PairRow(n=2, to="a-b", normal_h=48),
    ))  # fmt: skip
    day = "2026-03-01"
    assert policy.clock_s("a-b", "TraceRequest", "NORMAL", day=day) == 24 * 3600
    assert policy.clock_s("a-b", "TraceRequest", "URGENT", day=day) == 0
    assert policy.clock_s("a-b", "TraceRequest", "NORMAL", day="2026-04-01") == 0
    assert policy.clock_s("a-b", "InfoRequest", "NORMAL", day=day) == 48 * 3600
    assert policy.clock_s("c-d", "InfoRequest", "NORMAL", day=day) == 0


@pytest.mark.parametrize(
    ("name", "change", "act"),
    [
        ("BallisticRequest", {}, Act.ASK),
        ("BallisticResult", {}, Act.ANSWER),
        ("BallisticResult", {"level": "candidate_for_review"}, Act.INTERIM),
        ("InfoRequest", {}, Act.ASK),
        ("InfoReply", {}, Act.ANSWER),
        ("InfoReply", {"outcome": "refused", "refusal_ground": "ongoing"}, Act.REFUSE),
        ("InfoReply", {"outcome": "need_more", "text": "Which?"}, Act.QUERY),
        ("InfoReply", {"outcome": "needs_judge", "expected": "2026-03-20"}, Act.INTERIM),
        ("HitNotice", {}, Act.ASK),
        ("ControlledDelivery", {}, Act.ASK),
        ("ControlledDelivery", {"step": "handover"}, Act.ASK),
        ("ControlledDelivery", {"step": "approval"}, Act.ANSWER),
        ("ControlledDelivery", {"step": "abort"}, Act.WITHDRAW),
        ("ControlledDelivery", {"step": "result"}, Act.CLOSE),
        ("Extension", {}, Act.EXTEND),
        ("Closing", {}, Act.CLOSE),
        ("Recall", {}, Act.ASK),
        ("ErasureConfirm", {}, Act.ANSWER),
        ("OnwardRequest", {}, Act.ASK),
        ("OnwardDecision", {}, Act.ANSWER),
        ("OnwardDecision", {"decision": "refused"}, Act.REFUSE),
        ("IncidentReport", {}, None),
        ("Bulletin", {}, None),
    ],
)
def test_the_move_each_makes(name: str, change: dict[str, Any], act: Act | None) -> None:
    assert replace(SAMPLES[name], **change).act() is act


def test_how_long_each_answer_may_take() -> None:
    ballistic = SAMPLES["BallisticRequest"]
    assert ballistic.due_s() == 3 * DAY
    assert replace(ballistic, ask=("database_search", "joint_exam")).due_s() == 30 * DAY
    assert replace(ballistic, ask=("image_opinion",)).due_s() == 7 * DAY
    assert SAMPLES["InfoRequest"].due_s() == CLOCKS["request"]["NORMAL"]
    assert SAMPLES["HitNotice"].due_s() == 8 * 3600
    delivery = SAMPLES["ControlledDelivery"]
    assert delivery.due_s() == 2 * 3600
    assert replace(delivery, step="handover").due_s() == 600
    assert replace(delivery, step="result").due_s() == 0
    assert SAMPLES["Recall"].due_s() == DAY
    assert SAMPLES["Extension"].due_s() == 14 * DAY


def test_a_candidate_is_never_called_a_hit() -> None:
    candidate = replace(SAMPLES["BallisticResult"], level="candidate_for_review", verifier="")
    assert candidate.cover().subject == "candidate for review, not confirmed"
    assert "hit" not in candidate.cover().subject
