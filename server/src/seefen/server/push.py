"""Push: what happens, to the devices that are on line, as it happens.

A push is a convenience: the feed has the same, and whoever misses one asks there. A key
goes out only with the release entry that was committed before it: with the object itself,
where it came through this process, else in a commit of its own.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeAlias

from seefen.protocol.encoding import encode
from seefen.protocol.errors import SeefenError
from seefen.protocol.frames import AuthorityItem, AuthorityPage, Frame, Item
from seefen.protocol.frames import Push as PushFrame
from seefen.protocol.receipt import Entry
from seefen.protocol.statements import Object
from seefen.server.alarms import alarm
from seefen.server.feed import Feed
from seefen.server.jobs import Done, Job
from seefen.server.metrics import PUSHED
from seefen.server.parcels import CARRIED, Parcel
from seefen.server.proofs import Prover
from seefen.server.recovery import Missed
from seefen.server.releases import Place, ReleaseJob, Watches
from seefen.server.rows import Changes, Heads, LeafRow, LogHead, Storage
from seefen.server.sequencer import Sequencer
from seefen.server.view import Layer

Deliver = Callable[[bytes], None]


NEVER: Final = 1 << 62
UNASKED: Final = 0  # the number of a frame that answers nothing


@dataclass(eq=False, slots=True)
class _Line:
    """A socket of a device."""

    device: bytes
    node: str
    deliver: Deliver
    revoked: Callable[[], None]
    missed: Callable[[], None] | None


@dataclass(frozen=True, slots=True)
class _Sound:
    """All lines are of devices in force: while the keys are ``size`` records, until a time."""

    size: int
    since: int
    until: int


@dataclass(frozen=True, slots=True)
class _Batch:
    """What was committed, under which heads, and the releases that were."""

    changes: Changes
    heads: Heads
    releases: list[ReleaseJob]


@dataclass(frozen=True, slots=True)
class _Key:
    """The key that goes with a push, and the entry it goes under."""

    entry: Entry
    envelope: bytes
    key: bytes


_Due: TypeAlias = tuple[Parcel, list[bytes]]  # and the devices on line that get it
_Released: TypeAlias = tuple[Parcel, ReleaseJob, Done]


class Push:
    """Delivers to lines; cuts those of devices that are no longer in force."""

    def __init__(
        self,
        sequencer: Sequencer,
        prover: Prover,
        storage: Storage,
        feed: Feed,
        watches: Watches,
        clock: Callable[[], float],
        sign: Callable[[str, LogHead], str],
        shut: Callable[[bytes], bool],
    ) -> None:
        self._sequencer = sequencer
        self._prover = prover
        self._storage = storage
        self._feed = feed
        self._watches = watches
        self._clock = clock
        self._sign = sign
        self._shut = shut
        self._lines: dict[bytes, list[_Line]] = defaultdict(list)
        self._on_line_of: dict[str, dict[bytes, None]] = defaultdict(dict)  # by node, in order
        self._told: dict[bytes, int] = {}
        self._sound: _Sound | None = None
        self._batches: asyncio.Queue[_Batch] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        sequencer.listen(self._committed)
        sequencer.accompany(self._release_ahead)

    def start(self) -> None:
        """Begin to deliver."""
        self._task = asyncio.create_task(self._run(), name="push")

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def attach(
        self,
        device: bytes,
        deliver: Deliver,
        revoked: Callable[[], None],
        missed: Callable[[], None] | None = None,
    ) -> Callable[[], None]:
        """Deliver frames to a line of ``device`` from now on; returns what ends that.

        Raises:
            UntrustedError: The device is not in force.
        """
        directory = self._sequencer.known.directory
        found = directory.require_active(device, at=int(self._clock()))
        self._sound = None  # this one may run out before all others
        line = _Line(device, found.node, deliver, revoked, missed)
        self._lines[device].append(line)
        self._on_line_of[found.node][device] = None

        def detach() -> None:
            self._drop(line)

        return detach

    def told(self, device: bytes, size: int) -> None:
        """Note which activity size a device has a checkpoint of."""
        if device in self._lines:
            self._told[device] = max(size, self._told.get(device, 0))

    def cut(self) -> None:
        """End the lines of devices that are no longer in force."""
        directory, at = self._sequencer.known.directory, int(self._clock())
        sound = self._sound
        if sound and sound.size == directory.size and sound.since <= at < sound.until:
            return  # no record came, and nothing that was in force has run out
        until = NEVER
        for device, lines in list(self._lines.items()):
            if not directory.is_active(device, at=at):
                for line in list(lines):
                    self._drop(line)
                    line.revoked()
                continue
            certificate = directory.device(device)
            node = directory.node(certificate.node)
            until = min(until, certificate.expires, node.expires)
        self._sound = _Sound(directory.size, at, until)

    def _drop(self, line: _Line) -> None:
        lines = self._lines.get(line.device, [])
        if line in lines:
            lines.remove(line)
        if not lines:
            self._lines.pop(line.device, None)
            self._on_line_of[line.node].pop(line.device, None)
            self._told.pop(line.device, None)

    def _committed(self, changes: Changes, heads: Heads, jobs: Sequence[Job]) -> None:
        self._watches.add(changes.accesses)
        if changes.authority:
            self.cut()
        if isinstance(changes, Missed):
            self._end_all()
            return
        releases = [job for job in jobs if isinstance(job, ReleaseJob)]
        self._batches.put_nowait(_Batch(changes, heads, releases))

    def _end_all(self) -> None:
        """End all lines: this process stood still, and pushes nothing of what it missed.

        What is urgent now would wait behind it, who reads slowly would be cut, and a key that came
        from another process would be given once more. Who connects again has all from the feed.
        """
        for line in [line for lines in self._lines.values() for line in lines]:
            self._drop(line)
            if line.missed is not None:
                line.missed()

    def _release_ahead(self, layer: Layer) -> list[ReleaseJob]:
        """Return releases of the objects in a layer, to be committed with them.

        Who is on watch then has the key one commit earlier. What cannot be released here, or
        has to be by the time it is pushed, is released then.
        """
        made: list[ReleaseJob] = []
        for row in layer.changes.objects if self._lines else ():
            state = layer.case(row.case)
            if state is None:
                continue
            author = next(leaf.device for leaf in layer.changes.activity if leaf.idx == row.idx)
            devices = self._on_line(state.covered(row.gen, layer.directory), but=author)
            place = Place(layer.directory.net, row.case, row.object, row.idx)
            made += self._releases(place, devices)
        return made

    async def _run(self) -> None:
        while True:
            batches = [await self._batches.get()]
            while not self._batches.empty():
                batches.append(self._batches.get_nowait())
            try:
                await self._deliver(batches)
            except SeefenError as err:
                # Nobody misses anything for good: the feed has it.
                alarm("push-failed", failed=err.rule)
            except Exception as err:
                alarm("push-failed", failed=type(err).__name__)

    async def _deliver(self, batches: list[_Batch]) -> None:
        if not self._lines:
            return
        for batch in batches:
            if batch.changes.authority:
                await self._deliver_authority(batch.changes, batch.heads.authority)
        rows = [
            row
            for batch in batches
            for row in batch.changes.activity
            if await self._others_on_line(row)
        ]
        directory = self._sequencer.known.directory
        parcels = await self._feed.parcels(rows, directory)
        due = [(p, self._on_line(p.nodes, but=p.row.device)) for p in parcels]
        due = [(parcel, devices) for parcel, devices in due if devices]
        if not due:
            return
        # What this process has written is at hand: the push leaves before the author's receipt.
        released = await self._release(due, [job for batch in batches for job in batch.releases])
        bodies = await self._bodies(due, batches)
        head = self._sequencer.known.heads.activity  # all proofs are under this one
        # The next group may be committed by now: nothing is signed before the mark covers it.
        await self._sequencer.announcer.told()
        keys = await self._keys(released, head.size)
        wraps = {h: data for batch in batches for h, data in batch.changes.wraps.items()}
        for parcel, devices in due:
            body = bodies.get(parcel.body_of or b"", b"")
            await self._deliver_parcel(parcel, devices, body, wraps, keys, head)
            # Where another process wrote there are hundreds at once: a device that reads is not
            # slow, so each line writes one before it gets the next.
            await asyncio.sleep(0)

    async def _bodies(self, due: list[_Due], batches: list[_Batch]) -> dict[bytes, bytes]:
        """Return the sealed bodies that are due; those written here were never out of memory."""
        rows = [row for batch in batches for row in batch.changes.objects]
        found = {row.object: row.body for row in rows if row.body is not None}
        elsewhere = [p.body_of for p, _ in due if p.body_of is not None and p.body_of not in found]
        return found | await self._storage.bodies(elsewhere) if elsewhere else found

    async def _others_on_line(self, row: LeafRow) -> bool:
        """Tell whether anybody but its author can get a statement: else it is not read again."""
        if row.kind not in CARRIED:
            return False
        state = await self._sequencer.case(row.case)
        if state is None:
            return False
        ever = {member.node for version in state.versions for member in version.members}
        return any(
            device != row.device for node in ever for device in self._on_line_of.get(node, ())
        )

    def _on_line(self, nodes: frozenset[str], *, but: bytes | None) -> list[bytes]:
        """Return the devices on line of some nodes; the author of a statement has it."""
        return [
            device
            for node in sorted(nodes)
            for device in self._on_line_of.get(node, ())
            if device != but
        ]

    async def _release(self, due: list[_Due], made: list[ReleaseJob]) -> list[_Released]:
        """Return the releases of each object to each node on watch, committed."""
        by_object: dict[bytes, list[ReleaseJob]] = defaultdict(list)
        for job in made:
            by_object[job.wanted[0]].append(job)
        released: list[_Released] = []
        late: list[tuple[Parcel, ReleaseJob]] = []
        for parcel, devices in due:
            obj = parcel.statement
            if not isinstance(obj, Object):
                continue
            stand = by_object.get(obj.object, [])
            released += [(parcel, job, job.done.result()) for job in stand]
            has = {device for job in stand for device in job.readers}
            # Who came on line since, and all of what another process has written.
            place = Place(obj.net, obj.case, obj.object, parcel.row.idx)
            without = [device for device in devices if device not in has]
            late += [(parcel, job) for job in self._releases(place, without)]
        if not late:
            return released
        # Together, so that they are one commit.
        writes = (self._sequencer.write(job) for _, job in late)
        results = await asyncio.gather(*writes, return_exceptions=True)
        for (parcel, job), done in zip(late, results, strict=True):
            if isinstance(done, SeefenError):
                continue  # without a release there is no key: the device asks by itself
            if isinstance(done, BaseException):
                raise done
            released.append((parcel, job, done))
        return released

    async def _keys(self, released: list[_Released], size: int) -> dict[tuple[int, bytes], _Key]:
        """Return the keys that may go out, by entry and device, with proofs under ``size``."""
        rows = [row for _, _, done in released for row in done.activity]
        entries = await self._prover.entries(rows, size)
        keys: dict[tuple[int, bytes], _Key] = {}
        for (parcel, job, done), entry in zip(released, entries, strict=True):
            for device in job.readers:
                key = done.keys[job.wanted[0]].reveal(done.disclosure, device=device)
                keys[parcel.row.idx, device] = _Key(entry, job.envelope, key)
        return keys

    def _releases(self, place: Place, devices: list[bytes]) -> list[ReleaseJob]:
        by_node: dict[str, list[bytes]] = defaultdict(list)
        if self._shut(place.case):
            return []  # the device asks by itself, and is told why not
        for device in devices:
            if lines := self._lines.get(device):  # else it has hung up meanwhile
                by_node[lines[0].node].append(device)
        return self._watches.releases(place, by_node, at=int(self._clock()))

    async def _deliver_parcel(
        self,
        parcel: Parcel,
        devices: list[bytes],
        body: bytes,
        wraps: dict[bytes, bytes],
        keys: dict[tuple[int, bytes], _Key],
        head: LogHead,
    ) -> None:
        checkpoint = self._sign("activity", head)
        directory = self._sequencer.known.directory
        made: dict[object, bytes] = {}
        items: dict[tuple[bytes, ...], Item] = {}
        for device in devices:
            named = parcel.wraps(directory, device)
            if named not in items:
                (items[named],) = await self._feed.items(
                    [(parcel, body)], directory, device, head.size, wraps
                )
            key = keys.get((parcel.row.idx, device))
            told = self._told.get(device, 0)
            # Devices in the same position get the same bytes: encoded once for all.
            same = (named, told, key.entry.index if key else None)
            frame = made.get(same)
            if frame is None:
                proof = await self._prover.consistency("activity", told, head.size)
                push = PushFrame(
                    items[named],
                    key.entry if key else None,
                    key.envelope if key else b"",
                    key.key if key else b"",
                    checkpoint,
                    proof,
                )
                frame = made[same] = encode(Frame(UNASKED, "push", encode(push)))
            self._hand_over(device, frame)
            self.told(device, head.size)

    async def _deliver_authority(self, changes: Changes, head: LogHead) -> None:
        start = changes.authority[0].idx
        page = AuthorityPage(
            start,
            tuple(AuthorityItem(row.kind, row.envelope, ()) for row in changes.authority),
            self._sign("authority", head),
            await self._prover.consistency("authority", start, head.size),
        )
        frame = encode(Frame(UNASKED, "authority", encode(page)))
        for device in list(self._lines):
            self._hand_over(device, frame)

    def _hand_over(self, device: bytes, frame: bytes) -> None:
        for line in list(self._lines.get(device, ())):
            try:
                line.deliver(frame)
                PUSHED.inc()
            except Exception as err:
                alarm("line-broken", failed=type(err).__name__)
                self._drop(line)
