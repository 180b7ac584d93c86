"""Letters of two alphabets that look alike: what is told to the officer about a serial."""

from typing import Final

from seefen.protocol.matching import scripts, strong_key

_NAMES: Final = {"Cyrl": "Cyrillic", "Grek": "Greek"}


def remark(serial: str) -> str:
    """Return what to say about the letters of a serial number, or nothing."""
    foreign = [letter for letter in dict.fromkeys(serial) if _script(letter) in _NAMES]
    if not foreign:
        return ""
    named = ", ".join(f"{_NAMES[_script(letter)]} {letter}" for letter in foreign)
    also = "".join(strong_key(c) if c in foreign else c for c in serial)
    return f"{serial} has a {named}: kept as typed, also matched as {also}"


def _script(letter: str) -> str:
    return next(iter(scripts(letter)), "")
