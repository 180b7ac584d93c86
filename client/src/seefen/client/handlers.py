"""Handlers: a program's own functions, called for each message of a type as it comes.

    @client.on(TraceRequest)
    async def look_up(opened: Opened) -> None: ...

    await client.run(purpose="trace", basis="pcc-see", reason="register service")

Each message is opened as an officer opens it, with an entry of its own, and read is told to
its author. It is handled once on a device: what was handled is kept in the vault. After a
kill in the middle of a handler the message comes again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeAlias, TypeVar

from seefen.client.connection import LoginError, UnreachableError
from seefen.client.engine import Engine
from seefen.client.pushes import Pushes
from seefen.client.requests import Requests
from seefen.client.values import Opened, Read
from seefen.client.views import Row, recall_of, ref_of, rows
from seefen.protocol.errors import SeefenError
from seefen.protocol.messages import Message

Handler: TypeAlias = Callable[[Opened], Awaitable[None]]
H = TypeVar("H", bound=Handler)
LOOK: Final = 30  # seconds between two looks, if nothing comes: a key may, or the broker
_NEW: Final = (
    "cover IS NOT NULL AND NOT file AND node <> ? AND superseded_by IS NULL AND NOT EXISTS"
    " (SELECT 1 FROM setting WHERE name = 'handled/' || lower(hex(object)))"
)


class Handlers:
    """Calls handlers for what comes from other nodes."""

    def __init__(self, engine: Engine, pushes: Pushes, requests: Requests, read: Read) -> None:
        self._engine = engine
        self._pushes = pushes
        self._requests = requests
        self._read = read
        self._handlers = dict[str, Handler]()
        self._passed_over = set[bytes]()  # by this run alone: a cover of another type, a refusal

    def on(self, *types: type[Message]) -> Callable[[H], H]:
        """Register an async function for messages of these types; one for each type.

        Raises:
            ValueError: A type has a handler already, or none is named.
        """
        names = [type_.TYPE for type_ in types]
        taken = [name for name in names if name in self._handlers]
        if taken or not names:
            raise ValueError(f"{taken[0]} has a handler already" if taken else "name a type")

        def register(handler: H) -> H:
            self._handlers.update(dict.fromkeys(names, handler))
            return handler

        return register

    async def run(
        self, *, purpose: str, basis: str, reason: str = "", accept: bool = False
    ) -> None:
        """Handle what is new, in the order of the log, until this is cancelled.

        The first run for a type takes what waits for an answer of the own node, and leaves
        the rest of what is there already alone. An exception of a handler is told as an event
        and to the event loop's handler of exceptions; the next message is handled.

        Raises:
            ValueError: Nothing was registered.
            LoginError: This device is not let in any more.
        """
        if not self._handlers:
            raise ValueError("register a handler first: @client.on(TraceRequest)")
        self._passed_over.clear()
        self._begin()
        self._pushes.served = True
        self._pushes.work.set()
        while True:
            self._pushes.news.clear()  # before the look: what comes meanwhile is looked for again
            with suppress(UnreachableError):
                for row in self._new():
                    await self._handle(row, purpose, basis, reason, accept=accept)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await self._pushes.news.wait()

    def _begin(self) -> None:
        """Mark, for types that never ran here, what is there and waits for nobody."""
        vault = self._engine.vault
        first = {name for name in self._handlers if vault.get(f"handling/{name}") is None}
        waiting = {due.ref for due in self._requests.waiting()} if first else set[str]()
        with vault.change():
            for row in rows(self._engine, _NEW, self._engine.node) if first else ():
                if _type(row) in first and ref_of(self._engine, row) not in waiting:
                    self._done(row)
            for name in first:
                vault.put(f"handling/{name}", b"1")

    def _new(self) -> list[Row]:
        unseen = [
            row
            for row in rows(self._engine, _NEW, self._engine.node)
            if row.object not in self._passed_over
        ]
        ours = [row for row in unseen if _type(row) in self._handlers]
        self._passed_over |= {row.object for row in unseen} - {row.object for row in ours}
        return [row for row in ours if recall_of(self._engine, row) is None]

    async def _handle(
        self, row: Row, purpose: str, basis: str, reason: str, *, accept: bool
    ) -> None:
        ref = ref_of(self._engine, row)
        try:
            opened = await self._read(ref, purpose, basis, reason, accept=accept)
        except (UnreachableError, LoginError):
            raise
        except SeefenError as err:
            # It may be another device's, or spoiled: the others wait for none of it.
            self._passed_over.add(row.object)
            self._pushes.tell("alarm", f"{ref} was not handled: {err}", "", ref)
            return
        if _type(row) != opened.message.TYPE:
            # A handler is promised its type: its author said another on the cover.
            self._passed_over.add(row.object)
            self._pushes.tell("alarm", f"{ref} is not what its cover says", "", ref)
            return
        try:
            await self._handlers[opened.message.TYPE](opened)
        except Exception as err:
            # The words of an exception may be those of the message: they stay in the program.
            self._pushes.tell("alarm", f"a handler failed for {ref}: {type(err).__name__}", "", ref)
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"a handler failed for {ref}", "exception": err}
            )
        self._done(row)

    def _done(self, row: Row) -> None:
        self._engine.vault.put(f"handled/{row.object.hex()}", b"1")


def _type(row: Row) -> str:
    cover = row.opened_cover
    return "" if cover is None else cover.type
