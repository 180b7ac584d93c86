"""Coded values on the screen, in the language that was asked for."""
# ruff: noqa: RUF001 (letters of two alphabets)

import dataclasses
import json

import pytest

from seefen.client import values
from seefen.client.cli.app import main
from seefen.client.cli.views import alerts, cases, messages, objects
from seefen.protocol.messages import Cover, Said, SeizureAlert, message_from_form
from tests.client.cli.test_views import CASE, OBJECT, printed

ALERT = {
    "place": "Tabanovce > Preševo",
    "items": [
        {
            "category": "pistol", "make": "Zastava", "model": "M57", "ref": "zastava-m57",
            "serial_as_read": "С-84417", "serial_state": "present", "confidence": "sure",
        }
    ],
    "concealment": ["spare_wheel"],
    "other_channels": [{"channel": "iarms", "ref": "TR-1"}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("lang", "parts"),
    [
        ("en", ("pistol · Zastava · M57 · listed as Zastava M57", "spare wheel", "H2: Not to be")),
        ("sq", ("pistoletë · Zastava · M57", "rrota rezervë", "H2: Të mos u kalohet", "Albanian")),
        ("sr", ("pištolj · Zastava", "rezervni točak", "H2: Ne sme se prosleđivati")),
        ("sr-Cyrl", ("пиштољ · Zastava", "резервни точак", "H2: Не сме се прослеђивати")),
        ("mk", ("пиштол · Zastava", "резервно тркало", "H2: Да не се проследува")),
        ("ro", ("pistol · Zastava", "roata de rezervă", "H2: Nu se transmite mai departe")),
        ("uk", ("пістолет · Zastava", "запасне колесо", "H2: Не передавати далі")),
    ],
)
def test_coded_values_are_shown_in_a_language(lang: str, parts: tuple[str, ...]) -> None:
    alert = message_from_form("SeizureAlert", ALERT)
    assert isinstance(alert, SeizureAlert)
    read = values.Opened(OBJECT, alert, 44230, ())
    shown = printed(objects.opened(read, lang=lang))
    for part in (*parts, "listed as Zastava M57", "Tabanovce > Preševo", "С-84417"):
        assert part in shown
    # What is nearly always so stands in the way in no language.
    assert "serial state" not in shown
    assert "confidence" not in shown
    assert shown.count("Machine draft translation") == (lang != "en")


def test_the_reference_of_another_channel_is_no_row_of_the_list_of_arms() -> None:
    search = {"channel": "iarms", "ref": "TR-1"}
    fields = {**ALERT, "item": {"category": "pistol", "serial_as_read": "A1"}, "searched": [search]}
    asked = {name: fields[name] for name in ("item", "searched")}
    request = message_from_form(
        "TraceRequest",
        {**asked, "offence": "trafficking", "illicit_nature": "seized", "question": ["import"]},
    )
    assert "INTERPOL iARMS · ref TR-1" in printed(messages.body(request))


def test_lists_in_a_language() -> None:
    cover = Cover(type="SeizureAlert", what=(Said(table="category", code="pistol", n=12),))
    item = dataclasses.replace(OBJECT, cover=cover)
    assert "12 × pištolj · H2, ask before" in printed(alerts.listed([item], "sr"))
    assert "12 pistols, 340 rounds" in printed(alerts.listed([item]))
    case = dataclasses.replace(CASE, objects=(item,))
    assert "12 × pistoletë · H2" in printed(cases.whole(case, "sq"))
    assert printed(cases.whole(case, "sq")).count("Machine draft") == 1


def test_a_reviewer_reads_a_whole_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "exactness", "--lang", "sr-Cyrl"]) == 0
    shown = capsys.readouterr().out
    assert "делимично" in shown
    assert "Machine draft translation (Serbian in Cyrillic)" in shown
    assert main(["schema", "exactness", "--lang", "sr-Cyrl", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["partial"] == "partial"


def test_each_string_says_whether_somebody_has_read_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["schema", "calibre", "--lang", "mk"]) == 0
    rows = {row.split()[0]: row for row in capsys.readouterr().out.splitlines()}
    assert rows["9x19"].endswith("English")  # a name, the same everywhere
    assert rows["unknown"].endswith("machine draft")
    assert main(["schema", "exactness"]) == 0
    assert "WORDS" not in capsys.readouterr().out


def test_each_row_of_a_table_is_shown_with_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    for table, code, said in (
        ("arm", "zastava-m57", "memory"),
        ("arm", "zastava-m76", "strzal.pl"),
        ("concealment", "spare_wheel", "memory"),
        ("country", "YU", "Yugoslavia (until 2003)"),
        ("country", "YU", "ISO 3166-3"),
        ("answer", "taken", "this project"),
    ):
        assert main(["schema", table]) == 0
        rows = capsys.readouterr().out.splitlines()
        assert any(row.startswith(code) and said in row for row in rows), (table, code, said)


def test_a_language_that_is_not_there_is_a_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEFEN_LANG", "fr")
    assert main(["schema", "exactness"]) == 2
    assert "there are no labels in 'fr'" in capsys.readouterr().err
