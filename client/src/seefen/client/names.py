"""File names from other people, made safe for this machine (attack 48)."""

import re
import unicodedata
from typing import Final

LIMIT: Final = 120  # bytes
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_FORBIDDEN: Final = re.compile(r'[/\\:*?"<>|]')


def safe_name(name: str) -> str:
    """Return a name that stays in its folder and says what it is on every system."""
    visible = "".join(
        c
        for c in unicodedata.normalize("NFC", name)
        if unicodedata.category(c)[0] not in "CZ" or c == " "
    )
    plain = _FORBIDDEN.sub("_", visible).strip(" .")
    if not plain or _RESERVED.fullmatch(plain):
        plain = f"file_{plain}".rstrip("_")
    stem, dot, suffix = plain.rpartition(".")
    suffix = f"{dot}{suffix}" if dot and stem and len(suffix) <= 10 else ""
    stem = stem if suffix else plain
    while len((stem + suffix).encode()) > LIMIT:
        stem = stem[:-1]
    return stem.rstrip(" .") + suffix
