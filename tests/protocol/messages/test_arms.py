"""The list of arms: each row says only what other tables and ISO 3166-1 know."""

import re
import unicodedata

import pytest

from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import TABLES, Item, label, message_from_form
from seefen.protocol.messages.arms import ARM, ARMS, ARMS_VERSION
from tests.support.specs import spec

HISTORIC = {"YU", "SU", "DD", "CS"}
OF_TODAY = {
    "AL", "AT", "BE", "BG", "CN", "DE", "HR", "HU", "IL", "IT", "PL", "RO", "RS", "RU", "SK", "TR",
    "UA", "US",
}  # fmt: skip


def test_each_code_stands_once_and_so_does_each_label() -> None:
    assert len(ARM) == len(ARMS) == len(set(ARM.values()))
    assert TABLES["arm"] == ARM
    assert not [code for code in ARM if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code)]


def test_each_row_is_in_the_words_of_the_other_tables() -> None:
    for arm in ARMS:
        if arm.category:
            assert arm.category in TABLES["category"], arm
            assert arm.kind in TABLES["object_kind"], arm
        else:  # a grenade, a mine, a part: none of them has a calibre
            assert arm.kind in TABLES["explosive"] | TABLES["part"], arm
            assert not arm.calibre, arm
        assert not arm.calibre or arm.calibre in TABLES["calibre"], arm


def test_each_row_has_a_source_a_country_and_plain_text() -> None:
    for arm in ARMS:
        assert arm.source, arm
        assert arm.country in HISTORIC | OF_TODAY or (not arm.make and not arm.country), arm
        assert unicodedata.is_normalized("NFC", str(arm))
        assert len({str(arm), *arm.also}) == 1 + len(arm.also), arm


def test_historic_countries_are_kept() -> None:
    assert {arm.country for arm in ARMS} >= HISTORIC


def test_the_specification_names_the_version() -> None:
    assert f"table`arm`,version{ARMS_VERSION},CC0" in spec("messages.md")


def test_a_row_is_a_code_like_any_other() -> None:
    fields = {
        "offence": "trafficking", "illicit_nature": "seized", "question": ["manufacture"],
        "item": {"category": "pistol", "serial_as_read": "A1", "ref": "Zastava M57"},
    }  # fmt: skip
    item = getattr(message_from_form("TraceRequest", fields), "item", None)
    assert isinstance(item, Item)
    assert item.ref == "zastava-m57"
    assert label("arm", item.ref) == "Zastava M57"
    assert label("arm", "zastava-m999") == "unknown arm"


def test_a_row_that_is_not_in_the_list_is_refused() -> None:
    fields = {
        "offence": "trafficking", "illicit_nature": "seized", "question": ["manufacture"],
        "item": {"category": "pistol", "serial_as_read": "A1", "ref": "zastava-m999"},
    }  # fmt: skip
    with pytest.raises(RefusedError) as refused:
        message_from_form("TraceRequest", fields)
    assert refused.value.rule == "unknown-code"
    assert len(str(refused.value)) < 400
