"""Purpose and legal basis, stated once per case and shift."""

from typing import Final

from seefen.client.engine import Engine
from seefen.protocol.encoding import decode, encode

SHIFT: Final = 12 * 3600  # seconds
NO_CASE: Final = b""  # under which purpose and basis of searches are remembered


def remember(engine: Engine, case: bytes, why: tuple[str, str, str]) -> None:
    """Keep purpose, basis and reason of a case for this shift, when purpose and basis are given."""
    purpose, basis, reason = why
    if purpose and basis:
        value = encode([purpose, basis, reason, engine.now() + SHIFT])
        engine.vault.put(f"basis/{case.hex()}", value)


def remembered(engine: Engine, case: bytes) -> tuple[str, str, str]:
    """Return purpose, basis and reason remembered for a case in this shift."""
    value = engine.vault.get(f"basis/{case.hex()}")
    if value is None:
        return "", "", ""
    purpose, basis, reason, until = decode(value, tuple[str, str, str, int])
    return (purpose, basis, reason) if until > engine.now() else ("", "", "")
