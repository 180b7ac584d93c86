"""Marks: exact, look-alike or possible, found fast in a full vault."""

import time
from pathlib import Path

import pytest

from seefen.client import marks
from seefen.client.vault import Vault
from seefen.protocol.errors import RefusedError
from seefen.protocol.matching import strong_key, weak_key
from seefen.protocol.suite import random_bytes


class Desk:
    """As much of an engine as a search needs."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault


def full(tmp_path: Path, count: int) -> Vault:
    vault = Vault.open(tmp_path / "vault.db", random_bytes(32))
    texts = [f"{chr(65 + n % 23)}-{n * 7919 % 1_000_003:06d}" for n in range(count)]
    with vault.change():
        vault.many(
            "INSERT INTO mark VALUES (?, 'serial', ?, ?, ?)",
            [(n.to_bytes(16), t, strong_key(t), weak_key(t)) for n, t in enumerate(texts)],
        )
    return vault


def test_200_000_marks_are_searched_at_once(tmp_path: Path) -> None:
    vault = full(tmp_path, 200_000)
    desk = Desk(vault)
    started = time.perf_counter()
    found = marks.check(desk, "X-123456")  # type: ignore[arg-type]
    gaps = marks.check(desk, "X-1?3*56")  # type: ignore[arg-type]
    took = time.perf_counter() - started
    vault.close()

    assert found.searched == gaps.searched == 200_000
    assert took < 2


def test_nothing_to_look_for_is_refused(tmp_path: Path) -> None:
    vault = Vault.open(tmp_path / "vault.db", random_bytes(32))
    with pytest.raises(RefusedError):
        marks.check(Desk(vault), " - ")  # type: ignore[arg-type]
    vault.close()
