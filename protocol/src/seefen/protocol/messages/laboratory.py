"""Coded values of laboratories, incidents and notices, with their labels in English.

A candidate of a search is never called a hit: what two examiners have confirmed has a
code of its own.
"""

from typing import Final, TypeAlias

Codes: TypeAlias = dict[str, str]

_OPEN: Final[Codes] = {"other": "other", "unknown": "unknown"}

TRACE_KIND: Final[Codes] = {
    "cartridge_case": "cartridge case",
    "bullet": "bullet",
    "fragment": "fragment",
    "shot_wad": "shot wad",
    "test_fire": "test fire",
}
MATERIAL: Final[Codes] = {
    "brass": "brass",
    "steel": "steel",
    "lacquered_steel": "lacquered steel",
    "nickel": "nickel",
    "lead": "lead",
    "jacketed": "jacketed",
    **_OPEN,
}
FIRING_PIN: Final[Codes] = {
    "round": "round firing pin",
    "rectangular": "rectangular firing pin",
    "elliptical": "elliptical firing pin",
    "unknown": "firing pin not seen",
}
BREECH_FACE: Final[Codes] = {
    "parallel": "parallel breech-face marks",
    "arched": "arched breech-face marks",
    "granular": "granular breech-face marks",
    "smooth": "smooth breech face",
    "circular": "circular breech-face marks",
    "unknown": "breech face not seen",
}
TWIST: Final[Codes] = {"left": "left twist", "right": "right twist", "unknown": "twist not seen"}
SYSTEM: Final[Codes] = {
    "ibis": "IBIS",
    "evofinder": "Evofinder",
    "alias": "ALIAS",
    "arsenal": "Arsenal",
    "microscope": "comparison microscope",
    "none": "no system",
    "other": "another system",
}
SURFACE_KIND: Final[Codes] = {
    "surface": "surface",
    "profile": "profile",
    "point_cloud": "point cloud",
}
SURFACE_SUMS: Final[Codes] = {
    "match": "MD5 list matches",
    "main_differs": "MD5 list does not match main.xml",
    "data_differs": "MD5 list does not match the measured data",
    "both_differ": "MD5 list matches neither main.xml nor the measured data",
    "none": "no MD5 list in it",
    "unreadable": "no readable X3P",
}
LAB_ASK: Final[Codes] = {
    "database_search": "database search",
    "image_opinion": "opinion on images",
    "casts_exchange": "exchange of casts",
    "joint_exam": "joint examination",
    "test_fire": "test fire",
}
LAB_LEVEL: Final[Codes] = {
    "not_searched": "not searched",
    "searched_no_candidate": "searched, no candidate",
    "candidate_for_review": "candidate for review, not confirmed",
    "confirmed": "confirmed by examiners",
    "eliminated": "eliminated",
    "unsuitable": "unsuitable for comparison",
}
LAB_SCALE: Final[Codes] = {
    "categorical": "categorical conclusion",
    "likelihood_ratio": "likelihood ratio",
    "other": "another scale",
}
INCIDENT: Final[Codes] = {
    "shooting": "shooting",
    "murder": "murder",
    "suicide": "suicide",
    "accident": "accident",
    "domestic_violence": "domestic violence",
    "public_dispute": "public dispute",
    "robbery": "robbery",
    "threat": "threat",
    "celebratory": "celebratory fire",
    "organised_crime": "organised crime",
    "seizure": "seizure",
    "other": "another incident",
}
AGE: Final[Codes] = {
    "0-14": "0 to 14",
    "15-17": "15 to 17",
    "18-24": "18 to 24",
    "25-34": "25 to 34",
    "35-44": "35 to 44",
    "45-60": "45 to 60",
    "61+": "61 and older",
    "unknown": "age not known",
}
FATE: Final[Codes] = {
    "killed": "killed",
    "injured": "injured",
    "unharmed": "unharmed",
    "arrested": "arrested",
    "at_large": "at large",
    "suicide": "died by suicide",
    "unknown": "not known",
}
RELATION: Final[Codes] = {
    "partner": "partner",
    "family": "family",
    "acquaintance": "acquaintance",
    "stranger": "stranger",
    "police": "police officer",
    "unknown": "not known",
}
INCIDENT_FLAG: Final[Codes] = {
    "domestic_violence": "domestic violence",
    "school": "at a school",
    "public_official": "public official",
    "on_duty_weapon": "on-duty weapon",
    "mass_shooting": "mass shooting, four or more",
    "media": "in the media",
}
NOTICE: Final[Codes] = {
    "lost": "lost",
    "stolen": "stolen",
    "trafficked": "trafficked",
    "smuggled": "smuggled",
    "recovered": "recovered",
    "withdrawn": "withdrawn",
}
OWNER_TYPE: Final[Codes] = {
    "state": "owned by a state body",
    "dealer": "owned by a dealer",
    "company": "owned by a company",
    "private": "privately owned",
    "unknown": "owner not known",
}

LABORATORY: Final[dict[str, Codes]] = {
    "trace_kind": TRACE_KIND,
    "material": MATERIAL,
    "firing_pin": FIRING_PIN,
    "breech_face": BREECH_FACE,
    "twist": TWIST,
    "system": SYSTEM,
    "surface_kind": SURFACE_KIND,
    "surface_sums": SURFACE_SUMS,
    "lab_ask": LAB_ASK,
    "lab_level": LAB_LEVEL,
    "lab_scale": LAB_SCALE,
    "incident": INCIDENT,
    "age": AGE,
    "fate": FATE,
    "relation": RELATION,
    "incident_flag": INCIDENT_FLAG,
    "notice": NOTICE,
    "owner_type": OWNER_TYPE,
}
