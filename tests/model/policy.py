"""The model: who can read what, from what happened, in a few lines and without a key.

A key goes to the mailboxes of the members in force (then whoever holds that mailbox now or
later reads), device by device where a mailbox was stale, to its author, and to whom it was
assigned; where members were only added, its readers walk on. Nothing else hands over a key.
"""

from dataclasses import dataclass, field
from typing import Final

BOX_ROLES: Final = {
    "case": {"keyholder"},
    "alert": {"keyholder", "field", "lead"},
    "audit": {"auditor"},
}
BOX_OF: Final = {"case": "case", "channel": "alert"}
NEVER: Final = 1 << 30


@dataclass
class Key:
    """A generation: the mailbox generation it went to at each node, and devices by name.

    Whom a node handed it by ``assign`` only that node and the broker know.
    """

    box: str
    members: frozenset[str]
    by_box: dict[str, int] = field(default_factory=dict[str, int])
    named: set[bytes] = field(default_factory=set[bytes])
    handed: set[bytes] = field(default_factory=set[bytes])


class Policy:
    """What happened so far."""

    def __init__(self) -> None:
        self.node_of: dict[bytes, str] = {}
        self.roles: dict[bytes, set[str]] = {}
        self.gone: set[bytes] = set()  # revoked, for whatever reason
        self.lost: set[bytes] = set()  # in strange hands
        self.suspended: set[str] = set()
        self.boxes: dict[tuple[str, str], int] = {}  # newest generation
        self.stale: set[tuple[str, str]] = set()
        self.held: dict[tuple[bytes, str], int] = {}  # newest generation a device was given
        self.members: dict[bytes, frozenset[str]] = {}
        self.forms: dict[bytes, str] = {}
        self.keys: dict[bytes, Key] = {}  # newest of each case
        self.sent: dict[bytes, tuple[bytes, Key, frozenset[bytes]]] = {}

    def may(self, device: bytes, object_: bytes) -> bool:
        """Tell whether a device can read an object, with the help of a broker that lies."""
        return self.has(device, self.sent[object_][1])

    def has(self, device: bytes, key: Key) -> bool:
        """Tell whether a device can come to have a key."""
        return device in key.handed or self.renews(device, key)

    def renews(self, device: bytes, key: Key) -> bool:
        """Tell whether every member sees that a device has a key."""
        needed = key.by_box.get(self.node_of[device], NEVER)
        return device in key.named or self.held.get((device, key.box), 0) >= needed

    def never(self, device: bytes, object_: bytes) -> bool:
        """Tell whether a device must not read an object, whatever the keys: the promise."""
        _, key, barred = self.sent[object_]
        return device in barred or self.node_of[device] not in key.members

    def active(self, device: bytes) -> bool:
        """Tell whether a device is in force."""
        return device not in self.gone and self.node_of[device] not in self.suspended

    def releases(self, device: bytes, object_: bytes) -> bool:
        """Tell whether an honest broker hands a body's key out."""
        case = self.sent[object_][0]
        member = self.node_of[device] in self.members[case]
        return member and self.active(device) and self.may(device, object_)

    # --- what happens -----------------------------------------------------------

    def enrolled(self, device: bytes, node: str, roles: tuple[str, ...]) -> None:
        """A device was certified."""
        self.node_of[device], self.roles[device] = node, set(roles)

    def box_renewed(self, node: str, box: str) -> None:
        """A mailbox has a new key; its holders get that one and all before."""
        self.boxes[node, box] = self.boxes.get((node, box), 0) + 1
        self.stale.discard((node, box))
        self.held |= {(d, box): self.boxes[node, box] for d in self._holders(node, box)}

    def revoked(self, device: bytes, reason: str) -> None:
        """A device is no more; one that was handed in keeps no alerts from anybody."""
        self.gone.add(device)
        self.lost |= {device} if reason == "lost" else set()
        for box, roles in BOX_ROLES.items():
            if roles & self.roles[device] and (reason == "lost" or box != "alert"):
                self.stale.add((self.node_of[device], box))

    def key_issued(self, case: bytes, author: bytes, *, linked: bool) -> None:
        """The case has a new key."""
        box, before = BOX_OF[self.forms[case]], self.keys.get(case)
        key = Key(box, self.members[case], named={author})
        for node in self.members[case] - self.suspended:
            if (node, box) in self.boxes and (node, box) not in self.stale:
                key.by_box[node] = self.boxes[node, box]
            else:
                key.named |= self._holders(node, box)
        if linked and before is not None:
            key.named |= before.named
            key.handed |= before.handed
            for node, gen in before.by_box.items():
                key.by_box[node] = min(gen, key.by_box.get(node, gen))
        self.keys[case] = key

    def object_sent(self, object_: bytes, case: bytes) -> None:
        """Something was said in a case."""
        out = {d for d, node in self.node_of.items() if node in self.suspended}
        self.sent[object_] = (case, self.keys[case], frozenset(self.lost | out))

    def _holders(self, node: str, box: str) -> set[bytes]:
        return {
            device
            for device, roles in self.roles.items()
            if self.node_of[device] == node and roles & BOX_ROLES[box] and self.active(device)
        }
