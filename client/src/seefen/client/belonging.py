"""What belongs to a message leaves only while that stands: files, corrections, a newer version.

Who takes an alert back wants nothing more of it to go, and what has not left nobody has to erase.
It is kept in the outbox and not deleted: a recall may be withdrawn, or dropped before it leaves.
"""

from collections.abc import Callable
from typing import Final

from seefen.client.drafts import Draft
from seefen.client.engine import Engine
from seefen.client.views import Row, goes_with, recall_of, ref_of, rows
from seefen.protocol.encoding import decode
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import Correction, FileNote, Recall, decode_cover, decode_message

# Most of what waits does not say this word, and need not be opened. What was refused may never
# leave; past a log that is not fresh (letter a) nothing leaves, and what is younger no sooner.
_RECALLS: Final = (
    "SELECT fields FROM draft WHERE case_id = ? AND instr(fields, ?)"
    " AND (problem IS NULL OR instr(problem, ' [a-'))"
)

Progress = Callable[[str, int, int], None]


def require_standing(engine: Engine, draft: Draft) -> None:
    """Check that what a draft belongs to was not taken back, as far as this device knows.

    Raises:
        RefusedError: rule ``taken-back``.
    """
    for row in (*_above(engine, draft), *_preview(engine, draft)):
        recall = recall_of(engine, row)
        if recall is not None:
            why = f"was taken back ({ref_of(engine, recall)})"
        elif _recalled_soon(engine, row):
            why = "is about to be taken back: the recall waits, too"
        else:
            continue
        text = f"{ref_of(engine, row)} {why}: what belongs to it stays here"
        raise RefusedError(text, rule="taken-back")


def while_standing(engine: Engine, draft: Draft, progress: Progress) -> Progress:
    """Check the same now, and each time that progress is reported: a file may take minutes.

    Raises:
        RefusedError: rule ``taken-back``; so does what is returned.
    """
    require_standing(engine, draft)

    def report(name: str, done: int, total: int) -> None:
        require_standing(engine, draft)
        progress(name, done, total)

    return report


def _above(engine: Engine, draft: Draft) -> list[Row]:
    is_part = bool(draft.file) or decode_cover(draft.cover).type == Correction.TYPE
    of = draft.reply_to if is_part else draft.supersedes
    return rows(engine, "object = ? AND case_id = ?", of, draft.case)


def _preview(engine: Engine, draft: Draft) -> list[Row]:
    """Return the preview of a photograph, if it has left: it is a part of it."""
    note = decode_message(draft.plain) if draft.file else None
    if not isinstance(note, FileNote):
        return []
    # By the hash that it names, or each of hundreds of files would be compared with all.
    ours = "reply_to = ? AND case_id = ? AND node = ? AND file AND instr(body, ?)"
    found = rows(engine, ours, draft.reply_to, draft.case, engine.node, note.sha256)
    return [
        row
        for row in found
        if isinstance(row.message, FileNote) and row.message.preview_of == note.sha256
    ]


def _recalled_soon(engine: Engine, row: Row) -> bool:
    """Tell whether a recall waits: what is older than it would leave before it, and all at once."""
    for (fields,) in engine.vault.run(_RECALLS, row.case, Recall.TYPE.encode()):
        draft = decode(fields, Draft, limit=1 << 22)
        takes_back = not draft.file and decode_cover(draft.cover).type == Recall.TYPE
        if takes_back and draft.reply_to in {*goes_with(engine, row)}:
            return True
    return False
