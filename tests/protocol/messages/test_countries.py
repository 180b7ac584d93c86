"""Countries and sources: what a code of our own tables is, and who says so."""

import pytest

from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import TABLES, label, message_from_form
from seefen.protocol.messages.arms import ARMS
from seefen.protocol.messages.countries import COUNTRY, HISTORIC
from seefen.protocol.messages.sources import _OURS, MEMORY, OURS, source


def test_the_table_is_iso_3166_1_with_what_was_given_up() -> None:
    assert len(COUNTRY) == 249 + 1 + len(HISTORIC)
    assert all(len(code) == 2 and code.isascii() and code.isupper() for code in COUNTRY)
    for code in ("AL", "BA", "HR", "MD", "ME", "MK", "RO", "RS", "SI", "UA", "XK"):
        assert COUNTRY[code]
    assert set(HISTORIC) == {"YU", "SU", "DD", "CS"}
    assert not {"UK", "EU", "AN", "QQ"} & set(COUNTRY)
    assert label("country", "YU") == "Yugoslavia (until 2003)"


def test_the_arms_of_the_list_were_made_in_countries_of_the_table() -> None:
    assert {arm.country for arm in ARMS} - {""} <= set(COUNTRY)


@pytest.mark.parametrize("code", ["YU", "SU", "DD", "CS", "RS", "XK"])
def test_a_weapon_may_be_of_a_country_that_is_no_more(code: str) -> None:
    assert message_from_form("SeizureAlert", _alert(code))


@pytest.mark.parametrize("code", ["QQ", "AN", "UK", "yu", "Y", "YUG"])
def test_two_letters_that_are_no_country_are_refused_and_the_former_ones_named(code: str) -> None:
    with pytest.raises(RefusedError) as refused:
        message_from_form("SeizureAlert", _alert(code))
    assert refused.value.rule == "unknown-code"
    for part in ("items[0].country", "YU Yugoslavia", "SU Soviet", "DD East", "CS Czecho", "XK"):
        assert part in str(refused.value)


def _alert(country: str) -> dict[str, object]:
    item = {"category": "pistol", "serial_as_read": "A1", "country": country}
    return {"place": "Merdare", "items": [item]}


def test_each_row_of_each_table_has_its_source_or_is_from_memory() -> None:
    assert set(TABLES) >= _OURS
    for table, codes in TABLES.items():
        for code in codes:
            assert source(table, code), (table, code)
    assert source("calibre", "9x19") == MEMORY
    assert source("answer", "taken") == OURS
    assert source("arm", "zastava-m76") == "strzal.pl, Zastava M76"
    assert source("country", "RS").startswith("ISO 3166-1")
    assert source("country", "YU") == "ISO 3166-3"
    assert source("country", "XK") == MEMORY
    with pytest.raises(KeyError):
        source("calibre", "no-such")
