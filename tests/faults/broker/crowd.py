"""A crowd of devices that never stops: what each was told is held against the broker later.

Each device sends, reads or uploads over real TLS; when the line breaks it connects again and
sends the very same bytes, as an outbox does. Nothing here forgives: an entry that changes
its place, a head that does not fit, a key without its entry end the test.
"""

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import aiohttp

from seefen.protocol.bundle import Bundle, encode_bundle
from seefen.protocol.case import Last
from seefen.protocol.encoding import decode
from seefen.protocol.envelope import open_envelope
from seefen.protocol.frames import Ask, Push, Recorded, Released, Send
from seefen.protocol.ledger.note import open_checkpoint
from seefen.protocol.ledger.tree import leaf_hash
from seefen.protocol.objects import PART_SIZE, parts_root
from seefen.protocol.receipt import Entry, check_entry
from seefen.protocol.statements import Activity
from seefen.protocol.suite import random_bytes
from tests.support import casework
from tests.support.devices import RefusedByBrokerError, Socket, WebDevice
from tests.support.network import Machine, Network

CANARY = b"KANARINAC-S-84417"
AGAIN = 0.05  # seconds between tries to connect
# AssertionError: a login that was not answered, in tests.support.devices.
BROKEN = (aiohttp.ClientError, OSError, TypeError, EOFError, TimeoutError, AssertionError)


class PromiseBrokenError(Exception):
    """The broker contradicts what it or another process of it said before."""


def demand(holds: bool, text: str) -> None:
    """Raise :class:`PromiseBrokenError` with ``text`` unless it ``holds``."""
    if not holds:
        raise PromiseBrokenError(text)


@dataclass
class Memory:
    """Everything that any device was told by any broker process.

    Attributes:
        entries: Record by index, of every entry that was shown.
        heads: Root by size, of every checkpoint that was signed.
        sent: Objects that a device has begun to send.
        recorded: Index by object, from receipts.
        opened: Object and index of the entry, for each content key that was seen.
    """

    network: Network
    entries: dict[int, bytes] = field(default_factory=dict[int, bytes])
    heads: dict[int, bytes] = field(default_factory=dict[int, bytes])
    sent: dict[bytes, Bundle] = field(default_factory=dict[bytes, Bundle])
    recorded: dict[bytes, int] = field(default_factory=dict[bytes, int])
    opened: set[tuple[bytes, int]] = field(default_factory=set[tuple[bytes, int]])

    def hear(self, entry: Entry, checkpoint: str) -> None:
        """Take in an entry with its proof, and the head it is proved under."""
        root = self.network.root
        note = open_checkpoint(checkpoint, f"{root.origin}/activity", root.log_key)
        head = note.checkpoint
        check_entry(entry, head)
        same = self.entries.setdefault(entry.index, entry.record) == entry.record
        demand(same, f"entry {entry.index} was shown with two records")
        same = self.heads.setdefault(head.size, head.root) == head.root
        demand(same, f"two heads of size {head.size} were signed")


class Member:
    """One device of the crowd; ``turn`` is what it does over and over."""

    def __init__(self, url: str, ca: str, machine: Machine, case: bytes, memory: Memory) -> None:
        """Make a device that works in ``case``."""
        self.url, self.ca = url, ca
        self.machine, self.case, self.memory = machine, case, memory
        self.turns = 0
        self._waiting: Callable[[WebDevice, Socket], Awaitable[None]] | None = None

    async def live(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set and nothing is under way any more."""
        while not (stop.is_set() and self._waiting is None):
            try:
                async with WebDevice(self.url, self.ca, self.machine) as device:
                    await device.login()
                    await self._work(device, await device.socket(), stop)
            except RefusedByBrokerError as err:
                if err.problem.status != 503:
                    raise
            except BROKEN:
                await asyncio.sleep(AGAIN)

    async def _work(self, device: WebDevice, socket: Socket, stop: asyncio.Event) -> None:
        while self._waiting is not None or not stop.is_set():
            if self._waiting is None:
                self._waiting = self.begin()
            await self._waiting(device, socket)
            self._waiting = None
            self.turns += 1
            for frame in socket.unasked:
                self.overhear(frame.verb, frame.body)
            socket.unasked.clear()

    def begin(self) -> Callable[[WebDevice, Socket], Awaitable[None]]:
        """Return the next thing to do, which may have to be done again."""
        bundle = casework.message(self.memory.network, self.machine, self.case, CANARY)
        return self._sending(bundle)

    def overhear(self, verb: str, body: bytes) -> None:
        """Take in what came unasked."""
        if verb != "push":
            return
        push = decode(body, Push, limit=1 << 24)
        self.memory.hear(push.item.entry, push.checkpoint)
        if push.key:
            if push.release is None:
                raise PromiseBrokenError("a key was pushed without its release")
            self.memory.hear(push.release, push.checkpoint)
            object_ = open_envelope(push.item.envelope, "object").statement
            self.memory.opened.add((getattr(object_, "object", b""), push.release.index))

    def _sending(self, bundle: Bundle) -> Callable[[WebDevice, Socket], Awaitable[None]]:
        object_ = bundle.contents[0].object
        self.memory.sent[object_] = bundle
        casework.count(self.memory.network, self.machine, bundle)

        async def send(_: WebDevice, socket: Socket) -> None:
            told = await socket.ask("send", Send(encode_bundle(bundle), 0), Recorded)
            self.memory.hear(told.entries[0], told.checkpoint)
            index = told.entries[0].index
            same = self.memory.recorded.setdefault(object_, index) == index
            demand(same, "the same bytes got another place")

        return send


class Reader(Member):
    """Asks for the content keys of what others sent, and writes now and then."""

    def begin(self) -> Callable[[WebDevice, Socket], Awaitable[None]]:
        """Return an access, or a message of its own where there is nothing to read."""
        others = [o for o in self.memory.recorded if o not in self._read]
        if not others or self.turns % 3 == 2:
            return super().begin()
        self._read.add(others[-1])
        ask = casework.access(self.memory.network, self.machine, self.case, others[-1])
        return self._asking(ask)

    def __init__(self, url: str, ca: str, machine: Machine, case: bytes, memory: Memory) -> None:
        """Make a device that has read nothing."""
        super().__init__(url, ca, machine, case, memory)
        self._read = set[bytes]()

    def _asking(self, ask: Ask) -> Callable[[WebDevice, Socket], Awaitable[None]]:
        _move_on(self.memory.network, self.machine, ask.envelope)

        async def read(_: WebDevice, socket: Socket) -> None:
            given = await socket.ask("access", ask, Released)
            self.memory.hear(given.entry, given.checkpoint)
            demand([key.object for key in given.keys] == list(ask.objects), "keys are missing")
            for key in given.keys:
                self.memory.opened.add((key.object, given.entry.index))

        return read


class Watcher(Member):
    """Is on watch and only listens; it asks something now and then, to hear."""

    def begin(self) -> Callable[[WebDevice, Socket], Awaitable[None]]:
        """Return a watch, once; then wait for pushes."""
        if self.turns:
            return self._listen
        ask = casework.access(self.memory.network, self.machine, self.case, scope="watch")
        _move_on(self.memory.network, self.machine, ask.envelope)

        async def watch(_: WebDevice, socket: Socket) -> None:
            given = await socket.ask("access", ask, Released)
            self.memory.hear(given.entry, given.checkpoint)

        return watch

    async def _listen(self, _: WebDevice, socket: Socket) -> None:
        await socket.ask_raw("ping", b"")
        await asyncio.sleep(0.02)


class Uploader(Member):
    """Brings files in parts, resumed where they were cut."""

    def begin(self) -> Callable[[WebDevice, Socket], Awaitable[None]]:
        """Return the upload of a new file."""
        body = random_bytes(PART_SIZE + 1000)
        parts = [body[i : i + PART_SIZE] for i in range(0, len(body), PART_SIZE)]
        leaves: list[bytes] = [leaf_hash(part) for part in parts]
        root = parts_root(leaves)
        network = self.memory.network
        bundle = casework.file(network, self.machine, self.case, root=root, size=len(body))
        sending = self._sending(bundle)
        base = f"/v1/blobs/{root.hex()}"

        async def upload(device: WebDevice, socket: Socket) -> None:
            start = f"{base}?size={len(body)}"
            status, answer = await device.request("PUT", start, b"".join(leaves))
            _expect(status, (200, 201))
            missing: list[int] = json.loads(answer)["missing"]
            for number in missing:
                status, _ = await device.request("PUT", f"{base}/parts/{number}", parts[number])
                _expect(status, (204,))
            for number, part in enumerate(parts):
                status, there = await device.request("GET", f"{base}/parts/{number}")
                _expect(status, (200,))
                demand(there == part, "a part came back with other bytes")
            await sending(device, socket)

        return upload


def _expect(status: int, good: tuple[int, ...]) -> None:
    if status == 503:
        raise ConnectionError("not now")
    demand(status in good, f"the broker answered {status}")


def _move_on(network: Network, machine: Machine, envelope: bytes) -> None:
    """Move the numbers of a machine on past an access."""
    statement = open_envelope(envelope, "access").statement
    assert isinstance(statement, Activity)
    state = network.cases[statement.case]
    before = state.last(machine.device)
    numbers = {**state.numbers, machine.device: Last(statement.case_n, before.object_hash)}
    network.cases[statement.case] = dataclasses.replace(state, numbers=numbers)
    machine.device_n = statement.device_n
