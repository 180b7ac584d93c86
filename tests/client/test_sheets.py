"""Tables: no cell is a formula, and what goes out as a row comes back as a thing of a form."""
# ruff: noqa: RUF001 (letters of two alphabets that look alike are the point)

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from demo import case_a
from seefen.client.exporting import Export, ExportedCover, ExportedMessage
from seefen.client.redacting import without_persons
from seefen.client.sheets import _ITEM, COLUMNS, as_csv, neutral, restored, things_from_csv
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import Item, Marking, Message, message_from_form, to_json
from tests.protocol.messages.samples import SAMPLES

ODD = Item(
    category="pistol", n=3, serial_as_read="-12", serial_state="present", make="=1+1|2",
    markings=(
        Marking(kind="property", text="ЈНА | =HYPERLINK(1)", place="frame"),
        Marking(kind="proof", text="a\\|b:c"),
    ),
)  # fmt: skip


def exported(message: Message, *, with_persons: bool = True) -> ExportedMessage:
    fields: dict[str, Any] = json.loads(to_json(message))
    kept, left = (fields, ()) if with_persons else without_persons(type(message), fields)
    return ExportedMessage(
        ref="seefen-border#1", type=message.TYPE, subject=message.cover().subject,
        sender="skopje-border", officer="o-7f31", created_at=0, recorded_at=1_773_452_829, entry=7,
        handling=message.handling, handling_text="Not to be passed on.",
        conditions=message.conditions, tlp=message.tlp, evaluation="A1", exercise=False,
        reply_to="", left_out_fields=left, message=kept,
    )  # fmt: skip


def export(*messages: Message, with_persons: bool = True) -> Export:
    cover = ExportedCover(
        ref="seefen-border#9", type="Note", subject="note", sender="belgrade-ffp", officer="o-1",
        created_at=0, recorded_at=0, handling="H1", handling_text="Not in court.",
        urgency="NORMAL", file=False, size=9, reply_to="", why="never opened on this device",
    )  # fmt: skip
    return Export(
        case="seefen-border", network="seefen", node="skopje-border", officer="o-7f31",
        exported_at=0, with_persons=with_persons, covers=(cover,), left_out=(),
        messages=tuple(exported(one, with_persons=with_persons) for one in messages),
    )  # fmt: skip


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_page_lists_each_column_of_a_table_of_things() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    told = page.partition("`seefen items` reads")[2].partition("\n## ")[0]
    missing = [name for name in ("thing", *_ITEM, "text") if f"`{name}`" not in told]
    assert missing == ["thing_text"]  # which is `text` in a table that is no export


def test_a_row_for_each_thing_with_what_holds_for_its_message() -> None:
    alert = case_a.alert()
    found = rows(as_csv(export(alert)))
    assert [row["thing"] for row in found] == ["weapon"] * len(alert.items) + ["ammunition", ""]
    weapon = found[len(alert.items) - 1]
    assert weapon["serial_as_read"] == "С-84417"  # the Cyrillic letter as it was read
    assert weapon["bcp"] == "tabanovce-presevo"
    assert weapon["date"] == "2026-03-14T01:47:09+00:00"
    assert "property" in weapon["markings"]
    assert found[-2]["headstamp_as_read"] == "ппу 82"
    assert found[-2]["qty"] == "340"
    for row in found[:-1]:
        assert (row["open"], row["handling"], row["conditions"]) == ("yes", "H2", alert.conditions)
    assert (found[-1]["open"], found[-1]["handling_text"]) == ("no", "Not in court.")
    assert tuple(found[0]) == COLUMNS


def test_persons_plates_and_words_only_if_they_are_wanted() -> None:
    with_them = as_csv(export(case_a.alert(), SAMPLES["InfoRequest"]))
    without = as_csv(export(case_a.alert(), SAMPLES["InfoRequest"], with_persons=False))
    for text in ("SK-0000-ZZ", "Двојно дно", "names"):
        assert text in with_them
        assert text not in without


STARTS = re.compile(r"(\A|[;,|\t\r\n])[ \"\u00a0]*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


@pytest.mark.parametrize(
    "cell",
    [
        "=HYPERLINK(1)", "+1", "-12", "@SUM(1)", "\t=1", "\r=1", " =1", "x;=1;y", "x,@1", '";=1',
        "\uff1dcmd", "'=1", "''-12",
    ],
)  # fmt: skip
def test_attack_54_a_cell_is_a_formula(cell: str) -> None:
    assert not STARTS.search(neutral(cell).replace("'", "x"))
    assert restored(neutral(cell)) == cell


@given(st.text(alphabet="=+-@'\" \t\r\n;,|ax\uff1d\u00a0"))
def test_every_cell_is_neutral_and_comes_back(cell: str) -> None:
    made = neutral(cell)
    assert not STARTS.search(made.replace("'", "x"))
    assert restored(made) == cell


def test_what_names_nothing_dangerous_is_written_as_it_is() -> None:
    for cell in ("С-84417", "2026-03-14T02:47+01:00", "7,62 x 25", "a - b", "'quoted'"):
        assert neutral(cell) == cell


def test_an_exported_alert_comes_back_as_the_things_of_a_form() -> None:
    items = case_a.alert().items
    alert = replace(case_a.alert(), items=(*items, replace(ODD, n=len(items) + 1)))
    lab, table = SAMPLES["BallisticRequest"], as_csv(export(alert))
    assert "'-12" in table
    found = things_from_csv(b"\xef\xbb\xbf" + table.encode())
    made = message_from_form("SeizureAlert", {"place": "x", **found})
    assert getattr(made, "items", ()) == alert.items
    assert getattr(made, "ammunition", ()) == alert.ammunition
    assert "weapon" not in {row["thing"] for row in rows(as_csv(export(lab)))}
    with pytest.raises(RefusedError, match="no thing"):
        things_from_csv(as_csv(export(lab)).encode())


def test_a_table_from_a_spreadsheet_of_the_region() -> None:
    table = (
        "category;make;serial_as_read;calibre;text\r\npistol;Zastava;С-1;9 mm Makarov;old\r\n\r\n"
    )
    (item,) = things_from_csv(table.encode())["items"]
    assert item["calibre"] == "9x18"
    assert item["serial_as_read"] == "С-1"
    assert item["text"] == "old"
    parts = things_from_csv(b"thing,kind,qty\npart,barrel,2\n")["parts"]
    assert parts == [{"kind": "barrel", "qty": 2}]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("", "row 1: it is empty: it names the columns, some of thing, "),
        ("\n\n", "row 1: it is empty"),
        (",,\n", "row 1: it is empty"),
        ("category,serial\npistol,1\n", "row 1: no field of a thing is called 'serial'"),
        ("category,category\npistol,1\n", "row 1: the column category stands twice"),
        ("category,qty\npistol,1\npistol,two\n", "row 3: qty: write a whole number"),
        ("category,qty\npistol,١\n", "row 2: qty: write a whole number"),
        ("category,calibre\nrifle,9x19\nbazooka,9x19\n", "row 3: category"),
        ("category,serial_as_read,qty\npistol,A-1,2\n", "row 2: qty: one serial number"),
        ("category,loaded\npistol,maybe\n", "row 2: loaded"),
        ("category,markings\npistol,JNA\n", "row 2: markings: write KIND:TEXT"),
        ("category,make\npistol\n", "row 2: 1 cells under 2 columns"),
        ("thing,category\nship,pistol\n", "row 2: thing: write one of weapon"),
        ("make,serial_as_read\nZastava,1\n", "row 2"),
        ("category,serial_as_read\npistol,A\u202e1\n", "row 2: serial_as_read holds an invisible"),
        ("category\n", "no thing"),
        ("", "row 1"),
        ('category\n"pistol', "no CSV"),
        ("category\n" + "pistol\n" * 1001, "more than 1000 rows"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_row(table: str, said: str) -> None:
    with pytest.raises(RefusedError) as refused:
        things_from_csv(table.encode())
    assert said in str(refused.value)
    assert refused.value.rule == "table"


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(RefusedError, match="CSV UTF-8"):
        things_from_csv("category\npištolj\n".encode("cp1250"))


def test_a_number_alone_adds_nothing_to_a_sum_of_weapons() -> None:
    fields = {
        "place": "Merdare",
        "items": [
            {"category": "pistol", "qty": 9},
            {"category": "unknown", "kind": "number", "serial_as_read": "A1"},
        ],
    }
    alert = message_from_form("SeizureAlert", fields)
    assert isinstance(alert, Message)
    found = rows(as_csv(export(alert)))[:2]
    assert [(row["qty"], row["serial_as_read"]) for row in found] == [("9", ""), ("", "A1")]
