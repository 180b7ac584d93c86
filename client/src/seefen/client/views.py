"""From vault rows to what a person sees: covers in lists, steps, answers."""

from collections.abc import Iterator
from typing import Any

import msgspec

from seefen.client.assigned import holders, is_lapsed
from seefen.client.engine import Engine
from seefen.client.expiring import expiry, is_expired
from seefen.client.stating import remembered
from seefen.client.storing import object_of
from seefen.client.values import CaseView, ObjectView
from seefen.protocol.case import CaseState
from seefen.protocol.errors import OutOfTurnError, RefusedError, SeefenError
from seefen.protocol.messages import (
    TABLES,
    Answer,
    CaseTitle,
    Cover,
    EmergencyOpened,
    FileNote,
    Message,
    Said,
    decode_cover,
    decode_message,
)
from seefen.protocol.objects import open_title
from seefen.protocol.requests import CLOCKS, Act
from seefen.protocol.statements import Device, Object

ROW = (
    "SELECT object, case_id, n, idx, at, envelope, cover, sealed IS NOT NULL, body,"
    " superseded_by FROM object"
)


class Row(msgspec.Struct, frozen=True):
    """A row of the table of objects."""

    object: bytes
    case: bytes
    n: int
    index: int
    at: int
    envelope: bytes
    cover: bytes | None
    has_sealed: int
    body: bytes | None
    superseded_by: bytes | None

    @property
    def statement(self) -> Object:
        """The signed object."""
        return object_of(self.envelope)

    @property
    def opened_cover(self) -> Cover | None:
        """The cover, or None while this device has no key."""
        return None if self.cover is None else decode_cover(self.cover)

    @property
    def is_exercise(self) -> bool:
        """Whether its cover says that nothing of it is real."""
        return (cover := self.opened_cover) is not None and cover.exercise

    @property
    def message(self) -> Message | None:
        """The message, once its body was opened."""
        form = None if self.body is None else decode_message(self.body)
        return form if isinstance(form, Message) else None


def rows(engine: Engine, where: str, *values: object) -> list[Row]:
    """Return the objects that fulfil a condition, in the order of the log."""
    found = engine.vault.run(f"{ROW} WHERE {where} ORDER BY idx", *values)
    return [Row(*row) for row in found]


def row_of(engine: Engine, state: CaseState, number: int) -> Row:
    """Return the object with a number in a case.

    Raises:
        RefusedError: rule ``unknown-object``.
    """
    found = rows(engine, "case_id = ? AND n = ?", state.case, number)
    if not found:
        name = engine.name_of(state)
        raise RefusedError(
            f"this device has no {name}#{number}: it may be older than your membership",
            rule="unknown-object",
        )
    return found[0]


def object_view(engine: Engine, row: Row) -> ObjectView:
    """Return an object as a list shows it."""
    state = engine.trust.require_state(row.case)
    name = engine.name_of(state)
    obj, cover, message = row.statement, row.opened_cover, row.message
    answer, by, _ = answer_of(engine, row, engine.node)
    asks = cover is not None and asks_flash(cover)
    flash = flash_of(engine, row) if asks else None
    theirs = obj.node != engine.node
    delivered = step_at(engine, row.object, engine.node, "delivered") if theirs else None
    return ObjectView(
        ref=f"{name}#{row.n}",
        number=row.n,
        case=name,
        type=cover.type if cover else "",
        subject=cover.subject if cover else "",
        urgency="" if cover is None else "FLASH" if flash else "URGENT" if asks else cover.urgency,
        due_at=_due_at(cover, engine.node, delivered or row.at, flash),
        handling=obj.handling,
        sender=obj.node,
        officer=engine.directory.device(obj.device).officer,
        created_at=obj.created_at,
        recorded_at=row.at,
        file=obj.file,
        name=message.name if isinstance(message, FileNote) else "",
        size=message.size if isinstance(message, FileNote) else obj.body_size,
        state=state_of(engine, row),
        answer=answer or "",
        answered_by=by,
        reply_to=_ref(engine, obj.reply_to),
        superseded_by=_ref(engine, row.superseded_by),
        corrected_by=ref_of(engine, found[-1]) if (found := corrected_in(engine, row)) else "",
        recalled_by=_ref(engine, None if (back := recall_of(engine, row)) is None else back.object),
        items=cover.items if cover else "",
        evaluation=f"{message.source_eval}{message.info_eval}" if message else "",
        tlp=message.tlp if message else "",
        unwitnessed=obj.unwitnessed,
        fetched=row.body is not None,
        cover_open=cover is not None,
        cover=cover,
        surface=message.surface if isinstance(message, FileNote) else None,
        preview_of=message.preview_of.hex() if isinstance(message, FileNote) else "",
        flash=author_of(engine, flash).officer if flash else "asked" if asks else "",
        expires_at=expiry(obj, cover),
        expired=is_expired(engine, obj, cover),
    )


def case_view(engine: Engine, state: CaseState, *, objects: bool = False) -> CaseView:
    """Return a case as a person sees it."""
    purpose, basis, _ = remembered(engine, state.case)
    generation = state.generations[-1] if state.generations else None
    left_out = generation.statement.left_out if generation else ()
    unread = engine.vault.one(
        "SELECT count(*) FROM object WHERE case_id = ? AND body IS NULL AND node <> ? AND NOT file",
        state.case,
        engine.node,
    )
    found = rows(engine, "case_id = ?", state.case) if objects else []
    return CaseView(
        form=state.form,
        number=engine.name_of(state),
        title=title_of(engine, state),
        owner=state.owner,
        members=state.members,
        generation=generation.gen if generation else 0,
        left_out=tuple((left.who, left.reason) for left in left_out),
        object_count=state.object_count,
        opened_at=state.opened_at.at,
        unread=unread[0] if unread else 0,
        readable=generation is not None and engine.case_key(state.case, generation.gen) is not None,
        purpose=purpose,
        basis=basis,
        objects=tuple(object_view(engine, row) for row in found),
        assigned=holders(engine, state) if state.form == "case" else (),
        lapsed=is_lapsed(engine, state),
    )


def title_of(engine: Engine, state: CaseState) -> str:
    """Return the title of a case, empty while this device has no key for it."""
    for generation in reversed(state.generations):
        key = engine.case_key(state.case, generation.gen)
        if generation.statement.case_version != state.version or key is None:
            continue
        try:
            message = decode_message(open_title(state.head, key))
        except SeefenError:
            continue  # the key that came with this version is the one; a later one is not
        return message.title if isinstance(message, CaseTitle) else ""
    return ""


def author_of(engine: Engine, row: Row) -> Device:
    """Return the device that wrote an object, with the roles it had when that was recorded."""
    size = engine.vault.one("SELECT authority_size FROM entry WHERE idx = ?", row.index)
    return engine.directory.device(row.statement.device, size=None if size is None else size[0])


def asks_flash(cover: Cover) -> bool:
    """Tell whether an alert should ring. FLASH on a cover alone is the word of one officer."""
    asked = Said(table="form", code="flash_asked") in cover.what or cover.urgency == "FLASH"
    return asked and cover.type == "SeizureAlert"


def flash_of(engine: Engine, row: Row) -> Row | None:
    """Return with which message a second officer of its own node confirmed an alert as FLASH.

    Neither another node nor the author himself, on whatever device, makes an alert ring.
    """
    alert, cover = row.statement, row.opened_cover
    if cover is None or not asks_flash(cover):
        return None
    author = author_of(engine, row).officer
    replies = "reply_to = ? AND case_id = ? AND node = ? AND cover IS NOT NULL AND NOT file"
    for reply in rows(engine, replies, row.object, row.case, alert.node):
        said, officer = reply.opened_cover, author_of(engine, reply).officer
        counts = said is not None and said.type == "Flash" and officer not in ("", author)
        if counts and recall_of(engine, reply) is None:
            return reply
    return None


def answer_of(engine: Engine, row: Row, node: str) -> tuple[str | None, str, int | None]:
    """Return what a node answered to an object: answer, officer, when."""
    replies = rows(engine, "reply_to = ? AND node = ? AND case_id = ?", row.object, node, row.case)
    for reply in reversed(replies):
        obj = reply.statement
        cover, message = reply.opened_cover, reply.message
        if isinstance(message, Answer) and message.of == row.object:
            answer: str | None = message.answer
        elif cover is not None and (code := _answer_code(cover)) is not None:
            answer = code
        else:
            continue
        return answer, engine.directory.device(obj.device).officer, reply.at
    return None, "", None


def _answer_code(cover: Cover) -> str | None:
    table = {"Answer": "answer", "TraceReply": "outcome"}.get(cover.type)
    codes = [said.code for said in cover.what if said.table == table]
    # Only what our own table knows: a code made up by a member could be a name.
    return codes[0] if table and codes and codes[0] in TABLES[table] else None


def is_open(engine: Engine, row: Row) -> bool:
    """Tell whether a body is open in this shift: an earlier one's needs an entry of its own."""
    if row.statement.device == engine.keys.device:
        return row.body is not None
    until = engine.vault.one("SELECT shown_until FROM object WHERE object = ?", row.object)
    return row.body is not None and until is not None and until[0] > engine.now()


def recall_of(engine: Engine, row: Row) -> Row | None:
    """Return with which object its own node took an object back, or what that goes with.

    A newer version says what the older ones said: with it they are taken back.
    """
    for object_ in goes_with(engine, row):
        replies = "reply_to = ? AND case_id = ? AND node = ? AND cover IS NOT NULL AND NOT file"
        # Nobody takes back what another said.
        for reply in rows(engine, replies, object_, row.case, row.statement.node):
            cover = reply.opened_cover
            if cover is None or cover.type != "Recall" or not cover.life:
                continue
            if (of := row.opened_cover) is not None and of.type == EmergencyOpened.TYPE:
                return None  # whoever was seen to open a case does not undo that he was seen
            if not any(_withdraws(one) for one in rows(engine, replies, reply.object, row.case,
                                                       row.statement.node)):  # fmt: skip
                return reply
    return None


def goes_with(engine: Engine, row: Row) -> Iterator[bytes]:
    """Yield an object, the message of a file or correction, and all newer versions of these."""
    yield row.object
    seen, todo = {row.object}, _above(row)
    while todo:
        object_ = todo.pop()
        if object_ in seen:
            continue  # a member may say that each of two replaces the other
        seen.add(object_)
        yield object_
        same = "object = ? AND case_id = ? AND node = ?"
        for one in rows(engine, same, object_, row.case, row.statement.node):
            todo += _above(one)


def _above(row: Row) -> list[bytes]:
    cover = row.opened_cover
    part = row.statement.file or (cover is not None and cover.type == "Correction")
    of = row.statement.reply_to if part else None
    return [object_ for object_ in (row.superseded_by, of) if object_ is not None]


def corrected_in(engine: Engine, row: Row) -> list[Row]:
    """Return the corrections of a message that were not taken back, the oldest first."""
    replies = "reply_to = ? AND case_id = ? AND node = ? AND cover IS NOT NULL AND NOT file"
    # Nobody corrects what another said; and a correction that was taken back is none.
    found = rows(engine, replies, row.object, row.case, row.statement.node)
    return [
        one
        for one in found
        if (cover := one.opened_cover) is not None
        and cover.type == "Correction"
        and recall_of(engine, one) is None
    ]


def _withdraws(row: Row) -> bool:
    cover = row.opened_cover
    return cover is not None and cover.act == Act.WITHDRAW


def require_in_use(engine: Engine, row: Row) -> None:
    """Check that another node's object was not taken back; one's own words stay readable.

    Raises:
        RefusedError: rule ``recalled``.
    """
    back = recall_of(engine, row)
    if back is None or row.statement.node == engine.node:
        return
    name = ref_of(engine, row)
    raise RefusedError(
        f"{row.statement.node} took {name} back ({ref_of(engine, back)}): it must not be used. "
        f"`seefen erase {name}` erases it here and confirms that",
        rule="recalled",
    )


def terms_of(row: Row) -> dict[str, Any]:
    """Return under which terms an answer to an object goes: those of the object.

    Its TLP mark and its conditions are known where it is open here. H3 means conditions in
    words; where they are not, the answer is H2.
    """
    message, handling = row.message, row.statement.handling
    if message is None:
        return {"handling": min(handling, "H2")}
    handling = handling if message.conditions else min(handling, "H2")
    return {"handling": handling, "conditions": message.conditions, "tlp": message.tlp}


def require_newest(engine: Engine, row: Row) -> None:
    """Check that an object was not replaced by a newer version.

    Raises:
        OutOfTurnError: rule ``replaced``; names the newer one.
    """
    if row.superseded_by is not None:
        newer = rows(engine, "object = ?", row.superseded_by)
        name = ref_of(engine, newer[0]) if newer else "a newer version"
        raise OutOfTurnError(
            f"{ref_of(engine, row)} was replaced by {name}: take that", rule="replaced"
        )


def ref_of(engine: Engine, row: Row) -> str:
    """Return the reference of an object."""
    return f"{engine.name_of(engine.trust.require_state(row.case))}#{row.n}"


def step_at(engine: Engine, object_: bytes, node: str, step: str) -> int | None:
    """Return when an object reached a step at a node."""
    sql = "SELECT at FROM step WHERE object = ? AND node = ? AND step = ?"
    row = engine.vault.one(sql, object_, node, step)
    return None if row is None else int(row[0])


def state_of(engine: Engine, row: Row) -> str:
    """Return how far an object got at the node it got least far, or how far we got with it."""
    obj = row.statement
    if obj.node != engine.node:
        # A body that came under a watch is here before anybody has looked at it.
        read = engine.vault.get(f"step/read/{row.object.hex()}") is not None
        return "read" if read else "delivered"
    state = engine.trust.require_state(row.case)
    others = state.covered(obj.gen, engine.directory) - {obj.node}
    for step in ("read", "delivered"):
        if others and all(step_at(engine, row.object, node, step) for node in others):
            return step
    return "witnessed" if engine.witnessed.covers(row.index) else "recorded"


def clock_s(cover: Cover, node: str, start: int, flash: Row | None) -> int:
    """Return the seconds from ``start`` in which an answer of a node is expected."""
    due_s = cover.due_of(node)
    if flash is None:
        return due_s
    # From its confirmation on, if that ends sooner; a node that had it later has the whole time.
    return min(due_s, CLOCKS["alert"]["FLASH"] + max(0, flash.at - start))


def _due_at(cover: Cover | None, node: str, start: int, flash: Row | None) -> int | None:
    return start + clock_s(cover, node, start, flash) if cover and cover.due_s else None


def _ref(engine: Engine, object_: bytes | None) -> str:
    found = rows(engine, "object = ?", object_) if object_ else []
    return ref_of(engine, found[0]) if found else ""
