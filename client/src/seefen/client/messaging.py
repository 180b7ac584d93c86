"""What people do: alerts, requests, notes, files; and what waits for an answer."""

from dataclasses import replace as replaced
from pathlib import Path
from typing import Final, TypeVar

from msgspec.structs import replace

from seefen.client.casework import Casework
from seefen.client.engine import Engine
from seefen.client.outbox import Outbox, Progress
from seefen.client.values import DueView, ObjectView, Reach, Sent
from seefen.client.views import Row, answer_of, object_view, row_of, rows, step_at
from seefen.protocol.case import CaseState
from seefen.protocol.errors import RefusedError
from seefen.protocol.messages import Answer, Message, Note, TraceReply

REPLIED: Final = ("TraceRequest",)  # answered by a message of its own
M = TypeVar("M", bound=Message)


def silent(name: str, done: int, total: int) -> None:
    """Report no progress."""


class Messaging:
    """Puts messages and files into the outbox and sends what waits there."""

    def __init__(self, engine: Engine, outbox: Outbox, casework: Casework) -> None:
        self._engine = engine
        self._outbox = outbox
        self._casework = casework

    async def send(
        self,
        state: CaseState,
        message: Message,
        files: tuple[Path, ...] = (),
        *,
        reply_to: bytes | None = None,
        progress: Progress = silent,
    ) -> Sent:
        """Send a message first and small; its files follow as objects of their own."""
        engine = self._engine
        async with engine.lock:
            dated = self._dated(message)
            draft = self._outbox.add_message(state.case, dated, reply_to=reply_to, attach=files)
            # The message leaves before its files are even sealed: it may be urgent.
            first = self._result(await self._outbox.flush(), draft)
            engine.vault.sync()  # also when nothing could leave
        if not files:
            return first
        problem = await self._outbox.prepare(progress)
        async with engine.lock:
            more = await self._outbox.flush()
        if problem is not None:
            raise problem
        return replaced(first, files=tuple(more))

    async def answer(self, ref: tuple[CaseState, int], answer: str, cause: str) -> Sent:
        """Answer an alert or request: taken, passed on, not ours, rejected."""
        state, number = ref
        row = row_of(self._engine, state, number)
        if row.statement.node == self._engine.node:
            raise RefusedError("this is your own node's message", rule="own")
        message = Answer(answer=answer, of=row.object, cause=cause, handling=row.statement.handling)
        return await self.send(state, message, reply_to=row.object)

    async def reply(
        self,
        ref: tuple[CaseState, int],
        reply: TraceReply,
        files: tuple[Path, ...],
        progress: Progress,
    ) -> Sent:
        """Answer a trace request.

        Raises:
            RefusedError: It is not a trace request of another node.
        """
        state, number = ref
        row = row_of(self._engine, state, number)
        cover = row.opened_cover
        if cover is None or cover.type != "TraceRequest":
            raise RefusedError(f"{state.number}#{number} is no trace request", rule="no-request")
        if row.statement.node == self._engine.node:
            raise RefusedError("this is your own node's request", rule="own")
        return await self.send(state, reply, files, reply_to=row.object, progress=progress)

    def alerts(self) -> list[ObjectView]:
        """Return all alerts this device knows, the newest first."""
        found = [
            object_view(self._engine, row)
            for state in self._casework.states("channel")
            for row in rows(self._engine, "case_id = ?", state.case)
            if (cover := row.opened_cover) is not None and cover.type == "SeizureAlert"
        ]
        return sorted(found, key=lambda view: view.recorded_at, reverse=True)

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

    def due(self) -> list[DueView]:
        """Return what waits for an answer of the own node, the most urgent first."""
        engine = self._engine
        waiting: list[DueView] = []
        asked = "cover IS NOT NULL AND superseded_by IS NULL AND node <> ? AND NOT file"
        for row in rows(engine, asked, engine.node):
            cover = row.opened_cover
            if cover is None or not cover.due_s:
                continue
            view = object_view(engine, row)
            if view.answer and not (view.answer == "taken" and cover.type in REPLIED):
                continue  # what was taken waits for the reply itself
            waiting.append(
                DueView(
                    view.ref,
                    view.case,
                    view.type,
                    view.sender,
                    view.due_at,
                    view.urgency,
                    view.answer or "free",
                    view.answered_by,
                    view.subject,
                    view.handling,
                )
            )
        return sorted(waiting, key=lambda view: view.due_at or 0)

    async def note_from_alert(self, state: CaseState, alert: ObjectView) -> Sent:
        """Write the first note of a case: the alert it grew out of."""
        text = f"Opened from alert {alert.ref} of {alert.sender}: {alert.subject}"
        return await self.send(state, Note(text=text, handling=alert.handling))

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
        )

    def _result(self, sent: list[Sent], draft: int) -> Sent:
        for number, waiting, problem in self._outbox.waiting():
            if number == draft:
                self._engine.vault.sync()  # an officer who hears that it waits may go home
                why = problem or next((one.problem for one in sent if one.problem), None)
                return Sent(None, queued=True, problem=why, size=waiting.body_size)
        return sent[-1]

    def _dated(self, message: M) -> M:
        return message if message.created_at else replace(message, created_at=self._engine.now())
