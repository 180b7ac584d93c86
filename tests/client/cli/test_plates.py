"""The plates of the region, as officers type them."""
# ruff: noqa: RUF001 (letters of two alphabets that look alike are the point)

import io
import sys
from datetime import UTC, datetime

import pytest

from seefen.client.cli import answers, dialogue
from seefen.client.cli.dialogue import Answers
from seefen.client.cli.screen import Screen
from seefen.protocol.matching import Exactness, compare_plates

AT = datetime(2026, 3, 14, 1, 47, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "plate"),
    [
        ("Mercedes Sprinter AA 123 BB, i bardhë", "AA 123 BB"),  # AL
        ("Mercedes 190 TR 1234 A", "TR 1234 A"),
        ("Golf 4 A12-B-345", "A12-B-345"),  # BA
        ("Škoda CB 1234 BM", "CB 1234 BM"),  # BG
        ("Лада С 1234 ВМ", "С 1234 ВМ"),
        ("VW Golf zg-1234-ab", "zg-1234-ab"),  # HR
        ("Opel 01-123-AB", "01-123-AB"),  # XK
        ("Dacia Logan CIS 123", "CIS 123"),  # MD
        ("K AA 123 Dacia", "K AA 123"),
        ("Opel PG AB123", "PG AB123"),  # ME
        ("Застава 101 СК-1234-АБ", "СК-1234-АБ"),  # MK
        ("VW Passat B6 grey SK-0000-ZZ", "SK-0000-ZZ"),
        ("Dacia B 123 ABC", "B 123 ABC"),  # RO
        ("Dacia CJ12ABC", "CJ12ABC"),
        ("Dacia B 012345", "B 012345"),
        ("Audi A4 BG 123-AB", "BG 123-AB"),  # RS
        ("Audi A4 2008 ВР 123-АБ, црна", "ВР 123-АБ"),
        ("Renault LJ 12-ABC", "LJ 12-ABC"),  # SI
        ("Renault LJ AB-123", "LJ AB-123"),
        ("UAZ AA 1234 BB", "AA 1234 BB"),  # UA
        ("ВАЗ 2107 АА1234ВВ", "АА1234ВВ"),
        ("Suzuki ABC-123", "ABC-123"),  # HU
        ("Suzuki AA BC-123", "AA BC-123"),
        ("Fiat YZA-1234", "YZA-1234"),  # GR
        ("Ford 34 ABC 123", "34 ABC 123"),  # TR
        ("VW W-12345 A", "W-12345 A"),  # AT
        ("BMW 320 d B-AB 1234", "B-AB 1234"),  # DE
        ("Seat Ibiza KA-AB 123E", "KA-AB 123E"),
        ("Škoda 1A2 3456", "1A2 3456"),  # CZ
        ("Fiat WA 12345", "WA 12345"),  # PL
        ("Fiat AB 123 CD", "AB 123 CD"),  # IT
        ("mercedes sprinter aa 123 bb", "aa 123 bb"),
    ],
)
def test_a_plate_is_read_as_it_was_typed(typed: str, plate: str) -> None:
    assert answers.vehicle(typed)["plate"] == plate


@pytest.mark.parametrize(
    "typed",
    ["BMW 320", "Mercedes E 220 CDI", "Mercedes GLC 220", "Peugeot 206", "VW T5", "white van",
     "MAN TGX 480", "Audi 100", "AUDI 100", "Iveco Daily 35 C 13", "Mazda CX-5"],
)  # fmt: skip
def test_a_model_is_no_plate(typed: str) -> None:
    assert "plate" not in answers.vehicle(typed)


@pytest.mark.parametrize(
    ("typed", "rest"),
    [
        ("Mercedes Sprinter AA 123 BB, i bardhë", ("Mercedes", "Sprinter", "i bardhë")),
        ("Audi A4 BG 123-AB", ("Audi", "A4", "")),
        ("Лада 2107 црвена, СК 1234 АБ", ("Лада", "2107", "црвена")),
        ("Dacia Logan albă CIS 123", ("Dacia", "Logan", "albă")),
        ("crni golf 4, tablice NI 123-AB", ("golf", "4", "crni")),
        ("crni golf 4, registarske tablice: NI 123-AB", ("golf", "4", "crni")),
        ("голф 4, таблици СК 1234 АБ, црн", ("голф", "4", "црн")),
        ("Golf 4 me targa AA 123 BB", ("Golf", "4", "")),
        ("Dacia Logan cu număr de înmatriculare CIS 123", ("Dacia", "Logan", "")),
        ("ВАЗ 2107, номерний знак АА1234ВВ", ("ВАЗ", "2107", "")),
        ("VW Golf reg. no. NI 123-AB black", ("VW", "Golf", "black")),
        ("VW Golf with licence plates NI 123-AB", ("VW", "Golf", "")),
        ("VW Golf, number plate: NI 123-AB", ("VW", "Golf", "")),
        ("golf 4, tablice nečitke", ("golf", "4 tablice nečitke", "")),  # no plate
    ],
)
def test_make_model_and_colour_beside_it(typed: str, rest: tuple[str, ...]) -> None:
    vehicle = answers.vehicle(typed)
    assert tuple(vehicle.get(name, "") for name in ("make", "model", "colour")) == rest


def test_a_plate_is_found_with_and_without_its_blanks() -> None:
    plate = answers.vehicle("Mercedes Sprinter AA 123 BB, i bardhë")["plate"]
    assert compare_plates("AA 123 BB", plate) is Exactness.EXACT
    assert compare_plates("AA123BB", plate) is Exactness.LOOK_ALIKE


@pytest.mark.parametrize(
    ("vehicle", "said"),
    [
        ("white van", "no plate: none was read"),
        ("VW AA 123 BB and trailer AB 999 CD", "plate: AB 999 CD was taken for it, and is a guess"),
        ("VW X1-77Z", "plate: X1-77Z was taken for it, and is a guess"),
        ("VW Passat SK-0000-ZZ", ""),
        ("", ""),
    ],
)
def test_what_was_guessed_is_said_before_sending(
    vehicle: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = ["Merdare", "1 rifle", vehicle, *[""] * 5]
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in typed)))
    dialogue.compose(Screen(), Answers(), AT, lambda _: None)
    shown = capsys.readouterr().out
    assert said in shown
    assert ("plate:" in shown) is bool(said)
    given = Answers("Merdare", "1 rifle", vehicle)
    dialogue.tell_guesses(Screen(), given, dialogue.alert_of(given, AT))
    assert said in capsys.readouterr().out
