"""Wires: a socket to the broker, what was asked on it, and another one where it is silent.

After a change of modem or network a line is often open at this end alone: it refuses nothing
and carries nothing. That looks like a slow broker. So the old wire is kept until there is
another, and what was asked is asked there again: whatever says something carries its own
number, and asked twice it is done once.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from seefen.client.answers import ANSWER_LIMIT, CUT_OFF, UnreachableError
from seefen.protocol.encoding import decode, encode
from seefen.protocol.errors import MalformedError
from seefen.protocol.frames import Frame

QUIET: Final = 5  # seconds without a byte until another wire is opened
LONGEST: Final = 30  # of them, where the broker is slow and not the line
SLOWEST: Final = 4096  # bytes a second: so long a question may be on its way before that
GOODBYE: Final = 1  # seconds for the other end's last word: a dead one has none
REVOKED: Final = 4403  # close code of the socket: docs/spec/api.md


class Socket(ClientConnection):
    """A socket that notes when bytes came, whole frames or not: a long page takes its time."""

    heard_at = 0.0

    def data_received(self, data: bytes) -> None:
        """Take bytes in."""
        self.heard_at = time.monotonic()
        super().data_received(data)


class Wire:
    """An open socket. ``pushed`` gets what was not asked for, ``ended`` why it is no more."""

    def __init__(
        self,
        socket: Socket,
        pushed: Callable[[Frame], None],
        ended: Callable[["Wire", str], None],
    ) -> None:
        self._socket = socket
        self._pushed = pushed
        self._ended = ended
        self._answers: dict[int, asyncio.Future[Frame]] = {}
        self._next = 0
        self._reader = asyncio.create_task(self._read())

    async def ask(self, verb: str, body: bytes) -> Frame:
        """Ask, and return the answer, however long that takes.

        Raises:
            ConnectionClosed, OSError: The wire has ended.
        """
        self._next += 1
        number = self._next
        future: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._answers[number] = future
        try:
            await self._socket.send(encode(Frame(number, verb, body)))
            return await future
        finally:
            del self._answers[number]
            future.cancel()

    async def listen(self, asking: asyncio.Future[Frame], seconds: float) -> bool:
        """Return when a question is answered, or when no byte has come for so many seconds.

        Returns:
            Whether it is answered, or has failed.
        """
        began = time.monotonic()
        while not asking.done():
            left = max(began, self._socket.heard_at) + seconds - time.monotonic()
            if left <= 0:
                return False
            await asyncio.wait({asking}, timeout=left)
        return True

    def abort(self) -> None:
        """End it without a word."""
        self._socket.transport.abort()

    async def close(self) -> None:
        """End it, with a word that a dead line is not given long to take."""
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader
        await self._socket.close()

    async def _read(self) -> None:
        reason = "the connection was closed"
        try:
            async for data in self._socket:
                if isinstance(data, str):
                    continue
                self._hand_out(decode(data, Frame, limit=ANSWER_LIMIT))
        except (ConnectionClosed, MalformedError) as err:  # the first one speaks in codes
            reason = str(err) if isinstance(err, MalformedError) else reason
            self.abort()
        if self._socket.close_code == REVOKED:
            reason = CUT_OFF
        for future in self._answers.values():
            if not future.done():
                future.set_exception(ConnectionResetError(reason))
        self._ended(self, reason)

    def _hand_out(self, frame: Frame) -> None:
        if frame.id == 0:
            self._pushed(frame)
            return
        future = self._answers.get(frame.id)
        if future is not None and not future.done():
            future.set_result(frame)


def _is_answered(asking: asyncio.Future[Frame]) -> bool:
    return not asking.cancelled() and asking.exception() is None


Connect: TypeAlias = Callable[[], Awaitable[Socket]]


class Wires:
    """The wire in use. ``closed`` hears why it is no more, not where another is in its place.

    Attributes:
        opening: Is held while one is opened, or two questions at the start open two.
    """

    def __init__(self, connect: Connect, anew: Connect) -> None:
        """Make it with no wire yet; ``anew`` connects in the place of a silent one."""
        self._connect = connect
        self._anew = anew
        self.opening = asyncio.Lock()
        self.current: Wire | None = None
        self.exchanged = 0  # how often one took the place of another: pushes may be lost
        self._quiet = QUIET
        self.pushed: Callable[[Frame], None] = lambda _: None
        self.closed: Callable[[str], None] = lambda _: None

    async def open(self) -> None:
        """Open a wire if there is none."""
        async with self.opening:
            if self.current is None:
                self.current = self._new(await self._connect())

    async def close(self) -> None:
        """Close it."""
        wire, self.current = self.current, None
        if wire is not None:
            await wire.close()

    def give_up(self) -> None:
        """End it without a word; from now on there is none."""
        if self.current is not None:
            self.current.abort()
            self._ended(self.current, "the broker does not answer")

    async def ask(self, verb: str, body: bytes) -> Frame:
        """Ask and, where nothing at all comes back, ask again on the wire that is opened then.

        Raises:
            UnreachableError: There is no wire.
            ConnectionClosed, OSError: It has ended.
            SeefenError: This device is not let in any more.
        """
        wire = self.current
        if wire is None:
            raise UnreachableError("the broker does not answer", rule="broker")
        asking = asyncio.ensure_future(wire.ask(verb, body))
        try:
            if await wire.listen(asking, QUIET) and _is_answered(asking):
                self._quiet = QUIET
            while not await wire.listen(asking, self._quiet + len(body) / SLOWEST):
                await self._replace(wire, asking)
            return await asking
        except (ConnectionClosed, OSError):
            other = self.current
            if other is None or other is wire or verb == "renew":  # its proof is good for once
                raise
            return await other.ask(verb, body)
        finally:
            asking.cancel()

    async def _replace(self, silent: Wire, asking: asyncio.Future[Frame]) -> None:
        """Open another wire in the place of a silent one, unless that answers meanwhile."""
        opening = asyncio.ensure_future(self._open_other(silent))
        try:
            either: set[asyncio.Future[Any]] = {opening, asking}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            opening.cancel()
        await asyncio.wait({opening})
        # Where none is to be had, the old one may come back yet.
        with contextlib.suppress(asyncio.CancelledError, UnreachableError):
            opening.result()

    async def _open_other(self, silent: Wire) -> None:
        async with self.opening:
            if self.current is silent:  # else another question has done it
                self.current = self._new(await self._anew())
                self.exchanged += 1
                # If it is the broker that is slow, all its devices must not come anew each time.
                self._quiet = min(2 * self._quiet, LONGEST)
                silent.abort()

    def _new(self, socket: Socket) -> Wire:
        return Wire(socket, lambda frame: self.pushed(frame), self._ended)

    def _ended(self, wire: Wire, reason: str) -> None:
        if self.current is wire:
            self.current = None
            self.closed(reason)
