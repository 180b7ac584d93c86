"""What goes out without an officer's word names nobody: in every form of the catalogue."""

import json
from typing import Any

import pytest

from demo import case_a
from seefen.client.redacting import without_persons
from seefen.protocol.messages import (
    CATALOGUE,
    Form,
    InfoRequest,
    Message,
    SeizureAlert,
    from_json,
    to_json,
)
from tests.protocol.messages.samples import NAME, SAMPLES

FORMS: dict[str, Form] = {
    **SAMPLES,
    "SeizureAlert": case_a.alert(),
    "TraceRequest": case_a.trace_request(),
    "TraceReply": case_a.trace_reply(bytes(16)),
}


def fields(form: Form) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(to_json(form))
    return made


def stripped(form: Form) -> tuple[dict[str, Any], tuple[str, ...]]:
    return without_persons(type(form), fields(form))


def test_things_stay_and_what_leads_to_a_person_does_not() -> None:
    kept, left = stripped(case_a.alert())
    assert kept["items"] == fields(case_a.alert())["items"]
    assert (
        kept["ammunition"][0]["headstamp_as_read"] == case_a.alert().ammunition[0].headstamp_as_read
    )
    assert kept["vehicle"] == {
        "state": "MK", "make": "Volkswagen", "model": "Passat B6", "colour": "grey",
    }  # fmt: skip
    assert kept["route"][0]["place"] == "Skopje"
    assert kept["persons_count"] == {"driver": 1, "passenger": 1}
    assert kept["conditions"] == case_a.alert().conditions
    assert set(left) == {"vehicle.plate", "text"}


@pytest.mark.parametrize("name", FORMS)
def test_no_form_gives_a_name_or_a_sentence(name: str) -> None:
    form = FORMS[name]
    kept, left = stripped(form)
    said = json.dumps(kept, ensure_ascii=False)
    assert NAME not in said
    for field in ("text", "circumstances", "facts", "why_you", "description", "wording"):
        value = getattr(form, field, "")
        assert not value or json.dumps(value, ensure_ascii=False) not in said
    assert "persons" not in kept
    assert all(path.split(".")[-1] not in ("handling", "conditions") for path in left)
    if isinstance(form, Message):
        assert kept["handling"] == form.handling
        assert kept.get("conditions", "") == form.conditions


def test_what_a_newer_form_has_stays_back() -> None:
    newer = from_json(json.dumps({**fields(case_a.alert()), "v": 2, "suspect": "A. B."}))
    assert newer.extra == {"suspect": "A. B."}
    kept, left = stripped(newer)
    assert "suspect" not in kept
    assert "suspect" in left
    item = {**fields(case_a.alert())["items"][0], "found_with": "A. B."}
    newer = from_json(json.dumps({**fields(case_a.alert()), "v": 2, "items": [item]}))
    assert isinstance(newer, SeizureAlert)
    kept, left = stripped(newer)
    assert "found_with" not in kept["items"][0]
    assert "items.found_with" in left


def test_persons_of_a_question_are_named_as_left_out() -> None:
    info = SAMPLES["InfoRequest"]
    assert isinstance(info, InfoRequest)
    assert info.persons
    assert "persons" in stripped(info)[1]


def test_every_form_is_tried() -> None:
    told = {"Answer", "CaseTitle", "FileNote", "Note"}  # case_a's own, or no message
    assert {type_.TYPE for type_ in CATALOGUE} - set(FORMS) <= told
