"""What bears a mark of classified information does not leave; ordinary words do."""

# ruff: noqa: RUF001 (letters of two alphabets)

import pytest
from msgspec.structs import replace

from demo import case_a
from seefen.client.labels.cyrillic import cyrillic
from seefen.protocol.encoding import decode_map, encode_map
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import FileNote, Note, decode_message, encode_message, marks_in
from seefen.protocol.messages.classified import MARKS


@pytest.mark.parametrize("mark", MARKS)
def test_each_mark_stops_a_message(mark: str) -> None:
    with pytest.raises(RefusedError, match="nothing classified") as refused:
        encode_message(Note(text=f"Annex: {mark}, copy 2"))
    assert refused.value.rule == "classified"
    assert mark in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "DRZAVNA TAJNA", "OGRANICENO", "TEPER SEKRET", "RESTRICTIONAT", "TRES SECRET UE",
        "ТАЈНО", "ВРЛО ТАЈНО", "ПОВЈЕРЉИВО", "ДЛЯ СЛУЖБОВОГО\nКОРИСТУВАННЯ",
        "ОСОБЛИВОЇ ВАЖЛИВОСТІ", "ОСОБЛИВОІ ВАЖЛИВОСТІ",
    ],
)  # fmt: skip
def test_a_mark_is_one_in_either_alphabet_and_without_its_accents(text: str) -> None:
    with pytest.raises(RefusedError, match="nothing classified"):
        encode_message(Note(text=f"({text}) Annex"))


def test_each_mark_in_serbian_latin_letters_stands_in_cyrillic_ones_too() -> None:
    marks = MARKS[MARKS.index("INTERNO") : MARKS.index("ИНТЕРНО")]
    assert len(marks) == 9
    assert {cyrillic(mark) for mark in marks} <= set(MARKS)


@pytest.mark.parametrize("name", ["RESTREINT_UE-annex.pdf", "ДСК 7.docx", "list.SEKRET.pdf"])
def test_a_mark_in_the_name_of_a_file_stops_it(name: str) -> None:
    with pytest.raises(RefusedError) as refused:
        encode_message(FileNote(name=name, size=1, sha256=bytes(32)))
    assert refused.value.rule == "classified"


def test_a_mark_deep_in_a_form_stops_it_and_is_named() -> None:
    alert = case_a.alert()
    items = (replace(alert.items[0], text="box stencilled TAJNO"), *alert.items[1:])
    with pytest.raises(RefusedError, match=r"items\[0\].text"):
        encode_message(replace(alert, items=items))


@pytest.mark.parametrize(
    "text",
    [
        "a secret compartment behind the seat",
        "interno je rešeno",
        "Sekretar stanice",
        "INTERNOM odlukom",
        "SECRETARIAT",
        "поверљиво",
        "Тајно су прешли границу",
        "drzavna tajna",
        "ОГРАНИЧЕНОСТ",
        "Для службового користування",
        "TAJNOST",
    ],
)
def test_ordinary_words_pass(text: str) -> None:
    assert marks_in(text) == ()
    encode_message(Note(text=text))


def test_what_was_read_from_metal_is_kept_whatever_it_begins_with() -> None:
    alert = case_a.alert()
    items = (replace(alert.items[0], serial_as_read="ДСК-1234"), *alert.items[1:])
    encode_message(replace(alert, items=items))
    with pytest.raises(RefusedError):
        encode_message(replace(alert, items=(replace(alert.items[0], make="ДСК"),)))


def test_the_longest_mark_is_the_one_that_is_named() -> None:
    assert marks_in("STRICT SECRET")[0] == "STRICT SECRET"
    assert marks_in("NATO\nSECRET")[0] == "NATO SECRET"


def test_a_reader_keeps_what_came() -> None:
    body = encode_map({**decode_map(encode_message(Note(text="x"))), "text": "TAJNO"})
    read = decode_message(body)
    assert isinstance(read, Note)
    assert read.text == "TAJNO"
