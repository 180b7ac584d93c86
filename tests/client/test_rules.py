"""Whoever changes what judges the authority log, or an entry, is told to change the mark of it."""

import ast
import re
from collections.abc import Iterator
from hashlib import sha256
from importlib.metadata import requires, version
from pathlib import Path

import pytest

from seefen.client import rules
from seefen.client.rules import CHECKS, LIBRARIES, RULES, checked_by, judged_by

ROOT = Path(__file__).parents[2]
SOURCES = {
    "seefen.protocol": ROOT / "protocol/src/seefen/protocol",
    "seefen.client": ROOT / "client/src/seefen/client",
}
# A page becomes leaves in these, and each leaf stands or is without effect.
TAKING = ("seefen.client.ahead", "seefen.client.once", "seefen.client.trust")
# An entry of the audit comes in by these, with what they ask of the protocol.
CHECKING = tuple(
    f"seefen.client.{name}"
    for name in ("audit.checking", "audit.erasing", "audit.facts", "audit.fetching", "trust")
)
NO_JUDGE = "pyjwt"  # a session's token, nothing that stands in a log


def _path(module: str) -> Path | None:
    for package, folder in SOURCES.items():
        if module == package or module.startswith(f"{package}."):
            inner = folder.joinpath(*module.removeprefix(package).split("."))
            found = inner / "__init__.py" if inner.is_dir() else inner.with_suffix(".py")
            return found if found.is_file() else None
    return None


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def judges() -> dict[str, Path]:
    """Return what the directory stands on, and what takes a page in, by name."""
    return _with_what_is_imported(TAKING, ["seefen.protocol.directory"])


def checkers() -> dict[str, Path]:
    """Return what checks an entry of the audit, by name."""
    asked = [name for module in CHECKING if (path := _path(module)) for name in _imported(path)]
    return _with_what_is_imported(CHECKING, [n for n in asked if n.startswith("seefen.protocol.")])


def _with_what_is_imported(modules: tuple[str, ...], waiting: list[str]) -> dict[str, Path]:
    found = {name: path for name in modules if (path := _path(name))}
    while waiting:
        name = waiting.pop()
        path = _path(name)
        if name not in found and path is not None:
            found[name] = path
            waiting.extend(_imported(path))
    return found


def mark_of(sources: dict[str, Path]) -> str:
    digest = sha256()
    for name, path in sorted(sources.items()):
        digest.update(f"{name}\n{path.read_text(encoding='utf-8')}".encode())
    return digest.hexdigest()[: len(RULES)]


def test_the_mark_is_that_of_the_sources_that_judge() -> None:
    mark = mark_of(judges())
    assert mark == RULES, (
        "what judges the authority log was changed: every device judges its own again after the "
        f'update if client/src/seefen/client/rules.py says RULES = "{mark}"'
    )


def test_the_mark_is_that_of_the_sources_that_check_an_entry() -> None:
    mark = mark_of(checkers())
    assert mark == CHECKS, (
        "what checks an entry of the audit was changed: auditors are told that theirs were checked "
        f'by an older program if client/src/seefen/client/rules.py says CHECKS = "{mark}"'
    )


@pytest.mark.parametrize(
    "name", ["envelope", "ledger.record", "receipt", "retention", "search", "statements", "suite"]
)
def test_what_an_entry_is_checked_by_is_among_them(name: str) -> None:
    assert f"seefen.protocol.{name}" in checkers()
    assert "seefen.client.audit.checking" in checkers()


@pytest.mark.parametrize(
    "name",
    [
        "authority_rules", "directory", "encoding", "envelope", "errors", "growing",
        "ledger.note", "ledger.quorum", "ledger.tree", "statements", "suite", "suite._hashing",
        "suite._signing",
    ],
)  # fmt: skip
def test_what_a_leaf_is_judged_by_is_among_them(name: str) -> None:
    assert f"seefen.protocol.{name}" in judges()


def test_a_library_that_decodes_or_verifies_is_a_part_of_it() -> None:
    needed = {re.split(r"[^a-z0-9]", one)[0] for one in requires("seefen-protocol") or ()}
    assert needed == {*LIBRARIES, NO_JUDGE}
    assert judged_by().decode().split() == [
        RULES, *(f"{name}={version(name)}" for name in LIBRARIES)
    ]  # fmt: skip


def test_another_version_of_a_library_is_another_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    before = judged_by(), checked_by()

    def newer(name: str) -> str:
        return f"{version(name)}.1"

    monkeypatch.setattr(rules, "version", newer)
    assert judged_by.__wrapped__() != before[0]
    assert checked_by.__wrapped__() != before[1]
