"""What people send: messages of every form, with their files; and how far each got."""

from collections.abc import Callable, Sequence
from dataclasses import replace as replaced
from typing import Final, Protocol, TypeVar

from msgspec.structs import replace

from seefen.client import describing, originals, previews
from seefen.client.casework import Casework
from seefen.client.drafts import Attached, Draft
from seefen.client.dues import expired
from seefen.client.engine import Engine
from seefen.client.expiring import is_expired
from seefen.client.outbox import Outbox, Progress
from seefen.client.values import ObjectView, OwnAlert, Reach, Sent
from seefen.client.views import (
    Row,
    answer_of,
    object_view,
    recall_of,
    ref_of,
    row_of,
    rows,
    step_at,
)
from seefen.protocol.case import CaseState
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import (
    TABLES,
    Message,
    Note,
    Paper,
    SeizureAlert,
    decode_cover,
    saying,
)

M = TypeVar("M", bound=Message)
TOLD: Final = 2 * 86_400  # seconds in which an own alert without an answer stands in `due`
_OWN: Final = (
    "at > ? AND node = ? AND cover IS NOT NULL AND NOT file AND superseded_by IS NULL"
    " AND instr(cover, ?)"
)


class Fill(Protocol):
    """Fills in what the writer of a message left."""

    def __call__(self, message: M, about: bytes | None = None, /) -> M:
        """Return it filled in."""
        ...


def _as_it_is(message: M, _about: bytes | None = None, /) -> M:
    return message


def _anything(_nodes: Sequence[str], _message: Message) -> None:
    """Let anything go anywhere; the client puts the pair policy here."""


def _usual(_nodes: Sequence[str], _message: Message) -> dict[str, int]:
    return {}


def silent(name: str, done: int, total: int) -> None:
    """Report no progress."""


class Messaging:
    """Puts messages and files into the outbox and sends what waits there."""

    def __init__(self, engine: Engine, outbox: Outbox, casework: Casework) -> None:
        self._engine = engine
        self._outbox = outbox
        self._casework = casework
        self.fill: Fill = _as_it_is
        self.permit: Callable[[Sequence[str], Message], None] = _anything
        self.clocks: Callable[[Sequence[str], Message], dict[str, int]] = _usual

    async def send(
        self,
        state: CaseState,
        message: Message,
        files: Attached = (),
        *,
        reply_to: bytes | None = None,
        supersedes: bytes | None = None,
        original: bool = False,
        progress: Progress = silent,
        expires: int = 0,
        form: str = "",
    ) -> Sent:
        """Send a message first and small; its files follow as objects of their own.

        Photographs are cleaned of what they say about place and device, unless ``original``.
        What the message leaves open is filled in with the node's presets.

        Args:
            expires: Until when it matters, in Unix seconds; 0: always.
            form: Under which name it was kept half-filled: that is gone once it waits.

        Raises:
            RefusedError: rule ``persons-in-channel``, or ``outsider``: a node that is named
                could not read it; ``pair-policy``: a member may not read it.
        """
        engine = self._engine
        if isinstance(message, Paper) and not self._casework.is_house(state):
            raise RefusedError(f"{message.TYPE} is a paper of your node's house", rule="paper")
        message = _leaving(self.fill(message, reply_to))
        _check_addressees(state, message, engine.node)
        self.permit(state.members, message)
        # Before the lock: who holds it may wait for a line that is dead.
        id_ = self._outbox.add_message(
            state.case,
            self._dated(message),
            reply_to=reply_to,
            supersedes=supersedes,
            attach=files,
            original=original,
            clocks=self.clocks(state.members, message),
            expires=expires,
            form=form,
        )
        draft = self._outbox.draft(id_)
        if engine.lock.locked() or not engine.connection.is_open:
            engine.vault.sync()  # it waits: an officer who hears that may go home
        async with engine.lock:
            # The message leaves before its files are even sealed: it may be urgent.
            first = self._result(await self._outbox.flush(), draft)
            engine.vault.sync()  # also when nothing could leave
        if not files:
            return first
        problem = await self._outbox.prepare(progress)
        async with engine.lock:
            more = await self._outbox.flush()
        if problem is not None:
            # Whoever reads only that something was refused sends it all a second time.
            raise RefusedError(
                f"{first.ref or 'the message'} leaves without one of its files: {problem}",
                rule="left-out",
            )
        return replaced(first, files=self._files_of(draft.object, more))

    def _files_of(self, message: bytes, flushed: list[Sent]) -> tuple[Sent, ...]:
        """Return what became of the files of a message, whoever brought them on their way.

        What keeps the line alive sends what waits, too: who sent 650 is told of 650. Previews are
        parts of their photographs.
        """
        engine = self._engine
        why = next((one.problem for one in flushed if one.problem), None)
        recorded = [
            Sent(
                ref_of(engine, row),
                queued=False,
                problem=None,
                size=row.statement.body_size + len(row.cover or b""),
                index=row.index,
                recorded_at=row.at,
                remark=describing.remark(row.body or b""),
            )
            for row in rows(engine, "reply_to = ? AND file AND node = ?", message, engine.node)
            if not previews.is_one(row.opened_cover)
        ]
        waiting = [
            Sent(
                None,
                queued=True,
                problem=problem or why,
                size=draft.body_size,
                remark=describing.remark(draft.plain),
            )
            for _, draft, problem in self._outbox.waiting()
            if draft.file and draft.reply_to == message
            if not previews.is_one(decode_cover(draft.cover))
        ]
        return (*recorded, *waiting)

    def moment(self, seconds: int) -> int:
        """Return the time so many seconds from now by this machine's clock; 0 stays 0."""
        return self._engine.now() + seconds if seconds else 0

    def alerts(self) -> list[ObjectView]:
        """Return all alerts this device knows, the newest first."""
        found = [
            object_view(self._engine, row)
            for state in self._casework.states("channel")
            for row in rows(self._engine, "case_id = ?", state.case)
            if (cover := row.opened_cover) is not None and cover.type == "SeizureAlert"
        ]
        return sorted(found, key=lambda view: (view.recorded_at, view.number), reverse=True)

    def expired(self) -> list[ObjectView]:
        """Return alerts that expired in the last week before the own node had answered."""
        return expired(self._engine)

    def reach(self, ref: tuple[CaseState, int]) -> list[Reach]:
        """Return, node by node, how far an object got, and who was not reached."""
        state, number = ref
        engine = self._engine
        row = row_of(engine, state, number)
        obj = row.statement
        generation = state.generations[obj.gen - 1]
        left_out = {left.who: left.reason for left in generation.statement.left_out}
        covered = state.covered(obj.gen, engine.directory)
        return [
            self._reach(row, node, left_out.get(node))
            for node in sorted(covered | left_out.keys())
            if node != obj.node
        ]

    def unanswered(self) -> list[OwnAlert]:
        """Return alerts of the own node that not every node has answered, for two days."""
        engine, since = self._engine, self._engine.now() - TOLD
        found = rows(engine, _OWN, since, engine.node, SeizureAlert.TYPE.encode())
        return [one for row in found if (one := self._unanswered(row)) is not None]

    def is_unanswered(self, row: Row) -> bool:
        """Tell the same of one object, however old it is."""
        ours = row.statement.node == self._engine.node and row.superseded_by is None
        return ours and self._unanswered(row) is not None

    def _unanswered(self, row: Row) -> OwnAlert | None:
        engine, cover = self._engine, row.opened_cover
        if cover is None or cover.type != SeizureAlert.TYPE:
            return None
        if is_expired(engine, row.statement, cover) or recall_of(engine, row):
            return None
        reach = tuple(self.reach((engine.trust.require_state(row.case), row.n)))
        if all(one.answer is not None for one in reach):
            return None
        return OwnAlert(ref_of(engine, row), reach, cover.exercise)

    async def note_from_alert(self, state: CaseState, row: Row) -> Sent:
        """Write the first note of a case: from which alert it was opened, under its terms.

        Not what the alert says, nor its conditions, nor who sent it: whoever is a member here
        need not have it, and whether he may is asked where it is forwarded. Unread, it may be
        under the strictest mark.
        """
        ref, message = ref_of(self._engine, row), row.message
        handling = row.statement.handling
        bound = handling == "H3" or (message is not None and message.conditions)
        note = Note(
            text=f"Opened from alert {ref}.",
            exercise=row.is_exercise,
            handling=handling,
            conditions=f"Those of {ref}." if bound else "",
            tlp=next(iter(TABLES["tlp"])) if message is None else message.tlp,
        )
        return await self.send(state, saying(note, "handling", "tlp"))

    def _reach(self, row: Row, node: str, left_out: str | None) -> Reach:
        engine = self._engine
        answer, by, at = answer_of(engine, row, node)
        return Reach(
            node=node,
            recorded_at=row.at,
            delivered_at=step_at(engine, row.object, node, "delivered"),
            read_at=step_at(engine, row.object, node, "read"),
            answer=answer,
            answered_by=by,
            answered_at=at,
            left_out=left_out,
            exercise=row.is_exercise,
        )

    def _result(self, sent: list[Sent], draft: Draft) -> Sent:
        for _, waiting, problem in self._outbox.waiting():
            if waiting.object == draft.object:
                why = problem or next((one.problem for one in sent if one.problem), None)
                return Sent(None, queued=True, problem=why, size=waiting.body_size)
        return self._outbox.recorded(draft)  # also where another has sent it meanwhile

    def _dated(self, message: M) -> M:
        return message if message.created_at else replace(message, created_at=self._engine.now())


def _leaving(message: Message) -> Message:
    """Return a message as it leaves: nobody makes an alert ring alone."""
    return message.leaving() if isinstance(message, SeizureAlert) else message


def _check_addressees(state: CaseState, message: Message, own: str) -> None:
    if state.form == "channel" and getattr(originals.inner(message), "persons", None):
        # All members of a channel read everything in it, whomever a message names.
        raise RefusedError(
            "persons are named in cases only: open one, `seefen case open --from-alert`",
            rule="persons-in-channel",
        )
    if own in message.asked():
        raise RefusedError("your own node is asked: leave it out of `to`", rule="own")
    outside = [node for node in message.asked() if node not in state.members]
    if outside:
        raise RefusedError(
            f"{', '.join(outside)} is no member here and could not read it: "
            f"`seefen case add {state.number} {outside[0]}` first",
            rule="outsider",
        )
    others = set(state.members) - {own, *message.asked()}
    if message.CLOSED and (others or state.form == "channel"):
        named = "" if state.form == "channel" else f", or name {', '.join(sorted(others))} in `to`"
        raise RefusedError(
            f"a {message.TYPE} goes to a closed group, and every member reads it: "
            f"open a case with nobody else in it{named}",
            rule="closed-group",
        )
