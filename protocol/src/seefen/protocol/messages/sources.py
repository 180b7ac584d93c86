"""Where each code of our own tables comes from, or ``memory``: nobody has looked it up.

What a table says of the world was looked up, or it was not; what it says of this network
(who answers what, which move is made) is a word of this project and true by being agreed.
Codes that a node adopted have sources of their own.
"""

from typing import Final

from seefen.protocol.messages.arms import ARMS
from seefen.protocol.messages.codes import TABLES
from seefen.protocol.messages.countries import HISTORIC

MEMORY: Final = "memory"
OURS: Final = "this project"
_ISO: Final = "ISO 3166-1; name: tz iso3166.tab"
# Words that this network agreed on. Each other table is of the world, and from memory.
_OURS: Final = frozenset({
    "urgency", "urgency_reason", "purpose", "asked", "answer", "cause", "act", "claim",
    "file_role", "confidence", "trust", "exactness", "disclosed", "form", "status", "ask", "use",
    "question", "outcome", "medium", "info", "info_kind", "matched_by", "delivery", "grant",
    "subject", "wrong", "recall_reason", "erased", "decision", "delay", "closing", "usefulness",
    "node_state", "tally", "lab_ask",
})  # fmt: skip
_ROWS: Final[dict[str, dict[str, str]]] = {
    "arm": {arm.code: arm.source for arm in ARMS},
    "country": {**dict.fromkeys(HISTORIC, "ISO 3166-3"), "XK": MEMORY},
}


def source(table: str, code: str) -> str:
    """Return where a code of our own tables comes from.

    Raises:
        KeyError: There is no such table, or no such code in it.
    """
    TABLES[table][code]
    if table in _OURS:
        return OURS
    return _ROWS.get(table, {}).get(code, _ISO if table == "country" else MEMORY)
