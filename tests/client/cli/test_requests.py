"""``seefen request``, ``schema`` and forms by command, as officers type them."""

import json
from pathlib import Path

import pytest

from tests.client.cli.stage import command

FORM = {
    "type": "InfoRequest",
    "basis": "pcc-see",
    "offence": "trafficking",
    "to": ["belgrade-ffp"],
    "about": ["weapon"],
    "what_is_asked": "Earlier seizures of this make.",
    "facts": "Twelve pistols at Tabanovce.",
    "why_you": "They were made in your area.",
}


def test_schema_lists_forms_prints_one_and_knows_tables() -> None:
    listed = command("schema")
    assert listed.code == 0
    assert "ControlledDelivery" in listed.out
    made = command("schema", "InfoRequest")
    assert json.loads(made.out)["title"] == "InfoRequest"
    assert "8 x 57" not in command("schema", "calibre").out
    assert "9 mm Makarov" in command("schema", "calibre").out
    wrong = command("schema", "Nothing")
    assert wrong.code == 2
    assert "'seefen schema' lists the forms" in wrong.err


@pytest.mark.parametrize(
    "argv",
    [
        ("request", "refuse", "SF-2026-SKP-00418#3", "--ground", "mood"),
        ("request", "extend", "SF-2026-SKP-00418#3", "--days", "0", "--why", "judge"),
        ("request", "extend", "SF-2026-SKP-00418#3"),
        ("request", "extend", "SF-2026-SKP-00418#3", "--days", "3"),
        ("request", "extend", "SF-2026-SKP-00418#3", "--days", "3", "--obtainable"),
        ("request", "extend", "SF-2026-SKP-00418#3", "--why", "judge", "--obtainable"),
        ("request", "extend", "SF-2026-SKP-00418#3", "--days", "3", "--why", "rain"),
        ("request", "close", "SF-2026-SKP-00418#3", "won"),
        ("request", "close", "SF-2026-SKP-00418#3", "solved", "--use", "9"),
        ("request", "query", "SF-2026-SKP-00418#3"),
        ("request", "ask", "SF-2026-SKP-00418"),
    ],
)
def test_what_is_typed_wrongly_says_what_would_be_right(argv: tuple[str, ...]) -> None:
    said = command(*argv)
    assert said.code == 2
    assert said.err.startswith("seefen: error: ")
    assert "Traceback" not in said.err


@pytest.mark.parametrize("words", [("--obtainable",), ("--days", "14", "--why", "paper_register")])
def test_more_time_is_typed_in_either_way(tmp_path: Path, words: tuple[str, ...]) -> None:
    said = command("--home", str(tmp_path), "request", "extend", "SF-2026-SKP-00418#3", *words)
    assert said.code == 1
    assert "seefen join" in said.err  # it was understood: there is only no device here


def test_a_request_is_closed_without_saying_what_it_was_worth(tmp_path: Path) -> None:
    said = command("--home", str(tmp_path), "request", "close", "SF-2026-SKP-00418#3", "solved")
    assert said.code == 1
    assert "seefen join" in said.err
