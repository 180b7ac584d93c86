"""What an officer types into the questions, as the fields of a form.

``12 pistols, 340 rounds`` and ``Tabanovce > Preševo, out`` are how people write it down
at three in the morning. What no code stands for is kept as text, word for word.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from seefen.protocol.messages import TABLES
from seefen.protocol.messages.arms import ARMS, Arm

Fields = dict[str, Any]
CALIBRE: Final = TABLES["calibre"]
CATEGORY: Final = TABLES["category"]

_COUNT: Final = re.compile(r"(\d{1,6})\s*(?:[x\u00d7]\s+)?(.+)")
_PLATE: Final = re.compile(r"(?=\S*\d)\w{1,4}-\w{2,6}(?:-\w{1,3})?")
_CALIBRE: Final = re.compile(
    r"(?:cal(?:ibre)?\.?\s*)?(?:\d+[.,]?\d*\s*(?:mm|x\s*\d+\s*R?\b)(?:\s+[A-Z][\w.]*)*"
    r"|\d[.,]\d+\s+(?:Browning|Nagant|Mauser)\b|(?<!\w)\.\d{2,3}\b.*)"
)
_ROUNDS: Final = ("round", "cartridge", "bullet")
_SYNONYMS: Final = {
    "machine gun": "light machine gun",
    "submachine gun": "sub-machine gun",
    "silencer": "suppressor",
    "grenade": "hand grenade",
    "gun": "weapon of unknown kind",
    "weapon": "weapon of unknown kind",
    "firearm": "weapon of unknown kind",
}
_ALARM: Final = ("alarm ", "gas ", "signal ", "blank ")
_COLOURS: Final = (
    "black", "white", "grey", "gray", "silver", "red", "blue", "green", "yellow", "brown", "beige",
    "orange",
)  # fmt: skip
_DIRECTIONS: Final = {"in": "in", "out": "out", "entry": "in", "exit": "out"}


def place(text: str) -> Fields:
    """Return the place: ``Tabanovce > Preševo, out`` is a crossing and a direction."""
    where, _, last = text.rpartition(",")
    direction = _DIRECTIONS.get(last.strip().lower(), "") if where.strip() else ""
    name = where.strip() if direction else text.strip()
    crossing = _crossing(name)
    fields: Fields = {"place": name}
    if direction:
        fields["direction"] = direction
    if crossing or ">" in name:
        fields["setting"] = "bcp"
    if crossing:
        fields["bcp"] = crossing
    return fields


def _crossing(name: str) -> str:
    """Return the crossing whose two sides are named, in whichever order."""
    sides = {_folded(side) for side in re.split(r"[>/]", name) if side.strip()}
    for code, label in TABLES["crossing"].items():
        if sides == {_folded(side) for side in label.split("/")}:
            return code
    return ""


def load(text: str) -> Fields:
    """Return what was found, each thing under its field; what is none of them in ``text``."""
    fields: Fields = {"items": [], "ammunition": [], "explosives": [], "parts": []}
    other: list[str] = []
    for part in filter(None, (piece.strip() for piece in re.split(r"[,;+]\s+|\n", text))):
        found = _COUNT.fullmatch(part)
        field, thing = _thing(found[2]) if found else ("", {})
        if found and field:
            fields[field].append({"qty": int(found[1]), **thing})
        else:
            other.append(part)
    return {name: value for name, value in fields.items() if value} | (
        {"text": "; ".join(other)} if other else {}
    )


def _thing(words: str) -> tuple[str, Fields]:
    """Return the field a thing belongs to and what it is, or nothing: it is not known."""
    given = _CALIBRE.search(words)
    name = _singular(words[: given.start()] + words[given.end() :] if given else words)
    of = calibre(given[0]) if given else {}
    if name.startswith(_ROUNDS):
        return "ammunition", of
    if name.startswith(_ALARM):
        return "items", {
            "kind": "alarm_signal",
            "category": _code(CATEGORY, name) or "pistol",
            **of,
        }
    if category := _code(CATEGORY, name):
        return "items", {"category": category, **of}
    if explosive := _code(TABLES["explosive"], name):
        return "explosives", {"kind": explosive}
    if part := _code(TABLES["part"], name):
        return "parts", {"kind": part}
    return "", {}


def _singular(words: str) -> str:
    name = re.sub(r"s\b(?!-)", "", " ".join(words.lower().split()).strip(" ."))
    return _SYNONYMS.get(name, name)


def _code(table: Mapping[str, str], name: str) -> str:
    """Return the code whose label a name is, or ends with: ``old rifle`` is a rifle."""
    labels = {_singular(label): code for code, label in table.items()}
    if name in labels:
        return labels[name]
    ends = [label for label in labels if name.endswith(f" {label}")]
    return labels[max(ends, key=len)] if ends else ""


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
    words = text.split()
    plate = next((word for word in reversed(words) if _PLATE.fullmatch(word)), "")
    colour = next((word for word in words if word.lower() in _COLOURS), "")
    rest = [word for word in words if word not in (plate, colour)]
    named = {
        "plate": plate,
        "colour": colour.lower(),
        "make": " ".join(rest[:1]),
        "model": " ".join(rest[1:]),
    }
    return {name: value for name, value in named.items() if value}


def serials(text: str) -> tuple[str, ...]:
    """Return serial numbers as read, each once, in their order."""
    return tuple(dict.fromkeys(filter(None, (part.strip() for part in re.split(r"[,;\n]", text)))))


def with_serials(items: list[Fields], numbers: tuple[str, ...]) -> list[Fields]:
    """Return items of which as many stand alone as there are serial numbers.

    Twelve pistols and three numbers are three pistols with a number and a lot of nine.
    With several kinds it is a guess which gun bears which number, and says so.
    """
    lots = [dict(item) for item in items]
    guess = {"confidence": "guess"} if len(lots) > 1 else {}
    single: list[Fields] = []
    for number in numbers:
        lot = next((item for item in lots if item["qty"] > 0), None)
        gun = {"category": "unknown"} if lot is None else _one_of(lot)
        single.append({**gun, **guess, **serial(number)})
    whole = single + [item for item in lots if item["qty"] > 0]
    return [{"n": place, **item} for place, item in enumerate(whole, 1)]


def _one_of(lot: Fields) -> Fields:
    lot["qty"] -= 1
    return {name: value for name, value in lot.items() if name != "qty"}


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
        code = choose(TABLES["concealment"], part)
        found += [code] if code else ["other"]
        words += [] if code else [part]
    return list(dict.fromkeys(found)), ", ".join(words)


def choose(table: Mapping[str, str], text: str) -> str:
    """Return the code that a text is, or whose label it is; nothing if there is none."""
    wanted = _folded(text)
    for code, label in table.items():
        if wanted in {_folded(code), _folded(label)}:
            return code
    return ""


def _folded(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.strip().casefold().replace("đ", "dj"))
    plain = "".join(c for c in letters if not unicodedata.combining(c))
    return re.sub(r"[\s_-]+", " ", plain)


def gun(text: str) -> Fields:
    """Return category, make, model and calibre of ``pistol Zastava M57 7,62 x 25``.

    Where make and model name one row of the list of arms, the row is named, too, and says
    what was left out.
    """
    given = _CALIBRE.search(text)
    words = (text[: given.start()] + text[given.end() :] if given else text).split()
    category, rest = _category(words)
    of = calibre(given[0]) if given else {}
    arm = _arm(" ".join(rest), category, of.get("calibre", ""))
    if arm is None:
        return {"category": category or "unknown", **_make_and_model(rest, 1), **of}
    row = {"kind": arm.kind, "category": arm.category, "calibre": arm.calibre, "ref": arm.code}
    silent = {"kind": "firearm", "calibre": ""}  # what an item is anyway
    return {
        **{name: value for name, value in row.items() if silent.get(name) != value},
        **({"category": category} if category else {}),
        **_make_and_model(rest, _makers(arm, rest)),
        **of,
    }


def _category(words: list[str]) -> tuple[str, list[str]]:
    """Return the category that a text begins with, ``assault rifle`` as well, and the rest."""
    labels = {_singular(label): code for code, label in CATEGORY.items()}
    for many in (3, 2, 1):
        if code := labels.get(_singular(" ".join(words[:many])), ""):
            return code, words[many:]
    return "", words


def _makers(arm: Arm, words: list[str]) -> int:
    """Return how many words are the make; one where the row is called by another name."""
    make = arm.make.split()
    named = _lettered(" ".join(words[: len(make)])) == _lettered(arm.make)
    return len(make) if named else 1


def _make_and_model(words: list[str], make: int) -> Fields:
    named = {"make": " ".join(words[:make]), "model": " ".join(words[make:])}
    return {name: value for name, value in named.items() if value}


def _arm(name: str, category: str, calibre: str) -> Arm | None:
    """Return the one weapon of the list that a name stands for, or nothing.

    A converted weapon has another calibre than it was made in, so a calibre chooses between
    rows of one name and never excludes the only one.
    """
    wanted = _lettered(name)
    found = [
        arm
        for arm in ARMS
        if arm.category and wanted in map(_lettered, (str(arm), *arm.also))
        if category in ("", "unknown", arm.category)
    ]
    if len(found) > 1:
        found = [arm for arm in found if arm.calibre == calibre]
    return found[0] if len(found) == 1 else None


def _lettered(text: str) -> str:
    """Return letters and digits alone: ``M 59/66`` and ``m59-66`` are one model."""
    return re.sub(r"[\W_]+", "", _folded(text).replace("\u0131", "i"))  # Turkish, without its dot


def years(text: str) -> str:
    """Return the first year or range of years in a text."""
    found = re.search(r"\b(1[89]|20)\d\d(\s*[-\u2013]\s*(1[89]|20)\d\d)?\b", text)
    return found[0] if found else ""
