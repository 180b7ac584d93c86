"""The monthly statement on paper: as CSV, and as PDF with page x of y on each page.

The PDF embeds DejaVu Sans (``fonts/``): names of cases and nodes may be Cyrillic, and a printed
page must not depend on what is installed.
"""

from collections.abc import Container
from importlib.resources import as_file, files
from typing import Final

from fpdf import FPDF
from fpdf.fonts import TTFFont

from seefen.client.audit.reporting import Statement
from seefen.client.sheets import as_table
from seefen.client.wording import stamp, utc

FONT: Final = "DejaVu"
_HEAD: Final = ("section", "name", "value")
_FILES: Final = {"": "DejaVuSans.ttf", "B": "DejaVuSans-Bold.ttf"}


def head(value: Statement) -> tuple[tuple[str, str], ...]:
    """Return what stands on every page: whose, which month, filter, checkpoint."""
    return (
        ("verdict", value.verdict),
        ("node", f"{value.node}, {value.network}"),
        ("month", _month(value)),
        ("filter", value.filter),
        ("checkpoint", f"{value.head} {value.root}"),
        ("witnesses", value.cosigned.sentence),
        ("made", f"{stamp(value.at)} by {value.by}"),
        ("digest", "signed, in the file .signed beside this one: seefen audit report --check"),
    )


def _month(value: Statement) -> str:
    if value.over:
        return f"{value.month} (UTC)"
    return f"{value.month} (UTC), NOT OVER: its days up to {stamp(value.at)}"


def statement_csv(value: Statement) -> str:
    """Return a statement as CSV; no cell is a formula."""
    rows = [("statement", *line) for line in head(value)]
    rows += [(part.title, *line) for part in value.sections for line in part.lines]
    rows += [("could not be checked", str(n), text) for n, text in enumerate(value.unchecked, 1)]
    return as_table(_HEAD, rows)


def shown(text: str, letters: Container[int]) -> str:
    """Return a text in which no letter is lost: one that a font lacks is named by its number."""
    return "".join(one if ord(one) in letters else f"<U+{ord(one):04X}>" for one in text)


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
        self.set_creation_date(utc(value.at))

    def header(self) -> None:
        self.set_font(FONT, "B", 11)
        self._line(7, f"Statement under Article 25, Directive (EU) 2016/680: {self._value.month}")
        (_, verdict), *others = head(self._value)
        self.set_font(FONT, "B", 14)
        self._line(8, verdict)
        self.set_font(FONT, "", 8)
        for name, text in others:
            self._line(4.2, f"{name}: {text}")
        self.ln(3)

    def footer(self) -> None:
        self.set_y(-20)
        self.set_font(FONT, "", 8)
        self._line(4, "What could NOT be checked: last section of this statement.")
        self.cell(0, 4, f"page {self.page_no()} of {{nb}}", align="R")

    def part(self, title: str) -> None:
        self.ln(2)
        self.set_font(FONT, "B", 10)
        self._line(6, title)
        self.set_font(FONT, "", 9)

    def entry(self, text: str) -> None:
        self._line(4.8, text)

    def _line(self, height: float, text: str) -> None:
        font = self.fonts[f"{self.font_family}{self.font_style}"]
        letters = font.cmap if isinstance(font, TTFFont) else ()
        # Left, not justified: figures with holes between them are misread.
        self.multi_cell(0, height, shown(text, letters), align="L", new_x="LMARGIN", new_y="NEXT")


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
