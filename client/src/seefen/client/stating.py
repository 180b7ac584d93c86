"""Purpose and legal basis, stated once per case and shift; and to whom the reason is sealed."""

from typing import Final

from seefen.client.engine import Engine
from seefen.protocol.encoding import decode, encode
from seefen.protocol.statements import Mailbox

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


def audits(engine: Engine, *nodes: str) -> list[Mailbox]:
    """Return the audit mailboxes to which reasons and accounts for these nodes are sealed.

    One that is stale is left out: who was taken out has its keys, and who comes after him may
    not. What is entered stands all the same, so nobody waits for an auditor to read an alert.
    """
    directory = engine.directory
    found = ((one, directory.mailbox(one, "audit")) for one in sorted({*nodes}))
    return [
        box for node, box in found if box is not None and not directory.mailbox_stale(node, "audit")
    ]


def is_unsealed(engine: Engine) -> bool:
    """Tell whether the own node's auditors cannot read now why something is opened or sought."""
    return engine.directory.mailbox_stale(engine.node, "audit")
