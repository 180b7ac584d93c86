"""The rules of each message type: what it must say, and what it may never hold."""

import json
from typing import Any, cast

import msgspec
import pytest
from msgspec import inspect
from msgspec.structs import replace

from demo import case_a
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import (
    CATALOGUE,
    TABLES,
    Answer,
    Assertion,
    CaseTitle,
    Explosive,
    FileNote,
    GunPart,
    InfoReply,
    InfoRequest,
    Item,
    Message,
    Name,
    Note,
    Person,
    Register,
    SeizureAlert,
    TraceReply,
    TraceRequest,
    encode_message,
    label,
    schema,
)
from seefen.protocol.messages.codes import HANDLING, INFO_EVAL, SOURCE_EVAL, TLP, URGENCY, counted
from seefen.protocol.requests import CLOCKS, Act
from tests.support.specs import spec

OBJECT = bytes(range(16))


def _refused(message: Message | CaseTitle) -> str:
    with pytest.raises(RefusedError) as refused:
        encode_message(message)
    return refused.value.rule


# --- codes ---------------------------------------------------------------------------


def test_the_codes_that_bind_are_complete_and_spelled_exactly() -> None:
    assert list(HANDLING) == ["H0", "H1", "H2", "H3"]
    assert list(TLP) == ["TLP:RED", "TLP:AMBER+STRICT", "TLP:AMBER", "TLP:GREEN", "TLP:CLEAR"]
    assert list(SOURCE_EVAL) == ["A", "B", "C", "X"]
    assert list(INFO_EVAL) == ["1", "2", "3", "4"]
    assert all(set(clock) == set(URGENCY) for clock in CLOCKS.values())


def test_every_coded_field_has_a_table_and_every_table_a_field_or_a_cover() -> None:
    used = {table for type_ in CATALOGUE for table in _tables(inspect.type_info(type_))}
    assert used <= set(TABLES)
    assert set(TABLES) - used == {"form"}  # words that only covers say


def _tables(info: inspect.Type) -> set[str]:
    found = set[str]()
    if isinstance(info, inspect.Metadata):
        note = cast("dict[str, str]", info.extra or {}).get("codes")  # pyright: ignore[reportUnknownMemberType]
        return _tables(info.type) | ({note} if note else set())
    if isinstance(info, inspect.StructType):
        found.update(*(_tables(field.type) for field in info.fields))
    elif isinstance(info, inspect.VarTupleType):
        found |= _tables(info.item_type)
    elif isinstance(info, inspect.UnionType):
        found.update(*(_tables(inner) for inner in info.types))
    return found


def test_no_code_is_longer_than_a_field_and_no_label_longer_than_a_subject() -> None:
    for table, codes in TABLES.items():
        for code, text in codes.items():
            assert len(code) <= 40, (table, code)
            assert len(text) <= 77, (table, code)


def test_labels_count() -> None:
    assert counted("category", "pistol", 1) == "1 pistol"
    assert counted("category", "pistol", 12) == "12 pistols"
    assert counted("category", "unknown", 3) == "3 weapons of unknown kind"
    assert counted("category", "manpads", 2) == "2 portable air-defence systems"
    assert counted("category", "railgun", 2) == "2 unknown category"
    assert counted("fate", "injured", 2) == "2 injured"
    assert label("handling", "H2") == "Not to be passed on without permission of the provider."


# --- alerts --------------------------------------------------------------------------


def test_an_alert_has_no_field_for_a_name() -> None:
    # The name of a place, a vehicle or a weapon is none of a person.
    types = _groups(inspect.type_info(SeizureAlert))
    assert not types & {Person, Name, Assertion}
    names = {field.name for type_ in types for field in msgspec.structs.fields(type_)}
    assert not names & {"name", "names", "person", "persons", "driver", "owner", "actor"}


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


def test_serials_are_kept_as_read() -> None:
    alert = case_a.alert()
    read = [item.serial_as_read for item in alert.items]
    assert read[0] == "EV-19070413"
    assert read[-1] == "\u0421-84417"  # Cyrillic, and not folded
    assert alert.ammunition[0].headstamp_as_read == "ппу 82"


@pytest.mark.parametrize(
    ("urgency", "seconds"), [("FLASH", 900), ("URGENT", 3600), ("NORMAL", 604_800)]
)
def test_how_soon_a_person_answers_an_alert(urgency: str, seconds: int) -> None:
    alert = replace(case_a.alert(), urgency=urgency)
    assert alert.cover().due_s == seconds


def test_what_ibin_would_like_to_know() -> None:
    rules = " ".join(case_a.alert().suggestions())
    assert "three firearms" in rules
    assert "border officials" in rules
    one = replace(
        case_a.alert(),
        items=(Item(category="pistol"),),
        setting="road_check",
        offence="possession",
        context=(),
    )
    assert one.suggestions() == ()
    assert replace(one, context=("terrorism",)).suggestions() == ("IBIN: related to terrorism",)


def test_explosives_and_parts_are_counted_too() -> None:
    alert = replace(
        case_a.alert(),
        items=(),
        explosives=(Explosive(kind="hand_grenade", qty=2), Explosive(kind="hand_grenade")),
        parts=(GunPart(kind="auto_sear", qty=6),),
        moving=True,
        bcp="",
    )
    encode_message(alert)
    assert "3 hand grenades, 6 auto-sears, still moving" in alert.cover().subject


@pytest.mark.parametrize(
    ("item", "rule"),
    [
        (Item(category="pistol", serial_as_read="A1", serial_state="absent"), "form"),
        (Item(category="pistol", legal_status="stolen"), "claim"),
        (Item(category="pistol", qty=0), "form"),
    ],
)
def test_items_that_contradict_themselves(item: Item, rule: str) -> None:
    assert _refused(replace(case_a.alert(), items=(item,))) == rule


# --- traces --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"question": ()}, "missing"),
        ({"question": ("",)}, "missing"),
        ({"illicit_nature": ""}, "missing"),
        ({"intended_use": ""}, "missing"),
        ({"offence": ""}, "no-basis"),
        ({"item": Item(category="pistol")}, "missing"),
        ({"urgency": "URGENT"}, "no-reason"),
        ({"to": ()}, "persons-to-all"),
        ({"handling": "H0"}, "persons-h0"),
        ({"to": ("Belgrade",)}, "form"),
        ({"recovered_at": "14.3.2026"}, "form"),
    ],
)
def test_what_a_trace_request_needs(change: dict[str, Any], rule: str) -> None:
    assert _refused(replace(case_a.trace_request(), **change)) == rule


def test_an_urgent_trace_request_says_why() -> None:
    urgent = replace(case_a.trace_request(), urgency="URGENT", urgency_reason="detention")
    encode_message(urgent)
    assert urgent.cover().due_s == 8 * 3600


@pytest.mark.parametrize("outcome", ["no_record", "not_traced", "traced_partial", "traced_full"])
def test_no_record_without_a_scope_is_no_answer(outcome: str) -> None:
    reply = replace(case_a.trace_reply(), outcome=outcome, registers=())
    with pytest.raises(RefusedError, match="which registers were searched"):
        encode_message(reply)
    assert _refused(reply) == "no-scope"
    assert _refused(replace(reply, registers=(Register(name="Military register"),))) == "no-scope"


@pytest.mark.parametrize(
    ("outcome", "field", "act"),
    [
        ("refused", {"refusal_ground": "ongoing"}, Act.REFUSE),
        ("need_more", {"text": "Which side of the frame?"}, Act.QUERY),
        ("wrong_country", {"ask_instead": "sofia, by SIENA"}, Act.NOT_OURS),
    ],
)
def test_replies_that_are_no_answer_say_why(outcome: str, field: dict[str, str], act: Act) -> None:
    bare = TraceReply(outcome=outcome, reply_to=OBJECT)
    assert _refused(bare) == "missing"
    reply = replace(bare, **field)
    encode_message(reply)
    assert reply.act() is act
    assert case_a.trace_reply().act() is Act.ANSWER


# --- persons -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"category": ""}, "missing"),
        ({"category": "guilty"}, "unknown-code"),
        ({"claim": ""}, "missing"),
        ({"source": " "}, "claim"),
        ({"claim": "assessment"}, "claim"),
        ({"names": ()}, "form"),
        ({"born": "1991-3"}, "form"),
        ({"nationalities": ("Mk",)}, "unknown-code"),
        ({"assertions": (Assertion(text="He lied.", claim="assessment"),)}, "claim"),
        (
            {"assertions": (Assertion(text="He lied.", claim="assessment", evaluation="D9"),)},
            "form",
        ),
        ({"assertions": (Assertion(text="He lied.", claim="fact"),)}, "claim"),
        ({"names": (Name(text="Miloš\u200f"),)}, "hidden-character"),
    ],
)
def test_what_must_be_said_of_a_person(change: dict[str, Any], rule: str) -> None:
    person = replace(case_a.driver(), **change)
    assert _refused(replace(case_a.trace_request(), persons=(person,))) == rule


def test_persons_in_a_note_go_to_named_nodes_with_purpose_and_basis() -> None:
    note = replace(case_a.note(OBJECT), persons=(case_a.driver(),))
    encode_message(note)
    assert _refused(replace(note, to=())) == "persons-to-all"
    assert _refused(replace(note, purpose="")) == "no-basis"


def test_only_requests_and_notes_have_a_place_for_persons() -> None:
    with_persons = {type_ for type_ in CATALOGUE if Person in _groups(inspect.type_info(type_))}
    assert with_persons == {TraceRequest, InfoRequest, InfoReply, Note}


def test_there_is_no_field_for_what_must_not_be_recorded() -> None:
    names = {field.name for field in msgspec.structs.fields(Person)}
    assert not names & {"ethnicity", "religion", "politics", "political_view"}


# --- the rest ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "more", "act"),
    [
        ("taken", {}, Act.TAKE),
        ("not_ours", {}, Act.NOT_OURS),
        ("passed_on", {"passed_to": "Niš unit"}, Act.PASS_ON),
        ("passed_on", {"cause": "given to Niš"}, Act.PASS_ON),
        ("rejected", {"cause": "photograph missing"}, Act.REJECT),
        ("rejected", {"cause_code": "duplicate"}, Act.REJECT),
    ],
)
def test_the_four_answers(answer: str, more: dict[str, str], act: Act) -> None:
    said = Answer(answer=answer, of=OBJECT, **more)  # type: ignore[arg-type]
    encode_message(said)
    assert said.act() is act


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"answer": "rejected"}, "no-cause"),
        ({"answer": "passed_on"}, "no-cause"),
        ({"answer": "rejected", "cause_code": "other"}, "no-cause"),
        ({"answer": "accepted"}, "unknown-code"),
        ({"answer": ""}, "missing"),
        ({"of": b""}, "form"),
    ],
)
def test_answers_that_say_too_little(change: dict[str, Any], rule: str) -> None:
    assert _refused(replace(Answer(answer="taken", of=OBJECT), **change)) == rule


@pytest.mark.parametrize("title", ["\u0421-84417", "Trace of EV-19070413", "call 0381112223"])
def test_a_title_holds_no_number_that_could_name_something(title: str) -> None:
    assert _refused(CaseTitle(title=title)) == "title"
    encode_message(CaseTitle(title="Joint action day 2026, crossing 7"))


@pytest.mark.parametrize(
    "name", ["../a.jpg", "a\\b.jpg", "..", "", " ", "ж" * 61, "a\nb", "a\u202egpj.exe"]
)
def test_names_of_files_that_are_refused(name: str) -> None:
    note = FileNote(name=name, size=1, sha256=bytes(32))
    assert _refused(note) in {"file-name", "missing", "form", "hidden-character"}


@pytest.mark.parametrize(
    ("media_type", "ending"),
    [
        ("image/jpeg", ".jpg"),
        ("application/x-x3p", ".x3p"),
        ("text/html", ".bin"),
        ("image/svg+xml", ".bin"),
    ],
)
def test_a_file_is_saved_under_a_name_of_ours(media_type: str, ending: str) -> None:
    note = FileNote(name="serial.exe", size=1, sha256=b"\xab" * 32, media_type=media_type)
    assert note.saved_as() == "ab" * 8 + ending


def test_conditions_are_shown_in_words() -> None:
    assert case_a.alert().conditions_text() == (
        "Not to be passed on without permission of the provider. Прашај пред споделување"
    )


@pytest.mark.parametrize("type_", CATALOGUE, ids=lambda type_: type_.TYPE)
def test_each_type_has_a_schema_for_those_without_our_code(type_: Any) -> None:
    made = schema(type_.TYPE)
    assert "`" not in json.dumps(made)  # no markup of ours: its readers have other tools
    whole = made["$defs"][type_.TYPE]
    assert whole["properties"]["type"] == {"const": type_.TYPE}
    assert {"type", "v"} <= set(whole["required"])
    assert not any(sign in str(made) for sign in (r"\\A", r"\\Z", "base64", "'*'"))


def test_the_specification_names_every_field() -> None:
    page = spec("messages.md")
    for type_ in set[type]().union(*(_groups(inspect.type_info(t)) for t in CATALOGUE)):
        for field in msgspec.structs.fields(type_):
            assert (
                field.encode_name == "*" or f"|`{field.encode_name}`|" in page or field.name == "v"
            )


def test_ids_in_a_schema_are_hex() -> None:
    whole = schema("FileNote")["$defs"]["FileNote"]["properties"]
    assert whole["sha256"]["pattern"] == "^([0-9a-f]{64})$"
    assert whole["of"]["pattern"] == "^([0-9a-f]{32})?$"
    with pytest.raises(ValueError, match="no such message"):
        schema("Alert")
