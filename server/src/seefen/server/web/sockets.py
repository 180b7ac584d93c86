"""The socket: one line to a device, for what it asks and for what happens meanwhile.

Requests of one socket are answered in their order. What is sent waits in a queue of 256;
a device that does not read is cut, not waited for. The line ends when its token ends and
was not renewed, after twelve hours, and within a second when the device is revoked.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import WSMsgType, web

from seefen.protocol.encoding import decode, encode
from seefen.protocol.errors import MalformedError, SeefenError, UntrustedError
from seefen.protocol.frames import Frame, Problem, Renew
from seefen.server.metrics import REFUSED
from seefen.server.web import verbs
from seefen.server.web.problems import UNEXPECTED, ProblemError, log_unexpected, said
from seefen.server.web.services import Call

FRAME_LIMIT: Final = 64 * 1024  # bytes of a frame from a device; longer bundles go by HTTP
HEARTBEAT: Final = 20.0  # seconds
QUEUE: Final = 256  # frames that wait for a device to read
AT_ONCE: Final = 64 * 1024  # bytes of a frame that a connection without a backlog takes whole
QUEUE_BYTES: Final = 8 * 1024 * 1024  # bytes of them, where more than one waits
GOODBYE: Final = 0.8  # seconds for the last word; then the line is cut
UNASKED: Final = 0

MALFORMED: Final = 4400
ENDED: Final = 4401
REVOKED: Final = 4403
SLOW: Final = 4429


@dataclass(frozen=True, slots=True)
class _Ending:
    code: int
    rule: str
    title: str


async def get_socket(call: Call) -> web.WebSocketResponse:
    """Keep a line to a device until one of the two ends it."""
    socket = web.WebSocketResponse(
        compress=False, max_msg_size=FRAME_LIMIT, heartbeat=HEARTBEAT, timeout=GOODBYE
    )
    if not socket.can_prepare(call.request):
        raise ProblemError(426, "upgrade", "this address is for WebSockets", headers=_UPGRADE)
    await socket.prepare(call.request)
    await _Line(call, socket).keep()
    return socket


_UPGRADE: Final = {"Upgrade": "websocket", "Connection": "Upgrade"}


class _Line:
    """One open socket of one device."""

    def __init__(self, call: Call, socket: web.WebSocketResponse) -> None:
        self._call = call
        self._services = call.services
        self._device = call.device
        self._socket = socket
        self._queue: asyncio.Queue[tuple[bytes, int]] = asyncio.Queue(QUEUE)
        self._waiting = 0  # frames put in the queue and not yet handed to the connection
        self._bytes = 0  # of those among them that were pushed
        self._loop = asyncio.get_running_loop()
        self._ending: asyncio.Future[_Ending] = self._loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        seconds = self._services.socket_seconds
        self._last = self._services.clock() + seconds

    async def keep(self) -> None:
        """Answer and push until the end."""
        services = self._services
        try:
            detach = services.broker.attach(
                self._device, self._deliver, self._revoked, self._missed
            )
        except UntrustedError as err:
            # Revoked since its token was checked.
            await self._say_goodbye(_Ending(REVOKED, err.rule, str(err)))
            return
        services.lines.add(self._device, self)
        log = structlog.get_logger()
        log.info("socket.open", device=self._device, lines=len(services.lines))
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._write())]
        try:
            self._live_until(self._expires())
            ending = await self._ending
        finally:
            detach()
            services.lines.remove(self._device, self)
            if self._timer is not None:
                self._timer.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        log.info("socket.end", device=self._device, code=ending.code, rule=ending.rule)
        await self._say_goodbye(ending)

    def end(self, code: int, rule: str, title: str) -> None:
        """End the line; the first reason counts."""
        if not self._ending.done():
            self._ending.set_result(_Ending(code, rule, title))

    def _deliver(self, frame: bytes) -> None:
        if self._send_at_once(frame):
            return
        # A frame may have megabytes, and each line its own: few lines that nobody reads would
        # fill the memory of the broker long before they have 256.
        if self._waiting and self._bytes + len(frame) > QUEUE_BYTES:
            self._too_slow()
        else:
            self._put(frame, len(frame))

    def _send_at_once(self, frame: bytes) -> bool:
        """Hand a frame to the connection if nothing waits before it, without waking a task.

        An alert to a thousand devices is a thousand of these.
        """
        transport = self._call.request.transport
        if self._waiting or len(frame) > AT_ONCE:
            return False
        if transport is None or transport.get_write_buffer_size():
            return False
        sending = self._send(frame)
        with suppress(StopIteration):
            sending.send(None)
            sending.close()  # it was written: what it waited for, the next frame finds and waits
        return True

    def _put(self, frame: bytes, counted: int) -> None:
        try:
            self._queue.put_nowait((frame, counted))
        except asyncio.QueueFull:
            self._too_slow()
            return
        self._waiting += 1
        self._bytes += counted

    def _too_slow(self) -> None:
        self.end(SLOW, "slow", "this device does not read what is sent to it")

    def _revoked(self) -> None:
        self.end(REVOKED, "revoked", "this device was revoked")

    def _missed(self) -> None:
        self.end(1001, "missed", "this broker stood still: connect again, the feed has the rest")

    async def _write(self) -> None:
        while True:
            frame, counted = await self._queue.get()
            if not await self._send(frame):
                return
            self._waiting -= 1
            self._bytes -= counted
            self._queue.task_done()

    async def _reply(self, frame: bytes) -> None:
        """Return when an answer has left.

        Who asks next waits for that: pages are large, and a device that asks without
        reading would fill the memory of the broker.
        """
        if self._waiting:
            # Behind what was pushed before it. There is one at a time, and it is not counted: who
            # asks for a long page and reads it is not slow because something is pushed meanwhile.
            self._put(frame, 0)
            await self._queue.join()
        else:
            # What the same commit pushes leaves first: its author only waits for a receipt.
            await asyncio.sleep(0)
            await self._send(frame)

    async def _send(self, frame: bytes) -> bool:
        try:
            await self._socket.send_bytes(frame)
        except ConnectionError:
            self.end(1006, "gone", "the connection is gone")
            return False
        return True

    async def _read(self) -> None:
        async for message in self._socket:
            if isinstance(message.data, TimeoutError):
                break  # nobody answers our pings
            if message.type is not WSMsgType.BINARY:
                self.end(MALFORMED, "frame", "frames are binary")
                return
            try:
                frame = decode(message.data, Frame, limit=FRAME_LIMIT)
            except MalformedError as err:
                self.end(MALFORMED, "frame", str(err))
                return
            await self._reply(encode(await self._answer(frame)))
        self.end(self._socket.close_code or 1006, "gone", "the connection is gone")

    async def _answer(self, frame: Frame) -> Frame:
        try:
            if frame.id == UNASKED:
                raise MalformedError("requests are numbered from 1", rule="frame")
            if frame.verb == "renew":
                body = await self._renew(frame.body)
            else:
                body = await verbs.run(self._services.broker, self._device, frame.verb, frame.body)
        except SeefenError as err:
            return _refusal(frame.id, err.status, err.rule or err.kind, said(err))
        except Exception as err:
            log_unexpected(f"socket {frame.verb if frame.verb in verbs.VERBS else '?'}", err)
            return _refusal(frame.id, *UNEXPECTED)
        return Frame(frame.id, "ok", body)

    async def _renew(self, body: bytes) -> bytes:
        renew = decode(body, Renew)
        path = self._call.request.rel_url.raw_path
        row = await self._services.tokens.check(renew.token, renew.proof, "GET", path)
        if row.device != self._device:
            raise UntrustedError("this token is of another device", rule="login")
        self._live_until(row.expires)
        return b""

    def _expires(self) -> int:
        return self._call.token.expires if self._call.token is not None else 0

    def _live_until(self, expires: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        left = min(expires, self._last) - self._services.clock()
        self._timer = self._loop.call_later(
            max(0, left), self.end, ENDED, "ended", "this login has ended: log in again"
        )

    async def _say_goodbye(self, ending: _Ending) -> None:
        problem = Problem(ending.code, ending.rule, ending.title)
        try:
            async with asyncio.timeout(GOODBYE):
                if not self._socket.closed:
                    with suppress(ConnectionError):
                        await self._socket.send_bytes(
                            encode(Frame(UNASKED, "bye", encode(problem)))
                        )
                    await self._socket.close(code=_wire_code(ending.code))
        except TimeoutError:
            # Who does not read his goodbye keeps no line: a revoked device least of all.
            if (transport := self._call.request.transport) is not None:
                transport.abort()


def _refusal(number: int, status: int, rule: str, title: str) -> Frame:
    REFUSED.labels(str(status), rule).inc()
    return Frame(number, "problem", encode(Problem(status, rule, title)))


def _wire_code(code: int) -> int:
    # 1005 and 1006 stand for "none was sent" and may not be sent themselves.
    return 1000 if code in (1005, 1006) else code
