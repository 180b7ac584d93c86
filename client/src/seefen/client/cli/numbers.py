"""Serial numbers, each on the weapon that its officer says, and on no weapon that he does not.

``M57: 84417; Ekol: EV-19070413, EV-1907?4??`` says it: a weapon, a colon, its numbers. A
kind says it as well, and means those that have no other name. What stands before a colon and
names no weapon found, or several, is no part of the number: nobody would find it.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from seefen.client.cli import answers, arsenal, lexicon
from seefen.protocol.matching import strong_key
from seefen.protocol.messages.firearm import NUMBER

Fields: TypeAlias = dict[str, Any]
_ALARM: Final = "alarm_signal"
_LEAST: Final = 3  # characters of a part of a name, or of a number


class Numbered(NamedTuple):
    """A number as read, and the place of the weapon among those found; None: not said."""

    text: str
    weapon: int | None


def numbered(lots: Sequence[Fields], serials: str, which: str = "") -> tuple[Numbered, ...]:
    """Return each number once, in its order.

    ``which`` says of numbers among ``serials`` on which weapon they are, and may add some.
    Where one kind was found, it has all of them.
    """
    said = {strong_key(one.text): one for one in _read(lots, serials)}
    for text, weapon in _read(lots, which):
        key = _meant(strong_key(text), said)
        said[key] = Numbered(said[key].text if key in said else text, weapon)
    only = 0 if len(lots) == 1 else None
    return tuple(
        one if one.weapon is not None else Numbered(one.text, only) for one in said.values()
    )


def is_open(lots: Sequence[Fields], serials: str) -> bool:
    """Tell whether several kinds were found, and of some number it is not said on which it is."""
    return any(one.weapon is None for one in numbered(lots, serials)) and len(lots) > 1


def not_found(lots: Sequence[Fields], text: str) -> str:
    """Return what stands before a colon and names none of the weapons, or several; or nothing."""
    return next((part.partition(":")[0].strip() for part in unread(lots, text)), "")


def unread(lots: Sequence[Fields], text: str) -> Iterator[str]:
    """Yield each number, whole, before whose colon stands what names none of the weapons."""
    for _, part in _parts(text):
        name, colon, _ = part.partition(":")
        if colon and name.strip() and _weapon(lots, name) is None:
            yield part


def on_items(
    lots: Sequence[Fields], numbers: Sequence[Numbered], *, others: bool = False
) -> list[Fields]:
    """Return items of which as many stand alone as there are numbers on them.

    Twelve pistols and three numbers are three pistols with a number and a lot of nine. A number
    of which it is not said on what it is, or with which a weapon would have more numbers than
    there are of it, is an item of its own, which nothing counts; where nothing was found, nor
    ``others`` such as rounds, it is a weapon.
    """
    left = [dict(lot) for lot in lots]
    on, alone = list[Fields](), list[Fields]()
    for text, weapon in numbers:
        gun = _one_of(left, weapon)
        if gun or not (lots or others):
            on.append({**(gun or {"category": "unknown"}), **answers.serial(text)})
        else:
            alone.append({"kind": NUMBER, "category": "unknown", **answers.serial(text)})
    items = [*on, *(lot for lot in left if lot["qty"] > 0), *alone]
    return [{"n": place, **item} for place, item in enumerate(items, 1)]


def names(lots: Sequence[Fields]) -> str:
    """Return the kinds found, as they may be said before a colon."""
    return ", ".join(map(_short, lots)) or "no weapon"


def _short(lot: Fields) -> str:
    named = " ".join(filter(None, (lot.get("make", ""), lot.get("model", ""))))
    alarm = "alarm " if lot.get("kind") == _ALARM else ""
    return named or alarm + str(lot["category"]).replace("_", " ")


def _one_of(left: list[Fields], weapon: int | None) -> Fields:
    """Take one of a lot and return it; nothing where it is not said which, or none is left."""
    if weapon is None or left[weapon]["qty"] < 1:
        return {}
    left[weapon]["qty"] -= 1
    return {name: value for name, value in left[weapon].items() if name != "qty"}


def _read(lots: Sequence[Fields], text: str) -> Iterator[Numbered]:
    weapon, of = None, -1
    for group, part in _parts(text):
        if group != of:  # a semicolon ends what is said of one weapon
            weapon, of = None, group
        name, colon, number = part.partition(":")
        if colon:
            weapon = _weapon(lots, name)
            part = number.strip()
        if part:
            yield Numbered(part, weapon)


def _parts(text: str) -> Iterator[tuple[int, str]]:
    for group, some in enumerate(re.split(r"[;\n]", text)):
        for part in filter(None, map(str.strip, some.split(","))):
            yield group, part


def _meant(key: str, said: dict[str, Numbered]) -> str:
    """Return the key of the number that is meant: a part of one does, if it is of no other."""
    if key in said or len(key) < _LEAST:
        return key
    found = [known for known in said if key in known]
    return found[0] if len(found) == 1 else key


def _weapon(lots: Sequence[Fields], name: str) -> int | None:
    """Return which of the weapons a name means: its own name, a part of it, or its kind."""
    whole = arsenal.lettered(name)
    named = [n for n, lot in enumerate(lots) if whole and _is_called(lot, whole)]
    if named or not whole:
        return _only(named)
    first, _, rest = name.strip().partition(" ")
    alarm = lexicon.means(first, "alarm")
    wanted = answers.gun(lexicon.kind_first(rest if alarm else name.strip()))
    short = arsenal.lettered(f"{wanted.get('make', '')}{wanted.get('model', '')}")
    of_kind = [n for n, lot in enumerate(lots) if _is_of_kind(lot, wanted, alarm=alarm)]
    if not short:
        return _only([n for n in of_kind if _is_plain(lots[n], alarm=alarm)] or of_kind)
    called = [n for n in of_kind if _is_called(lots[n], short)]
    return _only(called or [n for n in of_kind if _is_partly_called(lots[n], short)])


def _only(found: Sequence[int]) -> int | None:
    return found[0] if len(found) == 1 else None


def _is_of_kind(lot: Fields, wanted: Fields, *, alarm: bool) -> bool:
    """Tell whether a lot is of the kind that was said; a name alone may be of any."""
    any_kind = wanted["category"] == "unknown" and "make" in wanted
    return (any_kind or lot["category"] == wanted["category"]) and (
        not alarm or lot.get("kind") == _ALARM
    )


def _is_plain(lot: Fields, *, alarm: bool) -> bool:
    """Tell whether a lot has no name, and is what its kind means where "alarm" is not said."""
    return not lot.keys() & {"make", "model"} and (alarm or "kind" not in lot)


def _is_called(lot: Fields, short: str) -> bool:
    make, model = (arsenal.lettered(lot.get(part, "")) for part in ("make", "model"))
    return short in (make, model, make + model)


def _is_partly_called(lot: Fields, short: str) -> bool:
    return len(short) >= _LEAST and short in arsenal.lettered(
        f"{lot.get('make', '')}{lot.get('model', '')}"
    )
