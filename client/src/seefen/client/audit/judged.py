"""Judged: by which program the entries were checked that an auditor keeps.

Each is checked once, when it comes in. A hole that an update closes is closed for what came through
it only when that is checked anew, and he must know that his counts rest on it until then.
"""

from msgspec import Struct

from seefen.client.audit.store import Store
from seefen.client.rules import checked_by
from seefen.protocol.encoding import decode, encode


class Judged(Struct, frozen=True, array_like=True):
    """By whom entries are checked that come now; those ``before`` a place may be by others."""

    by: bytes
    before: int


def begin(store: Store) -> None:
    """Write down who checks from now on; what is here already was checked by others."""
    _keep(store, _judged(store))


def anew(store: Store) -> None:
    """Write down that all that is here was checked from its beginning to its end."""
    _keep(store, Judged(checked_by(), 0))


def older(store: Store) -> tuple[str, ...]:
    """Return a sentence where entries here were checked by an older program; none else."""
    before = _judged(store).before
    if not before:
        return ()
    text = f"entries before {before} count as an older version of this program judged them"
    return (f"{text}: 'seefen audit verify' judges them anew",)


def _judged(store: Store) -> Judged:
    value = store.vault.get(_name(store))
    kept = None if value is None else decode(value, Judged)
    if kept is not None and kept.by == checked_by():
        return kept
    first, last = store.ends
    here = store.one(first) is not None
    return Judged(checked_by(), last + 1 if here else 0)


def _keep(store: Store, judged: Judged) -> None:
    value = encode(judged)
    if store.vault.get(_name(store)) != value:
        store.vault.put(_name(store), value)


def _name(store: Store) -> str:
    return f"{store.name}/judged"
