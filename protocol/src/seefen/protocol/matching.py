"""Whether two serial numbers, plates or headstamps may be the same mark.

A mark is kept as it was read. Two alphabets are stamped here whose letters look alike,
stamps are worn, and people type what they think they see; so what is compared are keys
made from the text. A key is never stored or sent in place of the text, and a match only
proposes: it says how exact it is, and a person decides.

In a text that was read, ``?`` is one unreadable character and ``*`` is several or none.
The rules are ``docs/spec/messages.md``, section 6; the vectors ``tests/vectors/matching``.
"""

import unicodedata
from collections.abc import Callable
from enum import StrEnum
from typing import Final


class Exactness(StrEnum):
    """How well two texts fit, best first."""

    EXACT = "exact"
    LOOK_ALIKE = "look-alike"
    POSSIBLE = "possible"
    NOTHING = "nothing"


LEAST_READ: Final = 3  # characters that two incomplete texts must have in common
LONGEST: Final = 80  # characters; comparing is quadratic, so nobody may choose them all

# Upper-case letters that look like a Latin one (the data of Unicode's UTS 39 for the
# alphabets of the region, without those that only look alike in lower case).
_LOOK_ALIKES: Final = str.maketrans(
    "АВЕКМНОРСТУХЈЅІԚԜ" + "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",  # noqa: RUF001 - what this module is about
    "ABEKMHOPCTYXJSIQW" + "ABEZHIKMNOPTYX",
)
# What is confused on metal and paper, whatever the alphabet.
_CONFUSED: Final = str.maketrans("OILSBZЗБЧ", "011582364")  # noqa: RUF001
_MARKED: Final = str.maketrans("ĐĦŁØ", "DHLO")  # letters whose stroke is no separate mark
# A lower-case Cyrillic headstamp is read by its shape or turned into Latin letters.
_SHAPES: Final = str.maketrans("пукИ", "nykN")
_SOUNDS: Final = str.maketrans("абвгдезиклмнопрстуфхцјћчшжИП", "abvgdeziklmnoprstufhcjccszIP")
_MISREAD: Final = str.maketrans("nyN", "пуИ")
_WILD: Final = frozenset("?*")


def strong_key(text: str) -> str:
    """Return the key of texts that look the same: case, separators and alphabet do not count.

    ``?`` and ``*`` stay.
    """
    folded = unicodedata.normalize("NFKC", text).upper().translate(_LOOK_ALIKES)
    return "".join(char for char in folded if char.isalnum() or char in _WILD)


def weak_key(text: str) -> str:
    """Return the key of texts that are easily confused: 0/O, 1/I/L, 5/S, 8/B, 2/Z and the like.

    It only suggests.
    """
    return strong_key(text).translate(_CONFUSED)


def plate_key(text: str) -> str:
    """Return the key of a number plate: accents do not count, for few type them abroad."""
    apart = unicodedata.normalize("NFD", strong_key(text).translate(_MARKED))
    return "".join(char for char in apart if not unicodedata.combining(char))


def scripts(text: str) -> frozenset[str]:
    """Return the scripts of the letters in a text: Latn, Cyrl, Grek, or Zyyy for any other."""
    return frozenset(_script(char) for char in text if char.isalpha())


def is_mixed(text: str) -> bool:
    """Return whether letters of several scripts stand in one text: shown with a mark."""
    return len(scripts(text)) > 1


def look_alikes(text: str) -> tuple[tuple[str, str], ...]:
    """Return each letter that is not Latin but looks so, with the Latin one."""
    pairs = ((char, char.upper().translate(_LOOK_ALIKES)) for char in text)
    return tuple(dict.fromkeys((a, b) for a, b in pairs if a.upper() != b))


def latin(text: str) -> str:
    """Return a text with its look-alike letters in Latin, separators kept: for a screen."""
    return "".join(
        char if (upper := char.upper()) == (plain := upper.translate(_LOOK_ALIKES)) else plain
        for char in text
    )


def compare(a: str, b: str) -> Exactness:
    """Return how well two serial numbers, as read, fit."""
    return _compare(a, b, strong_key, weak_key)


def compare_plates(a: str, b: str) -> Exactness:
    """Return how well two number plates, as read, fit."""
    return _compare(a, b, strong_key, lambda text: plate_key(text).translate(_CONFUSED))


def compare_headstamps(a: str, b: str) -> Exactness:
    """Return how well two headstamps fit: ``ппу`` is read "nny" and written "ppu"."""
    found = _compare(a, b, strong_key, weak_key)
    if found in (Exactness.EXACT, Exactness.LOOK_ALIKE) or max(len(a), len(b)) > LONGEST:
        return found
    ours, theirs = _readings(a), _readings(b)
    if ours & theirs:
        return Exactness.LOOK_ALIKE
    if (ours | _misread(a)) & (theirs | _misread(b)):
        return Exactness.POSSIBLE
    return found


def _compare(a: str, b: str, strong: Callable[[str], str], weak: Callable[[str], str]) -> Exactness:
    if max(len(a), len(b)) > LONGEST:
        return Exactness.EXACT if a == b else Exactness.NOTHING
    if not strong(a).strip("?*") or not strong(b).strip("?*"):
        return Exactness.NOTHING
    if _WILD & {*strong(a), *strong(b)}:
        fits = _in_common(weak(a), weak(b)) >= LEAST_READ
        return Exactness.POSSIBLE if fits else Exactness.NOTHING
    if a == b:
        return Exactness.EXACT
    if strong(a) == strong(b):
        return Exactness.LOOK_ALIKE
    return Exactness.POSSIBLE if weak(a) == weak(b) else Exactness.NOTHING


def _in_common(a: str, b: str) -> int:
    """Return how many read characters two incomplete keys share when one can be the other.

    -1 when they cannot. Two texts that are mostly ``*`` fit anything, so fitting alone
    says nothing. A table, not a recursion or a regular expression: its cost is bounded.
    """
    no = -1
    below = [no] * (len(b) + 1)
    for i in range(len(a), -1, -1):
        row = [no] * (len(b) + 1)
        for j in range(len(b), -1, -1):
            if i == len(a) and j == len(b):
                row[j] = 0
                continue
            best = no
            if i < len(a) and a[i] == "*":
                best = max(best, below[j], row[j + 1] if j < len(b) else no)
            if j < len(b) and b[j] == "*":
                best = max(best, row[j + 1], below[j] if i < len(a) else no)
            if i < len(a) and j < len(b) and "*" not in (a[i], b[j]):
                best = max(best, _together(a[i], b[j], below[j + 1]))
            row[j] = best
        below = row
    return below[0]


def _together(a: str, b: str, rest: int) -> int:
    if rest < 0 or (a != b and "?" not in (a, b)):
        return -1
    return rest + (a == b and a != "?")


def _readings(text: str) -> frozenset[str]:
    """Return what a headstamp is read as: by shape and by sound."""
    return frozenset(
        strong_key(form) for form in (text.translate(_SHAPES), text.translate(_SOUNDS))
    )


def _misread(text: str) -> frozenset[str]:
    """Return what Latin letters stand for if they are Cyrillic ones read by shape."""
    return frozenset({strong_key(text.translate(_MISREAD).translate(_SOUNDS))})


def _script(char: str) -> str:
    name = unicodedata.name(char, "").split(" ", 1)[0]
    return {"LATIN": "Latn", "CYRILLIC": "Cyrl", "GREEK": "Grek"}.get(name, "Zyyy")
