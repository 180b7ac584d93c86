"""The list of attacks names tests that exist."""

import re

from tests.support.vectors import ROOT

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
        for name in re.findall(r"def (test_attack_\d+\w+)\(", path.read_text(encoding="utf-8"))
    ]
    assert [name for name in tests if name not in page] == []


def test_the_attacks_that_must_be_tested_are() -> None:
    page = (ROOT / "docs" / "attacks.md").read_text(encoding="utf-8")
    listed = {int(number) for number in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    assert {1, 3, 4, 8, 10, 17, 19, 21, 25, 27, 30, 31, 36, 39, 59} <= listed
