"""Every form to bytes and back, unknown fields kept, wrong forms refused with a sentence."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from demo import case_a
from seefen.protocol.encoding import decode_map, encode_map
from seefen.protocol.errors import MalformedError, RefusedError, SeefenError
from seefen.protocol.messages import (
    CATALOGUE,
    CaseTitle,
    FileNote,
    Form,
    Item,
    Leg,
    Note,
    SeizureAlert,
    Vehicle,
    decode_cover,
    decode_message,
    encode_message,
    from_json,
    message_from_form,
    to_json,
)
from tests.protocol.messages.samples import SAMPLES
from tests.support.specs import spec
from tests.support.vectors import own

OBJECT = bytes(range(16))
FILE = FileNote(
    message_id=OBJECT, name="serial.jpg", size=191_870, sha256=bytes(32), media_type="image/jpeg",
    role="serial_closeup", of=OBJECT, item=7,
)  # fmt: skip


def _itself(form: Form) -> Form:
    return form


FORMS: dict[str, Callable[[], Form]] = {
    "Answer": lambda: case_a.answer(OBJECT),
    "CaseTitle": lambda: CaseTitle(title=case_a.TITLE),
    "FileNote": lambda: FILE,
    "Note": lambda: case_a.note(OBJECT),
    "SeizureAlert": case_a.alert,
    "TraceReply": lambda: case_a.trace_reply(OBJECT),
    "TraceRequest": case_a.trace_request,
    **{name: partial(_itself, form) for name, form in SAMPLES.items()},
}
each_form = pytest.mark.parametrize("make", FORMS.values(), ids=FORMS)


def test_every_type_of_the_catalogue_is_tested_here() -> None:
    assert {type_.TYPE for type_ in CATALOGUE} == set(FORMS)


@each_form
def test_a_form_survives_bytes_and_json(make: Callable[[], Form]) -> None:
    form = make()
    body = encode_message(form)
    assert decode_message(body) == form
    assert encode_message(decode_message(body)) == body
    assert from_json(to_json(form)) == form


@each_form
def test_a_newer_form_is_passed_on_whole_by_an_older_client(make: Callable[[], Form]) -> None:
    fields = decode_map(encode_message(make()))
    newer = {**fields, "v": 2, "drone": {"tail_no": "X-1", "deep": [{"er": b"\x01"}]}, "count": 3}
    body = encode_map(newer)
    read = decode_message(body)
    assert read.extra == {"drone": {"tail_no": "X-1", "deep": [{"er": b"\x01"}]}, "count": 3}
    assert read.v == 2
    assert encode_message(read) == body


def test_unknown_fields_stay_in_their_group_when_another_is_corrected() -> None:
    fields = decode_map(encode_message(case_a.alert()))
    fields["items"][2]["colour_case"] = "wood"
    fields["vehicle"]["wheels"] = 4
    read = decode_message(encode_map(fields))
    assert isinstance(read, SeizureAlert)
    corrected = encode_message(replace(read, status="corrected"))
    assert decode_map(corrected) == {**fields, "status": "corrected"}


def test_a_newer_code_is_kept_and_shown_as_unknown() -> None:
    fields = decode_map(encode_message(case_a.alert()))
    fields["items"][0]["category"] = "railgun"
    read = decode_message(encode_map(fields))
    assert isinstance(read, SeizureAlert)
    assert "1 unknown category" in read.cover().subject
    with pytest.raises(RefusedError, match="choose one of") as refused:
        encode_message(read)
    assert refused.value.rule == "unknown-code"


def test_rules_of_a_newer_form_are_not_enforced_by_an_older_reader() -> None:
    fields = decode_map(encode_message(case_a.trace_reply(OBJECT)))
    del fields["registers"]
    with pytest.raises(MalformedError, match="which registers") as broken:
        decode_message(encode_map(fields))
    assert broken.value.rule == "no-scope"
    assert decode_message(encode_map({**fields, "v": 2})).v == 2


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"type": "DroneReport"}, "unknown-message"),
        ({"type": 7}, "unknown-message"),
        ({"type": None}, "unknown-message"),
        ({"v": None}, "message"),
        ({"v": True}, "message"),
        ({"v": 0}, "form"),
        ({"created_at": -1}, "form"),
        ({"message_id": b"short"}, "form"),
        ({"message_id": "0" * 32}, "form"),
        ({"reply_to": b"123"}, "form"),
        ({"text": ""}, "missing"),
        ({"text": "a\u202eb"}, "hidden-character"),
        ({"unknown": {"deep": ["a\u200bb"]}}, "hidden-character"),
        ({"Wrong Name": 1}, "message"),
        ({"*": {"text": "x"}}, "message"),
        ({"extra": {}}, ""),
        ({"handling": "H9"}, ""),
    ],
)
def test_bodies_that_are_no_message(change: dict[str, Any], rule: str) -> None:
    fields = decode_map(encode_message(case_a.note(OBJECT)))
    body = encode_map({**fields, **change})
    if not rule:  # a field or a code of tomorrow
        assert decode_message(body)
        return
    with pytest.raises(MalformedError) as broken:
        decode_message(body)
    assert broken.value.rule == rule


@given(st.binary(max_size=200))
def test_random_bytes_are_malformed_and_nothing_else(data: bytes) -> None:
    for decode in (decode_message, decode_cover):
        with pytest.raises(MalformedError):
            decode(data)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10) | st.text("a\u0421-?*\u202e", max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["text", "kind", "qty", "*"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    st.sampled_from([type_.TYPE for type_ in CATALOGUE]),
    st.dictionaries(
        st.sampled_from(["text", "items", "item", "persons", "vehicle", "handling", "extra", "of"]),
        _VALUES,
        max_size=5,
    ),
)
def test_a_body_of_anything_is_a_message_or_malformed(name: str, fields: dict[str, Any]) -> None:
    whole = {"type": name, "v": 1, "message_id": OBJECT, **fields}
    try:
        body = encode_map(whole)
    except ValueError:
        return  # deeper than anything that can be sealed
    for read, data in (
        (decode_message, body),
        (_from_json_bytes, json.dumps({**whole, "message_id": OBJECT.hex()}).encode()),
    ):
        try:
            made = read(data)
        except MalformedError:
            continue
        assert name == made.TYPE


def _from_json_bytes(data: bytes) -> Form:
    return from_json(data.decode())


@given(st.text(max_size=60))
def test_json_that_is_none_is_malformed(text: str) -> None:
    with pytest.raises(MalformedError):
        from_json(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "Note", "type": "Note"}',
        '{"type": "Note", "v": 1.0}',
        '{"type": "Note", "v": NaN}',
        '{"type": "Note", "v": 1, "message_id": "zz"}',
        '["Note"]',
        "[" * 100_000,
    ],
)
def test_json_with_two_readings_is_malformed(text: str) -> None:
    with pytest.raises(MalformedError):
        from_json(text)


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        ({"items": (), "ammunition": ()}, "items", "missing"),
        ({"bcp": "", "position": None}, "place", "missing"),
        ({"bcp": "elsewhere"}, "bcp", "unknown-code"),
        ({"occurred_at": "yesterday"}, "occurred_at: write a time with its offset", "form"),
        ({"text": "x\u2066y"}, "text", "hidden-character"),
        ({"text": "c\u030c"}, "text holds a letter and its accent", "not-nfc"),
        ({"text": "x" * 8001}, "text: write at most 8000", "form"),
        ({"urgency_reason": ""}, "urgency_reason", "no-reason"),
        ({"handling": "H3", "conditions": " "}, "conditions", "form"),
        ({"tlp": "TLP:WHITE"}, "tlp", "unknown-code"),
        ({"handling": ""}, "handling", "missing"),
        ({"basis": ""}, "basis", "no-basis"),
        ({"persons_count": {"Милош": 1}}, "persons_count", "unknown-code"),
        ({"persons_count": {"driver": 0}}, "persons_count", "form"),
        ({"vehicle": Vehicle(plate="SK\u200b-1")}, "vehicle.plate", "hidden-character"),
        ({"vehicle": Vehicle(plate="SK\n1")}, "vehicle.plate: write one line as read", "form"),
        ({"route": (Leg(place="Wien", role="transit", fact=False),)}, "evaluation", "claim"),
        ({"items": (Item(category="pistol", qty=2, serial_as_read="A1"),)}, "items[0].qty", "lot"),
        ({"items": (Item(category=""),)}, "items[0].category", "missing"),
        ({"created_at": "now"}, "created_at", "form"),
        ({"text": object()}, "form", "form"),
    ],
)
def test_a_form_filled_in_wrongly_names_the_field(
    change: dict[str, Any], field: str, rule: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        encode_message(replace(case_a.alert(), **change))
    assert field in str(refused.value)
    assert "regex" not in str(refused.value)
    assert refused.value.rule == rule


def test_a_message_that_is_too_long_is_refused() -> None:
    long = "ж" * 7900
    items = tuple(Item(category="pistol", n=n, text=long) for n in range(1, 6))
    with pytest.raises(RefusedError, match="into a file") as refused:
        encode_message(replace(case_a.alert(), items=items))
    assert refused.value.rule == "too-long"


def test_a_form_of_a_person_takes_labels_for_codes() -> None:
    made = message_from_form(
        "SeizureAlert",
        {
            "bcp": "Tabanovce / Preševo",
            "items": [{"category": "Pistol", "calibre": "7,62 x 25 tok."}],
        },
    )
    assert isinstance(made, SeizureAlert)
    assert made.bcp == "tabanovce-presevo"
    assert (made.items[0].category, made.items[0].calibre) == ("pistol", "7.62x25")


@pytest.mark.parametrize(
    ("name", "form", "sentence"),
    [
        ("Alert", {}, "there is no message Alert"),
        (
            "SeizureAlert",
            {"bpc": "merdare"},
            "bpc: .* no such field: did you mean bcp",
        ),
        (
            "SeizureAlert",
            {"items": [{"category": "pistol", "serail": "1"}]},
            r"serail: SeizureAlert has no such field: did you mean serial_as_read",
        ),
        ("SeizureAlert", {"items": 5}, "items: write"),
        ("SeizureAlert", {"Items": 5}, "did you mean items"),
        ("Answer", {"answer": "accepted", "of": OBJECT.hex()}, "answer: choose one of taken"),
        ("Answer", {"answer": "taken", "of": "zz"}, "not right"),
    ],
)
def test_a_form_of_a_person_is_refused_with_a_sentence(
    name: str, form: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(RefusedError, match=sentence):
        message_from_form(name, form)


def test_an_exported_message_used_as_a_form_is_no_double_of_itself() -> None:
    sent = case_a.alert()
    again = message_from_form("SeizureAlert", json.loads(to_json(sent)))
    assert isinstance(again, SeizureAlert)
    assert again.message_id != sent.message_id
    assert replace(again, message_id=sent.message_id) == sent


def test_an_older_code_word_never_becomes_a_message() -> None:
    # A field of ours called like the place of the unknown ones could smuggle known fields.
    with pytest.raises(MalformedError):
        from_json('{"type": "Note", "v": 1, "*": {"text": "x"}}')


@pytest.mark.parametrize("case", own("messages/good.json"), ids=lambda case: str(case["name"]))
def test_the_vectors_of_forms(case: dict[str, Any]) -> None:
    body = bytes.fromhex(case["body"])
    form = decode_message(body)
    assert json.loads(to_json(form)) == case["json"]
    assert encode_message(form) == body
    if case["name"] == "answer":
        assert case["body"] in spec("messages.md")


@pytest.mark.parametrize("case", own("messages/bad.json"), ids=lambda case: str(case["name"]))
def test_the_vectors_of_bodies_to_refuse(case: dict[str, Any]) -> None:
    with pytest.raises(SeefenError) as refused:
        decode_message(bytes.fromhex(case["body"]))
    assert (refused.value.kind, refused.value.rule) == ("malformed", case["rule"])


def test_a_note_needs_something_to_move() -> None:
    with pytest.raises(RefusedError, match="about"):
        encode_message(Note(text="Which frame?", move="query"))
