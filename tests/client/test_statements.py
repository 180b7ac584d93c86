"""The monthly statement on paper: nothing runs in it, and what was not checked stands on it."""

import csv
import io
from dataclasses import replace
from re import findall

from seefen.client.audit.reporting import ALWAYS, Section, Statement, ends_of
from seefen.client.findings import Cosigned
from seefen.client.statements import head, shown, statement_csv, statement_pdf

MADE = Statement(
    month="2026-03",
    node="skopje-border",
    network="seefen",
    filter="all entries that skopje-border may see, 2026-03 (UTC)",
    head=48_233,
    root="ab" * 32,
    at=1_775_000_000,
    by="o-4f2a, device 3f9a1c20",
    over=True,
    cosigned=Cosigned(0, 0, 0, 0, 0, 48_233),
    ok=True,
    verdict="IN ORDER",
    sections=(
        Section("Counts", (("readings", "412"), ('=HYPERLINK("x")', "@SUM(1)"))),
        Section("Disclosures", tuple((f"to node {n}", "1 sent") for n in range(120))),
        Section("Имиња", (("Ѓорѓи", "ščđ"),)),
    ),
    unchecked=("one broker, no witness: split views are possible", *ALWAYS),
)


def test_fault_55_no_cell_of_a_statement_is_a_formula() -> None:
    rows = list(csv.reader(io.StringIO(statement_csv(MADE))))
    assert [cell for row in rows for cell in row if cell[:1] in ("=", "@", "+", "-")] == []
    assert ["Counts", '\'=HYPERLINK("x")', "'@SUM(1)"] in rows


def test_what_could_not_be_checked_and_the_checkpoint_stand_in_the_table() -> None:
    rows = list(csv.reader(io.StringIO(statement_csv(MADE))))
    assert [row[2] for row in rows if row[0] == "could not be checked"] == list(MADE.unchecked)
    assert any("48233" in row[2] for row in rows)
    assert any("no witness" in row[2] for row in rows)


def test_a_printed_statement_counts_its_pages_and_brings_its_letters() -> None:
    made = statement_pdf(MADE)
    assert made.startswith(b"%PDF-")
    assert made == statement_pdf(MADE), "the same statement is the same file"
    pages = len(findall(rb"/Type /Page\b", made))
    assert pages > 2
    assert made.count(b"/FontFile2") == 2, "both faces are embedded"
    assert made.count(b"/ToUnicode") == 2, "its text can be searched and copied"


def test_the_head_says_who_cosigned_and_that_the_month_is_not_over() -> None:
    seen = Cosigned(9, 2, 3, 1_775_000_000, 2, 15)
    lines = dict(head(replace(MADE, over=False, cosigned=seen, verdict="NOT IN ORDER: 1 alarm")))
    assert lines["verdict"] == "NOT IN ORDER: 1 alarm"
    assert lines["month"] == "2026-03 (UTC), NOT OVER: its days up to 2026-03-31 23:33Z"
    assert lines["witnesses"].startswith("cosigned up to 9 by 2 of 3 witnesses, 2026-03-31 23:33Z")
    assert lines["witnesses"].endswith("entries 9 to 14 by nobody yet")
    assert dict(head(MADE))["month"] == "2026-03 (UTC)"


def test_a_letter_that_the_font_lacks_is_named_and_not_dropped() -> None:
    assert shown("Əli, Niš", set(map(ord, "li, Nš"))) == "<U+018F>li, Niš"
    assert statement_pdf(replace(MADE, node="Əliyev ελ 日"))


def test_a_case_without_a_date_hides_no_date_of_another() -> None:
    later, over = 1_800_000_000, 1_700_000_000
    lines = dict(ends_of({"A": 0, "B": later, "C": over}, 1_795_000_000))
    assert lines["next end"] == "2027-01-15"
    assert lines["no date for erasure"] == "1 case"
    assert lines["their time is over, and this vault still has them"] == "C"
    assert dict(ends_of({"A": 0}, 1_795_000_000))["next end"] == "none"
