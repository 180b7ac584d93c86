"""Coded values for where and how it was found, and for what registers say, with their labels.

Places on a border are named by the places on both sides, never by flags.
"""

from typing import Final, TypeAlias

Codes: TypeAlias = dict[str, str]

_OPEN: Final[Codes] = {"other": "other", "unknown": "unknown"}

SETTING: Final[Codes] = {
    "bcp": "border crossing",
    "green_border": "green border",
    "airport": "airport",
    "seaport": "seaport",
    "rail": "railway",
    "customs_terminal": "customs terminal",
    "postal_hub": "postal or courier hub",
    "road_check": "road check",
    "house_search": "house search",
    "public_place": "public place",
    "prison": "prison",
    "military_site": "military site",
    "online": "bought online",
    **_OPEN,
}
CROSSING: Final[Codes] = {  # named by places on both sides, never by flags
    "tabanovce-presevo": "Tabanovce / Preševo",
    "batrovci-bajakovo": "Batrovci / Bajakovo",
    "horgos-roszke": "Horgoš / Röszke",
    "vermice-morine": "Vërmicë / Morinë",
    "hani-i-hotit-bozaj": "Hani i Hotit / Božaj",
    "leuseni-albita": "Leușeni / Albița",
    "palanca-maiaky": "Palanca / Maiaky",
    "deve-bair-gyueshevo": "Deve Bair / Gyueshevo",
    "qafe-thane-kjafasan": "Qafë Thanë / Kjafasan",
    "blace-hani-i-elezit": "Blace / Hani i Elezit",
    "merdare": "Merdare",
    "gostun-dobrakovo": "Gostun / Dobrakovo",
    "raca-sremska-raca": "Rača / Sremska Rača",
    "gradina-kalotina": "Gradina / Kalotina",
    "other": "another crossing",
}
DIRECTION: Final[Codes] = {"out": "leaving", "in": "entering", "unknown": "direction unknown"}
TRANSPORT: Final[Codes] = {
    "car": "car",
    "van": "van",
    "lorry": "lorry",
    "bus": "bus",
    "train": "train",
    "coach_luggage": "coach luggage",
    "boat": "boat",
    "air": "air",
    "parcel": "parcel",
    "on_foot": "on foot",
    "drone": "drone",
    "animal": "animal",
    **_OPEN,
}
CONCEALMENT: Final[Codes] = {
    "spare_wheel": "spare wheel",
    "fuel_tank": "fuel tank",
    "door_void": "door void",
    "rear_panel": "rear panel",
    "panel_void": "panel void",
    "seat": "seat",
    "dashboard": "dashboard",
    "floor": "floor",
    "roof": "roof",
    "cargo": "cover load",
    "luggage": "luggage",
    "body": "on the body",
    "parcel_goods": "goods in a parcel",
    "dismantled": "dismantled over parcels",
    "machine_parts": "among machine parts",
    "false_wall": "false wall",
    "none": "not concealed",
    **_OPEN,
}
DETECTION: Final[Codes] = {
    "profiling": "profiling",
    "tip": "tip or intelligence",
    "routine": "routine check",
    "xray": "X-ray",
    "dog": "dog",
    "scanner": "scanner",
    "open_source": "open source",
    "foreign_alert": "alert from another node",
    **_OPEN,
}
ROUTE_ROLE: Final[Codes] = {
    "origin": "origin",
    "transit": "transit",
    "destination": "intended destination",
}
CONTEXT: Final[Codes] = {
    "trafficking": "trafficking in firearms",
    "drug_trafficking": "trafficking in drugs",
    "migrant_smuggling": "smuggling of migrants",
    "organised_crime": "organised crime",
    "terrorism": "terrorism",
    "domestic_violence": "domestic violence",
    "robbery": "robbery",
    "hunting": "hunting offence",
    "none_known": "none known",
}
STATUS: Final[Codes] = {
    "preliminary": "preliminary",
    "confirmed": "confirmed",
    "corrected": "corrected",
}
ASK: Final[Codes] = {
    "seen_serial": "Has anyone seen these serial numbers?",
    "trace": "A trace will follow.",
    "stop_vehicle": "Stop the vehicle.",
    "watch_route": "Watch the route.",
    "none": "For information.",
}
ILLICIT: Final[Codes] = {
    "found": "found",
    "seized": "seized",
    "surrendered": "surrendered",
    "used_in_crime": "used in a crime",
    "trafficked": "trafficked",
}
USE: Final[Codes] = {"lead": "as a lead", "evidence": "as evidence", "both": "as lead and evidence"}
QUESTION: Final[Codes] = {
    "manufacture": "manufacture",
    "first_sale": "first sale",
    "export": "export, end user",
    "import": "import",
    "last_holder": "last legal holder",
    "lost_stolen": "lost or stolen",
    "history": "deactivation or conversion",
}
OUTCOME: Final[Codes] = {
    "traced_full": "traced",
    "traced_partial": "traced in part",
    "not_traced": "not traced",
    "no_record": "no record",
    "wrong_country": "ask elsewhere",
    "refused": "refused",
    "need_more": "more is needed",
}
MEDIUM: Final[Codes] = {"digital": "digital", "paper": "paper", "both": "digital and paper"}
EVENT: Final[Codes] = {
    "manufactured": "manufactured",
    "exported": "exported",
    "imported": "imported",
    "issued": "issued to a state body",
    "sold": "sold",
    "registered": "registered",
    "transferred": "transferred",
    "lost": "lost",
    "stolen": "stolen",
    "written_off": "written off",
    "deactivated": "deactivated",
    "converted": "converted",
    "destroyed": "destroyed",
}
ACTOR: Final[Codes] = {
    "manufacturer": "manufacturer",
    "dealer": "dealer",
    "army": "army",
    "police": "police",
    "state_body": "state body",
    "company": "company",
    "private": "private owner",
    **_OPEN,
}
DIVERSION: Final[Codes] = {
    "factory": "factory",
    "state_stockpile": "state stockpile",
    "dealer": "dealer",
    "owner": "owner",
    "transit": "transit",
    "post_conflict": "post-conflict",
    "unknown": "not known",
}
REFUSAL: Final[Codes] = {
    "ongoing": "ongoing investigation",
    "confidentiality": "confidentiality",
    "national_security": "national security",
    "no_basis": "no legal basis",
    "other_authority": "another authority must consent",
}
FORM: Final[Codes] = {
    "note": "note",
    "title": "title",
    "file": "file",
    "moving": "still moving",
    "correction": "correction",
    "recall": "recalled",
    "onward": "asks to pass on",
    "codelist": "new code",
}

CIRCUMSTANCES: Final[dict[str, Codes]] = {
    "setting": SETTING,
    "crossing": CROSSING,
    "direction": DIRECTION,
    "transport": TRANSPORT,
    "concealment": CONCEALMENT,
    "detection": DETECTION,
    "route_role": ROUTE_ROLE,
    "context": CONTEXT,
    "status": STATUS,
    "ask": ASK,
    "illicit": ILLICIT,
    "use": USE,
    "question": QUESTION,
    "outcome": OUTCOME,
    "medium": MEDIUM,
    "event": EVENT,
    "actor": ACTOR,
    "diversion": DIVERSION,
    "refusal": REFUSAL,
    "form": FORM,
}
