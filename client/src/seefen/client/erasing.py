"""Erasing: what was taken back leaves the vault, on every device of a node.

So do its words where they were passed on, by whomever.

One officer confirms for his node; the other devices of it erase when they hear of that.
"""

from seefen.client import copies, fetched, missing, searching, versions
from seefen.client.engine import Engine
from seefen.client.views import Row, recall_of, rows
from seefen.protocol.messages import ErasureConfirm, Said

ERASED = Said(table="erased", code="erased")
KEPT = Said(table="erased", code="restricted")


def forget(engine: Engine, row: Row) -> None:
    """Delete body, key, marks and words of what was taken back, of its files and copies.

    That is an object with every earlier version of it.
    """
    vault = engine.vault
    gone, passed_on = _going(engine, row)
    with vault.change():
        for copy, one in passed_on:
            copies.keep(engine, copy, one)
        for one in (*gone, *(copy for copy, _ in passed_on)):
            vault.run(
                "UPDATE object SET body = NULL, sealed = NULL, wrapped = NULL, shown_until = 0"
                " WHERE object = ?",
                one.object,
            )
            vault.run("DELETE FROM mark WHERE object = ?", one.object)
            searching.forget(vault, one.object)
            missing.drop(vault, "activity", one.index)
            fetched.forget(engine, one)


def is_done(engine: Engine, recall: Row, row: Row) -> bool:
    """Tell whether the own node has confirmed that it erased, and nothing of it is here since."""
    said = "reply_to = ? AND case_id = ? AND node = ? AND cover IS NOT NULL AND NOT file"
    found = rows(engine, said, recall.object, recall.case, engine.node)
    covers = [cover for one in found if (cover := one.opened_cover) is not None]
    confirmed = [cover.what for cover in covers if cover.type == ErasureConfirm.TYPE]
    if not confirmed or ERASED not in confirmed[-1]:
        return False
    gone, passed_on = _going(engine, row)
    held = "object = ? AND (body IS NOT NULL OR sealed IS NOT NULL OR wrapped IS NOT NULL)"
    all_of_it = (*gone, *(copy for copy, _ in passed_on))
    return not any(rows(engine, held, one.object) for one in all_of_it)


def hear(engine: Engine, reply: Row) -> None:
    """Erase here, too, what another device of the own node has confirmed to be erased."""
    cover, recalls = reply.opened_cover, reply.statement.reply_to
    if cover is None or cover.type != ErasureConfirm.TYPE or KEPT in cover.what or recalls is None:
        return
    if reply.statement.node != engine.node or reply.statement.device == engine.keys.device:
        return
    for recall in rows(engine, "object = ? AND case_id = ?", recalls, reply.case):
        taken_back = recall.statement.reply_to
        for row in rows(engine, "object = ? AND case_id = ?", taken_back, reply.case):
            back = recall_of(engine, row)
            if back is not None and back.object == recall.object:
                forget(engine, row)


def _going(engine: Engine, row: Row) -> tuple[list[Row], list[tuple[Row, Row]]]:
    """Return all that goes with what was taken back, files too; and copies, each with of what."""
    gone = versions.taken_back_with(engine, row)
    passed_on = [(copy, one) for one in gone for copy in copies.holding(engine, one)]
    return [*gone, *(file for one in gone for file in _files(engine, one))], passed_on


def _files(engine: Engine, row: Row) -> list[Row]:
    return rows(engine, "reply_to = ? AND case_id = ? AND file", row.object, row.case)
