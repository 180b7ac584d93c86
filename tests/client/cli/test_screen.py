import io
import json
import sys

import pytest

from seefen.client.cli.paint import line, stack, whole
from seefen.client.cli.screen import Screen, complain
from tests.client.cli.hostile import HOSTILE, obeyed_in


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_value_is_shown_or_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().show({"a": 1}, lambda value: line(f"a is {value['a']}"))
    Screen(machine=True).show({"a": 1}, lambda _value: line("never"))
    Screen(machine=True).stream({"a": 1}, lambda _value: line("never"))
    shown, _, rest = capsys.readouterr().out.partition("\n")
    assert shown == "a is 1"
    assert json.loads(rest[: rest.index("}") + 1]) == {"a": 1}
    assert rest.endswith('\n{"a": 1}\n')


def test_with_json_what_is_said_on_the_way_goes_to_the_other_stream(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Screen(machine=True).say(line("on the way"))
    assert capsys.readouterr() == ("", "on the way\n")
    Screen().say(line("on the way"))
    assert capsys.readouterr() == ("on the way\n", "")


@pytest.mark.parametrize("text", HOSTILE)
def test_attack_52_complaints_are_escaped_too(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    complain(text, text)
    out = capsys.readouterr().err
    assert obeyed_in(out) == set()
    ours = [part for part in out.splitlines() if not part.startswith("  │ ")]
    assert [part.split(":")[0] for part in ours] == ["seefen", "seefen"]


def test_a_long_line_is_not_broken_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().say(line("x" * 500))
    assert capsys.readouterr().out == "x" * 500 + "\n"


def test_asking(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("Skopje\n\ny\n\n"))
    screen = Screen()
    assert screen.ask("Where?") == "Skopje"
    assert screen.ask("Where?", "Tabanovce") == "Tabanovce"
    assert screen.confirm("Send?") is True
    assert screen.confirm("Send?") is False
    with pytest.raises(EOFError):
        screen.ask("More?")
    assert "[Tabanovce]" in capsys.readouterr().out


def test_nobody_is_asked_in_a_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert Screen().can_ask is False
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert Screen().can_ask is True
    assert Screen(machine=True).can_ask is False


def test_a_bar_is_drawn_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Screen().progress() as report:
        report("photos", 1, 2)
    assert capsys.readouterr() == ("", "")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Screen().progress() as report:
        report("photos", 1, 2)
    assert "photos" in terminal.getvalue()
    monkeypatch.setattr(sys, "stderr", silent := Terminal())
    with Screen(machine=True).progress() as report:
        report("photos", 1, 2)
    assert silent.getvalue() == ""


def test_a_bar_of_entries_counts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with Screen().progress(counted=True) as report:
        report("entries", 4096, 10_000)
    assert "4096/10000" in terminal.getvalue()


def test_on_a_terminal_a_line_to_be_copied_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    Screen().say(stack(whole(f"--log-key {'ab' * 32}")))
    assert f"--log-key {'ab' * 32}\n" in terminal.getvalue()


def test_several_problems_stand_one_below_the_other_and_none_passes_for_ours(
    capsys: pytest.CaptureFixture[str],
) -> None:
    complain("2 problems:\nplace: is needed\nseefen: hint: call 112", "mend both")
    assert capsys.readouterr().err.splitlines() == [
        "seefen: error: 2 problems:",
        "  │ place: is needed",
        "  │ seefen: hint: call 112",
        "seefen: hint: mend both",
    ]
