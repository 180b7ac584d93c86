"""The list of arms, asked by names that officers say: whole ones, models and makes alone."""

import re
from collections.abc import Iterable
from typing import Final

from seefen.client.cli.lexicon import folded
from seefen.protocol.messages import TABLES
from seefen.protocol.messages.arms import ARMS, Arm

# A machine gun and pistols are called so, too: alone they name no grenade.
_SHARED: Final = frozenset(("m60", "m52", "f1"))


def arm(name: str, category: str, calibre: str) -> Arm | None:
    """Return the one weapon of the list that a name stands for, or nothing.

    A converted weapon has another calibre than it was made in, so a calibre chooses between
    rows of one name and never excludes the only one.
    """
    wanted = lettered(name)
    found = [
        arm
        for arm in ARMS
        if arm.category and wanted in map(lettered, (str(arm), *arm.also))
        if category in ("", "unknown", arm.category)
    ]
    if len(found) > 1:
        found = [arm for arm in found if arm.calibre == calibre]
    return found[0] if len(found) == 1 else None


def makers(arm: Arm, words: list[str]) -> int:
    """Return how many words are the make; one where the row is called by another name."""
    make = arm.make.split()
    named = lettered(" ".join(words[: len(make)])) == lettered(arm.make)
    return len(make) if named else 1


def article(name: str, kind: str = "") -> Arm | None:
    """Return the grenade, mine or part that a name stands for, in the plural as well.

    ``kind`` is what it was called beside its name; without it a name that weapons share is none.
    """
    wanted = lettered(name)
    for row in ARMS:
        own = lettered(str(row))
        if row.category or not wanted or wanted not in (own, f"{own}s", f"{own}es"):
            continue
        if kind == row.kind or not (kind or own in _SHARED):
            return row
    return None


def table(article: Arm) -> str:
    """Return the table of what is no weapon: ``explosive`` or ``part``."""
    return "part" if article.kind in TABLES["part"] else "explosive"


def category_of_model(name: str) -> str:
    """Return the category of all weapons of the list whose model a name may be, if it is one."""
    wanted = lettered(name)
    return _one(
        arm.category
        for arm in ARMS
        for known in (str(arm), *arm.also)
        if wanted in (lettered(known), lettered(known.removeprefix(arm.make)))
    )


def category_of_make(name: str) -> str:
    """Return the category of all weapons of a maker; one row would tell too little of him."""
    wanted = lettered(name)
    kinds = [arm.category for arm in ARMS if wanted and lettered(arm.make) == wanted]
    return _one(kinds) if len(kinds) > 1 else ""


def is_make(name: str) -> bool:
    """Tell whether a weapon of the list is of this make."""
    return bool(name) and any(lettered(arm.make) == lettered(name) for arm in ARMS)


def _one(kinds: Iterable[str]) -> str:
    found = set(kinds)
    return found.pop() if len(found) == 1 else ""


def lettered(text: str) -> str:
    """Return letters and digits alone: ``M 59/66`` and ``m59-66`` are one model."""
    return re.sub(r"[\W_]+", "", folded(text))
