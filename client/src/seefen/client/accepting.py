"""Conditions are accepted at the first opening: once for a case, an author and their words.

A handling code is accepted with purpose and basis, or with the watch: its sentence stands on
that screen, and on every view. Conditions in words stand in the body, so they are shown first,
and the rest once they are accepted. What was accepted, and when, is kept on this device; the
access in the log, which comes before, says purpose and basis.
"""

from typing import Final

from seefen.client.engine import Engine
from seefen.client.views import Row, ref_of, rows
from seefen.protocol.encoding import encode
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import Message
from seefen.protocol.onward import Original
from seefen.protocol.suite import sha256

SEARCHED: Final = ("TraceReply", "InfoReply", "BallisticResult")  # they say what was found
OFF: Final = "watch/off"  # set while no watch is to open anything


class ConditionsError(RefusedError):
    """A message is open here, and its conditions were not accepted yet: rule ``conditions``.

    Attributes:
        handling: The handling code.
        conditions: Them, in the words of their author.
    """

    def __init__(self, name: str, handling: str, conditions: str) -> None:
        super().__init__(
            f"{name} is under conditions, which are to be accepted first: {conditions}",
            rule="conditions",
        )
        self.handling = handling
        self.conditions = conditions


def require_read(engine: Engine, row: Row) -> None:
    """Check that a question was read here: what nobody has read nobody has searched for.

    Its TLP mark stands in its body as well, and an answer goes below none.

    Raises:
        RefusedError: rule ``unread``.
    """
    if row.message is None:
        ref = ref_of(engine, row)
        raise RefusedError(
            f"{ref} was not opened on this device, and an answer says what was searched for: "
            f"`seefen case show {ref}` first; unread it can be refused or passed on",
            rule="unread",
        )


def require_accepted(
    engine: Engine, row: Row, message: Message, original: Original | None, *, accept: bool
) -> int:
    """Return when the terms of a message were accepted on this device.

    Args:
        message: The message, or what is forwarded in it.
        accept: They are accepted now.

    Raises:
        ConditionsError: They are in words, and nobody has accepted them here.
    """
    permitted = () if original is None else original.conditions
    words = " ".join(filter(None, (message.conditions, *permitted)))
    author = row.statement.node if original is None else original.node
    if author == engine.node:
        return 0  # his own node's terms bind those it gave it to
    terms = sha256(encode([row.case, author, message.handling, words]))
    name = f"accepted/{terms.hex()}"
    at = engine.vault.get_number(name)
    if at:
        return at
    known = accept or _on_watch(engine, row.case) or _is_ours(engine, row, words)
    if words and not known:
        raise ConditionsError(ref_of(engine, row), message.handling, words)
    with engine.vault.soon():
        engine.vault.put_number(name, engine.now())
    return engine.now()


def require_file_accepted(engine: Engine, row: Row, *, accept: bool) -> None:
    """Check that the terms of a file, which stand in its message, were accepted.

    Raises:
        ConditionsError: As :func:`require_accepted`.
        RefusedError: rule ``conditions``: its message is not open here, and nobody accepts
            what he was not shown.
    """
    obj, name = row.statement, "its message"
    for of in rows(engine, "object = ? AND case_id = ?", obj.reply_to, row.case):
        if of.message is not None:
            require_accepted(engine, of, of.message, None, accept=accept)
            return
        name = ref_of(engine, of)
    free = obj.handling != "H3" or obj.node == engine.node or _on_watch(engine, row.case)
    if not free:
        raise RefusedError(
            f"{ref_of(engine, row)} is under conditions that stand in its message: "
            f"open {name} first",
            rule="conditions",
        )


def _is_ours(engine: Engine, row: Row, words: str) -> bool:
    """Tell whether these are conditions of the own node, which come back with an answer."""
    found = rows(engine, "object = ? AND case_id = ?", row.statement.reply_to, row.case)
    return any(
        of.statement.node == engine.node and of.message and of.message.conditions == words
        for of in found
    )


def _on_watch(engine: Engine, case: bytes) -> bool:
    # Whoever went on watch has accepted what comes there: an alert asks nothing at night.
    sql = "SELECT 1 FROM access WHERE case_id = ? AND scope = 'watch' AND until > ?"
    is_off = engine.vault.get(OFF) is not None
    return not is_off and engine.vault.one(sql, case, engine.now()) is not None
