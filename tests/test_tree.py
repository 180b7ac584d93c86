"""The rules about files themselves: size, names, namespace, lock, and one test file per module."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = [ROOT / part / "src" / "seefen" / part for part in ("protocol", "server", "client")]
FOLDERS = [*PACKAGES, ROOT / "bench", ROOT / "demo", ROOT / "examples", ROOT / "tests"]
LINES = 400
# What is given away is one file, so that it can be read, run and checked where nothing else is.
LONGER = {"client/src/seefen/client/standalone/verify.py": 800}
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}
POSIX_ONLY = {"fcntl", "pwd", "grp", "resource", "termios", "tty", "pty", "syslog", "posix"}


def _sources(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    long = {
        _name(path): _lines(path)
        for path in _sources(*FOLDERS)
        if _lines(path) > LONGER.get(_name(path), LINES)
    }
    assert long == {}


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_module_has_a_name_that_says_nothing() -> None:
    names = [_name(path) for path in _sources(*FOLDERS)]
    assert [name for name in names if VAGUE & set(name.removesuffix(".py").split("/"))] == []


def test_seefen_is_a_namespace_and_each_part_is_typed() -> None:
    # One seefen/__init__.py and the other two distributions cannot be imported any more.
    roots = [package.parent / "__init__.py" for package in PACKAGES]
    assert [_name(path) for path in roots if path.exists()] == []
    assert [_name(p) for p in PACKAGES if not (p / "py.typed").exists()] == []


def _untested(package: Path, tests: Path) -> Iterator[str]:
    """Yield each module that has neither a test file of its own nor one for its folder."""
    for path in _sources(package):
        inner = path.relative_to(package)
        if path.stem == "__init__" or _has_no_code(path):
            continue
        own = tests / inner.parent / f"test_{path.stem}.py"
        whole_folder = [tests / f"test_{folder}.py" for folder in inner.parent.parts]
        if not any(candidate.exists() for candidate in (own, *whole_folder)):
            yield _name(path)


def _has_no_code(path: Path) -> bool:
    """Say whether a module holds neither a function nor a class: constants and tables alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return not any(isinstance(node, kinds) for node in ast.walk(tree))


def test_every_module_of_protocol_has_its_test_file() -> None:
    assert list(_untested(PACKAGES[0], ROOT / "tests" / "protocol")) == []


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-deep.lock"])
def test_a_lock_names_no_address(name: str) -> None:
    # A ministry installs from its own mirror; hashes hold wherever the files come from.
    lock = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in lock
    assert "--index-url" not in lock
    blocks = lock.replace("\\\n", " ").strip().splitlines()
    assert [line for line in blocks if "--hash=sha256:" not in line] == []


@pytest.mark.parametrize("path", _sources(PACKAGES[2]), ids=_name)
def test_the_client_imports_nothing_that_windows_lacks(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert {name for node in tree.body for name in _imported(node)} & POSIX_ONLY == set()


def _imported(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name.split(".")[0] for alias in node.names)
    if isinstance(node, ast.ImportFrom) and node.module:
        yield node.module.split(".")[0]
