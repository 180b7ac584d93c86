"""The directory: who holds which key, replayed from the authority log.

Everyone replays the whole log and believes nothing else: an answer of the broker about
a key is never used. A statement that breaks a rule has no effect even though it stands
in the log (:meth:`Directory.skip`).

Every question can be asked *as of* a size of the authority log, because that number is
what orders the two logs: an activity entry is judged by the size it carries.

The rules are ``docs/spec/statements.md``, section 3.
"""

from dataclasses import dataclass
from typing import Final, TypeVar

from seefen.protocol import authority_rules as rules
from seefen.protocol.envelope import Opened, open_envelope
from seefen.protocol.errors import OutOfTurnError, UntrustedError
from seefen.protocol.growing import Growing, any_between, append, last_before
from seefen.protocol.ledger.tree import EMPTY_ROOT, CompactRange, leaf_hash
from seefen.protocol.statements import (
    NO_HASH,
    NO_NET,
    Authority,
    Device,
    Head,
    Mailbox,
    Node,
    Revoke,
    Root,
    Statement,
    Suspend,
)
from seefen.protocol.suite import sha256

# Which roles hold which mailbox: visible to all, so that all can tell a stale one.
BOX_ROLES: Final[dict[str, frozenset[str]]] = {
    "case": frozenset({"keyholder"}),
    "alert": frozenset({"keyholder", "field", "lead"}),
    "audit": frozenset({"auditor"}),
}

# Authority indices, rising: what tells later what happened since.
_INDICES: Final = ("_changes", "_revokes", "_losses", "_box_losses")

ChainKey = tuple[str, bytes | str]
A = TypeVar("A", bound=Authority)


@dataclass(frozen=True, slots=True)
class Link:
    """A statement of a chain, where it stands in the log and its envelope's hash."""

    statement: Authority
    index: int
    hash: bytes


class Directory:
    """The state of the authority log. ``net`` names the network: SHA-256 of root v1."""

    def __init__(self, net: bytes) -> None:
        self.net = net
        self._tree = CompactRange()
        self._roots: list[bytes] = [EMPTY_ROOT]
        # Values never change: a copy then shares them, and trying a bundle out costs little.
        self._chains: dict[ChainKey, tuple[Link, ...]] = {}
        self._devices_of: dict[str, Growing[bytes]] = {}
        self._device_of_key: dict[bytes, bytes] = {}
        self._codes: dict[str, str] = {}
        self._changes: dict[str, Growing[int]] = {}
        self._revokes: dict[str, Growing[int]] = {}
        self._losses: dict[str, Growing[int]] = {}
        self._box_losses: dict[tuple[str, str], Growing[int]] = {}

    # --- the log -----------------------------------------------------------

    @property
    def size(self) -> int:
        """How many leaves were replayed."""
        return len(self._roots) - 1

    def head(self) -> Head:
        """Return size and root of what was replayed."""
        return Head(self.size, self._roots[-1])

    def root_at(self, size: int) -> bytes:
        """Return the root of the authority log at ``size``.

        Raises:
            OutOfTurnError: Not replayed that far yet.
        """
        if not 0 <= size <= self.size:
            raise OutOfTurnError("the authority log is not known that far", rule="old-authority")
        return self._roots[size]

    def apply(self, kind: str, envelope: bytes, *, at: int | None = None) -> Opened:
        """Check the next leaf and take it in; change nothing if it breaks a rule.

        Args:
            at: Unix seconds against which dates are judged; None on a replay, where
                the order in the log is all that is known. Whatever passes with a date
                passes without one, so that all come to the same directory.

        Raises:
            SeefenError: One of the four kinds, with the rule it breaks.
        """
        opened = open_envelope(envelope, kind)
        self.take(opened, at=at)
        return opened

    def take(self, opened: Opened, *, at: int | None = None) -> None:
        """Do as :meth:`apply` with a leaf that was read already."""
        statement = _expect(opened.statement, Authority)
        self._check_net(statement, opened)
        self._check_seen(statement.seen)
        key = rules.chain_key(statement)
        self._check_next(key, statement)
        rules.check(self, opened, at=at)
        self._take(key, statement, opened)

    def retake(self, kind: str, envelope: bytes) -> None:
        """Take in once more a leaf that passed :meth:`apply`: no rule is asked, nothing verified.

        For what its owner alone can write, sealed: never for what a broker shows.
        """
        opened = open_envelope(envelope, kind)
        statement = _expect(opened.statement, Authority)
        self._take(rules.chain_key(statement), statement, opened)

    def skip(self, envelope: bytes) -> None:
        """Count a leaf that broke a rule: it stands in the log and has no effect."""
        self._count(envelope)

    def copy(self) -> "Directory":
        """Return an independent copy, for trying a bundle out."""
        other = Directory(self.net)
        other._tree = CompactRange(self._tree.size, self._tree.hashes)
        other._roots = self._roots.copy()
        for name in ("_chains", "_devices_of", "_device_of_key", "_codes", *_INDICES):
            setattr(other, name, getattr(self, name).copy())
        return other

    # --- questions ---------------------------------------------------------

    @property
    def root(self) -> Root:
        """The newest root statement.

        Raises:
            UntrustedError: The network is not founded.
        """
        root = self.latest(("root", ""), Root)
        if root is None:
            raise UntrustedError("the network is not founded yet", rule="no-root")
        return root

    def latest(self, key: ChainKey, type_: type[A], *, size: int | None = None) -> A | None:
        """Return the newest statement of a chain as of ``size``."""
        link = self.link(key, size=size)
        return None if link is None else _expect(link.statement, type_)

    def link(self, key: ChainKey, *, size: int | None = None) -> Link | None:
        """Return the newest link of a chain as of ``size``."""
        # From the end: chains are short, and questions are about what is new.
        for link in reversed(self._chains.get(key, ())):
            if size is None or link.index < size:
                return link
        return None

    def nodes(self) -> tuple[str, ...]:
        """Return the names of all nodes ever admitted, sorted."""
        return tuple(sorted(str(name) for kind, name in self._chains if kind == "node"))

    def node(self, name: str, *, size: int | None = None) -> Node:
        """Return the newest statement about a node.

        Raises:
            UntrustedError: No such node.
        """
        node = self.latest(("node", name), Node, size=size)
        if node is None:
            raise UntrustedError(f"there is no node {name}", rule="unknown-node")
        return node

    def device(self, device: bytes, *, size: int | None = None) -> Device:
        """Return the newest certificate of a device.

        Raises:
            UntrustedError: No such device.
        """
        found = self.latest(("device", device), Device, size=size)
        if found is None:
            raise UntrustedError("no signed record names this device", rule="unknown-device")
        return found

    def devices(self, node: str, *, size: int | None = None) -> tuple[Device, ...]:
        """Return every device a node ever had, in the order of admission."""
        ids = self._devices_of.get(node, ())
        found = (self.latest(("device", device), Device, size=size) for device in ids)
        return tuple(device for device in found if device is not None)

    def revoked(self, device: bytes, *, size: int | None = None) -> Link | None:
        """Return the link that ended a device, or None."""
        return self.link(("revoke", device), size=size)

    def in_force(self, node: str, *, size: int | None = None, at: int | None = None) -> str | None:
        """Return None if the node is in force, else why not."""
        found = self.latest(("node", node), Node, size=size)
        if found is None:
            return "unknown-node"
        if self.link(("suspend", node), size=size) is not None:
            return "suspended"
        if at is not None and found.expires <= at:
            return "expired"
        return None

    def require_active(
        self, device: bytes, *, size: int | None = None, at: int | None = None
    ) -> Device:
        """Return the certificate of a device that is in force.

        Raises:
            UntrustedError: rule ``unknown-device``, ``revoked``, ``expired`` or the
                reason why its node is not in force.
        """
        found = self.device(device, size=size)
        if self.revoked(device, size=size) is not None:
            raise UntrustedError("this device was revoked", rule="revoked")
        if at is not None and not found.starts <= at < found.expires:
            raise UntrustedError("the certificate of this device is out of date", rule="expired")
        reason = self.in_force(found.node, size=size, at=at)
        if reason is not None:
            raise UntrustedError(f"the node {found.node} is not in force", rule=reason)
        return found

    def require_role(
        self, device: bytes, *roles: str, size: int | None = None, at: int | None = None
    ) -> Device:
        """Return the certificate of an active device that has one of ``roles``.

        Raises:
            UntrustedError: Not active, or rule ``role``.
        """
        found = self.require_active(device, size=size, at=at)
        if not set(roles) & set(found.roles):
            raise UntrustedError(f"this needs the role {' or '.join(roles)}", rule="role")
        return found

    def is_active(self, device: bytes, *, size: int | None = None, at: int | None = None) -> bool:
        """Tell whether a device and its node are in force."""
        try:
            self.require_active(device, size=size, at=at)
        except UntrustedError:
            return False
        return True

    def holders(
        self, node: str, box: str, *, size: int | None = None, at: int | None = None
    ) -> tuple[Device, ...]:
        """Return the active devices of a node whose roles hold a mailbox."""
        return tuple(
            device
            for device in self.devices(node, size=size)
            if BOX_ROLES[box] & set(device.roles)
            and self.is_active(device.device, size=size, at=at)
        )

    def mailbox(
        self, node: str, box: str, *, gen: int | None = None, size: int | None = None
    ) -> Mailbox | None:
        """Return a generation of a mailbox (the newest, if ``gen`` is None)."""
        if gen is None:
            return self.latest(("mailbox", f"{node}/{box}"), Mailbox, size=size)
        links = self._chains.get(("mailbox", f"{node}/{box}"), ())
        if not 1 <= gen <= len(links) or (size is not None and links[gen - 1].index >= size):
            return None
        return _expect(links[gen - 1].statement, Mailbox)

    def mailbox_stale(self, node: str, box: str, *, size: int | None = None) -> bool:
        """Tell whether a holder was lost after the newest generation of a mailbox."""
        link = self.link(("mailbox", f"{node}/{box}"), size=size)
        return link is not None and self.holder_lost_since(node, box, link.index, size=size)

    def holder_lost_since(
        self, node: str, box: str, since: int, *, size: int | None = None
    ) -> bool:
        """Tell whether a device stopped holding a mailbox: revoked, or its role taken."""
        return any_between(self._box_losses.get((node, box)), since, size)

    def lost_since(self, node: str, since: int, *, size: int | None = None) -> bool:
        """Tell whether a device was lost or compromised, or the node suspended.

        Args:
            since: Authority size from which on to look.
        """
        return any_between(self._losses.get(node), since, size)

    def revoked_since(self, node: str, since: int, *, size: int | None = None) -> bool:
        """Tell whether any device of a node was revoked, for whatever reason."""
        return any_between(self._revokes.get(node), since, size)

    def last_change(self, nodes: tuple[str, ...], *, size: int | None = None) -> int:
        """Return the smallest size that includes the last change at any of ``nodes``."""
        last = (last_before(self._changes.get(node), size) for node in nodes)
        return max((index + 1 for index in last if index is not None), default=0)

    def has_sign_key(self, public: bytes) -> bool:
        """Tell whether a device already holds this signature key."""
        return public in self._device_of_key

    def acting_admins(self, node: str) -> tuple[bytes, ...]:
        """Return the admin keys of a node without those of revoked devices.

        A stolen admin's device must not go on certifying devices after its revoke.
        """
        return tuple(
            key
            for key in self.node(node).admins
            if key not in self._device_of_key or self.revoked(self._device_of_key[key]) is None
        )

    def code_owner(self, code: str) -> str | None:
        """Return the node that has a three-letter code, or None."""
        return self._codes.get(code)

    # --- taking a leaf in ---------------------------------------------------

    def _check_net(self, statement: Authority, opened: Opened) -> None:
        if statement.kind == "root" and statement.version == 1:
            # The network is named by the hash of this payload, so it cannot name itself.
            if statement.net != NO_NET or sha256(opened.payload) != self.net:
                raise UntrustedError("this root statement founds another network", rule="net")
        elif statement.net != self.net:
            raise UntrustedError("this belongs to another network", rule="net")

    def _check_seen(self, seen: Head) -> None:
        if self.root_at(seen.size) != seen.root:
            raise UntrustedError("its author saw another authority log than this one", rule="fork")

    def _check_next(self, key: ChainKey, statement: Authority) -> None:
        link = self.link(key)
        version, prev = (1, NO_HASH) if link is None else (link.statement.version + 1, link.hash)
        if (statement.version, statement.prev) != (version, prev):
            raise OutOfTurnError(
                f"expected version {version} of this {statement.kind}", rule="not-next"
            )

    def _take(self, key: ChainKey, statement: Authority, opened: Opened) -> None:
        index = self.size
        before = self.link(key)
        link = Link(statement, index, opened.hash)
        self._chains[key] = (*self._chains.get(key, ()), link)
        if isinstance(statement, Node | Suspend | Device | Revoke | Mailbox):
            append(self._changes, statement.node, index)
        match statement:
            case Node():
                self._codes[statement.code] = statement.node
            case Device():
                self._take_device(statement, before, index)
            case Revoke():
                self._take_revoke(statement, index)
            case Suspend():
                append(self._losses, statement.node, index)
            case _:
                pass
        self._count(opened.envelope)

    def _take_device(self, device: Device, before: Link | None, index: int) -> None:
        self._device_of_key[device.sign] = device.device
        if before is None:
            append(self._devices_of, device.node, device.device)
            return
        roles_before = set(_expect(before.statement, Device).roles)
        for box, roles in BOX_ROLES.items():
            if roles & roles_before and not roles & set(device.roles):
                append(self._box_losses, (device.node, box), index)

    def _take_revoke(self, revoke: Revoke, index: int) -> None:
        append(self._revokes, revoke.node, index)
        lost = revoke.reason in ("lost", "compromised")
        if lost:
            append(self._losses, revoke.node, index)
        roles = set(self.device(revoke.device).roles)
        for box, holding in BOX_ROLES.items():
            if holding & roles and (lost or box != "alert"):
                append(self._box_losses, (revoke.node, box), index)

    def _count(self, envelope: bytes) -> None:
        self._tree.append(leaf_hash(envelope))
        self._roots.append(self._tree.root())


def _expect(statement: Statement, type_: type[A]) -> A:
    if not isinstance(statement, type_):
        raise UntrustedError("not a kind of the authority log", rule="unknown-kind")
    return statement
