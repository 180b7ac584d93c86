"""Labels in other languages: complete, in their own letters, and called a draft."""

# ruff: noqa: RUF001 (letters of two alphabets)

import re
import unicodedata

import pytest

from seefen.client import labels
from seefen.client.labels import NAMES, is_draft, label, language, mark, reviewer, subject_in
from seefen.client.labels.cyrillic import cyrillic
from seefen.protocol.messages import TABLES, Cover, Said
from seefen.protocol.messages import label as english

WRITTEN = ("sq", "sr", "mk", "ro", "uk")
OTHERS = ("sq", "sr", "sr-Cyrl", "mk", "ro", "uk")
LATIN_NAMES = re.compile(
    r"INTERPOL|iARMS|I-24/7|Europol|SIENA|SELEC|eTrace|ICAO|IBIS|Evofinder|ALIAS|Arsenal|CO2|TNT|3D"
)
LETTERS = {
    "sq": "abcçdeëfghijklmnopqrstuvxyz",
    "sr": "abcčćdđefghijklmnoprsštuvzž",
    "ro": "aăâbcdefghiîjklmnopqrsștțuvxz",
    "mk": "абвгдѓежзѕијклљмнњопрстќуфхцчџшѐ",
    "sr-Cyrl": "абвгдђежзијклљмнњопрстћуфхцчџш",
    "uk": "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя",
}
PLAIN = set("0123456789 .,;:?-’")
FOREIGN = {"sr": "w", "sq": "w", "ro": "kwy"}  # in names of other languages


def _own(lang: str) -> dict[str, dict[str, str]]:
    return {table: dict(codes) for table, codes in labels._labels(lang).items()}


@pytest.mark.parametrize("lang", WRITTEN)
def test_every_code_has_a_label_and_no_label_is_without_its_code(lang: str) -> None:
    own = _own(lang)
    assert own.keys() | set(NAMES) == TABLES.keys()
    for table, texts in own.items():
        if table in NAMES:
            assert texts.keys() <= TABLES[table].keys(), table
            assert texts.keys() == TABLES[table].keys() & {"other", "unknown"}, table
        else:
            assert list(texts) == list(TABLES[table]), table


@pytest.mark.parametrize("lang", OTHERS)
def test_each_text_is_short_whole_and_in_the_letters_of_its_language(lang: str) -> None:
    allowed = set(LETTERS[lang]) | set(FOREIGN.get(lang, ""))
    for table, codes in TABLES.items():
        for code in codes.keys() if table not in NAMES else codes.keys() & {"other", "unknown"}:
            text = label(lang, table, code)
            assert text == text.strip() != ""
            assert len(text) <= 120, (table, code)
            assert unicodedata.is_normalized("NFC", text), (table, code)
            own = LATIN_NAMES.sub("", text).lower()
            assert set(own) <= allowed | PLAIN, (table, code, text)


@pytest.mark.parametrize("lang", OTHERS)
def test_no_two_codes_of_a_table_have_one_label(lang: str) -> None:
    for table, codes in TABLES.items():
        texts = [label(lang, table, code) for code in codes]
        twice = {text for text in texts if texts.count(text) > 1}
        assert not twice, (table, twice)


def test_romanian_has_commas_below_and_no_cedilla() -> None:
    whole = "".join(text for codes in _own("ro").values() for text in codes.values())
    assert "ș" in whole
    assert "ț" in whole
    assert not set(whole) & set("şţŞŢ")


def test_names_and_tlp_are_the_same_everywhere() -> None:
    for lang in OTHERS:
        for code in TABLES["tlp"]:
            assert label(lang, "tlp", code) == english("tlp", code)
        assert label(lang, "arm", "zastava-m57") == "Zastava M57"
        assert label(lang, "calibre", "9x19") == "9 mm Luger"
        assert label(lang, "crossing", "merdare") == "Merdare"


def test_labels() -> None:
    assert label("sq", "category", "pistol") == "pistoletë"
    assert label("sr", "category", "shotgun") == "sačmarica"
    assert label("sr-Cyrl", "category", "shotgun") == "сачмарица"
    assert label("mk", "concealment", "spare_wheel") == "резервно тркало"
    assert label("ro", "category", "assault_rifle") == "pușcă de asalt"
    assert label("uk", "handling", "H2") == "Не передавати далі без дозволу надавача."
    assert label("en", "category", "pistol") == "pistol"


@pytest.mark.parametrize("lang", ["en", *OTHERS])
def test_a_code_nobody_knows_is_not_shown_as_it_stands(lang: str) -> None:
    assert label(lang, "category", "IVAN-IVANOV") == "unknown category"
    assert label(lang, "IVAN", "IVANOV") == "unknown"


def test_what_no_one_has_read_is_called_a_draft(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_draft("en")
    assert [lang for lang in OTHERS if not is_draft(lang)] == []
    assert {reviewer(lang) for lang in OTHERS} == {""}
    monkeypatch.setattr("seefen.client.labels.sr.STATUS", "reviewed")
    monkeypatch.setattr("seefen.client.labels.sr.REVIEWER", "A. B., Belgrade")
    assert not is_draft("sr-Cyrl")  # one text, one reader
    assert reviewer("sr") == "A. B., Belgrade"


def test_each_string_says_who_answers_for_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    for lang in OTHERS:
        for table, codes in TABLES.items():
            for code in codes:
                same = label(lang, table, code) == english(table, code)
                assert mark(lang, table, code) in (
                    ("machine draft", "English") if same else ("machine draft",)
                )
    assert mark("en", "category", "pistol") == mark("sq", "calibre", "9x19") == "English"
    monkeypatch.setattr("seefen.client.labels.sr.STATUS", "reviewed")
    monkeypatch.setattr("seefen.client.labels.sr.REVIEWER", "A. B., Belgrade")
    assert mark("sr-Cyrl", "category", "pistol") == "A. B., Belgrade"


@pytest.mark.parametrize("lang", WRITTEN)
def test_a_reviewed_language_has_a_reviewer(lang: str) -> None:
    assert is_draft(lang) == (reviewer(lang) == "")


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("sq", "sq"), ("SQ ", "sq"), ("sr-Latn", "sr"), ("sr_latn", "sr"), ("bs", "sr"),
        ("hr", "sr"), ("cnr", "sr"), ("sr-cyrl", "sr-Cyrl"), ("en", "en"), ("fr", ""), ("", ""),
        ("../sq", ""), ("cyrillic", ""),
    ],
)  # fmt: skip
def test_a_language_is_named_in_several_ways(text: str, lang: str) -> None:
    assert language(text) == lang


def test_there_are_no_labels_in_a_language_nobody_wrote() -> None:
    with pytest.raises(ValueError, match="no labels in fr"):
        label("fr", "category", "pistol")


@pytest.mark.parametrize(
    ("latin", "expected"),
    [
        ("ljubičasta njiva, džep", "љубичаста њива, џеп"),
        ("Ljubljana, Njegoš, Džafer", "Љубљана, Његош, Џафер"),
        ("LJUBAV, NJUH, DŽEM", "ЉУБАВ, ЊУХ, ЏЕМ"),
        ("injekcija, konjunktura", "инјекција, конјунктура"),
        ("konjugacija, Tanjug", "конјугација, Танјуг"),
        ("nadživeti, nadžnjeti, odžaliti", "надживети, наджњети, оджалити"),
        ("konj, panj, konjanik", "коњ, пањ, коњаник"),
        ("đak, ćup, čaura, šuma, žig", "ђак, ћуп, чаура, шума, жиг"),
        ("vazdušno ili CO2 oružje", "ваздушно или CO2 оружје"),
        ("3D štampač", "3D штампач"),
        ("metak TNT-a", "метак TNT-а"),
        ("INTERPOL iARMS", "INTERPOL iARMS"),
        ("Arsenalska", "Арсеналска"),
        ("", ""),
    ],
)  # fmt: skip
def test_transliteration(latin: str, expected: str) -> None:
    assert cyrillic(latin) == expected


def test_every_letter_has_one() -> None:
    assert cyrillic("abvgdđežzijklmnoprstćufhcčš") == "абвгдђежзијклмнопрстћуфхцчш"


def test_a_cover_in_another_language() -> None:
    cover = Cover(
        type="SeizureAlert",
        what=(
            Said(table="crossing", code="tabanovce-presevo"),
            Said(table="category", code="pistol", n=12),
            Said(table="unit", code="round", n=340),
        ),
    )
    assert subject_in("en", cover) == cover.subject
    assert subject_in("sq", cover) == "Tabanovce / Preševo, 12 × pistoletë, 340 × fishek"
    assert subject_in("sr-Cyrl", cover).endswith("12 × пиштољ, 340 × метак")


def test_a_long_subject_ends_with_a_whole_part() -> None:
    what = tuple(Said(table="category", code=code, n=2) for code in TABLES["category"])[:12]
    text = subject_in("uk", Cover(type="SeizureAlert", what=what, exercise=True))
    assert text.startswith("EXERCISE, 2 × пістолет, ")
    assert text.endswith(", …")
    assert len(text) <= 80


def test_a_hostile_code_is_not_shown_in_a_subject() -> None:
    said = Said(table="category", code="IVAN-IVANOV", n=1)
    assert "IVAN" not in subject_in("mk", Cover(type="SeizureAlert", what=(said,)))
