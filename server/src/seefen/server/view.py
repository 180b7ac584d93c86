"""What the broker knows, in layers: what is committed, and what waits to be.

A bundle is tried on a layer of its own; when all of it passes, the layer is folded into
that of its group, and when the group is committed, into :class:`Known`. Whatever fails is
dropped with its layer and has changed nothing.
"""

from collections import OrderedDict
from collections.abc import Generator, Hashable, Iterable
from contextlib import contextmanager
from typing import Final, Generic, TypeVar

import msgspec
from msgspec import Struct

from seefen.protocol.case import CaseState
from seefen.protocol.directory import Directory
from seefen.protocol.statements import NO_NET
from seefen.server.rows import Changes, Heads, ObjectFacts

CASES_KEPT: Final = 4096
OBJECTS_KEPT: Final = 65_536
DEVICES_KEPT: Final = 65_536
NUMBERS_KEPT: Final = 4096
MANIFESTS_KEPT: Final = 4096

K = TypeVar("K")
V = TypeVar("V")


class Needs(Struct, frozen=True):
    """What must be loaded before a job can be judged."""

    cases: frozenset[bytes] = frozenset()
    devices: frozenset[bytes] = frozenset()
    objects: frozenset[bytes] = frozenset()
    numbers: frozenset[tuple[str, str]] = frozenset()
    manifests: frozenset[tuple[bytes, str]] = frozenset()  # by a device, of a node

    def __bool__(self) -> bool:
        """Tell whether anything is missing."""
        known = (self.cases, self.devices, self.objects, self.numbers, self.manifests)
        return any(known)


class _Recent(Generic[K, V]):
    """The entries used last; absent is something else than known to be nothing.

    Bounded at each entry, and not only when something is committed: whoever asks for ids that
    nobody gave, night after night, would fill the memory of the broker with what there is not.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[K, V] = OrderedDict()

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    def __getitem__(self, key: K) -> V:
        self._entries.move_to_end(key)
        return self._entries[key]

    def get(self, key: K) -> V | None:
        return self[key] if key in self._entries else None

    def put(self, key: K, value: V) -> None:
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)

    def drop(self, key: K) -> None:
        self._entries.pop(key, None)

    def clear(self) -> None:
        self._entries.clear()


class _Reader:
    """Somebody who reads the database: what is committed meanwhile is newer than what he gets."""

    def __init__(self) -> None:
        self._changed: set[Hashable] = set()
        self._foreign = False
        self._all = False

    def change(self, key: Hashable) -> None:
        """Note what was changed."""
        self._changed.add(key)

    def change_some(self) -> None:
        """Note that another process has changed what is not known by its key."""
        self._foreign = True

    def change_all(self) -> None:
        """Note that others have changed nobody knows what."""
        self._all = True

    def has_now(self, key: Hashable) -> bool:
        """Tell whether what was read of a key is still so, as far as it is known by it."""
        return not self._all and key not in self._changed

    def has_all_now(self, key: Hashable) -> bool:
        """Tell whether what was read of a key is still so, whoever has written."""
        return not self._foreign and self.has_now(key)


class Known:
    """What is committed, as far as it was needed: the ground of all layers.

    ``directory`` is never changed in place, so whoever holds it may go on asking it.
    """

    def __init__(self, heads: Heads, directory: Directory) -> None:
        self.heads = heads
        self.directory = directory
        self._cases: _Recent[bytes, CaseState | None] = _Recent(CASES_KEPT)
        self._objects: _Recent[bytes, ObjectFacts | None] = _Recent(OBJECTS_KEPT)
        self._device_ns: _Recent[bytes, int] = _Recent(DEVICES_KEPT)
        self._numbers: _Recent[tuple[str, str], bool] = _Recent(NUMBERS_KEPT)
        self._manifests: _Recent[tuple[bytes, str], int] = _Recent(MANIFESTS_KEPT)
        self._readers: list[_Reader] = []

    @property
    def activity_size(self) -> int:
        """How many leaves of the activity log are committed."""
        return self.heads.activity.size

    @property
    def at(self) -> int:
        """When the last commit was, in unix milliseconds."""
        return self.heads.at

    def case(self, case: bytes) -> CaseState | None:
        """Return the state of a case, None if there is no such case."""
        return self._cases[case]

    def device_n(self, device: bytes) -> int:
        """Return the last number of a device."""
        return self._device_ns[device]

    def has_number(self, device: bytes, number: int) -> bool:
        """Tell whether a device is known to have used a number."""
        return number <= (self._device_ns.get(device) or 0)

    def object(self, object_: bytes) -> ObjectFacts | None:
        """Return what is known of an object, None if there is none or nobody asked."""
        return self._objects.get(object_)

    def number_taken(self, owner: str, number: str) -> bool:
        """Tell whether a case number was given."""
        return self._numbers[owner, number]

    def manifested(self, device: bytes, of: str) -> int:
        """Return up to where the manifests of a device about a node reach."""
        return self._manifests[device, of]

    def missing(self, needs: Needs) -> Needs:
        """Return what of ``needs`` must be loaded first."""
        return Needs(
            frozenset(c for c in needs.cases if c not in self._cases),
            frozenset(d for d in needs.devices if d not in self._device_ns),
            frozenset(o for o in needs.objects if o not in self._objects),
            frozenset(n for n in needs.numbers if n not in self._numbers),
            frozenset(m for m in needs.manifests if m not in self._manifests),
        )

    @contextmanager
    def reading(self) -> Generator["_Reader", None, None]:
        """Note what is changed while somebody reads the database."""
        reader = _Reader()
        self._readers.append(reader)
        try:
            yield reader
        finally:
            self._readers.remove(reader)

    def learn_case(self, case: bytes, state: CaseState | None) -> None:
        """Keep the state of a case that was loaded."""
        self._cases.put(case, state)

    def learn_object(self, object_: bytes, facts: ObjectFacts | None) -> None:
        """Keep what was loaded about an object."""
        self._objects.put(object_, facts)

    def learn_device(self, device: bytes, number: int) -> None:
        """Keep the last number of a device."""
        self._device_ns.put(device, number)

    def learn_number(self, owner: str, number: str, *, taken: bool) -> None:
        """Keep whether a case number was given."""
        self._numbers.put((owner, number), taken)

    def learn_manifest(self, device: bytes, of: str, upto: int) -> None:
        """Keep up to where the manifests of a device about a node reach."""
        self._manifests.put((device, of), upto)

    def forget(self, cases: Iterable[bytes], objects: Iterable[bytes]) -> None:
        """Drop what another process has changed."""
        for case in cases:
            self._cases.drop(case)
            self._changed(case)
        for object_ in objects:
            self._objects.drop(object_)
            self._changed(object_)
        self._numbers.clear()
        self._manifests.clear()
        for reader in self._readers:
            reader.change_some()

    def forget_all(self) -> None:
        """Drop what others may have changed, where that is too much to be looked through."""
        for kept in (self._cases, self._objects, self._device_ns, self._numbers, self._manifests):
            kept.clear()
        for reader in self._readers:
            reader.change_all()

    def absorb(self, layer: "Layer", heads: Heads) -> None:
        """Take in what was committed."""
        self.heads = heads
        self.directory = layer.directory
        for case, state in layer.cases.items():
            self._cases.put(case, state)
            self._changed(case)
        for object_, facts in layer.objects.items():
            self._objects.put(object_, facts)
            self._changed(object_)
        for device, number in layer.device_ns.items():
            self._device_ns.put(device, number)
        for about, upto in layer.manifests.items():
            self._manifests.put(about, upto)
            self._changed(about)
        for given in layer.numbers:
            self._changed(given)
        self._numbers.clear()

    def _changed(self, key: Hashable) -> None:
        for reader in self._readers:
            reader.change(key)


class Layer(Struct):
    """What would be known if this were committed; ``changes`` is what that would write."""

    below: "Known | Layer"
    directory: Directory
    activity_size: int
    at: int
    cases: dict[bytes, CaseState] = {}
    objects: dict[bytes, ObjectFacts] = {}
    device_ns: dict[bytes, int] = {}
    numbers: set[tuple[str, str]] = set()
    manifests: dict[tuple[bytes, str], int] = {}
    changes: Changes = msgspec.field(default_factory=Changes)

    @classmethod
    def on(cls, below: "Known | Layer", *, at: int = 0) -> "Layer":
        """Return an empty layer; its time is never before that of what is below."""
        return cls(below, below.directory, below.activity_size, max(below.at, at))

    def case(self, case: bytes) -> CaseState | None:
        """Return the state of a case, None if there is no such case."""
        found = self.cases.get(case)
        return self.below.case(case) if found is None else found

    def device_n(self, device: bytes) -> int:
        """Return the last number of a device."""
        found = self.device_ns.get(device)
        return self.below.device_n(device) if found is None else found

    def object(self, object_: bytes) -> ObjectFacts | None:
        """Return what is known of an object, None if there is none or nobody asked."""
        found = self.objects.get(object_)
        return self.below.object(object_) if found is None else found

    def number_taken(self, owner: str, number: str) -> bool:
        """Tell whether a case number was given."""
        return (owner, number) in self.numbers or self.below.number_taken(owner, number)

    def manifested(self, device: bytes, of: str) -> int:
        """Return up to where the manifests of a device about a node reach."""
        found = self.manifests.get((device, of))
        return self.below.manifested(device, of) if found is None else found

    def absorb(self, above: "Layer") -> None:
        """Take in a layer that stands on this one and has passed."""
        self.directory = above.directory
        self.activity_size = above.activity_size
        self.at = above.at
        self.cases |= above.cases
        self.objects |= above.objects
        self.device_ns |= above.device_ns
        self.manifests |= above.manifests
        self.numbers |= above.numbers
        self.changes.extend(above.changes)


def unfounded() -> Directory:
    """Return the directory of a broker that has no network yet."""
    return Directory(NO_NET)
