"""The queue: what waits in the outbox, why, and taking it back before it leaves.

What has left is recalled or corrected. What was on its way when the line broke may have left: it
is neither dropped nor called sent until its receipt or refusal is here. Numbers and order are
given when something leaves, so what is dropped leaves no gap behind.

A preview is part of its photograph here: it is counted with it, and goes with it.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import PurePath
from typing import Final, TypeAlias

from seefen.client import previews
from seefen.client.drafts import Attachment, Draft, sayable
from seefen.client.engine import Engine
from seefen.client.outbox import Outbox
from seefen.client.sender import Sender
from seefen.client.urgent import emergency_of, urgent_of
from seefen.client.values import Sent
from seefen.client.views import Row, recall_of, ref_of, rows
from seefen.protocol.encoding import encode
from seefen.protocol.errors import OutOfTurnError, RefusedError
from seefen.protocol.messages import (
    EmergencyAsk,
    EmergencyOpened,
    EmergencyRefused,
    FileNote,
    Form,
    decode_cover,
    decode_message,
)

WAITS: Final = "waits"  # nothing of it has left
KEPT_BACK: Final = "kept-back"  # the last try was refused, and why stands beside it
MAY_HAVE_LEFT: Final = "may-have-left"  # it was sent, and no receipt came
DIGITS: Final = 8  # of an id, as for devices


@dataclass(frozen=True, slots=True)
class WaitingView:
    """A message that waits with its files, or a file whose message has left.

    Attributes:
        id: What it is dropped by; its start does.
        what: The type of the message; ``FileNote`` of a file.
        subject: As its cover says it; of a file its name.
        made_at: In Unix seconds.
        size: Of what is sealed; of what is not sealed yet, 0.
        files: How many follow it.
        state: ``waits``, ``kept-back``, or ``may-have-left``.
        problem: Why the last try was refused, or empty.
        of: Of a file, the message that it belongs to, which has left; else empty.
        preview: Of a photograph, its preview, which has left and was not recalled; else empty.
    """

    id: str
    what: str
    case: str
    subject: str
    made_at: int
    size: int
    files: int
    state: str
    problem: str
    of: str = ""
    preview: str = ""


@dataclass(frozen=True, slots=True)
class _Piece:
    """What waits under one id: its drafts and attachments, of a photograph with its preview.

    ``shows``: which photograph it is or shows, by its hash; by its path while it is not sealed.
    """

    id: str
    of: bytes
    name: str
    drafts: tuple[tuple[int, Draft, str | None], ...] = ()
    attached: tuple[tuple[int, Attachment], ...] = ()
    preview: bool = False
    shows: bytes = b""

    @property
    def problem(self) -> str:
        """Why the last try was refused."""
        return next((problem for _, _, problem in self.drafts if problem), "")

    @property
    def size(self) -> int:
        """Of what is sealed of it."""
        return sum(draft.body_size for _, draft, _ in self.drafts)

    @property
    def objects(self) -> set[bytes]:
        """What is sealed of it."""
        return {draft.object for _, draft, _ in self.drafts}


Views: TypeAlias = list[WaitingView]
All: TypeAlias = list[Sent]
_Found: TypeAlias = tuple[WaitingView, tuple[_Piece, ...]]


class Queue:
    """Lists what waits in the outbox, and takes it back."""

    def __init__(self, engine: Engine, outbox: Outbox, sender: Sender) -> None:
        self._engine = engine
        self._outbox = outbox
        self._sender = sender

    def list(self) -> Views:
        """Return what waits, in the order in which it was written."""
        return [view for view, _ in self._all()]

    def sent(self) -> All:
        """Return the same as what became of each, files apart, with the last problem of each."""
        return [
            Sent(None, queued=True, problem=piece.problem or None, size=piece.size)
            for _, pieces in self._all()
            for piece in pieces
        ]

    def find(self, id_: str) -> WaitingView:
        """Return what waits under an id, if it can be dropped; see :meth:`drop`."""
        return self._droppable(id_)[0]

    async def drop(self, id_: str) -> WaitingView:
        """Take back what has not left, with its files: it never leaves.

        A preview that left before its photograph stays; ``preview`` of the view names it.

        Raises:
            RefusedError: rule ``unknown-waiting``; ``stays``: it tells of an emergency.
            OutOfTurnError: rule ``has-left``, which names it; ``may-have-left``.
        """
        async with self._engine.lock:  # nothing leaves between the look and the end
            view, pieces = self._droppable(id_)
            self._outbox.drop(
                [number for piece in pieces for number, _, _ in piece.drafts],
                [number for piece in pieces for number, _ in piece.attached],
            )
            self._forget(pieces[0])  # after it: what may leave yet is known as an emergency's
            return view

    def _forget(self, piece: _Piece) -> None:
        """Let an officer ask again for a case that he asked for in an emergency and dropped."""
        for _, draft, _ in piece.drafts:
            message = decode_message(draft.plain)
            if isinstance(message, EmergencyAsk):
                for name in (emergency_of(message.case), urgent_of(message.case)):
                    self._engine.vault.run("DELETE FROM setting WHERE name = ?", name)

    def _droppable(self, id_: str) -> _Found:
        found = [one for one in self._all() if one[1][0].id.startswith(id_)]
        if len(found) > 1:
            raise RefusedError(f"several begin with {id_}: more digits", rule="unknown-waiting")
        if not found:
            raise self._unknown(id_)
        view, pieces = found[0]
        if view.state == MAY_HAVE_LEFT:
            raise OutOfTurnError(
                f"{view.id} may have left: it was sent, and no receipt has come. "
                "It cannot be dropped any more",
                rule="may-have-left",
            )
        if view.what in (EmergencyOpened.TYPE, EmergencyRefused.TYPE):
            raise RefusedError(
                f"{view.id} answers a colleague's emergency: it must leave", rule="stays"
            )
        return view, pieces

    def _unknown(self, id_: str) -> RefusedError | OutOfTurnError:
        """Return why nothing is dropped: it has left, or never was."""
        ours = "node = ? AND substr(lower(hex(object)), 1, ?) = ?"
        left = rows(self._engine, ours, self._engine.node, len(id_), id_)
        mine = [row for row in left if row.statement.device == self._engine.keys.device]
        if not mine:
            return RefusedError(f"nothing that waits begins with {id_}", rule="unknown-waiting")
        return OutOfTurnError(
            f"it has left, as {ref_of(self._engine, mine[0])}: it cannot be dropped any more",
            rule="has-left",
        )

    def _all(self) -> Iterator[_Found]:
        drafts, sent = [*self._waiting()], self._sender.on_its_way
        files = _together([*_sealed(drafts), *_unsealed(self._outbox.attachments())])
        messages = {draft.object for _, draft, _ in drafts if not draft.file}
        for one in drafts:
            draft = one[1]
            if not draft.file:
                own = [file for file in files if file.of == draft.object]
                piece = _Piece(draft.object.hex(), b"", "", (one,))
                yield self._message(piece, draft, own, sent), (piece, *own)
        for file in files:
            if file.of not in messages:
                yield self._file(file, sent), (file,)

    def _waiting(self) -> Iterator[tuple[int, Draft, str | None]]:
        """Yield the drafts that have not left.

        A process may have been killed between a receipt and the end of its draft: what stands in
        the log waits no more, and who dropped it would hear that it never left.
        """
        for one in self._outbox.waiting():
            if not self._engine.vault.one("SELECT 1 FROM object WHERE object = ?", one[1].object):
                yield one

    def _message(
        self, piece: _Piece, draft: Draft, own: Sequence[_Piece], sent: set[bytes]
    ) -> WaitingView:
        cover = decode_cover(draft.cover)
        return WaitingView(
            id=piece.id[:DIGITS],
            what=cover.type,
            case=self._case(draft.case),
            subject=cover.subject,
            made_at=draft.created_at,
            size=piece.size + sum(file.size for file in own),
            files=len(own),
            state=_state(piece, sent),
            problem=piece.problem,
        )

    def _file(self, file: _Piece, sent: set[bytes]) -> WaitingView:
        of = next(iter(rows(self._engine, "object = ?", file.of)), None)
        case = next((d.case for _, d, _ in file.drafts), None)
        case = case or file.attached[0][1].case
        return WaitingView(
            id=file.id[:DIGITS],
            what=FileNote.TYPE,
            case=self._case(case),
            subject=file.name,
            made_at=0 if of is None else of.statement.created_at,
            size=file.size,
            files=0,
            state=_state(file, sent),
            problem=file.problem,
            of="" if of is None else ref_of(self._engine, of),
            preview=self._left(file),
        )

    def _left(self, file: _Piece) -> str:
        """Return the reference of the preview of a photograph that waits, if it has left."""
        for row in rows(self._engine, "reply_to = ? AND file", file.of):
            # Anybody may refer to ours.
            ours = row.statement.device == self._engine.keys.device
            note = self._said(row) if ours else None
            if not isinstance(note, FileNote) or not note.preview_of:
                continue
            same = _shows(_described(row.object, file.of, note), file)
            if same and recall_of(self._engine, row) is None:
                return ref_of(self._engine, row)
        return ""

    def _said(self, row: Row) -> Form | None:
        """Return what an own object says, also where its draft was not brought to its end."""
        if row.body is not None:
            return row.message
        drafts = (draft for _, draft, _ in self._outbox.waiting())
        return next((decode_message(one.plain) for one in drafts if one.object == row.object), None)

    def _case(self, case: bytes) -> str:
        return self._engine.name_of(self._engine.trust.require_state(case))


def _state(piece: _Piece, sent: set[bytes]) -> str:
    if piece.objects & sent:
        return MAY_HAVE_LEFT
    return KEPT_BACK if piece.problem else WAITS


def _sealed(drafts: Sequence[tuple[int, Draft, str | None]]) -> Iterator[_Piece]:
    for one in drafts:
        draft = one[1]
        note = decode_message(draft.plain) if draft.file else None
        if isinstance(note, FileNote):
            of = draft.reply_to or b""
            yield replace(_described(draft.object, of, note), drafts=(one,))


def _described(object_: bytes, of: bytes, note: FileNote) -> _Piece:
    shows = note.preview_of or note.sha256
    return _Piece(object_.hex(), of, note.name, preview=bool(note.preview_of), shows=shows)


def _unsealed(attachments: Sequence[tuple[int, Attachment]]) -> Iterator[_Piece]:
    for one in attachments:
        number, kept = one
        name = sayable(PurePath(os.fsdecode(kept.path)).name)
        name = previews.name_of(name) if kept.preview else name
        # It has no object yet; another after it is sealed, when nobody holds it to be this one.
        id_ = sha256(encode([number, encode(kept)])).hexdigest()
        yield _Piece(id_, kept.of, name, (), (one,), preview=kept.preview, shows=kept.path)


def _shows(small: _Piece, file: _Piece) -> bool:
    """Tell whether a preview is that of a file: two of one alert may have one name.

    Where one of both is not sealed yet, its name must do.
    """
    named = (small.of, small.name) == (file.of, previews.name_of(file.name))
    either = bool(small.attached) != bool(file.attached)
    return named and (either or small.shows == file.shows)


def _together(files: Sequence[_Piece]) -> list[_Piece]:
    """Return files, each preview as a part of its photograph, where that waits too."""
    found: list[_Piece] = []
    small = [file for file in files if file.preview]
    for file in files:
        if file.preview:
            continue
        mine = next((one for one in small if _shows(one, file)), None)
        if mine is not None:
            small.remove(mine)
            drafts, attached = (*file.drafts, *mine.drafts), (*file.attached, *mine.attached)
            file = replace(file, drafts=drafts, attached=attached)
        found.append(file)
    return [*found, *small]
