"""What is stored of objects and of how far they got, once their entries were checked."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from seefen.client.once import opened
from seefen.client.trust import Taken
from seefen.client.vault import Vault
from seefen.protocol.errors import UntrustedError
from seefen.protocol.statements import Ack, Object

# The first in the log is the message, whatever came first: a later one of its case under the same
# id, believed while the first was hidden, gives way. What was opened of the same bytes stays.
_STORE: Final = (
    "INSERT OR IGNORE INTO object"
    " (object, case_id, n, idx, at, envelope, cover, sealed, node, reply_to, file)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (object) DO UPDATE SET n = excluded.n, idx = excluded.idx, at = excluded.at,"
    " envelope = excluded.envelope, node = excluded.node, reply_to = excluded.reply_to,"
    " file = excluded.file, cover = excluded.cover,"
    " sealed = ifnull(excluded.sealed, iif(envelope = excluded.envelope, sealed, NULL)),"
    " wrapped = iif(envelope = excluded.envelope, wrapped, NULL),"
    " body = iif(envelope = excluded.envelope, body, NULL),"
    " message_id = iif(envelope = excluded.envelope, message_id, NULL),"
    " shown_until = iif(envelope = excluded.envelope, shown_until, 0),"
    " superseded_by = iif(envelope = excluded.envelope, superseded_by, NULL)"
    " WHERE case_id = excluded.case_id AND idx > excluded.idx"
)


@lru_cache(maxsize=4096)
def object_of(envelope: bytes) -> Object:
    """Return the object in an envelope of the vault, which was verified when it came in."""
    statement = opened(envelope, "object").statement
    if not isinstance(statement, Object):
        raise UntrustedError("not an object", rule="wrong-kind")
    return statement


def store_object(
    vault: Vault,
    taken: Taken,
    obj: Object,
    cover: bytes | None,
    body: bytes,
    n: int,
    *,
    spoiled: bool = False,
) -> None:
    """Keep an object under the number ``n``, with its cover when that was opened.

    It is counted here: the broker could name one number twice, and hide an object.

    Args:
        spoiled: The key is here and does not open the cover: such an object replaces nothing,
            or a device without the key could take back what its node said.
    """
    vault.later(
        _STORE,
        obj.object,
        obj.case,
        n,
        taken.index,
        taken.core.at // 1000,
        taken.opened.envelope,
        cover,
        body or None,
        obj.node,
        obj.reply_to,
        obj.file,
    )
    if obj.supersedes is not None and not spoiled:
        _supersede(vault, obj, obj.supersedes)


def crowded(index: int) -> str:
    """Return what is said of an object that could not be kept."""
    return f"entry {index} has the id or number of another message: it is not shown"


def crowded_out(vault: Vault, taken: Sequence[Taken]) -> list[int]:
    """Return the entries of objects that could not be kept: another has their id, or number.

    A member who knows the id of a message can sign another one under it, and the broker can
    let that pass: one of them would go unseen.
    """
    indices = {one.index for one in taken if isinstance(one.opened.statement, Object)}
    if not indices:
        return []
    sql = "SELECT idx FROM object WHERE idx BETWEEN ? AND ?"
    return sorted(indices - {index for (index,) in vault.run(sql, min(indices), max(indices))})


def unreplace(vault: Vault, obj: Object) -> None:
    """Let stand what an object replaced, whose cover its key turned out not to open."""
    if obj.supersedes is None:
        return
    sql = "UPDATE object SET superseded_by = NULL WHERE superseded_by = ?"
    vault.run(sql, obj.object)
    # It may have taken the place of one that was rightly there.
    sql = "SELECT envelope FROM object WHERE case_id = ? AND node = ? AND cover IS NOT NULL"
    for (envelope,) in vault.run(f"{sql} ORDER BY n", obj.case, obj.node):
        if object_of(envelope).supersedes == obj.supersedes:
            _supersede(vault, object_of(envelope), obj.supersedes)


def store_step(vault: Vault, ack: Ack, at: int, officer: str) -> None:
    """Keep how far an object got at a node; the first one counts."""
    sql = "INSERT OR IGNORE INTO step VALUES (?, ?, ?, ?, ?)"
    vault.later(sql, ack.object, ack.node, ack.step, at, officer)


def _supersede(vault: Vault, obj: Object, older: bytes) -> None:
    # Only the author's own node replaces what it said.
    vault.run(
        "UPDATE object SET superseded_by = ? WHERE object = ? AND case_id = ? AND node = ?",
        obj.object,
        older,
        obj.case,
        obj.node,
    )
