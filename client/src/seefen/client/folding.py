"""Folding: one spelling for words that are written in two alphabets and many ways.

Милош, Miloš and Milosh; Đorđe, Djordje and Ђорђе; Țurcanu and Ţurcanu are looked for as
one. What is folded is never shown and never sent: it finds, and the text that is found is
read as it was written. Different words can fold to one; that costs a hit too many.
"""

import re
import unicodedata
from itertools import chain
from typing import Final

# The alphabets of the region, by sound; letters that no romanisation agrees on, by the
# letter that the others have in common.
_CYRILLIC: Final = {
    **dict(zip("абвгґдежзийіклмнопрстуфхцчшъыьэћќёєїјљњѕђѓџщюя'", (
        "a", "b", "v", "g", "g", "d", "e", "z", "z", "i", "j", "i", "k", "l", "m", "n", "o", "p",
        "r", "s", "t", "u", "f", "h", "c", "c", "s", "", "i", "", "e", "c", "c", "e", "je", "ji",
        "j", "lj", "nj", "dz", "dj", "dj", "dz", "sc", "ju", "ja", "",
    ), strict=True)),
    "\u02bc": "", "\u2019": "",
}  # fmt: skip
_LATIN: Final = {
    "đ": "dj", "ǵ": "dj", "ḱ": "c",
    "ł": "l", "ø": "o", "ı": "i", "ß": "ss", "æ": "ae", "œ": "oe",  # noqa: RUF001
}  # fmt: skip
_LETTERS: Final = str.maketrans({**_CYRILLIC, **_LATIN})
# Two letters for one sound, the longer ones first. What glides into a vowel and what is
# doubled goes: Mariia, Mariya, Marija and Марія meet in one word.
_SOUNDS: Final = (
    ("dzh", "d"), ("xh", "d"), ("dz", "d"), ("dj", "d"), ("gj", "d"), ("sh", "s"), ("zh", "z"),
    ("ch", "c"), ("kj", "c"), ("kh", "h"), ("ts", "c"), ("w", "v"), ("q", "k"), ("x", "ks"),
    # Last, when each h that is half of a sound is gone: the same Cyrillic letter is an h in
    # Ukrainian and a g everywhere else, and nobody sees whose it is.
    ("h", "g"),
)  # fmt: skip
_GLIDE: Final = re.compile(r"[ijy]+(?=[aeou])|j|(?<=i)y")
_DOUBLED: Final = re.compile(r"([a-z])\1+")
# What is an own letter in Macedonian is written as its sound, or without its mark: Ѓорѓи is
# Gjorgji, Đorđi and also Gorgi; Ќосев is Kjosev, Ćosev and also Kosev. So it is found as both.
_UNMARKED: Final = (("ѓ", "г"), ("ќ", "к"), ("ǵ", "g"), ("ḱ", "k"), ("gj", "g"), ("kj", "k"))  # noqa: RUF001
# A vault keeps words folded: with another number its index is made anew.
FOLDING: Final = 3


def fold(word: str) -> str:
    """Return the letters ``a-z`` and digits of a word, folded; separators inside it go."""
    # Composed first: й and ї are letters of their own, and no и with a mark.
    text = unicodedata.normalize("NFKC", word).casefold().translate(_LETTERS)
    apart = unicodedata.normalize("NFKD", text)
    text = "".join(char for char in apart if char.isascii() and char.isalnum())
    for sound, letter in _SOUNDS:
        text = text.replace(sound, letter)
    text = _GLIDE.sub("", text).replace("y", "i")
    return _DOUBLED.sub(r"\1", text)


def readings(word: str) -> tuple[str, ...]:
    """Return the word folded in each way that it is written in, the usual one first."""
    text = unicodedata.normalize("NFKC", word).casefold()
    plain = text
    for marked, unmarked in _UNMARKED:
        plain = plain.replace(marked, unmarked)
    ways = (word,) if plain == text else (word, plain)
    return tuple(dict.fromkeys(filter(None, map(fold, ways))))


def fold_all(text: str) -> str:
    """Return the words of a text, each folded in its ways, with one blank between them.

    Words that stand side by side stay so: the other ways come after all of them.
    """
    ways = [readings(word) for word in text.split()]
    others = chain.from_iterable(found[1:] for found in ways)
    return " ".join((*(found[0] for found in ways if found), *others))
