"""Erasing: what was taken back leaves the vault, on every device of a node.

So do its words where they were passed on, by whomever.

One officer confirms for his node; the other devices of it erase when they hear of that.
"""

from seefen.client import copies, fetched, searching, versions
from seefen.client.engine import Engine
from seefen.client.views import Row, recall_of, rows
from seefen.protocol.messages import Said

KEPT = Said(table="erased", code="restricted")


def forget(engine: Engine, row: Row) -> None:
    """Delete body, key, marks and words of what was taken back, of its files and copies.

    That is an object with every earlier version of it.
    """
    vault = engine.vault
    gone = versions.taken_back_with(engine, row)
    files = [file for one in gone for file in _files(engine, one)]
    passed_on = [(copy, one) for one in gone for copy in copies.holding(engine, one)]
    with vault.change():
        for copy, one in passed_on:
            copies.keep(engine, copy, one)
        for one in (*gone, *files, *(copy for copy, _ in passed_on)):
            vault.run(
                "UPDATE object SET body = NULL, sealed = NULL, wrapped = NULL, shown_until = 0"
                " WHERE object = ?",
                one.object,
            )
            vault.run("DELETE FROM mark WHERE object = ?", one.object)
            searching.forget(vault, one.object)
            fetched.forget(engine, one)


def hear(engine: Engine, reply: Row) -> None:
    """Erase here, too, what another device of the own node has confirmed to be erased."""
    cover, recalls = reply.opened_cover, reply.statement.reply_to
    if cover is None or cover.type != "ErasureConfirm" or KEPT in cover.what or recalls is None:
        return
    if reply.statement.node != engine.node or reply.statement.device == engine.keys.device:
        return
    for recall in rows(engine, "object = ? AND case_id = ?", recalls, reply.case):
        taken_back = recall.statement.reply_to
        for row in rows(engine, "object = ? AND case_id = ?", taken_back, reply.case):
            back = recall_of(engine, row)
            if back is not None and back.object == recall.object:
                forget(engine, row)


def _files(engine: Engine, row: Row) -> list[Row]:
    return rows(engine, "reply_to = ? AND case_id = ? AND file", row.object, row.case)
