"""The search finds a word in whatever form it stands, and nothing where nothing is."""

import json
import unicodedata
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.wiretap import CHUNK, forms, search

SECRET = "Трајанов č-84417"

FORMS: dict[str, Callable[[str], bytes]] = {
    "as it is": str.encode,
    "upper case": lambda word: word.upper().encode(),
    "lower case": lambda word: word.lower().encode(),
    "decomposed": lambda word: unicodedata.normalize("NFD", word).encode(),
    "UTF-16": lambda word: word.encode("utf-16-le"),
    "escaped in a log": lambda word: json.dumps(word).encode(),
    "hexadecimal in a dump": lambda word: b"\\x" + word.encode().hex().encode(),
    "base64": lambda word: b64encode(word.encode()),
    "base64 after other bytes": lambda word: b64encode(b"ab" + word.encode() + b"c"),
    "base64 in a token": lambda word: urlsafe_b64encode(b"a" + word.encode()).rstrip(b"="),
}


@pytest.mark.parametrize("made", FORMS.values(), ids=FORMS.keys())
def test_a_word_is_found_in_every_form(tmp_path: Path, made: Callable[[str], bytes]) -> None:
    path = tmp_path / "dump"
    path.write_bytes(b"\xfe noise " + made(SECRET) + b" noise \x00")
    place = search("dump", (path,), ("other word", SECRET))
    assert place.found == (SECRET,)
    assert place.size == path.stat().st_size


@pytest.mark.parametrize("shift", range(-len(SECRET.encode()) - 2, 3))
def test_a_word_across_two_blocks_is_found(tmp_path: Path, shift: int) -> None:
    path = tmp_path / "dump"
    path.write_bytes(bytes(CHUNK + shift) + SECRET.encode() + bytes(CHUNK))
    assert search("", (path,), (SECRET,)).found == (SECRET,)


def test_what_was_searched_once_is_searched_again_where_its_neighbour_differs(
    tmp_path: Path,
) -> None:
    # Blocks that repeat are skipped; a word that begins in one of them must not be.
    word = SECRET.encode()
    first, second = word[:9], word[9:]
    block = bytes(CHUNK - len(first)) + first
    path = tmp_path / "dump"
    path.write_bytes(block + bytes(CHUNK) + block + second)
    assert search("", (path,), (SECRET,)).found == (SECRET,)


def test_a_folder_is_searched_with_all_that_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "page").write_bytes(SECRET.encode())
    (tmp_path / "a" / "empty").write_bytes(b"")
    (tmp_path / "outside").symlink_to("/etc/hostname")
    place = search("", (tmp_path,), (SECRET, "never"))
    assert place.found == (SECRET,)
    assert place.size == len(SECRET.encode())


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    assert search("", (tmp_path / "not there",), (SECRET,)).size == 0
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 4096)
    assert search("", (tmp_path,), (SECRET,)).found == ()


@given(st.text(st.characters(codec="utf-8"), min_size=6), st.binary(max_size=5), st.binary())
def test_base64_of_anything_around_a_word_holds_one_of_its_forms(
    word: str, before: bytes, behind: bytes
) -> None:
    coded = b64encode(before + word.encode() + behind)
    assert any(form in coded for form in forms(word))
