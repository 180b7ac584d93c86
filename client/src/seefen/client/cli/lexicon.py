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
    ("category", "assault_rifle"): (
        "kalasnikov kalashnikov kallashnikov kalasnjikov kalash kallash kalas"
    ),
    ("category", "submachine_gun"): "submachine_gun",
    ("category", "light_machine_gun"): "machine_gun",
    ("category", "unknown"): "gun weapon firearm oruzje oruzja arme armi zbroja zbroi",
    ("explosive", "hand_grenade"): "grenade granata grenada bomba granati bombi",
    ("explosive", "tnt"): "tnt trotil",
    ("explosive", "plastic"): "plastic_explosive",
    ("explosive", "dynamite"): "dynamite dinamit",
    ("part", "suppressor"): "silencer",
    (AMMUNITION, "round"): (
        "round cartridge bullet ammunition metak metci municija patron kursum naboj naboi naboiv"
        " nabij fishek plumba municion cartus gloante glont munitie"
    ),
}
# What a model is called where nobody says its make; the word itself stays with the thing.
_NICKNAMES: Final = {
    "zolja": "anti_tank_launcher", "zolje": "anti_tank_launcher",
    "osa": "anti_tank_launcher", "ose": "anti_tank_launcher",
    "rpg": "anti_tank_launcher", "strela": "manpads", "igla": "manpads", "papovka": "carbine",
    "skorpion": "submachine_gun", "makarov": "pistol", "tokarev": "pistol", "tetejac": "pistol",
    "tt": "pistol",
}  # fmt: skip
# Hiding places as they are said, where the label says it at length.
_HIDDEN: Final = {
    "spare_wheel": "rezerva rezervna_guma rezerven_tocak goma_rezerve zapaska spare_tyre",
    "fuel_tank": "rezervor rezervoar rezervuar gorivo_rezervoar depozita gas_tank petrol_tank tank"
    " benzobak bak",
    "rear_panel": "zadnja_ploca zadna_ploca zadnji_panel zaden_panel paneli_pas panou_spate"
    " back_panel",
    "panel_void": "ploca obloga panel paneli panou",
    "door_void": "vrata door dera usa portiera dveri",
    "seat": "sjediste sediste sedisti sedilje scaun sidinnja",
    "dashboard": "dashboard tabla instrument_tabla kruskoti bord torpedo",
    "bumper": "branik parakolp bara bamper",
    "boot": "gepek trunk bagaznik prtljaznik portbagaj",
    "floor": "pod patos podea dysheme pidloga",
}
_INSIDE: Final = frozenset(
    ("in", "the", "u", "v", "vo", "ne", "la", "at")
)  # one place, said at length
# One to twelve, folded, in each language; "a pistol" is one.
_NUMBERS: Final = tuple(
    frozenset(words.split())
    for words in (
        "one nje jedan jedna jedno eden edna edno unu una odin odna odne a an un o",
        "two dy dva dve dvije doi doua dvi",
        "three tre tri trei try",
        "four kater cetiri patru cotiri",
        "five pese pet cinci p'jat p\u2019jat pjat",
        "six gjashte sest sase sist",
        "seven shtate sedam sedum sapte sim",
        "eight tete osam osum opt visim",
        "nine nente devet noua dev'jat dev\u2019jat devjat",
        "ten dhjete deset zece desjat",
        "eleven njembedhjete jedanaest edinaeset unsprezece odinadcjat",
        "twelve dymbedhjete dvanaest dvanaeset doisprezece dvanadcjat",
    )
)
_DOZENS: Final = {  # folded as well; "two hundred" is as many times
    word: many
    for many, words in (
        (12, "dozen duzina tucet"),
        (100, "hundred njeqind qind sto stotina stotinu stotine suta sute sotnja"),
        (200, "dyqind dvesta dvjesta dvesto dvisti"),
        (300, "treqind trista tristo"),
    )
    for word in words.split()
}
_WORDS: Final = {
    "yes": "y yes yeah da po tak moving",
    "no": "n no not ne jo nu ni",
    "out": "out exit leaving izlez izlaz dalje iesire vijizd viizd vihid",
    "in": "in entry entering vlez ulaz hyrje intrare vjizd vizd vhid",
    "alarm": "alarm gas signal blank gasen gasni gasna signalen signalni signalna startni startna",
    "old": "old new used black rusty loaded old-fashioned star stari stara nov novi nova",
    "kg": "kg",
    "plates": (
        "plate plates license licence number no registration reg with sa so me cu"
        " tablica tablice tablicu tablicama tablici tablicka tablicki registracija registracije"
        " registarska registarske registarski registarskih oznaka oznake broj broja"
        " targa targe targat targave numer numri numar numarul numere inmatriculare nr de"
        " nomer nomera nomeri nomerni nomernij znak znaki derznomer"
    ),
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
    """Tell whether one word says ``yes``, ``alarm`` or another meaning that :data:`_WORDS` has."""
    return folded(word).strip(" .,;:!'\u2019").replace("'", "").replace("\u2019", "") in _WORDS[
        meaning
    ].split(" ")


def number(word: str) -> int:
    """Return the number that a word spells: 1 to 12, a dozen, some hundreds; 0 for any other."""
    plain = folded(word)
    small = next((n for n, words in enumerate(_NUMBERS, 1) if plain in words), 0)
    return small or _DOZENS.get(plain, 0)


def spelled(words: Sequence[str]) -> tuple[int, int]:
    """Return the number that the first words spell, and how many they are: ``two hundred``."""
    first = number(words[0]) if words else 0
    small = 0 < first <= len(_NUMBERS) and len(words) > 1
    many = _DOZENS.get(folded(words[1]), 0) if small else 0
    return (first * many, 2) if many else (first, int(first > 0))


def nickname(name: str) -> str:
    """Return the category of what is called by one word, ``Zolja``; or nothing."""
    plain = folded(name)
    return next((code for known, code in _NICKNAMES.items() if _is_form(plain, known)), "")


def kind_last(text: str) -> tuple[str, str]:
    """Return name and code of ``M75 grenades``, where what it is stands last; or nothing twice."""
    words = text.split()
    for many in range(min(3, len(words) - 1), 0, -1):
        named = thing(words[-many:])
        if named is not None and named.words == many and named.sure:
            return " ".join(words[:-many]), named.code
    return "", ""


def kind_first(text: str) -> str:
    """Return ``pistols Glock 17`` for ``Glock 17 pistols``; any other text as it is."""
    name, _ = kind_last(text)
    return f"{text.removeprefix(name)} {name}".strip() if name else text


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


def hiding_place(text: str) -> str:
    """Return the code of a hiding place, by its label or as it is said; or nothing."""
    words = text.split()
    while len(words) > 1 and folded(words[0]) in _INSIDE:
        words = words[1:]
    code = code_of("concealment", " ".join(words))
    if code:
        return code
    said = tuple(folded(" ".join(words)).split())
    found = [
        (len(name), code)
        for code, names in _HIDDEN.items()
        for name in names.split()
        if len(name.split("_")) == len(said) and _are_forms(said, name.split("_"))
    ]
    return max(found)[1] if found else ""  # rezervoaru is of rezervoar, and of rezerva, too


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
