"""Covers: what a list shows, and what nobody can put onto it."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from demo import case_a
from seefen.protocol.encoding import encode_map
from seefen.protocol.errors import MalformedError
from seefen.protocol.messages import (
    Cover,
    FileNote,
    Item,
    Message,
    Note,
    Said,
    SeizureAlert,
    decode_cover,
    encode_cover,
)
from seefen.protocol.messages.vocabulary import CALIBRE, CATEGORY
from tests.support.specs import spec
from tests.support.vectors import own

OBJECT = bytes(range(16))
MESSAGES: dict[str, tuple[Message, str]] = {
    "alert": (case_a.alert(), "12 pistols, 340 rounds, Tabanovce / Preševo, preliminary"),
    "request": (case_a.trace_request(), "1 pistol, 7,62 x 25 Tok., property mark, import mark"),
    "reply": (case_a.trace_reply(OBJECT), "traced in part, post-conflict"),
    "answer": (case_a.answer(OBJECT), "taken"),
    "note": (case_a.note(OBJECT), "note"),
    "file": (
        FileNote(name="Trajanov.jpg", size=1, sha256=bytes(32), role="serial_closeup"),
        "serial number close-up",
    ),
}


@pytest.mark.parametrize(("message", "subject"), MESSAGES.values(), ids=MESSAGES)
def test_the_cover_of_each_message(message: Message, subject: str) -> None:
    cover = message.cover()
    assert cover.subject == subject
    assert len(subject) <= 80
    assert (cover.type, cover.urgency, cover.handling) == (
        message.TYPE,
        message.urgency,
        message.handling,
    )
    assert decode_cover(encode_cover(cover)) == cover


@pytest.mark.parametrize(("message", "subject"), MESSAGES.values(), ids=MESSAGES)
def test_no_canary_stands_on_a_cover(message: Message, subject: str) -> None:
    cover = encode_cover(message.cover())
    for canary in case_a.CANARIES:
        assert canary.encode() not in cover
        assert canary not in subject


def test_covers_tell_clocks_what_they_need() -> None:
    alert, request = case_a.alert().cover(), case_a.trace_request().cover()
    assert (alert.due_s, alert.act, alert.to) == (3600, "ask", ())
    assert (request.due_s, request.act, request.to) == (7 * 86_400, "ask", ("belgrade-ffp",))
    assert alert.items == "12 pistols, 340 rounds"
    assert case_a.trace_reply().cover().act == "answer"
    assert case_a.answer(OBJECT).cover().act == "take"
    assert Note(text="x", about=OBJECT, move="query").cover().act == "query"


@given(
    st.text(max_size=30),
    st.lists(
        st.tuples(st.sampled_from([*CATEGORY]), st.integers(1, 10**7), st.sampled_from([*CALIBRE])),
        max_size=40,
    ),
    st.booleans(),
)
def test_free_text_never_reaches_a_cover(
    text: str, found: list[tuple[str, int, str]], moving: bool
) -> None:
    items = tuple(
        Item(category=c, qty=n, calibre=k, make=text, model=text, serial_as_read=text, text=text)
        for c, n, k in found
    )
    alert = replace(
        case_a.alert(), items=items, moving=moving, text=text, place=text, national_ref=text
    )
    cover = replace(alert, items=tuple(replace(i, make="", model="") for i in items)).cover()
    assert alert.cover() == cover
    assert len(cover.subject) <= 80
    assert len(encode_cover(cover)) < 1024
    assert isinstance(alert, SeizureAlert)


@given(st.text(string.ascii_lowercase + string.digits + "-_.", min_size=1, max_size=40))
def test_what_a_hostile_author_writes_as_a_code_is_not_shown(code: str) -> None:
    # A code is a place of forty characters: enough for a name. Only our own words are shown.
    shown = Cover(
        type="Note", what=(Said(table="category", code=code, n=1), Said(table=code, code=code))
    )
    words = {"1 unknown category", *(f"1 {label}" for label in CATEGORY.values())}
    assert shown.subject.split(", ")[0] in words
    if code not in CATEGORY:
        assert Said(table="category", code=code, n=2).n == 2
        assert str(Said(table="category", code=code)) == "unknown category"


def test_a_table_nobody_knows_is_not_shown() -> None:
    assert str(Said(table="milos_trajanov_1991", code="x", n=1)) == "1 unknown"


def test_a_long_subject_ends_with_whole_parts() -> None:
    items = tuple(Item(category=category, qty=1000) for category in CATEGORY)
    subject = replace(case_a.alert(), items=items).cover().subject
    assert subject.endswith(", …")
    assert len(subject) <= 80
    assert subject.startswith("1000 pistols, 1000 revolvers")


def test_a_newer_cover_is_passed_on_whole() -> None:
    newer = {
        "type": "HitNotice",
        "v": 2,
        "handling": "H2",
        "urgency": "FLASH",
        "exactness": "exact",
    }
    read = decode_cover(encode_map(newer))
    assert read.extra == {"exactness": "exact"}
    assert encode_cover(read) == encode_map(newer)


@pytest.mark.parametrize(
    "change",
    [
        {"type": "Милош Трајанов"},
        {"type": None},
        {"v": None},
        {"urgency": "LATER"},
        {"handling": "H4"},
        {"what": [{"table": "category", "code": "Miloš Trajanov"}]},
        {"what": [{"table": "category", "code": "a b"}]},
        {"what": [{"table": "A", "code": "b"}]},
        {"what": [{"table": "category", "code": "pistol", "n": -1}]},
        {"what": [{"table": "category", "code": "pistol"}] * 13},
        {"to": ["Miloš Trajanov"]},
        {"act": "Take it"},
        {"subject text": "x"},
        {"*": {}},
        {"due_s": -1},
        {"due_each": [0]},
        {"due_each": [1] * 65},
    ],
)
def test_what_is_no_cover_is_refused(change: dict[str, object]) -> None:
    fields: dict[str, object] = {"type": "Note", "v": 1, "urgency": "NORMAL", "handling": "H2"}
    assert decode_cover(encode_map(fields))
    with pytest.raises(MalformedError):
        decode_cover(encode_map({**fields, **change}))


def test_a_cover_without_a_version_or_too_long_is_refused() -> None:
    with pytest.raises(MalformedError):
        decode_cover(encode_map({"type": "Note"}))
    with pytest.raises(MalformedError):
        decode_cover(encode_map({"type": "Note", "v": 1, "long": "x" * 3000}))


def test_a_clock_beyond_all_calendars_is_no_cover() -> None:
    fields = {"type": "TraceRequest", "v": 1, "act": "ask"}
    assert decode_cover(encode_map({**fields, "due_s": 366 * 86_400})).due_s == 366 * 86_400
    with pytest.raises(MalformedError):  # it would stop the duty list of its reader
        decode_cover(encode_map({**fields, "due_s": 366 * 86_400 + 1}))


@pytest.mark.parametrize("case", own("messages/covers.json"), ids=lambda case: str(case["name"]))
def test_the_vectors_of_covers(case: dict[str, str]) -> None:
    cover = decode_cover(bytes.fromhex(case["cover"]))
    assert cover.subject == case["subject"]
    assert encode_cover(cover).hex() == case["cover"]
    if case["name"] in ("answer", "three-clocks"):
        assert case["cover"] in spec("messages.md")


def test_each_node_that_is_asked_has_its_own_clock() -> None:
    asked = Cover(type="TraceRequest", act="ask", due_s=7, to=("aaa", "bbb", "ccc"))
    assert asked.timed({}) == asked
    same = asked.timed({"aaa": 4, "bbb": 4, "ccc": 4})
    assert (same.due_s, same.due_each) == (4, ())
    timed = asked.timed({"ccc": 9, "aaa": 4})  # b is not in force, and has the longest
    assert (timed.due_s, timed.due_each) == (9, (4, 9, 9))
    assert [timed.due_of(node) for node in ("aaa", "bbb", "ccc", "ddd")] == [4, 9, 9, 9]
    assert decode_cover(encode_cover(timed)) == timed
    # Who asks all members names them where their clocks differ.
    to_all = replace(asked, to=()).timed({"aaa": 4, "bbb": 9})
    assert (to_all.to, to_all.due_each) == (("aaa", "bbb"), (4, 9))


def test_clocks_that_fit_nobody_count_for_nothing() -> None:
    asked = Cover(type="TraceRequest", act="ask", due_s=7, due_each=(4,), to=("aaa", "bbb"))
    assert asked.due_of("aaa") == asked.due_of("bbb") == 7
    assert replace(asked, due_each=(9, 1)).due_of("aaa") == 7  # no more than was said for all
    assert replace(asked, due_s=0, due_each=(9, 1)).due_of("bbb") == 0
