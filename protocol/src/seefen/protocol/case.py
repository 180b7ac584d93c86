"""The state of a case: versions, key generations, numbers; and who may read.

Broker and client compute it with the same code from verified statements alone. A state
is a value; :mod:`seefen.protocol.case_chain` makes the next one.

A *channel* is a case whose keys go to ``alert`` mailboxes instead of ``case`` ones.

The rules are ``docs/spec/statements.md``, section 4.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from seefen.protocol.authority_rules import key_encrypts
from seefen.protocol.directory import BOX_ROLES, Directory
from seefen.protocol.errors import OutOfTurnError, RefusedError, SeefenError
from seefen.protocol.standing import in_force, standing
from seefen.protocol.statements import Case, CaseKey, Member, NodeWrap

BOX_OF: Final = {"case": "case", "channel": "alert"}
ROTATION_AGE: Final = 90 * 86_400  # seconds
ROTATION_OBJECTS: Final = 10_000


class Position(Struct, frozen=True, gc=False):
    """Where an activity entry stands: what orders it against the authority log."""

    authority_size: int
    index: int
    at: int  # unix seconds, the broker's clock


class Generation(Struct, frozen=True):
    """A generation of the key of a case, as its statement set it up."""

    statement: CaseKey
    hash: bytes
    position: Position
    object_count_before: int

    @property
    def gen(self) -> int:
        """Its number, from 1."""
        return self.statement.gen

    def mailbox_of(self, node: str) -> NodeWrap | None:
        """Return which mailbox generation of a node holds this key."""
        for wrap in self.statement.mailboxes:  # a push asks for each device of each node
            if wrap.node == node:
                return wrap
        return None


class Last(Struct, frozen=True, gc=False):
    """A device's last number in a case, and its last object (None: not for us)."""

    case_n: int
    object_hash: bytes | None


class CaseState(Struct, frozen=True):
    """A case as of ``position``. Versions and generations are in order, from 1."""

    case: bytes
    versions: tuple[Case, ...]
    case_hash: bytes
    position: Position
    opened_at: Position
    generations: tuple[Generation, ...] = ()
    assigned: Mapping[int, frozenset[bytes]] = {}
    numbers: Mapping[bytes, Last] = {}
    object_count: int = 0

    @property
    def head(self) -> Case:
        """The newest version."""
        return self.versions[-1]

    @property
    def version(self) -> int:
        """The number of the newest version."""
        return self.head.version

    @property
    def form(self) -> str:
        """``case`` or ``channel``."""
        return self.head.form

    @property
    def box(self) -> str:
        """Which mailboxes the keys of this case go to."""
        return BOX_OF[self.form]

    @property
    def number(self) -> str:
        """The number of a case or the name of a channel."""
        return self.head.number

    @property
    def owner(self) -> str:
        """The node that opened it and alone changes its members."""
        return self.head.members[0].node

    @property
    def members(self) -> tuple[str, ...]:
        """The nodes of the newest version, the owner first."""
        return tuple(member.node for member in self.head.members)

    @property
    def generation(self) -> Generation:
        """The newest generation.

        Raises:
            OutOfTurnError: No key was issued yet.
        """
        if not self.generations:
            raise OutOfTurnError("this case has no key yet", rule="no-key")
        return self.generations[-1]

    def was_member(self, node: str) -> bool:
        """Tell whether a node is or was a member."""
        return any(m.node == node for version in self.versions for m in version.members)

    def covered(self, gen: int, directory: Directory) -> frozenset[str]:
        """Return the nodes that can read objects of a generation."""
        return self.covered_by(self.generations[gen - 1].statement, directory)

    @staticmethod
    def covered_by(key: CaseKey, directory: Directory) -> frozenset[str]:
        """Return the nodes that get a key, by mailbox or device by device."""
        by_mailbox = frozenset([w.node for w in key.mailboxes])
        if not key.devices:
            return by_mailbox
        return by_mailbox | {directory.device(w.device).node for w in key.devices}

    def last(self, device: bytes) -> Last:
        """Return a device's last numbers in this case."""
        return self.numbers.get(device, Last(0, None))


def stale(
    state: CaseState, directory: Directory, position: Position, *, node: str = ""
) -> str | None:
    """Return why the newest generation must not be written under, or None.

    The letters are those of "who may read", ``docs/spec/statements.md`` section 5.

    Args:
        node: The writer's node. Only it knows whom it assigned, so only its writers
            answer for a reader of theirs who left.
    """
    generation = state.generation
    size = position.authority_size
    if generation.statement.case_version != state.version:
        return "d-members-changed"
    members = state.members
    active = in_force(directory, members, size, position.at)
    left_out = {left.who for left in generation.statement.left_out}
    if state.covered(generation.gen, directory) - active or left_out & active - (
        unreachable(state, directory, position, frozenset(left_out))
    ):
        return "d-members-in-force"
    since = generation.position.authority_size
    changed = standing(directory, members, size).changed > since
    if changed and any(directory.lost_since(node, since, size=size) for node in members):
        # We need not know which cases a lost device held (attack 65).
        return "e-device-lost"
    if state.form == "case" and _reader_left(state, directory, node, since, size):
        return "e-reader-left"
    if position.at - generation.position.at > ROTATION_AGE:
        return "f-age"
    if state.object_count - generation.object_count_before > ROTATION_OBJECTS:
        return "f-volume"
    return None


def _reader_left(state: CaseState, directory: Directory, node: str, since: int, size: int) -> bool:
    """Tell whether a device of ``node`` that held the newest key was revoked since."""
    if not directory.revoked_since(node, since, size=size):
        return False
    named = _named(state, state.generation.gen)
    return directory.holder_lost_since(node, state.box, since, size=size) or any(
        device.device in named
        for device in directory.devices(node, size=size)
        if directory.revoked(device.device, size=size) is not None
    )


def _named(state: CaseState, gen: int) -> frozenset[bytes]:
    """Return the devices that hold a key by name, or walked on to it by a link."""
    named: frozenset[bytes] = frozenset()
    for generation in reversed(state.generations[:gen]):
        named |= state.assigned.get(generation.gen, frozenset[bytes]())
        named |= {wrap.device for wrap in generation.statement.devices}
        named |= {generation.statement.device}
        if not generation.statement.link:
            break
    return named


def unreachable(
    state: CaseState, directory: Directory, position: Position, nodes: frozenset[str]
) -> frozenset[str]:
    """Return those of ``nodes`` to which no key can be sent: no holder, no usable key."""
    size, at = position.authority_size, position.at
    found: set[str] = set()
    for node in nodes:
        holders = directory.holders(node, state.box, size=size, at=at)
        mailbox = directory.mailbox(node, state.box, size=size)
        fresh = mailbox is not None and not directory.mailbox_stale(node, state.box, size=size)
        if not (fresh or any(key_encrypts(holder.kem) for holder in holders)):
            found.add(node)
    return frozenset(found)


def require_may_read(
    state: CaseState, directory: Directory, device: bytes, gen: int, position: Position
) -> None:
    """Check that a device holds the key of a generation: the broker's gate.

    Raises:
        UntrustedError: Not in force.
        RefusedError: rule ``not-a-reader``.
    """
    size = position.authority_size
    found = directory.require_active(device, size=size, at=position.at)
    if not 1 <= gen <= len(state.generations):
        raise RefusedError("there is no such key generation", rule="not-a-reader")
    # Members were only added where there is a link: no holder of a mailbox needs it, his
    # node got a wrap; a device named before walks on alone.
    holds = not BOX_ROLES[state.box].isdisjoint(found.roles)
    if holds and state.generations[gen - 1].mailbox_of(found.node) is not None:
        return
    if device not in _named(state, gen):
        raise RefusedError("the key was not given to this device", rule="not-a-reader")


def may_read(
    state: CaseState, directory: Directory, device: bytes, gen: int, position: Position
) -> bool:
    """Tell whether :func:`require_may_read` passes."""
    try:
        require_may_read(state, directory, device, gen, position)
    except SeefenError:
        return False
    return True


def seen_by_all(state: CaseState) -> CaseState:
    """Return a state without its assigns, which only their own node is shown.

    Who may read by what is left may renew the key: every member must judge that alike.
    """
    return replace(state, assigned={})


def members_after(
    state: CaseState, *, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()
) -> tuple[Member, ...]:
    """Return the member list of the next version.

    Raises:
        RefusedError: rule ``members``: nothing would change, or the owner would go.
    """
    if state.owner in remove:
        raise RefusedError("the owner of a case cannot be removed", rule="members")
    unknown = [node for node in remove if node not in state.members]
    known = [node for node in add if node in state.members]
    if unknown or known:
        raise RefusedError(f"nothing to change for {', '.join(unknown + known)}", rule="members")
    kept = tuple(m for m in state.head.members if m.node not in remove)
    return (*kept, *(Member(node, state.version + 1) for node in sorted(set(add))))
