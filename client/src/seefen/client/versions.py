"""The versions of a message: what was sent with the older ones, and what is taken back with them.

A newer version leaves files where they are; its recall leaves nothing.
"""

from seefen.client.engine import Engine
from seefen.client.views import Row, recall_of, rows
from seefen.protocol.messages import Correction


def files_of(engine: Engine, row: Row) -> list[Row]:
    """Return the files of a message, then those of the versions before it, the newest first.

    What was taken back shows none but its own, and none of what was taken back is shown.
    """
    found, seen = _own(engine, row), {row.object}
    version = row if recall_of(engine, row) is None else None
    while version is not None:
        version = next((one for one in _before(engine, version) if one.object not in seen), None)
        if version is not None:
            seen.add(version.object)
            found += [] if recall_of(engine, version) is not None else _own(engine, version)
    return found


def taken_back_with(engine: Engine, row: Row) -> list[Row]:
    """Return all that is taken back together with an object, which is the first or among them.

    That is what its recall names, :func:`with_earlier`; the object alone, if it was not taken
    back. Files are not among them.
    """
    back, named = recall_of(engine, row), "object = ? AND case_id = ?"
    newest = [] if back is None else rows(engine, named, back.statement.reply_to, row.case)
    return with_earlier(engine, newest[0]) if newest else [row]


def with_earlier(engine: Engine, row: Row) -> list[Row]:
    """Return a message, every version before it, and the corrections of each."""
    found, todo = dict[bytes, Row](), [row]
    while todo:
        one = todo.pop(0)
        if one.object not in found:
            found[one.object] = one
            todo += [*_before(engine, one), *_corrections(engine, one)]
    return [*found.values()]


def _corrections(engine: Engine, row: Row) -> list[Row]:
    same = "reply_to = ? AND case_id = ? AND node = ? AND cover IS NOT NULL AND NOT file"
    found = rows(engine, same, row.object, row.case, row.statement.node)
    return [
        one
        for one in found
        if (cover := one.opened_cover) is not None and cover.type == Correction.TYPE
    ]


def _own(engine: Engine, row: Row) -> list[Row]:
    return rows(engine, "reply_to = ? AND case_id = ? AND file", row.object, row.case)


def _before(engine: Engine, row: Row) -> list[Row]:
    # Nobody replaces what another said.
    same = "superseded_by = ? AND case_id = ? AND node = ? AND NOT file"
    return rows(engine, same, row.object, row.case, row.statement.node)
