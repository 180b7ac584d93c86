"""Serial numbers, plates and headstamps: what fits, how well, and what never does."""

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
