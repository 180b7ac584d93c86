"""Pushes: what the broker sends unasked, judged like everything else.

A push that fits what is known is taken in at once; one that does not makes the client
fetch what it missed. Every arrival from another node is acknowledged as delivered.
"""

import asyncio
import contextlib
from typing import Final

from seefen.client.connection import UnreachableError
from seefen.client.engine import Engine
from seefen.client.reading import Reader
from seefen.client.trust import Taken
from seefen.client.values import Event
from seefen.client.views import Row, object_view, rows
from seefen.client.watching import Watch
from seefen.protocol.encoding import decode
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import OutOfTurnError, SeefenError, UntrustedError
from seefen.protocol.frames import Frame, Push
from seefen.protocol.statements import Ack, Activity, Object

LIMIT: Final = 1 << 23


class Pushes:
    """Takes pushes in, one after the other, and tells what happened."""

    def __init__(self, engine: Engine, reader: Reader, watch: Watch) -> None:
        self._engine = engine
        self._reader = reader
        self._watch = watch
        self._frames: asyncio.Queue[Frame] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._to_acknowledge: list[bytes] = []
        self.queue: asyncio.Queue[Event] = asyncio.Queue(10_000)

    def start(self) -> None:
        """Begin; objects that arrived in an earlier life are acknowledged again."""
        self._engine.arrived = self._arrived
        self._to_acknowledge = [
            row.object for row in rows(self._engine, "cover IS NOT NULL") if self._needs_ack(row)
        ]
        self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def take(self, frame: Frame) -> None:
        """Take a frame from the socket."""
        self._frames.put_nowait(frame)

    def tell(self, what: str, text: str, case: str = "", ref: str = "") -> None:
        """Put an event into the queue; the oldest goes when nobody reads it."""
        if self.queue.full():
            self.queue.get_nowait()
        self.queue.put_nowait(Event(self._engine.now(), what, case, ref, text))

    async def acknowledge(self) -> None:
        """Acknowledge what arrived; the engine's lock must be held."""
        while self._to_acknowledge:
            for row in rows(self._engine, "object = ?", self._to_acknowledge[0]):
                if row.cover is not None:
                    await self._reader.acknowledge(row, "delivered")
            self._to_acknowledge.pop(0)

    async def _work(self) -> None:
        while True:
            frame = await self._frames.get()
            try:
                async with self._engine.lock:
                    await self._handle(frame)
                    await self.acknowledge()
            except UnreachableError:
                continue
            except SeefenError as err:
                self._engine.alarm(str(err))
                self.tell("alarm", str(err))

    async def _handle(self, frame: Frame) -> None:
        if frame.verb == "authority":
            await self._engine.sync_authority()
        elif frame.verb == "push":
            await self._take_push(decode(frame.body, Push, limit=LIMIT))
        elif frame.verb in ("alarm", "bye"):
            self.tell(frame.verb, "the broker says good-bye")

    async def _take_push(self, push: Push) -> None:
        engine = self._engine
        signed = await engine.trust.accept(
            "activity", push.checkpoint, push.consistency, engine.prove
        )
        if not await self._in_step(push):
            await engine.sync()
        else:
            with engine.vault.change():
                taken = engine.take_item(push.item, signed.checkpoint)
            if taken is not None:
                self._arrived(taken)
        row = self._watch.take_release(push, signed.checkpoint)
        if row is not None:
            view = object_view(engine, row)
            self.tell("opened", view.subject, view.case, view.ref)

    async def _in_step(self, push: Push) -> bool:
        """Tell whether a push follows what is known, so that nothing lies between."""
        engine = self._engine
        statement = open_envelope(push.item.envelope, push.item.kind).statement
        if not isinstance(statement, Activity):
            raise UntrustedError("a push about nothing", rule="push")
        if statement.authority.size > engine.directory.size:
            await engine.sync_authority()
        state = engine.trust.state(statement.case)
        if state is None:
            return False
        try:
            engine.directory.root_at(statement.authority.size)
        except OutOfTurnError:
            return False
        return state.last(statement.device).case_n + 1 == statement.case_n

    def _arrived(self, taken: Taken) -> None:
        statement = taken.opened.statement
        if isinstance(statement, Object):
            for row in rows(self._engine, "object = ?", statement.object):
                if self._needs_ack(row):
                    self._to_acknowledge.append(row.object)
                view = object_view(self._engine, row)
                self.tell("arrived", view.subject, view.case, view.ref)
        elif isinstance(statement, Ack):
            for row in rows(self._engine, "object = ?", statement.object):
                view = object_view(self._engine, row)
                self.tell(statement.step, f"{statement.node}: {view.subject}", view.case, view.ref)

    def _needs_ack(self, row: Row) -> bool:
        done = self._engine.vault.get(f"step/delivered/{row.object.hex()}")
        return row.cover is not None and row.statement.node != self._engine.node and done is None
