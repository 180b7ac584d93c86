"""The specifications, so that a test can find its vector's bytes in the worked example."""

from tests.support.vectors import ROOT


def spec(name: str) -> str:
    """Return a page of ``docs/spec`` without blanks: examples are broken over lines."""
    return "".join((ROOT / "docs" / "spec" / name).read_text(encoding="utf-8").split())
