"""Serial numbers stand on the weapon that is said, and are never guessed onto another."""
# ruff: noqa: RUF001 (letters of two alphabets that look alike are the point)

import io
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from seefen.client.cli import answers, dialogue, numbers, trace_about
from seefen.client.cli.arguments import UsageError
from seefen.client.cli.dialogue import Answers
from seefen.client.cli.screen import Screen
from seefen.client.sheets import things_from_csv
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import Item, SeizureAlert

AT = datetime(2026, 3, 14, 1, 47, 9, tzinfo=UTC)
# Sample case A of the domain, in its own words.
LOAD = "9 pistols Ekol Special 99, 1 pistol Zastava M57, 340 rounds 7,62 x 25"
SERIALS = "EV-1907?4??, С-84417"
LOTS: list[dict[str, Any]] = answers.load(LOAD)["items"]


def stood(alert: SeizureAlert) -> list[tuple[str, str, int, str]]:
    return [(item.kind, item.make, item.qty, item.serial_as_read) for item in alert.items]


def typed(monkeypatch: pytest.MonkeyPatch, *lines: str) -> SeizureAlert:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
    alert = dialogue.compose(Screen(), Answers(), AT, lambda _: None)
    assert alert is not None
    return alert


NOT_SAID = [
    ("alarm_signal", "Ekol", 9, ""),
    ("firearm", "Zastava", 1, ""),
    ("number", "", 1, "EV-1907?4??"),
    ("number", "", 1, "С-84417"),
]
SAID = [
    ("alarm_signal", "Ekol", 1, "EV-1907?4??"),
    ("firearm", "Zastava", 1, "С-84417"),
    ("alarm_signal", "Ekol", 8, ""),
]


def test_options_guess_no_weapon_and_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    said = Answers(where="Merdare", carrying=LOAD, serials=SERIALS)
    alert = dialogue.alert_of(said, AT)
    assert stood(alert) == NOT_SAID
    assert not any(item.confidence for item in alert.items)
    assert alert.cover().items == "10 pistols, 340 rounds"
    dialogue.tell_guesses(Screen(), said, alert)
    shown = capsys.readouterr().out
    assert "number С-84417: stands alone, which weapon bears it is not said" in shown


@pytest.mark.parametrize(
    "serials",
    ["M57: С-84417; Ekol: EV-1907?4??", "EV-1907?4??; M57: С-84417; Ekol Special 99: EV-1907?4??",
     "Ekol: EV-1907?4??, Zastava: С-84417", "Special 99: EV-1907?4??; Застава М57: С-84417"],
)  # fmt: skip
def test_the_typed_form_says_it(serials: str) -> None:
    said = Answers(where="Merdare", carrying=LOAD, serials=serials)
    assert sorted(stood(dialogue.alert_of(said, AT))) == sorted(SAID)


def test_one_question_where_there_are_several_kinds_and_numbers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = ["Merdare", LOAD, "", "", SERIALS]
    assert stood(typed(monkeypatch, *first, "M57: 84417; Ekol: EV-19", "", "", "")) == SAID
    shown = capsys.readouterr().out
    assert "Which number is on which: Ekol Special 99, Zastava M57?" in shown
    assert stood(typed(monkeypatch, *first, "", "", "", "")) == NOT_SAID
    assert "number as read, which weapon is not said" in capsys.readouterr().out
    for load, serials in (("10 pistols", SERIALS), (LOAD, ""), (LOAD, "M57: С-84417")):
        typed(monkeypatch, "Merdare", load, "", "", serials, "", "", "")
        assert "Which number" not in capsys.readouterr().out


def test_numbers_are_kept_where_its_officer_leaves_at_the_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept: list[Answers] = []
    lines = ["Merdare", LOAD, "", "", SERIALS, "q"]
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
    assert dialogue.compose(Screen(), Answers(), AT, kept.append) is None
    assert kept[-1].serials == SERIALS


def test_a_weapon_that_was_not_found_is_asked_again_and_never_dropped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = "Zastva M57: С-84417"
    first = ["Merdare", LOAD, "", ""]
    assert stood(typed(monkeypatch, *first, wrong, "M57: С-84417", "", "", ""))[0][1:] == (
        "Zastava", 1, "С-84417",
    )  # fmt: skip
    assert "'Zastva M57' is none of these" in capsys.readouterr().out
    alert = typed(monkeypatch, *first, wrong, "", "", "", "", "")
    assert stood(alert)[-1] == ("number", "", 1, "С-84417")
    assert alert.text == wrong


@pytest.mark.parametrize(
    ("load", "serials", "weapons"),
    [
        *(
            ("11 pistols, 1 Zastava M57", f"{kind}: EV-1; M57: S-2", [0, 1])
            for kind in (
                "pistol",
                "Pistols",
                "pištolji",
                "пиштољи",
                "пиштоли",
                "pistoleta",
                "pistoale",
                "пістолети",
            )
        ),
        ("11 pistols, 1 Zastava M57", "M57 pistol: S-2; pistol M57: S-3", [1, 1]),
        ("4 guns, 1 Zastava M57", "guns: A1", [0]),
        ("5 pistols, 6 alarm pistols", "pistols: A1; alarm pistol: A2", [0, 1]),
        ("6 alarm pistols, 1 rifle", "pistol: A1", [0]),
        ("1 Glock 17, 1 Zastava M57", "pistol: A1", [None]),
        ("11 pistols", ": A1", [0]),
    ],
)
def test_a_kind_means_those_that_have_no_other_name(
    load: str, serials: str, weapons: list[int | None]
) -> None:
    read = numbers.numbered(answers.load(load)["items"], serials)
    assert [one.weapon for one in read] == weapons
    assert not any(":" in one.text for one in read)


def test_options_refuse_what_no_weapon_is_called() -> None:
    said = Answers("Merdare", LOAD, serials="M57: С-84417; pistols: EV-19070413")
    with pytest.raises(UsageError, match=r"'pistols' is none of these, or several: Ekol") as no:
        dialogue.given(said, AT)
    assert "leave out the name" in no.value.hint
    rounds = Answers("Merdare", "340 rounds", serials="M57: A1")
    with pytest.raises(UsageError, match="'M57' is none of these, or several: no weapon"):
        dialogue.given(rounds, AT)


def test_more_numbers_than_weapons_count_none_more() -> None:
    said = Answers(where="Merdare", carrying="2 pistols", serials="A1, A2, A3")
    alert = dialogue.alert_of(said, AT)
    assert [item.kind for item in alert.items] == ["firearm", "firearm", "number"]
    assert alert.cover().items == "2 pistols"
    rounds = dialogue.alert_of(Answers("Merdare", "340 rounds", serials="A1"), AT)
    assert rounds.cover().items == "340 rounds"
    alone = dialogue.alert_of(Answers("Merdare", "a car", serials="A1"), AT)
    assert alone.cover().items == "1 weapon of unknown kind"


def test_a_number_says_its_name_once() -> None:
    read = numbers.numbered(LOTS, "EV-1, EV-2, С-84417", "M57: С-84417")
    assert read == (("EV-1", None), ("EV-2", None), ("С-84417", 1))
    assert numbers.numbered(LOTS[:1], "A1, A1") == (("A1", 0),)
    # What is said at the second question and was not read before is not dropped.
    assert numbers.numbered(LOTS, "EV-1", "M57: С-84417")[-1] == ("С-84417", 1)
    two = [{"category": "pistol", "qty": 2}, {"category": "rifle", "qty": 1}]
    assert numbers.numbered(two, "rifle: 7; пиштоли: 8, 9") == (("7", 1), ("8", 0), ("9", 0))


def test_guns_with_and_without_a_number() -> None:
    lots = [{"qty": 12, "category": "pistol"}]
    assert numbers.on_items(lots, numbers.numbered(lots, "A1, A?")) == [
        {"n": 1, "category": "pistol", "serial_as_read": "A1", "serial_state": "present"},
        {"n": 2, "category": "pistol", "serial_as_read": "A?", "serial_state": "partly"},
        {"n": 3, "category": "pistol", "qty": 10},
    ]


def test_a_number_alone_needs_one() -> None:
    with pytest.raises(RefusedError, match="stands alone"):
        Item(category="unknown", kind="number").check("items[0]")


def test_a_number_alone_is_asked_about_as_that_of_a_weapon() -> None:
    alert = dialogue.alert_of(Answers("Merdare", LOAD, serials=SERIALS), AT)
    asked = trace_about.request(alert, 4, ("belgrade-ffp",), AT)
    assert (asked.item.kind, asked.item.serial_as_read) == ("firearm", "С-84417")
    assert asked.cover().subject.startswith("1 weapon of unknown kind")


def test_a_number_alone_comes_back_from_a_table() -> None:
    table = "thing,kind,category,serial_as_read\nweapon,number,unknown,C-84417\n"
    assert things_from_csv(table.encode())["items"] == [
        {"kind": "number", "category": "unknown", "qty": 1, "serial_as_read": "C-84417"}
    ]
