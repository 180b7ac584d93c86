"""Releases: the broker's own entries, one before each push of a key.

Who has a watch open said beforehand why he reads. What is then pushed to him is written
down first: one entry per object and node, naming its devices and the accesses they have.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from seefen.protocol.case import Position, may_read
from seefen.protocol.encoding import encode
from seefen.protocol.envelope import Envelope
from seefen.protocol.errors import RefusedError
from seefen.protocol.statements import Release
from seefen.protocol.suite import SUITE, new_id
from seefen.server.entries import release_entry_of
from seefen.server.jobs import Job
from seefen.server.rows import AccessRow
from seefen.server.view import Layer, Needs

MOST: Final = 256  # accesses one core can name


class Place(Struct, frozen=True):
    """Where an object stands in the log: the index may be too small, never too large."""

    net: bytes
    case: bytes
    object: bytes
    index: int


class Watches:
    """The accesses to whole cases that are open."""

    def __init__(self, rows: Iterable[AccessRow], *, at: int = 0) -> None:
        """Take in those that are open at a time."""
        self._by_case: dict[bytes, dict[bytes, AccessRow]] = defaultdict(dict)
        self._forgot = 0
        self.restore(rows, at=at)

    def add(self, rows: Iterable[AccessRow]) -> None:
        """Take in accesses; of two by one device in a case, the one that lasts longer."""
        for row in rows:
            before = self._by_case[row.case].get(row.device)
            if before is None or before.until <= row.until:
                self._by_case[row.case][row.device] = row

    def open(
        self, case: bytes, devices: Iterable[bytes], *, index: int, at: int
    ) -> tuple[AccessRow, ...]:
        """Return the accesses of ``devices`` that cover an object at ``index``."""
        rows = self._by_case.get(case, {})
        found = (rows[device] for device in devices if device in rows)
        return tuple(row for row in found if row.starts <= index and at < row.until)

    def releases(
        self, place: Place, by_node: Mapping[str, Iterable[bytes]], *, at: int
    ) -> list["ReleaseJob"]:
        """Return the releases of an object to those of some devices that are on watch."""
        jobs: list[ReleaseJob] = []
        for node, devices in sorted(by_node.items()):
            rows = self.open(place.case, devices, index=place.index, at=at)
            parts = (rows[start : start + MOST] for start in range(0, len(rows), MOST))
            jobs += [ReleaseJob(place, node, part) for part in parts]
        return jobs

    def restore(self, rows: Iterable[AccessRow], *, at: int) -> None:
        """Take in those that are open at a time; of those that ended before nothing is known."""
        self.add(rows)
        self._forgot = at

    def prune(self, at: int) -> bool:
        """Forget what has ended; tell whether what was forgotten may be open after all.

        The clock was ahead then, and has come back: who is on watch would not be rung for.
        """
        for case, rows in list(self._by_case.items()):
            ended = [row for row in rows.values() if row.until <= at]
            for row in ended:
                del rows[row.device]
                self._forgot = max(self._forgot, row.until)
            if not rows:
                del self._by_case[case]
        return at < self._forgot


class ReleaseJob(Job):
    """One release: an object to the devices of one node that have a watch open."""

    def __init__(self, place: Place, node: str, accesses: tuple[AccessRow, ...]) -> None:
        """Release an object under ``accesses``, of as many as still may read it."""
        needs = Needs(cases=frozenset((place.case,)), objects=frozenset((place.object,)))
        super().__init__(needs, wanted=(place.object,))
        self.envelope = b""
        self._node = node
        self._place = place
        self._accesses = accesses

    def judge(self, layer: Layer) -> None:
        """Try it on a layer."""
        facts = layer.object(self.wanted[0])
        if facts is None:
            raise RefusedError("there is no such object", rule="scope")
        at = layer.at // 1000
        state, directory = layer.case(facts.case), layer.directory
        place = Position(directory.size, layer.activity_size, at)
        granted = [
            row
            for row in self._accesses
            if row.case == facts.case and state is not None and at < row.until
            if may_read(state, directory, row.device, facts.gen, place)
        ]
        if not granted:
            raise RefusedError("nobody on watch may read this", rule="not-a-reader")
        self.readers = tuple(row.device for row in granted)
        release = Release(
            SUITE,
            self._place.net,
            "release",
            new_id(),
            self._place.case,
            self._place.object,
            self._node,
            self.readers,
            tuple(row.idx for row in granted),
        )
        self.envelope = encode(Envelope(encode(release), ()))
        row = release_entry_of(layer, release, self.envelope, facts.n)
        layer.changes.activity.append(row)
        layer.activity_size += 1
