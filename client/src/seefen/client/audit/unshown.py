"""Unshown: entries that the broker showed this device once, and does not show it any more.

They are here, with what was signed, and are counted as ever: what a broker keeps to itself now
takes nothing back. A check of the whole log finds them; each page that shows one again ends it.
"""

from collections.abc import Collection, Iterator

from seefen.client.audit.store import Store
from seefen.client.explained import ENTRY, subject_of

_PLACES = (
    "SELECT idx, kind, record, core, salt, envelope FROM audited_unshown"
    " JOIN audited_bytes USING (idx) ORDER BY idx"
)


def compare(store: Store, start: int, stop: int, shown: Collection[int]) -> None:
    """Keep which entries of a piece of the log are here and were not shown, when all was asked."""
    piece = "audited_unshown WHERE idx >= ? AND idx < ?"
    missing = [facts.idx for facts in store.between(start, stop) if facts.idx not in shown]
    if missing or store.one_row(f"SELECT 1 FROM {piece}", start, stop):  # noqa: S608 - ours
        with store.vault.change():
            store.run(f"DELETE FROM {piece}", start, stop)  # noqa: S608
            for index in missing:
                store.run("INSERT INTO audited_unshown VALUES (?)", index)


def shown_again(store: Store, indices: Collection[int]) -> None:
    """Forget what was shown again."""
    if store.one_row("SELECT 1 FROM audited_unshown") is not None:
        with store.vault.change():
            for index in indices:
                store.run("DELETE FROM audited_unshown WHERE idx = ?", index)


def places(store: Store) -> Iterator[tuple[int, str]]:
    """Yield where in the log they stand, with the hash of exactly what is here of each."""
    for index, *kept in store.run(_PLACES):
        yield index, subject_of(ENTRY, "unshown", index, *kept)


def not_shown(store: Store) -> Iterator[tuple[str, str, str]]:
    """Yield what each of them is, a sentence, and its hash."""
    for index, subject in places(store):
        text = f"entry {index} was shown before, and the broker does not show it any more"
        yield ENTRY, text, subject
