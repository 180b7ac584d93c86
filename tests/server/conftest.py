"""What tests of the broker's promises share."""

import pytest

from seefen.server.alarms import alarm


@pytest.fixture
def alarms(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The rules of the alarms raised in a test."""
    raised: list[str] = []

    def note(rule: str, **values: object) -> None:
        raised.append(rule)
        alarm(rule, **values)

    for module in (
        "announcing", "broker", "cli", "denials", "fsck", "keeping_up", "proofs", "push",
        "recovery", "sequencer", "witnesses",
    ):  # fmt: skip
        monkeypatch.setattr(f"seefen.server.{module}.alarm", note)
    return raised
