"""What an officer types into the questions, as the fields of a form.

``12 pistols, 340 rounds`` and ``Табановце > Прешево, излез`` are how people write it down
at three in the morning. What no code stands for is kept as text, word for word.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from seefen.client.cli import arsenal, lexicon, plates
from seefen.client.cli.lexicon import folded
from seefen.protocol.messages import TABLES
from seefen.protocol.messages.arms import Arm

Fields = dict[str, Any]
CALIBRE: Final = TABLES["calibre"]

_COUNT: Final = re.compile(r"(\d{1,6})\s*(?:[x\u00d7]\s+)?(.+)")
# A comma between digits belongs to a calibre; "and", "with" begin a thing where a number follows.
_PARTS: Final = re.compile(r"[;\n]|,(?!\d)|(?<!\d),")
_BETWEEN: Final = re.compile(
    r"\s+(?:and|with|plus|i|и|dhe|e|și|si|та|і|й|sa|са|со|me|cu|з|із|\+|&)\s+(?=(\S+))",  # noqa: RUF001
    re.IGNORECASE,
)
_CALIBRE: Final = re.compile(
    r"(?:cal(?:ibre)?\.?\s*)?(?:\d+[.,]?\d*\s*(?:mm|x\s*\d+\s*R?\b)(?:\s+[A-Z][\w.]*)*"
    r"|\d[.,]\d+\s+(?:Browning|Nagant|Mauser)\b|(?<!\w)\.\d{2,3}\b.*)"
)


def place(text: str) -> Fields:
    """Return the place: ``Tabanovce > Preševo, out`` is a crossing and a direction.

    One side alone is enough, but not of a town where no direction is said.
    """
    name, direction = _directed(text)
    crossing = lexicon.crossing(name)
    if not direction and lexicon.is_town(name):
        crossing = ""
    fields: Fields = {"place": name}
    if direction:
        fields["direction"] = direction
    if crossing or ">" in name:
        fields["setting"] = "bcp"
    if crossing:
        fields["bcp"] = crossing
    return fields


def _directed(text: str) -> tuple[str, str]:
    """Return name and direction of a place; without a comma, where the name is a crossing."""
    where, _, last = text.rpartition(",")
    if where.strip() and (direction := lexicon.direction(last)):
        return where.strip(), direction
    *words, last = text.split() or [""]
    if lexicon.crossing(" ".join(words)) and (direction := lexicon.direction(last)):
        return " ".join(words), direction
    return text.strip(), ""


def load(text: str) -> Fields:
    """Return what was found, each thing under its field.

    A part of which a word is left over stands in ``text`` as well, whole: nothing that was
    typed is dropped.
    """
    fields: Fields = {"items": [], "ammunition": [], "explosives": [], "parts": []}
    other: list[str] = []
    for part in _parts(text):
        whole = True
        for piece in _pieces(part):
            field, thing, said_all = _counted(piece)
            whole = whole and said_all
            if field:
                fields[field].append(thing)
        other += [] if whole else [part]
    return {name: value for name, value in fields.items() if value} | (
        {"text": "; ".join(other)} if other else {}
    )


def as_unknown(text: str) -> str:
    """Return words that nothing stands for as so many weapons, the words beside them.

    One, where no part has a count: an alert is never kept back by its wording.
    """
    counts = [int(found[1]) for part in _parts(text) if (found := _count(part))]
    return f"{sum(counts) or 1} weapons; {text}"


def _parts(text: str) -> Iterator[str]:
    return filter(None, (part.strip() for part in _PARTS.split(text)))


def _pieces(part: str) -> Iterator[str]:
    """Yield what "and" and "with" part, where a number follows them."""
    begin = 0
    for found in _BETWEEN.finditer(part):
        if found[1][0].isdecimal() or lexicon.number(found[1]):
            yield part[begin : found.start()]
            begin = found.end()
    yield part[begin:]


def _count(piece: str) -> re.Match[str] | None:
    """Return how many, and of what: of ``twelve guns`` as well."""
    first, gap, rest = piece.strip().partition(" ")
    spelled = lexicon.number(first)
    return _COUNT.fullmatch(f"{spelled}{gap}{rest}" if spelled else piece.strip())


def _counted(piece: str) -> tuple[str, Fields, bool]:
    """Return field and thing of ``12 pistols``, nothing where it is none; and if that is all."""
    found = _count(piece)
    if found is None:
        return "", {}, False
    field, thing, said_all = _thing(found[2])
    if field == "explosives" and found[2].split()[0] and lexicon.means(found[2].split()[0], "kg"):
        return field, {"mass_g": int(found[1]) * 1000, **thing}, said_all
    return (field, {"qty": int(found[1]), **thing}, said_all) if field else ("", {}, False)


def _thing(text: str) -> tuple[str, Fields, bool]:
    """Return the field a thing belongs to, what it is, and whether no word is left over."""
    given = _CALIBRE.search(text)
    words = (text[: given.start()] + " " + text[given.end() :] if given else text).split()
    of = calibre(given[0]) if given else {}
    kept = [word for word in words if not lexicon.means(word, "old")]
    heavy = bool(kept) and lexicon.means(kept[0], "kg")
    alarm = bool(kept) and lexicon.means(kept[0], "alarm")
    named = lexicon.thing(kept[1:] if heavy or alarm else kept)
    said_all = len(kept) == len(words)
    if named is None or (named.table == "category" and not alarm and len(kept) > named.words):
        return _by_name(text, named)
    if heavy and named.table != "explosive":
        return "", {}, False
    left = kept[named.words + (heavy or alarm) :]
    field, thing = _coded(named, of, alarm=alarm)
    listed = arsenal.article(" ".join(left), named.code) if left else None
    if listed is not None:
        thing, left = thing | _article(listed), []
    return field, thing, said_all and not left and named.sure


def _coded(named: lexicon.Thing, of: Fields, *, alarm: bool) -> tuple[str, Fields]:
    if named.table == "category":
        kind = {"kind": "alarm_signal"} if alarm else {}
        return "items", {**kind, "category": named.code, **of}
    if named.table == lexicon.AMMUNITION:
        return "ammunition", of
    return f"{named.table}s", {"kind": named.code}


def _by_name(text: str, named: lexicon.Thing | None) -> tuple[str, Fields, bool]:
    """Return a weapon by make and model, as the list of arms has them.

    Of one that is not in the list its category is known, if it was said; its other words stay.
    """
    for said in (text, lexicon.kind_first(text)):
        weapon = gun(said)
        known = weapon["category"] != "unknown" and arsenal.is_make(weapon.get("make", ""))
        if "ref" in weapon or known:
            return "items", weapon, True
    if named is not None:
        short = {name: weapon[name] for name in weapon if name not in ("make", "model")}
        return "items", {**short, "category": named.code}, False
    return _by_part_of_a_name(text)


def _by_part_of_a_name(text: str) -> tuple[str, Fields, bool]:
    """Return a weapon whose model or make alone was said, or what is no weapon and has a name."""
    weapon = gun(text)
    name = " ".join(weapon.pop(part) for part in ("make", "model") if part in weapon)
    listed = arsenal.article(name) or arsenal.article(*lexicon.kind_last(text))
    if listed is not None:
        return f"{arsenal.table(listed)}s", {"kind": listed.kind, **_article(listed)}, True
    for part, category in (
        ("model", arsenal.category_of_model(name) or lexicon.nickname(name)),
        ("make", arsenal.category_of_make(name)),
    ):
        if category:
            return "items", {**weapon, "category": category, part: name}, True
    return "", {}, False


def _article(listed: Arm) -> Fields:
    """Return the row of a grenade or part; a part has no field for a model, and its row has it."""
    model = {} if arsenal.table(listed) == "part" else {"model": listed.model}
    return {**model, "ref": listed.code}


def calibre(text: str) -> Fields:
    """Return the code of a calibre, and what was written."""
    written = re.sub(r"^cal(?:ibre)?\.?\s*", "", text.strip())
    wanted = _squeezed(written)
    for code, label in CALIBRE.items():
        if wanted in {_squeezed(code), _squeezed(label)}:
            return {"calibre": code, "calibre_as_read": written}
    return {"calibre": "other", "calibre_as_read": written}


def _squeezed(text: str) -> str:
    return re.sub(r"[\s.]|mm|tok\.?$", "", text.lower().replace(",", "."))


def vehicle(text: str) -> Fields:
    """Return make, model, colour and plate of ``VW Passat B6 grey SK-0000-ZZ``."""
    plate = plates.found(text).text
    before, _, after = text.rpartition(plate) if plate else ("", "", text)
    words = [word for word in re.split(r"[\s,;]+", f"{before} {after}") if word]
    start, end = lexicon.colour(words)
    rest = words[:start] + words[end:]
    named = {
        "plate": plate,
        "colour": " ".join(words[start:end]).lower(),
        "make": " ".join(rest[:1]),
        "model": " ".join(rest[1:]),
    }
    return {name: value for name, value in named.items() if value}


def serials(text: str) -> tuple[str, ...]:
    """Return serial numbers as read, each once, in their order."""
    return tuple(dict.fromkeys(filter(None, (part.strip() for part in re.split(r"[,;\n]", text)))))


def serial(number: str) -> Fields:
    """Return a serial number and how much of it could be read."""
    if not number:
        return {"serial_state": "not_examined"}
    state = "partly" if "?" in number or "*" in number else "present"
    return {"serial_as_read": number, "serial_state": state}


def concealment(text: str) -> tuple[list[str], str]:
    """Return hiding places as codes, and in words what no code stands for."""
    found: list[str] = []
    words: list[str] = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        code = lexicon.hiding_place(part)
        found += [code] if code else ["other"]
        words += [] if code else [part]
    return list(dict.fromkeys(found)), ", ".join(words)


def choose(table: Mapping[str, str], text: str) -> str:
    """Return the code that a text is, or whose label it is; nothing if there is none."""
    wanted = folded(text)
    for code, label in table.items():
        if wanted in {folded(code), folded(label)}:
            return code
    return ""


def gun(text: str) -> Fields:
    """Return category, make, model and calibre of ``pistol Zastava M57 7,62 x 25``.

    Where make and model name one row of the list of arms, the row is named, too, and says
    what was left out.
    """
    given = _CALIBRE.search(text)
    words = (text[: given.start()] + text[given.end() :] if given else text).split()
    category, rest = _category(words)
    of = calibre(given[0]) if given else {}
    arm = arsenal.arm(" ".join(rest), category, of.get("calibre", ""))
    if arm is None:
        return {"category": category or "unknown", **_make_and_model(rest, 1), **of}
    row = {"kind": arm.kind, "category": arm.category, "calibre": arm.calibre, "ref": arm.code}
    silent = {"kind": "firearm", "calibre": ""}  # what an item is anyway
    return {
        **{name: value for name, value in row.items() if silent.get(name) != value},
        **({"category": category} if category else {}),
        **_make_and_model(rest, arsenal.makers(arm, rest)),
        **of,
    }


def _category(words: list[str]) -> tuple[str, list[str]]:
    """Return the category that a text begins with, ``assault rifle`` as well, and the rest."""
    named = lexicon.thing(words)
    if named is None or named.table != "category":
        return "", words
    return named.code, words[named.words :]


def _make_and_model(words: list[str], make: int) -> Fields:
    named = {"make": " ".join(words[:make]), "model": " ".join(words[make:])}
    return {name: value for name, value in named.items() if value}


def years(text: str) -> str:
    """Return the first year or range of years in a text."""
    found = re.search(r"\b(1[89]|20)\d\d(\s*[-\u2013]\s*(1[89]|20)\d\d)?\b", text)
    return found[0] if found else ""
