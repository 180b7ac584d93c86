"""Exports: what this device has opened, for other programs; covers of the rest.

An export is a reading. What is open in this shift is given under its entry; what was open in
an earlier one is opened again, with an entry of its own, if purpose and basis are stated.
What was never opened here stays closed, and what its author took back stays out.
"""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Final, TypeAlias, cast

from msgspec import Meta, Struct, to_builtins
from msgspec import json as msgspec_json

from seefen.client import previews
from seefen.client.casework import Casework
from seefen.client.connection import LoginError, UnreachableError
from seefen.client.engine import Engine
from seefen.client.reading import Reader
from seefen.client.redacting import without_persons
from seefen.client.values import CorrectionView, ObjectView, Opened, Read
from seefen.client.views import Row, object_view, recall_of, ref_of, row_of, rows
from seefen.protocol.case import CaseState
from seefen.protocol.errors import RefusedError, SeefenError
from seefen.protocol.messages import TABLES, to_json

FORMAT: Final = "seefen-export"
NOTICE: Final = (
    "Handling codes and conditions hold for this copy as for the original. It stands outside "
    "the vault: a recall does not reach it."
)
TAKEN_BACK: Final = "taken back by its author"
REPLACED: Final = "replaced by a newer version"
NOT_OPENED: Final = "never opened on this device"
SHIFT_OVER: Final = "opened in an earlier shift"
NOT_ACCEPTED: Final = "its conditions were not accepted"
_LINE: Final = 60  # characters of what stands for one field
_WHY: Final = {"purpose-needed": SHIFT_OVER, "conditions": NOT_ACCEPTED}

Seconds: TypeAlias = Annotated[int, Meta(description="unix seconds")]
Ref: TypeAlias = Annotated[str, Meta(description="CASE#number")]


class ExportedCorrection(Struct, frozen=True, kw_only=True):
    """What its author called wrong later. Both texts are empty where they are not open here.

    Without persons they are given where they are about the whole of an exported field.
    """

    ref: Ref
    recorded_at: Seconds
    was: str
    now: str


class ExportedMessage(Struct, frozen=True, kw_only=True):
    """A message whose body is open. ``message`` is the form, as ``seefen schema TYPE`` says.

    It says what was sent, also where ``corrections`` say that it was wrong, the oldest first.
    ``left_out_fields`` are the paths that were filled in and are not in ``message``.
    """

    ref: Ref
    type: str
    subject: str
    sender: str
    officer: str
    created_at: Seconds
    recorded_at: Seconds
    entry: Annotated[int, Meta(description="index in the log of the entry it was opened under")]
    handling: str
    handling_text: str
    conditions: str
    tlp: str
    evaluation: str
    exercise: bool
    reply_to: str
    left_out_fields: tuple[str, ...]
    message: dict[str, Any]
    original_of: Annotated[str, Meta(description="the node whose word it is, if forwarded")] = ""
    corrections: tuple[ExportedCorrection, ...] = ()


class ExportedCover(Struct, frozen=True, kw_only=True):
    """What a list shows of a message or file that is not open; ``why`` it is not."""

    ref: Ref
    type: str
    subject: str
    sender: str
    officer: str
    created_at: Seconds
    recorded_at: Seconds
    handling: str
    handling_text: str
    urgency: str
    file: bool
    size: int
    reply_to: str
    why: str
    exercise: bool = False


class LeftOut(Struct, frozen=True, kw_only=True):
    """A message or file that is not in the export, and with which other it was taken out."""

    ref: Ref
    why: str
    by: str


class Export(Struct, frozen=True, kw_only=True):
    """A case or channel, or one message of it, as one device has it."""

    format: str = FORMAT
    v: int = 1
    notice: str = NOTICE
    case: str
    network: str
    node: str
    officer: str
    exported_at: Seconds
    with_persons: bool
    messages: tuple[ExportedMessage, ...]
    covers: tuple[ExportedCover, ...]
    left_out: tuple[LeftOut, ...]


class Exporting:
    """Makes exports."""

    def __init__(self, engine: Engine, casework: Casework, reader: Reader, read: Read) -> None:
        self._engine = engine
        self._casework = casework
        self._reader = reader
        self._read = read

    async def make(
        self,
        name: str,
        *,
        with_persons: bool = False,
        purpose: str | None = None,
        basis: str | None = None,
        reason: str = "",
        accept: bool = False,
    ) -> Export:
        """Export a case or channel, or with ``CASE#n`` one message of it.

        Raises:
            RefusedError: rule ``unknown-case``, ``unknown-object``; for one message also
                ``recalled``, ``not-opened``, or why it does not open.
        """
        case, _, number = name.partition("#")
        state = self._casework.find(case)
        self._reader.remember(state.case, purpose, basis, reason)
        if number:
            row = row_of(self._engine, state, int(number))
            self._require(row)
            opened = await self._read(ref_of(self._engine, row), accept=accept)
            return self._export(state, with_persons, [self._message(opened, with_persons)])
        messages: list[ExportedMessage] = []
        covers: list[ExportedCover] = []
        left: list[LeftOut] = []
        for row in rows(self._engine, "case_id = ?", state.case):
            gone = self._left_out(row)
            if gone is not None:
                left.append(gone)
                continue
            if row.statement.file and previews.is_one(row.opened_cover):
                continue  # an export goes by the photograph
            opened_or_why = await self._opened(row, accept=accept)
            if isinstance(opened_or_why, str):
                exercise = self._is_exercise(row)
                covers.append(_cover(object_view(self._engine, row), opened_or_why, exercise))
            else:
                messages.append(self._message(opened_or_why, with_persons))
        return self._export(state, with_persons, messages, covers, left)

    def _require(self, row: Row) -> None:
        gone = self._left_out(row)
        if gone is not None and gone.why == TAKEN_BACK:
            raise RefusedError(
                f"{gone.ref} was taken back ({gone.by}): it is exported no more", rule="recalled"
            )
        if row.body is None and not row.statement.file:
            ref = ref_of(self._engine, row)
            raise RefusedError(
                f"{ref} was never opened here, and an export opens nothing new", rule="not-opened"
            )

    def _is_exercise(self, row: Row) -> bool:
        of = "object = ? AND case_id = ?"  # a file is as real as its message
        message = rows(self._engine, of, row.statement.reply_to, row.case)
        return (message[0] if row.statement.file and message else row).is_exercise

    def _left_out(self, row: Row) -> LeftOut | None:
        engine = self._engine
        back = recall_of(engine, row)
        if back is not None:
            return LeftOut(ref=ref_of(engine, row), why=TAKEN_BACK, by=ref_of(engine, back))
        view = object_view(engine, row) if row.superseded_by is not None else None
        if view is not None:
            return LeftOut(ref=view.ref, why=REPLACED, by=view.superseded_by)
        return None

    async def _opened(self, row: Row, *, accept: bool) -> Opened | str:
        if row.statement.file:
            return "a file: fetch it by itself"
        if row.body is None:
            return NOT_OPENED
        try:
            return await self._read(ref_of(self._engine, row), accept=accept)
        except (UnreachableError, LoginError):
            return f"{SHIFT_OVER}, and the broker does not open it again now"
        except SeefenError as err:
            return _WHY.get(err.rule) or str(err)

    def _message(self, opened: Opened, with_persons: bool) -> ExportedMessage:
        view, original = opened.view, opened.original
        # What was forwarded goes out as what it is, never as its seal and key.
        message = opened.message if original is None else original.message
        handling = message.handling if original is None else original.handling
        permitted = () if original is None else original.conditions
        fields: dict[str, Any] = json.loads(to_json(message))
        left: tuple[str, ...] = ()
        if not with_persons:
            fields, left = without_persons(type(message), fields)
        return ExportedMessage(
            ref=view.ref,
            type=message.TYPE,
            subject=view.subject,
            sender=view.sender,
            officer=view.officer,
            created_at=view.created_at,
            recorded_at=view.recorded_at,
            entry=opened.entry_index,
            handling=handling,
            handling_text=_handling_text(handling),
            conditions=" ".join(filter(None, (message.conditions, *permitted))),
            original_of="" if original is None else original.node,
            tlp=message.tlp,
            evaluation=f"{message.source_eval}{message.info_eval}",
            exercise=message.exercise,
            reply_to=view.reply_to,
            left_out_fields=left,
            message=fields,
            corrections=tuple(_corrected(one, fields, with_persons) for one in opened.corrections),
        )

    def _export(
        self,
        state: CaseState,
        with_persons: bool,
        messages: list[ExportedMessage],
        covers: list[ExportedCover] | None = None,
        left: list[LeftOut] | None = None,
    ) -> Export:
        engine = self._engine
        return Export(
            case=engine.name_of(state),
            network=engine.directory.root.name,
            node=engine.node,
            officer=engine.directory.device(engine.keys.device).officer,
            exported_at=engine.now(),
            with_persons=with_persons,
            messages=tuple(messages),
            covers=tuple(covers or ()),
            left_out=tuple(left or ()),
        )


def as_json(export: Export) -> str:
    """Return an export as a JSON document."""
    return json.dumps(to_builtins(export), ensure_ascii=False, indent=1) + "\n"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of :func:`as_json`."""
    made = msgspec_json.schema(Export)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": FORMAT, **made}


def _cover(view: ObjectView, why: str, exercise: bool) -> ExportedCover:
    return ExportedCover(
        ref=view.ref,
        type=view.type,
        subject=view.subject,
        sender=view.sender,
        officer=view.officer,
        created_at=view.created_at,
        recorded_at=view.recorded_at,
        handling=view.handling,
        handling_text=_handling_text(view.handling),
        urgency=view.urgency,
        file=view.file,
        size=view.size,
        reply_to=view.reply_to,
        why=why,
        exercise=exercise,
    )


def _corrected(
    one: CorrectionView, fields: dict[str, Any], with_persons: bool
) -> ExportedCorrection:
    # Its words are free text, which may name a person, unless they stand for one field.
    given = with_persons or (len(one.now) <= _LINE and one.was in set(_texts(fields)))
    was, now = (one.was, one.now) if given else ("", "")
    return ExportedCorrection(ref=one.ref, recorded_at=one.recorded_at, was=was, now=now)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in cast("dict[str, object]", value).values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _texts(item)


def _handling_text(code: str) -> str:
    return TABLES["handling"].get(code, "")
