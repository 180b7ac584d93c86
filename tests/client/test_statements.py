"""The monthly statement on paper: nothing runs in it, and what was not checked stands on it."""

import csv
import io
from re import findall

from seefen.client.audit.reporting import ALWAYS, Section, Statement
from seefen.client.statements import statement_csv, statement_pdf

MADE = Statement(
    month="2026-03",
    node="skopje-border",
    network="seefen",
    filter="all entries that skopje-border may see, 2026-03 (UTC)",
    head=48_233,
    root="ab" * 32,
    at=1_775_000_000,
    quorum=0,
    ok=True,
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
    assert any("48233" in row[2] and "no witness" in row[2] for row in rows)


def test_a_printed_statement_counts_its_pages_and_brings_its_letters() -> None:
    made = statement_pdf(MADE)
    assert made.startswith(b"%PDF-")
    assert made == statement_pdf(MADE), "the same statement is the same file"
    pages = len(findall(rb"/Type /Page\b", made))
    assert pages > 2
    assert made.count(b"/FontFile2") == 2, "both faces are embedded"
    assert made.count(b"/ToUnicode") == 2, "its text can be searched and copied"
