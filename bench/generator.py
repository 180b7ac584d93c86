"""The load generator: a process of its own that is many devices at once.

Each device has one WebSocket over TLS 1.3 and does for each object what a client must:
seals cover and body under a key of its own, signs, sends, waits for the receipt and checks
it: the signature of the checkpoint, that the log only grew, that the entry stands in it
and is about this object. Only what was checked counts.

It reads a :class:`Task` from its input and writes a :class:`Done` to its output.
"""

import asyncio
import gc
import sys
import time
from typing import Any

import msgspec
import uvloop
from msgspec import Struct
from msgspec.structs import replace

from bench.stage import COVER, note
from seefen.protocol.bundle import Bundle, Signed, encode_bundle
from seefen.protocol.envelope import open_envelope, sign
from seefen.protocol.errors import UntrustedError
from seefen.protocol.frames import Recorded, Send
from seefen.protocol.ledger.tree import EMPTY_ROOT
from seefen.protocol.objects import seal_message
from seefen.protocol.receipt import Receipt, check_receipt
from seefen.protocol.statements import Head, Object
from seefen.protocol.suite import KemKey, PlainKey, SigningKey, new_id, sha256, tag
from tests.support.devices import Socket, WebDevice
from tests.support.network import Machine


class Writer(Struct):
    """A device, its keys, and its newest object: the next one takes the next numbers."""

    node: str
    device: bytes
    sign: bytes
    auth: bytes
    case_key: bytes
    envelope: bytes


class Task(Struct):
    """What to do: one object after the other from each writer, for so long."""

    url: str
    ca: str
    origin: str
    log_public: bytes
    writers: list[Writer]
    seconds: float


class Done(Struct):
    """What was done: objects with a checked receipt, and the writers as they are now.

    ``cpu`` are the seconds this process worked for it.
    """

    recorded: int
    seconds: float
    cpu: float
    latencies: list[float]
    writers: list[Writer]
    bundle: int


class Device:
    """One device that writes."""

    def __init__(self, task: Task, writer: Writer) -> None:
        """Take up where the writer stands."""
        self._task = task
        self.writer = writer
        self._key = SigningKey.from_secret(writer.sign)
        self._seen = Head(0, EMPTY_ROOT)
        self._last = _object(writer.envelope)
        self.latencies: list[float] = []
        self.bundle = 0
        machine = Machine(
            writer.node, (), "", writer.device, self._key,
            PlainKey.from_secret(writer.auth), KemKey.from_secret(bytes(32)),
        )  # fmt: skip
        self.web = WebDevice(task.url, task.ca, machine)
        self._socket: Socket | None = None

    async def open(self) -> None:
        """Log in and open the socket."""
        self._socket = await (await self.web.login()).socket()
        await self.write()  # warm, and from here on its head is the newest

    async def write_until(self, end: float) -> int:
        """Write one object after the other; return how many were recorded before the end."""
        done = 0
        while time.perf_counter() < end:
            began = time.perf_counter()
            await self.write()
            if time.perf_counter() <= end:
                done += 1
                self.latencies.append(time.perf_counter() - began)
        return done

    async def write(self) -> None:
        """Seal, sign, send, and check the receipt."""
        if self._socket is None:
            raise RuntimeError("the socket is not open")
        last, writer = self._last, self.writer
        bare = replace(
            last,
            nonce=new_id(),
            object=new_id(),
            device_n=last.device_n + 1,
            case_n=last.case_n + 1,
            activity=self._seen,
            prev=sha256(writer.envelope),
            created_at=int(time.time()),
        )
        complete, content = seal_message(bare, writer.case_key, cover=COVER, body=note())
        envelope = sign(complete, self._key)
        mark = tag(writer.case_key, "object", bare.case, bare.device, bare.case_n)
        bundle = encode_bundle(Bundle((Signed("object", envelope, mark),), (), (content,)))
        recorded = await self._socket.ask("send", Send(bundle, self._seen.size), Recorded)
        self._check(recorded, envelope)
        self._last, self.bundle = complete, len(bundle)
        writer.envelope = envelope

    def _check(self, recorded: Recorded, envelope: bytes) -> None:
        receipt = Receipt(recorded.entries[0], recorded.checkpoint, recorded.consistency)
        core, signed = check_receipt(
            receipt,
            origin=self._task.origin,
            log_public=self._task.log_public,
            seen=self._seen,
        )
        if core.req != sha256(envelope).hex():
            raise UntrustedError("the receipt is about something else", rule="receipt")
        self._seen = Head(signed.checkpoint.size, signed.checkpoint.root)


def _object(envelope: bytes) -> Object:
    statement = open_envelope(envelope, "object").statement
    if not isinstance(statement, Object):
        raise TypeError("not an object")
    return statement


async def run(task: Task) -> Done:
    """Let all devices write at once."""
    devices = [Device(task, writer) for writer in task.writers]
    try:
        for device in devices:
            await device.open()
        gc.collect()
        gc.freeze()
        cpu = time.process_time()
        end = time.perf_counter() + task.seconds
        counts = await asyncio.gather(*(device.write_until(end) for device in devices))
    finally:
        for device in devices:
            await device.web.__aexit__()
    return Done(
        sum(counts),
        task.seconds,
        time.process_time() - cpu,
        [seconds for device in devices for seconds in device.latencies],
        [device.writer for device in devices],
        devices[0].bundle,
    )


def main(read: Any = sys.stdin.buffer, write: Any = sys.stdout.buffer) -> None:
    """Do what the input says and say what was done."""
    task = msgspec.msgpack.decode(read.read(), type=Task)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        write.write(msgspec.msgpack.encode(runner.run(run(task))))


if __name__ == "__main__":
    main()
