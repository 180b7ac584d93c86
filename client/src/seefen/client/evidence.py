"""Evidence: what a broker signed against itself, kept as files for those who will ask."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


def keep_evidence(folder: Path, name: str, value: Mapping[str, object]) -> None:
    """Keep a lie under a name that is the same however often it is told."""
    with suppress(OSError):  # a full disk must not hide the alarm
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        if not path.exists():
            path.write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")
