# ruff: noqa: RUF001 (letters of two alphabets that look alike are the point)

from typing import Any

import pytest

from seefen.client.cli import answers
from seefen.client.labels import LANGUAGES, label
from seefen.protocol.messages import TABLES
from seefen.protocol.messages.arms import ARMS


@pytest.mark.parametrize(
    ("typed", "fields"),
    [
        (
            "Tabanovce > Preševo, out",
            {
                "place": "Tabanovce > Preševo",
                "direction": "out",
                "setting": "bcp",
                "bcp": "tabanovce-presevo",
            },
        ),
        (
            "Preševo/Tabanovce",
            {"place": "Preševo/Tabanovce", "setting": "bcp", "bcp": "tabanovce-presevo"},
        ),
        (
            "Merdare, entry",
            {"place": "Merdare", "direction": "in", "setting": "bcp", "bcp": "merdare"},
        ),
        ("Here > There", {"place": "Here > There", "setting": "bcp"}),
        ("Скопје, ул. Македонија 5", {"place": "Скопје, ул. Македонија 5"}),
        ("out", {"place": "out"}),
    ],
)
def test_where(typed: str, fields: dict[str, Any]) -> None:
    assert answers.place(typed) == fields


@pytest.mark.parametrize(
    ("typed", "bcp", "direction"),
    [
        ("Табановце > Прешево, излез", "tabanovce-presevo", "out"),
        ("Прешево / Табановце, улаз", "tabanovce-presevo", "in"),
        ("Могилів-Подільський / Otaci, виїзд", "otaci-mohyliv-podilskyi", "out"),
        ("Leuseni -> Albita, ieșire", "leuseni-albita", "out"),
        ("Vërmicë – Morinë, hyrje", "vermice-morine", "in"),
    ],
)
def test_a_crossing_in_each_language(typed: str, bcp: str, direction: str) -> None:
    fields = answers.place(typed)
    assert (fields["bcp"], fields["direction"], fields["setting"]) == (bcp, direction, "bcp")


@pytest.mark.parametrize(
    ("typed", "bcp", "direction"),
    [
        ("Batrovci, out", "batrovci-bajakovo", "out"),
        ("Horgos, in", "horgos-roszke", "in"),
        ("Hani i Hotit, in", "hani-i-hotit-bozaj", "in"),
        ("Leușeni, intrare", "leuseni-albita", "in"),
        ("Tabanovce, out", "tabanovce-presevo", "out"),
        ("Табановце излез", "tabanovce-presevo", "out"),
        ("ГП Батровци, излаз", "batrovci-bajakovo", "out"),
        ("Паланка, в'їзд", "palanca-maiaky", "in"),
        ("Ѓуешево, излез", "deve-bair-gyueshevo", "out"),
        ("Preshevë, dalje", "tabanovce-presevo", "out"),
        ("Ruse, out", "giurgiu-ruse", "out"),
        ("Ruse", "", ""),  # a town
        ("Skopje, out", "", "out"),
    ],
)
def test_one_side_of_a_crossing_is_enough(typed: str, bcp: str, direction: str) -> None:
    fields = answers.place(typed)
    assert (fields.get("bcp", ""), fields.get("direction", "")) == (bcp, direction)
    assert fields["place"] in typed


def test_every_side_of_every_crossing_names_one() -> None:
    for code, label_ in TABLES["crossing"].items():
        for side in label_.split(" / ") if code != "other" else []:
            assert answers.place(f"{side}, out")["bcp"] == code, side


@pytest.mark.parametrize(
    ("typed", "found", "text"),
    [
        ("10 pistols and 1 assault rifle", {"pistol": 10, "assault_rifle": 1}, ""),
        ("1 pistol and 3 rifles", {"pistol": 1, "rifle": 3}, ""),
        ("1 bag with 5 pistols", {"pistol": 5}, "1 bag with 5 pistols"),
        ("1 box of pistols", {}, "1 box of pistols"),
        ("1 bag, 5 pistols", {"pistol": 5}, "1 bag"),
        ("2 pistols in 3 bags", {"pistol": 2}, "2 pistols in 3 bags"),
        ("10 пиштоли и 1 автоматска пушка", {"pistol": 10, "assault_rifle": 1}, ""),
        ("3 автомата", {"unknown": 3}, "3 автомата"),  # two kinds, in Skopje and in Kyiv
        ("12 пиштола", {"pistol": 12}, ""),
        ("12 pistola", {"pistol": 12}, ""),
        ("12 pištolja", {"pistol": 12}, ""),
        ("2 pistoale", {"pistol": 2}, ""),
        ("2 pistoleta dhe 1 pushkë", {"pistol": 2, "rifle": 1}, ""),
        ("5 пістолетів", {"pistol": 5}, ""),
        ("3 pistons", {}, "3 pistons"),
        ("12 pistols Foo Bar", {"pistol": 12}, "12 pistols Foo Bar"),
        ("1 AK-47", {"assault_rifle": 1}, ""),
        ("1 Zolja", {"anti_tank_launcher": 1}, ""),
        ("1 kallashnikov and 2 RPG", {"assault_rifle": 1, "anti_tank_launcher": 2}, ""),
        ("12 pistols, two rifles", {"pistol": 12, "rifle": 2}, ""),
        ("twelve guns", {"unknown": 12}, ""),
        ("дванаест пиштоли и dy pushkë", {"pistol": 12, "rifle": 2}, ""),
        ("doisprezece pistoale", {"pistol": 12}, ""),
        ("п'ять пістолетів", {"pistol": 5}, ""),
        ("2 Zastava M70 rifles", {"rifle": 2}, ""),
        ("3 boxes pistols", {}, "3 boxes pistols"),
        ("2 auto", {}, "2 auto"),
        ("1 M60", {}, "1 M60"),  # a grenade and a machine gun
        ("jedan kalaš i dva škorpiona", {"assault_rifle": 1, "submachine_gun": 2}, ""),
        ("1 kalaš", {"assault_rifle": 1}, ""),
        ("два калаша", {"assault_rifle": 2}, ""),
        ("a dozen pistols and a kalash", {"pistol": 12, "assault_rifle": 1}, ""),
        ("një pistoletë", {"pistol": 1}, ""),
        ("o pușcă", {"rifle": 1}, ""),
        ("a bag with 5 pistols", {"pistol": 5}, "a bag with 5 pistols"),
    ],
)
def test_several_kinds_are_several_items_and_no_word_is_dropped(
    typed: str, found: dict[str, int], text: str
) -> None:
    loaded = answers.load(typed)
    assert {item["category"]: item["qty"] for item in loaded.get("items", [])} == found
    assert loaded.get("text", "") == text


def test_ammunition_beside_weapons() -> None:
    for typed in ("12 pistols,340 rounds", "12 pistols with 340 rounds", "12 пиштоли, 340 патрони"):
        assert answers.load(typed) == {
            "items": [{"qty": 12, "category": "pistol"}], "ammunition": [{"qty": 340}],
        }, typed  # fmt: skip
    assert answers.load("5 kg TNT") == {"explosives": [{"kind": "tnt", "mass_g": 5000}]}


@pytest.mark.parametrize(
    ("typed", "qty"),
    [
        ("sto metaka 7,62x39", 100), ("stotinu metaka 7,62x39", 100), ("сто патрони 7,62x39", 100),
        ("сто набоїв 7,62x39", 100), ("njëqind fishekë 7,62x39", 100),
        ("o sută de cartușe 7,62x39", 100), ("hundred rounds 7,62x39", 100),
        ("a hundred rounds 7,62x39", 100), ("two hundred rounds 7,62x39", 200),
        ("tri stotine metaka 7,62x39", 300), ("dvesta metaka 7,62x39", 200),
        ("340 de cartușe 7,62x39", 340),
    ],
)  # fmt: skip
def test_hundreds_in_words(typed: str, qty: int) -> None:
    rounds = {"qty": qty, "calibre": "7.62x39", "calibre_as_read": "7,62x39"}
    assert answers.load(typed) == {"ammunition": [rounds]}


def test_a_number_alone_is_so_many_of_unknown_kind() -> None:
    for typed, weapons in (("12", 12), ("two hundred", 200), ("dozen; foo", 12), ("foo", 1)):
        assert answers.load(typed) == {"text": typed}
        items = [{"qty": weapons, "category": "unknown"}]
        assert answers.load(answers.as_unknown(typed)) == {"items": items, "text": typed}


def test_hundreds_stand_beside_others() -> None:
    loaded = answers.load("2 Glock 17 and hundred rounds 9x19")
    assert (loaded["items"][0]["ref"], loaded["items"][0]["qty"]) == ("glock-17", 2)
    assert loaded["ammunition"][0]["qty"] == 100
    two = answers.load("two TT and 1 CZ 75")
    assert [(i["qty"], i["category"], i["model"]) for i in two["items"]] == [
        (2, "pistol", "TT"), (1, "pistol", "75"),
    ]  # fmt: skip
    assert loaded.keys() | two.keys() == {"items", "ammunition"}


def test_weapons_by_make_and_model() -> None:
    loaded = answers.load("9 pistols Ekol Special 99, 2 Zoraki 914, 1 Zastava M57")
    assert [(i["qty"], i["category"], i["ref"]) for i in loaded["items"]] == [
        (9, "pistol", "ekol-special-99"), (2, "pistol", "zoraki-914"), (1, "pistol", "zastava-m57"),
    ]  # fmt: skip
    assert "text" not in loaded
    assert answers.load("12 pistols Zastava M57")["items"][0]["ref"] == "zastava-m57"
    assert answers.load("12 пиштоли Застава М57")["items"][0]["ref"] == "zastava-m57"


def test_a_model_stays_with_the_thing_it_names() -> None:
    assert answers.load("2 AK-47, 1 Zolja, 3 Glock, 12 Glock 17 pistols")["items"] == [
        {"qty": 2, "category": "assault_rifle", "model": "AK-47"},
        {"qty": 1, "category": "anti_tank_launcher", "model": "Zolja"},
        {"qty": 3, "category": "pistol", "make": "Glock"},
        {"qty": 12, "category": "pistol", "make": "Glock", "model": "17", "calibre": "9x19",
         "ref": "glock-17"},
    ]  # fmt: skip
    for typed in ("3 hand grenades M75", "3 M75 grenades", "3 bombe M75", "three M75"):
        m75 = {"qty": 3, "kind": "hand_grenade", "model": "M75", "ref": "m75"}
        assert answers.load(typed) == {"explosives": [m75]}, typed
    assert answers.load("12 Glock switches") == {
        "parts": [{"qty": 12, "kind": "auto_sear", "ref": "glock-switch"}]
    }
    assert answers.load("4 magazines M70")["text"] == "4 magazines M70"


def test_every_crossing_is_found_by_its_label() -> None:
    labels = {code: label for code, label in TABLES["crossing"].items() if code != "other"}
    assert {code: answers.place(label)["bcp"] for code, label in labels.items()} == {
        c: c for c in labels
    }


@pytest.mark.parametrize(
    ("typed", "fields"),
    [
        (
            "12 pistols, 340 rounds",
            {"items": [{"qty": 12, "category": "pistol"}], "ammunition": [{"qty": 340}]},
        ),
        (
            "340 rounds 7,62 x 25",
            {"ammunition": [{"qty": 340, "calibre": "7.62x25", "calibre_as_read": "7,62 x 25"}]},
        ),
        (
            "1 pistol 9 mm Luger; 2 old assault rifles",
            {
                "items": [
                    {
                        "qty": 1,
                        "category": "pistol",
                        "calibre": "9x19",
                        "calibre_as_read": "9 mm Luger",
                    },
                    {"qty": 2, "category": "assault_rifle"},
                ],
                "text": "2 old assault rifles",
            },
        ),
        (
            "3 x alarm pistols",
            {"items": [{"qty": 3, "kind": "alarm_signal", "category": "pistol"}]},
        ),
        (
            "6 grenades, 2 silencers, 1 machine gun",
            {
                "items": [{"qty": 1, "category": "light_machine_gun"}],
                "explosives": [{"qty": 6, "kind": "hand_grenade"}],
                "parts": [{"qty": 2, "kind": "suppressor"}],
            },
        ),
        (
            "9 pistols 9 mm P.A.K.",
            {
                "items": [
                    {
                        "qty": 9,
                        "category": "pistol",
                        "calibre": "9pak",
                        "calibre_as_read": "9 mm P.A.K.",
                    }
                ]
            },
        ),
        ("4 guns", {"items": [{"qty": 4, "category": "unknown"}]}),
        ("a bag of cash, 3 telephones", {"text": "a bag of cash; 3 telephones"}),
        ("", {}),
    ],
)
def test_what(typed: str, fields: dict[str, Any]) -> None:
    assert answers.load(typed) == fields


@pytest.mark.parametrize("table", ["category", "explosive", "part"])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_label_of_every_language_is_understood(lang: str, table: str) -> None:
    for code in TABLES[table]:
        loaded = answers.load(f"2 {label(lang, table, code)}")
        assert loaded.keys() & {"items", "explosives", "parts"}, label(lang, table, code)


@pytest.mark.parametrize("table", [TABLES["category"], TABLES["explosive"], TABLES["part"]])
def test_every_thing_is_found_by_its_label(table: dict[str, str]) -> None:
    for name in table.values():
        loaded = answers.load(f"2 {name}s")
        assert loaded.keys() & {"items", "explosives", "parts"}, name


def test_every_calibre_is_found_by_its_label() -> None:
    assert {code: answers.calibre(text)["calibre"] for code, text in TABLES["calibre"].items()} == {
        c: c for c in TABLES["calibre"]
    }


def test_a_calibre_nobody_knows_is_kept_as_written() -> None:
    assert answers.calibre("cal. 13,2 x 99") == {"calibre": "other", "calibre_as_read": "13,2 x 99"}


def test_vehicle() -> None:
    assert answers.vehicle("VW Passat B6 grey SK-0000-ZZ") == {
        "make": "VW", "model": "Passat B6", "colour": "grey", "plate": "SK-0000-ZZ",
    }  # fmt: skip
    assert answers.vehicle("BG-1234-ŽŽ") == {"plate": "BG-1234-ŽŽ"}
    assert answers.vehicle("white van") == {"make": "van", "colour": "white"}
    assert answers.vehicle("") == {}


def test_serials_stay_as_read() -> None:
    assert answers.serials("EV-19070413, EV-1907?4??, С-84417, EV-19070413") == (
        "EV-19070413", "EV-1907?4??", "С-84417",
    )  # fmt: skip


def test_hidden() -> None:
    assert answers.concealment("spare wheel, Rear panel, in a cake") == (
        ["spare_wheel", "rear_panel", "other"],
        "in a cake",
    )
    assert answers.concealment("") == ([], "")


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("rezervor", "fuel_tank"), ("u rezervoaru", "fuel_tank"), ("резервоар", "fuel_tank"),
        ("zadnja ploča", "rear_panel"), ("задна плоча", "rear_panel"), ("резерва", "spare_wheel"),
        ("in the spare wheel", "spare_wheel"), ("у гепеку", "boot"), ("under the seat", "other"),
    ],
)  # fmt: skip
def test_a_hiding_place_as_it_is_said(typed: str, code: str) -> None:
    assert answers.concealment(typed) == ([code], typed if code == "other" else "")


def test_a_gun() -> None:
    assert answers.gun("pistol Zastava M57 7,62 x 25") == {
        "category": "pistol",
        "make": "Zastava",
        "model": "M57",
        "ref": "zastava-m57",
        "calibre": "7.62x25",
        "calibre_as_read": "7,62 x 25",
    }
    assert answers.gun("something") == {"category": "unknown", "make": "something"}
    assert answers.gun("") == {"category": "unknown"}


def test_the_list_of_arms_says_what_was_left_out() -> None:
    assert answers.gun("Zastava m 59-66") == {
        "category": "carbine", "calibre": "7.62x39", "make": "Zastava", "model": "m 59-66",
        "ref": "zastava-m59-66",
    }  # fmt: skip
    assert answers.gun("Sarsilmaz Kilinc 2000")["ref"] == "sarsilmaz-kilinc-2000"
    assert answers.gun("FGC-9")["model"] == "FGC-9"
    by_two_words = answers.gun("Smith & Wesson Model 10")
    assert (by_two_words["make"], by_two_words["model"]) == ("Smith & Wesson", "Model 10")


def test_an_alarm_weapon_in_another_calibre_stays_what_was_read() -> None:
    assert answers.gun("pistol Ekol Special 99 7,65 Browning") == {
        "kind": "alarm_signal", "category": "pistol", "make": "Ekol", "model": "Special 99",
        "ref": "ekol-special-99", "calibre": "7.65br", "calibre_as_read": "7,65 Browning",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "ref"),
    [
        ("Zastava M84", ""),  # a machine gun and a Škorpion
        ("submachine gun Zastava M84", "zastava-m84-skorpion"),
        ("Zastava M84 7,62 x 54 R", "zastava-m84-pk"),
        ("assault rifle Zastava M70", "zastava-m70"),
        ("pistol Zastava M70", "zastava-m70-7-65"),
        ("CZ vz.61", "cz-vz-61-skorpion"),
        ("Makarov PM", ""),  # made in three countries
        ("pistol Makarov PM 9 mm Makarov", ""),
        ("Kalashnikov AKM", ""),
        ("revolver Zastava M57", ""),  # the officer has seen it, the list has not
        ("M75", ""),  # a grenade
        ("Zastava", ""),
    ],
)
def test_a_name_of_several_rows_names_none(typed: str, ref: str) -> None:
    assert answers.gun(typed).get("ref", "") == ref


def test_every_weapon_of_the_list_is_found_by_its_names() -> None:
    shared = {"Zastava M70", "Zastava M84", "Zastava Škorpion", "Makarov PM", "Norinco Type 56"}
    for arm in ARMS:
        for name in {str(arm), *arm.also} - shared if arm.category else set[str]():
            assert answers.gun(name)["ref"] == arm.code, name


def test_years() -> None:
    assert answers.years("military register 1960-1992, paper") == "1960-1992"
    assert answers.years("1968 manufactured") == "1968"
    assert answers.years("no year") == ""
