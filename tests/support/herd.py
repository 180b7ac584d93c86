"""Clients that do not give up: they write, read, watch, upload and log in, over real TLS.

Each of them repeats what it has not got a receipt for, with the same bytes, as the outbox
of a real client does, and goes on where it was when a broker comes up again.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, ClassVar

import aiohttp
from msgspec.structs import replace

from seefen.protocol.bundle import Bundle, encode_bundle
from seefen.protocol.case import Last
from seefen.protocol.encoding import decode, encode
from seefen.protocol.envelope import open_envelope
from seefen.protocol.frames import Ask, FeedFrom, Frame, Page, Problem, Recorded, Released, Send
from seefen.protocol.ledger.tree import leaf_hash
from seefen.protocol.objects import PART_SIZE, parts_root
from seefen.protocol.statements import Access
from seefen.protocol.suite import PlainKey, random_bytes
from tests.support import casework
from tests.support.devices import RefusedByBrokerError, Socket, WebDevice
from tests.support.heard import Heard, push_of
from tests.support.network import Machine, Network
from tests.support.waiting import until

CANARY = b"CANARY-zastava-84417"  # stands in every sealed body and cover
PATIENCE = 45.0  # for one answer; far more than any time limit of the broker
AGAIN = 0.03
TRANSIENT = {0, 429, 503, 507}


class LostError(Exception):
    """The broker is away, or says that its database is."""


class HearingSocket(Socket):
    """Keeps every byte that arrives."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, herd: Herd, device: bytes) -> None:
        super().__init__(ws)
        self._herd = herd
        self._device = device

    async def frame(self) -> Frame:
        frame = await super().frame()
        self._herd.heard.bodies.append((self._device, frame.body))
        if frame.verb == "push":
            push = push_of(frame.body)
            self._herd.heard.pushed(self._device, push)
            self._herd.done["push"] += 1
            self._herd.done["release"] += bool(push.key)
        return frame


class HearingDevice(WebDevice):
    """Keeps every answer by HTTP as well."""

    def __init__(self, herd: Herd, machine: Machine) -> None:
        super().__init__(herd.urls[0], herd.ca, machine)
        self._herd = herd
        self._device = machine.device

    async def request(self, method: str, path: str, *rest: Any, **more: Any) -> tuple[int, bytes]:
        status, answer = await super().request(method, path, *rest, **more)
        self._herd.heard.bodies.append((self._device, answer))
        return status, answer


class Herd:
    """All clients together."""

    def __init__(
        self,
        network: Network,
        case: bytes,
        urls: Sequence[str],
        ca: str,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.clock = clock
        self.network = network
        self.case = case
        self.urls = list(urls)
        self.ca = ca
        self.heard = Heard("seefen", network.log_key)
        self.objects: list[bytes] = []
        self.over = False
        self.expected: set[str] = set()  # rules by which a broker may refuse in this test
        self.done: Counter[str] = Counter()
        self.uploads: list[tuple[bytes, list[bytes]]] = []

    async def progress(self, kind: str, more: int = 1, *, seconds: float = 60) -> None:
        """Return when ``more`` things of a kind have been done from now on."""
        goal = self.done[kind] + more
        await until(lambda: self.done[kind] >= goal or self.heard.surprises, seconds=seconds)
        assert self.heard.surprises == [], self.heard.surprises


class Member:
    """One machine that is always on line, or trying to be."""

    kind: ClassVar[str]

    def __init__(self, herd: Herd, machine: Machine, place: int = 0) -> None:
        self.herd = herd
        self.machine = machine
        self._urls = itertools.cycle(herd.urls[place % len(herd.urls) :] + herd.urls)
        self.count: int = 0

    def stay_on(self, url: str) -> None:
        """Use one broker only."""
        self._urls = itertools.cycle([url])

    @property
    def heard(self) -> Heard:
        return self.herd.heard

    async def run(self) -> None:
        """Live until the herd ends, on whichever broker answers."""
        async with HearingDevice(self.herd, self.machine) as web:
            while not self.herd.over:
                try:
                    async with asyncio.timeout(PATIENCE):
                        socket = await self._connect(web)
                    while not self.herd.over:
                        async with asyncio.timeout(PATIENCE):
                            await self.live(web, socket)
                        self.herd.done[self.kind] += 1
                except (LostError, OSError, TimeoutError, aiohttp.ClientError) as err:
                    self.heard.refusals[f"{type(err).__name__} {err}"[:60]] += 1
                    await asyncio.sleep(AGAIN)
                except aiohttp.WSMessageTypeError:
                    await asyncio.sleep(AGAIN)
                except RefusedByBrokerError as err:
                    self.refused(err.problem.rule)
                    self._note(err.problem.status, err.problem.rule)
                    await asyncio.sleep(AGAIN)
                except Exception as err:
                    self.heard.surprises.append(f"{self.kind}: {err!r}")
                    raise

    async def live(self, web: WebDevice, socket: HearingSocket) -> None:
        """Do one thing."""
        raise NotImplementedError

    async def _connect(self, web: WebDevice) -> HearingSocket:
        while web.sockets:  # a socket left to the garbage collector is a warning somewhere else
            with suppress(TimeoutError):  # one whose broker was killed says no good-bye
                async with asyncio.timeout(1):
                    await web.sockets.pop().close()
        web.url = next(self._urls)
        web.dpop = PlainKey.generate()
        proof = await web.proof("POST", "/v1/token")
        status, document = await web.try_login(
            await web.assertion(at=int(self.herd.clock())), proof
        )
        if status != 200:
            # A nonce of the process that died is told apart from a login that is wrong.
            if status != 401 or document.get("rule") not in {"nonce", "login"} | self.herd.expected:
                self._note(status, str(document))
            raise LostError(f"login {status}")
        web.token = document["token"]
        headers = await web.headers("GET", "/v1/socket")
        try:
            ws = await web.http.ws_connect(
                f"{web.url}/v1/socket",
                headers=headers,
                max_msg_size=1 << 26,
            )
        except aiohttp.WSServerHandshakeError as err:
            raise LostError(f"socket {err.status}") from err
        web.sockets.append(ws)
        return HearingSocket(ws, self.herd, self.machine.device)

    def refused(self, rule: str) -> None:
        """Look at the rule by which the broker refused."""

    def _note(self, status: int, rule: str) -> None:
        if status in TRANSIENT or rule in self.herd.expected:
            self.heard.refusals[f"{status} {rule}"] += 1
        else:
            self.heard.surprises.append(f"{self.kind}: {status} {rule}")


class Writer(Member):
    """Sends message after message."""

    kind = "write"
    body = CANARY + b" in the body"

    def __init__(self, herd: Herd, machine: Machine, place: int = 0) -> None:
        super().__init__(herd, machine, place)
        self.pending: Bundle | None = None
        self.sent: list[tuple[Bundle, int]] = []

    async def live(self, web: WebDevice, socket: HearingSocket) -> None:
        if self.pending is None:
            self.pending = await self.draft(web)
        self.count += 1
        bundle = self.pending
        by_http = self.count % 3 == 0
        index = await (self.post(web, bundle) if by_http else self.send(socket, bundle))
        casework.count(self.herd.network, self.machine, self.pending)
        self.herd.objects.append(self.pending.contents[0].object)
        self.sent.append((self.pending, index))
        self.pending = None

    async def draft(self, web: WebDevice) -> Bundle:
        """Return what is sent next."""
        return casework.message(
            self.herd.network, self.machine, self.herd.case, self.body, cover=CANARY
        )

    async def send(self, socket: HearingSocket, bundle: Bundle) -> int:
        """Send a bundle, write the receipt down, and return where it stands."""
        answer = await socket.ask("send", Send(encode_bundle(bundle), 0), Recorded)
        return self._recorded(bundle, answer)

    async def post(self, web: WebDevice, bundle: Bundle) -> int:
        """Send a bundle by HTTP, as one that is too long for the socket."""
        sent = encode(Send(encode_bundle(bundle), 0))
        status, answer = await web.request("POST", "/v1/bundles", sent)
        if status == 401:
            raise LostError(f"bundle {status}")
        if status != 200:
            about = json.loads(answer)
            raise RefusedByBrokerError(Problem(status, about["rule"], about["title"]))
        return self._recorded(bundle, decode(answer, Recorded))

    def _recorded(self, bundle: Bundle, answer: Recorded) -> int:
        envelopes = [signed.envelope for signed in bundle.statements]
        self.heard.recorded(self.machine.device, envelopes, answer)
        return answer.entries[0].index


class Uploader(Writer):
    """Sends files of two parts."""

    kind = "upload"

    async def draft(self, web: WebDevice) -> Bundle:
        parts = [random_bytes(PART_SIZE), random_bytes(10)]
        leaves = [leaf_hash(part) for part in parts]
        root = parts_root(leaves)
        while True:
            try:
                await self.upload(web, root, parts, b"".join(leaves))
                break
            except (LostError, aiohttp.ClientError, OSError):
                if self.herd.over:
                    raise
                await asyncio.sleep(AGAIN)
                with suppress(LostError, aiohttp.ClientError, OSError):
                    await self._connect(web)
        self.herd.uploads.append((root, parts))
        return casework.file(
            self.herd.network, self.machine, self.herd.case, root=root, size=PART_SIZE + 10
        )

    async def upload(self, web: WebDevice, root: bytes, parts: list[bytes], leaves: bytes) -> None:
        """Upload what is missing."""
        path = f"/v1/blobs/{root.hex()}"
        size = sum(map(len, parts))
        await self._must(web, "PUT", f"{path}?size={size}", leaves)
        for number, part in enumerate(parts):
            await self._must(web, "PUT", f"{path}/parts/{number}", part)

    async def _must(self, web: WebDevice, method: str, path: str, data: bytes) -> None:
        status, answer = await web.request(
            method, path, data, content_type="application/octet-stream"
        )
        if status >= 300:
            if status != 401:
                self._note(status, answer.decode(errors="replace"))
            raise LostError(f"upload {status}")


class Reader(Member):
    """Asks for one content key after the other, every second time twice."""

    kind = "read"

    def __init__(self, herd: Herd, machine: Machine, place: int = 0) -> None:
        super().__init__(herd, machine, place)
        self.pending: Ask | None = None

    async def live(self, web: WebDevice, socket: HearingSocket) -> None:
        network = self.herd.network
        if self.pending is None:
            if not self.herd.objects:
                await asyncio.sleep(AGAIN)
                return
            object_ = self.herd.objects[self.count % len(self.herd.objects)]
            self.pending = self.ask(object_)
        ask = self.pending
        answer = await socket.ask("access", ask, Released)
        self.heard.released(self.machine.device, ask.envelope, answer)
        count_access(network, self.machine, ask)
        self.pending = None
        self.count += 1
        if self.count % 2:
            again = await socket.ask("access", ask, Released)
            assert again.entry.index == answer.entry.index, "an access stands twice"
            self.heard.released(self.machine.device, ask.envelope, again)

    def refused(self, rule: str) -> None:
        if rule in self.herd.expected:
            self.pending = None  # the broker's clock jumped past its end: state it anew

    def ask(self, object_: bytes) -> Ask:
        """Return the access that is asked for next."""
        return casework.access(self.herd.network, self.machine, self.herd.case, object_)


class Watcher(Reader):
    """Has a watch open, takes what is pushed, and reads the feed from where it was."""

    kind = "watch"
    cursor = 0

    def ask(self, object_: bytes) -> Ask:
        return casework.access(self.herd.network, self.machine, self.herd.case, scope="watch")

    async def live(self, web: WebDevice, socket: HearingSocket) -> None:
        if self.count == 0:
            await super().live(web, socket)
            return
        page = await socket.ask("feed", FeedFrom(self.cursor, 100, 0), Page)
        self.heard.checkpoints.add(page.checkpoint)
        indices = [item.entry.index for item in page.items]
        assert all(self.cursor <= index < page.upto for index in indices)
        self.heard.fed[self.machine.device] += indices
        self.cursor = page.upto
        self.heard.checkpoints.add((await socket.ask_raw("ping", b"")).decode())
        socket.unasked.clear()
        await asyncio.sleep(AGAIN)


def count_access(network: Network, machine: Machine, ask: Ask) -> None:
    """Move the numbers of a machine on past an access, without what others wrote before."""
    statement = open_envelope(ask.envelope, "access").statement
    assert isinstance(statement, Access)
    state = network.cases[statement.case]
    last = Last(statement.case_n, state.last(machine.device).object_hash)
    numbers = {**state.numbers, machine.device: last}
    network.cases[statement.case] = replace(state, numbers=numbers)
    machine.device_n = statement.device_n


@asynccontextmanager
async def grazing(herd: Herd, members: Sequence[Member]) -> AsyncGenerator[Herd, None]:
    """Let members live until the block ends; each finishes what it has begun.

    The brokers must be running at the end of the block.
    """
    tasks = [asyncio.create_task(member.run()) for member in members]
    try:
        yield herd
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    herd.over = True
    await asyncio.gather(*tasks)


def members_of(herd: Herd, writers: Sequence[Machine], readers: Sequence[Machine]) -> list[Member]:
    """Return a member for each machine: one uploads, one watches, the others write and read."""
    uploader, *others = writers
    watcher, *rest = readers
    return [
        Uploader(herd, uploader),
        *(Writer(herd, machine, place) for place, machine in enumerate(others)),
        Watcher(herd, watcher, 1),
        *(Reader(herd, machine, place) for place, machine in enumerate(rest)),
    ]
