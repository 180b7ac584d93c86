"""Coded values for weapons, ammunition, explosives and parts, with their labels in English.

Labels of what is counted are in the singular and take an ``s``.
"""

from typing import Final, TypeAlias

Codes: TypeAlias = dict[str, str]

_OPEN: Final[Codes] = {"other": "other", "unknown": "unknown"}

OBJECT_KIND: Final[Codes] = {
    "firearm": "firearm",
    "essential_component": "essential component",
    "alarm_signal": "alarm or signal weapon",
    "deactivated": "deactivated firearm",
    "air_co2": "air or CO2 weapon",
    "replica": "replica",
    "accessory": "accessory",
    **_OPEN,
}
CATEGORY: Final[Codes] = {
    "pistol": "pistol",
    "revolver": "revolver",
    "single_shot_pistol": "single-shot pistol",
    "submachine_gun": "sub-machine gun",
    "rifle": "rifle",
    "carbine": "carbine",
    "assault_rifle": "assault rifle",
    "shotgun": "shotgun",
    "combination": "combination gun",
    "light_machine_gun": "light machine gun",
    "heavy_machine_gun": "heavy machine gun",
    "grenade_launcher": "grenade launcher",
    "recoilless": "recoilless gun",
    "anti_tank_launcher": "anti-tank launcher",
    "manpads": "portable air-defence system",
    "mortar": "mortar",
    "disguised": "disguised firearm",
    "craft": "craft-made firearm",
    "other": "other weapon",
    "unknown": "weapon of unknown kind",
}
CALIBRE: Final[Codes] = {  # C.I.P. designations
    "7.62x25": "7,62 x 25 Tok.",
    "7.62x39": "7,62 x 39",
    "7.62x54r": "7,62 x 54 R",
    "7.62x51": "7,62 x 51",
    "5.45x39": "5,45 x 39",
    "5.56x45": "5,56 x 45",
    "7.9x57": "7,92 x 57",
    "9x19": "9 mm Luger",
    "9x18": "9 mm Makarov",
    "9x17": "9 mm Browning court",
    "9pak": "9 mm P.A. Knall",
    "8pak": "8 mm P.A. Knall",
    "7.65br": "7,65 Browning",
    "6.35br": "6,35 Browning",
    ".45acp": ".45 Auto",
    ".38spl": ".38 Special",
    ".357mag": ".357 Magnum",
    ".22lr": ".22 L.R.",
    "6flobert": "6 mm Flobert",
    "12-70": "12/70",
    "16-70": "16/70",
    "14.5x114": "14,5 x 114",
    "12.7x108": "12,7 x 108",
    "other": "other calibre",
    "unknown": "calibre unknown",
}
CONFIDENCE: Final[Codes] = {"sure": "sure", "likely": "likely", "guess": "a guess"}
TRUST: Final[Codes] = {"low": "low", "moderate": "moderate", "high": "high"}
SERIAL_STATE: Final[Codes] = {
    "present": "present",
    "absent": "absent",
    "obliterated": "obliterated",
    "partly": "partly readable",
    "restored": "restored",
    "altered": "altered or overstamped",
    "duplicate_suspected": "suspected duplicate",
    "never_numbered": "never had a number",
    "not_examined": "not examined yet",
}
MARKING_KIND: Final[Codes] = {
    "manufacturer": "manufacturer's mark",
    "country": "country mark",
    "proof": "proof mark",
    "import": "import mark",
    "property": "property mark",
    "unit": "unit mark",
    "conversion": "conversion mark",
    "deactivation": "deactivation mark",
    "other": "other mark",
}
GUN_PLACE: Final[Codes] = {
    "frame": "frame",
    "receiver": "receiver",
    "slide": "slide",
    "barrel": "barrel",
    "bolt": "bolt",
    "cylinder": "cylinder",
    "magazine": "magazine",
    **_OPEN,
}
TECHNICAL_STATE: Final[Codes] = {
    "original": "original",
    "converted_from_alarm": "converted from alarm weapon",
    "converted_calibre": "converted to another calibre",
    "reactivated": "reactivated",
    "deactivated": "deactivated",
    "auto_converted": "converted to automatic fire",
    "shortened": "shortened",
    "hybrid": "assembled from parts",
    "printed": "3D-printed",
    "craft": "craft-made",
    "replica": "replica",
    "unknown": "not examined",
}
CONVERSION: Final[Codes] = {
    "barrel_replaced": "barrel replaced",
    "blockage_drilled": "blockage drilled out",
    "sleeve": "barrel sleeved",
    "frame": "frame altered",
    **_OPEN,
}
FUNCTIONAL: Final[Codes] = {
    "fires": "fires",
    "test_fired": "test-fired",
    "not_firing": "does not fire",
    "not_examined": "not examined",
}
LEGAL_STATUS: Final[Codes] = {
    "registered_here": "registered here",
    "lost": "lost",
    "stolen": "stolen",
    "never_registered": "never registered",
    "state_owned": "owned by a state",
    "unknown": "not known",
}
UNIT: Final[Codes] = {
    "round": "round",
    "box": "cartridge pack",
    "crate": "crate",
    "kg": "kg of rounds",
}
PROJECTILE: Final[Codes] = {
    "fmj": "full metal jacket",
    "sp": "soft point",
    "hp": "hollow point",
    "ap": "armour piercing",
    "tracer": "tracer",
    "incendiary": "incendiary",
    "shot": "shot",
    "slug": "slug",
    "blank": "blank",
    "gas": "gas or irritant",
    "converted_blank": "converted blank",
    "handload": "handload",
    **_OPEN,
}
EXPLOSIVE: Final[Codes] = {
    "hand_grenade": "hand grenade",
    "rifle_grenade": "rifle grenade",
    "launcher_round": "launcher round",
    "mine_ap": "anti-personnel mine",
    "mine_at": "anti-tank mine",
    "tnt": "TNT charge",
    "plastic": "plastic explosive charge",
    "dynamite": "dynamite stick",
    "detonator": "detonator",
    "fuse": "fuse",
    "ied": "improvised device",
    "pyrotechnic": "pyrotechnic article",
    "other": "other explosive article",
}
EXPLOSIVE_STATE: Final[Codes] = {
    "safe": "safe",
    "unsafe": "unsafe",
    "rendered_safe": "rendered safe",
    "unknown": "unknown",
}
PART: Final[Codes] = {
    "barrel": "barrel",
    "frame": "frame",
    "receiver": "receiver",
    "slide": "slide",
    "bolt": "bolt",
    "cylinder": "cylinder",
    "auto_sear": "auto-sear",
    "magazine": "magazine",
    "suppressor": "suppressor",
    "unfinished_receiver": "unfinished receiver",
    "printer": "3D printer",
    "digital_file": "digital file",
    "other": "other part",
}
THINGS: Final[dict[str, Codes]] = {
    "object_kind": OBJECT_KIND,
    "category": CATEGORY,
    "calibre": CALIBRE,
    "confidence": CONFIDENCE,
    "trust": TRUST,
    "serial_state": SERIAL_STATE,
    "marking_kind": MARKING_KIND,
    "gun_place": GUN_PLACE,
    "technical_state": TECHNICAL_STATE,
    "conversion": CONVERSION,
    "functional": FUNCTIONAL,
    "legal_status": LEGAL_STATUS,
    "unit": UNIT,
    "projectile": PROJECTILE,
    "explosive": EXPLOSIVE,
    "explosive_state": EXPLOSIVE_STATE,
    "part": PART,
}
