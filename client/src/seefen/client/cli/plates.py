"""Number plates in what was typed of a vehicle, with blanks, with hyphens or with neither.

Letters of either alphabet count: a plate is kept as it was read. A shape is groups of letters
(``L``) and digits (``D``); a blank of it is a hyphen, a blank or nothing on the plate, ``_`` is
a hyphen or a blank. From memory: none was looked up.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

_SHAPES: Final = (
    "L2 D3 L2",  # AL, IT, HR, MK, RS, SI, SK
    "L2 D4 L2",  # BG, HR, MK, RS, UA
    "L1 D4 L2",  # BG
    "L2 D3-4 L1",  # AL before 2011, HR, ME
    "L1 D2 L1 D3",  # BA
    "D3 L1 D3",  # BA before 2009
    "D2 D3 L2",  # XK
    "D3 D2 L2",  # UA before 1995
    "L3 D3",  # HU, MD, SK
    "L1-2_L2 D3",  # HU, MD, ME, SI
    "L1-2L2D3",  # the same, written together
    "L1-2 D2-3 L3",  # RO, SI
    "L1-2 D6",  # RO, of three months
    "L3 D4",  # GR
    "L3 D2 D2",  # CZ before 2001
    "D1L1-2 D4",  # CZ
    "D1L1D1 D4",  # CZ
    "L1 D4-5 L1",  # AT
    "L2 D3-4 L1-2",  # AT
    "D2 L1 D4-5",  # TR
    "D2 L2 D3-4",  # TR
    "D2 L3 D2-3",  # TR
    "L2-3 D5",  # PL
    "L2-3 D4L1",  # PL
    "L3 D2-3L1-2",  # PL
    "L1-3-L1-2 D1-4",  # DE
    "L1-3-L1-2 D1-4L1",  # DE, electric or historic
    "L1-3_L1-2 D3-4",  # DE
)
_BETWEEN: Final = {" ": r"[\s.\u00b7-]{0,3}", "_": r"[\s.\u00b7-]{1,3}", "-": "-"}
# What has a hyphen and a digit may be a plate of a country that is not in the list.
_HYPHENED: Final = re.compile(r"(?=\S*\d)(?=\S*[^\W\d_])\w{1,4}-\w{2,6}(?:-\w{1,3})?")
_WORDS: Final = 4  # at most, of one plate
_TRIMMED: Final = ",;.:()"
# Makes, models and engines of as many letters as stand on a plate: BMW 320, GLC 220, E 220 CDI.
_NOT_ON_PLATES: Final = frozenset((
    "amg", "bmw", "bus", "byd", "car", "cc", "cdi", "cla", "clc", "clk", "cls", "daf", "dci", "dti",
    "fap", "gaz", "gl", "gla", "glb", "glc", "gle", "glk", "gls", "gmc", "gti", "hdi", "jtd", "kia",
    "ks", "kw", "man", "mb", "mg", "ml", "mpi", "ram", "rav", "sdi", "slk", "suv", "tam", "tce",
    "tci", "tdi", "tga", "tgi", "tgl", "tgm", "tgs", "tgx", "tsi", "uaz", "van", "vaz", "vw", "xc",
    "xf", "zaz",
))  # fmt: skip


class Plate(NamedTuple):
    """A plate as it was typed.

    Attributes:
        sure: Not where other words may be it as well, or it is of no shape that is known.
    """

    text: str = ""
    sure: bool = True


def found(text: str) -> Plate:
    """Return the plate in a text: the longest that has a known shape, the last of two."""
    readings = sorted(_readings(text), key=lambda reading: (reading[0], reading[1]))
    if readings:
        *others, best = readings
        _, start, end, plate = best
        rivals = [other for other in others if other[2] <= start or other[1] >= end]
        return Plate(plate, sure=not rivals)
    words = [word.strip(_TRIMMED) for word in text.split()]
    loose = [w for w in words if _HYPHENED.fullmatch(w) and not _is_named(w.split("-"))]
    return Plate(loose[-1], sure=False) if loose else Plate()


def _readings(text: str) -> Iterator[tuple[int, int, int, str]]:
    """Yield each plate that may be meant: how many characters count, first word, last, text."""
    words = [word.strip(_TRIMMED) for word in text.split()]
    # Where capitals are used at all, a plate of several words has them: "van ab 12" is none.
    shouted = text != text.lower()
    ends = [word[-1:] in _TRIMMED for word in text.split()]  # a comma ends a plate
    for start in range(len(words)):
        for end in range(start + 1, min(start + _WORDS, len(words)) + 1):
            some = words[start:end]
            if any(ends[start : end - 1]) or _is_named(some):
                continue
            if shouted and len(some) > 1 and any(word != word.upper() for word in some):
                continue
            plate = " ".join(some)
            if any(shape.fullmatch(plate) for shape in _PATTERNS):
                yield sum(map(str.isalnum, plate)), start, end, plate


def _is_named(words: list[str]) -> bool:
    return any(word.lower() in _NOT_ON_PLATES for word in words)


def _pattern(shape: str) -> re.Pattern[str]:
    return re.compile("".join(map(_piece, re.findall(r"[LD]\d(?:-\d)?|.", shape))))


def _piece(piece: str) -> str:
    if piece in _BETWEEN:
        return _BETWEEN[piece]
    letters, _, most = piece[1:].partition("-")
    return (r"[^\W\d_]" if piece[0] == "L" else r"\d") + f"{{{letters},{most or letters}}}"


_PATTERNS: Final = tuple(map(_pattern, _SHAPES))
