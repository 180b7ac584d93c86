"""What a device can open: all keys it ever had, and everything the broker holds.

Nothing here asks a rule. A device tries each wrap that names it or a mailbox whose seed it
has, follows every link, and opens each object with every key of the case it has found.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from seefen.protocol.bundle import Content
from seefen.protocol.envelope import Opened
from seefen.protocol.errors import SeefenError
from seefen.protocol.keys import (
    CASE_DEVICE,
    CASE_NODE,
    next_key,
    previous_seed,
    unwrap_case_key,
    unwrap_mailbox_seed,
)
from seefen.protocol.objects import open_message, unwrap_content_key
from seefen.protocol.statements import Assign, CaseKey, Mailbox, Object
from seefen.protocol.suite import KemKey
from tests.model.broker import MemoryBroker
from tests.support.network import Machine

Box = tuple[str, str, int]  # node, box, generation


@dataclass
class Loot:
    """What one device has found so far."""

    machine: Machine
    seeds: dict[Box, bytes] = field(default_factory=dict[Box, bytes])
    keys: dict[tuple[bytes, int], bytes] = field(default_factory=dict[tuple[bytes, int], bytes])


class Readers:
    """All devices, each with its loot, and the statements that hand keys over."""

    def __init__(self, broker: MemoryBroker) -> None:
        self.broker = broker
        self.loot: dict[bytes, Loot] = {}
        self.objects: dict[bytes, Object] = {}
        self.mailboxes: dict[Box, Mailbox] = {}
        self._case_keys: dict[tuple[bytes, int], CaseKey] = {}
        self._assigns: list[Assign] = []
        self._unwrapped: dict[tuple[bytes, bytes], bytes] = {}  # secret key and wrap
        self._walked: dict[bytes, bytes] = {}  # the seed before, by seed
        self._tried: dict[tuple[bytes, bytes], bool] = {}  # object and key

    def join(self, machine: Machine) -> None:
        """Count a machine in, with its own keys."""
        self.loot[machine.device] = Loot(machine)

    def learn(self, opened: Iterable[Opened], keys: dict[tuple[bytes, int], bytes]) -> None:
        """Let every device try what these statements hand over.

        Args:
            keys: The keys of cases: their authors made them, and know them without a wrap.
        """
        for statement in (o.statement for o in opened):
            match statement:
                case Mailbox():
                    self.mailboxes[statement.node, statement.box, statement.version] = statement
                    self._take_mailbox(statement)
                case CaseKey():
                    self._case_keys[statement.case, statement.gen] = statement
                    author = self.loot[statement.device]
                    author.keys[statement.case, statement.gen] = keys[statement.case, statement.gen]
                case Assign():
                    self._assigns.append(statement)
                case Object():
                    self.objects[statement.object] = statement
                case _:
                    continue
        for loot in self.loot.values():
            self._find_keys(loot)

    def opens(self, device: bytes, object_: bytes) -> bool:
        """Tell whether a device gets at the body, with any key of the case that it has."""
        obj = self.objects[object_]
        found = [key for (case, _), key in self.loot[device].keys.items() if case == obj.case]
        return any(self._opens(obj, key) for key in found)

    def opens_with(self, device: bytes, object_: bytes, wrapped: bytes) -> bool:
        """Tell whether a device gets at the body from the content key it was given."""
        obj = self.objects[object_]
        key = self.loot[device].keys.get((obj.case, obj.gen))
        return key is not None and _body(obj, key, wrapped, self.broker.bodies[object_])

    def _opens(self, obj: Object, key: bytes) -> bool:
        place = (obj.object, key)
        if place not in self._tried:
            wrapped, body = self.broker.content_keys[obj.object], self.broker.bodies[obj.object]
            self._tried[place] = _body(obj, key, wrapped, body)
        return self._tried[place]

    def _take_mailbox(self, mailbox: Mailbox) -> None:
        for named in mailbox.wraps:
            loot = self.loot[named.device]
            seed = unwrap_mailbox_seed(self.broker.wraps[named.hash], loot.machine.kem, mailbox)
            loot.seeds[mailbox.node, mailbox.box, mailbox.version] = seed
            newer = mailbox
            while newer.version > 1:
                before = self.mailboxes[newer.node, newer.box, newer.version - 1]
                place = (before.node, before.box, before.version)
                if place in loot.seeds:
                    break  # and with it all before
                seed = loot.seeds[place] = self._previous(seed, newer, before)
                newer = before

    def _previous(self, seed: bytes, newer: Mailbox, before: Mailbox) -> bytes:
        if seed not in self._walked:
            self._walked[seed] = previous_seed(seed, newer, before)
        return self._walked[seed]

    def _find_keys(self, loot: Loot) -> None:
        for place, casekey in self._case_keys.items():
            if place not in loot.keys:
                key = self._wrapped_key(loot, casekey) or self._linked_key(loot, casekey)
                if key is not None:
                    loot.keys[place] = key

    def _wrapped_key(self, loot: Loot, casekey: CaseKey) -> bytes | None:
        by_box = [wrap.hash for wrap in casekey.mailboxes]
        names = (*by_box, *(wrap.hash for wrap in casekey.devices))
        for wrap in casekey.mailboxes:
            for box in ("case", "alert"):
                seed = loot.seeds.get((wrap.node, box, wrap.gen))
                if seed and (found := self._unwrap(seed, wrap.hash, casekey, names, CASE_NODE)):
                    return found
        device, kem = loot.machine.device, loot.machine.kem.secret
        direct = {wrap.device: wrap.hash for wrap in casekey.devices}
        if device in direct:
            return self._unwrap(kem, direct[device], casekey, names, CASE_DEVICE)
        return self._assigned_key(device, kem, casekey)

    def _assigned_key(self, device: bytes, kem: bytes, casekey: CaseKey) -> bytes | None:
        place = (casekey.case, casekey.gen)
        for assign in self._assigns:
            named = {wrap.device: wrap.hash for wrap in assign.devices}
            if (assign.case, assign.gen) == place and device in named:
                names, author = tuple(named.values()), assign.device
                return self._unwrap(kem, named[device], casekey, names, CASE_DEVICE, author)
        return None

    def _linked_key(self, loot: Loot, casekey: CaseKey) -> bytes | None:
        before = loot.keys.get((casekey.case, casekey.gen - 1))
        return next_key(before, casekey) if before and casekey.link else None

    def _unwrap(
        self,
        secret: bytes,
        hash_: bytes,
        casekey: CaseKey,
        names: tuple[bytes, ...],
        purpose: str,
        author: bytes = b"",
    ) -> bytes | None:
        if (secret, hash_) not in self._unwrapped:
            try:
                self._unwrapped[secret, hash_] = unwrap_case_key(
                    self.broker.wraps[hash_], KemKey.from_secret(secret), casekey,
                    purpose=purpose, author=author or casekey.device, named=names,
                )  # fmt: skip
            except SeefenError:
                self._unwrapped[secret, hash_] = b""
        return self._unwrapped[secret, hash_] or None


def _body(obj: Object, key: bytes, wrapped: bytes, sealed: bytes) -> bool:
    try:
        content = Content(obj.object, wrapped, sealed)
        body = open_message(obj, unwrap_content_key(obj, key, content.key), content.body)
    except SeefenError:
        return False
    assert body == obj.object, "another body than was written"
    return True
