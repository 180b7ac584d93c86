"""Marks of classified information: what bears one does not belong here, and does not leave.

The network is accredited for nothing from EU RESTRICTED upward. A mark is written in
capitals, so "a secret compartment" passes. The lists are from memory: a node asks its own
security office, and what is missing here comes with a new version.
"""

import re
import unicodedata
from typing import Final

from msgspec import inspect

from seefen.protocol.errors import RefusedError
from seefen.protocol.messages.shape import written

MARKS: Final[tuple[str, ...]] = (
    # European Union, NATO
    *("RESTREINT UE", "EU RESTRICTED", "CONFIDENTIEL UE", "EU CONFIDENTIAL", "SECRET UE"),
    *("EU SECRET", "TRÈS SECRET UE", "EU TOP SECRET", "NATO RESTRICTED", "NATO CONFIDENTIAL"),
    *("NATO SECRET", "COSMIC TOP SECRET", "TOP SECRET"),
    # Bosnian, Croatian, Montenegrin, Serbian
    *("INTERNO", "OGRANIČENO", "POVERLJIVO", "POVJERLJIVO", "STROGO POVERLJIVO", "TAJNO"),
    *("STROGO POVJERLJIVO", "VRLO TAJNO", "DRŽAVNA TAJNA", "ИНТЕРНО", "ПОВЕРЉИВО"),
    *("ОГРАНИЧЕНО", "СТРОГО ПОВЕРЉИВО", "ПОВЈЕРЉИВО", "СТРОГО ПОВЈЕРЉИВО", "ТАЈНО"),  # noqa: RUF001
    *("ВРЛО ТАЈНО", "ДРЖАВНА ТАЈНА"),  # noqa: RUF001
    # Macedonian, Albanian
    *("ДОВЕРЛИВО", "СТРОГО ДОВЕРЛИВО", "I KUFIZUAR", "KONFIDENCIAL", "SEKRET", "TEPËR SEKRET"),
    # Romanian, Ukrainian
    *("SECRET DE SERVICIU", "STRICT SECRET", "RESTRICȚIONAT", "CONFIDENȚIAL", "SECRET"),
    *("ТАЄМНО", "ЦІЛКОМ ТАЄМНО", "ОСОБЛИВОЇ ВАЖЛИВОСТІ", "ДСК"),
    "ДЛЯ СЛУЖБОВОГО КОРИСТУВАННЯ",
)
_APART: Final = re.compile(r"[\W_]+")


def marks_in(text: str) -> tuple[str, ...]:
    """Return the marks that a text bears as whole words in capitals, the longest first.

    Blanks, hyphens, underscores and the like between words are all one, and so are letters
    with and without their accents: a keyboard without č makes no mark less of one.
    """
    words = f" {_folded(text)} "
    return tuple(mark for mark, folded in _LONGEST_FIRST if f" {folded} " in words)


def _folded(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text)
    return _APART.sub(" ", "".join(char for char in apart if not unicodedata.combining(char)))


# A longer mark holds a shorter one: the officer is told the one that he wrote.
_LONGEST_FIRST: Final = tuple(
    (mark, _folded(mark)) for mark in sorted(MARKS, key=len, reverse=True)
)


def check_unclassified(info: inspect.Type, value: object) -> None:
    """Check that no text of a form bears a mark, at any depth.

    What was read from metal or a plate is kept as it was read: a serial number may begin
    with the letters of a mark.

    Raises:
        RefusedError: rule ``classified``.
    """
    for path, text in written(info, value):
        for mark in marks_in(text):
            raise RefusedError(
                f"{path} bears the mark {mark}: nothing classified may be sent here. Use the "
                "channel that your law names; if it is no marking, write it in small letters",
                rule="classified",
            )
