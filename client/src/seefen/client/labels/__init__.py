"""Labels of codes in the languages of the region, for screens alone.

What is sealed holds codes, and ``--json`` the English words: a label is only a face. Where
a language has no label, the English one stands. Names of calibres, crossings, makes and
models are names in every language, and TLP is English everywhere, as FIRST wants it.

Each language says whether somebody who speaks it has read it: see :func:`is_draft`.
"""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Final, cast

from seefen.client.labels.cyrillic import cyrillic
from seefen.protocol.messages import Cover, Said
from seefen.protocol.messages import label as english
from seefen.protocol.messages.cover import EXERCISE, SUBJECT_LIMIT

ENGLISH: Final = "en"
CYRILLIC: Final = "sr-Cyrl"  # made from ``sr`` letter by letter
LANGUAGES: Final = {
    "en": "English",
    "sq": "Albanian",
    "sr": "Bosnian, Croatian, Montenegrin, Serbian",
    "sr-Cyrl": "Serbian in Cyrillic",
    "mk": "Macedonian",
    "ro": "Romanian",
    "uk": "Ukrainian",
}
MACHINE_DRAFT: Final = "machine draft"
NAMES: Final = (
    "tlp",
    "arm",
    "calibre",
    "crossing",
    "country",
)  # tables of names: most stay as they are
_SAME: Final = {"sr-latn": "sr", "bs": "sr", "hr": "sr", "cnr": "sr"}


def language(text: str) -> str:
    """Return the language that a setting names, ``bs`` or ``sr_Latn`` as well, or nothing."""
    wanted = text.strip().lower().replace("_", "-")
    known = {name.lower(): name for name in LANGUAGES}
    return known.get(_SAME.get(wanted, wanted), "")


def label(lang: str, table: str, code: str) -> str:
    """Return the label of a code in a language, in English where there is none.

    A code that is not in the table is never shown as it stands, in no language.
    """
    text = _labels(_written(lang)).get(table, {}).get(code)
    if text is None:
        return english(table, code)
    return cyrillic(text) if lang == CYRILLIC else text


def is_draft(lang: str) -> bool:
    """Say whether the labels of a language were written by a machine and read by nobody."""
    return lang != ENGLISH and getattr(_module(_written(lang)), "STATUS", "") != "reviewed"


def mark(lang: str, table: str, code: str) -> str:
    """Return what the words of one code are: ``machine draft``, who read them, or ``English``."""
    if _labels(_written(lang)).get(table, {}).get(code) is None:
        return LANGUAGES[ENGLISH]
    return MACHINE_DRAFT if is_draft(lang) else reviewer(lang)


def reviewer(lang: str) -> str:
    """Return who answers for the labels of a language; nothing while they are a draft."""
    if lang == ENGLISH:
        return ""
    return cast("str", getattr(_module(_written(lang)), "REVIEWER", ""))


def subject_in(lang: str, cover: Cover) -> str:
    """Return the subject of a cover in a language: whole parts, without plurals.

    EXERCISE stays as it is: it is one word in the whole network.
    """
    if lang == ENGLISH:
        return cover.subject
    text = EXERCISE if cover.exercise else ""
    for said in cover.what:
        longer = ", ".join(filter(None, (text, _counted(lang, said))))
        if len(longer) > SUBJECT_LIMIT - 3:
            return f"{text}, …"
        text = longer
    return text


def _counted(lang: str, said: Said) -> str:
    text = label(lang, said.table, said.code)
    return f"{said.n} \u00d7 {text}" if said.n else text


def _written(lang: str) -> str:
    return "sr" if lang == CYRILLIC else lang


@cache
def _labels(lang: str) -> Mapping[str, Mapping[str, str]]:
    empty: Mapping[str, Mapping[str, str]] = {}
    if lang == ENGLISH:
        return empty
    return cast("Mapping[str, Mapping[str, str]]", getattr(_module(lang), "LABELS", empty))


def _module(lang: str) -> object:
    """Return the module of a language; only the one that is wanted is loaded.

    Raises:
        ValueError: There is no such language.
    """
    if lang == ENGLISH or lang not in LANGUAGES:
        raise ValueError(f"there are no labels in {lang}")
    return import_module(f"{__name__}.{lang}")
