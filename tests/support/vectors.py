"""Test vectors: those of others beside the repository, and our own in ``tests/vectors``."""

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
OFFICIAL = ROOT.parent / "shared" / "vectors"
OWN = ROOT / "tests" / "vectors"


def official(path: str) -> Path:
    """Return a file or folder of official vectors; skip the test where it is not at hand."""
    found = OFFICIAL / path
    if not found.exists():
        pytest.skip(f"the official vectors {path} are not beside this repository")
    return found


def own(path: str) -> Any:
    """Return what one of our own vector files holds."""
    return json.loads((OWN / path).read_text(encoding="utf-8"))
