"""Searching: words in all that this device has opened, across alphabets and spellings.

It finds parts of words and shows covers, never bodies: opening what was found leaves its
entry, as always. The index is a part of the vault, and what is erased leaves it.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any, Final, TypeAlias, cast

import msgspec

from seefen.client.engine import Engine
from seefen.client.folding import FOLDING, fold_all, readings
from seefen.client.originals import is_in_use, shown
from seefen.client.values import CaseView, Found
from seefen.client.vault import Vault
from seefen.client.views import case_view, object_view, rows, title_of
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import Form, Message
from seefen.protocol.messages.shape import recoded, shape

LEAST: Final = 3  # folded characters: the index knows words by three letters at a time
FEW: Final = 4  # short words that are looked for as one
MOST: Final = 50  # hits that are shown
Words: TypeAlias = tuple[tuple[str, ...], ...]


def keep(vault: Vault, object_: bytes, message: Form) -> None:
    """Index the words of a message that was opened."""
    index = _index_of(vault, object_)
    if index is None:
        return
    vault.run("DELETE FROM word WHERE rowid = ?", index)
    words = fold_all(" ".join(texts_of(message)))
    vault.run("INSERT INTO word (rowid, folded) VALUES (?, ?)", index, words)


def forget(vault: Vault, object_: bytes) -> None:
    """Take the words of an object out of the index."""
    index = _index_of(vault, object_)
    if index is not None:
        vault.run("DELETE FROM word WHERE rowid = ?", index)
        # Else the words stay in the index, marked as deleted, until it merges by itself.
        vault.run("INSERT INTO word (word) VALUES ('optimize')")


def texts_of(message: Form) -> Iterator[str]:
    """Yield what was written in a message: texts, names, marks; codes are no words."""
    plain = msgspec.to_builtins(message, builtin_types=(bytes,))
    yield from _strings(recoded(shape(type(message)), plain, _nothing))
    if isinstance(message, Message):
        yield message.cover().subject


def search(engine: Engine, text: str) -> Found:
    """Look for all words of a text, each as a part of a word; the newest first.

    Raises:
        RefusedError: No word of it is long enough.
    """
    words = words_of(text)
    if not words:
        raise RefusedError(
            f"give at least {LEAST} letters or digits to look for, of one word or of some short "
            "ones side by side; a letter that stands twice or more in a row counts once",
            rule="short",
        )
    vault = engine.vault
    renew(engine)
    sql = "SELECT rowid FROM word WHERE folded MATCH ? ORDER BY rowid DESC LIMIT ?"
    indices = [row[0] for row in vault.run(sql, query_of(words), MOST + 1)]
    found = [row for index in indices[:MOST] for row in rows(engine, "idx = ?", index)]
    searched = vault.one("SELECT count(*) FROM object WHERE body IS NOT NULL")
    closed = vault.one("SELECT count(*) FROM object WHERE body IS NULL AND NOT file")
    return Found(
        words=tuple(ways[0] for ways in words),
        views=tuple(object_view(engine, row) for row in found if is_in_use(engine, row)),
        more=len(indices) > MOST,
        searched=searched[0] if searched else 0,
        closed=closed[0] if closed else 0,
        cases=tuple(_titled(engine, words)),
    )


def _titled(engine: Engine, words: Words) -> Iterator[CaseView]:
    """Yield the cases in whose title all words stand.

    They are opened at each search and not kept in the index: with its key a title is gone.
    """
    for case in engine.vault.cases():
        state = engine.trust.require_state(case)
        if state.form != "case":
            continue
        title = fold_all(title_of(engine, state))
        if all(any(way in title for way in ways) for ways in words):
            yield case_view(engine, state)


def words_of(text: str) -> Words:
    """Return the words of a text that can be looked for, each in the ways that it is written in.

    Where none is long enough, all that stand side by side are one: ``nny 82`` is a headstamp.
    """
    asked = [ways for word in text.split() if (ways := readings(word))]
    long = (tuple(way for way in ways if len(way) >= LEAST) for ways in asked)
    return tuple(filter(None, long)) or _together(asked)


def _together(asked: list[tuple[str, ...]]) -> Words:
    if len(asked) > FEW:
        return ()
    ways = [" ".join(ways) for ways in product(*asked) if len("".join(ways)) >= LEAST]
    return (tuple(ways),) if ways else ()


def query_of(words: Words) -> str:
    """Return the query of the index for all of some words, each in one of its ways."""
    return " AND ".join("(" + " OR ".join(f'"{way}"' for way in ways) + ")" for ways in words)


def renew(engine: Engine) -> None:
    """Fold all words anew when an older version of this program folded them in its own way."""
    vault = engine.vault
    if vault.get_number("folding") == FOLDING:
        return
    with vault.soon():
        for row in rows(engine, "body IS NOT NULL"):
            message = row.message
            if message is not None and (found := shown(engine, row, message)) is not None:
                keep(vault, row.object, found)
        vault.put_number("folding", FOLDING)


def _nothing(_field: str, _table: str, _code: str) -> str:
    return ""


def _index_of(vault: Vault, object_: bytes) -> int | None:
    row = vault.one("SELECT idx FROM object WHERE object = ?", object_)
    return None if row is None else int(row[0])


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in cast("dict[str, object]", value).values():
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in cast("list[object]", value):
            yield from _strings(item)
