"""File names from other people, made safe for this machine (attack 48)."""

import re
import unicodedata
from typing import Final

LIMIT: Final = 120  # bytes
_RESERVED: Final = re.compile(
    r"(con|prn|aux|nul|(com|lpt)[0-9\u00b9\u00b2\u00b3]|conin\$|conout\$) *(\..*)?",
    re.IGNORECASE,
)
_FORBIDDEN: Final = re.compile(r'[/\\:*?"<>|]')

# What a click shows and does not run. A page or a drawing (HTML, SVG) is a program as well.
_QUIET: Final = frozenset((
    ".jpg", ".jpeg", ".png", ".webp", ".gif", ".heic", ".heif", ".tif", ".tiff", ".bmp", ".pdf",
    ".x3p", ".txt", ".csv", ".json", ".docx", ".xlsx", ".pptx", ".odt", ".ods", ".odp", ".zip",
    ".7z", ".mp4", ".mov", ".mp3", ".wav",
))  # fmt: skip
BYTES: Final = ".bin"
_KEPT: Final = _QUIET | {BYTES}  # what is called bytes is saved as bytes


def saved_name(name: str) -> str:
    """Return the name under which a file of others is saved: a click on it runs nothing.

    What is not on our list of endings is saved as bytes, whatever it says it is (attack 47).
    """
    safe = safe_name(name)
    stem, dot, ending = safe.rpartition(".")
    return safe if stem and f"{dot}{ending}".lower() in _KEPT else f"{safe}{BYTES}"


def safe_name(name: str) -> str:
    """Return a name that stays in its folder and says what it is on every system."""
    visible = "".join(
        c
        for c in unicodedata.normalize("NFC", name)
        if unicodedata.category(c)[0] not in "CZ" or c == " "
    )
    plain = _FORBIDDEN.sub("_", visible).strip(" .").lstrip("-. ")  # an option, for a shell
    if not plain or _RESERVED.fullmatch(plain):
        plain = f"file_{plain}".rstrip("_")
    stem, dot, suffix = plain.rpartition(".")
    suffix = f"{dot}{suffix}" if dot and stem and len(suffix) <= 10 else ""
    stem = stem if suffix else plain
    while len((stem + suffix).encode()) > LIMIT:
        stem = stem[:-1]
    return stem.rstrip(" .") + suffix
