"""A network in memory, for tests: root, nodes, machines and their mailboxes.

Bundles are made here and taken in by :meth:`Network.take`, with the very rules of
broker and client. A test of the broker sends a bundle first and then lets the network
take it in at the place where it was recorded. Cases are :mod:`tests.support.casework`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from seefen.protocol.bundle import Bundle, Signed, encode_bundle
from seefen.protocol.case import CaseState, Position
from seefen.protocol.case_chain import apply
from seefen.protocol.directory import BOX_ROLES, Directory
from seefen.protocol.envelope import open_envelope, sign
from seefen.protocol.keys import link_previous_seed, mailbox_scope, wrap_mailbox_seed
from seefen.protocol.manifest import check_manifest
from seefen.protocol.search import check_search
from seefen.protocol.statements import (
    ACTIVITY_KINDS,
    NO_HASH,
    NO_NET,
    Activity,
    Caseless,
    Device,
    DeviceWrap,
    Mailbox,
    Node,
    Revoke,
    Root,
    Search,
    Suspend,
    View,
)
from seefen.protocol.suite import (
    SUITE,
    KemKey,
    PlainKey,
    SigningKey,
    key_commitment,
    new_id,
    random_bytes,
    sha256,
)

AT = 1_790_000_000  # unix seconds of the founding
YEAR = 365 * 86_400
EVERY_ROLE = ("admin", "auditor", "field", "keyholder", "lead")


@dataclass
class Machine:
    """An officer on a machine, with all secrets: what a vault holds."""

    node: str
    roles: tuple[str, ...]
    officer: str
    device: bytes = field(default_factory=new_id)
    sign: SigningKey = field(default_factory=SigningKey.generate)
    auth: PlainKey = field(default_factory=PlainKey.generate)
    kem: KemKey = field(default_factory=lambda: KemKey.from_secret(random_bytes(32)))
    device_n: int = 0


class Network:
    """Everybody's keys, and the state that follows from what was taken in."""

    def __init__(
        self,
        *,
        at: int = AT,
        roots: int = 2,
        origin: str = "seefen.test",
        witnesses: tuple[bytes, ...] = (),
        quorum: int = 0,
    ) -> None:
        self.at = at
        self.log_key = PlainKey.generate()
        self.roots = [SigningKey.generate() for _ in range(roots)]
        self.machines: dict[bytes, Machine] = {}
        self.cases: dict[bytes, CaseState] = {}
        self.seeds: dict[tuple[str, str, int], bytes] = {}  # node, box, generation
        self.keys: dict[tuple[bytes, int], bytes] = {}  # case, generation
        self.content_keys: dict[bytes, bytes] = {}  # by object
        self.index = 0  # where the next activity statement will stand
        self.root = Root(
            SUITE, NO_NET, "root", new_id(), 1, NO_HASH, Directory(NO_NET).head(),
            name="Test network",
            origin=origin,
            keys=tuple(key.public for key in self.roots),
            threshold=max(1, roots - 1),
            log_key=self.log_key.public,
            tls_pins=(bytes(32),),
            witnesses=witnesses,
            quorum=quorum,
            suite_min=1,
            max_stale=86_400,
            expires=at + 10 * YEAR,
        )  # fmt: skip
        self.founding = sign(self.root, *self.roots[: self.root.threshold])
        self.net = sha256(open_envelope(self.founding, "root").payload)
        self.directory = Directory(self.net)

    @classmethod
    def founded(cls, *nodes: str, at: int = AT) -> Network:
        """Return a network with ``nodes``, each with one machine of every role."""
        network = cls(at=at)
        network.take(network.found())
        for node in nodes:
            network.take(network.admit(node))
        return network

    # --- bundles for the authority log ----------------------------------------

    def found(self) -> Bundle:
        """Return the bundle that founds the network."""
        return Bundle((Signed("root", self.founding, b""),), (), ())

    def _code(self, node: str) -> str:
        """Return three letters that no other node of this network has."""
        number = int.from_bytes(sha256(node.encode())[:4], "big")
        while True:
            code = "".join(chr(ord("A") + number // 26**place % 26) for place in range(3))
            if self.directory.code_owner(code) in (None, node):
                return code
            number += 1

    def admit(
        self, node: str, *, code: str = "", machines: Sequence[tuple[str, ...]] = (EVERY_ROLE,)
    ) -> Bundle:
        """Return the bundle that admits a node and its first machines, given by roles."""
        made = [self.machine(node, roles) for roles in machines]
        admins = [machine.sign for machine in made if "admin" in machine.roles]
        statement = Node(
            SUITE, self.net, "node", new_id(), 1, NO_HASH, self.directory.head(),
            node=node,
            title=node.replace("-", " ").title(),
            code=code or self._code(node),
            admins=tuple(key.public for key in admins),
            threshold=1,
            expires=self.at + 5 * YEAR,
        )  # fmt: skip
        keys = (*self.roots[: self.root.threshold], admins[0])
        draft = _Draft(self.directory.copy(), self.at)
        draft.add("node", sign(statement, *keys))
        for machine in made:
            draft.add("device", self.certify(machine, by=admins[0]))
        for box, roles in BOX_ROLES.items():
            if any(roles & set(machine.roles) for machine in made):
                self._mailbox(draft, node, box)
        return draft.bundle()

    def enrol(
        self,
        node: str,
        roles: tuple[str, ...],
        *,
        renew: bool = True,
        officer: str = "",
        agent: bool = False,
    ) -> Bundle:
        """Return the bundle that adds a machine to a node, and hands it the mailboxes."""
        machine = self.machine(node, roles, officer, agent=agent)
        draft = _Draft(self.directory.copy(), self.at)
        draft.add("device", self.certify(machine, by=self.admin(node).sign))
        for box, held_by in BOX_ROLES.items():
            if renew and held_by & set(roles):
                self._mailbox(draft, node, box)
        return draft.bundle()

    def renew(self, node: str, *boxes: str) -> Bundle:
        """Return the bundle with the next generation of some mailboxes of a node."""
        draft = _Draft(self.directory.copy(), self.at)
        for box in boxes:
            self._mailbox(draft, node, box)
        return draft.bundle()

    def revoke(self, machine: Machine, reason: str = "lost", since: int | None = None) -> Bundle:
        """Return the bundle that ends a machine, by an admin of its node."""
        statement = Revoke(
            SUITE, self.net, "revoke", new_id(), 1, NO_HASH, self.directory.head(),
            node=machine.node,
            device=machine.device,
            reason=reason,
            since=since,
        )  # fmt: skip
        return self.bundle("revoke", sign(statement, self.admin(machine.node).sign))

    def suspend(self, node: str) -> Bundle:
        """Return the bundle by which the root takes a node out of force."""
        statement = Suspend(
            SUITE, self.net, "suspend", new_id(), 1, NO_HASH, self.directory.head(),
            node=node,
            reason="left",
        )  # fmt: skip
        return self.bundle("suspend", sign(statement, *self.roots[: self.root.threshold]))

    def view(
        self, machine: Machine, of: str = "", *keys: SigningKey, **changes: Any
    ) -> tuple[View, bytes]:
        """Return a view of the network, or of a node in the last thirty days, and its envelope."""
        link = self.directory.link(("view", f"{of}/{machine.device.hex()}"))
        statement = View(
            SUITE, self.net, "view", new_id(),
            1 if link is None else link.statement.version + 1,
            NO_HASH if link is None else link.hash,
            self.directory.head(),
            of=of,
            node=machine.node,
            device=machine.device,
            since=self.at - 30 * 86_400 if of else 0,
            upto=self.at + 30 * 86_400 if of else 0,
            expires=self.at + 30 * 86_400,
        )  # fmt: skip
        statement = replace(statement, **changes)
        if not keys:
            keys = (self.admin(of).sign,) if of else tuple(self.roots[: self.root.threshold])
        return statement, sign(statement, *keys)

    # --- machines ---------------------------------------------------------------

    def machine(
        self, node: str, roles: Iterable[str], officer: str = "", *, agent: bool = False
    ) -> Machine:
        """Make a machine and remember it; it counts once it stands in the log."""
        officer = "" if agent else officer or f"o-{random_bytes(2).hex()}"
        machine = Machine(node, tuple(sorted(roles)), officer)
        self.machines[machine.device] = machine
        return machine

    def of(self, node: str, role: str = "", *, nth: int = 0) -> Machine:
        """Return the ``nth`` active machine of a node that has a role."""
        found = [
            self.machines[device.device]
            for device in self.directory.devices(node)
            if (not role or role in device.roles) and self.directory.is_active(device.device)
        ]
        return found[nth]

    def admin(self, node: str) -> Machine:
        """Return a machine whose key may speak for a node."""
        admins = self.directory.node(node).admins
        return next(m for m in self.machines.values() if m.node == node and m.sign.public in admins)

    def certify(self, machine: Machine, *, by: SigningKey) -> bytes:
        """Return the certificate of a machine, signed by an admin and by itself."""
        link = self.directory.link(("device", machine.device))
        statement = Device(
            SUITE, self.net, "device", new_id(),
            1 if link is None else link.statement.version + 1,
            NO_HASH if link is None else link.hash,
            self.directory.head(),
            node=machine.node,
            device=machine.device,
            officer=machine.officer,
            roles=machine.roles,
            sign=machine.sign.public,
            auth=machine.auth.public,
            kem=machine.kem.public,
            starts=self.at - 60,
            expires=self.at + YEAR,
        )  # fmt: skip
        keys = {key.key_id: key for key in (by, machine.sign)}
        return sign(statement, *keys.values())

    # --- taking in ----------------------------------------------------------------

    def take(
        self, bundle: Bundle, *, indices: Sequence[int] = (), sizes: Sequence[int] = ()
    ) -> None:
        """Take a bundle in, as broker and client do.

        Args:
            bundle: What was recorded.
            indices: Where its activity statements stand; None yet: the next ones.
            sizes: The authority size in the record of each.
        """
        place = 0
        for signed in bundle.statements:
            if signed.kind not in ACTIVITY_KINDS:
                self.directory.apply(signed.kind, signed.envelope, at=self.at)
                continue
            index = indices[place] if indices else self.index
            size = sizes[place] if sizes else self.directory.size
            place += 1
            self.take_activity(signed.kind, signed.envelope, Position(size, index, self.at))

    def take_activity(self, kind: str, envelope: bytes, position: Position) -> None:
        """Take one activity statement in at its place."""
        opened = open_envelope(envelope, kind)
        statement = opened.statement
        if isinstance(statement, Caseless):
            check = check_search if isinstance(statement, Search) else check_manifest
            check(opened, self.directory, position)
            self.machines[statement.device].device_n = statement.device_n
            self.index = max(self.index, position.index + 1)
            return
        assert isinstance(statement, Activity)
        before = self.cases.get(statement.case)
        self.cases[statement.case] = apply(before, opened, self.directory, position)
        self.machines[statement.device].device_n = statement.device_n
        self.index = max(self.index, position.index + 1)

    @staticmethod
    def bundle(kind: str, envelope: bytes) -> Bundle:
        """Return a bundle of one authority statement."""
        return Bundle((Signed(kind, envelope, b""),), (), ())

    def _mailbox(self, draft: _Draft, node: str, box: str) -> None:
        """Add the next generation of a mailbox to a draft; its first holder makes it."""
        directory = draft.directory
        holders = directory.holders(node, box)
        author = self.machines[holders[0].device]
        link = directory.link(("mailbox", f"{node}/{box}"))
        gen = 1 if link is None else link.statement.version + 1
        seed = self.seeds[node, box, gen] = random_bytes(32)
        bare = Mailbox(
            SUITE, self.net, "mailbox", new_id(), gen,
            NO_HASH if link is None else link.hash,
            self.directory.head(),
            node=node,
            box=box,
            device=author.device,
            kem=KemKey.from_secret(seed).public,
            key_id=key_commitment(seed, self.net, mailbox_scope(node, box), gen),
            wraps=(),
            left_out=(),
            link=b"",
        )  # fmt: skip
        if gen > 1:
            bare = replace(
                bare, link=link_previous_seed(seed, self.seeds[node, box, gen - 1], bare)
            )
        wraps = {h.device: wrap_mailbox_seed(seed, h.kem, bare) for h in holders}
        named = tuple(DeviceWrap(device, sha256(wrap)) for device, wrap in wraps.items())
        draft.add("mailbox", sign(replace(bare, wraps=named), author.sign), *wraps.values())


class _Draft:
    """A bundle in the making, on a copy of the directory that knows what is in it."""

    def __init__(self, directory: Directory, at: int) -> None:
        self.directory = directory
        self._at = at
        self._statements: list[Signed] = []
        self._wraps: list[bytes] = []

    def add(self, kind: str, envelope: bytes, *wraps: bytes) -> None:
        self.directory.apply(kind, envelope, at=self._at)
        self._statements.append(Signed(kind, envelope, b""))
        self._wraps.extend(wraps)

    def bundle(self) -> Bundle:
        bundle = Bundle(tuple(self._statements), tuple(self._wraps), ())
        encode_bundle(bundle)
        return bundle
