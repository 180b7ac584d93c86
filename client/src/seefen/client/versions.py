"""Files of a message and of the versions before it: a newer version leaves them where they are."""

from seefen.client.engine import Engine
from seefen.client.views import Row, recall_of, rows


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


def _own(engine: Engine, row: Row) -> list[Row]:
    return rows(engine, "reply_to = ? AND case_id = ? AND file", row.object, row.case)


def _before(engine: Engine, row: Row) -> list[Row]:
    # Nobody replaces what another said.
    same = "superseded_by = ? AND case_id = ? AND node = ? AND NOT file"
    return rows(engine, same, row.object, row.case, row.statement.node)
