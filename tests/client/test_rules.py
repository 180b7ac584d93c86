"""Whoever changes what judges the authority log is told to change the mark of it."""

import ast
import re
from collections.abc import Iterator
from hashlib import sha256
from importlib.metadata import requires, version
from pathlib import Path

import pytest

from seefen.client import rules
from seefen.client.rules import LIBRARIES, RULES, judged_by

ROOT = Path(__file__).parents[2]
SOURCES = {
    "seefen.protocol": ROOT / "protocol/src/seefen/protocol",
    "seefen.client": ROOT / "client/src/seefen/client",
}
# A page becomes leaves in these, and each leaf stands or is without effect.
TAKING = ("seefen.client.ahead", "seefen.client.once", "seefen.client.trust")
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
    found = {name: path for name in TAKING if (path := _path(name))}
    waiting = ["seefen.protocol.directory"]
    while waiting:
        name = waiting.pop()
        path = _path(name)
        if name not in found and path is not None:
            found[name] = path
            waiting.extend(_imported(path))
    return found


def test_the_mark_is_that_of_the_sources_that_judge() -> None:
    digest = sha256()
    for name, path in sorted(judges().items()):
        digest.update(f"{name}\n{path.read_text(encoding='utf-8')}".encode())
    mark = digest.hexdigest()[: len(RULES)]
    assert mark == RULES, (
        "what judges the authority log was changed: every device judges its own again after the "
        f'update if client/src/seefen/client/rules.py says RULES = "{mark}"'
    )


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
    before = judged_by()

    def newer(name: str) -> str:
        return f"{version(name)}.1"

    monkeypatch.setattr(rules, "version", newer)
    assert judged_by.__wrapped__() != before
