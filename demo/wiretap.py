"""The search for what the broker must not know: database, files, log and traffic."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """A place that was searched: how many bytes, and which canaries stood there."""

    name: str
    size: int
    found: tuple[str, ...]


def search(name: str, paths: Iterable[Path], words: Iterable[str]) -> Place:
    """Search files byte by byte for words, in UTF-8 and UTF-16, as typed and upper case.

    Args:
        name: What to call the place on screen.
    """
    patterns = {form: word for word in words for form in _forms(word)}
    size, found = 0, set[str]()
    for path in _files(paths):
        tail = b""
        overlap = max(map(len, patterns), default=1)
        with path.open("rb") as file:
            while data := file.read(CHUNK):
                size += len(data)
                window = tail + data
                found |= {word for form, word in patterns.items() if form in window}
                tail = window[-overlap:]
    return Place(name, size, tuple(sorted(found)))


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from (p for p in sorted(path.rglob("*")) if p.is_file() and not p.is_symlink())
        elif path.is_file():
            yield path


def _forms(word: str) -> set[bytes]:
    texts = {word, word.upper(), word.lower()}
    hexed = {text.encode().hex().encode() for text in texts}
    return {t.encode() for t in texts} | {t.encode("utf-16-le") for t in texts} | hexed
