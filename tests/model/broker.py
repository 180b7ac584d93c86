"""A broker in memory: the real judging over a store that is a few dictionaries.

What it keeps is what a hostile one could hand to anybody: every statement, wrap, sealed
body and wrapped content key. It hands out content keys only where its own rules say so.
"""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from seefen.protocol.bundle import Bundle
from seefen.protocol.directory import Directory
from seefen.protocol.envelope import Opened, open_envelope
from seefen.protocol.frames import Ask
from seefen.protocol.ledger.record import decode_core
from seefen.protocol.ledger.tree import CompactRange, leaf_hash
from seefen.server.gate import Gate, Protected
from seefen.server.jobs import AskJob, BundleJob, Job
from seefen.server.rows import Heads, LeafRow, LogHead
from seefen.server.view import Known, Layer

J = TypeVar("J", bound=Job)


class MemoryBroker:
    """Judges one job after the other and commits what passes."""

    def __init__(self, directory: Directory, at: int, wraps: dict[bytes, bytes]) -> None:
        self.rows: list[LeafRow] = []
        self.wraps = wraps
        self.content_keys: dict[bytes, bytes] = {}
        self.bodies: dict[bytes, bytes] = {}
        self._at = at
        self._log = CompactRange()
        self._gate = Gate()
        self._numbers: dict[object, int] = {}
        self.known = Known(self._heads(directory), directory)

    def send(self, device: bytes | None, bundle: Bundle) -> tuple[Opened, ...]:
        """Record a bundle and return its statements.

        Raises:
            SeefenError: A rule says no; nothing has changed.
        """
        job = _made(lambda: BundleJob(device, bundle))
        self._commit(job)
        return job.opened

    def ask(self, device: bytes, ask: Ask) -> dict[bytes, bytes]:
        """Record an access and return the wrapped content keys it releases.

        Raises:
            SeefenError: A rule says no; nothing has changed.
        """
        opened = open_envelope(ask.envelope, "access")
        job = _made(lambda: AskJob(device, opened, ask.tag, ask.objects))
        self._commit(job)
        index = len(self.rows) - 1
        core = decode_core(self.rows[index].core)
        assert (core.act, core.device) == ("access", device.hex()), "released without an entry"
        key = self._gate.disclose(index, objects=job.wanted, devices=job.readers)
        found = {o: Protected(o, self.content_keys[o]) for o in job.wanted}
        return {o: closed.reveal(key, device=device) for o, closed in found.items()}

    def _commit(self, job: Job) -> None:
        self._learn(job)
        layer = Layer.on(self.known, at=self._at * 1000)
        job.judge(layer)
        changes = layer.changes
        for row in changes.activity:
            self._check_place(row)
            self._log.append(leaf_hash(row.record))
            self.rows.append(row)
        self.wraps |= changes.wraps
        for stored in changes.objects:
            self.content_keys[stored.object] = stored.content_key or b""
            self.bodies[stored.object] = stored.body or b""
        self.known.absorb(layer, self._heads(layer.directory))
        self._gate.committed(len(self.rows))

    def _check_place(self, row: LeafRow) -> None:
        """Check that no number has a gap: in the log, of a device, of it in a case."""
        assert row.idx == len(self.rows)
        for key, number in ((row.device, row.device_n), ((row.device, row.case), row.case_n)):
            assert number is not None
            assert number == self._numbers.get(key, 0) + 1, (key, number)
            self._numbers[key] = number

    def _learn(self, job: Job) -> None:
        """Say of what was never committed that there is none of it."""
        missing = self.known.missing(job.needs)
        for case in missing.cases:
            self.known.learn_case(case, None)
        for device in missing.devices:
            self.known.learn_device(device, 0)
        for object_ in missing.objects:
            self.known.learn_object(object_, None)
        for owner, number in missing.numbers:
            self.known.learn_number(owner, number, taken=False)

    def _heads(self, directory: Directory) -> Heads:
        log = self._log
        return Heads(
            LogHead(directory.size, directory.head().root, b""),
            LogHead(log.size, log.root(), log.encode()),
            self._at * 1000,
        )


def _made(make: Callable[[], J]) -> J:
    async def inside() -> J:  # a job wants a loop for its answer, which nobody awaits here
        return make()

    return _LOOP.run_until_complete(inside())


_LOOP: Final = asyncio.new_event_loop()
