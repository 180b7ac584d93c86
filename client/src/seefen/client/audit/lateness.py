"""Lateness: which network auditors have said nothing of what is days old.

Whoever keeps an entry from a node for good must keep all manifests from it, too. That shows by what
the node was shown since; and where it was shown nothing at all, by how long the log was: this the
broker has signed, and this device has written it down.
"""

from typing import Final

from msgspec import Struct

from seefen.client.audit.store import Store
from seefen.client.compared import Late
from seefen.client.engine import Engine
from seefen.protocol.encoding import decode, encode
from seefen.protocol.ledger.record import Record
from seefen.protocol.manifest import NETWORK

LATE: Final = 48 * 3600  # seconds
OVERDUE: Final = 7 * 86_400  # seconds
APART: Final = 12 * 3600  # seconds between two lengths that are written down
_KEPT: Final = "manifests/heads"
_MOST: Final = 32


class Seen(Struct, frozen=True, array_like=True):
    """How long both logs were at a time (Unix seconds)."""

    at: int
    activity: int
    authority: int


def note(engine: Engine) -> None:
    """Write down how long the logs are, twice a day."""
    vault, now = engine.vault, engine.now()
    seen = _seen(engine)
    if seen and 0 <= now - seen[-1].at < APART:
        return
    size, keys = (engine.trust.head(log).size for log in ("activity", "authority"))
    vault.put(_KEPT, encode([*seen, Seen(now, size, keys)][-_MOST:]))


def late(engine: Engine, store: Store, device: bytes, who: str, upto: int) -> Late | None:
    """Return how late a network auditor is; each must speak: two protect as the better one.

    Args:
        upto: Where his manifests about the own node end.
    """
    link = engine.directory.link(("view", f"{NETWORK}/{device.hex()}"))
    given, now = -1 if link is None else link.index, engine.now()

    def owes(age: int) -> bool:
        return _owes(engine, store, upto, given, now - age)

    if not owes(LATE):
        return None
    first = store.one_row("SELECT ifnull(min(idx), ?) FROM audited WHERE idx >= ?", upto, upto)
    return Late(who, first[0], overdue=owes(OVERDUE))


def _owes(engine: Engine, store: Store, upto: int, given: int, before: int) -> bool:
    """Tell whether entries that no manifest covers were made while a view was in the log.

    Args:
        store: What is here.
        upto: Where his manifests end.
        given: Where in the authority log his view stands.
        before: Unix seconds.
    """
    seen = [one for one in _seen(engine) if one.at < before]
    if any(one.activity > upto and one.authority > given for one in seen):
        return True
    # The last will do: records name the size of the authority log, which never shrinks.
    row = store.one_row(
        "SELECT record FROM audited JOIN audited_bytes USING (idx)"
        " WHERE idx >= ? AND idx < ? AND problem = '' ORDER BY idx DESC LIMIT 1",
        *(upto, store.since(before)),
    )
    return row is not None and Record.decode(row[0]).authority_size > given


def _seen(engine: Engine) -> tuple[Seen, ...]:
    value = engine.vault.get(_KEPT)
    return () if value is None else decode(value, tuple[Seen, ...])
