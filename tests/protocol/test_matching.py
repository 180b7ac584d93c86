"""Serial numbers, plates and headstamps: what fits, how well, and what never does."""
# ruff: noqa: RUF001 (letters of two alphabets that look alike are the point)

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seefen.protocol.matching import (
    LONGEST,
    Exactness,
    compare,
    compare_headstamps,
    compare_plates,
    is_mixed,
    latin,
    look_alikes,
    plate_key,
    scripts,
    strong_key,
    weak_key,
)
from tests.support.vectors import own

COMPARE = {"serial": compare, "plate": compare_plates, "headstamp": compare_headstamps}
READ = st.text("АВСЕХабпу" + "ABCEXO01I5S-/ ?*", max_size=12)


@pytest.mark.parametrize(
    "case", own("matching/compare.json"), ids=lambda c: f"{c['of']} {c['a']} {c['b']}"
)
def test_the_vectors_of_comparing(case: dict[str, Any]) -> None:
    for a, b in ((case["a"], case["b"]), (case["b"], case["a"])):
        assert COMPARE[case["of"]](a, b) == case["exactness"]


@pytest.mark.parametrize("case", own("matching/keys.json"), ids=lambda c: str(c["text"]))
def test_the_vectors_of_keys(case: dict[str, Any]) -> None:
    text = case["text"]
    assert strong_key(text) == case["strong"]
    assert weak_key(text) == case["weak"]
    assert sorted(scripts(text)) == case["scripts"]
    assert is_mixed(text) is case["mixed"]


@given(READ, READ)
def test_comparing_does_not_depend_on_the_order(a: str, b: str) -> None:
    for compared in COMPARE.values():
        assert compared(a, b) is compared(b, a)


@given(READ)
def test_a_number_that_was_read_whole_is_exactly_itself(text: str) -> None:
    wild = set("?*") & set(text)
    if strong_key(text) and not wild:
        assert compare(text, text) is Exactness.EXACT
    elif not strong_key(text).strip("?*"):
        assert compare(text, text) is Exactness.NOTHING
    else:  # what could not be read may differ
        assert compare(text, text) in (Exactness.POSSIBLE, Exactness.NOTHING)


@given(READ, READ)
def test_only_equal_text_is_exact(a: str, b: str) -> None:
    if compare(a, b) is Exactness.EXACT:
        assert a == b


@given(st.text(max_size=30))
def test_keys_of_keys_are_keys(text: str) -> None:
    assert strong_key(strong_key(text)) == strong_key(text)
    assert weak_key(weak_key(text)) == weak_key(text)


@pytest.mark.parametrize("text", ["*", "?", "**?", "A*", "???1", "-", ""])
def test_too_little_was_read_to_fit_anything(text: str) -> None:
    # Otherwise one alert with "*" would ring at every officer who checks a number.
    assert compare(text, "EV-19070413") is Exactness.NOTHING


def test_two_incomplete_numbers_must_share_what_was_read() -> None:
    assert compare("EV-19*", "*413") is Exactness.NOTHING
    assert compare("EV-1907*", "EV-190?0413") is Exactness.POSSIBLE


def test_a_long_text_costs_nothing() -> None:
    long = "*A" * LONGEST
    assert compare(long, long) is Exactness.EXACT
    assert compare(long, long + "B") is Exactness.NOTHING
    assert compare_headstamps(long, "ппу") is Exactness.NOTHING


def test_what_the_officer_is_told_about_a_look_alike() -> None:
    assert look_alikes("\u0421-84417") == (("\u0421", "C"),)
    assert latin("\u0421-84417") == "C-84417"
    assert look_alikes("C-84417") == ()
    assert latin("\u0410\u0411-1") == "A\u0411-1"


def test_accents_do_not_count_on_plates() -> None:
    assert plate_key("ŽŠ-Đ12") == "ZSD12"
    assert plate_key("ŠČ 100 ЋЖ") == plate_key("SC100ЋЖ")


# Attack 53, as a table: what looks the same, what is easily confused, what is another number.
LATIN_CYRILLIC = "AА BВ EЕ KК MМ HН OО PР CС TТ XХ JЈ SЅ IІ"
LATIN_GREEK = "AΑ BΒ EΕ ZΖ HΗ IΙ KΚ MΜ NΝ OΟ PΡ TΤ XΧ"
CONFUSED = "0O 1I 1L 5S 8B 2Z 0О 3З 6Б 4Ч"
APART = "AE BE CG DO EF GC HM KX MN PR QO TY UV VW XK ГT ДA ЛA ПN ФO ЦU ЖX ШW ЊH ЂT"


def _pairs(letters: str) -> list[tuple[str, str]]:
    return [(pair[0], pair[1]) for pair in letters.split()]


SAME = [
    (f"{before}{a}{after}", f"{before}{b}{after}")
    for before, after in (("", "-84417"), ("EV", "1907"), ("19", "07X"))
    for a, b in (*_pairs(LATIN_CYRILLIC), *_pairs(LATIN_GREEK))
]
SPELLED = [
    ("EV-19070413", text)
    for text in (
        "ev-19070413",
        "EV 19070413",
        "EV19070413",
        "E.V./1907-0413",
        "ＥＶ－１９０７０４１３",
    )
]
SUGGESTED = [
    (f"{before}{a}{after}", f"{before}{b}{after}")
    for before, after in (("EV-19", "7"), ("K", "44X"), ("", "-3T7"), ("9", ""), ("M70", "-1"))
    for a, b in _pairs(CONFUSED)
]
OTHER = [
    *((f"{before}{a}{after}", f"{before}{b}{after}")
      for before, after in (("", "-84417"), ("EV", "9007")) for a, b in _pairs(APART)),
    *((f"EV-1907{n}413", f"EV-1907{(n + 1) % 10}413") for n in range(10)),
    *(("EV-19070413", text) for text in (
        "EV-1907413", "EV-190700413", "EV-19070431", "EV-91070413", "VE-19070413", "19070413",
        "EV-19070413A", "EV-1907", "АВ-19070413", "EV-1907041", "",
    )),
]  # fmt: skip
PAIRS = [
    *((a, b, "look-alike") for a, b in (*SAME, *SPELLED)),
    *((a, b, "possible") for a, b in SUGGESTED),
    *((a, b, "nothing") for a, b in OTHER),
]


def test_attack_53_two_hundred_pairs_get_the_verdict_of_the_table() -> None:
    assert len(PAIRS) >= 200
    assert len(OTHER) >= 60
    wrong = [
        (a, b, str(compare(one, two)), wanted)
        for a, b, wanted in PAIRS
        for one, two in ((a, b), (b, a))
        if compare(one, two) != wanted
    ]
    assert wrong == []


def test_attack_53_a_letter_of_another_alphabet_is_marked_wherever_it_stands() -> None:
    for a, b in _pairs(LATIN_CYRILLIC):
        assert look_alikes(f"EV-{b}19") == ((b, a),)
        assert is_mixed(f"EV-{b}19")
        assert not is_mixed(f"EV-{a}19")
