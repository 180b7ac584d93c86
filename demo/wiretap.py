"""The search for what the broker must not know: database, files, log and traffic."""

import json
import unicodedata
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Place:
    """A place that was searched: how many bytes, and which words stood there."""

    name: str
    size: int
    found: tuple[str, ...]


def search(name: str, paths: Iterable[Path], words: Iterable[str]) -> Place:
    """Search files byte by byte for words, in every form in which they would still be known.

    Args:
        name: What to call the place on screen.
    """
    patterns = {form: word for word in words for form in forms(word)}
    overlap = max(map(len, patterns), default=1) - 1
    size, found, seen = 0, set[str](), set[bytes]()
    for path in _files(paths):
        tail = b""
        with path.open("rb") as file:
            while data := file.read(CHUNK):
                size += len(data)
                window = tail + data
                tail = window[-overlap:]
                # A database repeats itself: the same bytes need not be searched again.
                digest = blake2b(window, digest_size=16).digest()
                if digest not in seen:
                    seen.add(digest)
                    found |= {word for form, word in patterns.items() if form in window}
    return Place(name, size, tuple(sorted(found)))


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from (p for p in sorted(path.rglob("*")) if p.is_file() and not p.is_symlink())
        elif path.is_file():
            yield path


def forms(word: str) -> set[bytes]:
    """Return the bytes to look for: other case, other encodings, hexadecimal, base64."""
    texts = {unicodedata.normalize(form, word) for form in ("NFC", "NFD")}
    texts |= {text.upper() for text in texts} | {text.lower() for text in texts}
    plain = {text.encode() for text in texts}
    # In a log everything outside ASCII may be escaped, in a dump bytes are hexadecimal.
    escaped = {json.dumps(text)[1:-1].encode() for text in texts}
    hexed = {data.hex().encode() for data in plain}
    based = set[bytes]().union(*(_base64(word.encode(), before) for before in range(3)))
    wide = {text.encode("utf-16-le") for text in texts}
    return plain | escaped | hexed | based | wide


def _base64(data: bytes, before: int) -> set[bytes]:
    """Return what base64 makes of bytes after ``before`` others, without the mixed edges."""
    whole = b64encode(bytes(before) + data)
    inner = whole[(0, 2, 3)[before] : (before + len(data)) * 4 // 3]
    return {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
