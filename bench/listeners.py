"""Many devices that listen, in one process: what an alert has to reach.

Each has a TLS connection and a WebSocket of its own, keys of its own and a head of its own,
and shares no check with the others: for each push it verifies the signature of the
checkpoint, that the log only grew, both entries, the author's signature and every rule of
the case, and opens cover, content key and body. What it has not is a vault.

The process reads a :class:`Task` and then one :class:`Order` a line; it answers each with
the moment at which the last device was done, on the clock that all processes share.
"""

import asyncio
import base64
import gc
import os
import resource
import struct
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import msgspec
import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from msgspec import Struct

from seefen.client.connection import tls_context
from seefen.protocol.case import CaseState, Position
from seefen.protocol.case_chain import apply
from seefen.protocol.directory import Directory
from seefen.protocol.encoding import decode
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import UntrustedError
from seefen.protocol.frames import Frame, Push
from seefen.protocol.keys import CASE_NODE, unwrap_case_key
from seefen.protocol.ledger.note import Checkpoint, open_checkpoint
from seefen.protocol.ledger.record import Record
from seefen.protocol.ledger.tree import EMPTY_ROOT, check_consistency
from seefen.protocol.login import jkt, make_assertion, make_proof
from seefen.protocol.messages import decode_message
from seefen.protocol.objects import open_cover, open_message, unwrap_content_key
from seefen.protocol.receipt import check_entry
from seefen.protocol.statements import Access, CaseKey, Head, Object, Release
from seefen.protocol.suite import KemKey, PlainKey, sha256

HPKE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)  # of the floor
LIMIT: Final = 1 << 23
LOGINS: Final = 8  # at once: the broker allows an address ten that are not proved yet


class Listener(Struct):
    """A device, its login key, and its node's mailbox."""

    node: str
    device: bytes
    auth: bytes
    mailbox: bytes


class Task(Struct):
    """Who listens, and what each of them knows when it begins."""

    url: str
    bare: str
    ca: str
    origin: str
    log_public: bytes
    net: bytes
    case_key: bytes
    authority: list[tuple[str, bytes]]
    case: list[tuple[int, str, bytes, bytes, bytes]]
    listeners: list[Listener]
    floor_open: bytes
    floor_verify: bytes


class Order(Struct):
    """``connect`` to ``count`` lines, or report when that many got or opened something."""

    do: str
    count: int
    bare: bool = False


class Answer(Struct):
    """When the last was done, how long a frame was, and the memory of this process."""

    at: float
    frame: int
    rss: int


class Known:
    """What all devices of a network have verified before: the same for each."""

    def __init__(self, task: Task) -> None:
        """Verify it, once for all of them."""
        self.task = task
        self.directory = Directory(task.net)
        for kind, envelope in task.authority:
            self.directory.apply(kind, envelope)
        state: CaseState | None = None
        self.accesses: dict[bytes, int] = {}
        for index, kind, record, core, envelope in task.case:
            opened = open_envelope(envelope, kind)
            at = int(msgspec.json.decode(core)["at"]) // 1000
            place = Position(Record.decode(record).authority_size, index, at)
            state = apply(state, opened, self.directory, place)
            if isinstance(opened.statement, Access):
                self.accesses[opened.statement.device] = index
        if state is None:
            raise UntrustedError("there is no such case", rule="unknown-case")
        self.state = state


class Device:
    """One device on watch."""

    def __init__(self, known: Known, listener: Listener) -> None:
        """Begin with what is known, and with no head."""
        self._known = known
        self._state = known.state
        self._seen = Head(0, EMPTY_ROOT)
        self._key = known.task.case_key
        self._me = listener
        self._mailbox = KemKey.from_secret(listener.mailbox)

    def forget(self) -> None:
        """Begin a line: the broker does not know any more what this device has seen."""
        self._seen = Head(0, EMPTY_ROOT)

    def take(self, data: bytes) -> bool:
        """Verify a push; returns whether a message was opened."""
        frame = decode(data, Frame, limit=LIMIT)
        if frame.verb != "push":
            return False
        push, task = decode(frame.body, Push, limit=LIMIT), self._known.task
        under = open_checkpoint(push.checkpoint, task.origin, task.log_public).checkpoint
        seen, self._seen = self._seen, Head(under.size, under.root)
        check_consistency(seen.size, seen.root, under.size, under.root, push.consistency)
        core = check_entry(push.item.entry, under)
        opened = open_envelope(push.item.envelope, push.item.kind)
        if core.act != push.item.kind or core.req != opened.hash.hex():
            raise UntrustedError("the entry is about something else", rule="other-statement")
        record = Record.decode(push.item.entry.record)
        place = Position(record.authority_size, push.item.entry.index, core.at // 1000)
        self._state = apply(self._state, opened, self._known.directory, place)
        statement = opened.statement
        if isinstance(statement, CaseKey):
            self._take_key(statement, push)
        if not isinstance(statement, Object):
            return False
        self._open(statement, push, under)
        return True

    def _take_key(self, key: CaseKey, push: Push) -> None:
        named = tuple(w.hash for w in key.mailboxes if w.node == self._me.node)
        wrapped = next(wrap for wrap in push.item.wraps if sha256(wrap) in named)
        self._key = unwrap_case_key(
            wrapped, self._mailbox, key, purpose=CASE_NODE, author=key.device, named=named
        )

    def _open(self, obj: Object, push: Push, under: Checkpoint) -> None:
        if push.release is None:
            raise UntrustedError("no key came", rule="no-release")
        core = check_entry(push.release, under)
        opened = open_envelope(push.envelope, "release")
        release = opened.statement
        if (
            not isinstance(release, Release)
            or core.req != opened.hash.hex()
            or self._me.device not in release.devices
            or self._known.accesses[self._me.device] not in release.under
        ):
            raise UntrustedError("the release is not about us", rule="no-release")
        open_cover(obj, self._key)
        key = unwrap_content_key(obj, self._key, push.key)
        decode_message(open_message(obj, key, push.item.body))


class Line(asyncio.Protocol):
    """The client's end of a WebSocket, as thin as can be: what is measured is the other."""

    def __init__(self, url: str, headers: dict[str, str], take: Callable[[bytes], None]) -> None:
        """Hand each message to ``take``."""
        parts = urlsplit(url)
        fields = {
            "Host": parts.netloc,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Version": "13",
            **headers,
        }
        lines = (f"{name}: {value}\r\n" for name, value in fields.items())
        self._hello = f"GET {parts.path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode()
        self._take = take
        self._buffer = bytearray()
        self._transport: Any = None
        self.ready = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self._transport = transport
        self._transport.write(self._hello)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Say so, if somebody waits for the upgrade."""
        if not self.ready.done():
            self.ready.set_exception(ConnectionError(f"no upgrade: {bytes(self._buffer[:200])!r}"))

    def data_received(self, data: bytes) -> None:
        """Hand out the messages that are whole."""
        buffer = self._buffer
        buffer += data
        if not self.ready.done():
            if (end := buffer.find(b"\r\n\r\n")) < 0:
                return
            if not buffer.startswith(b"HTTP/1.1 101"):
                self._transport.close()
                return
            del buffer[: end + 4]
            self.ready.set_result(None)
        while (message := _first(buffer)) is not None:
            kind, payload = message
            if kind == 2:
                self._take(payload)
            elif kind == 9:
                pong = struct.pack("!BBI", 0x8A, 0x80 | len(payload), 0)
                self._transport.write(pong + payload)

    def close(self) -> None:
        """Cut it."""
        self._transport.abort()


def _first(buffer: bytearray) -> tuple[int, bytes] | None:
    """Take the first frame of a server out of a buffer, if all of it is there."""
    if len(buffer) < 2:
        return None
    length, start = buffer[1], 2
    if length == 126:
        length, start = int.from_bytes(buffer[2:4], "big"), 4
    elif length == 127:
        length, start = int.from_bytes(buffer[2:10], "big"), 10
    if len(buffer) < start + length:
        return None
    kind, payload = buffer[0] & 15, bytes(buffer[start : start + length])
    del buffer[: start + length]
    return kind, payload


class Audience:
    """All devices, and the lines that are open."""

    def __init__(self, task: Task) -> None:
        """Verify what is known."""
        self._task = task
        self._tls = tls_context(task.ca)
        self._nonce = ""
        known = Known(task)
        self._devices = [Device(known, listener) for listener in task.listeners]
        self._verify = Ed25519PublicKey.from_public_bytes(task.floor_verify)
        self._floor = X25519PrivateKey.from_private_bytes(task.floor_open)
        self._lines: dict[bool, list[Line]] = {True: [], False: []}
        self._kept: list[tuple[int, bytes]] = []
        self._opens = False
        self._left = 0
        self._last: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._length = 0

    async def obey(self, order: Order) -> Answer:
        """Do what an order says; a report waits until the last device is done."""
        if order.do == "connect":
            await self._connect(order.count, bare=order.bare)
            gc.collect()
            gc.freeze()
            return self._answer(time.monotonic())
        at = await self._last
        for place, data in self._kept:
            self._devices[place].take(data)
            await asyncio.sleep(0)  # or the broker's pings would wait for all of them
        self._kept.clear()
        return self._answer(at)

    def expect(self, order: Order) -> None:
        """Get ready for what an order waits for, before anybody sends it."""
        self._opens = order.do == "opened"
        self._left = order.count
        self._last = asyncio.get_running_loop().create_future()

    def _answer(self, at: float) -> Answer:
        kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return Answer(at, self._length, kib * 1024)

    async def _connect(self, count: int, *, bare: bool) -> None:
        lines = self._lines[bare]
        while len(lines) > count:
            lines.pop().close()
        at_once = asyncio.Semaphore(LOGINS)

        connector = aiohttp.TCPConnector(ssl=self._tls)
        async with aiohttp.ClientSession(connector=connector) as http:
            async with http.get(f"{self._task.url}/v1/nonce") as answer:
                self._nonce = answer.headers["DPoP-Nonce"]

            async def one(place: int) -> Line:
                async with at_once:
                    return await self._line(http, place, bare=bare)

            lines += await asyncio.gather(*(one(place) for place in range(len(lines), count)))

    async def _line(self, http: aiohttp.ClientSession, place: int, *, bare: bool) -> Line:
        url, headers = f"{self._task.bare}/line", dict[str, str]()
        if not bare:
            self._devices[place].forget()
            url = f"{self._task.url}/v1/socket"
            headers = await self._login(http, self._task.listeners[place])
        take = self._take_bare if bare else partial(self._take, place)
        parts = urlsplit(url)
        _, line = await asyncio.get_running_loop().create_connection(
            lambda: Line(url, headers, take), parts.hostname or "", parts.port or 443, ssl=self._tls
        )
        await line.ready
        return line

    async def _login(self, http: aiohttp.ClientSession, listener: Listener) -> dict[str, str]:
        """Return the headers with which a device that has logged in opens its socket."""
        url, proofs = self._task.url, PlainKey.generate()
        auth = PlainKey.from_secret(listener.auth)
        device, now = listener.device.hex(), int(time.time())
        assertion = make_assertion(auth, device, url, self._nonce, jkt(proofs.public), now)
        proof = make_proof(proofs, "POST", f"{url}/v1/token", self._nonce, now, None)
        async with http.post(
            f"{url}/v1/token", json={"assertion": assertion}, headers={"DPoP": proof}
        ) as answer:
            answer.raise_for_status()
            token = (await answer.json(content_type=None))["token"]
            self._nonce = answer.headers["DPoP-Nonce"]
        proof = make_proof(proofs, "GET", f"{url}/v1/socket", self._nonce, now, token)
        return {"Authorization": f"DPoP {token}", "DPoP": proof}

    def _take(self, place: int, data: bytes) -> None:
        if self._opens:
            if self._devices[place].take(data):
                self._length = len(data)
                self._count()
            return
        self._kept.append((place, data))
        self._length = len(data)
        self._count()

    def _take_bare(self, data: bytes) -> None:
        if self._opens:
            self._verify.verify(data[:64], data[64:])
            HPKE.decrypt(data[64:], self._floor, info=b"floor")
        self._count()

    def _count(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._last.set_result(time.monotonic())


async def run() -> None:
    """Read the task, then do what each line says."""
    read = sys.stdin.buffer
    size = int.from_bytes(read.read(8), "big")
    audience = Audience(msgspec.msgpack.decode(read.read(size), type=Task))
    while line := await asyncio.to_thread(read.readline):
        order = msgspec.json.decode(line, type=Order)
        if order.do != "connect":
            audience.expect(order)
            print("go", flush=True)
        print(msgspec.json.encode(await audience.obey(order)).decode(), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as _runner:
        _runner.run(run())
