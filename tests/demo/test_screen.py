"""What is printed: nothing wider than a page, and commands that can be typed as they stand."""

import shlex

import pytest

from demo.screen import WIDEST, StoryError, expect, listed, shown, told, typed

LONG = ("trace", "ask", "SF-2026-SKP-00001", *("--file", "samples/breech face.x3p") * 6)


def test_a_long_command_is_folded_and_still_one_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    typed("skopje-border", "seefen", *LONG, "--title", 'he said "no"', "--yes")
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= WIDEST
    words = shlex.split(printed.partition("$ ")[2].replace("\\\n", ""))
    assert words == ["seefen", *LONG, "--title", 'he said "no"', "--yes"]
    assert "--file \\\n" not in printed  # an option stays with its value


@pytest.mark.parametrize(
    "word", ["", "a b", "a'b", "$HOME", "a\\b", "!x y", "Č-84417", "a#1", "#a", "~"]
)
def test_every_word_is_typed_so_that_a_shell_reads_it(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    typed("x", "seefen", word)
    assert shlex.split(capsys.readouterr().out.partition("$ ")[2]) == ["seefen", word]


def test_what_a_device_showed_keeps_its_indent_where_it_is_folded(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown("    " + "word " * 40 + "\nshort  \n[bold]:smile: no markup")
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= WIDEST
    assert all(line.startswith("      word") for line in lines[:-2])
    assert lines[-2:] == ["  short", "  [bold]:smile: no markup"]


def test_two_columns_and_a_sentence_are_folded(capsys: pytest.CaptureFixture[str]) -> None:
    listed([("sarajevo-lab", "word " * 40), ("", "short")])
    told("sentence " * 30)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= WIDEST
    assert lines[0].startswith("  sarajevo-lab  word")
    assert lines[1].startswith(" " * 16 + "word")


def test_no_row_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    listed([])
    assert capsys.readouterr().out == ""


def test_a_step_that_did_not_come_out_is_a_sentence() -> None:
    expect(True, "unused")
    with pytest.raises(StoryError, match="the log is wrong"):
        expect([], "the log is wrong")
