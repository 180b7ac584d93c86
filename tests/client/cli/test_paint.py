# ruff: noqa: RUF001 (letters of two alphabets that look alike are the point)

import io

import pytest
from rich.console import Console

from seefen.client.cli.paint import (
    Grid,
    Ledger,
    Painted,
    alarm,
    block,
    bold,
    dim,
    good,
    line,
    safe,
    shared,
    stack,
    warn,
    whole,
)
from tests.client.cli.hostile import HOSTILE, obeyed_in


def printed(painted: Painted) -> str:
    out = io.StringIO()
    Console(file=out, markup=False, emoji=False, highlight=False, width=200).print(painted)
    return out.getvalue()


@pytest.mark.parametrize("text", HOSTILE)
def test_attack_52_nothing_a_terminal_obeys_is_printed(text: str) -> None:
    views = (line(text), bold(text), dim(text), warn(text), alarm(text), good(text), block(text))
    tables = (Grid("head").row(text).painted(), Ledger("head").row(text))
    for painted in (*views, *tables, stack(line(text), None)):
        assert obeyed_in(printed(painted)) == set()


@pytest.mark.parametrize("text", HOSTILE)
def test_a_line_of_theirs_never_begins_a_line_of_ours(text: str) -> None:
    assert "\n" not in safe(text)
    assert all(part.startswith("  │ ") for part in printed(block(text)).splitlines())


@pytest.mark.parametrize(
    "text",
    [
        "С-84417",
        "Милош Трајанов",
        "Țurcanu, Bălți",
        "Qafë Thanë",
        "Олександр Гнатюк",
        "ппу 82",
        "a–b “c” €",
    ],
)
def test_what_people_write_here_stays_as_it_is(text: str) -> None:
    assert safe(text) == text


def test_what_is_hidden_is_named() -> None:
    assert safe("a\u202eb\x1b") == "a<U+202E>b<U+001B>"


def test_brackets_are_brackets() -> None:
    assert "[red]x[/red]" in printed(Grid("").row("[red]x[/red]").painted())
    assert ":warning:" in printed(line(":warning:"))


def test_a_grid_names_its_columns_only_if_they_have_names() -> None:
    assert "CASE" in printed(
        Grid("CASE", "n", right=(1,), keep=(0,)).rows([("a", 1), ("b", None)]).painted()
    )
    assert printed(Grid("", "").row("a", "b").painted()).split() == ["a", "b"]


def test_pieces_keep_their_own_style_and_a_gap_between() -> None:
    assert line("a", bold("b"), 3, gap=" ").plain == "a b 3"


def test_columns_share_what_is_left_and_no_word_is_broken() -> None:
    assert shared([4, 10], [4, 30], 40) == [4, 30]
    assert shared([4, 10], [4, 30], 20) == [4, 16]
    assert shared([4, 10], [4, 30], 13) is None
    assert shared([0], [0], 5) == [1]
    assert shared([6, 10], [12, 90], 30) == [12, 18], "a time stays on one line"


def test_where_columns_have_no_room_each_cell_keeps_its_name_and_its_words() -> None:
    table = Ledger("FROM", "TO", "CASES").row("skopje-border", "belgrade-ffp", "A-1, " * 9)
    out = io.StringIO()
    Console(file=out, width=32).print(table)
    first, second, *_ = out.getvalue().splitlines()
    assert first.rstrip() == "FROM skopje-border"
    assert second.rstrip() == "    TO belgrade-ffp"


def test_a_cell_that_would_go_on_for_many_lines_is_no_cell_of_a_table() -> None:
    rows = Ledger("WHO", "PURPOSE").row("o-4f2a skopje-border", "trace, " * 12)
    for width, first in ((32, "WHO o-4f2a skopje-border"), (60, "WHO   PURPOSE")):
        out = io.StringIO()
        Console(file=out, width=width).print(rows)
        assert " ".join(out.getvalue().splitlines()[0].split()) == " ".join(first.split())


def test_what_is_copied_stays_in_one_piece() -> None:
    out = io.StringIO()
    Console(file=out, width=40).print(stack(whole(f"  --net {'ab' * 32}")), crop=False)
    assert out.getvalue() == f"  --net {'ab' * 32}\n"
