import json
from pathlib import Path

import pytest

from seefen.client.cli import forms
from seefen.client.cli.arguments import UsageError
from seefen.protocol.errors import RefusedError

ALERT = {"place": "Merdare", "items": [{"category": "rifle", "qty": 3}]}


def form(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "form.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def test_a_form_makes_a_message(tmp_path: Path) -> None:
    alert = forms.seizure_alert(form(tmp_path, {"type": "SeizureAlert", "v": 1, **ALERT}))
    assert alert.items[0].qty == 3


def test_a_trace_request_and_its_answer(tmp_path: Path) -> None:
    request = {
        "item": {"category": "pistol", "serial_as_read": "C-84417"},
        "illicit_nature": "seized",
        "question": ["manufacture"],
        "offence": "trafficking",
    }
    assert forms.trace_request(form(tmp_path, request)).item.serial_as_read == "C-84417"
    reply = {
        "outcome": "no record",
        "offence": "trafficking",
        "registers": [{"name": "military register", "years": "1960-1992"}],
    }
    assert forms.trace_reply(form(tmp_path, reply)).outcome == "no_record"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"place": NaN}',
        b'{"place": "a", "place": "b"}',
        b"[" * 100_000,
        b" " * (forms.FORM_LIMIT + 1),
        {"type": "TraceReply", **ALERT},
    ],
)
def test_what_is_no_form(content: object, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        forms.seizure_alert(form(tmp_path, content))
    assert caught.value.hint


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({}, "place"),
        ({**ALERT, "suspect": "A. B."}, "suspect"),
        ({**ALERT, "handling": "H9"}, "handling"),
        ({**ALERT, "items": [{"category": "rifle", "qty": "3"}]}, "qty"),
        ({**ALERT, "items": [{"category": "bazooka"}]}, "category"),
        ({**ALERT, "text": "EV\u202e"}, "text"),
    ],
)
def test_a_wrong_field_is_named(content: object, named: str, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=named):
        forms.seizure_alert(form(tmp_path, content))


def test_no_record_without_a_scope_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="register"):
        forms.trace_reply(form(tmp_path, {"outcome": "no_record", "offence": "trafficking"}))
