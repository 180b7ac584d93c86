"""Codes with their sentences: an H-code or an answer never stands alone on a screen."""

from typing import Final

from seefen.client.findings import without_quorum
from seefen.client.labels import ENGLISH, label
from seefen.protocol.messages import TABLES

# Short enough for a line; the whole sentence stands where the body is shown.
SHORT_HANDLING: Final = {
    "H0": "only against crime",
    "H1": "not in court without permission",
    "H2": "ask before sharing",
    "H3": "own restrictions, see conditions",
}
TYPES: Final = {
    "ActionDay": "joint action day",
    "ActionReport": "closing report",
    "Answer": "answer",
    "BallisticRequest": "ballistic request",
    "BallisticResult": "ballistic result",
    "Bulletin": "bulletin",
    "CaseTitle": "title",
    "Closing": "closing",
    "CodelistUpdate": "code list update",
    "ControlledDelivery": "controlled delivery",
    "Correction": "correction",
    "CourtOutcome": "outcome in court",
    "EmergencyAsk": "question in an emergency",
    "EmergencyOpened": "opened in an emergency",
    "EmergencyRefused": "emergency refused",
    "ErasureConfirm": "erasure confirmed",
    "Extension": "more time",
    "FileNote": "file",
    "FirearmNotice": "firearm notice",
    "Flash": "it rings",
    "Handover": "hand-over of the watch",
    "Forwarded": "forwarded message",
    "HitNotice": "hit notice",
    "IncidentReport": "incident report",
    "InfoReply": "information reply",
    "InfoRequest": "information request",
    "NodeStatus": "node card",
    "Note": "note",
    "OnwardDecision": "decision on forwarding",
    "OnwardRequest": "request to forward",
    "PairPolicy": "pair policy",
    "Presets": "presets",
    "Recall": "recall",
    "Roster": "roster",
    "SeizureAlert": "seizure alert",
    "Tally": "tally",
    "TraceReply": "trace reply",
    "TraceRequest": "trace request",
}
LEFT_OUT: Final = {
    "suspended": "suspended by the network",
    "expired": "its certificate has run out",
    "unusable-key": "its key does not encrypt",
    "no-holder": "no device of it could read this",
}
ONE_WITNESS: Final = "one witness in the quorum: it and the broker together can split views"


def short_handling(code: str) -> str:
    """Return a handling code with a few words."""
    return f"{code}, {SHORT_HANDLING[code]}" if code in SHORT_HANDLING else code


def handling(code: str, lang: str = ENGLISH) -> str:
    """Return a handling code with its sentence."""
    return f"{code}: {label(lang, 'handling', code)}" if code in TABLES["handling"] else code


def evaluation(code: str, lang: str = ENGLISH) -> str:
    """Return a 4x4 evaluation with its sentences: ``B3``."""
    source, info = code[:1], code[1:]
    if source not in TABLES["source_eval"] or info not in TABLES["info_eval"]:
        return code
    about = label(lang, "source_eval", source)
    return f"{code}: source {about}; information {label(lang, 'info_eval', info)}"


def answer(code: str) -> str:
    """Return what a person answered, in words."""
    return TABLES["answer"].get(code, code.replace("_", " "))


def message_type(name: str) -> str:
    """Return the type of a message in words."""
    return TYPES.get(name, name)


def left_out(reason: str) -> str:
    """Return why a node or device got no key."""
    return LEFT_OUT.get(reason, reason)


def quorum(size: int, named: int) -> str:
    """Return what stands behind a verdict; ``named`` are the witnesses of the root."""
    if size == 0:
        return without_quorum(named)
    return f"{size} witnesses must sign" if size > 1 else ONE_WITNESS
