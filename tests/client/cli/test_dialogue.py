# ruff: noqa: RUF001 (letters of two alphabets that look alike are the point)

import io
import sys
from dataclasses import replace as replaced
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from seefen.client.cli import dialogue
from seefen.client.cli.arguments import UsageError
from seefen.client.cli.dialogue import Answers
from seefen.client.cli.screen import Screen
from seefen.protocol.messages import SeizureAlert

AT = datetime(2026, 3, 14, 1, 47, 9, tzinfo=UTC)
SAID = Answers(
    where="Tabanovce > Preševo, out",
    carrying="12 pistols, 340 rounds",
    vehicle="VW Passat B6 grey SK-0000-ZZ",
    serials="EV-19070413, EV-1907?4??, С-84417",
)
TYPED = [SAID.where, SAID.carrying, SAID.vehicle, "", SAID.serials, "", ""]


def answer(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


def test_the_alert_that_the_answers_make() -> None:
    alert = dialogue.alert_of(SAID, AT)
    assert alert.place == "Tabanovce > Preševo"
    assert (alert.bcp, alert.direction) == ("tabanovce-presevo", "out")
    assert alert.vehicle.plate == "SK-0000-ZZ"
    assert [item.serial_as_read for item in alert.items] == [
        "EV-19070413",
        "EV-1907?4??",
        "С-84417",
        "",
    ]
    assert sum(item.qty for item in alert.items) == 12
    assert alert.ammunition[0].qty == 340
    assert (alert.urgency, alert.handling, alert.tlp, alert.status) == (
        "URGENT", "H2", "TLP:AMBER+STRICT", "preliminary",
    )  # fmt: skip
    assert alert.cover().items == "12 pistols, 340 rounds"


def test_what_still_moves_is_flash() -> None:
    alert = dialogue.alert_of(Answers(where="Merdare", carrying="1 rifle", moving="yes"), AT)
    assert (alert.urgency, alert.urgency_reason, alert.moving) == ("FLASH", "moving", True)


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        (Answers(), "where"),
        (Answers(where="Merdare"), "what was found"),
        (Answers(where="Merdare", carrying=" "), "what was found"),
        (Answers(where="Merdare", carrying="1 rifle", handling="H9"), "handling code"),
        (Answers(where="Merdare", carrying="1 rifle", handling="H3"), "restrictions of your own"),
    ],
)
def test_what_is_missing_is_said_in_the_words_of_the_questions(said: Answers, missing: str) -> None:
    with pytest.raises(UsageError, match=missing) as caught:
        dialogue.alert_of(said, AT)
    assert caught.value.hint


def test_seven_questions_and_none_about_codes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept: list[Answers] = []
    answer(monkeypatch, *TYPED, "")
    alert = dialogue.compose(Screen(), Answers(), AT, kept.append)
    assert isinstance(alert, SeizureAlert)
    assert len(kept) == 7
    assert kept[-1] == replaced(SAID, at=AT.isoformat())
    shown = capsys.readouterr().out
    assert "С-84417 has a Cyrillic С: kept as typed, also matched as C-84417" in shown
    assert "H2, ask before sharing" in shown


def test_a_draft_is_kept_after_each_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Answers] = []
    answer(monkeypatch, *TYPED[:3])
    with pytest.raises(EOFError):
        dialogue.compose(Screen(), Answers(), AT, kept.append)
    assert kept[-1].vehicle == SAID.vehicle


def test_a_draft_goes_on_where_it_was_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept: list[Answers] = []
    answer(monkeypatch, *[""] * 7, "")
    earlier = replaced(SAID, at="2026-03-13T23:10:00+00:00", moving="yes")
    alert = dialogue.compose(Screen(), earlier, AT, kept.append)
    assert alert is not None
    assert alert.place == "Tabanovce > Preševo"
    # When it was found, and not when he went on writing.
    assert alert.occurred_at == "2026-03-13T23:10:00+00:00"
    assert kept[-1] == earlier
    shown = capsys.readouterr().out
    assert "Enter keeps what stands there; - empties it" in shown
    assert "Enter skips" not in shown
    assert "accomplice? [yes]" in shown


def test_an_answer_is_emptied(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Answers] = []
    answer(monkeypatch, "-", "Merdare", "", "-", "", "-", "", "", "")
    alert = dialogue.compose(Screen(), SAID, AT, kept.append)
    assert alert is not None
    assert (alert.place, alert.vehicle.plate, kept[-1].vehicle, kept[-1].serials) == (
        "Merdare", "", "", "",
    )  # fmt: skip


def test_the_line_of_codes_is_asked_for_by_whoever_changes_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, *TYPED, "e", *[""] * 7, "h3 amber b2", "Not before Monday.", "")
    alert = dialogue.compose(Screen(), Answers(), AT, lambda _: None)
    assert alert is not None
    assert (alert.handling, alert.tlp, alert.source_eval, alert.info_eval) == (
        "H3", "TLP:AMBER", "B", "2",
    )  # fmt: skip
    assert alert.conditions == "Not before Monday."
    assert {"handling", "tlp", "source_eval", "info_eval"} <= alert.said


def test_what_is_preset_is_shown_before_it_is_sent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, *TYPED, "")

    def fill(alert: SeizureAlert) -> SeizureAlert:
        assert not {"handling", "tlp", "source_eval", "info_eval"} & alert.said
        return replace(alert, handling="H1")

    alert = dialogue.compose(Screen(), Answers(), AT, lambda _: None, fill)
    assert alert is not None
    assert alert.handling == "H1"
    assert "H1, not in court without permission" in capsys.readouterr().out


def test_edit_and_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, *TYPED, "e", "Merdare", *[""] * 7, "q")
    kept: list[Answers] = []
    assert dialogue.compose(Screen(), Answers(), AT, kept.append) is None
    assert kept[-1].where == "Merdare"
    assert kept[-1].carrying == SAID.carrying


def test_what_cannot_be_sent_is_asked_again_at_its_question(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, "", SAID.where, "", "a bag", SAID.carrying, *TYPED[2:], "")
    alert = dialogue.compose(Screen(), Answers(), AT, lambda _: None)
    assert alert is not None
    assert alert.cover().items == "12 pistols, 340 rounds"
    shown = capsys.readouterr().out
    assert "An alert needs a place." in shown
    assert "What was found?" in shown
    assert "Not understood: say how many" in shown


def test_a_word_nobody_knows_is_sent_with_its_count_by_who_insists(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer(monkeypatch, "Merdare", "3 frobs", "", *[""] * 5, "")
    alert = dialogue.compose(Screen(), Answers(), AT, lambda _: None)
    assert alert is not None
    assert [(item.category, item.qty) for item in alert.items] == [("unknown", 3)]
    assert alert.text == "3 frobs"


@pytest.mark.parametrize("words", ["kalashnikovs in a bag", "foo", "foo; bar", "0 frobs", ","])
def test_words_that_nothing_stands_for_keep_no_alert_back(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, "Merdare", words, *[""] * 6, "")
    alert = dialogue.compose(Screen(), Answers(), AT, lambda _: None)
    assert alert is not None
    assert "one, where no number is said" in capsys.readouterr().out
    said = Answers(where="Merdare", carrying=words)
    given = dialogue.given(said, AT)
    dialogue.tell_guesses(Screen(), said, given)
    assert "it leaves as 1 weapon of unknown kind, with your words" in capsys.readouterr().out
    for sent in (alert, given):
        assert sent.cover().items == "1 weapon of unknown kind"
        assert sent.text == words.strip(",")


def test_what_has_no_code_is_told_at_its_question_and_shown_before_it_is_sent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, "Merdare", "1 bag with 5 pistols", *[""] * 5, "")
    dialogue.compose(Screen(), Answers(), AT, lambda _: None)
    shown = capsys.readouterr().out
    assert "Goes as text, for no code stands for it: 1 bag with 5 pistols" in shown
    assert shown.count("1 bag with 5 pistols") == 2


@pytest.mark.parametrize(
    ("typed", "moving"),
    [
        *((word, True) for word in ("yes", "Yes.", "y", "da", "да", "Po", "так", "still moving")),
        *((word, True) for word in ("yes, towards Niš", "Да, кон Ниш", "moving")),
        *((word, False) for word in ("", "no", "ne", "не", "jo", "nu", "ні", "No, arrested")),
    ],
)
def test_yes_and_no_in_each_language(typed: str, moving: bool) -> None:
    said = Answers(where="Merdare", carrying="1 rifle", moving=typed)
    alert = dialogue.alert_of(said, AT)
    assert alert.moving is moving
    assert alert.leaving().flash_asked is moving
    assert len(typed.split()) < 2 or typed in alert.text  # no word is dropped


def test_what_is_neither_yes_nor_no_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = [*TYPED[:3], "12 pistols", "", *TYPED[4:], ""]
    answer(monkeypatch, *typed)
    alert = dialogue.compose(Screen(), Answers(), AT, lambda _: None)
    assert alert is not None
    assert not alert.moving
    shown = capsys.readouterr().out
    assert "Say yes or no" in shown
    assert "moving no" in " ".join(shown.split())
    with pytest.raises(UsageError, match="still moves"):
        dialogue.alert_of(Answers(where="Merdare", carrying="1 rifle", moving="perhaps"), AT)


def test_q_at_a_question_leaves_with_the_draft_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Answers] = []
    answer(monkeypatch, *TYPED[:2], "q")
    assert dialogue.compose(Screen(), Answers(), AT, kept.append) is None
    assert kept[-1] == Answers(where=SAID.where, carrying=SAID.carrying, at=AT.isoformat())


def test_the_crossing_that_one_side_named_is_shown_before_it_is_sent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, "Batrovci, out", "1 rifle", *[""] * 6)
    alert = dialogue.compose(Screen(), Answers(), AT, lambda _: None)
    assert alert is not None
    assert (alert.bcp, alert.setting, alert.place) == ("batrovci-bajakovo", "bcp", "Batrovci")
    assert "crossing: Batrovci / Bajakovo was taken for 'Batrovci'" in capsys.readouterr().out


def test_h3_that_lacks_its_words_can_be_put_right(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = [*TYPED, "e", *[""] * 7, "H3", "", "", *[""] * 8, "Not before Monday.", ""]
    answer(monkeypatch, *typed)
    alert = dialogue.compose(Screen(), Answers(), AT, lambda _: None)
    assert alert is not None
    assert (alert.handling, alert.conditions) == ("H3", "Not before Monday.")
