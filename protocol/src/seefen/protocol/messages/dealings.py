"""Coded values of what nodes ask, grant and tell each other, with their labels in English."""

from typing import Final, TypeAlias

Codes: TypeAlias = dict[str, str]

INFO: Final[Codes] = {
    "full": "full answer",
    "partial": "answered in part",
    "none": "searched, nothing there",
    "refused": "refused",
    "needs_judge": "needs judicial authorisation",
    "need_more": "more is needed",
}
INFO_KIND: Final[Codes] = {
    "person": "about persons",
    "vehicle": "about a vehicle",
    "address": "about an address",
    "company": "about a company",
    "telephone": "about a telephone",
    "shipment": "about a shipment",
    "weapon": "about a weapon",
    "other": "about something else",
}
MATCHED_BY: Final[Codes] = {
    "serial": "by serial number",
    "skeleton": "by similar serial number",
    "ballistic": "by ballistic comparison",
    "person": "by a person",
    "vehicle": "by a vehicle",
    "telephone": "by a telephone",
    "parcel": "by a parcel",
}
EXACTNESS: Final[Codes] = {"exact": "exact", "partial": "partial", "possible": "possible"}
DISCLOSED: Final[Codes] = {
    "contact_me": "contact us",
    "summary": "summary given",
    "full": "all given",
}
ACTION: Final[Codes] = {
    "none": "no action",
    "contact_first": "contact us before acting",
    "discreet_check": "discreet check",
    "inquiry_check": "inquiry check",
    "specific_check": "specific check",
    "seize": "seize under national law",
}
DELIVERY: Final[Codes] = {
    "request": "asks for a controlled delivery",
    "approval": "decides on a controlled delivery",
    "handover": "takes a leg over",
    "abort": "aborts",
    "result": "gives the result",
}
CONSIGNMENT: Final[Codes] = {
    "real": "consignment as it is",
    "part": "partly substituted",
    "substituted": "substituted",
}
GRANT: Final[Codes] = {
    "granted": "granted",
    "conditions": "granted under conditions",
    "refused": "refused",
    "pending": "not decided yet",
}
GUARANTEE: Final[Codes] = {
    "constant_control": "constant control",
    "seizure_at_end": "seizure at the end",
    "investigation": "couriers and principals are investigated",
    "prosecutor_informed": "the prosecutor is kept informed",
}
SUBJECT: Final[Codes] = {
    "modus_operandi": "modus operandi",
    "conversion": "conversion",
    "printed": "3D-printed weapon",
    "fake_mark": "false proof mark",
    "route": "route",
    "concealment": "concealment",
    "ammunition": "ammunition",
    "other": "another subject",
}
WRONG: Final[Codes] = {
    "misread": "it was misread",
    "mistyped": "it was mistyped",
    "new_facts": "new facts are known",
    "wrong_object": "it was the wrong thing",
    "other": "another reason, see the text",
}
RECALL_REASON: Final[Codes] = {
    "not_permitted": "it should not have been sent",
    "wrong_recipient": "it went to the wrong node",
    "wrong_data": "the data is wrong",
    "retention": "it may not be kept any longer",
    "court": "a court ordered it",
    "other": "another reason, see the text",
}
ERASED: Final[Codes] = {
    "erased": "erased",
    "restricted": "kept as evidence, use restricted",
    "passed_on": "erased here, had been passed on",
}
DECISION: Final[Codes] = {
    "permitted": "permitted",
    "conditions": "permitted under conditions",
    "refused": "refused",
}
DELAY: Final[Codes] = {
    "judge": "a judge must authorise it",
    "paper_register": "the register is on paper",
    "other_body": "another body must answer first",
    "workload": "too much at once",
    "obtainable": "not directly accessible: it must be searched for",
    "other": "another reason, see the text",
}
CLOSING: Final[Codes] = {
    "solved": "solved",
    "aborted": "given up",
    "no_result": "without result",
}
USEFULNESS: Final[Codes] = {
    "0": "of no use",
    "1": "of little use",
    "2": "useful",
    "3": "decisive",
}
COURT: Final[Codes] = {
    "charged": "charged",
    "convicted": "convicted",
    "acquitted": "acquitted",
    "dropped": "proceedings dropped",
}
NODE_STATE: Final[Codes] = {
    "open": "desk open",
    "reduced": "desk answers with delay",
    "closed": "desk closed",
}
TALLY: Final[Codes] = {  # of a joint action day
    "person_check": "person check",
    "vehicle_check": "vehicle check",
    "parcel_check": "parcel check",
    "place_searched": "searched place",
    "firearm": "firearm",
    "weapon_part": "weapon part",
    "round": "round",
    "explosive": "explosive article",
    "arrest": "arrest",
    "new_case": "new case",
}

DEALINGS: Final[dict[str, Codes]] = {
    "info": INFO,
    "info_kind": INFO_KIND,
    "matched_by": MATCHED_BY,
    "exactness": EXACTNESS,
    "disclosed": DISCLOSED,
    "action": ACTION,
    "delivery": DELIVERY,
    "consignment": CONSIGNMENT,
    "grant": GRANT,
    "guarantee": GUARANTEE,
    "subject": SUBJECT,
    "wrong": WRONG,
    "recall_reason": RECALL_REASON,
    "erased": ERASED,
    "decision": DECISION,
    "delay": DELAY,
    "closing": CLOSING,
    "usefulness": USEFULNESS,
    "court": COURT,
    "node_state": NODE_STATE,
    "tally": TALLY,
}
