"""Each name in a vault's table of settings stands in docs/vault.md, and each there is in use."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "client" / "src" / "seefen" / "client"
# Paths in an archive look like names, and are none.
OTHERS = ("bundling.py", "standalone", "cli")
USES = (
    re.compile(r"vault\.(?:put|get|put_number|get_number)\(\s*f?\"([a-z][a-z_-]*)"),
    re.compile(r"GLOB '([a-z][a-z-]*)/"),
    re.compile(r"f\"([a-z][a-z-]*)/\{"),
    re.compile(
        r"\b(?:CHECKED|MIRRORED|PROVED|OFF|OWN|LAST|VIEWED|_KEPT|_SENT|_SETTING)"
        r": Final = \"([a-z][a-z-]*)"
    ),
    re.compile(r"_NAME: Final = \"(alarms)\""),
)


def used() -> set[str]:
    """Return what stands before the slash in each name that the sources mention."""
    paths = (path for path in SOURCES.rglob("*.py") if not set(OTHERS) & set(path.parts))
    texts = [path.read_text(encoding="utf-8") for path in paths]
    return {name for text in texts for use in USES for name in use.findall(text)}


def documented() -> set[str]:
    page = (ROOT / "docs" / "vault.md").read_text(encoding="utf-8")
    first = (line.split("|")[1] for line in page.splitlines() if line.startswith("| `"))
    return {name.split("/")[0] for cell in first for name in re.findall(r"`([^`]+)`", cell)}


def test_each_name_in_a_vault_is_documented_and_in_use() -> None:
    assert used() - documented() == set(), "add them to docs/vault.md"
    assert documented() - used() == set(), "nothing writes them any more"
