"""(l) What the gate adds to a disclosure, beside one that only keeps a journal.

One device reads over its own socket, one reading at a time, from a broker that is a process
of its own. A reading is asked for with an access that was signed beforehand, and has ended
when the device holds the content key. With the gate the access is judged, entered,
integrated, put under the mark and signed before the key is opened, and the device checks
the receipt. Beside it the same broker takes the same request and does what a server does
that keeps a journal: one transaction that reads the key and inserts a row
(:mod:`bench.variant`, ``gate``); nothing is checked then, for there is nothing to check.
"""

import time
from statistics import median
from typing import Final, cast

from bench.rows import Row
from bench.stage import Stage
from seefen.protocol.case import Position
from seefen.protocol.envelope import open_envelope
from seefen.protocol.errors import UntrustedError
from seefen.protocol.frames import Ask, Released
from seefen.protocol.ledger.record import Record
from seefen.protocol.ledger.tree import EMPTY_ROOT
from seefen.protocol.objects import unwrap_content_key
from seefen.protocol.receipt import Receipt, check_receipt
from seefen.protocol.statements import Head, Object
from seefen.protocol.suite import sha256
from tests.support import casework
from tests.support.devices import WebDevice
from tests.support.network import Machine

READS: Final = {"tiny": 5, "usual": 200, "full": 1000}
ADDED: Final = 2.0  # times the p50 of the same reading without the gate, at most
NODES: Final = ("gate-owner", "gate-reader")


class Reader:
    """A device that reads one object, again and again."""

    def __init__(self, stage: Stage, machine: Machine, obj: Object, case_key: bytes) -> None:
        """Read ``obj`` with the key of its case."""
        self._stage = stage
        self._machine = machine
        self._object = obj
        self._case_key = case_key
        self._seen = Head(0, EMPTY_ROOT)

    async def read(self, count: int, *, gate: bool) -> list[float]:
        """Return the milliseconds of so many readings."""
        took: list[float] = []
        async with WebDevice(self._stage.url, self._stage.ca, self._machine) as web:
            socket = await (await web.login()).socket()
            for _ in range(count):
                ask = self._ask()
                began = time.perf_counter()
                released = await socket.ask("access", ask, Released)
                if gate:
                    self._check(released, ask)
                unwrap_content_key(self._object, self._case_key, released.keys[0].key)
                took.append(1000 * (time.perf_counter() - began))
                if gate:
                    self._count(released, ask)
        return took

    def _ask(self) -> Ask:
        case, object_ = self._object.case, self._object.object
        return casework.access(
            self._stage.network, self._machine, case, object_, seen=self._seen.size
        )

    def _count(self, released: Released, ask: Ask) -> None:
        network = self._stage.network
        size = Record.decode(released.entry.record).authority_size
        place = Position(size, released.entry.index, network.at)
        network.take_activity("access", ask.envelope, place)

    def _check(self, released: Released, ask: Ask) -> None:
        core, signed = check_receipt(
            Receipt(released.entry, released.checkpoint, released.consistency),
            origin=f"{self._stage.network.root.origin}/activity",
            log_public=self._stage.network.root.log_key,
            seen=self._seen,
        )
        if core.req != sha256(ask.envelope).hex():
            raise UntrustedError("the receipt is about something else", rule="receipt")
        self._seen = Head(signed.checkpoint.size, signed.checkpoint.root)


async def disclosures(stage: Stage) -> list[Row]:
    """Measure both, which take turns; the broker is started again between the rounds."""
    reader = await _reader(stage)
    gated: list[float] = []
    plain: list[float] = []
    for _ in range(stage.scale.rounds):
        gated.append(median(await reader.read(READS[stage.scale.name], gate=True)))
        await stage.stop()
        await stage.start("gate")
        plain.append(median(await reader.read(READS[stage.scale.name], gate=False)))
        await stage.stop()
        await stage.start()
    added = median(one / other - 1 for one, other in zip(gated, plain, strict=True))
    middle = median(gated)
    without = middle / (1 + added)
    return [
        Row("l", "a disclosure through the gate, one at a time, p50", "ms", middle, without),
        Row("l", "what the gate adds to it", "ms", middle - without, without, ADDED, at_most=True),
    ]


async def _reader(stage: Stage) -> Reader:
    async with stage.workshop() as workshop:
        network = workshop.network
        await workshop.admit(*NODES)
        owner, reader = map(network.of, NODES)
        case = await workshop.open_case(owner, NODES[1])
        sent = casework.message(network, owner, case)
        await workshop.take(sent, by=owner)
    obj = cast("Object", open_envelope(sent.statements[0].envelope, "object").statement)
    return Reader(stage, reader, obj, network.keys[case, obj.gen])
