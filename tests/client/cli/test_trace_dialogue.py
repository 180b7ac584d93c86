"""A trace request or its answer by questions: nothing that was typed has to be typed again."""

import io
import sys
from datetime import UTC, datetime

import pytest

from seefen.client.cli import trace_dialogue
from seefen.client.cli.screen import Screen
from seefen.protocol.messages import TraceReply, TraceRequest

AT = datetime(2026, 3, 14, 1, 47, 9, tzinfo=UTC)
WHERE = "military register 1960-1992, paper"


def typed(monkeypatch: pytest.MonkeyPatch, *lines: str) -> Screen:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
    screen = Screen()
    monkeypatch.setattr(Screen, "can_ask", True)
    return screen


def as_it_is(message: TraceReply) -> TraceReply:
    return message


def request_as_it_is(message: TraceRequest) -> TraceRequest:
    return message


def test_what_is_not_understood_is_asked_again_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = typed(
        monkeypatch,
        "traced in parts",
        "traced in part",
        WHERE,
        "",
        "",
        "nowhere",
        "transit",
        "",
        "",
    )
    reply = trace_dialogue.answer(screen, AT, as_it_is)
    assert (reply.outcome, reply.diversion_point) == ("traced_partial", "transit")
    shown = capsys.readouterr().out
    assert "'traced in parts' is none of these." in shown
    assert shown.count("Searched (needed)") == 1


def test_what_is_refused_as_a_whole_is_asked_again_with_the_answers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = ["no record", "", "high", "1968 manufactured", "", "Nothing else."]
    again = ["", WHERE, "", "", "", "", ""]
    reply = trace_dialogue.answer(typed(monkeypatch, *first, *again), AT, as_it_is)
    assert reply.registers[0].name == "military register"
    assert (reply.confidence, reply.text) == ("high", "Nothing else.")
    shown = capsys.readouterr().out
    assert "Not yet: " in shown
    assert "[Nothing else.]" in shown


def test_answers_are_changed_before_it_leaves_and_one_is_emptied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = ["pistol Zastava M57", "C-84417", "", "", "siena, national registry", "", "At the ramp"]
    again = ["", "C-84471", "", "", "-", "", "", ""]
    request = trace_dialogue.ask(typed(monkeypatch, *asked, "a", *again), AT, request_as_it_is)
    assert request.item.serial_as_read == "C-84471"
    assert not request.searched
    assert request.circumstances == "At the ramp"
