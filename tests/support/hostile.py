"""A broker that lies: a real server over TLS in front of the real one, with its certificate.

It has what a hostile operator has: the key and certificate of the address, the log key, the
database. Devices reach it at the address they were given, and it hears and changes what it
likes: every request before the broker has it, every answer and push before a device has it.
What it changes is told one lie at a time; without one it carries on as it should.
"""

import asyncio
import base64
import inspect
import json
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

import aiohttp
from aiohttp import web

from seefen.protocol.encoding import BUNDLE_LIMIT, decode, encode
from seefen.protocol.frames import Frame, Push
from seefen.server import tls
from seefen.server.web.verbs import VERBS
from tests.support.broker import LocalBroker
from tests.support.network import Machine

LIMIT: Final = 4 * BUNDLE_LIMIT
HOP: Final = {"connection", "content-length", "host", "transfer-encoding", "content-encoding"}
SOCKET: Final = "/v1/socket"

Change = Callable[[Any], Any]  # of an answer; None keeps it back; it may be a coroutine


@dataclass
class Lie:
    """What is said instead: ``change`` turns the true answer into the false one."""

    verb: str
    change: Change
    to: bytes | None  # a device; None: everybody
    times: int  # how often it is told; below zero: always
    instead: bool  # also instead of a refusal; ``change`` gets None then
    told: int = 0


@dataclass
class Request:
    """A request by HTTP, for a lie to change before the broker has it."""

    method: str
    path: str  # with the query
    headers: dict[str, str]
    body: bytes


@dataclass
class Line:
    """The socket of a device, and the socket in its name to the true broker."""

    device: bytes
    ws: web.WebSocketResponse
    up: aiohttp.ClientWebSocketResponse
    asked: dict[int, Frame]


class Hostile:
    """Stands where the broker should stand. ``heard`` counts what devices asked."""

    def __init__(self, broker: LocalBroker) -> None:
        self.broker = broker
        self.heard: Counter[str] = Counter()
        self.arrived: list[bytes] = []  # all that devices sent, as it came out of the TLS
        self.fields: set[str] = set()  # the names of the headers among it
        self.kept: list[Frame] = []  # frames that were kept back
        self.asked = Frame(0, "", b"")  # what the answer is to that is changed just now
        self.requests: Callable[[Request], Request] = lambda request: request
        self._lies: list[Lie] = []
        self._asked: dict[str, Callable[[Frame], Awaitable[Frame | None]]] = {}
        self._lines: list[Line] = []
        self._devices: dict[str, bytes] = {}  # by token
        self._repeated: dict[int, asyncio.Event] = {}
        self._up = f"https://{broker.config.listen}"
        self._http: aiohttp.ClientSession

    # --- lies -----------------------------------------------------------------------------

    def lie(
        self,
        verb: str,
        change: Change,
        *,
        to: Machine | None = None,
        times: int = -1,
        instead: bool = False,
    ) -> Lie:
        """Change the answers to a verb (``push``: what comes unasked) from now on."""
        made = Lie(verb, change, None if to is None else to.device, times, instead)
        self._lies.append(made)
        return made

    def before(self, verb: str, hear: Callable[[Frame], Awaitable[Frame | None]]) -> None:
        """Hear a request before the broker has it, and change it or keep it back."""
        self._asked[verb] = hear

    def honest(self) -> None:
        """Tell the truth again."""
        self._lies.clear()
        self._asked.clear()
        self.requests = lambda request: request

    async def say(self, frame: Frame, *, to: Machine) -> None:
        """Send a device something that nobody asked for and nobody wrote."""
        for line in self._lines:
            if line.device == to.device and not line.ws.closed:
                await line.ws.send_bytes(encode(frame))

    async def repeat(self, frame: Frame) -> None:
        """Send a request of a device once more in its name, and wait until it was answered."""
        number = 1 << 40
        for line in self._lines:
            heard = asyncio.Event()
            self._repeated[number] = heard
            await line.up.send_bytes(encode(Frame(number, frame.verb, frame.body)))
            async with asyncio.timeout(60):
                await heard.wait()
            number += 1

    async def cut(self) -> None:
        """Cut every line at once."""
        for line in tuple(self._lines):
            await line.ws.close(code=1011)

    # --- what stands between ----------------------------------------------------------------

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None]:
        """Answer at the address that devices were given."""
        host, _, port = self.broker.config.url.removeprefix("https://").rpartition(":")
        app = web.Application(client_max_size=LIMIT)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(
            runner, host, int(port), ssl_context=tls.server_context(self.broker.config.data)
        )
        connector = aiohttp.TCPConnector(ssl=tls.device_context(self.broker.ca))
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as self._http:
            await site.start()
            try:
                yield
            finally:
                await self.cut()
                await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        # What a path says is looked for as it is written, and as it is meant.
        path = request.raw_path
        self.arrived += [path.encode(), unquote(path).encode()]
        self.arrived += [part for field in request.raw_headers for part in field]
        self.fields |= {name.lower() for name in request.headers}
        if request.path == SOCKET:
            return await self._socket(request)
        headers = {k: v for k, v in request.headers.items() if k.lower() not in HOP}
        body = await request.read()
        self.arrived.append(body)
        sent = self.requests(Request(request.method, request.path_qs, headers, body))
        self.heard[f"{sent.method} {request.path}"] += 1
        async with self._http.request(
            sent.method, self._up + sent.path, headers=sent.headers, data=sent.body
        ) as answer:
            body = await answer.read()
        if request.path == "/v1/token" and answer.status == 200:
            self._devices[json.loads(body)["token"]] = _subject(sent.body)
        kept = {k: v for k, v in answer.headers.items() if k.lower() not in HOP}
        device = self._devices.get(request.headers.get("Authorization", "").partition(" ")[2], b"")
        said = await self._told(f"{request.method} {request.path}", body, device, refused=False)
        if said is None:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        return web.Response(status=answer.status, headers=kept, body=said)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        token = request.headers.get("Authorization", "").partition(" ")[2]
        headers = {k: v for k, v in request.headers.items() if k in ("Authorization", "DPoP")}
        try:
            up = await self._http.ws_connect(self._up + SOCKET, headers=headers, max_msg_size=LIMIT)
        except aiohttp.WSServerHandshakeError as refused:
            return web.json_response({"rule": "login", "title": ""}, status=refused.status)
        ws = web.WebSocketResponse(max_msg_size=LIMIT, compress=False)
        await ws.prepare(request)
        line = Line(self._devices.get(token, b""), ws, up, {})
        self._lines.append(line)
        down = asyncio.create_task(self._down(line))
        try:
            async for message in ws:
                self.arrived.append(
                    message.data if isinstance(message.data, bytes) else str(message.data).encode()
                )
                if message.type is aiohttp.WSMsgType.BINARY:
                    await self._ask(line, decode(message.data, Frame, limit=LIMIT))
        finally:
            self._lines.remove(line)
            await up.close()
            await down
        return ws

    async def _ask(self, line: Line, frame: Frame) -> None:
        self.heard[frame.verb] += 1
        line.asked[frame.id] = frame
        hear = self._asked.get(frame.verb)
        sent = frame if hear is None else await hear(frame)
        if sent is None:
            self.kept.append(frame)
            return
        await line.up.send_bytes(encode(sent))

    async def _down(self, line: Line) -> None:
        async for message in line.up:
            if message.type is not aiohttp.WSMsgType.BINARY:
                break
            frame = decode(message.data, Frame, limit=LIMIT)
            if frame.id in self._repeated:
                self._repeated.pop(frame.id).set()
                continue
            asked = line.asked.pop(frame.id, Frame(0, frame.verb, b""))
            refused = frame.verb == "problem"
            self.asked = asked
            body = await self._told(asked.verb, frame.body, line.device, refused=refused)
            if body is None:
                self.kept.append(frame)
            elif not line.ws.closed:
                verb = frame.verb if not refused or body is frame.body else "ok"
                await line.ws.send_bytes(encode(Frame(frame.id, verb, body)))
        await line.ws.close(code=line.up.close_code or 1011)

    async def _told(self, verb: str, body: bytes, device: bytes, *, refused: bool) -> bytes | None:
        gives: type[Any] = Push if verb == "push" else VERBS[verb].gives if verb in VERBS else bytes
        for lie in self._lies:
            if lie.verb != verb or lie.to not in (None, device) or lie.told == lie.times:
                continue
            if refused and not lie.instead:
                continue
            plain = gives in (bytes, str)
            plain = plain or refused
            answer: Any = body if plain else decode(body, gives, limit=LIMIT)
            said = lie.change(None if refused else answer)
            if inspect.isawaitable(said):
                said = await said
            if said is answer:
                continue
            lie.told += 1
            if said is None:
                return None
            body = said if isinstance(said, bytes) else encode(said)
            refused = False
        return body


def _subject(body: bytes) -> bytes:
    """Return the device in the assertion of a login."""
    payload = json.loads(body)["assertion"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return bytes.fromhex(claims["sub"])
