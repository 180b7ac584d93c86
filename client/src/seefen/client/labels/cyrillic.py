"""Serbian Latin letters into Cyrillic ones. Nothing is translated.

Thirty letters on each side, three of them two letters in Latin: lj, nj, dž. In a few words
n and j, or d and ž, are two letters that only meet. Names of systems and signs of
chemistry and units stay Latin, as they stand on the things themselves.
"""

import re
from typing import Final

_LATIN: Final = "abvgdđežzijklmnoprstćufhcčš"
_CYRILLIC: Final = "абвгдђежзијклмнопрстћуфхцчш"
_PAIRS: Final = {"lj": "љ", "nj": "њ", "dž": "џ"}
_LETTERS: Final = dict(zip(_LATIN, _CYRILLIC, strict=True)) | _PAIRS
_LETTER: Final = re.compile("|".join((*_PAIRS, *_LATIN)), re.IGNORECASE)
# Where the two letters meet at a seam of the word: prefix and stem, or a foreign stem.
_APART: Final = re.compile(
    r"(?<=in)(?=jek)|(?<=kon)(?=jug|junk)|(?<=van)(?=jezi)|(?<=tan)(?=jug)"
    r"|(?<=nad)(?=živ|žnj|žup)|(?<=pod)(?=žanr|žup)|(?<=od)(?=žal|živ|žmir)",
    re.IGNORECASE,
)
_STAYS: Final = re.compile(
    r"\b(?:INTERPOL|iARMS|I-24/7|Europol|SIENA|SELEC|eTrace|ICAO|IBIS|Evofinder|ALIAS|Arsenal"
    r"|CO2|TNT|3D)(?![a-zčćžšđ])"
)


def cyrillic(text: str) -> str:
    """Return a Latin text in Cyrillic letters."""
    made: list[str] = []
    end = 0
    for kept in _STAYS.finditer(text):
        made += [_turned(text[end : kept.start()]), kept[0]]
        end = kept.end()
    return "".join((*made, _turned(text[end:])))


def _turned(text: str) -> str:
    return "".join(_LETTER.sub(_letter, part) for part in _APART.split(text))


def _letter(found: re.Match[str]) -> str:
    """Return one letter; ``Nj`` and ``NJ`` are one capital."""
    letter = _LETTERS[found[0].lower()]
    return letter.upper() if found[0][0].isupper() else letter
