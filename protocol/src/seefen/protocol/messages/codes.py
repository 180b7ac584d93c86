"""Coded values that say how a message may be used, with their labels in English.

A code means the same in every language; a label is only its English face. A reader meets
codes that are newer than it is: it shows them as unknown and keeps them. A writer uses
codes from these tables and no others. What is found is in ``vocabulary.py``, where and
how in ``circumstances.py``, what laboratories say in ``laboratory.py``, what nodes ask
and grant in ``dealings.py``, and makes and models in ``arms.py``.
"""

from typing import Final, TypeAlias

from seefen.protocol.messages.arms import ARM
from seefen.protocol.messages.circumstances import CIRCUMSTANCES
from seefen.protocol.messages.countries import COUNTRY
from seefen.protocol.messages.dealings import DEALINGS
from seefen.protocol.messages.laboratory import LABORATORY
from seefen.protocol.messages.vocabulary import THINGS

Codes: TypeAlias = dict[str, str]

URGENCY: Final[Codes] = {
    "FLASH": "life in danger, or the consignment is still moving",
    "URGENT": "answer first; a reason is given",
    "NORMAL": "in the usual time",
    "ROUTINE": "when there is time",
}
URGENCY_REASON: Final[Codes] = {
    "fresh_seizure": "seized within the last hours",
    "moving": "the consignment or an accomplice is still moving",
    "life": "danger to life",
    "detention": "a detention ends soon",
    "evidence": "evidence is about to be lost",
    "court": "a court has set a date",
    "other": "another reason, see the text",
}
HANDLING: Final[Codes] = {
    "H0": "Only for preventing and combating crime.",
    "H1": "Not to be used in judicial proceedings without permission of the provider.",
    "H2": "Not to be passed on without permission of the provider.",
    "H3": "Other restrictions: see the conditions.",
}
# The labels of TLP 2.0 are the codes: FIRST wants them in English and spelled exactly so.
TLP: Final[Codes] = {
    "TLP:RED": "For the named recipients only.",
    "TLP:AMBER+STRICT": "Need to know, within the recipient's organisation only.",
    "TLP:AMBER": "Need to know, within the recipient's organisation and its clients.",
    "TLP:GREEN": "Within the community: the admitted nodes of this network.",
    "TLP:CLEAR": "No limit.",
}
SOURCE_EVAL: Final[Codes] = {
    "A": "no doubt about the source, or always reliable",
    "B": "mostly reliable",
    "C": "mostly unreliable",
    "X": "cannot be assessed",
}
INFO_EVAL: Final[Codes] = {
    "1": "not in doubt",
    "2": "known personally to the source, not to the official who passes it on",
    "3": "not known personally to the source, but corroborated",
    "4": "not known personally to the source, and cannot be corroborated",
}
PURPOSE: Final[Codes] = {
    "detection": "detection of an offence",
    "trace": "tracing of a firearm",
    "investigation": "criminal investigation",
    "border-control": "border control",
    "laboratory": "work of a laboratory",
    "prosecution": "prosecution",
    "analysis": "analysis",
    "audit": "audit",
}
BASIS: Final[Codes] = {
    "pcc-see": "Police Cooperation Convention for Southeast Europe",
    "un-iti": "International Tracing Instrument",
    "un-firearms-protocol": "UN Firearms Protocol, article 12",
    "untoc-20": "UN Convention against Transnational Organized Crime, article 20",
    "bilateral": "bilateral agreement",
    "national-law": "national law",
}
OFFENCE: Final[Codes] = {
    "trafficking": "trafficking in firearms",
    "possession": "illegal possession",
    "manufacture": "illegal manufacture or conversion",
    "marking": "removing or altering markings",
    "drug_trafficking": "trafficking in drugs",
    "organised_crime": "organised crime",
    "terrorism": "terrorism",
    "homicide": "homicide or attempted homicide",
    "robbery": "robbery",
    "domestic_violence": "domestic violence",
    "hunting": "hunting offence",
    "other": "another offence, see the text",
    "unknown": "not yet known",
}
LANG: Final[Codes] = {
    "bs": "Bosnian",
    "cnr": "Montenegrin",
    "en": "English",
    "hr": "Croatian",
    "mk": "Macedonian",
    "ro": "Romanian",
    "sq": "Albanian",
    "sr": "Serbian",
    "uk": "Ukrainian",
    "bg": "Bulgarian",
    "de": "German",
    "tr": "Turkish",
}
SCRIPT: Final[Codes] = {"Latn": "Latin", "Cyrl": "Cyrillic", "Grek": "Greek"}
CHANNEL: Final[Codes] = {
    "national_registry": "national registry",
    "iarms": "INTERPOL iARMS",
    "i247": "INTERPOL I-24/7",
    "siena": "Europol SIENA",
    "sis": "Schengen Information System",
    "selec": "SELEC",
    "etrace": "eTrace",
    "manufacturer": "manufacturer",
    "liaison": "liaison officer",
    "other": "another channel",
}
ASKED: Final[Codes] = {"yes": "asked", "no": "not asked", "unknown": "not known whether asked"}
ANSWER: Final[Codes] = {
    "taken": "taken",
    "passed_on": "passed on",
    "not_ours": "not ours",
    "rejected": "rejected",
}
CAUSE: Final[Codes] = {
    "duplicate": "received before",
    "incomplete": "something needed is missing",
    "unreadable": "cannot be read",
    "not_permitted": "the law here does not permit it",
    "conditions": "the conditions cannot be kept",
    "other": "another cause, see the text",
}
ACT: Final[Codes] = {
    "query": "asks back",
    "clarify": "clarifies",
    "interim": "interim news",
    "answer": "answers",
    "withdraw": "withdraws",
    "close": "closes",
}
PERSON_CATEGORY: Final[Codes] = {
    "suspect": "suspect",
    "convicted": "convicted",
    "victim": "victim",
    "other": "witness, contact, associate or informant",
    "not_yet_known": "not yet known",
}
PERSON_ROLE: Final[Codes] = {
    "driver": "driver",
    "passenger": "passenger",
    "owner": "owner",
    "sender": "sender",
    "addressee": "addressee",
    "courier": "courier",
    "broker": "broker",
    "possessor": "possessor",
    "converter": "converter",
    "manufacturer": "manufacturer",
    "other": "other",
    "unknown": "not known",
}
NAME_KIND: Final[Codes] = {
    "real": "real name",
    "alias": "alias",
    "patronymic": "patronymic",
    "maiden": "maiden name",
    "unknown": "not known which",
}
SCHEME: Final[Codes] = {
    "original": "as written",
    "icao-9303": "ICAO 9303",
    "serbian": "Serbian",
    "macedonian": "Macedonian",
    "kmu-55": "Ukraine, resolution 55",
}
SEX: Final[Codes] = {"f": "female", "m": "male", "other": "other", "unknown": "not known"}
CLAIM: Final[Codes] = {"fact": "fact", "assessment": "assessment"}
CAUTION: Final[Codes] = {
    "armed": "armed",
    "violent": "violent",
    "infectious": "infectious",
    "self_harm": "may harm himself",
}
FILE_ROLE: Final[Codes] = {
    "left_view": "left side",
    "right_view": "right side",
    "serial_closeup": "serial number close-up",
    "photograph": "photograph",
    "preview": "preview",
    "proof_marks": "proof marks",
    "magazine": "magazine",
    "bore": "bore",
    "scene": "place or vehicle",
    "concealment": "place of concealment",
    "packaging": "packaging",
    "headstamp": "headstamp",
    "breech_face": "breech face",
    "surface_scan": "surface scan",
    "register_extract": "register extract",
    "document": "document",
    "other": "other file",
}

TABLES: Final[dict[str, Codes]] = {
    "urgency": URGENCY,
    "urgency_reason": URGENCY_REASON,
    "handling": HANDLING,
    "tlp": TLP,
    "source_eval": SOURCE_EVAL,
    "info_eval": INFO_EVAL,
    "purpose": PURPOSE,
    "basis": BASIS,
    "offence": OFFENCE,
    "lang": LANG,
    "script": SCRIPT,
    "channel": CHANNEL,
    "asked": ASKED,
    "answer": ANSWER,
    "cause": CAUSE,
    "act": ACT,
    "person_category": PERSON_CATEGORY,
    "person_role": PERSON_ROLE,
    "name_kind": NAME_KIND,
    "scheme": SCHEME,
    "sex": SEX,
    "claim": CLAIM,
    "caution": CAUTION,
    "file_role": FILE_ROLE,
    "arm": ARM,
    "country": COUNTRY,
    **THINGS,
    **CIRCUMSTANCES,
    **LABORATORY,
    **DEALINGS,
}

# Lists of things and places, in which no program decides anything by a code: they may grow.
GROWING: Final = (
    "arm", "calibre", "crossing", "category", "part", "explosive", "projectile", "conversion",
    "marking_kind", "technical_state", "setting", "transport", "concealment", "detection",
    "context", "offence", "subject", "system", "tally",
)  # fmt: skip

_STATES: Final = ("fate", "court")  # who is counted here stays "2 injured"


def label(table: str, code: str) -> str:
    """Return the English label of a code.

    A code that is not in the table is never shown as it stands: a cover made by a hostile
    client could carry a name or a serial number as a code.
    """
    if table not in TABLES:
        return "unknown"
    return TABLES[table].get(code, f"unknown {table.replace('_', ' ')}")


def counted(table: str, code: str, n: int) -> str:
    """Return ``1 pistol``, ``12 pistols``; for 0 the label alone."""
    text = label(table, code)
    if n == 0:
        return text
    is_thing = table not in _STATES and code in TABLES.get(table, {})
    thing, of, kind = text.partition(" of ")  # "3 weapons of unknown kind"
    is_plural = n > 1 and is_thing and not thing.endswith("s")
    return f"{n} {thing}s{of}{kind}" if is_plural else f"{n} {text}"
