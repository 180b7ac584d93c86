"""Which members a key covers, and how: by mailbox, device by device, or not and why.

The sender has no choice in it, so that he cannot pick who at a partner may read: a
mailbox in order is used; where it is stale or missing, every holder gets a wrap; only
who cannot be reached is left out, with a reason that each reader checks again.

The rules are ``docs/spec/statements.md``, section 4.3.
"""

from seefen.protocol.authority_rules import key_encrypts
from seefen.protocol.case import CaseState, Position, unreachable
from seefen.protocol.directory import Directory
from seefen.protocol.errors import OutOfTurnError, UntrustedError
from seefen.protocol.standing import Mailbox, in_force, mailboxes
from seefen.protocol.statements import CaseKey


def check_coverage(
    state: CaseState, key: CaseKey, directory: Directory, position: Position
) -> None:
    """Check that a key covers exactly the members in force, each in the one right way.

    Raises:
        UntrustedError: rule ``coverage``, ``left-out``, ``stale-mailbox``.
        OutOfTurnError: rule ``old-authority``: a mailbox was renewed meanwhile.
    """
    size = position.authority_size
    by_mailbox = {wrap.node: wrap.gen for wrap in key.mailboxes}
    left_out = {left.who: left.reason for left in key.left_out}
    direct: dict[str, set[bytes]] = {}
    for wrap in key.devices:
        direct.setdefault(directory.device(wrap.device, size=size).node, set()).add(wrap.device)
    named = [wrap.node for wrap in key.mailboxes] + [left.who for left in key.left_out]
    devices = {wrap.device for wrap in key.devices}
    if sorted([*named, *direct]) != sorted(state.members) or len(devices) != len(key.devices):
        raise UntrustedError("the key does not cover exactly the members", rule="coverage")
    for node, reason in left_out.items():
        if reason != _true_reason(state, directory, position, node):
            raise UntrustedError(f"{node} was left out without reason", rule="left-out")
    active = in_force(directory, state.members, size, position.at)
    for node in (*by_mailbox, *direct):
        if node not in active:
            raise UntrustedError(f"{node} is not in force", rule="coverage")
    newest = mailboxes(directory, state.members, state.box, size)
    for node, gen in by_mailbox.items():
        _check_mailbox(state.box, gen, node, newest.get(node))
    _check_direct(state, direct, directory, position)


def link_allowed(state: CaseState, key: CaseKey, directory: Directory, position: Position) -> bool:
    """Tell whether holders of the key before may walk on: members were only added."""
    if key.reason != "members" or not state.generations:
        return False
    before = state.generations[-1]
    versions = state.versions
    old = {m.node for m in versions[before.statement.case_version - 1].members}
    since, size = before.position.authority_size, position.authority_size
    lost = any(
        directory.revoked_since(node, since, size=size)
        or directory.holder_lost_since(node, state.box, since, size=size)
        for node in old
    )
    return (
        old < set(state.members)
        and not lost
        and not (state.covered(before.gen, directory) - state.covered_by(key, directory))
    )


def _check_direct(
    state: CaseState, direct: dict[str, set[bytes]], directory: Directory, position: Position
) -> None:
    for node, devices in direct.items():
        size = position.authority_size
        mailbox = directory.mailbox(node, state.box, size=size)
        if mailbox is not None and not directory.mailbox_stale(node, state.box, size=size):
            # Else a sender could pick who at a partner may read, and hide it from the rest.
            raise UntrustedError(f"the mailbox of {node} is in order: use it", rule="coverage")
        kems = {
            h.device: h.kem for h in directory.holders(node, state.box, size=size, at=position.at)
        }
        missing = kems.keys() - devices
        if devices - kems.keys() or any(key_encrypts(kems[device]) for device in missing):
            raise UntrustedError("not wrapped to exactly the holders", rule="coverage")


def _true_reason(
    state: CaseState, directory: Directory, position: Position, node: str
) -> str | None:
    """Return why a node gets no key; None when it can be reached."""
    size, at = position.authority_size, position.at
    reason = directory.in_force(node, size=size, at=at)
    if reason is not None:
        return reason
    if not unreachable(state, directory, position, frozenset((node,))):
        return None
    holders = directory.holders(node, state.box, size=size, at=at)
    return "unusable-key" if holders else "no-holder"


def _check_mailbox(box: str, gen: int, node: str, newest: Mailbox | None) -> None:
    if newest is None or newest.gen != gen:
        raise OutOfTurnError(f"the {box} mailbox of {node} was renewed", rule="old-authority")
    if newest.stale:
        # A lost device could still open this mailbox (attack 28).
        raise UntrustedError(f"the mailbox of {node} is stale", rule="stale-mailbox")
