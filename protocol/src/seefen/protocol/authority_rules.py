"""What each kind of authority statement must fulfil before it counts.

One function a kind; each names its signers. Numbers, hashes and the head seen are
checked by the caller, :class:`seefen.protocol.directory.Directory`.

The rules are ``docs/spec/statements.md``, section 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from seefen.protocol.envelope import Opened, Quorum, check_signed_by, check_signed_by_quorums
from seefen.protocol.errors import RefusedError, SeefenError, UntrustedError
from seefen.protocol.ledger.quorum import check_witnesses
from seefen.protocol.statements import (
    Authority,
    Device,
    Mailbox,
    Node,
    Revoke,
    Root,
    Suspend,
    View,
)
from seefen.protocol.suite import SUITE, check_kem, check_plain, check_public, sha256

if TYPE_CHECKING:
    from seefen.protocol.directory import ChainKey, Directory

CERTIFICATE_LIFE: Final = 366 * 86_400  # seconds; design: at most a year
VIEW_LIFE: Final = 366 * 86_400  # of the whole network: named anew each year, as certificates are
GUEST_LIFE: Final = 92 * 86_400  # of one node: an inspection lasts a quarter of a year at most


def chain_key(statement: Authority) -> ChainKey:
    """Return which chain a statement belongs to."""
    match statement:
        case Node():
            return "node", statement.node
        case Suspend():
            return "suspend", statement.node
        case Device():
            return "device", statement.device
        case Revoke():
            return "revoke", statement.device
        case Mailbox():
            return "mailbox", f"{statement.node}/{statement.box}"
        case View():
            return "view", f"{statement.of}/{statement.device.hex()}"
        case _:
            return "root", ""


def check(directory: Directory, opened: Opened, *, at: int | None) -> None:
    """Check the rules of the statement's kind, signatures included.

    Raises:
        UntrustedError, RefusedError: The rule it breaks.
    """
    statement = opened.statement
    match statement:
        case Root():
            _check_root(directory, opened, statement)
        case Node():
            _check_node(directory, opened, statement)
        case Suspend():
            _check_suspend(directory, opened, statement)
        case Device():
            _check_device(directory, opened, statement, at)
        case Revoke():
            _check_revoke(directory, opened, statement)
        case Mailbox():
            _check_mailbox(directory, opened, statement, at)
        case View():
            _check_view(directory, opened, statement, at)
        case _:
            raise UntrustedError("not a kind of the authority log", rule="unknown-kind")


def _check_root(directory: Directory, opened: Opened, root: Root) -> None:
    _check_keys(root.keys, root.threshold)
    check_plain(root.log_key)
    if root.suite_min > SUITE:
        raise RefusedError("the network needs a newer suite: update seefen", rule="suite-min")
    check_witnesses(root.origin, root.witnesses, root.quorum)
    if any(public[: len(root.log_key)] == root.log_key for public in root.witnesses):
        # It would vouch for itself, and its line pass for one of the log.
        raise RefusedError("the log is no witness of itself", rule="witnesses")
    quorums = [Quorum(root.keys, root.threshold)]
    if root.version > 1:
        before = directory.root
        if root.origin != before.origin:
            raise RefusedError("the logs keep their names", rule="root-changed")
        quorums.append(Quorum(before.keys, before.threshold))
    check_signed_by_quorums(opened, *quorums)


def _check_node(directory: Directory, opened: Opened, node: Node) -> None:
    _check_keys(node.admins, node.threshold)
    owner = directory.code_owner(node.code)
    if owner not in (None, node.node):
        raise RefusedError(f"the code {node.code} belongs to {owner}", rule="code-taken")
    if node.version == 1:
        root = directory.root
        check_signed_by_quorums(
            opened, Quorum(root.keys, root.threshold), Quorum(node.admins, node.threshold)
        )
        return
    # The root has no say here: even a stolen root cannot put its keys into a node
    # (attack 61). A new admin proves that he holds his key by signing too.
    before = directory.node(node.node)
    if before.code != node.code:
        raise RefusedError("the code of a node never changes", rule="code-taken")
    added = [key for key in node.admins if key not in before.admins]
    quorums = [Quorum(directory.acting_admins(node.node), before.threshold)]
    if added:
        quorums.append(Quorum(added, len(added)))
    check_signed_by_quorums(opened, *quorums)


def _check_suspend(directory: Directory, opened: Opened, suspend: Suspend) -> None:
    node, root = directory.node(suspend.node), directory.root
    admins = directory.acting_admins(suspend.node)
    _check_one_of(opened, Quorum(root.keys, root.threshold), Quorum(admins, node.threshold))


def _check_device(directory: Directory, opened: Opened, device: Device, at: int | None) -> None:
    node = directory.node(device.node)
    _require_in_force(directory, device.node, at)
    if list(device.roles) != sorted(set(device.roles)):
        raise RefusedError("roles are sorted and named once", rule="roles")
    if not 0 < device.expires - device.starts <= CERTIFICATE_LIFE:
        raise RefusedError("a certificate lasts at most one year", rule="certificate-life")
    check_public(device.sign)
    check_plain(device.auth)
    check_kem(device.kem)
    if device.version == 1:
        if directory.has_sign_key(device.sign):
            raise RefusedError("another device has this signature key", rule="key-taken")
    else:
        before = directory.device(device.device)
        if (before.node, before.sign) != (device.node, device.sign):
            raise RefusedError("a device keeps its node and its key", rule="device-changed")
    if directory.revoked(device.device) is not None:
        raise UntrustedError("this device was revoked", rule="revoked")
    # The device signs too: an admin cannot pass off somebody's key as his (attack 8).
    admins = directory.acting_admins(device.node)
    check_signed_by_quorums(opened, Quorum(admins, node.threshold), Quorum([device.sign], 1))


def _check_revoke(directory: Directory, opened: Opened, revoke: Revoke) -> None:
    device = directory.device(revoke.device)
    if device.node != revoke.node:
        raise RefusedError("this device belongs to another node", rule="device-changed")
    admins, root = directory.acting_admins(device.node), directory.root
    spare = len(admins) - directory.node(device.node).threshold
    if revoke.reason in ("left", "replaced") and device.sign in admins and spare < 1:
        # A loss cannot wait; an orderly leave can, until another admin is named.
        raise RefusedError("the node would have too few admins left", rule="last-admin")
    allowed = [Quorum(admins, 1), Quorum(root.keys, root.threshold)]
    if revoke.version == 1:
        # Later ones are for worse news only: a thief must not reopen or repeat it.
        allowed.append(Quorum([device.sign], 1))
    _check_one_of(opened, *allowed)


def _check_mailbox(directory: Directory, opened: Opened, mailbox: Mailbox, at: int | None) -> None:
    # Whoever holds the box whatever the date: on a replay there is none, and the list
    # of those who count must be the same for everybody.
    holders = directory.holders(mailbox.node, mailbox.box)
    author = next((d for d in holders if d.device == mailbox.device), None)
    if author is None or not directory.is_active(author.device, at=at):
        raise UntrustedError(
            f"only a holder may renew the {mailbox.box} mailbox of {mailbox.node}", rule="role"
        )
    check_signed_by(opened, author.sign)
    check_kem(mailbox.kem)
    wrapped = [w.device for w in mailbox.wraps]
    left_out = {left.who: left.reason for left in mailbox.left_out}
    listed = sorted([d.hex() for d in wrapped] + [left.who for left in mailbox.left_out])
    if listed != sorted(d.device.hex() for d in holders):
        # A ghost that no admin certified can get no wrap (attack 1).
        raise UntrustedError("the wraps do not cover exactly the holders", rule="coverage")
    for holder in holders:
        _check_left_out(directory, holder, left_out.get(holder.device.hex()), at)


def _check_left_out(
    directory: Directory, holder: Device, reason: str | None, at: int | None
) -> None:
    expired = at is not None and not directory.is_active(holder.device, at=at)
    if reason is None:
        if expired:
            raise UntrustedError("a device that is out of date gets no key", rule="coverage")
        return
    # Without a date "expired" is believed: who is left out wrongly renews the mailbox.
    true = {
        "expired": expired or at is None,
        "unusable-key": not key_encrypts(holder.kem),
    }
    if not true.get(reason, False):
        raise UntrustedError("a holder was left out without reason", rule="left-out")


def _check_view(directory: Directory, opened: Opened, view: View, at: int | None) -> None:
    if directory.device(view.device).node != view.node:
        raise RefusedError("this device belongs to another node", rule="device-changed")
    if view.expires:  # what is taken back may be so whatever has become of the device
        _check_granted(directory, view, at)
    if view.of:
        threshold = directory.node(view.of).threshold
        quorum = Quorum(directory.acting_admins(view.of), threshold)
    else:
        quorum = Quorum(directory.root.keys, directory.root.threshold)
    check_signed_by_quorums(opened, quorum)


def _check_granted(directory: Directory, view: View, at: int | None) -> None:
    directory.require_role(view.device, "auditor", at=at)
    if view.of:
        _require_in_force(directory, view.of, at)
    if view.since >= view.upto and (view.of or view.upto):
        # A guest is shown a period with an end; only the network is shown without one.
        raise RefusedError("a view is of a period: from when, until when", rule="view-period")
    life = GUEST_LIFE if view.of else VIEW_LIFE
    if at is not None and view.expires - at > life:
        raise RefusedError(f"a view lasts at most {life // 86_400} days", rule="view-life")


def key_encrypts(public: bytes) -> bool:
    """Tell whether a KEM key can be encrypted to; a poisoned one cannot (attack 51)."""
    try:
        check_kem(public)
    except SeefenError:
        return False
    return True


def _check_one_of(opened: Opened, *alternatives: Quorum) -> None:
    signers = opened.signers
    for quorum in alternatives:
        ids = {sha256(key) for key in quorum.keys}
        if signers <= ids and len(signers) == quorum.threshold:
            check_signed_by_quorums(opened, quorum)
            return
    raise UntrustedError("not signed by the keys this needs", rule="wrong-signers")


def _check_keys(keys: tuple[bytes, ...], threshold: int) -> None:
    if len(set(keys)) != len(keys) or not 1 <= threshold <= len(keys):
        raise RefusedError("keys must differ and reach the threshold", rule="threshold")
    for key in keys:
        check_public(key)


def _require_in_force(directory: Directory, node: str, at: int | None) -> None:
    reason = directory.in_force(node, at=at)
    if reason is not None:
        raise UntrustedError(f"the node {node} is not in force", rule=reason)
