"""The monthly statement on paper: as CSV, and as PDF with page x of y on each page.

The PDF embeds DejaVu Sans (``fonts/``): names of cases and nodes may be Cyrillic, and a printed
page must not depend on what is installed.
"""

from datetime import UTC, datetime
from importlib.resources import as_file, files
from typing import Final

from fpdf import FPDF

from seefen.client.audit.reporting import Statement
from seefen.client.sheets import as_table

FONT: Final = "DejaVu"
_HEAD: Final = ("section", "name", "value")
_FILES: Final = {"": "DejaVuSans.ttf", "B": "DejaVuSans-Bold.ttf"}


def head(value: Statement) -> tuple[tuple[str, str], ...]:
    """Return what stands on every page: whose, which month, filter, checkpoint."""
    made = datetime.fromtimestamp(value.at, UTC).strftime("%Y-%m-%dT%H:%MZ")
    behind = f"{value.quorum} witnesses" if value.quorum else "one broker, no witness"
    return (
        ("node", f"{value.node}, {value.network}"),
        ("month", value.month),
        ("filter", value.filter),
        ("checkpoint", f"{value.head} {value.root} ({behind})"),
        ("made", made),
        ("verdict", "in order" if value.ok else "NOT IN ORDER"),
    )


def statement_csv(value: Statement) -> str:
    """Return a statement as CSV; no cell is a formula."""
    rows = [("statement", *line) for line in head(value)]
    rows += [(part.title, *line) for part in value.sections for line in part.lines]
    rows += [("could not be checked", str(n), text) for n, text in enumerate(value.unchecked, 1)]
    return as_table(_HEAD, rows)


class _Page(FPDF):
    def __init__(self, value: Statement) -> None:
        super().__init__(format="A4")
        self._value = value
        self.set_auto_page_break(auto=True, margin=22)
        for style, name in _FILES.items():
            with as_file(files("seefen.client") / "fonts" / name) as path:
                self.add_font(FONT, style, path)
        self.set_title(f"Article 25 statement, {value.node}, {value.month}")
        # The same statement gives the same file, whenever it is printed.
        self.set_creation_date(datetime.fromtimestamp(value.at, UTC))

    def header(self) -> None:
        self.set_font(FONT, "B", 11)
        self.cell(0, 7, f"Statement under Article 25, Directive (EU) 2016/680: {self._value.month}",
                  new_x="LMARGIN", new_y="NEXT")  # fmt: skip
        self.set_font(FONT, "", 7)
        for name, text in head(self._value):
            self.multi_cell(0, 4, f"{name}: {text}", new_x="LMARGIN", new_y="NEXT")
        self.ln(3)

    def footer(self) -> None:
        self.set_y(-20)
        self.set_font(FONT, "", 7)
        missing = "What could NOT be checked: last section of this statement."
        self.cell(0, 4, missing, new_x="LMARGIN", new_y="NEXT")
        self.cell(0, 4, f"page {self.page_no()} of {{nb}}", align="R")

    def part(self, title: str) -> None:
        self.ln(2)
        self.set_font(FONT, "B", 9)
        self.cell(0, 6, title, new_x="LMARGIN", new_y="NEXT")
        self.set_font(FONT, "", 8)

    def entry(self, text: str) -> None:
        self.multi_cell(0, 4.5, text, new_x="LMARGIN", new_y="NEXT")


def statement_pdf(value: Statement) -> bytes:
    """Return a statement as PDF."""
    page = _Page(value)
    page.add_page()
    for part in value.sections:
        page.part(part.title)
        for name, text in part.lines:
            page.entry(f"{name}: {text}")
    page.part("What could NOT be checked")
    for text in value.unchecked:
        page.entry(text)
    return bytes(page.output())
