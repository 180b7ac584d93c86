"""All that is wrong with a form is named at once, and nothing that may be right."""

import json
from pathlib import Path
from typing import Any

import pytest

from demo import case_a
from seefen.client.cli import forms
from seefen.client.cli.problems import problems
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import CATALOGUE, to_json

NOTE: dict[str, Any] = {
    "type": "Note",
    "text": "who he is",
    "handling": "H0",
    "persons": [{"names": [{"text": "A B"}], "rol": "driver"}],
}

WRONG: list[dict[str, Any]] = [{}, {"items": "x"}, {"to": [[1]], "text": {"a": [1]}}, {"v": [1]}]


def fields_of(said: tuple[str, ...]) -> list[str]:
    return [one.partition(": ")[0] for one in said]


def test_a_note_about_a_person_needs_one_try() -> None:
    found = problems("Note", NOTE)
    assert fields_of(found) == [
        "persons[0].rol", "persons[0].category", "persons[0].claim", "to", "handling", "offence",
        "purpose, basis",
    ]  # fmt: skip
    assert "did you mean role?" in found[0]
    assert "your node's presets fill it in" in found[-1]


def test_what_is_mended_as_it_was_said_is_right() -> None:
    person = {"names": [{"text": "A B"}], "role": "driver", "category": "other", "claim": "fact"}
    mended = {
        **NOTE, "handling": "H2", "to": ["belgrade-ffp"], "offence": "trafficking",
        "purpose": "investigation", "basis": "pcc-see", "persons": [person],
    }  # fmt: skip
    # What follows from a claim could not be known before it was made.
    assert fields_of(problems("Note", mended)) == ["persons[0].source"]
    assert problems("Note", {**mended, "persons": [{**person, "source": "register"}]}) == ()


@pytest.mark.parametrize(
    ("name", "form", "wanted"),
    [
        ("ActionDay", {}, ["name", "starts", "ends", "coordinator"]),
        ("TraceRequest", {"hndling": "H2", "item": {"category": "gun"}},
         ["hndling", "item.category", "illicit_nature", "question", "item.serial_as_read",
          "offence"]),
        ("SeizureAlert", {"ammo": [{"qty": 1}], "setting": "bcp",
                          "items": [{"category": "pistol", "calibre_current": "9x19"}]},
         ["ammo", "items[0].calibre_current", "place"]),
    ],
)  # fmt: skip
def test_each_form_says_all_it_lacks(name: str, form: dict[str, Any], wanted: list[str]) -> None:
    assert fields_of(problems(name, form)) == wanted


def test_a_name_that_no_field_has_comes_with_those_that_are_near() -> None:
    form = {"ammo": [{"qty": 1}], "items": [{"category": "pistol", "calibre_current": "9x19"}]}
    first, second = problems("SeizureAlert", {**form, "place": "here"})
    assert "did you mean ammunition?" in first
    assert "calibre" in second


@pytest.mark.parametrize("form", [case_a.alert(), case_a.trace_request()])
def test_a_right_form_has_no_problem(form: Any) -> None:
    assert problems(form.TYPE, json.loads(to_json(form))) == ()


@pytest.mark.parametrize("type_", CATALOGUE)
@pytest.mark.parametrize("form", WRONG)
def test_no_form_is_too_wrong_to_be_looked_at(type_: Any, form: dict[str, Any]) -> None:
    problems(type_.TYPE, form)


def test_a_form_from_a_file_says_all_at_once(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    path.write_text(json.dumps(NOTE), encoding="utf-8")
    with pytest.raises(RefusedError, match="this form has 7 problems:\npersons") as caught:
        forms.message(path)
    assert caught.value.rule == "form"


def test_classified_words_are_not_turned_over(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    path.write_text(json.dumps({**NOTE, "text": "EU SECRET"}), encoding="utf-8")
    said = {"type": "Note", "text": "SECRET UE/EU SECRET"}
    with pytest.raises(RefusedError) as caught:
        forms.message_of(said)
    assert caught.value.rule == "classified"
