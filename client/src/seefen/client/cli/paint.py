"""Text for the terminal: whatever came from other people is shown escaped.

A line of an alert may hold what a terminal obeys: escape sequences, carriage returns,
marks that turn the direction of writing (attack 52). Views put their lines together with
:func:`line`, :func:`block`, :class:`Grid` and :class:`Ledger` alone, and these escape every
string they are given; nothing is ever read as markup.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

Painted: TypeAlias = RenderableType
Piece: TypeAlias = str | int | Text

# Control, format (bidi, zero width, tags), surrogate, private use, unassigned, line breaks.
_DANGEROUS: Final = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
SHORT: Final = 16  # columns of a cell that is read at a glance: a time, a number
DEEP: Final = 4  # lines of one cell, beyond which a table is hard to read
_MARKS: Final = 3  # combining marks on one letter; more of them climb over other lines


def safe(text: str) -> str:
    """Return one line in which nothing is left that a terminal would obey."""
    out: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        hidden = category in _DANGEROUS or marks > _MARKS
        out.append(f"<U+{ord(character):04X}>" if hidden else character)
    return "".join(out)


def line(*pieces: Piece, style: str = "", gap: str = "") -> Text:
    """Return pieces as one line; a string is escaped, a ``Text`` was painted here before."""
    painted = Text(style=style)
    for place, piece in enumerate(pieces):
        if place and gap:
            painted.append(gap)
        painted.append_text(piece if isinstance(piece, Text) else Text(safe(str(piece))))
    return painted


def whole(*pieces: Piece) -> Text:
    """Return a line that is never folded: what is copied from it must stay in one piece."""
    painted = line(*pieces)
    painted.no_wrap, painted.overflow = True, "ignore"
    return painted


def bold(piece: Piece) -> Text:
    """Return a piece in bold."""
    return line(piece, style="bold")


def dim(piece: Piece) -> Text:
    """Return a piece in grey."""
    return line(piece, style="dim")


def warn(*pieces: Piece) -> Text:
    """Return a line that must not be overlooked."""
    return line(*pieces, style="bold yellow")


def alarm(*pieces: Piece) -> Text:
    """Return a line that tells of something wrong."""
    return line(*pieces, style="bold red")


def good(*pieces: Piece) -> Text:
    """Return a line that tells of something proved."""
    return line(*pieces, style="green")


def block(text: str, *, mark: str = "  │ ") -> Text:
    """Return a text of several lines, each behind a mark.

    The mark stands before what others wrote, so that their text cannot pass for ours.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    return Text("\n").join(line(dim(mark), part) for part in lines)


def stack(*parts: Painted | None) -> Group:
    """Return parts one below the other; None is left out."""
    return Group(*(part for part in parts if part is not None))


class Grid:
    """Columns without lines between them, with or without a head."""

    def __init__(
        self,
        *heads: str,
        right: Iterable[int] = (),
        keep: Iterable[int] = (),
        widths: Sequence[int] = (),
    ) -> None:
        """Name the columns; ``right`` are set to the right, ``keep`` are never folded.

        With ``widths`` several grids one below the other have their columns in line.
        """
        self._table = Table(box=None, pad_edge=False, show_header=any(heads), padding=(0, 2, 0, 0))
        numbers, whole = set(right), set(keep)
        for place, head in enumerate(heads):
            self._table.add_column(
                line(head),
                justify="right" if place in numbers else "left",
                no_wrap=place in whole,
                overflow="fold",
                header_style="dim",
                min_width=widths[place] if widths else None,
            )

    def row(self, *cells: Piece | None) -> "Grid":
        """Add a row; None is an empty cell."""
        self._table.add_row(*("" if cell is None else line(cell) for cell in cells))
        return self

    def rows(self, rows: Iterable[Sequence[Piece | None]]) -> "Grid":
        """Add several rows."""
        for cells in rows:
            self.row(*cells)
        return self

    def painted(self) -> Table:
        """Return the table."""
        return self._table


class Ledger:
    """Columns in which no word is broken: half a reference reads as another one.

    Where the words are too long for the screen, or a cell would go on for many lines, each cell has
    its name and the row goes on below.
    """

    GAP: Final = 2

    def __init__(self, *heads: str, right: Iterable[int] = ()) -> None:
        """Name the columns; ``right`` are set to the right."""
        self._right = set(right)
        self._rows: list[tuple[Text, ...]] = [tuple(dim(head) for head in heads)]

    def row(self, *cells: Piece) -> "Ledger":
        """Add a row."""
        self._rows.append(tuple(line(cell) for cell in cells))
        return self

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table, or the rows one by one."""
        columns = [[one.plain for one in column] for column in zip(*self._rows, strict=True)]
        least = [max(cell_len(word) for one in column for word in one.split() or [""])
                 for column in columns]  # fmt: skip
        most = [max(map(cell_len, column)) for column in columns]
        widths = shared(least, most, options.max_width - self.GAP * (len(columns) - 1))
        if widths is None or any(m > DEEP * w for m, w in zip(most, widths, strict=True)):
            yield from self._packed(options.max_width)
            return
        table = Table(box=None, pad_edge=False, show_header=False, padding=(0, self.GAP, 0, 0))
        for place, width in enumerate(widths):
            table.add_column(width=width, justify="right" if place in self._right else "left")
        for cells in self._rows:
            table.add_row(*cells)
        yield table

    def _packed(self, room: int) -> Iterator[Text]:
        """Yield each row as its cells, named, as many in a line as there is room for."""
        heads, *rows = self._rows
        for cells in rows:
            one = Text()
            for head, cell in zip(heads, cells, strict=True):
                if not cell.plain:
                    continue
                piece = line(head, " ", cell)
                if one.plain.strip() and one.cell_len + self.GAP + piece.cell_len > room:
                    yield one
                    one = Text("  ")
                one.append(" " * self.GAP if one.plain else "").append_text(piece)
            yield one


def shared(least: Sequence[int], most: Sequence[int], room: int) -> list[int] | None:
    """Return widths of columns between their longest words and lines; None: there is no room.

    What is left goes to the short columns first, then to the one that would be folded most often.
    """
    widths = [max(1, one) for one in least]
    if sum(widths) > room:
        return None

    def folded(place: int) -> tuple[bool, float]:
        times = most[place] / widths[place]
        return most[place] <= SHORT and times > 1, times

    for _ in range(room - sum(widths)):
        place = max(range(len(widths)), key=folded)
        if most[place] <= widths[place]:
            break
        widths[place] += 1
    return widths
