"""The list of attacks names tests that exist."""

import re

from tests.support.vectors import ROOT

# All that were ever tested: a row cannot go. 35, 44 to 46, 58, 60, 64 attack what does not exist.
ATTACKS = (*range(1, 35), *range(36, 44), *range(47, 58), 59, *range(61, 64), *range(65, 68))
FAULTS = range(1, 61)
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_every_test_in_the_list_of_attacks_exists() -> None:
    page = (ROOT / "docs" / "attacks.md").read_text(encoding="utf-8")
    named = NAMED.findall(page)
    rows = [line for line in page.splitlines() if line.startswith("| ") and "`tests/" in line]
    assert len(named) >= len(rows) > 20
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not re.search(rf"def {name}\(", (ROOT / path).read_text(encoding="utf-8"))
    ]
    assert missing == []


def test_every_attack_that_is_tested_is_in_the_list() -> None:
    page = (ROOT / "docs" / "attacks.md").read_text(encoding="utf-8")
    tests = [
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(
            r"def (test_(?:attack|fault)_\d+\w+)\(", path.read_text(encoding="utf-8")
        )
    ]
    assert [name for name in tests if name not in page] == []


def test_the_attacks_that_must_be_tested_are() -> None:
    page = (ROOT / "docs" / "attacks.md").read_text(encoding="utf-8")
    listed = {int(number) for number in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    assert set(ATTACKS) <= listed


def test_the_faults_of_the_ledger_that_must_be_tested_are() -> None:
    page = (ROOT / "docs" / "attacks.md").read_text(encoding="utf-8")
    listed = {int(number) for number in re.findall(r"^\| F(\d+) \|", page, re.MULTILINE)}
    assert set(FAULTS) <= listed


def test_a_row_with_a_number_names_a_test_with_that_number() -> None:
    page = (ROOT / "docs" / "attacks.md").read_text(encoding="utf-8")
    for letter, number, rest in re.findall(r"^\| (F?)(\d+) \|(.*)$", page, re.MULTILINE):
        kind = "fault" if letter else "attack"
        names = [name for _, name in NAMED.findall(rest)]
        wanted = re.compile(rf"test_{kind}_(\d+_)*{int(number):02}_")
        assert any(map(wanted.match, names)), f"{letter}{number}: {names}"
