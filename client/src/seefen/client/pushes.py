"""Pushes: what the broker sends unasked, judged like everything else.

A push that fits what is known is taken in at once; one that does not makes the client
fetch what it missed. Every arrival from another node is acknowledged as delivered.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

from seefen.client import copies, erasing, originals
from seefen.client.connection import UnreachableError
from seefen.client.engine import Engine
from seefen.client.expiring import is_expired
from seefen.client.house import House
from seefen.client.once import opened
from seefen.client.reading import Reader
from seefen.client.ringing import Ringing
from seefen.client.trust import Taken
from seefen.client.values import Event
from seefen.client.views import Row, object_view, ref_of, rows
from seefen.client.watching import Watch
from seefen.protocol.encoding import decode
from seefen.protocol.errors import RefusedError, SeefenError
from seefen.protocol.frames import Frame, Problem, Push
from seefen.protocol.messages import Cover
from seefen.protocol.messages.cover import EXERCISE
from seefen.protocol.statements import Ack, Assign, Object

LIMIT: Final = 1 << 23
ENDS: Final = {"Correction": "corrected", "Recall": "took back"}
LONGEST: Final = 10_000  # events that wait for somebody to read them
_END: Final = Event(0, "end", "", "", "")  # after it nobody is told anything
_SINCE: Final = (
    "SELECT kind, envelope FROM entry WHERE (idx > ? OR idx IN"
    " (SELECT CAST(substr(name, 6) AS INTEGER) FROM setting WHERE name GLOB 'late/*'))"
    " AND device <> ? AND envelope IS NOT NULL"
    " AND kind IN ('object', 'ack', 'assign') ORDER BY idx"
)
_TOLD: Final = "DELETE FROM setting WHERE name GLOB 'late/*'"


class Pushes:
    """Takes pushes in, one after the other, and tells what happened."""

    def __init__(
        self, engine: Engine, reader: Reader, watch: Watch, house: House, ringing: Ringing
    ) -> None:
        self._ringing = ringing
        self.followed = False  # somebody reads the events
        self.served = False  # a program's handlers run
        self.work = asyncio.Event()  # set when something came that a keyholder may act on
        self.stirs = 0  # how often it did, for who looks when it suits him
        self._engine = engine
        self._reader = reader
        self._watch = watch
        self._house = house
        self._frames: asyncio.Queue[Frame] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self.queue: asyncio.Queue[Event] = asyncio.Queue(LONGEST)
        self.news = asyncio.Event()  # set when objects came, for who looks into the vault itself
        self._uncompared: list[Row] = []  # opened while nobody followed: he is told first

    def start(self) -> None:
        """Begin."""
        self._engine.arrived = self._arrived
        self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    @property
    def stays(self) -> bool:
        """Whether this client stays: what it begins it also sees to its end."""
        return self.followed or self.served

    def _stir(self) -> None:
        self.stirs += 1
        self.work.set()

    def take(self, frame: Frame) -> None:
        """Take a frame from the socket."""
        self._frames.put_nowait(frame)

    def tell(self, what: str, text: str, case: str = "", ref: str = "") -> None:
        """Put an event into the queue; the oldest goes when nobody reads it."""
        self._put(Event(self._engine.now(), what, case, ref, text))

    def remind(self, reminders: Iterable[tuple[str, str]]) -> None:
        """Tell what somebody is reminded of; without a listener it stays due for the next one."""
        for text, ref in reminders if self.followed else ():
            self.tell("reminder", text, "", ref)

    def reached(self, *, before: bool) -> None:
        """Tell who follows that the broker answers again, if it did not ``before``."""
        if self.followed and not before:
            self.tell("back", "the broker is reachable")

    def _put(self, event: Event) -> None:
        if self.queue.full():
            self.queue.get_nowait()
        self.queue.put_nowait(event)

    async def events(self, *, after: int | None = None) -> AsyncIterator[Event]:
        """Yield what happens, as it happens; goes on when the broker comes back.

        Args:
            after: What :meth:`end_events` returned; what another process of this device took in
                since then is told first.
        """
        self.followed = self._ringing.stirred = True
        self.ring()
        self._stir()
        if after is not None:
            self._tell_since(after)
        for row in self._uncompared:
            self._tell_known(row)
        self._uncompared.clear()
        try:
            while (event := await self.queue.get()) is not _END:
                yield event
        finally:
            self.followed = False

    def end_events(self) -> int:
        """Let :meth:`events` end with what has come; return the newest entry that it knows."""
        self._put(_END)
        return self._engine.vault.newest()

    def _tell_since(self, index: int) -> None:
        engine = self._engine
        for kind, envelope in engine.vault.run(_SINCE, index, engine.keys.device):
            statement = opened(envelope, kind).statement
            if isinstance(statement, Object):
                for row in rows(engine, "object = ?", statement.object):
                    name = engine.name_of(engine.trust.require_state(row.case))
                    what = "arrived" if row.body is None else "opened"
                    self._tell_of(what, name, row.n, row.opened_cover, statement)
                    if row.body is not None:
                        self._tell_known(row)
            elif isinstance(statement, Ack):
                self._tell_ack(statement)
            elif isinstance(statement, Assign):
                self._tell_assigned(statement)
        engine.vault.run(_TOLD)

    async def open_waiting(self) -> None:
        """Open what came while nothing ran, under a watch that runs; the lock must be held.

        Raises:
            UnreachableError: The next look goes on.
        """
        for row in await self._watch.look():
            name = self._engine.name_of(self._engine.trust.require_state(row.case))
            self._tell_of("opened", name, row.n, row.opened_cover, row.statement)
            if self.followed:
                self._tell_known(row)
            else:  # a command that ends at once compares nothing that nobody sees
                self._uncompared.append(row)

    def ring(self) -> None:
        """Tell what rings here, if anybody hears it: it rings once."""
        if not (self.followed or self._ringing.hooks):
            return
        for event in self._ringing.due():
            self.tell(event.what, event.text, event.case, event.ref)
            for hook in self._ringing.hooks:
                try:
                    hook(event)
                except Exception as err:  # a program's own: the others are woken all the same
                    self.tell("alarm", f"a program failed at {event.ref}: {type(err).__name__}")

    async def _work(self) -> None:
        while True:
            frame = await self._frames.get()
            try:
                async with self._engine.lock:
                    await self._handle(frame)
                    # Who waits for it sees it now; what it changed is synced before it is told.
                    await asyncio.sleep(0)
                    await self._reader.acks.owed()
                    await self._house.look()
                    self._stir()  # what was asked there is open now
                    self.ring()
                    self._engine.vault.sync()
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
            said = decode(frame.body, Problem)
            self.tell(frame.verb, f"the broker says: {said.title or said.rule}")

    async def _take_push(self, push: Push) -> None:
        engine = self._engine
        signed = await engine.trust.accept(
            "activity", push.checkpoint, push.consistency, engine.prove
        )
        await engine.reach((push.item.entry,))
        taken: Taken | None = None
        if engine.follows(push.item.kind, push.item.entry, push.item.envelope):
            with engine.soon():
                taken = engine.take_item(push.item, signed.checkpoint, alone=True)
                arrived = () if taken is None else (taken,)
                engine.look_for_crowded_out(arrived)
            if arrived:
                self._arrived(arrived)
        if not engine.vault.has_entry(push.item.entry.index):
            await engine.sync()
        row = self._watch.take_release(push, signed.checkpoint)
        if row is not None:
            cover = row.opened_cover if taken is None else taken.cover
            name = engine.name_of(engine.trust.require_state(row.case))
            self._tell_of("opened", name, row.n, cover, row.statement)
            await asyncio.sleep(0)  # an alert is told before anything is synced for its lead
            self._tell_known(row)

    def _arrived(self, arrivals: Sequence[Taken]) -> None:
        engine = self._engine
        # Thousands come at once after an absence: no more is read than is said.
        indices = [one.index for one in arrivals if isinstance(one.opened.statement, Object)]
        sql = "SELECT object, n FROM object WHERE idx BETWEEN ? AND ?"
        numbers = dict(engine.vault.run(sql, min(indices), max(indices))) if indices else {}
        self._stir()
        if self.followed:
            engine.vault.run(_TOLD)
        if numbers:
            self.news.set()
        names: dict[bytes, str] = {}
        for taken in arrivals:
            statement = taken.opened.statement
            if isinstance(statement, Object) and statement.object in numbers:
                case, number = statement.case, numbers[statement.object]
                if case not in names:
                    names[case] = engine.name_of(engine.trust.require_state(case))
                self._tell_of("arrived", names[case], number, taken.cover, statement)
                self._tell_more(statement, taken.cover)
            elif isinstance(statement, Ack):
                self._tell_ack(statement)
            elif isinstance(statement, Assign):
                self._tell_assigned(statement)

    def _tell_more(self, obj: Object, cover: Cover | None) -> None:
        """Do what a type of message asks for beyond being told of."""
        if cover is None:
            return
        self._ringing.stirred |= cover.type == "Flash"
        if cover.type in ENDS and obj.reply_to is not None:
            self._tell_copies(obj, cover)
        if cover.type == "ErasureConfirm":
            for row in rows(self._engine, "object = ?", obj.object):
                erasing.hear(self._engine, row)

    def _tell_copies(self, obj: Object, cover: Cover) -> None:
        """Tell which copies of the own node are wrong now: those who have them are not told."""
        engine = self._engine
        for row in rows(engine, "object = ? AND node = ?", obj.reply_to, obj.node):
            back = cover.type == "Recall"
            wrong = copies.of(engine, row) if back else originals.copies_of(engine, row.object)
            for copy in wrong:
                did = ENDS[cover.type]
                text = f"{obj.node} {did} {ref_of(engine, row)}, which your node passed on as this"
                state = engine.trust.require_state(copy.case)
                self.tell("passed-on", text, engine.name_of(state), ref_of(engine, copy))

    def _tell_ack(self, ack: Ack) -> None:
        for row in rows(self._engine, "object = ?", ack.object):
            view = object_view(self._engine, row)
            self.tell(ack.step, f"{ack.node}: {view.subject}", view.case, view.ref)

    def _tell_assigned(self, assign: Assign) -> None:
        directory = self._engine.directory
        by = directory.device(assign.device)
        if by.node == self._engine.node and assign.device != self._engine.keys.device:
            named = (directory.device(wrap.device).officer for wrap in assign.devices)
            name = self._engine.name_of(self._engine.trust.require_state(assign.case))
            self.tell("assigned", f"to {', '.join(dict.fromkeys(named))} by {by.officer}", name)

    def _tell_known(self, row: Row) -> None:
        """Tell where marks of what was just opened stand in the own vault: reference, no more."""
        try:
            found, common = self._reader.journal.cross_check(row)
        except RefusedError as err:  # it cannot be written down, so it is not told either
            self.tell(
                "alarm", f"not compared with the own vault: {err}", "", ref_of(self._engine, row)
            )
            return
        if common:
            text = f"in too many places to say anything: {', '.join(common)}"
            self.tell("common", text, "", ref_of(self._engine, row))
        for hit in found:
            text = f"{hit.field} of {ref_of(self._engine, row)} stands there, {hit.exactness}"
            text = f"{EXERCISE}, {text}" if hit.exercise else text
            self.tell("known", text, "", hit.ref)

    def _tell_of(self, what: str, name: str, number: int, cover: Cover | None, obj: Object) -> None:
        subject = "" if cover is None else cover.subject
        expired = is_expired(self._engine, obj, cover)
        self.tell(what, f"EXPIRED, {subject}" if expired else subject, name, f"{name}#{number}")
