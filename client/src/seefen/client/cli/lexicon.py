"""What words of the region's languages name, in whichever alphabet they are typed.

The labels of codes are the dictionary, in all languages at once: nobody switches one before
he types. A word is known in its inflected forms as well, ``пиштола`` is a pistol. What two
languages call by one word and mean two things with is known as neither.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Final, NamedTuple

from seefen.client.labels import LANGUAGES, label
from seefen.protocol.messages import TABLES

AMMUNITION: Final = "unit"
_THINGS: Final = ("category", "explosive", "part")
_LETTERS: Final = {
    **dict(zip("абвгґдеєзиіїйјклмнопрстћуфхцчшь", "abvggdeeziiijjklmnoprstcufhccs ", strict=True)),
    "ѓ": "gj", "ђ": "dj", "ж": "z", "ѕ": "dz", "љ": "lj", "њ": "nj", "ќ": "kj", "џ": "dz",  # noqa: RUF001
    "щ": "sc", "ь": "", "ю": "ju", "я": "ja", "ı": "i", "ł": "l", "đ": "dj",  # noqa: RUF001
}  # fmt: skip
_UKRAINIAN: Final = {  # as its places are written in Latin letters
    **_LETTERS, "г": "h", "и": "y", "й": "i", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "ж": "zh",  # noqa: RUF001
    "щ": "shch", "є": "ie", "ю": "iu", "я": "ia",
}  # fmt: skip
_ENDING: Final = re.compile(r"[aeiouyjsmtvhlr]{0,4}")  # what a word of these languages ends on
_STEM: Final = 4  # letters: of a shorter word the endings tell too little
# What is said and stands in no label; plurals that change the stem.
_ALSO: Final = {
    ("category", "pistol"): "pistoale pistolj",
    ("category", "rifle"): "pusaka pusti gvintivok",
    ("category", "assault_rifle"): "kalasnikov kalashnikov",
    ("category", "submachine_gun"): "submachine_gun",
    ("category", "light_machine_gun"): "machine_gun",
    ("category", "unknown"): "gun weapon firearm oruzje oruzja arme armi zbroja zbroi",
    ("explosive", "hand_grenade"): "grenade granata grenada bomba granati bombi",
    ("explosive", "tnt"): "tnt trotil",
    ("explosive", "plastic"): "plastic_explosive",
    ("explosive", "dynamite"): "dynamite dinamit",
    ("part", "suppressor"): "silencer",
    (AMMUNITION, "round"): (
        "round cartridge bullet ammunition metak metci municija patron kursum naboj naboi nabij"
        " fishek plumba municion cartus gloante glont munitie"
    ),
}
_WORDS: Final = {
    "yes": "y yes yeah da po tak moving",
    "no": "n no not ne jo nu ni",
    "out": "out exit leaving izlez izlaz dalje iesire vijizd viizd vihid",
    "in": "in entry entering vlez ulaz hyrje intrare vjizd vizd vhid",
    "alarm": "alarm gas signal blank gasen gasni gasna signalen signalni signalna startni startna",
    "old": "old new used black rusty loaded old-fashioned star stari stara nov novi nova",
    "kg": "kg",
}


# Words for colours that are said of a vehicle, folded; "i", "e", "të" stand before an Albanian one.
_COLOURS: Final = re.compile(
    r"(?:black|white|gr[ea]y|silver|red|blue|green|yellow|brown|beige|orange"
    r"|bijel[aeio]?|bel[aeio]?|crn[aeio]?|siv[aeio]?|crven[aeio]?|plav[aeio]?|zelen[aeio]?|zut[aeio]?"
    r"|srebrn[aeio]?|smedj[aeio]?|bez|crveno|ljubicast[aeio]?|narandzast[aeio]?"
    r"|bardhe?|zi|zez[eo]|kuqe?|gri|kalter|blu|gjelber|verdhe?|argjendte?|kafe"
    r"|bjal[aeo]|crvena|kafeav[aeio]?|zolt[aeio]?|srebren[aeio]?"
    r"|alb[ai]?|negru|neagra|rosu|rosie|albastr[ua]|verde|galben[ai]?|argintiu|maro"
    r"|bil(?:ij|yj|a|e)|corn(?:ij|a|e)|sir(?:ij|a|e)|cervon(?:ij|a|e)|sin(?:ij|ja)|zelen(?:ij|a|e)"
    r"|zovt(?:ij|a|e)|sriblast(?:ij|a|e)|koricnev(?:ij|a|e))"
)
_ARTICLES: Final = frozenset(("i", "e", "te"))


_CROSSING_WORDS: Final = frozenset((
    "bcp", "gp", "gkp", "mgp", "kpp", "ppr", "ptf", "granicni", "granicen", "prelaz", "prijelaz",
    "premin", "pika", "kufitare", "vama", "punctul", "frontiera", "punkt", "crossing", "border",
))  # fmt: skip
_TOWNS: Final = frozenset((
    "ruse", "giurgiu", "vidin", "calafat", "siret", "galati", "metkovic", "zupanja", "orasje",
    "gradiska", "stara gradiska", "velika kladusa", "mali zvornik", "uzhhorod", "chop", "zahony",
    "kula", "novo selo", "jabuka",
))  # fmt: skip
# Sides by the names they have on the other side.
_SIDES_ALSO: Final = {
    "presheve": "presevo", "presheva": "presevo", "djeneral jankovic": "hani i elezit",
    "elez han": "hani i elezit", "general jankovic": "hani i elezit",
}  # fmt: skip
_SOUNDS: Final = (
    ("shch", "s"), ("sch", "s"), ("sh", "s"), ("ch", "c"), ("kh", "h"), ("th", "t"), ("gj", "g"),
    ("gy", "g"), ("gi", "g"), ("k", "c"), ("q", "c"), ("cj", "c"), ("dj", "d"), ("y", "i"),
    ("j", "i"), ("ll", "l"), ("rr", "r"), ("w", "v"), ("sz", "s"), ("ts", "c"),
)  # fmt: skip


class Thing(NamedTuple):
    """What the first words of a text name.

    Attributes:
        table: ``category``, ``explosive``, ``part`` or :data:`AMMUNITION`.
        code: A code of it.
        words: How many words name it.
        sure: Not where two languages mean two kinds of weapon by one word: ``unknown``, then.
    """

    table: str
    code: str
    words: int
    sure: bool = True


def folded(text: str) -> str:
    """Return a text in plain small Latin letters; what separates words is one space."""
    return _plain(text, _LETTERS)


def means(word: str, meaning: str) -> bool:
    """Tell whether one word says ``yes``, ``no``, ``in``, ``out``, ``alarm``, ``old`` or ``kg``."""
    return folded(word).strip(" .,;:!'\u2019").replace("'", "").replace("\u2019", "") in _WORDS[
        meaning
    ].split(" ")


def colour(words: Sequence[str]) -> tuple[int, int]:
    """Return where the first colour begins and ends, ``i bardhë`` as well; (0, 0) for none."""
    for place, word in enumerate(words):
        if _COLOURS.fullmatch(folded(word)):
            return place - (place > 0 and folded(words[place - 1]) in _ARTICLES), place + 1
    return 0, 0


def direction(text: str) -> str:
    """Return ``in`` or ``out``, or nothing: no language says so."""
    code = code_of("direction", text)
    named = next((way for way in ("out", "in") if means(text, way)), "")
    return code if code in ("out", "in") else named


def crossing(name: str) -> str:
    """Return the crossing whose sides are named, both in either order, or one alone; or nothing."""
    typed = [frozenset(_sides(_bare(name), letters)) - {""} for letters in (_LETTERS, _UKRAINIAN)]
    whole = [code for code, sides in _crossings().items() if sides in typed]
    if whole:
        return whole[0]
    spelled = {frozenset(map(_loose, sides)) for sides in typed}
    loose = {code: frozenset(map(_loose, sides)) for code, sides in _crossings().items()}
    found = {code for code, sides in loose.items() for said in spelled if said and said <= sides}
    return found.pop() if len(found) == 1 else ""


def is_town(name: str) -> bool:
    """Tell whether a side of a crossing is a town as well: what happens there may be elsewhere."""
    return folded(name) in _TOWNS


def _bare(name: str) -> str:
    """Return a name without the word for crossing before it: ``GP Batrovci``."""
    words = name.split()
    while len(words) > 1 and folded(words[0]).strip(" .:") in _CROSSING_WORDS:
        words = words[1:]
    return " ".join(words)


def _loose(side: str) -> str:
    """Return a side in one of the spellings that sounds are written in from language to language.

    ``Паланка`` is Palanca, ``Ѓуешево`` is Gyueshevo.
    """
    for said, written in _SOUNDS:
        side = side.replace(said, written)
    return side


def code_of(table: str, text: str) -> str:
    """Return the code that a text is, or whose label it is in any language; or nothing."""
    wanted = folded(text)
    codes = {code for label_, code in _labels(table) if wanted in (label_, folded(code))}
    return codes.pop() if len(codes) == 1 else ""


def thing(words: Sequence[str]) -> Thing | None:
    """Return what the first words name, the longest name first, or nothing."""
    plain = [folded(word).strip(" .") for word in words]
    for many in range(min(6, len(plain)), 0, -1):
        said = tuple(" ".join(plain[:many]).split())
        for same in (_are_same, _are_forms):
            found = {(table, code) for name, table, code in _named(len(said)) if same(said, name)}
            if found:
                return _one_of(found, many)
    return None


def _one_of(found: set[tuple[str, str]], words: int) -> Thing | None:
    if len(found) == 1:
        return Thing(*found.pop(), words)
    tables = {table for table, _ in found}
    return Thing("category", "unknown", words, sure=False) if tables == {"category"} else None


def _are_same(said: Sequence[str], name: Sequence[str]) -> bool:
    return said == name


def _are_forms(said: Sequence[str], name: Sequence[str]) -> bool:
    return all(_is_form(word, of) for word, of in zip(said, name, strict=True))


def _is_form(word: str, of: str) -> bool:
    stem = of.rstrip("aeiouyj")
    if len(stem) < _STEM:
        return word in (of, f"{of}s")
    return word.startswith(stem) and _ENDING.fullmatch(word[len(stem) :]) is not None


@cache
def _named(length: int) -> tuple[tuple[tuple[str, ...], str, str], ...]:
    """Return the names of so many words, each with the table and code it stands for."""
    return tuple(dict.fromkeys(entry for entry in _all_names() if len(entry[0]) == length))


def _all_names() -> Iterator[tuple[tuple[str, ...], str, str]]:
    for table in _THINGS:
        for name, code in _labels(table):
            yield tuple(name.split()), table, code
    for name, code in _labels(AMMUNITION):
        if code == "round":
            yield tuple(name.split()), AMMUNITION, code
    for (table, code), names in _ALSO.items():
        for name in names.split():
            yield tuple(name.split("_")), table, code


@cache
def _labels(table: str) -> tuple[tuple[str, str], ...]:
    """Return each label of a table in each language, plain, with its code."""
    return tuple(
        dict.fromkeys(
            (folded(label(lang, table, code)), code) for lang in LANGUAGES for code in TABLES[table]
        )
    )


@cache
def _crossings() -> dict[str, frozenset[str]]:
    return {
        code: frozenset(_sides(name, _LETTERS))
        for code, name in TABLES["crossing"].items()
        if code != "other"
    }


def _sides(name: str, letters: dict[str, str]) -> Iterable[str]:
    for side in re.split(r"->|[>/\u2192\u2013\u2014]|\s-\s", name):
        plain = _plain(side, letters)
        yield _SIDES_ALSO.get(plain, plain)


def _plain(text: str, letters: dict[str, str]) -> str:
    turned = "".join(
        letters.get(char, char) for char in unicodedata.normalize("NFC", text.casefold())
    )
    apart = unicodedata.normalize("NFKD", turned)
    plain = "".join(char for char in apart if not unicodedata.combining(char))
    return re.sub(r"[\s_-]+", " ", plain).strip()
