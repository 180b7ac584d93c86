"""What clients heard from brokers that died, and whether it holds: invariants I1 to I4, I6, I7.

Everything a client was promised is written down as it arrives and compared at the end with
what stands in the database. The checks read the tables themselves: no code of the broker
has a say in them.
"""

from __future__ import annotations

from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from seefen.protocol.encoding import decode
from seefen.protocol.envelope import open_envelope
from seefen.protocol.frames import Push, Recorded, Released
from seefen.protocol.ledger.note import open_checkpoint
from seefen.protocol.ledger.record import Record
from seefen.protocol.ledger.tree import CompactRange, leaf_hash
from seefen.protocol.receipt import Entry, check_entry
from seefen.protocol.statements import Release
from seefen.protocol.suite import PlainKey

_URL_SAFE = bytes.maketrans(b"+/", b"-_")


@dataclass(frozen=True, slots=True)
class Receipt:
    """A promise: this envelope of this device stands at this index."""

    device: bytes
    envelope: bytes
    index: int
    record: bytes


@dataclass(frozen=True, slots=True)
class KeySeen:
    """A wrapped content key that reached a device, and the entry it came under."""

    device: bytes
    object: bytes
    key: bytes
    entry: Entry


@dataclass
class Heard:
    """Everything that all clients of one network heard."""

    origin: str
    log_key: PlainKey
    receipts: list[Receipt] = field(default_factory=list[Receipt])
    keys: list[KeySeen] = field(default_factory=list[KeySeen])
    checkpoints: set[str] = field(default_factory=set[str])
    bodies: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])
    fed: dict[bytes, list[int]] = field(default_factory=lambda: defaultdict(list[int]))
    refusals: Counter[str] = field(default_factory=Counter[str])
    surprises: list[str] = field(default_factory=list[str])

    def recorded(self, device: bytes, envelopes: Sequence[bytes], answer: Recorded) -> None:
        """Write down a receipt, once its proof is checked."""
        self.checkpoints.add(answer.checkpoint)
        for envelope, entry in zip(envelopes, answer.entries, strict=True):
            self._check(entry, answer.checkpoint)
            self.receipts.append(Receipt(device, envelope, entry.index, entry.record))

    def released(self, device: bytes, envelope: bytes, answer: Released) -> None:
        """Write down the receipt of an access, and the keys that came with it."""
        self.checkpoints.add(answer.checkpoint)
        self._check(answer.entry, answer.checkpoint)
        entry = answer.entry
        self.receipts.append(Receipt(device, envelope, entry.index, entry.record))
        self.keys += [KeySeen(device, key.object, key.key, entry) for key in answer.keys]

    def pushed(self, device: bytes, push: Push) -> None:
        """Write down a push, and its key if it has one."""
        self.checkpoints.add(push.checkpoint)
        self._check(push.item.entry, push.checkpoint)
        if push.key:
            assert push.release is not None, "a key without a release"
            self._check(push.release, push.checkpoint)
            object_ = _object_of(push.item.envelope)
            self.keys.append(KeySeen(device, object_, push.key, push.release))

    def _check(self, entry: Entry, checkpoint: str) -> None:
        text = open_checkpoint(checkpoint, f"{self.origin}/activity", self.log_key.public)
        check_entry(entry, text.checkpoint)

    async def check(self, dsn: str) -> None:
        """Check everything against what stands in the database."""
        connection: Any = await asyncpg.connect(dsn)
        try:
            leaves = await connection.fetch("SELECT * FROM activity_leaf ORDER BY idx")
            head = await connection.fetchrow("SELECT * FROM ledger_head")
            objects = await connection.fetch("SELECT * FROM object")
            authority = await connection.fetch("SELECT * FROM authority_leaf ORDER BY idx")
        finally:
            await connection.close()
        assert self.surprises == [], self.surprises
        self._check_order(leaves, head)
        self._check_receipts(leaves)
        self._check_checkpoints(leaves)
        self._check_keys(leaves, objects)
        check_revoked(leaves, authority)
        for indices in self.fed.values():
            assert len(set(indices)) == len(indices), "I2: an entry came twice in the feed"

    def _check_order(self, leaves: Sequence[Any], head: Any) -> None:
        """Check I2 and I7: no gap, nothing twice, numbers in order for each device and case."""
        assert [row["idx"] for row in leaves] == list(range(head["activity_size"]))
        twice = [h for h, n in Counter(row["hash"] for row in leaves).items() if n > 1]
        assert twice == [], "I2: a statement stands twice"
        names = Counter(row["object_id"] for row in leaves if row["kind"] == "object")
        assert not [o for o, n in names.items() if n > 1], "I2: an object stands twice"
        by_device = defaultdict[bytes, list[int]](list)
        by_case = defaultdict[tuple[bytes, bytes], list[int]](list)
        for row in leaves:
            if row["device_id"] is not None:
                by_device[row["device_id"]].append(row["device_n"])
                by_case[row["device_id"], row["case_id"]].append(row["case_n"])
        for numbers in (*by_device.values(), *by_case.values()):
            assert numbers == list(range(1, len(numbers) + 1)), "I7: out of order, or a gap"

    def _check_receipts(self, leaves: Sequence[Any]) -> None:
        for receipt in self.receipts:
            assert receipt.index < len(leaves), "I1: a receipt names an entry that is gone"
            row = leaves[receipt.index]
            found = (row["envelope"], row["record"], row["device_id"])
            assert found == (receipt.envelope, receipt.record, receipt.device), "I1"

    def _check_checkpoints(self, leaves: Sequence[Any]) -> None:
        """Check I4: every root ever served is a root of the log that stands now."""
        served: dict[int, set[bytes]] = defaultdict(set)
        for text in self.checkpoints:
            found = open_checkpoint(text, f"{self.origin}/activity", self.log_key.public)
            served[found.checkpoint.size].add(found.checkpoint.root)
        tree = CompactRange()
        roots = {0: tree.root()}
        for row in leaves:
            tree.append(leaf_hash(row["record"]))
            if tree.size in served:
                roots[tree.size] = tree.root()
        for size, found_roots in served.items():
            assert found_roots == {roots.get(size)}, f"I4: another root was served at {size}"

    def _check_keys(self, leaves: Sequence[Any], objects: Sequence[Any]) -> None:
        """Check I3, also for keys in frames in which no key has its place."""
        entitled: set[tuple[bytes, bytes]] = set()
        for seen in self.keys:
            row = leaves[seen.entry.index]
            assert row["record"] == seen.entry.record, "I3: a key under an entry that is gone"
            if row["kind"] == "release":
                release = open_envelope(row["envelope"], "release").statement
                assert isinstance(release, Release)
                assert (release.object, seen.device in release.devices) == (seen.object, True)
            else:
                assert (row["kind"], row["device_id"]) == ("access", seen.device), "I3"
            entitled.add((seen.device, seen.key))
        keys: set[bytes] = {row["content_key"] for row in objects}
        told: dict[bytes, list[bytes]] = defaultdict(list)
        for device, body in self.bodies:
            told[device].append(body)
        everything = {device: b"\n".join(bodies) for device, bodies in told.items()}
        for key in keys:
            forms = forms_of(key)
            for device, said in everything.items():
                entered = (device, key) in entitled
                assert entered or not any(f in said for f in forms), "I3: a key without an entry"


def holds(answer: bytes, key: bytes) -> bool:
    """Tell whether a key stands in an answer, as it is or in a text."""
    return any(form in answer for form in forms_of(key))


def forms_of(key: bytes) -> set[bytes]:
    """Return the bytes by which a key would be known: as it is, in hexadecimal, in base64."""
    forms = {key, key.hex().encode(), key.hex().upper().encode()}
    for before in range(3):  # bytes in front of it in the same text, but for threes
        whole = b64encode(bytes(before) + key)
        inner = whole[(0, 2, 3)[before] : (before + len(key)) * 4 // 3]
        forms |= {inner, inner.translate(_URL_SAFE)}
    return forms


def check_revoked(leaves: Sequence[Any], authority: Sequence[Any]) -> None:
    """Check I6: past the revocation of a device nothing is by it, and nothing goes to it."""
    ends: dict[bytes, int] = {}
    for row in authority:
        if row["kind"] == "revoke":
            revoke: Any = open_envelope(row["envelope"], "revoke").statement
            ends.setdefault(revoke.device, row["idx"])
    for row in leaves:
        named = {row["device_id"]}
        if row["kind"] == "release":
            release: Any = open_envelope(row["envelope"], "release").statement
            named |= {*release.devices}
        size = Record.decode(row["record"]).authority_size
        late = [device for device in named if size > ends.get(device, size)]
        assert late == [], f"I6: entry {row['idx']} is of a device that was revoked before"


def _object_of(envelope: bytes) -> bytes:
    statement: Any = open_envelope(envelope, "object").statement
    object_: bytes = statement.object
    return object_


def push_of(body: bytes) -> Push:
    """Return the push in the body of a frame."""
    return decode(body, Push, limit=1 << 26)
